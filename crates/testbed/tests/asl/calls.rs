//! How the states call: whom, for how long, how often again, and where they go if it fails.

use std::collections::BTreeMap;

use pipeline::aws::OPERATION_TIMEOUT;
use serde_json::{Value, json};

use crate::document::{check, list, states, text};
use crate::template::timeouts;

const CALL: &str = "arn:${Partition}:states:::lambda:invoke";
const ASK: &str = "arn:${Partition}:states:::lambda:invoke.waitForTaskToken";

/// The functions that write where a second writer does harm.
const WRITING: [&str; 3] = ["RetagFunction", "DeployFunction", "RollbackFunction"];

#[test]
fn a_call_outlasts_its_function_and_a_function_its_operations() {
    let functions = timeouts();
    for (function, seconds) in &functions {
        assert!(
            *seconds > OPERATION_TIMEOUT.as_secs() + 3,
            "{function} ends while its call may be under way"
        );
    }
    check(
        |document| {
            let mut found = Vec::new();
            for (name, state) in states(document).into_iter().filter(|(_, state)| state["Type"] == "Task") {
                let limit = &state["TimeoutSeconds"];
                let right = match (text(&state["Resource"]), function(state), limit.as_u64()) {
                    (CALL, Some(called), Some(seconds)) => {
                        functions.get(called).is_some_and(|own| seconds > own + 5)
                    }
                    // A person is waited for, as long as the environment says.
                    (ASK, Some(_), None) => limit.as_str().is_some_and(|limit| limit.starts_with("{%")),
                    (CALL | ASK, ..) | (_, Some(_), _) => false,
                    (_, None, seconds) => seconds.is_some(),
                };
                if !right {
                    found.push(format!("{name} waits {limit} for {}", state["Arguments"]["FunctionName"]));
                }
            }
            found
        },
        &[
            ("/States/Judge/TimeoutSeconds", Value::Null, "Judge waits null"),
            ("/States/Judge/TimeoutSeconds", json!(65), "Judge waits 65"),
            ("/States/Wave/ItemProcessor/States/Deploy/TimeoutSeconds", json!(35), "Deploy waits 35"),
            (
                "/States/Wave/ItemProcessor/States/MoveFailed/TimeoutSeconds",
                Value::Null,
                "MoveFailed waits null",
            ),
            ("/States/Judge/TimeoutSeconds", json!("{% $pauseSeconds %}"), "Judge waits"),
            ("/States/Judge/Arguments/FunctionName", json!("${JudgeFunctionArn}"), "${JudgeFunctionArn}"),
            ("/States/Judge/Resource", json!("arn:${Partition}:states:::lambda:invoke.sync"), "Judge waits"),
            ("/States/Judge/Arguments/FunctionName", Value::Null, "Judge waits 70 for null"),
        ],
    );
}

#[test]
fn what_writes_is_not_tried_again_beside_itself() {
    let [reading, writing] = retries();
    let waiting = json!([not_ready()]);
    check(
        |document| {
            let mut found = Vec::new();
            for (name, state) in states(document) {
                let Some(function) = function(state) else { continue };
                let expected = match text(&state["Resource"]) {
                    // A person was asked: after any other error it is not known what has become of the question.
                    ASK => &waiting,
                    _ if WRITING.contains(&function) => &writing,
                    _ => &reading,
                };
                if state["Retry"] != *expected {
                    found.push(format!("{name} is tried again otherwise than {function} may be"));
                }
            }
            found
        },
        &[
            ("/States/Wave/ItemProcessor/States/Deploy/Retry", reading.clone(), "Deploy is tried again"),
            (
                "/States/RollbackWave/ItemProcessor/States/Rollback/Retry",
                reading.clone(),
                "Rollback is tried again",
            ),
            (
                "/States/Wave/ItemProcessor/States/HealthTest/Retry",
                writing.clone(),
                "HealthTest is tried again",
            ),
            ("/States/Approve/Retry", writing.clone(), "Approve is tried again"),
            ("/States/Approve/Retry", Value::Null, "Approve is tried again"),
            ("/States/Judge/Retry/1/MaxAttempts", json!(6), "Judge is tried again"),
            ("/States/Judge/Retry", Value::Null, "Judge is tried again"),
        ],
    );
}

#[test]
fn whatever_fails_is_caught() {
    check(
        |document| {
            let mut found = Vec::new();
            for (name, state) in states(document) {
                let fallible = ["Task", "Map"].contains(&text(&state["Type"]));
                let catches_all =
                    list(&state["Catch"]).last().is_some_and(|c| c["ErrorEquals"] == json!(["States.ALL"]));
                if fallible != catches_all {
                    found.push(format!("{name} catches {}", state["Catch"]));
                }
            }
            found
        },
        &[
            ("/States/RollbackWave/Catch", Value::Null, "RollbackWave catches null"),
            ("/States/Judge/Catch/0/ErrorEquals", json!(["States.TaskFailed"]), "Judge catches"),
            ("/States/Wave/ItemProcessor/States/MoveFailed/Catch", json!([]), "MoveFailed catches []"),
        ],
    );
}

#[test]
fn all_errors_stand_alone_and_last() {
    check(
        |document| {
            let mut found = Vec::new();
            for (name, state) in states(document) {
                for rules in [&state["Retry"], &state["Catch"]].map(list) {
                    for (place, rule) in rules.iter().enumerate() {
                        let errors = list(&rule["ErrorEquals"]);
                        let last = place + 1 == rules.len() && errors.len() == 1;
                        if errors.is_empty() || errors.contains(&json!("States.ALL")) && !last {
                            found.push(format!("{name} mixes {}", rule["ErrorEquals"]));
                        }
                    }
                }
            }
            found
        },
        &[
            ("/States/Approve/Catch/0/ErrorEquals", json!(["States.ALL"]), "Approve mixes"),
            ("/States/Judge/Retry/1/ErrorEquals/0", json!("States.ALL"), "Judge mixes"),
            ("/States/Judge/Catch/0/ErrorEquals", json!([]), "Judge mixes []"),
        ],
    );
}

#[test]
fn there_are_two_ways_of_trying_a_function_again() {
    let [reading, writing] = retries();
    let errors = |retry: &Value| list(&retry[1]["ErrorEquals"]).to_vec();
    let mut more = errors(&writing);
    // After these the first call may still run: beside it, a second one would be a second writer.
    more.extend(
        ["Lambda.SdkClientException", "Lambda.ClientExecutionTimeoutException", "States.Timeout"]
            .map(Value::from),
    );
    assert_eq!(errors(&reading), more);

    let pace = json!({
        "IntervalSeconds": 2, "MaxAttempts": 5, "BackoffRate": 2, "MaxDelaySeconds": 30, "JitterStrategy": "FULL"
    });
    for mut retry in [reading, writing] {
        retry[1].as_object_mut().expect("a retry").remove("ErrorEquals");
        assert_eq!(retry, json!([not_ready(), pace]));
    }
}

/// Returns the first retrier of every call: Lambda has not begun to run the function, so writing ones may be called again.
///
/// A function that was idle for weeks is inactive, and takes minutes to become active.
fn not_ready() -> Value {
    json!({
        "ErrorEquals": [
            "Lambda.ResourceNotReadyException", "Lambda.ResourceConflictException", "Lambda.ENINotReadyException",
            "Lambda.EC2ThrottledException", "Lambda.CodeArtifactUserPendingException"
        ],
        "IntervalSeconds": 10, "MaxAttempts": 8, "BackoffRate": 1.5
    })
}

/// Returns how reading states try again, and how writing ones do.
fn retries() -> [Value; 2] {
    let document = crate::document::definition();
    let mut by_errors = BTreeMap::new();
    for (_, state) in states(&document).into_iter().filter(|(_, state)| function(state).is_some()) {
        let retry = &state["Retry"];
        let after_time_out = list(&retry[1]["ErrorEquals"]).contains(&json!("States.Timeout"));
        if text(&state["Resource"]) == CALL {
            by_errors.entry((!after_time_out, retry.to_string())).or_insert_with(|| retry.clone());
        }
    }
    assert_eq!(by_errors.len(), 2, "{by_errors:#?}");
    let mut retries = by_errors.into_values();
    [retries.next().expect("reading"), retries.next().expect("writing")]
}

/// Returns the logical id of the function that a state calls.
fn function(state: &Value) -> Option<&str> {
    state["Arguments"]["FunctionName"].as_str()?.strip_prefix("${")?.strip_suffix("Arn}")
}
