//! What a poll asks for, decides and notes.

use health_test::Phase;
use pipeline::document;
use pipeline::ids::DeploymentId;
use pipeline::ledger::Loaded;
use pipeline::payload::MoveRef;
use pipeline::rows::Verdict;
use pipeline::service::Rollout;
use serde_json::{Value, json};

use crate::fixture::{Fixture, row};
use crate::requests::{changed, now, of, poll, request, sample};

#[tokio::test]
async fn a_final_verdict_is_noted_and_a_pending_one_is_not() {
    let fixture = Fixture::good();
    let answer = poll(&fixture, request(Phase::After)).await.unwrap();
    let noted = json!({"verdict": "Healthy", "reason": answer.reason, "decided": now()});
    assert_eq!(*fixture.moves.noted.borrow(), [noted]);
    let fixture = Fixture { rollout: Rollout::InProgress, ..Fixture::good() };
    assert_eq!(poll(&fixture, request(Phase::After)).await.unwrap().verdict, Verdict::Pending);
    assert!(fixture.moves.noted.borrow().is_empty());
}

#[tokio::test]
async fn the_verdict_of_the_rollback_is_noted_as_such() {
    let fixture = Fixture::of("rollback");
    let event: Value =
        serde_json::from_str(include_str!("../../../../events/health-test/rollback.json")).unwrap();
    let answer = poll(&fixture, document::read("the sample", event).unwrap()).await.unwrap();
    assert_eq!(
        *fixture.moves.noted.borrow(),
        [json!({"undoVerdict": "Healthy", "undoReason": answer.reason})]
    );
}

#[tokio::test]
async fn a_look_calls_no_more_than_it_needs() {
    let fixture = Fixture { rollout: Rollout::InProgress, ..Fixture::good() };
    poll(&fixture, request(Phase::After)).await.unwrap();
    assert_eq!(*fixture.calls.borrow(), ["service"]);
    let fixture = Fixture::good();
    poll(&fixture, request(Phase::After)).await.unwrap();
    assert_eq!(
        *fixture.calls.borrow(),
        ["service", "tasks", "targets", "pack", "kept", "http", "http", "keep"]
    );
    let fixture = Fixture::of("decided");
    let event: Value =
        serde_json::from_str(include_str!("../../../../events/health-test/decided.json")).unwrap();
    poll(&fixture, document::read("the sample", event).unwrap()).await.unwrap();
    assert!(fixture.calls.borrow().is_empty() && fixture.moves.noted.borrow().is_empty());
}

#[tokio::test]
async fn what_failed_tasks_left_behind_is_noted_with_the_verdict_and_only_then() {
    for (case, readable, stopped, logs) in [
        (
            "unhealthy-rolled-back-by-ecs",
            true,
            &["2 tasks: Essential container in task exited (EssentialContainerExited); app exit code 1"][..],
            &["users:2 ended2 says goodbye", "users:2 ended1 says goodbye"][..],
        ),
        ("unhealthy-wrong-answer", true, &[], &["users:2 task1 says goodbye", "users:2 task2 says goodbye"]),
        ("unhealthy-rollback", true, &[], &["users:1 task1 says goodbye", "users:1 task2 says goodbye"]),
        (
            "unhealthy-never-stable",
            false,
            &["stopped: not allowed to list the stopped tasks"],
            &["logs: not allowed to read the log"],
        ),
    ] {
        let (readable, good) = (Fixture { readable, ..Fixture::of(case) }, Fixture::of(case));
        let answer = poll(&readable, sample(case)).await.unwrap();
        let noted = readable.moves.noted.take();
        assert_eq!(noted.len(), 1, "{case}");
        let bundle = &noted[0]["bundle"];
        assert_eq!((&bundle["stopped"], &bundle["logs"]), (&json!(stopped), &json!(logs)), "{case}");
        assert_eq!(
            (answer.verdict, &answer),
            (Verdict::Unhealthy, &poll(&good, sample(case)).await.unwrap())
        );
    }
    for case in ["good", "rollback", "superseded", "inconclusive", "pending"] {
        let fixture = Fixture::of(case);
        poll(&fixture, sample(case)).await.unwrap();
        assert!(fixture.moves.noted.borrow().iter().all(|noted| noted.get("bundle").is_none()), "{case}");
        assert!(!fixture.calls.borrow().contains(&"ended"), "{case}");
    }
}

#[tokio::test]
async fn a_reason_is_kept_short() {
    let pack =
        format!(r#"{{"checks":[{{"name":"a","http":{{"url":"http://10.0.0.2/{}"}}}}]}}"#, "a".repeat(4000));
    let fixture = Fixture { pack: Some(pack.replace("\"}", "\",\"status\":500}").leak()), ..Fixture::good() };
    let answer = poll(&fixture, request(Phase::After)).await.unwrap();
    assert_eq!(answer.verdict, Verdict::Unhealthy);
    // The long URL does not push out what was expected.
    assert!(
        answer.reason.chars().count() <= 1000 && answer.reason.contains("expected status 500"),
        "{answer:?}"
    );
}

#[tokio::test]
async fn a_forced_deployment_of_our_revision_is_noted_and_judged_as_ours() {
    let fixture = Fixture::of("forced-anew");
    let answer = poll(&fixture, request(Phase::After)).await.unwrap();
    assert_eq!(answer.verdict, Verdict::Healthy, "{}", answer.reason);
    let noted = fixture.moves.noted.take();
    assert_eq!((noted.len(), &noted[0]), (2, &json!({"deployment": "ecs-svc/9"})));
    let fixture = Fixture { body: r#"{"status":"down"}"#, ..Fixture::of("forced-anew") };
    let answer = poll(&fixture, request(Phase::After)).await.unwrap();
    assert_eq!(answer.verdict, Verdict::Pending, "{}", answer.reason);
    assert!(answer.reason.starts_with("live test \"health\" failed 1 of 3 times"), "{}", answer.reason);
    // It is ours for the next poll, whose row names it.
    let which = changed("good", |row| row.deployment = Some(DeploymentId::parse("ecs-svc/9").unwrap()));
    let fixture = Fixture::of("forced-anew");
    poll(&fixture, of(Phase::After, which, None)).await.unwrap();
    assert!(fixture.moves.noted.borrow().iter().all(|noted| noted.get("deployment").is_none()));
}

#[tokio::test]
async fn a_release_that_was_stopped_is_looked_at_no_more_but_its_rollback_is() {
    let stop =
        json!({"by": "r9", "because": "bad numbers", "since": "2026-11-23T10:00:00Z", "rollback": true});
    let loaded = Loaded { stop: Some(serde_json::from_value(stop).unwrap()), ..Loaded::given(&row()) };
    let mut fixture = Fixture::good();
    fixture.moves.found = Some(loaded);
    let answer = poll(&fixture, of(Phase::After, MoveRef::Ordinal(3), None)).await.unwrap();
    assert_eq!(
        (answer.verdict, answer.reason.as_str()),
        (Verdict::Inconclusive, "stopped by r9: bad numbers")
    );
    assert_eq!(fixture.moves.noted.borrow().len(), 1);
    let answer = poll(&fixture, of(Phase::Rollback, MoveRef::Ordinal(3), None)).await;
    assert!(!answer.is_ok_and(|answer| answer.reason.starts_with("stopped by")));
}
