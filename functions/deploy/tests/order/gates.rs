//! The gates at which ECS waits.

use deploy::{Deploy, Request, Response};
use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ids::ServiceName;
use pipeline::ledger::Together;
use pipeline::rows::Verdict;
use pipeline::service_deployment::Action;

use crate::recorder::Recorder;

async fn go_on(recorder: Recorder) -> (Result<Response, Fault>, Vec<String>) {
    let sample: Request =
        serde_json::from_str(include_str!("../../../../events/deploy/continue.json")).unwrap();
    let deploy = Deploy { port: &recorder, moves: &recorder };
    let answer = deploy.handle(sample, Timestamp::from_millis(0)).await;
    (answer, recorder.done.take())
}

#[tokio::test]
async fn an_answer_is_noted_before_it_is_given() {
    let (answer, order) = go_on(Recorder::default()).await;
    assert_eq!(answer, Ok(Response::Answered { answered: Action::Continue, look: true }));
    let expected = [
        "read the move and its lease",
        "read the service deployment",
        "note answered shifted",
        "answer h1 Continue",
    ];
    assert_eq!(order, expected);
}

#[tokio::test]
async fn what_takes_traffic_together_waits_for_the_others_and_is_given_up_with_them() {
    let failed = Some(ServiceName::parse("carts").unwrap());
    for (together, look) in [
        (Together::default(), false),
        (Together { failed: failed.clone(), ..Together::default() }, true),
        (Together { through: Some(0), failed }, true),
    ] {
        let (answer, order) = go_on(Recorder { together: Some(together), ..Recorder::default() }).await;
        assert!(matches!(answer, Ok(Response::Nothing { look: found, .. }) if found == look), "{answer:?}");
        assert_eq!(order, ["read the move and its lease", "read the service deployment"]);
    }
    let may = Together { through: Some(0), failed: None };
    let (answer, _) = go_on(Recorder { together: Some(may), ..Recorder::default() }).await;
    assert_eq!(answer, Ok(Response::Answered { answered: Action::Continue, look: true }));
}

#[tokio::test]
async fn a_hook_that_refuses_its_answer_is_looked_at_again() {
    let refused = || Recorder { update_fails: true, ..Recorder::default() };
    let (answer, order) = go_on(refused()).await;
    assert_eq!(answer.unwrap_err().name(), "Denied", "it waits all the same");
    assert_eq!(order.last().unwrap(), "read the service deployment");
    let (answer, _) = go_on(Recorder { gone_when_asked: true, ..refused() }).await;
    assert_eq!(answer, Ok(Response::Nothing { nothing: "the gate waits no more", look: true }));
}

#[tokio::test]
async fn nobody_answers_the_gate_of_a_service_that_is_not_held_or_goes_back() {
    for recorder in [
        Recorder { lost: true, ..Recorder::default() },
        Recorder { stopped: true, ..Recorder::default() },
        Recorder { goes_back: true, ..Recorder::default() },
    ] {
        let (answer, order) = go_on(recorder).await;
        assert!(answer.is_err());
        assert_eq!(order, ["read the move and its lease"]);
    }
}

#[tokio::test]
async fn what_is_decided_has_no_gate_that_is_to_be_answered() {
    for (decided, answers) in [
        (None, true),
        (Some(Verdict::Pending), true),
        (Some(Verdict::Healthy), false),
        (Some(Verdict::Unhealthy), false),
    ] {
        let (answer, order) = go_on(Recorder { decided, ..Recorder::default() }).await;
        assert_eq!(order.iter().any(|step| step.starts_with("answer ")), answers, "{decided:?} {answer:?}");
    }
}

#[tokio::test]
async fn a_gate_that_gave_way_to_another_one_is_looked_at_again() {
    let recorder = Recorder { update_fails: true, another_waits_when_asked: true, ..Recorder::default() };
    let (answer, _) = go_on(recorder).await;
    assert_eq!(answer, Ok(Response::Nothing { nothing: "the gate waits no more", look: true }));
}
