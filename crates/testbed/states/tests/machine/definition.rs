//! What is refused when a machine is built, and how that is said.

use serde_json::{Value, json};
use states::Machine;

use crate::play::task;

fn refused(start: &str, states: Value) -> String {
    let document = json!({"QueryLanguage": "JSONata", "StartAt": start, "States": states});
    Machine::build(&document.to_string(), &[]).expect_err("it is refused").to_string()
}

#[test]
fn a_state_is_refused_for_what_is_not_known_of_it() {
    let pass = json!({"Type": "Pass", "End": true});
    let with = |mut state: Value, field: &str, value: Value| {
        state[field] = value;
        state
    };
    for (state, expected) in [
        (json!({"Type": "Parallel"}), "One: Type: \"Parallel\" is not known here"),
        (json!({}), "One: Type: null is not known here"),
        (
            with(pass.clone(), "Otput", json!(1)),
            "One: the field \"Otput\" is not known here, only Type, Assign, Output, Next, End",
        ),
        (
            with(pass.clone(), "Next", json!("One")),
            "One: Next: expected either Next, or End with the value true",
        ),
        (json!({"Type": "Pass"}), "One: Next: expected either Next, or End with the value true"),
        (json!({"Type": "Pass", "Next": "Two"}), "One: Next: there is no state \"Two\" here"),
        (
            with(pass.clone(), "Output", json!("{% $upper('a') %}")),
            "One: Output: the expression $upper('a') is not known: the function $upper is not known here (at character 1)",
        ),
        (with(pass.clone(), "Output", json!("{% $a")), "One: Output: the expression {% $a has no end"),
        (
            with(pass.clone(), "Assign", json!({"a": ["{% $a.b[0] %}"]})),
            "One: Assign.a: the expression $a.b[0] is not known: the sign [ is not known in this place (at character 5)",
        ),
        (
            with(pass.clone(), "Output", json!("{% $states.result %}")),
            "One: Output: the expression $states.result reads $states.result, which is not known in this field",
        ),
        (
            with(pass.clone(), "Output", json!("{% $states.context.State.Name %}")),
            "One: Output: the expression $states.context.State.Name reads $states.context.State.Name, which is not known in this field",
        ),
        (
            with(pass, "Output", json!("{% $states %}")),
            "One: Output: the expression $states reads $states, which is not known in this field",
        ),
        (json!({"Type": "Choice", "Choices": []}), "One: Choices: expected a rule"),
        (
            json!({"Type": "Choice", "Choices": [{"Condition": true, "Next": "Two"}]}),
            "One: Choices[0]: Next: there is no state \"Two\" here",
        ),
        (
            json!({"Type": "Choice", "Choices": [{"Variable": "$.a", "Next": "One"}]}),
            "One: Choices[0]: the field \"Variable\" is not known here, only Condition, Assign, Output, Next",
        ),
        (
            json!({"Type": "Wait", "Seconds": 1, "Timestamp": "", "End": true}),
            "One: Seconds: expected either Seconds or Timestamp",
        ),
    ] {
        assert_eq!(refused("One", json!({"One": state})), expected, "{state}");
    }
    assert_eq!(
        refused("Two", json!({"One": {"Type": "Succeed"}})),
        "the machine: StartAt: there is no state \"Two\" here"
    );
}

#[test]
fn a_task_is_refused_for_what_is_not_known_of_it() {
    for (state, expected) in [
        (
            task(json!({"End": true, "Resource": "arn:aws:states:::ecs:runTask"})),
            "One: Resource: the integration arn:aws:states:::ecs:runTask is not known here",
        ),
        (
            task(json!({"End": true, "Arguments": {"FunctionName": "f", "Paylod": {}}})),
            "One: Arguments: the field \"Paylod\" is not known here, only FunctionName, InvocationType, Payload",
        ),
        (task(json!({"End": true, "Arguments": {}})), "One: Arguments: FunctionName: it is missing"),
        (
            task(json!({"End": true, "Arguments": {"FunctionName": "{% $states.context.Task.Token %}"}})),
            "One: Arguments: the expression $states.context.Task.Token reads $states.context.Task.Token, which is not known in this field",
        ),
        (
            task(json!({"End": true, "HeartbeatSeconds": 1})),
            "One: the field \"HeartbeatSeconds\" is not known here, only Type, Resource, Arguments, TimeoutSeconds, Retry, Catch, Assign, Output, Next, End",
        ),
        (
            task(json!({"End": true, "Retry": [{"ErrorEquals": ["States.Timout"]}]})),
            "One: Retry[0]: ErrorEquals: \"States.Timout\" is no name of an error",
        ),
        (
            task(json!({"End": true, "Retry": [{"ErrorEquals": ["States.ALL"]}, {"ErrorEquals": ["A"]}]})),
            "One: Retry[0]: ErrorEquals: States.ALL must stand alone, in the last rule",
        ),
        (
            task(json!({"End": true, "Retry": [{"ErrorEquals": ["A"], "JitterStrategy": "HALF"}]})),
            "One: Retry[0]: JitterStrategy: \"HALF\" is not known here",
        ),
        (
            task(json!({"End": true, "Retry": [{"ErrorEquals": ["A"], "BackoffRate": 0.5}]})),
            "One: Retry[0]: BackoffRate: expected a number from 1 on, not 0.5",
        ),
        (
            task(json!({"End": true, "Catch": [{"ErrorEquals": ["A"], "Next": "Two"}]})),
            "One: Catch[0]: Next: there is no state \"Two\" here",
        ),
        (
            task(
                json!({"End": true, "Catch": [{"ErrorEquals": ["A"], "Output": "{% $states.result %}", "Next": "One"}]}),
            ),
            "One: Catch[0]: Output: the expression $states.result reads $states.result, which is not known in this field",
        ),
    ] {
        assert_eq!(refused("One", json!({"One": state})), expected, "{state}");
    }
}

#[test]
fn a_map_is_refused_for_what_is_within_it() {
    let map = |config: Value, more: Value| {
        let mut map = json!({"Type": "Map", "Items": [], "End": true, "ItemProcessor": {
            "ProcessorConfig": config, "StartAt": "In", "States": {"In": {"Type": "Succeed"}}}});
        map.as_object_mut().expect("fields").extend(more.as_object().expect("fields").clone());
        map
    };
    let distributed = json!({"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"});
    for (map, expected) in [
        (
            map(json!({"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"}), json!({})),
            "One: ItemProcessor: ProcessorConfig: Mode: DISTRIBUTED with Some(\"EXPRESS\") is not known here",
        ),
        (map(distributed.clone(), json!({})), "One: Label: it is missing"),
        (
            map(distributed.clone(), json!({"Label": "L"})),
            "One: Output: the result of a distributed Map is not known here: do without it",
        ),
        (
            map(distributed.clone(), json!({"Label": "L", "Output": "{% $states.result %}"})),
            "One: Output: the result of a distributed Map is not known here: do without it",
        ),
        (
            map(json!({"Mode": "INLINE"}), json!({"ToleratedFailurePercentage": 5})),
            "One: Label: an inline Map has neither a label nor tolerated failures",
        ),
        (
            map(
                distributed.clone(),
                json!({"Label": "L", "Output": {}, "ItemProcessor": {
            "StartAt": "In", "States": {"In": {"Type": "Pass", "Next": "One"}}}}),
            ),
            "One: Label: an inline Map has neither a label nor tolerated failures",
        ),
        (
            map(
                distributed.clone(),
                json!({"Label": "L", "Output": {}, "ItemProcessor": {"ProcessorConfig": distributed,
            "StartAt": "In", "States": {"In": {"Type": "Pass", "Next": "One"}}}}),
            ),
            "One.In: Next: there is no state \"One\" here",
        ),
    ] {
        assert_eq!(refused("One", json!({"One": map})), expected);
    }
}

#[test]
fn words_are_filled_in_and_none_may_be_left() {
    let text = r#"{"QueryLanguage": "JSONata", "StartAt": "One", "States": {"One": {"Type": "Fail", "Cause": "${Why}"}}}"#;
    assert!(Machine::build(text, &[("Why", "a \"quoted\" reason")]).is_ok());
    let refused = |text: &str| Machine::build(text, &[]).expect_err("it is refused").to_string();
    assert_eq!(refused(text), "nothing was given for ${Why}");
    assert_eq!(refused("${Why"), "a word in ${...} has no end");
    assert!(refused("{").starts_with("the definition is no JSON: "));
    let other = text.replace("JSONata", "JSONPath").replace("${Why}", "");
    assert_eq!(refused(&other), "the machine: QueryLanguage: expected JSONata, not JSONPath");
}
