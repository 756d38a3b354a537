//! Executions that are stopped, and that go on after their end.

use serde_json::{Value, json};
use states::{Event, Happening};

use crate::play::{Play, Reply, machine, task};

fn two_tasks() -> states::Machine {
    let two = json!({
        "TimeoutSeconds": 40, "Retry": [{"ErrorEquals": ["A"], "MaxAttempts": 1}], "End": true,
        "Output": "{% $n & $states.input & $states.context.Execution.RedriveCount %}"
    });
    machine(
        "One",
        json!({"One": task(json!({"Assign": {"n": 7}, "Output": "one", "Next": "Two"})), "Two": task(two)}),
    )
}

#[test]
fn what_was_stopped_does_nothing_more_and_goes_on_where_it_was() {
    let mut played = Play::start(&two_tasks(), json!({}), 1);
    played.go_on_until(
        1_500,
        |call| if &*call.state == "One" { Reply::Answers(json!({})) } else { Reply::Never },
    );
    let waiting = played.calls[1].ticket;
    played.tell(Event::Stop);
    assert_eq!(played.end(), Err("it was stopped".to_owned()));
    played.tell(Event::Answered(waiting, json!("late")));
    played.tell(Event::Stop);
    assert_eq!(played.end(), Err("it was stopped".to_owned()));
    played.tell(Event::Redrive);
    played.go_on(|_| Reply::Answers(json!({})));
    assert_eq!(played.end(), Ok(&json!("7one1")));
    assert_eq!(played.calls.len(), 3, "the first task was not called again");
    let of = |what: Happening| played.records.iter().filter(|record| record.what == what).count();
    assert_eq!((of(Happening::ExecutionAborted), of(Happening::ExecutionRedriven)), (1, 1));
}

#[test]
fn what_failed_tries_again_from_the_first() {
    let mut played = Play::start(&two_tasks(), json!({}), 1);
    played.go_on(|call| if &*call.state == "One" { Reply::Answers(json!({})) } else { Reply::Fails("A") });
    assert_eq!((played.end(), played.calls.len()), (Err("A: it said so".to_owned()), 3));
    played.tell(Event::Redrive);
    let mut failed = false;
    played.go_on(|_| match std::mem::replace(&mut failed, true) {
        false => Reply::Fails("A"),
        true => Reply::Answers(json!({})),
    });
    assert_eq!((played.end(), played.calls.len()), (Ok(&json!("7one1")), 5));
    played.tell(Event::Redrive);
    assert_eq!(played.end(), Ok(&json!("7one1")), "what succeeded does not go on");
}

#[test]
fn a_state_that_fails_fails_again() {
    let mut played =
        Play::start(&machine("One", json!({"One": {"Type": "Fail", "Error": "No"}})), json!({}), 1);
    played.tell(Event::Redrive);
    assert_eq!(played.end(), Err("No: -".to_owned()));
    assert_eq!(played.entered(), ["One", "One"]);
}

#[test]
fn a_map_goes_on_with_the_items_that_did_not_succeed() {
    let states = json!({
        "Each": {"Type": "Map", "Items": [0, 1, 2, 3], "MaxConcurrency": 2, "ToleratedFailurePercentage": 30,
            "Label": "Each", "Output": "done", "End": true,
            "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                "StartAt": "First", "States": {
                    "First": task(json!({"Output": "{% $states.input %}", "Next": "Second"})),
                    "Second": task(json!({"Arguments": {"FunctionName": "f", "Payload": "{% $states.input %}"}, "End": true}))}}},
    });
    let mut played = Play::start(&machine("Each", states), json!({}), 1);
    // Item 0 fails, 1 succeeds, 2 is in its second state, 3 has not started: there are two places.
    played.go_on_until(4_500, |call| match (&*call.state, call.arguments["Payload"].as_u64()) {
        ("Second", Some(0)) => Reply::Fails("Bad"),
        ("Second", Some(2 | 3)) => Reply::Never,
        _ => Reply::Answers(json!({})),
    });
    let before = played.calls.len();
    played.tell(Event::Stop);
    played.tell(Event::Redrive);
    // What failed before is not counted again.
    played.go_on(|call| match call.arguments["Payload"].as_u64() {
        Some(0) => Reply::Fails("Bad"),
        _ => Reply::Answers(json!({})),
    });
    assert_eq!(played.end(), Ok(&json!("done")));
    let again: Vec<(&str, &Value)> =
        played.calls[before..].iter().map(|call| (&*call.state, &call.arguments["Payload"])).collect();
    assert_eq!(again, [("Second", &json!(0)), ("Second", &json!(2)), ("Second", &json!(3))]);
}
