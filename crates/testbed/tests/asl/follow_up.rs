//! The small machine that comes back to alerts.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use crate::document::{list, root, text};
use crate::template::timeouts;

fn states() -> serde_json::Map<String, Value> {
    let text = fs::read_to_string(root().join("statemachine/follow-up.asl.json")).expect("the definition");
    let document: Value = serde_json::from_str(&text).expect("JSON");
    assert!(
        document["TimeoutSeconds"].as_u64() > Some(28 * 3600),
        "it ends after what it follows is given up"
    );
    document["States"].as_object().expect("states").clone()
}

#[test]
fn nothing_that_it_calls_is_lost() {
    let release: Value =
        serde_json::from_str(include_str!("../../../../statemachine/release.asl.json")).expect("JSON");
    let states = states();
    for (name, state) in states.iter().filter(|(_, state)| state["Type"] == "Task") {
        let caught = &state["Catch"][0];
        assert_eq!(caught["ErrorEquals"], json!(["States.ALL"]), "{name}");
        let next = if name == "Look" { "Undelivered" } else { "GivenUp" };
        assert_eq!(text(&caught["Next"]), next);
        // What is tried again is what the other machine tries again.
        let alike =
            if name == "Look" { &release["States"]["Alert"] } else { &release["States"]["Undelivered"] };
        assert_eq!(list(&state["Retry"]).len(), list(&alike["Retry"]).len(), "{name}");
        let limit = state["TimeoutSeconds"].as_u64().expect("a time-out");
        assert!(limit > timeouts()["AlertFunction"] + 5, "{name}");
    }
    assert_eq!(states["Look"]["Output"], "{% $states.result.Payload %}");
    // It has all day for that.
    let [busy, broken] = list(&states["Look"]["Retry"]) else { panic!("two rules") };
    let [alike, others] = list(&release["States"]["Alert"]["Retry"]) else { panic!("two rules") };
    assert!(busy == alike && broken["ErrorEquals"] == others["ErrorEquals"]);
    assert!(broken["MaxAttempts"].as_u64() > others["MaxAttempts"].as_u64());
}

#[test]
fn it_waits_as_long_as_the_function_says_and_ends_when_that_says_nothing() {
    let states = states();
    assert_eq!(states["Until"]["Seconds"], "{% $number($states.input.seconds) %}");
    assert_eq!(
        states["More"]["Choices"],
        json!([{"Condition": "{% $exists($states.input.attempt) %}", "Next": "Until"}])
    );
    let ends: BTreeSet<&str> = states
        .iter()
        .filter(|(_, state)| ["Succeed", "Fail"].contains(&text(&state["Type"])))
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(ends, BTreeSet::from(["Done", "GivenUp"]));
}
