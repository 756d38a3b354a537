//! How much a message holds, whatever happened.

use super::*;
use pipeline::ids::ServiceName;
use pipeline::rows::Bundle;

#[test]
fn tags_that_were_not_restored_are_counted_beyond_forty() {
    let text = message(sample!("rolled-back-but-for-a-tag"), |request| {
        let repositories = &mut request.report.as_mut().unwrap().repositories;
        let failed = repositories.iter().find(|row| row.failure.is_some()).cloned().unwrap();
        repositories.extend(std::iter::repeat_n(failed, 50));
    });
    assert_eq!(text.text().matches(" was not restored: ").count(), 40);
    assert!(text.text().contains("\nand 11 more tags were not restored\n"), "{}", text.text());
}

#[test]
fn a_hundred_services_are_counted_and_those_that_need_somebody_come_first() {
    let message = message(sample!("needs-human"), |request| {
        let report = request.report.as_mut().unwrap();
        let first = report.moves.first().cloned().unwrap();
        report.moves.splice(0..0, std::iter::repeat_n(first, 97));
    });
    assert_eq!(
        message.subject,
        "[critical] NEEDS A HUMAN users and 99 more in staging: 2 services are unverified. Act now."
    );
    assert_eq!((message.moves.len(), message.more_moves), (40, 60));
    assert!(message.text().contains("\nand 60 more\n"));
    assert_eq!(
        message
            .moves
            .iter()
            .filter(|told| told.fate == Some(pipeline::rows::MoveOutcome::NeedsHuman))
            .count(),
        2
    );
}

#[test]
fn whatever_the_facts_hold_the_message_keeps_its_bounds() {
    let message = message(sample!("rolled-back"), |request| {
        request.because = Some("a{[\u{0}\r\nüber€ ".repeat(1000));
        request.environment = Some("\n".repeat(500));
        let moves = &mut request.report.as_mut().unwrap().moves;
        for row in moves.iter_mut() {
            row.service = ServiceName::parse("s".repeat(255)).unwrap();
            row.reason = Some("ß\u{1b}\"".repeat(5000));
            row.rollback_reason = Some("\"".repeat(5000));
            let lines = vec!["\u{1b}[31m\"".repeat(5000); 100];
            row.bundle = Some(Bundle { stopped: lines.clone(), logs: lines.clone(), tests: lines });
        }
        let many = moves.clone();
        moves.extend(std::iter::repeat_n(many, 100).flatten());
    });
    assert!(message.subject.len() < 100 && message.subject.chars().all(|c| c == ' ' || c.is_ascii_graphic()));
    assert!(message.sms.len() <= 160 && message.sms.is_ascii());
    assert!(!message.sms.contains(['[', '{', '\n']));
    assert!(message.text().chars().all(|c| c == '\n' || !c.is_control()));
    let twice = serde_json::json!({"default": message.text(), "email": message.text()}).to_string();
    assert!(twice.len() < 200 * 1024, "{}", twice.len());
    assert_eq!(message.moves.len() + message.more_moves, 303);
}

#[test]
fn of_what_failed_tasks_left_behind_the_first_ends_and_the_last_lines_are_told() {
    let lines = |count: usize| (0..count).map(|n| format!("{n} {}", "x".repeat(300))).collect::<Vec<_>>();
    for (given, ends, logs) in [(0, 0, None), (5, 5, Some("0 ")), (11, 5, Some("1 "))] {
        let message = message(sample!("rolled-back-crashed"), |request| {
            let row = request.report.as_mut().unwrap().moves.first_mut().unwrap();
            row.bundle = Some(Bundle { stopped: lines(given), logs: lines(given), tests: lines(given) });
        });
        let told = message.moves.first().unwrap().bundle.clone().unwrap();
        assert_eq!((told.stopped.len(), told.logs.len()), (ends, given.min(10)));
        assert!(told.stopped.first().is_none_or(|end| end.starts_with("0 ")));
        assert_eq!(told.logs.first().map(|line| line.starts_with(logs.unwrap())), logs.map(|_| true));
        assert!(told.stopped.iter().chain(&told.logs).all(|line| line.chars().count() == 200));
        let shown = |label| message.text().lines().filter(|line| line.starts_with(label)).count();
        assert_eq!((shown("  stopped: "), shown("  log: ")), (ends, given.min(10)));
        assert_eq!(shown("  test: "), ends);
    }
}

#[test]
fn many_tags_findings_and_moves_of_long_words_still_fit_into_a_topic() {
    let message = message(sample!("rolled-back-but-for-a-tag"), |request| {
        let report = request.report.as_mut().unwrap();
        let long = "\u{1f600}".repeat(2000);
        let mut tag = report.repositories.iter().find(|row| row.failure.is_some()).cloned().unwrap();
        tag.failure.as_mut().unwrap().cause = long.clone();
        report.repositories = vec![tag; 100];
        report.head.as_mut().unwrap().findings = vec![pipeline::rows::Finding::warns(long.clone()); 100];
        let mut row = report.moves.first().cloned().unwrap();
        (row.reason, row.rollback_reason) = (Some(long.clone()), Some("\"".repeat(2000)));
        report.moves = vec![row; 100];
        request.because = Some(long);
    });
    let published =
        serde_json::json!({"default": message.text(), "email": message.text(), "sms": message.sms});
    assert!(published.to_string().len() < 256 * 1024, "{}", published.to_string().len());
    for told in ["Found when it was opened:", " was not restored: ", " more tags were not restored"] {
        assert!(message.text().contains(told), "{told}");
    }
    assert_eq!(message.moves.len() + message.more_moves, 100);
    assert!(
        message.moves.len() > 3 && message.text().contains(&format!("\nand {} more\n", message.more_moves))
    );
}

#[test]
fn a_tag_is_told_on_one_line() {
    let text = message(sample!("rolled-back-but-for-a-tag"), |request| {
        for row in &mut request.report.as_mut().unwrap().repositories {
            row.tag = "dev\u{1b}[2J\nRelease: another\u{202e}".to_owned();
        }
    });
    assert!(text.text().contains("The tag dev [2J Release: another  of repository "), "{}", text.text());
}

#[test]
fn no_request_is_printed_for_an_environment_that_cannot_be_named() {
    for (sample, mode) in [
        (sample!("needs-human"), "rollback"),
        (sample!("waiting-for-approval"), "approve"),
        (sample!("frozen"), "resume"),
    ] {
        let printed = |environment: Option<&str>| {
            let text = message(sample, |request| {
                if let Some(environment) = environment {
                    request.environment = Some(environment.to_owned());
                }
            });
            text.text().contains(&format!("\"mode\":\"{mode}\""))
        };
        assert!(printed(None) && !printed(Some("no name of an environment")), "{mode}");
    }
}
