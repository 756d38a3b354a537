//! What a poll of a service whose traffic ECS shifts asks for, finds and notes.

use health_test::Phase;
use health_test::poll_state::PollState;
use pipeline::ids::ServiceName;
use pipeline::ledger::{Loaded, Together};
use pipeline::payload::MoveRef;
use pipeline::rows::{GateVerdict, MoveRow, Traffic, Verdict};
use pipeline::service_deployment::{ServiceDeployment, Stage, Status};
use serde_json::json;

use crate::fixture::{Fixture, row, waits};
use crate::requests::{again, answer, at_gate, now, of, poll, request, sample};

/// A service at its gate, whose move is in the ledger.
fn fixture(case: &str) -> Fixture {
    let mut fixture = Fixture::of(case);
    let gate = Stage::of("POST_TEST_TRAFFIC_SHIFT");
    let traffic = Traffic { strategy: "BLUE_GREEN".to_owned(), gate, seconds: 300, drain_minutes: 0 };
    fixture.moves.found = Some(Loaded::given(&MoveRow { traffic: Some(traffic), ..row() }));
    fixture
}

fn moved(fixture: &mut Fixture, change: impl FnOnce(&mut MoveRow)) {
    change(&mut fixture.moves.found.as_mut().unwrap().row);
}

#[tokio::test]
async fn what_is_found_at_a_gate_is_noted_as_no_verdict() {
    let dark = fixture("dark-healthy");
    let found = at_gate(&dark, request(Phase::After)).await;
    assert_eq!((found.verdict, found.pause_seconds), (GateVerdict::DarkHealthy, 2));
    let gate = json!({
        "hook": "h1", "stage": "POST_TEST_TRAFFIC_SHIFT", "verdict": "DarkHealthy", "reason": found.reason,
        "expires": "2026-11-23T11:00:00Z", "at": now(), "poll": 1,
        "deployment": "arn:aws:ecs:eu-west-1:123456789012:service-deployment/dev/users/d1",
    });
    assert_eq!(*dark.moves.noted.borrow(), [json!({ "gate": gate })]);
    let bad = fixture("dark-tests-fail");
    let found = at_gate(&bad, request(Phase::After)).await;
    assert_eq!(found.verdict, GateVerdict::DarkUnhealthy, "{}", found.reason);
    assert!(bad.moves.noted.borrow().iter().all(|noted| noted.get("verdict").is_none()));
}

#[tokio::test]
async fn a_service_that_fails_is_noted_for_those_that_take_their_traffic_with_it() {
    let together = |case: &str, failed: Option<&str>| {
        let mut fixture = fixture(case);
        let failed = failed.map(|name| ServiceName::parse(name).unwrap());
        fixture.moves.found.as_mut().unwrap().together = Some(Together { through: None, failed });
        fixture
    };
    let bad = together("dark-tests-fail", None);
    at_gate(&bad, request(Phase::After)).await;
    assert_eq!(bad.moves.noted.borrow().last(), Some(&json!({"failed": "users"})));
    let second = together("dark-tests-fail", Some("users"));
    at_gate(&second, request(Phase::After)).await;
    assert!(second.moves.noted.borrow().iter().all(|noted| noted.get("failed").is_none()));
    let good = together("dark-healthy", Some("carts"));
    let given_up = poll(&good, request(Phase::After)).await.unwrap();
    assert_eq!(given_up.verdict, Verdict::Inconclusive);
    assert_eq!(given_up.reason, "given up with carts, which failed");
    assert_eq!(good.calls.take(), [""; 0], "nothing is looked at any more");
}

#[tokio::test]
async fn a_move_that_has_waited_for_others_goes_on_from_the_poll_that_judged_its_gate() {
    let mut dark = fixture("dark-healthy");
    let found = at_gate(&dark, request(Phase::After)).await;
    let noted = dark.moves.noted.borrow()[0]["gate"].clone();
    moved(&mut dark, |row| {
        row.gate = Some(serde_json::from_value(noted).unwrap());
        row.shifted = Some(now());
    });
    dark.shift =
        Some(ServiceDeployment { stage: Stage::of("PRODUCTION_TRAFFIC_SHIFT"), ..waits("SUCCEEDED") });
    let answered = poll(&dark, again(Phase::After, None)).await.unwrap();
    assert_eq!((answered.state.count, answered.state.at_gate), (found.state.count + 1, found.state.at_gate));
}

#[tokio::test]
async fn an_alarm_ends_a_move_that_has_production_traffic_as_long_as_ecs_keeps_the_old_tasks() {
    let watched = |shifted: bool, status: Status, name: &str| {
        let mut fixture = fixture("dark-healthy");
        moved(&mut fixture, |row| {
            row.alarms = vec!["shop-5xx".to_owned(), name.to_owned()];
            row.shifted = shifted.then(|| now().plus_seconds(-60));
        });
        let stage = Stage::of("BAKE_TIME");
        fixture.shift = Some(ServiceDeployment { stage, status, production: 100.0, ..waits("SUCCEEDED") });
        fixture
    };
    let red = watched(true, Status::Open, "shop is red");
    let ended = poll(&red, request(Phase::After)).await.unwrap();
    assert_eq!(ended.reason, "the alarm shop is red went to ALARM after the release began");
    let noted = red.moves.noted.borrow()[0].clone();
    assert_eq!((&noted["verdict"], &noted["alarm"]), (&json!("Unhealthy"), &json!("shop is red")));
    let quiet = watched(true, Status::Open, "shop-4xx");
    assert_eq!(poll(&quiet, request(Phase::After)).await.unwrap().verdict, Verdict::Pending);
    assert_eq!(quiet.calls.take().iter().filter(|call| **call == "alarms").count(), 1);
    // What is complete is watched by the bake of its wave, and what ECS gives back is over.
    for status in [Status::Successful, Status::RollingBack] {
        let over = watched(true, status, "shop is red");
        poll(&over, request(Phase::After)).await.unwrap();
        assert!(!over.calls.take().contains(&"alarms"));
    }
    let dark = fixture("dark-healthy");
    at_gate(&dark, request(Phase::After)).await;
    assert!(!dark.calls.take().contains(&"alarms"), "no alarm is asked in the dark");
}

#[tokio::test]
async fn traffic_that_goes_back_has_not_moved_to_the_new_tasks() {
    for (status, noted) in [(Status::Open, true), (Status::RollingBack, false), (Status::RolledBack, false)] {
        let mut fixture = fixture("dark-healthy");
        let stage = Stage::of("PRODUCTION_TRAFFIC_SHIFT");
        fixture.shift = Some(ServiceDeployment { stage, status, ..waits("FAILED") });
        poll(&fixture, request(Phase::After)).await.unwrap();
        let notes = fixture.moves.noted.borrow();
        assert_eq!(notes.iter().any(|note| note.get("shiftedBy").is_some()), noted);
    }
}

#[tokio::test]
async fn a_poll_finds_the_service_deployment_once_and_asks_no_more_than_it_needs() {
    let dark = fixture("dark-healthy");
    let found = at_gate(&dark, request(Phase::After)).await;
    let tests = ["pack", "kept", "http", "http", "keep"];
    let calls = ["service", "find the service deployment", "tasks", "targets"];
    assert_eq!(dark.calls.take(), [&calls[..], &tests[..]].concat());
    let mut later = fixture("dark-healthy");
    later.shift = Some(ServiceDeployment { stage: Stage::of("SCALE_UP"), ..waits("SUCCEEDED") });
    poll(&later, again(Phase::After, Some(found.state))).await.unwrap();
    assert_eq!(later.calls.take(), ["service", "describe the service deployment"]);
}

#[tokio::test]
async fn the_tests_of_a_gate_are_asked_again_once_production_traffic_comes() {
    let mut dark = fixture("dark-healthy");
    let found = at_gate(&dark, request(Phase::After)).await;
    dark.calls.take();
    // The same poll, once more: it is told what is kept.
    assert_eq!(at_gate(&dark, request(Phase::After)).await, found);
    assert!(!dark.calls.take().contains(&"http"));
    moved(&mut dark, |row| row.shifted = Some(now().plus_seconds(-60)));
    let stage = Stage::of("BAKE_TIME");
    dark.shift = Some(ServiceDeployment { stage, production: 100.0, ..waits("SUCCEEDED") });
    let full = Some(now().plus_seconds(-20));
    let state = PollState { full, ..found.state };
    let answered = poll(&dark, again(Phase::After, Some(state.clone()))).await.unwrap();
    assert!(
        answered.reason.starts_with("BAKE_TIME: it is stable; its live test passed"),
        "{}",
        answered.reason
    );
    assert_eq!(dark.calls.take().iter().filter(|call| **call == "http").count(), 2);
    // A step has its own gate, and asks what was asked in the dark.
    moved(&mut dark, |row| row.shifted = Some(now().plus_seconds(-60)));
    let step = ServiceDeployment { production: 10.0, ..waits("AWAITING_ACTION") };
    dark.shift = Some(ServiceDeployment {
        hooks: vec![pipeline::service_deployment::Hook { id: "h2".to_owned(), ..step.hooks[0].clone() }],
        ..step
    });
    let found = at_gate(&dark, again(Phase::After, Some(PollState { count: 9, full: None, ..state }))).await;
    assert_eq!(found.verdict, GateVerdict::DarkHealthy);
    assert_eq!(dark.calls.take().iter().filter(|call| **call == "http").count(), 2);
}

#[tokio::test]
async fn traffic_that_somebody_else_let_through_is_noted_once() {
    let mut fixture = fixture("continued-by-somebody");
    poll(&fixture, request(Phase::After)).await.unwrap();
    assert_eq!(*fixture.moves.noted.borrow(), [json!({"shifted": now(), "shiftedBy": "other"})]);
    fixture.moves.noted.take();
    moved(&mut fixture, |row| row.shifted = Some(now()));
    poll(&fixture, request(Phase::After)).await.unwrap();
    assert!(fixture.moves.noted.borrow().is_empty());
}

#[tokio::test]
async fn what_nobody_answered_is_bad_and_says_nothing_of_the_image() {
    let ran_out = fixture("gate-ran-out");
    let answered = poll(&ran_out, request(Phase::After)).await.unwrap();
    assert_eq!(answered.verdict, Verdict::Unhealthy);
    let noted = ran_out.moves.noted.take();
    assert_eq!((&noted[0]["verdict"], &noted[0]["blameless"]), (&json!("Unhealthy"), &json!(true)));
}

#[tokio::test]
async fn the_rollback_of_what_ecs_gives_back_is_proven_by_the_old_tasks() {
    let mut back = Fixture { tasks: (1, 'a'), primary: 1, ..fixture("dark-healthy") };
    back.shift = Some(ServiceDeployment { status: Status::RolledBack, hooks: vec![], ..waits("FAILED") });
    let asked = now().plus_seconds(-30);
    moved(&mut back, |row| {
        (row.rollback_started, row.rollback_deployment) = (Some(asked), row.deployment.clone());
        row.verdict = Some(Verdict::Unhealthy);
    });
    let answered = poll(&back, of(Phase::Rollback, MoveRef::Ordinal(3), None)).await.unwrap();
    assert_eq!(answered.verdict, Verdict::Healthy, "{}", answered.reason);
    let noted = json!({"undoVerdict": "Healthy", "undoReason": answered.reason});
    assert_eq!(*back.moves.noted.borrow(), [noted]);
}

#[tokio::test]
async fn a_gate_of_the_rollback_is_noted_as_such() {
    let mut back = Fixture { tasks: (3, 'a'), primary: 3, ..fixture("dark-healthy") };
    moved(&mut back, |row| {
        row.rollback_started = Some(now().plus_seconds(-30));
        row.rollback_deployment = pipeline::ids::DeploymentId::parse("ecs-svc/3").ok();
    });
    let found = at_gate(&back, of(Phase::Rollback, MoveRef::Ordinal(3), None)).await;
    assert_eq!(found.verdict, GateVerdict::DarkHealthy);
    let noted = back.moves.noted.take();
    assert_eq!(noted[0]["rollbackGate"]["hook"], "h1");
    assert!(!back.calls.take().contains(&"http"), "a gate of the way back asks no tests");
}

#[tokio::test]
async fn the_samples_of_gates_are_noted_by_nobody() {
    // A move that is given whole writes nothing, and is answered all the same.
    let dark = Fixture::of("dark-healthy");
    assert!(answer(&dark, sample("dark-healthy")).await.is_ok());
}
