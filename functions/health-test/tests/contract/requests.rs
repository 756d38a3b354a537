//! What is asked of the function, and what it answers.

use health_test::poll_state::PollState;
use health_test::shift::GateResponse;
use health_test::{Answer, HealthTest, Phase, PollRequest, Request, Response};
use pipeline::clock::Timestamp;
use pipeline::ids::ReleaseId;
use pipeline::payload::{MoveKey, MoveRef};
use pipeline::rows::MoveRow;
use pipeline::{Fault, document};
use serde_json::Value;

use crate::fixture::Fixture;

pub fn now() -> Timestamp {
    Timestamp::parse(testbed::contract::NOW).unwrap()
}

pub async fn answer(fixture: &Fixture, request: Request) -> Result<Answer, Fault> {
    HealthTest { port: fixture, web: fixture, moves: &fixture.moves }.handle(request, now()).await
}

pub async fn poll(fixture: &Fixture, request: Request) -> Result<Response, Fault> {
    poll_after(fixture, request, 0).await
}

/// Polls some seconds later.
pub async fn poll_after(fixture: &Fixture, request: Request, seconds: i64) -> Result<Response, Fault> {
    let function = HealthTest { port: fixture, web: fixture, moves: &fixture.moves };
    match function.handle(request, now().plus_seconds(seconds)).await? {
        Answer::Poll(response) => Ok(response),
        other => panic!("{other:?}"),
    }
}

/// Polls a service that is to be found at a gate.
pub async fn at_gate(fixture: &Fixture, request: Request) -> GateResponse {
    match answer(fixture, request).await.unwrap() {
        Answer::Gate(response) => response,
        other => panic!("{other:?}"),
    }
}

pub fn sample(case: &str) -> Request {
    let path = format!("{}/../../events/health-test/{case}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    document::read("the sample", serde_json::from_str::<Value>(&text).unwrap()).unwrap()
}

pub fn request(phase: Phase) -> Request {
    again(phase, None)
}

pub fn again(phase: Phase, state: Option<PollState>) -> Request {
    of(phase, MoveRef::Ordinal(3), state)
}

pub fn of(phase: Phase, which: MoveRef, state: Option<PollState>) -> Request {
    let key = MoveKey { which, ..MoveKey::new(ReleaseId::parse("r-1").unwrap(), 0, 3) };
    match phase {
        Phase::Before => Request::Before(PollRequest { state, key }),
        Phase::After => Request::After(PollRequest { state, key }),
        Phase::Rollback => Request::Rollback(PollRequest { state, key }),
    }
}

pub fn before(which: MoveRef) -> Request {
    of(Phase::Before, which, None)
}

/// Returns the move of a sample, changed.
pub fn changed(case: &str, change: impl FnOnce(&mut MoveRow)) -> MoveRef {
    let (Request::After(poll) | Request::Rollback(poll)) = sample(case) else { panic!("{case} is no poll") };
    let MoveRef::Inline(mut row) = poll.key.which else { panic!("{case} gives no move") };
    change(&mut row);
    MoveRef::Inline(row)
}
