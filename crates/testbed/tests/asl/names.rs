//! The names that the definition shares with the functions and with the template.

use std::collections::BTreeSet;

use pipeline::Fault;
use serde_json::{Value, json};

use crate::document::{check, list, states, walk};
use crate::template::substitutions;

#[test]
fn the_faults_tried_again_are_those_that_the_functions_allow() {
    let expected: BTreeSet<_> = Fault::RETRIED.into_iter().collect();
    check(
        |document| {
            let rules =
                states(document).into_iter().flat_map(|(_, state)| [&state["Retry"], &state["Catch"]]);
            let errors =
                rules.flat_map(list).flat_map(|rule| list(&rule["ErrorEquals"])).filter_map(Value::as_str);
            let of_aws = |name: &str| {
                ["States.", "Lambda.", "Sandbox.", "Runtime.", "DynamoDb."]
                    .iter()
                    .any(|by| name.starts_with(by))
            };
            let ours: BTreeSet<_> = errors.filter(|name| !of_aws(name)).collect();
            ours.symmetric_difference(&expected).map(|name| format!("only one side knows {name}")).collect()
        },
        &[
            ("/States/Judge/Retry/1/ErrorEquals/0", json!("LeaseLost"), "only one side knows LeaseLost"),
            ("/States/Judge/Catch/0/ErrorEquals/0", json!("Denied"), "only one side knows Denied"),
        ],
    );
}

#[test]
fn a_fault_of_dynamodb_bears_the_name_that_step_functions_gives_it() {
    // Calls through the SDK put the SDK's name of the service in front; only the optimised ones say `DynamoDB`.
    check(
        |document| {
            let mut found = Vec::new();
            for (name, state) in states(document) {
                let rules = [&state["Retry"], &state["Catch"]].into_iter().flat_map(list);
                let errors = rules.flat_map(|rule| list(&rule["ErrorEquals"])).filter_map(Value::as_str);
                let calls = state["Resource"].as_str().is_some_and(|it| it.contains(":aws-sdk:dynamodb:"));
                let wrong = errors.filter(|error| {
                    let service = error.split('.').next().unwrap_or_default();
                    service.eq_ignore_ascii_case("dynamodb") && !(calls && service == "DynamoDb")
                });
                found.extend(wrong.map(|error| format!("{name} knows {error}")));
            }
            found
        },
        &[
            (
                "/States/Wave/ItemProcessor/States/MoveFailed/Retry/0/ErrorEquals/0",
                json!("DynamoDB.ConditionalCheckFailedException"),
                "MoveFailed knows DynamoDB.ConditionalCheckFailedException",
            ),
            ("/States/Judge/Retry/1/ErrorEquals/0", json!("DynamoDb.X"), "Judge knows DynamoDb.X"),
        ],
    );
}

#[test]
fn a_failed_end_bears_its_name_as_its_error() {
    check(
        |document| {
            let failed = states(document).into_iter().filter(|(_, state)| state["Type"] == "Fail");
            let other = failed.filter(|(name, state)| state["Error"] != *name || state["Cause"].is_null());
            other.map(|(name, state)| format!("{name} fails as {}", state["Error"])).collect()
        },
        &[
            ("/States/RolledBack/Error", json!("Undone"), r#"RolledBack fails as "Undone""#),
            ("/States/Refused/Cause", Value::Null, "Refused fails as"),
        ],
    );
}

#[test]
fn an_outcome_leads_to_the_end_that_bears_its_name() {
    check(
        |document| {
            let choices = list(&document["States"]["WhichOutcome"]["Choices"]);
            let other = choices.iter().filter(|choice| {
                let end = choice["Next"].as_str().unwrap_or_default();
                choice["Condition"] != format!("{{% $outcome = '{end}' %}}")
            });
            other.map(|choice| format!("{} leads to {}", choice["Condition"], choice["Next"])).collect()
        },
        &[(
            "/States/WhichOutcome/Choices/0/Next",
            json!("RolledBack"),
            r#"'Deployed' %}" leads to "RolledBack""#,
        )],
    );
}

#[test]
fn the_template_fills_exactly_the_gaps_of_the_definition() {
    let given = substitutions();
    check(
        |document| {
            let mut asked = BTreeSet::new();
            walk(document, &mut |_, value| {
                let gaps = value.as_str().into_iter().flat_map(|text| text.split("${").skip(1));
                asked.extend(gaps.map(|rest| rest.split('}').next().unwrap_or_default().to_owned()));
            });
            given.symmetric_difference(&asked).map(|name| format!("only one side knows {name}")).collect()
        },
        &[
            ("/States/Judge/Arguments/FunctionName", json!("${JudgeArn}"), "only one side knows JudgeArn"),
            ("/States", json!({}), "only one side knows RollbackFunctionArn"),
        ],
    );
}
