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
    assert_eq!(told.subject, "Rolled back by the alarm shop-5xx: orders and users in staging");
    assert_eq!(told.severity, Severity::Critical);
    assert_eq!(
        told.because,
        "the alarm shop-5xx went to ALARM after r1 was deployed: what ran before runs again, tested live. Nothing to \
         do now."
    );
    assert!(told.text.contains("What r1 brought is on hold here"), "{}", told.text);
    let finding = Finding::warns("prod runs the same image. Act now: look at it".to_owned());
    let told = rolled_back(vec![finding]);
    assert!(told.because.ends_with("Act now: what was found says where."), "{}", told.because);
}

#[test]
fn a_rollback_by_an_alarm_that_fails_is_told_as_what_it_is() {
    let told = message(sample!("needs-human"), |request| {
        let head = request.report.as_mut().unwrap().head.as_mut().unwrap();
        head.request = json!({"to": {"restorePointsOf": "r1"}, "alarm": "shop-5xx"});
    });
    assert!(told.subject.starts_with("Needs a human: "), "{}", told.subject);
}

#[test]
fn a_guard_that_did_not_act_says_whether_somebody_has_to() {
    let told = declined(AlertKind::NeedsHuman);
    assert_eq!(
        (told.subject.as_str(), told.severity),
        ("Guard declined, act now in staging", Severity::Critical)
    );
    let told = declined(AlertKind::Superseded);
    assert_eq!((told.subject.as_str(), told.severity), ("Guard declined in staging", Severity::Info));
    assert!(told.text.contains("guard declined: the alarm shop-5xx went to ALARM"), "{}", told.text);
}
