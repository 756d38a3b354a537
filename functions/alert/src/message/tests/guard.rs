//! What is told of alarms after a release.

use super::*;
use pipeline::rows::Finding;
use serde_json::json;

/// A rollback by the guard that has ended as Deployed.
fn rolled_back(findings: Vec<Finding>) -> Message {
    message(sample!("deployed"), |request| {
        let head = request.report.as_mut().unwrap().head.as_mut().unwrap();
        head.request = json!({"to": {"restorePointsOf": "r1"}, "alarm": "shop-5xx"});
        head.findings = findings;
    })
}

fn declined(outcome: AlertKind) -> Message {
    message(sample!("deployed"), |request| {
        (request.report, request.outcome) = (Some(crate::report::Report::default()), outcome);
        request.because = Some("guard declined: the alarm shop-5xx went to ALARM".to_owned());
    })
}

#[test]
fn a_rollback_by_an_alarm_is_critical_and_never_told_as_deployed() {
    let told = rolled_back(Vec::new());
    assert!(
        told.title
            .starts_with("ROLLED BACK BY AN ALARM orders and users in staging: the alarm shop-5xx went")
    );
    assert!(told.title.ends_with(" Nothing to do now."), "{}", told.title);
    assert_eq!((told.severity, told.event), (Severity::Critical, "release.rolled_back"));
    assert_eq!(
        told.because,
        "the alarm shop-5xx went to ALARM after r1 was deployed: what ran before runs again, tested live"
    );
    let text = told.text();
    assert!(text.contains("What r1 brought is on hold here"), "{text}");
    let finding = Finding::warns("prod runs the same image. Act now: look at it".to_owned());
    let told = rolled_back(vec![finding]);
    assert!(told.act == Act::Now && told.title.ends_with(" Act now."), "{}", told.title);
}

#[test]
fn a_rollback_by_an_alarm_that_fails_is_told_as_what_it_is() {
    let told = message(sample!("needs-human"), |request| {
        let head = request.report.as_mut().unwrap().head.as_mut().unwrap();
        head.request = json!({"to": {"restorePointsOf": "r1"}, "alarm": "shop-5xx"});
    });
    assert!(told.title.starts_with("NEEDS A HUMAN "), "{}", told.title);
}

#[test]
fn a_guard_that_did_not_act_says_whether_somebody_has_to() {
    for (outcome, severity, phrase) in [
        (AlertKind::NeedsHuman, Severity::Critical, "Act now."),
        (AlertKind::Superseded, Severity::Info, "Nothing to do now."),
    ] {
        let told = declined(outcome);
        let title = "GUARD DECLINED in staging: the alarm shop-5xx went to ALARM; nothing was changed. ";
        assert_eq!((told.title, told.severity), (format!("{title}{phrase}"), severity));
    }
}
