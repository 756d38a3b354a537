//! Choices, waits, assignments, outputs and ends.

use serde_json::{Value, json};

use crate::play::{Reply, START, machine, play, task};

fn never(_: &states::execution::Call) -> Reply {
    Reply::Never
}

/// Plays one state that ends, or goes to `Last`, and returns how it ends.
fn one(state: Value, input: Value) -> Result<Value, String> {
    let states =
        json!({"One": state, "Last": {"Type": "Succeed"}, "Other": {"Type": "Fail", "Error": "Other"}});
    play(&machine("One", states), input, never).end().cloned()
}

#[test]
fn a_choice_takes_the_first_rule_that_holds() {
    let choice = json!({"Type": "Choice", "Choices": [
        {"Condition": "{% $states.input.n > 1 %}", "Output": "first", "Next": "Last"},
        {"Condition": "{% $states.input.n > 0 %}", "Output": "second", "Next": "Last"},
        {"Condition": "{% $states.input.other %}", "Next": "Other"},
    ], "Output": "default", "Default": "Last"});
    for (input, expected) in [
        (json!({"n": 2}), Ok(json!("first"))),
        (json!({"n": 1}), Ok(json!("second"))),
        (json!({"n": 0, "other": true}), Err("Other: -")),
        (json!({"n": 0, "other": false}), Ok(json!("default"))),
        (
            json!({"n": 0, "other": 1}),
            Err("States.QueryEvaluationError: the field Condition is 1, expected true or false"),
        ),
        (
            json!({"n": 0}),
            Err("States.QueryEvaluationError: the field Condition: $states.input.other yields nothing"),
        ),
    ] {
        assert_eq!(one(choice.clone(), input.clone()), expected.map_err(str::to_owned), "{input}");
    }
    let no_default = json!({"Type": "Choice", "Choices": [{"Condition": false, "Next": "Last"}]});
    let end = one(no_default, json!({})).unwrap_err();
    assert_eq!(end, "States.NoChoiceMatched: no rule holds, and there is no default");
}

#[test]
fn a_wait_ends_when_it_says() {
    for (field, value, expected) in [
        ("Seconds", json!(20), Ok(20_000)),
        ("Seconds", json!("{% $states.input %}"), Ok(7_000)),
        ("Seconds", json!(0), Ok(0)),
        ("Seconds", json!(-1), Err("the field Seconds is -1, expected seconds")),
        ("Seconds", json!(1.5), Err("the field Seconds is 1.5, expected seconds")),
        ("Seconds", json!("5"), Err("the field Seconds is \"5\", expected seconds")),
        ("Timestamp", json!("2026-11-23T10:00:12.5Z"), Ok(12_500)),
        ("Timestamp", json!("2026-11-23T09:00:00Z"), Ok(0)),
        (
            "Timestamp",
            json!("noon"),
            Err("the field Timestamp is \"noon\", expected a moment as in RFC 3339"),
        ),
    ] {
        let mut wait = json!({"Type": "Wait", "Next": "Last"});
        wait[field] = value.clone();
        let states = json!({"One": wait, "Last": {"Type": "Succeed"}});
        let played = play(&machine("One", states), json!(7), never);
        let end = played.end().map(|_| played.now - START);
        assert_eq!(end, expected.map_err(|why| format!("States.QueryEvaluationError: {why}")), "{value}");
    }
}

#[test]
fn what_a_state_keeps_is_computed_of_what_it_found() {
    let states = json!({
        "One": {"Type": "Pass", "Assign": {"a": 1, "b": 2}, "Output": {"x": "{% $states.input %}"}, "Next": "Two"},
        "Two": {"Type": "Pass", "Assign": {"a": "{% $b %}", "b": "{% $a %}"}, "Output": "{% [$a, $b, $states.input.x] %}",
                "Next": "Three"},
        "Three": {"Type": "Pass", "Output": "{% {'a': $a, 'b': $b, 'was': $states.input} %}", "End": true},
    });
    let played = play(&machine("One", states), json!("in"), never);
    assert_eq!(played.end(), Ok(&json!({"a": 2, "b": 1, "was": [1, 2, "in"]})));
    assert_eq!(one(json!({"Type": "Pass", "Next": "Last"}), json!([1])), Ok(json!([1])));
}

#[test]
fn the_context_says_what_runs() {
    let states = json!({"One": {"Type": "Pass", "End": true, "Output": {
        "id": "{% $states.context.Execution.Id %}", "name": "{% $states.context.Execution.Name %}",
        "input": "{% $states.context.Execution.Input.a %}", "started": "{% $states.context.Execution.StartTime %}",
        "redrives": "{% $states.context.Execution.RedriveCount %}", "machine": "{% $states.context.StateMachine.Id %}",
    }}});
    let played = play(&machine("One", states), json!({"a": 1}), never);
    let expected = json!({"id": "arn:aws:states:r:1:execution:m:run", "name": "run", "input": 1, "redrives": 0,
                          "started": "2026-11-23T10:00:00.000Z", "machine": "arn:aws:states:r:1:stateMachine:m"});
    assert_eq!(played.end(), Ok(&expected));
}

#[test]
fn a_fail_says_why() {
    for (fail, expected) in [
        (json!({"Type": "Fail", "Error": "Bad", "Cause": "{% 'it is ' & $states.input %}"}), "Bad: it is so"),
        (json!({"Type": "Fail"}), ": -"),
        (
            json!({"Type": "Fail", "Error": "Bad", "Cause": "{% $missing %}"}),
            "States.QueryEvaluationError: the field Cause: $missing yields nothing",
        ),
    ] {
        assert_eq!(one(fail, json!("so")), Err(expected.to_owned()));
    }
}

#[test]
fn nothing_is_no_value() {
    for (field, value, why) in [
        ("Output", json!("{% $missing %}"), "the field Output: $missing yields nothing"),
        (
            "Output",
            json!({"a": ["{% $states.input.b %}"]}),
            "the field Output: $states.input.b yields nothing",
        ),
        (
            "Assign",
            json!({"a": "{% 1 - 'x' %}"}),
            "the field Assign.a: 1 - 'x' fails: T2002: \"x\" is no number, and is calculated with",
        ),
    ] {
        let mut pass = json!({"Type": "Pass", "Next": "Last"});
        pass[field] = value;
        assert_eq!(one(pass, json!({})), Err(format!("States.QueryEvaluationError: {why}")));
    }
}

#[test]
fn what_is_too_large_ends_the_execution_unless_it_is_caught_by_name() {
    let large = "x".repeat(256 * 1024);
    let run = |catch: &str| {
        let states = json!({
            "One": task(json!({"Catch": [{"ErrorEquals": [catch], "Output": "caught", "Next": "Last"}], "Next": "Last"})),
            "Last": {"Type": "Succeed"},
        });
        let played = play(&machine("One", states), json!({}), |_| Reply::Answers(json!(large)));
        played.end().cloned()
    };
    assert_eq!(run("States.DataLimitExceeded"), Ok(json!("caught")));
    let end = run("States.ALL").unwrap_err();
    assert_eq!(end, "States.DataLimitExceeded: the result: 262158 bytes, of 262144 at most");
    let pass = json!({"Type": "Pass", "Output": "{% $states.input & $states.input %}", "Next": "Last"});
    assert!(
        one(pass, json!("x".repeat(200_000)))
            .unwrap_err()
            .starts_with("States.DataLimitExceeded: the output: ")
    );
    let pass =
        json!({"Type": "Pass", "Assign": {"a": "{% $states.input & $states.input %}"}, "Next": "Last"});
    assert!(one(pass, json!("x".repeat(200_000))).unwrap_err().starts_with("States.DataLimitExceeded: a: "));
}

#[test]
fn a_history_ends_with_its_25000th_event() {
    let states = json!({
        "One": {"Type": "Pass", "Next": "Two"},
        "Two": {"Type": "Pass", "Next": "One"},
    });
    let played = play(&machine("One", states), json!({}), never);
    let end = played.end().unwrap_err();
    assert_eq!(end, "States.Runtime: the execution reached the maximum number of history events (25000)");
    assert!((25_000..25_005).contains(&played.records.len()), "{}", played.records.len());
}

#[test]
fn a_history_has_as_many_events_as_that_of_aws() {
    let answer = |_: &_| Reply::Answers(json!({}));
    for (state, events) in [
        (task(json!({"End": true})), 5),
        (json!({"Type": "Pass", "End": true}), 2),
        (json!({"Type": "Wait", "Seconds": 1, "End": true}), 2),
        (json!({"Type": "Choice", "Choices": [{"Condition": true, "Next": "Last"}]}), 2 + 2),
        (json!({"Type": "Succeed"}), 2),
        (json!({"Type": "Fail"}), 1),
        (map(&json!({"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}), "Label"), 6),
        (map(&json!({"Mode": "INLINE"}), "Comment"), 4 + 2 * 2 + 2 * 2),
    ] {
        let states = json!({"One": state, "Last": {"Type": "Succeed"}});
        let played = play(&machine("One", states), json!({}), answer);
        let own = played.records.iter().filter(|record| record.execution.ends_with(":m:run"));
        assert_eq!(own.count(), events + 2, "{}", state["Type"]);
    }
}

fn map(config: &Value, more: &str) -> Value {
    let mut map = json!({"Type": "Map", "Items": [1, 2], "Output": {}, "End": true, "ItemProcessor": {
        "ProcessorConfig": config, "StartAt": "Inner", "States": {"Inner": {"Type": "Pass", "End": true}}}});
    map[more] = json!("Label");
    map
}
