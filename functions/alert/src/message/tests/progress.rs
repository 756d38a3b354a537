//! How far a release is.

use super::*;
use expect_test::expect;
use pipeline::rows::{RollbackScope, Verdict};
use serde_json::{Value, json};

#[test]
fn started() {
    check(
        sample!("started"),
        &expect![[r#"
        [info] STARTED users in prod: 1a2b3c -> 4f5e6d. Nothing to do now.
        ----
        TIDEGATE STARTED users in prod: 1a2b3c -> 4f5e6d. Nothing to do now.
        ----
        STARTED users in prod: 1a2b3c -> 4f5e6d. Nothing to do now.

        users: 1a2b3c000000 -> 4f5e6d000000 (commit 9c8b7a6d5e4f)

        When: 2026-11-23T10:00:10Z, 10 s after it opened
        Release: sample
        Run: https://eu-west-1.console.aws.amazon.com/states/home?region=eu-west-1#/v2/executions/details/arn:aws:states:eu-west-1:123456789012:execution:tidegate:sample
    "#]],
    );
}

#[test]
fn rolling_back() {
    check(
        sample!("rolling-back"),
        &expect![[r#"
        [info] ROLLING BACK users and 2 more in staging: 2 services are being put back. Nothing to do now.
        ----
        TIDEGATE ROLLING BACK users and 2 more in staging: users is unhealthy: live test "health" faile...; 2 services are being put back. Nothing to do now.
        ----
        ROLLING BACK users and 2 more in staging: users is unhealthy: live test "health" faile...; 2 services are being put back. Nothing to do now.
        users is unhealthy: live test "health" failed 3 of 3 times: GET http://10.0.0.2:8080/health: expected $.status to be "ok", got status 200 in 12 ms: {"status":"down"}

        users: aaaaaaaaaaaa -> bbbbbbbbbbbb, goes back to aaaaaaaaaaaa
          rollout: live test "health" failed 3 of 3 times: GET http://10.0.0.2:8080/health: expected $.status to be "ok", got status 200 in 12 ms: {"status":"down"}

        orders: aaaaaaaaaaaa -> bbbbbbbbbbbb, goes back to aaaaaaaaaaaa
          rollout: it is stable; its live test passed (2 asked)

        payments: aaaaaaaaaaaa -> bbbbbbbbbbbb, not started

        When: 2026-11-23T10:00:10Z, 5 min 10 s after it opened
        Release: sample
        Run: https://eu-west-1.console.aws.amazon.com/states/home?region=eu-west-1#/v2/executions/details/arn:aws:states:eu-west-1:123456789012:execution:tidegate:sample
    "#]],
    );
}

/// The title of a start, of a release that was asked for so.
fn start_of(asked: Value) -> String {
    let told = message(sample!("started"), |request| {
        request.report.as_mut().unwrap().head.as_mut().unwrap().request = asked;
    });
    assert_eq!((told.severity, told.act, told.event), (Severity::Info, Act::None, "release.started"));
    told.title
}

#[test]
fn a_start_says_who_wanted_it_and_first_of_all_whether_it_goes_back() {
    let to = json!({"restorePointsOf": "r1"});
    for (asked, expected) in [
        (json!({}), "STARTED users in prod: 1a2b3c -> 4f5e6d. Nothing to do now."),
        (
            json!({"reason": "the sale begins", "force": true}),
            "STARTED users in prod: the sale begins; 1a2b3c -> 4f5e6d. Nothing to do now.",
        ),
        (
            json!({"to": "previous", "reason": "bad numbers"}),
            "ROLLBACK STARTED users in prod: bad numbers; 1a2b3c -> 4f5e6d. Nothing to do now.",
        ),
        (
            json!({"to": to, "reason": null}),
            "ROLLBACK STARTED users in prod: on request; 1a2b3c -> 4f5e6d. Nothing to do now.",
        ),
        (
            json!({"to": to, "alarm": "shop-5xx", "reason": "the guard"}),
            "ROLLBACK STARTED users in prod: the alarm shop-5xx went to ALARM; 1a2b3c -> 4f5e6d. Nothing to do now.",
        ),
    ] {
        assert_eq!(start_of(asked), expected);
    }
}

#[test]
fn a_start_of_several_services_counts_them_and_names_what_changes_below() {
    let told = message(sample!("started"), |request| {
        let report = request.report.as_mut().unwrap();
        for name in ["orders", "carts"] {
            let mut row = report.moves[0].clone();
            row.service = pipeline::ids::ServiceName::parse(name).unwrap();
            row.restore = None;
            report.moves.push(row);
        }
    });
    assert_eq!(told.title, "STARTED users and 2 more in prod. Nothing to do now.");
    let text = told.text();
    assert!(text.contains("users: 1a2b3c000000 -> 4f5e6d000000 (commit 9c8b7a6d5e4f)\n"), "{text}");
    assert!(text.contains("carts: unknown -> 4f5e6d000000"), "{text}");
    assert!(!text.contains("Of 3 services"), "nothing has become of them: {text}");
}

#[test]
fn what_goes_back_is_what_the_rollback_puts_back() {
    let stands = |change: &dyn Fn(&mut crate::report::Report)| {
        let told = message(sample!("rolling-back"), |request| change(request.report.as_mut().unwrap()));
        let [.., stands] = told.title.split("; ").collect::<Vec<_>>()[..] else { panic!() };
        (stands.trim_end_matches(". Nothing to do now.").to_owned(), told.text())
    };
    assert_eq!(stands(&|_| ()).0, "2 services are being put back");
    // The healthy one stays, and what nothing may put back.
    let (title, text) =
        stands(&|report| report.head.as_mut().unwrap().rollback = Some(RollbackScope::Failed));
    assert_eq!(title, "1 service is being put back");
    assert!(text.contains("orders: aaaaaaaaaaaa -> bbbbbbbbbbbb, stays on bbbbbbbbbbbb\n"), "{text}");
    let (title, _) = stands(&|report| report.moves[0].forward_only = true);
    assert_eq!(title, "1 service is being put back");
    let (title, text) = stands(&|report| report.moves[0].verdict = Some(Verdict::Superseded));
    assert_eq!(title, "1 service is being put back");
    assert!(text.contains("superseded: somebody else has deployed the service since"), "{text}");
    // One alone is named by what runs there again.
    let (title, _) = stands(&|report| drop(report.moves.drain(..2)));
    assert_eq!(title, "aaaaaa is being put back");
}
