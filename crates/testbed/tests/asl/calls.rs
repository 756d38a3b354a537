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
            ("/States/TellStarted/TimeoutSeconds", json!(35), "TellStarted waits 35"),
            ("/States/TellRollingBack/TimeoutSeconds", Value::Null, "TellRollingBack waits null"),
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
    let (waiting, brief) = (json!([not_ready()]), brief());
    check(
        |document| {
            let mut found = Vec::new();
            for (name, state) in states(document) {
                let Some(function) = function(state) else { continue };
                let expected = match text(&state["Resource"]) {
                    _ if is_urgent(state) => &brief,
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
            ("/States/TellStarted/Retry", brief.clone(), "TellStarted is tried again"),
            ("/States/TellRollingBack/Retry", reading.clone(), "TellRollingBack is tried again"),
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
fn what_only_tells_how_far_a_release_is_waits_for_nobody_and_changes_nothing() {
    let expected = [("TellStarted", "Started", "Wave"), ("TellRollingBack", "RollingBack", "RollbackWave")];
    check(
        |document| {
            let mut found = Vec::new();
            for (name, state) in states(document) {
                let tells = expected.iter().find(|(tells, ..)| *tells == name);
                if tells.is_some() != (state["Arguments"]["InvocationType"] == "Event") {
                    found.push(format!("{name} waits for what it calls, or does not"));
                }
                let Some((_, outcome, next)) = tells else { continue };
                let payload = &state["Arguments"]["Payload"];
                let said = (&payload["outcome"], &payload["at"], function(state));
                let (outcome, entered) = (json!(outcome), json!("{% $states.context.State.EnteredTime %}"));
                if said != (&outcome, &entered, Some("AlertFunction")) {
                    found.push(format!("{name} says {payload}"));
                }
                // Whatever becomes of it, the release goes on as if it had not been.
                let goes_on = json!([{"ErrorEquals": ["States.ALL"], "Output": {}, "Next": next}]);
                if state["Next"] != *next || state["Catch"] != goes_on || state.get("Assign").is_some() {
                    found.push(format!("{name} changes how the release goes on"));
                }
            }
            found
        },
        &[
            (
                "/States/TellStarted/Arguments/InvocationType",
                Value::Null,
                "TellStarted waits for what it calls",
            ),
            (
                "/States/TellRollingBack/Arguments/InvocationType",
                json!("RequestResponse"),
                "TellRollingBack waits",
            ),
            (
                "/States/Alert/Arguments/InvocationType",
                json!("Event"),
                "Alert waits for what it calls, or does not",
            ),
            ("/States/TellStarted/Arguments/Payload/at", Value::Null, "TellStarted says"),
            (
                "/States/TellRollingBack/Arguments/Payload/outcome",
                json!("RolledBack"),
                "TellRollingBack says",
            ),
            ("/States/TellStarted/Catch/0/Next", json!("CloseRelease"), "TellStarted changes"),
            ("/States/TellRollingBack/Next", json!("RestoreTags"), "TellRollingBack changes"),
            ("/States/TellRollingBack/Assign", json!({"wave": 0}), "TellRollingBack changes"),
            ("/States/TellStarted/Catch/0/Assign", json!({"outcome": "NeedsHuman"}), "TellStarted changes"),
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

/// Returns how a state tries again that tells something while what is bad is still in place: as reading ones, but once.
fn brief() -> Value {
    let [mut brief, _] = retries();
    for rule in brief.as_array_mut().expect("rules") {
        rule["IntervalSeconds"] = json!(2);
        rule["MaxAttempts"] = json!(1);
    }
    brief
}

/// Tells whether a rollback waits for a state that only tells of it.
fn is_urgent(state: &Value) -> bool {
    state["Next"] == "RollbackWave" && state["Arguments"]["InvocationType"] == "Event"
}

/// Returns how reading states try again, and how writing ones do.
fn retries() -> [Value; 2] {
    let document = crate::document::definition();
    let mut by_errors = BTreeMap::new();
    for (_, state) in states(&document).into_iter().filter(|(_, state)| function(state).is_some()) {
        let retry = &state["Retry"];
        let after_time_out = list(&retry[1]["ErrorEquals"]).contains(&json!("States.Timeout"));
        if text(&state["Resource"]) == CALL && !is_urgent(state) {
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
