//! How the definition is written.

use serde_json::{Value, json};

use crate::document::{check, definition, expressions, source, states, walk};

#[test]
fn every_expression_is_jsonata_and_says_so_once() {
    check(
        |document| {
            let mut languages = 0;
            walk(document, &mut |key, _| languages += usize::from(key == "QueryLanguage"));
            let right = document["QueryLanguage"] == "JSONata" && languages == 1;
            if right { vec![] } else { vec![format!("{languages} query languages")] }
        },
        &[
            ("/QueryLanguage", json!("JSONPath"), "1 query languages"),
            ("/States/Judge/QueryLanguage", json!("JSONata"), "2 query languages"),
            (
                "/States/Wave/ItemProcessor/States/WaitForStart/QueryLanguage",
                json!("JSONPath"),
                "2 query languages",
            ),
        ],
    );
}

#[test]
fn no_field_of_jsonpath_is_left() {
    let others = ["Parameters", "ResultSelector", "Result", "Variable"];
    check(
        |document| {
            let mut found = Vec::new();
            walk(document, &mut |key, _| {
                if others.contains(&key) || key.ends_with("Path") || key.ends_with(".$") {
                    found.push(format!("{key} is of JSONPath"));
                }
            });
            found
        },
        &[
            ("/States/Judge/Parameters", json!({}), "Parameters is of JSONPath"),
            ("/States/Wave/ItemsPath", json!("$.moves"), "ItemsPath is of JSONPath"),
            ("/States/Alert/Arguments/Payload/outcome.$", json!("$.outcome"), "outcome.$ is of JSONPath"),
            ("/States/WhichOutcome/Choices/0/Variable", json!("$.outcome"), "Variable is of JSONPath"),
        ],
    );
}

#[test]
fn an_expression_fills_its_whole_text() {
    check(
        |document| {
            let mut found = Vec::new();
            walk(document, &mut |_, value| {
                let Some(text) = value.as_str().filter(|text| text.contains("{%") || text.contains("%}"))
                else {
                    return;
                };
                let inner = text.strip_prefix("{% ").and_then(|rest| rest.strip_suffix(" %}"));
                // Texts within are in single quotes: the rules about variables rely on it.
                if inner.is_none_or(|inner| ["{%", "%}", "\""].iter().any(|mark| inner.contains(mark))) {
                    found.push(format!("not one whole expression: {text}"));
                }
            });
            found
        },
        &[
            ("/States/RolledBack/Cause", json!("because {% $because %}"), "because {% $because %}"),
            ("/States/RolledBack/Cause", json!("{% $because"), "{% $because"),
            ("/States/RolledBack/Cause", json!(r#"{% "$because" %}"#), "not one whole expression"),
        ],
    );
}

#[test]
fn every_state_name_is_unique_in_the_whole_file() {
    fn twice(source: &str) -> Vec<String> {
        let document = serde_json::from_str(source).expect("JSON");
        let names = states(&document).into_iter().map(|(name, _)| name.to_owned());
        // Of two states in one scope the parser keeps the second, so the text is asked.
        names.filter(|name| source.matches(&format!("\"{name}\": {{")).count() != 1).collect()
    }
    assert_eq!(twice(&source()), [""; 0]);
    for (name, instead) in [("Bake", "WhatNext"), ("MoveDone", "RollbackDone"), ("WaitForStart", "Bake")] {
        let damaged = source().replace(&format!("\"{name}\": {{"), &format!("\"{instead}\": {{"));
        assert!(twice(&damaged).contains(&instead.to_owned()), "{name} = {instead} was not found");
    }
}

#[test]
fn every_state_says_in_one_sentence_what_it_does() {
    check(
        |document| {
            let mut found = Vec::new();
            for (name, state) in states(document) {
                let comment = state["Comment"].as_str().unwrap_or_default();
                let sentence = comment.starts_with(char::is_uppercase)
                    && comment.strip_suffix('.').is_some_and(|sentence| !sentence.contains(['.', '\n']));
                if !sentence {
                    found.push(format!("{name} says: {comment:?}"));
                }
            }
            found
        },
        &[
            ("/States/Bake/Comment", Value::Null, "Bake says"),
            ("/States/Bake/Comment", json!("Waits. Then looks."), "Bake says"),
            ("/States/Wave/ItemProcessor/States/WaitForStart/Comment", json!("waits"), "WaitForStart says"),
        ],
    );
}

#[test]
fn a_choice_is_named_as_a_question_and_nothing_else_is() {
    let asks = |name: &str| {
        ["Are", "Has", "Is", "What", "Which"]
            .iter()
            .filter_map(|word| name.strip_prefix(word))
            .any(|rest| rest.starts_with(char::is_uppercase))
    };
    check(
        |document| {
            let states = states(document).into_iter();
            let other = states.filter(|(name, state)| asks(name) != (state["Type"] == "Choice"));
            other.map(|(name, state)| format!("{name} is a {}", state["Type"])).collect()
        },
        &[
            ("/States/IsLate", json!({"Type": "Pass"}), r#"IsLate is a "Pass""#),
            ("/States/Opened", json!({"Type": "Choice"}), r#"Opened is a "Choice""#),
            ("/States/Issue", json!({"Type": "Choice"}), r#"Issue is a "Choice""#),
        ],
    );
}

#[test]
fn no_comment_says_that_the_ledger_is_empty() {
    // Every end but a failed start has rows behind it: a claimed event, a plan, leases.
    check(
        |document| {
            let states = states(document).into_iter();
            let wrong =
                states.filter(|(_, state)| state["Comment"].to_string().contains("nothing was written"));
            wrong.map(|(name, _)| format!("{name} says that nothing was written")).collect()
        },
        &[("/States/Refused/Comment", json!("Not let in; nothing was written."), "Refused says")],
    );
}

#[test]
fn a_result_is_read_only_where_there_is_one() {
    check(
        |document| {
            let mut found = Vec::new();
            for (name, state) in states(document) {
                let reads = |within: &Value, what: &str| {
                    expressions(within).into_iter().filter(|each| each.contains(what)).count()
                };
                let caught = reads(&state["Catch"], "$states.errorOutput");
                let succeeded = ["Assign", "Output"].map(|field| reads(&state[field], "$states.result"));
                if caught != reads(state, "$states.errorOutput")
                    || succeeded.iter().sum::<usize>() != reads(state, "$states.result")
                {
                    found.push(format!("{name} reads what is not there"));
                }
            }
            found
        },
        &[
            ("/States/Judge/Catch/0/Assign/because", json!("{% $states.result %}"), "Judge reads"),
            ("/States/Judge/Assign/because", json!("{% $states.errorOutput.Cause %}"), "Judge reads"),
            ("/States/Judge/Arguments/Payload/wave", json!("{% $states.result %}"), "Judge reads"),
        ],
    );
}

#[test]
fn the_machine_itself_has_no_time_out() {
    let ends = |document: &Value| document.get("TimeoutSeconds").map(Value::to_string).into_iter().collect();
    check(ends, &[("/TimeoutSeconds", json!(3600), "3600")]);
}

#[test]
fn only_kinds_of_states_that_these_rules_know_are_used() {
    let known = ["Choice", "Fail", "Map", "Pass", "Succeed", "Task", "Wait"];
    let rule = |document: &Value| {
        let types = states(document).into_iter().map(|(_, state)| state["Type"].to_string());
        types.filter(|each| !known.contains(&each.trim_matches('"'))).collect()
    };
    check(rule, &[("/States/Bake/Type", json!("Parallel"), "Parallel")]);
    assert!(states(&definition()).len() > 40);
}
