//! The shell around every function: decodes, catches panics, names faults and logs each call once.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
pub use lambda_runtime::Error;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::clock::Timestamp;
use crate::text::line;
use crate::{Fault, document};

/// How much of one key of a payload the log shows.
const LONGEST_PART: usize = 80;

/// Serves a function until Lambda ends the process.
pub async fn serve<Request, Response>(
    handler: impl AsyncFn(Request, Timestamp) -> Result<Response, Fault>,
) -> Result<(), Error>
where
    Request: DeserializeOwned,
    Response: Serialize,
{
    let handler = &handler;
    let service = service_fn(move |event: LambdaEvent<Value>| async move {
        answer(event.payload, Timestamp::now(), handler).await.map_err(Diagnostic::from)
    });
    lambda_runtime::run(service).await
}

/// Answers one call; whatever happens inside becomes an answer or a named fault.
pub async fn answer<Request, Response>(
    payload: Value,
    now: Timestamp,
    mut handler: impl AsyncFnMut(Request, Timestamp) -> Result<Response, Fault>,
) -> Result<Value, Fault>
where
    Request: DeserializeOwned,
    Response: Serialize,
{
    let subject = subject_of(&payload);
    let work = async {
        let request = document::read("the payload", payload)?;
        // Boxed: the nested futures of an SDK call are deeper than the compiler's limit.
        let response = Box::pin(handler(request, now)).await?;
        serde_json::to_value(response).map_err(|error| Fault::Defect(format!("unwritable answer: {error}")))
    };
    let outcome = AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<&str>().copied().map(str::to_owned);
        let said = said.or_else(|| panic.downcast_ref::<String>().cloned());
        Err(Fault::Defect(said.unwrap_or_else(|| "a panic".to_owned())))
    });
    let duration_ms = Timestamp::now().millis() - now.millis();
    match &outcome {
        Ok(answer) => tracing::info!(subject, duration_ms, answer = short(answer), "answered"),
        Err(fault) => tracing::error!(subject, duration_ms, fault = fault.name(), "{fault}"),
    }
    outcome
}

/// Names what a call is about, from the keys that every payload of the pipeline has.
fn subject_of(payload: &Value) -> String {
    let part = |key| match payload.get(key)? {
        Value::String(text) => Some(line(text, LONGEST_PART)),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    [part("do"), part("view"), part("act"), part("run"), part("release"), part("wave"), part("move")]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(" ")
}

/// Returns what decides the machine's way; the rest of an answer is in the ledger.
fn short(answer: &Value) -> String {
    ["next", "verdict", "deployment", "taskDefinition", "digest", "superseded", "said"]
        .iter()
        .find_map(|key| answer.get(key))
        .map(Value::to_string)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    async fn faulty(_: Value, _: Timestamp) -> Result<(), Fault> {
        panic!("index out of range")
    }

    #[tokio::test]
    async fn a_panic_is_a_named_fault() {
        let fault = answer(json!({}), Timestamp::from_millis(0), faulty).await.unwrap_err();
        assert_eq!(
            (fault.name(), fault.to_string().as_str()),
            ("Defect", "defect in Tidegate: index out of range")
        );
    }

    #[test]
    fn a_call_is_named_shortly_whatever_its_payload_holds() {
        let payload = json!({"do": "update", "release": "r1", "wave": 0, "move": 3});
        assert_eq!(subject_of(&payload), "update r1 0 3");
        let payload =
            json!({"do": "a\n".repeat(1000), "release": ["r"], "wave": {}, "move": {"service": "users"}});
        let subject = subject_of(&payload);
        assert!(subject.len() <= LONGEST_PART && !subject.contains('\n'), "{subject}");
    }

    #[tokio::test]
    async fn a_payload_that_does_not_fit_is_invalid_input() {
        let handler = async |_: u32, _| Ok(());
        let fault = answer(json!({"a": 1}), Timestamp::from_millis(0), handler).await.unwrap_err();
        assert_eq!(fault.name(), "InvalidInput");
    }
}
