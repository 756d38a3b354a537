//! Functions that test: they are called as ECS calls the hooks of a deployment, and answer as those do.

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ledger::MoveLedger;
use pipeline::payload::MoveKey;
use pipeline::rows::{CallsFunction, HookStatus, RunAnswer, RunRow};
use pipeline::signed::Answer;
use pipeline::text::{LONGEST_SENTENCE, line};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Runner;
use super::aws::token;
use crate::Deploy;
use crate::service::Port;

/// How many seconds a function is left alone unless it says so, as ECS leaves it.
const DELAY: i64 = 30;

/// How long it may want to be left alone.
const LONGEST_DELAY: i64 = 3600;

/// What a function answers.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Hook {
    hook_status: HookStatus,
    #[serde(default)]
    call_back_delay: Option<i64>,
    #[serde(default)]
    hook_details: Option<Map<String, Value>>,
}

impl<P: Port + Runner, L: MoveLedger> Deploy<P, L> {
    /// Calls a function, and writes down what it says; one that comes to nothing is not called again for this order.
    pub(super) async fn call(
        &self,
        key: &MoveKey,
        order: &RunRow,
        called: &CallsFunction,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let answer = self.port.call(&called.function, &payload(key, order, called)).await?;
        let fields = match said(&called.function, answer, now)? {
            Ok(answered) => json!({"answered": answered}),
            Err(why) => json!({"notStarted": why}),
        };
        self.port.note_run(key, order, fields, false).await.map(drop)
    }
}

/// Returns what a function is told: the same name however often it is called, and what it wanted to be told again.
fn payload(key: &MoveKey, order: &RunRow, called: &CallsFunction) -> Value {
    let mut details = called.details.clone();
    details.extend(order.answered.iter().flat_map(|answered| answered.details.clone()));
    json!({"executionId": token(key, &order.name), "lifecycleStage": called.stage, "hookDetails": details})
}

/// Reads what a function says, or why it says nothing.
fn said(function: &str, answer: Option<Answer>, now: Timestamp) -> Result<Result<RunAnswer, String>, Fault> {
    let Some(Answer { status, error, body }) = answer else {
        return Ok(Err(format!(
            "{function} did not answer in time: one that needs longer answers IN_PROGRESS, and is called again"
        )));
    };
    let shown = line(&body, LONGEST_SENTENCE);
    match (status, error) {
        (200, None) => {}
        (200, Some(error)) => return Ok(Err(format!("{function} ended with an error ({error}): {shown}"))),
        (429, _) => return Err(Fault::Throttled(format!("could not call {function}: {shown}"))),
        (500.., _) => return Err(Fault::Unavailable(format!("could not call {function}: {shown}"))),
        (_, error) => {
            let error = error.unwrap_or_else(|| status.to_string());
            return Ok(Err(format!("could not call {function}: {error}: {shown}")));
        }
    }
    let Ok(hook) = serde_json::from_str::<Hook>(&body) else {
        return Ok(Err(format!(
            "{function} answered {shown}: expected a \"hookStatus\" of SUCCEEDED, FAILED or IN_PROGRESS"
        )));
    };
    let delay = hook.call_back_delay.unwrap_or(DELAY).clamp(1, LONGEST_DELAY);
    let again = (hook.hook_status == HookStatus::InProgress).then(|| now.plus_seconds(delay));
    let details = hook.hook_details.unwrap_or_default();
    Ok(Ok(RunAnswer { status: hook.hook_status, again, details }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pipeline::ids::ReleaseId;
    use pipeline::rows::RunStarts;

    fn heard(status: u16, error: Option<&str>, body: &str) -> Result<Result<RunAnswer, String>, Fault> {
        let answer = Answer { status, error: error.map(str::to_owned), body: body.to_owned() };
        said("accept", Some(answer), Timestamp::from_millis(0))
    }

    #[test]
    fn a_function_says_what_it_has_found() {
        for (body, status, again) in [
            (r#"{"hookStatus":"SUCCEEDED"}"#, HookStatus::Succeeded, None),
            (r#"{"hookStatus":"FAILED","callBackDelay":9}"#, HookStatus::Failed, None),
            (r#"{"hookStatus":"IN_PROGRESS"}"#, HookStatus::InProgress, Some(30)),
            (r#"{"hookStatus":"IN_PROGRESS","callBackDelay":90}"#, HookStatus::InProgress, Some(90)),
            (r#"{"hookStatus":"IN_PROGRESS","callBackDelay":-9}"#, HookStatus::InProgress, Some(1)),
        ] {
            let answered = heard(200, None, body).unwrap().unwrap();
            let again = again.map(|seconds| Timestamp::from_millis(seconds * 1000));
            assert_eq!((answered.status, answered.again), (status, again), "{body}");
        }
    }

    #[test]
    fn what_comes_to_nothing_says_why() {
        for (status, error, body, why) in [
            (
                200,
                Some("Unhandled"),
                r#"{"errorMessage":"boom"}"#,
                "accept ended with an error (Unhandled): {\"errorMessage\":\"boom\"}",
            ),
            (
                200,
                None,
                "null",
                "accept answered null: expected a \"hookStatus\" of SUCCEEDED, FAILED or IN_PROGRESS",
            ),
            (403, Some("AccessDeniedException"), "no", "could not call accept: AccessDeniedException: no"),
            (404, None, "no such function", "could not call accept: 404: no such function"),
        ] {
            assert_eq!(heard(status, error, body).unwrap().unwrap_err(), why);
        }
        let late = said("accept", None, Timestamp::from_millis(0)).unwrap().unwrap_err();
        assert!(late.starts_with("accept did not answer in time"), "{late}");
        assert_eq!(heard(429, None, "").unwrap_err().name(), "Throttled");
        assert_eq!(heard(503, None, "").unwrap_err().name(), "Unavailable");
    }

    #[test]
    fn it_is_told_the_same_name_and_what_it_wanted_to_be_told() {
        let text = r#"{"name":"live/a/1/1","function":"accept","stage":"PRE_SCALE_UP","details":{"a":1,"b":2},
            "ordered":"2026-11-23T10:00:00Z",
            "answered":{"status":"IN_PROGRESS","again":"2026-11-23T10:00:30Z","details":{"b":3,"job":"j1"}}}"#;
        let order: RunRow = serde_json::from_str(text).unwrap();
        let RunStarts::Function(called) = &order.starts else { panic!("{order:?}") };
        let key = MoveKey::new(ReleaseId::parse("r1").unwrap(), 0, 1);
        let told = payload(&key, &order, called);
        assert_eq!(told["hookDetails"], json!({"a": 1, "b": 3, "job": "j1"}));
        assert_eq!(told["executionId"], token(&key, "live/a/1/1"));
    }
}
