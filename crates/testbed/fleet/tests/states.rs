//! What is played is what the state machine says.

#![expect(clippy::unwrap_used, reason = "this is how a test fails")]

use std::collections::BTreeSet;
use std::path::Path;

use fleet::machine::item::{self, Variables};
use fleet::machine::parent;
use serde_json::Value;

fn machine() -> Value {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../statemachine/release.asl.json");
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

fn names(states: &Value) -> BTreeSet<String> {
    states.as_object().unwrap().keys().cloned().collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(ToString::to_string).collect()
}

#[test]
fn all_states_are_known() {
    let machine = machine();
    let known: Vec<&str> = parent::STATES.into_iter().chain(parent::NOT_PLAYED).collect();
    assert_eq!(names(&machine["States"]), set(&known));
    for (map, states) in item::STATES {
        let processor = &machine["States"][map]["ItemProcessor"];
        assert_eq!(names(&processor["States"]), set(states), "{map}");
        assert_eq!(processor["StartAt"], states[0]);
    }
}

#[test]
fn items_call_the_same_functions_with_the_same_keys() {
    let machine = machine();
    for (map, states) in item::STATES {
        for name in states {
            let state = &machine["States"][map]["ItemProcessor"]["States"][name];
            let Some(task) = item::task(name, &Value::Null) else {
                assert_ne!(state["Resource"], "arn:${Partition}:states:::lambda:invoke", "{name}");
                continue;
            };
            let function = format!("${{{:?}FunctionArn}}", task.function);
            assert_eq!(state["Arguments"]["FunctionName"], function, "{name}");
            let payload = state["Arguments"]["Payload"].as_str().unwrap();
            for (key, value) in task.keys.as_object().unwrap() {
                let said = match value.as_str() {
                    Some(text) => format!("'{key}': '{text}'"),
                    None => format!("'{key}': ${key}"),
                };
                assert!(payload.contains(&said), "{name}: {payload} has no {said}");
            }
            assert_eq!(payload.matches("': ").count(), task.keys.as_object().unwrap().len(), "{name}");
            assert_eq!(state["Catch"][0]["Next"], task.caught, "{name}");
            assert_eq!(state["Next"], Variables::default().keep(name, &Value::Null), "{name}");
        }
    }
}

#[test]
fn the_parent_goes_where_the_machine_goes() {
    let machine = machine();
    for name in parent::STATES {
        let state = &machine["States"][name];
        match parent::Variables::default().task(name, &Value::Null) {
            Some((task, next)) => {
                let function = format!("${{{:?}FunctionArn}}", task.function);
                assert_eq!(state["Arguments"]["FunctionName"], function, "{name}");
                let payload = &state["Arguments"]["Payload"];
                assert_eq!(
                    (&payload["do"], &payload["phase"]),
                    (&task.keys["do"], &task.keys["phase"]),
                    "{name}"
                );
                let context = ["release", "execution", "machine"].map(str::to_owned);
                assert_eq!(names(payload), names(&task.keys).into_iter().chain(context).collect(), "{name}");
                assert_eq!((&state["Next"], &state["Catch"][0]["Next"]), (&next.into(), &task.caught.into()));
            }
            None if parent::is_end(name) => assert!(state.get("Next").is_none(), "{name}"),
            None if state["Type"] != "Choice" => {
                assert_eq!(state["Next"], parent::Variables::default().go(name), "{name}");
            }
            None => {}
        }
    }
}

#[test]
fn the_parent_chooses_as_the_machine_does() {
    let machine = machine();
    for name in ["IsAccepted", "HasLeases", "IsReachable", "WhatNext"] {
        for choice in machine["States"][name]["Choices"].as_array().unwrap() {
            let condition = choice["Condition"].as_str().unwrap();
            let next = condition.split('\'').nth(1).unwrap().to_owned();
            let reach = condition.contains("$reach");
            let to = choice["Next"].as_str().unwrap();
            if parent::STATES.contains(&to) {
                let mut variables = parent::Variables { next, reach, ..Default::default() };
                assert_eq!(variables.go(name), to, "{name}");
            }
        }
    }
}
