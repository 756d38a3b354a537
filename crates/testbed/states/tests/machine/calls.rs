//! Tasks: retries, catches, time-outs, tokens.

use serde_json::{Value, json};
use states::rules::Problem;
use states::{Event, Integration};

use crate::play::{Play, Reply, machine, play, task};

/// Makes a machine of one task, that tells how it ended.
fn of_task(more: Value) -> states::Machine {
    machine(
        "One",
        json!({"One": task(more), "Caught": {"Type": "Succeed"}, "Again": {"Type": "Pass", "Next": "One"}}),
    )
}

/// Answers with these errors one after the other, and then with `{}`.
fn errors(errors: &[&'static str]) -> impl FnMut(&states::execution::Call) -> Reply {
    let mut errors = errors.iter().copied();
    move |_| errors.next().map_or_else(|| Reply::Answers(json!({})), Reply::Fails)
}

#[test]
fn a_task_calls_with_its_arguments_and_keeps_of_the_result() {
    let states = json!({
        "One": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": true,
                "Arguments": {"FunctionName": "f", "Payload": "{% $merge([$states.input, {'do': 'it'}]) %}"},
                "Output": "{% $states.result.Payload.a %}"},
    });
    let played = play(&machine("One", states), json!({"n": 1}), |_| Reply::Answers(json!({"a": 5})));
    assert_eq!(played.end(), Ok(&json!(5)));
    let call = &played.calls[0];
    assert_eq!(call.arguments, json!({"FunctionName": "f", "Payload": {"n": 1, "do": "it"}}));
    assert_eq!((call.integration, call.attempt, &*call.state), (Integration::Invoke, 0, "One"));
}

#[test]
fn a_task_says_when_it_was_entered_however_often_it_is_tried() {
    let states = json!({
        "Before": {"Type": "Wait", "Seconds": 5, "Next": "One"},
        "One": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": true,
                "Arguments": {"FunctionName": "f", "InvocationType": "Event",
                              "Payload": {"at": "{% $states.context.State.EnteredTime %}"}},
                "Retry": [{"ErrorEquals": ["A"], "IntervalSeconds": 10}]},
    });
    let played = play(&machine("Before", states), json!({}), errors(&["A"]));
    let said: Vec<&Value> = played.calls.iter().map(|call| &call.arguments["Payload"]["at"]).collect();
    assert_eq!(said, ["2026-11-23T10:00:05.000Z"; 2]);
}

#[test]
fn the_first_rule_that_matches_tries_again_and_counts_for_itself() {
    let retry = json!([
        {"ErrorEquals": ["A"], "IntervalSeconds": 10, "MaxAttempts": 2, "BackoffRate": 1.5},
        {"ErrorEquals": ["B", "A"], "MaxAttempts": 1},
        {"ErrorEquals": ["C"], "MaxAttempts": 0},
        {"ErrorEquals": ["States.ALL"], "IntervalSeconds": 100, "MaxDelaySeconds": 150},
    ]);
    let machine = of_task(json!({"Retry": retry, "End": true}));
    for (script, calls, end) in [
        (&["A", "A"][..], &[0, 11_000, 27_000][..], Ok(())),
        (&["A", "A", "A"], &[0, 11_000, 27_000], Err("A")),
        (&["B", "A", "D"], &[0, 2_000, 13_000, 114_000], Ok(())),
        (&["B", "B"], &[0, 2_000], Err("B")),
        (&["C"], &[0], Err("C")),
        (&["D", "D", "D"], &[0, 101_000, 252_000, 403_000], Ok(())),
        (&["D", "D", "D", "D"], &[0, 101_000, 252_000, 403_000], Err("D")),
    ] {
        let played = play(&machine, json!({}), errors(script));
        assert_eq!(played.called("One"), calls, "{script:?}");
        let expected = end.map_err(|error| format!("{error}: it said so"));
        assert_eq!(played.end().map(|_| ()), expected, "{script:?}");
        let attempts: Vec<usize> = played.calls.iter().map(|call| call.attempt as usize).collect();
        assert_eq!(attempts, (0..calls.len()).collect::<Vec<_>>());
    }
}

#[test]
fn a_state_that_is_entered_again_tries_again_from_the_first() {
    let machine = of_task(json!({
        "Retry": [{"ErrorEquals": ["A"], "MaxAttempts": 1}],
        "Catch": [{"ErrorEquals": ["A"], "Next": "Again"}], "End": true
    }));
    let played = play(&machine, json!({}), errors(&["A", "A", "A", "A"]));
    assert_eq!(played.called("One"), [0, 2_000, 3_000, 5_000, 6_000]);
}

#[test]
fn jitter_is_drawn_from_the_seed() {
    let machine = of_task(json!({
        "Retry": [{"ErrorEquals": ["A"], "IntervalSeconds": 60, "MaxAttempts": 4, "JitterStrategy": "FULL"}], "End": true
    }));
    let calls = |seed| {
        let mut played = Play::start(&machine, json!({}), seed);
        played.go_on(errors(&["A", "A", "A", "A"]));
        played.called("One")
    };
    assert_eq!(calls(7), calls(7));
    assert_ne!(calls(7), calls(8));
    assert!(calls(7).windows(2).all(|pair| pair[1] - pair[0] <= 1_000 + 60_000 * 8));
}

#[test]
fn the_first_catch_that_matches_leads_on() {
    let machine = |catch: Value| of_task(json!({"Catch": catch, "Assign": {"kept": true}, "End": true}));
    let catch = json!([
        {"ErrorEquals": ["A"], "Next": "Caught"},
        {"ErrorEquals": ["B"], "Output": "{% $states.input.n & $states.errorOutput.Error & $states.errorOutput.Cause %}", "Next": "Caught"},
        {"ErrorEquals": ["States.TaskFailed"], "Assign": {"why": "{% $states.errorOutput.Error %}"}, "Output": {}, "Next": "Caught"},
        {"ErrorEquals": ["States.ALL"], "Output": "{% $missing %}", "Next": "Caught"},
    ]);
    for (error, expected) in [
        ("A", Ok(json!({"Error": "A", "Cause": "it said so"}))),
        ("B", Ok(json!("7Bit said so"))),
        ("C", Ok(json!({}))),
        ("States.Timeout", Err("States.QueryEvaluationError: the field Output: $missing yields nothing")),
        ("States.Runtime", Err("States.Runtime: it said so")),
        ("States.DataLimitExceeded", Err("States.DataLimitExceeded: it said so")),
    ] {
        let played = play(&machine(catch.clone()), json!({"n": 7}), errors(&[error]));
        assert_eq!(played.end().cloned(), expected.map_err(str::to_owned), "{error}");
        let why = played.execution.variable("why").cloned();
        assert_eq!(why, (error == "C").then(|| json!("C")));
        assert_eq!(played.execution.variable("kept"), None, "a Catch assigns only what it says");
    }
}

#[test]
fn what_cannot_be_computed_is_caught_as_any_error_of_a_task() {
    for (field, value, calls) in [
        ("Assign", json!({"a": "{% $states.result.Payload.a %}"}), 2),
        ("Output", json!("{% $states.result.Payload.a %}"), 2),
        ("Arguments", json!({"FunctionName": "f", "Payload": "{% $missing %}"}), 0),
        ("TimeoutSeconds", json!("{% $missing %}"), 0),
        ("TimeoutSeconds", json!("{% 0 %}"), 0),
    ] {
        let mut fields = json!({
            "Retry": [{"ErrorEquals": ["States.QueryEvaluationError"], "MaxAttempts": 1}],
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}], "End": true
        });
        fields[field] = value;
        let played = play(&of_task(fields), json!({}), errors(&[]));
        assert_eq!(played.end().expect("it is caught")["Error"], "States.QueryEvaluationError", "{field}");
        assert_eq!(played.calls.len(), calls, "{field}");
    }
}

#[test]
fn a_call_that_takes_too_long_is_given_up_and_its_answer_changes_nothing() {
    let machine = of_task(json!({
        "TimeoutSeconds": 40, "Retry": [{"ErrorEquals": ["States.Timeout"], "MaxAttempts": 1}],
        "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}], "End": true
    }));
    let played = play(&machine, json!({}), |_| Reply::Never);
    assert_eq!(played.called("One"), [0, 41_000]);
    // AWS gives no cause.
    assert_eq!(played.end(), Ok(&json!({"Error": "States.Timeout"})));

    let mut played = Play::start(&machine, json!({}), 1);
    played.go_on_until(41_500, |_| Reply::Never);
    let (first, second) = (played.calls[0].ticket, played.calls[1].ticket);
    played.tell(Event::Answered(first, json!({"Payload": "late"})));
    played.tell(Event::Failed(first, Problem::new("Late", "")));
    assert_eq!(played.end(), Err("it runs".to_owned()));
    played.tell(Event::Answered(second, json!("in time")));
    assert_eq!(played.end(), Ok(&json!("in time")));
}

#[test]
fn a_token_brings_the_result_and_the_answer_of_the_call_does_not() {
    let machine = machine(
        "One",
        json!({"One": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
            "Arguments": {"FunctionName": "f", "Payload": {"token": "{% $states.context.Task.Token %}"}},
            "TimeoutSeconds": 60, "End": true}}),
    );
    let asked = || {
        let mut played = Play::start(&machine, json!({}), 1);
        played.go_on_until(2_000, |_| Reply::Answers(json!("asked")));
        let token = played.calls[0].arguments["Payload"]["token"].as_str().expect("a token").to_owned();
        assert!(played.execution.waits_for(&token) && !played.execution.waits_for("other"));
        played.tell(Event::TokenAnswered("other".to_owned(), json!("no")));
        assert_eq!(played.end(), Err("it runs".to_owned()));
        (played, token)
    };
    let (mut played, token) = asked();
    played.tell(Event::TokenAnswered(token.clone(), json!("yes")));
    assert_eq!(played.end(), Ok(&json!("yes")));
    assert!(!played.execution.waits_for(&token));
    assert_eq!(played.records.len(), 2 + 6, "the hand-over is an event, too");

    let (mut played, token) = asked();
    played.tell(Event::TokenFailed(token, Problem::new("No", "not now")));
    assert_eq!(played.end(), Err("No: not now".to_owned()));

    let (mut played, token) = asked();
    played.go_on(|_| Reply::Never);
    played.tell(Event::TokenAnswered(token, json!("too late")));
    assert_eq!(played.end(), Err("States.Timeout: -".to_owned()));

    let played = play(&machine, json!({}), errors(&["Lambda.Unknown"]));
    assert_eq!(played.end(), Err("Lambda.Unknown: it said so".to_owned()));
}
