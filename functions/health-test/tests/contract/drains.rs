//! What a gate after the shift waits for: that no request reaches the old tasks any more.

use health_test::poll_state::PollState;
use health_test::{Answer, Phase, Response};
use pipeline::ledger::Loaded;
use pipeline::rows::{Answered, Gate, GateVerdict, MoveRow, Traffic, Verdict};
use pipeline::service_deployment::{Action, ServiceDeployment, Stage};
use serde_json::json;

use crate::fixture::{Fixture, PACK, row, waits};
use crate::requests::{again, answer, at_gate, now, poll};

/// A service that waits at its gate after the shift, which was so many seconds ago.
fn shifted(seconds: i64) -> (Fixture, PollState) {
    let mut fixture = Fixture::of("dark-healthy");
    let stage = Stage::of("POST_PRODUCTION_TRAFFIC_SHIFT");
    fixture.shift = Some(ServiceDeployment { stage, production: 100.0, ..waits("AWAITING_ACTION") });
    let gate = Stage::of("POST_TEST_TRAFFIC_SHIFT");
    let traffic = Traffic { strategy: "BLUE_GREEN".to_owned(), gate, seconds: 60, drain_minutes: 3 };
    let full = now().plus_seconds(-seconds);
    let row = MoveRow {
        traffic: Some(traffic),
        shifted: Some(full),
        touched: Some(full.plus_seconds(-60)),
        ..row()
    };
    fixture.moves.found = Some(Loaded::given(&row));
    (fixture, PollState { full: Some(full), ..PollState::default() })
}

fn times(fixture: &Fixture, call: &str) -> usize {
    fixture.calls.take().iter().filter(|one| **one == call).count()
}

/// Polls a gate that is to wait.
async fn waiting(fixture: &Fixture, state: PollState) -> Response {
    let waiting = poll(fixture, again(Phase::After, Some(state))).await.unwrap();
    assert_eq!((waiting.verdict, waiting.pause_seconds), (Verdict::Pending, 30), "{}", waiting.reason);
    assert!(fixture.moves.noted.borrow().is_empty());
    waiting
}

#[tokio::test]
async fn nothing_is_counted_before_it_can_say_anything() {
    let (fixture, state) = shifted(60);
    let waiting = waiting(&fixture, state).await;
    assert!(
        waiting.reason.ends_with("but it waits until the requests of 3 minutes after the shift are counted"),
        "{}",
        waiting.reason
    );
    assert_eq!((times(&fixture, "requests"), waiting.state.drains), (0, Some(now())));
}

#[tokio::test]
async fn a_gate_is_passed_and_tells_that_the_old_tasks_are_silent() {
    let (fixture, state) = shifted(400);
    fixture.cloudwatch.requests.set((0, 512));
    let found = at_gate(&fixture, again(Phase::After, Some(state))).await;
    assert_eq!((found.verdict, found.pause_seconds), (GateVerdict::DarkHealthy, 2));
    assert_eq!((times(&fixture, "requests"), fixture.cloudwatch.counted.take()), (1, vec![(-310, -130)]));
    let noted = fixture.moves.noted.take();
    let told = "no request reached the old tasks from 09:55 to 09:58 (new: 512)";
    assert_eq!((&noted[0]["drain"], &noted[0]["gate"]["hook"]), (&json!(told), &json!("h1")));
}

#[tokio::test]
async fn a_gate_waits_while_the_old_tasks_are_asked_and_no_longer_than_it_may() {
    let (fixture, state) = shifted(400);
    fixture.cloudwatch.requests.set((36, 512));
    let waiting = waiting(&fixture, state).await;
    assert!(waiting.reason.ends_with("12 requests a minute still reached the old tasks"));
    assert_eq!(times(&fixture, "requests"), 1);
    // What the shift was given is over, and no live test prolongs it.
    let (mut fixture, state) = shifted(400);
    (fixture.pack, fixture.moves.found.as_mut().unwrap().row.health_timeout_seconds) = (None, 60);
    fixture.cloudwatch.requests.set((36, 512));
    self::waiting(&fixture, state).await;
    let (fixture, state) = shifted(15 * 60);
    fixture.cloudwatch.requests.set((36, 512));
    let found = at_gate(&fixture, again(Phase::After, Some(state))).await;
    assert_eq!(found.verdict, GateVerdict::DarkHealthy, "{}", found.reason);
    let told = "not drained: 12 requests a minute still reached the old tasks";
    assert_eq!(fixture.moves.noted.take()[0]["drain"], told);
}

#[tokio::test]
async fn what_is_waited_for_the_drain_is_not_missing_afterwards() {
    // The targets are not healthy for a moment, long after what the shift and the tests were given.
    let (mut fixture, state) = shifted(1000);
    fixture.target = "initial";
    let late = at_gate(&fixture, again(Phase::After, Some(state.clone()))).await;
    assert_eq!(late.verdict, GateVerdict::DarkUnhealthy, "{}", late.reason);
    let drains = Some(now().plus_seconds(-30));
    let state = PollState { drains, ..state };
    let still = poll(&fixture, again(Phase::After, Some(state.clone()))).await.unwrap();
    assert_eq!(still.verdict, Verdict::Pending, "{}", still.reason);
    // The same while ECS bakes, of a service without live tests.
    (fixture.target, fixture.pack) = ("healthy", None);
    let stage = Stage::of("BAKE_TIME");
    fixture.shift = Some(ServiceDeployment { stage, production: 100.0, ..waits("SUCCEEDED") });
    let bakes = poll(&fixture, again(Phase::After, Some(state))).await.unwrap();
    assert_eq!(bakes.verdict, Verdict::Pending, "{}", bakes.reason);
}

#[tokio::test]
async fn no_drain_holds_a_gate_that_is_not_passed_or_was_passed_before() {
    let (mut fixture, state) = shifted(60);
    let once: &str = PACK.replace(r#""attempts": 3"#, r#""attempts": 1"#).leak();
    (fixture.body, fixture.pack) = ("{}", Some(once));
    let bad = at_gate(&fixture, again(Phase::After, Some(state.clone()))).await;
    assert_eq!(bad.verdict, GateVerdict::DarkUnhealthy, "{}", bad.reason);
    assert!(fixture.moves.noted.take()[0].get("drain").is_none());
    let (mut fixture, _) = shifted(60);
    let at = now().plus_seconds(-90);
    let hook = "h1".to_owned();
    let row = &mut fixture.moves.found.as_mut().unwrap().row;
    row.answered = Some(Answered { hook: hook.clone(), action: Action::Continue, at });
    let (stage, reason) = (Stage::of("POST_PRODUCTION_TRAFFIC_SHIFT"), "it was proven".to_owned());
    let (verdict, deployment) = (GateVerdict::DarkHealthy, String::new());
    row.gate = Some(Gate { hook, stage, verdict, reason, expires: None, at, poll: 1, deployment });
    assert!(matches!(answer(&fixture, again(Phase::After, Some(state))).await, Ok(Answer::Gate(_))));
    assert!(fixture.moves.noted.take()[0].get("drain").is_none());
}
