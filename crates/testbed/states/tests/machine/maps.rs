//! Maps: how many items at once, what each sees, and what follows from their failures.

use serde_json::{Value, json};
use states::execution::Call;
use states::{Happening, Machine};

use crate::play::{Play, Reply, START, machine, play, task};

/// Makes a Map over the input whose items make one call each, with more fields.
fn of_map(distributed: bool, more: Value) -> Machine {
    let config = json!({"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"});
    let mut map = json!({
        "Type": "Map", "Items": "{% $states.input %}", "Next": "Done",
        "ItemProcessor": {"StartAt": "Inner", "States": {"Inner": task(json!({
            "Arguments": {"FunctionName": "f", "Payload": "{% $states.input %}"},
            "Output": "{% $states.result.Payload %}", "End": true}))}},
    });
    if distributed {
        map["ItemProcessor"]["ProcessorConfig"] = config;
        (map["Label"], map["Output"]) = (json!("Label"), json!("done"));
    }
    for (field, value) in more.as_object().expect("fields") {
        map[field] = value.clone();
    }
    machine("Each", json!({"Each": map, "Done": {"Type": "Succeed"}}))
}

fn echo(call: &Call) -> Reply {
    Reply::Answers(call.arguments["Payload"].clone())
}

/// Fails for the items that are to fail.
fn failing(of: &[u64]) -> impl Fn(&Call) -> Reply {
    move |call| match &call.arguments["Payload"] {
        item if item.as_u64().is_some_and(|item| of.contains(&item)) => Reply::Fails("Bad"),
        item => Reply::Answers(item.clone()),
    }
}

#[test]
fn so_many_items_run_at_once() {
    for (more, ends) in [
        (json!({"MaxConcurrency": 2}), 3_000),
        (json!({"MaxConcurrency": "{% 2 - 1 %}"}), 5_000),
        (json!({"MaxConcurrency": 0}), 1_000),
        (json!({}), 1_000),
    ] {
        for distributed in [false, true] {
            let played = play(&of_map(distributed, more.clone()), json!([1, 2, 3, 4, 5]), echo);
            let expected = if distributed { json!("done") } else { json!([1, 2, 3, 4, 5]) };
            assert_eq!((played.end(), played.now - START), (Ok(&expected), ends), "{more}");
        }
    }
}

#[test]
fn no_items_are_no_failure() {
    for distributed in [false, true] {
        let played = play(&of_map(distributed, json!({})), json!([]), echo);
        assert!(played.end().is_ok() && played.calls.is_empty());
        let end = play(&of_map(distributed, json!({})), json!({"no": "list"}), echo).end().unwrap_err();
        assert_eq!(end, "States.QueryEvaluationError: the field Items is {\"no\":\"list\"}, expected a list");
    }
}

#[test]
fn an_item_is_made_by_the_selector() {
    let selector = json!({"n": "{% $states.context.Map.Item.Index %}", "value": "{% $states.context.Map.Item.Value %}",
                          "run": "{% $states.context.Execution.Name %}"});
    for distributed in [false, true] {
        let played = play(&of_map(distributed, json!({"ItemSelector": selector})), json!(["a", "b"]), echo);
        let given: Vec<&Value> = played.calls.iter().map(|call| &call.arguments["Payload"]).collect();
        let item = |n: u64, value: &str| json!({"n": n, "value": value, "run": "run"});
        assert_eq!(given, [&item(0, "a"), &item(1, "b")]);
    }
}

#[test]
fn items_of_a_distributed_map_are_executions_of_their_own() {
    let inner = json!({"Type": "Pass", "End": true, "Assign": {"seen": "{% $exists($outer) %}"}, "Output": {
        "outer": "{% $exists($outer) %}", "id": "{% $states.context.Execution.Id %}",
        "input": "{% $states.context.Execution.Input %}"
    }});
    let run = |config: Value| {
        let mut map = json!({"Type": "Map", "Items": [5], "Next": "Done", "Output": "{% $states.result %}",
                             "ItemProcessor": {"ProcessorConfig": config, "StartAt": "Inner", "States": {"Inner": inner}}});
        if config["Mode"] == "DISTRIBUTED" {
            (map["Label"], map["Output"]) = (json!("Each"), json!({}));
        }
        let states = json!({"Before": {"Type": "Pass", "Assign": {"outer": 1}, "Next": "Each"}, "Each": map,
                            "Done": {"Type": "Succeed"}});
        play(&machine("Before", states), json!("in"), echo)
    };
    let played = run(json!({"Mode": "INLINE"}));
    let parent = "arn:aws:states:r:1:execution:m:run";
    assert_eq!(played.end(), Ok(&json!([{"outer": true, "id": parent, "input": "in"}])));
    assert!(played.records.iter().all(|record| &*record.execution == parent));
    assert_eq!(played.execution.variable("seen"), None, "an item assigns for itself");

    let played = run(json!({"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}));
    let child: Vec<String> = played
        .records
        .iter()
        .filter(|record| record.execution.starts_with("arn:aws:states:r:1:execution:m/Each:run-"))
        .map(|record| format!("{:?}", record.what))
        .collect();
    assert_eq!(child, ["ExecutionStarted", "StateEntered", "StateExited", "ExecutionSucceeded"]);
}

#[test]
fn more_failures_than_are_tolerated_end_a_distributed_map() {
    const EXCEEDED: Result<&str, &str> =
        Err("States.ExceedToleratedFailureThreshold: more items failed than the Map tolerates");
    for (tolerated, failed, expected) in [
        (json!({}), &[][..], Ok("done")),
        (json!({}), &[2], EXCEEDED),
        (json!({"ToleratedFailurePercentage": 25}), &[2], Ok("done")),
        (json!({"ToleratedFailurePercentage": 25}), &[2, 3], EXCEEDED),
        (json!({"ToleratedFailurePercentage": 100}), &[1, 2, 3, 4], Ok("done")),
    ] {
        let played = play(&of_map(true, tolerated.clone()), json!([1, 2, 3, 4]), failing(failed));
        let expected = expected.map(Value::from).map_err(str::to_owned);
        assert_eq!(played.end().cloned(), expected, "{tolerated} {failed:?}");
    }
}

#[test]
fn one_failure_ends_an_inline_map_with_its_own_error_and_all_others() {
    let machine =
        of_map(false, json!({"Catch": [{"ErrorEquals": ["Bad"], "Output": "caught", "Next": "Done"}]}));
    let mut played = Play::start(&machine, json!([1, 2, 3]), 1);
    played.go_on(|call| match call.arguments["Payload"].as_u64() {
        Some(2) => Reply::Fails("Bad"),
        _ => Reply::Never,
    });
    assert_eq!(played.end(), Ok(&json!("caught")));
    assert_eq!(played.now, START + 1_000);
    let first = played.calls[0].ticket;
    played.tell(states::Event::Answered(first, json!("late")));
    assert_eq!(played.end(), Ok(&json!("caught")));
}

#[test]
fn items_that_run_are_stopped_with_their_map() {
    let mut played = Play::start(&of_map(true, json!({})), json!([1, 2, 3]), 1);
    played.go_on(|call| match call.arguments["Payload"].as_u64() {
        Some(2) => Reply::Fails("Bad"),
        _ => Reply::Never,
    });
    let of = |what: Happening| played.records.iter().filter(|record| record.what == what).count();
    assert_eq!((of(Happening::ExecutionAborted), of(Happening::MapRunFailed)), (2, 1));
    assert!(played.end().unwrap_err().starts_with("States.ExceedToleratedFailureThreshold"));
}

#[test]
fn a_map_that_is_tried_again_makes_all_of_its_items_again() {
    let retry = json!({"Retry": [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 1}]});
    for distributed in [false, true] {
        let mut failed = false;
        let played = play(&of_map(distributed, retry.clone()), json!([1, 2]), |call| {
            let first = call.arguments["Payload"] == 2 && !std::mem::replace(&mut failed, true);
            if first { Reply::Fails("Bad") } else { echo(call) }
        });
        assert_eq!((played.end().is_ok(), played.called("Inner").len()), (true, 4));
    }
}
