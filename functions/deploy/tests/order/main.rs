//! In which order a service is changed, and that said: a call may die between any two of its own.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "this is how a test fails")]

mod gates;
mod recorder;
mod runs;

use deploy::{Deploy, Request, Response};
use pipeline::Fault;
use pipeline::clock::Timestamp;

use recorder::Recorder;

async fn update(recorder: Recorder) -> (Result<Response, Fault>, Vec<String>) {
    let sample: Request =
        serde_json::from_str(include_str!("../../../../events/deploy/update.json")).unwrap();
    let deploy = Deploy { port: &recorder, moves: &recorder };
    let answer = deploy.handle(sample, Timestamp::from_millis(0)).await;
    (answer, recorder.done.take())
}

#[tokio::test]
async fn a_service_counts_as_touched_before_anybody_can_have_changed_it() {
    let before = ["read the move and its lease", "note touched", "update"];
    let (answer, order) = update(Recorder::default()).await;
    assert!(answer.is_ok() && order.starts_with(&before.map(str::to_owned)), "{order:?}");
    assert_eq!(order.last().unwrap(), "note deployment touched");
    let (answer, order) = update(Recorder { update_fails: true, ..Recorder::default() }).await;
    assert!(answer.is_err());
    assert_eq!(order, before);
}

#[tokio::test]
async fn a_revision_that_is_registered_already_is_not_registered_again() {
    let mut sample: serde_json::Value =
        serde_json::from_str(include_str!("../../../../events/deploy/update.json")).unwrap();
    sample["do"] = "register".into();
    let registered = serde_json::from_value(sample["move"]["registered"].clone()).unwrap();
    let recorder = Recorder::default();
    let deploy = Deploy { port: &recorder, moves: &recorder };
    let answer = deploy.handle(serde_json::from_value(sample).unwrap(), Timestamp::from_millis(0)).await;
    assert_eq!(answer, Ok(Response::Registered { task_definition: registered }));
}

#[tokio::test]
async fn a_service_is_touched_at_once_only_if_it_is_held_and_nobody_has_stopped_its_release() {
    let mut sample: serde_json::Value =
        serde_json::from_str(include_str!("../../../../events/deploy/register.json")).unwrap();
    // The hash of `{}`: no live test comes before.
    sample["move"]["pack"] = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a".into();
    let registered = async |recorder: &Recorder| {
        let deploy = Deploy { port: recorder, moves: recorder };
        let sample = serde_json::from_value(sample.clone()).unwrap();
        deploy.handle(sample, Timestamp::from_millis(0)).await.unwrap();
        recorder.done.take()
    };
    let at_once = ["register", "note registered touched", "if held: true, if not stopped: true", "update"];
    let done = registered(&Recorder::default()).await;
    assert!(done.starts_with(&at_once.map(str::to_owned)), "{done:?}");
    // Where that does not hold, it is read why.
    let done = registered(&Recorder { refuses: true, ..Recorder::default() }).await;
    assert_eq!(done[3..5], ["note registered", "if held: false, if not stopped: false"], "{done:?}");
}

#[tokio::test]
async fn a_service_that_somebody_else_holds_is_not_even_looked_at() {
    let (answer, order) = update(Recorder { lost: true, ..Recorder::default() }).await;
    assert_eq!(answer.unwrap_err().name(), "LeaseLost");
    assert_eq!(order, ["read the move and its lease"]);
}

#[tokio::test]
async fn a_release_that_somebody_stopped_goes_no_further() {
    let (answer, order) = update(Recorder { stopped: true, ..Recorder::default() }).await;
    assert_eq!(answer.unwrap_err(), Fault::Stopped("stopped by r9: bad numbers".to_owned()));
    assert_eq!(order, ["read the move and its lease"]);
}

#[tokio::test]
async fn a_call_that_comes_when_the_service_goes_back_changes_nothing() {
    let (answer, order) = update(Recorder { goes_back: true, ..Recorder::default() }).await;
    assert_eq!(answer.unwrap_err(), Fault::Stopped("the rollback of users has begun".to_owned()));
    assert_eq!(order, ["read the move and its lease"]);
}
