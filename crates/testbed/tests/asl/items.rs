//! The Maps, and what their items may see.
//!
//! The items of a distributed Map are executions of their own: they see neither the variables of the machine nor its
//! execution.  All that they need is in their input.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::document::{check, exits, expressions, scopes, states};
use crate::variables::{assigned_in, read_in};

#[test]
fn a_failed_item_never_fails_its_map() {
    check(
        |document| {
            let mut found = Vec::new();
            for (name, map) in states(document).into_iter().filter(|(_, state)| state["Type"] == "Map") {
                // Only a STANDARD item may wait longer than five minutes.
                let processor = json!({"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"});
                if map["ItemProcessor"]["ProcessorConfig"] != processor {
                    found.push(format!("{name} runs its items otherwise"));
                }
                if map["ToleratedFailurePercentage"] != 100 {
                    found.push(format!("{name} can fail by an item"));
                }
                // It becomes part of the items' ARNs.
                if map["Label"] != name || !name.chars().all(char::is_alphanumeric) || name.len() > 40 {
                    found.push(format!("{name} has another label"));
                }
                if map["Output"] != json!({}) {
                    found.push(format!("{name} hands on what its items say"));
                }
            }
            found
        },
        &[
            ("/States/Wave/ToleratedFailurePercentage", Value::Null, "Wave can fail"),
            ("/States/RollbackWave/ToleratedFailurePercentage", json!(50), "RollbackWave can fail"),
            (
                "/States/RollbackWave/ItemProcessor/ProcessorConfig",
                json!({"Mode": "INLINE"}),
                "RollbackWave runs its items",
            ),
            (
                "/States/Wave/ItemProcessor/ProcessorConfig/ExecutionType",
                json!("EXPRESS"),
                "Wave runs its items",
            ),
            ("/States/RollbackWave/Label", json!("Wave"), "RollbackWave has another label"),
            ("/States/RestoreTags/Output", Value::Null, "RestoreTags hands on"),
        ],
    );
}

#[test]
fn every_way_of_an_item_ends_with_nothing() {
    check(
        |document| {
            let mut found = Vec::new();
            for scope in scopes(document).iter().filter(|scope| scope.map.is_some()) {
                let ends =
                    scope.states.iter().filter(|(_, state)| state["End"] == true || exits(state).is_empty());
                let talking = ends.filter(|(_, state)| state["Output"] != json!({}));
                found.extend(talking.map(|(name, _)| format!("an item ends in {name} with a word")));
            }
            found
        },
        &[
            ("/States/Wave/ItemProcessor/States/MoveDone/Output", Value::Null, "MoveDone with a word"),
            (
                "/States/RestoreTags/ItemProcessor/States/RestoreTagDone/Output",
                json!("{% $states.input %}"),
                "RestoreTagDone with a word",
            ),
            ("/States/RollbackWave/ItemProcessor/States/Lost", json!({"Type": "Fail"}), "Lost with a word"),
        ],
    );
}

/// What may fail without a word, and where it goes on: the next poll looks again at what was not run, a move that failed
/// is told already, and the rollback asks once more for what was not given back.
const SEEN_TO_LATER: [(&str, &str); 4] =
    [("PreRun", "HasPreRun"), ("Run", "HasRun"), ("EndRuns", "MoveDone"), ("GiveBack", "HasLeftRuns")];

#[test]
fn why_an_item_failed_is_written_down_in_its_row() {
    let row = |sort: &str| {
        json!({
            "TableName": "${LedgerTableName}",
            "Key": {"pk": {"S": "{% 'release#' & $states.input.release %}"}, "sk": {"S": sort}},
            "UpdateExpression": "SET #failure = :failure",
            "ConditionExpression": "attribute_exists(pk)",
            "ExpressionAttributeValues": {
                ":failure": {
                    "M": {"error": {"S": "{% $states.input.error %}"}, "cause": {"S": "{% $states.input.cause %}"}}
                }
            }
        })
    };
    let a_move = "{% 'move#' & $string($states.input.wave) & '#' & $string($states.input.move) %}";
    let notes = [
        ("Wave", "MoveFailed", a_move, "failure"),
        ("RollbackWave", "RollbackFailed", a_move, "undoFailure"),
        ("RestoreTags", "RestoreTagFailed", "{% 'repo#' & $string($states.input.repository) %}", "failure"),
    ];
    check(
        |document| {
            let mut found = Vec::new();
            for (map, note, sort, field) in notes {
                let inner = &document["States"][map]["ItemProcessor"]["States"];
                let mut expected = row(sort);
                expected["ExpressionAttributeNames"] = json!({"#failure": field});
                if inner[note]["Arguments"] != expected {
                    found.push(format!("{note} writes {}", inner[note]["Arguments"]));
                }
                for (name, state) in inner.as_object().into_iter().flatten() {
                    let next = &state["Catch"][0]["Next"];
                    let again = SEEN_TO_LATER.iter().any(|(state, then)| name == state && next == then);
                    let lost = name != note && state["Type"] == "Task" && next != note && !again;
                    found.extend(lost.then(|| format!("{name} fails without a word")));
                }
            }
            found
        },
        &[
            (
                "/States/RestoreTags/ItemProcessor/States/RestoreTag/Catch/0/Next",
                json!("RestoreTagDone"),
                "RestoreTag fails without a word",
            ),
            (
                "/States/RollbackWave/ItemProcessor/States/RollbackFailed/Arguments/ExpressionAttributeNames/#failure",
                json!("failure"),
                "RollbackFailed writes",
            ),
            (
                "/States/RestoreTags/ItemProcessor/States/RestoreTagFailed/Arguments/ConditionExpression",
                Value::Null,
                "RestoreTagFailed writes",
            ),
        ],
    );
}

#[test]
fn an_item_sees_neither_the_variables_nor_the_execution_of_the_machine() {
    check(
        |document| {
            let scopes = scopes(document);
            let outer: BTreeSet<_> = assigned_in(&scopes[0]).into_iter().collect();
            let mut found = Vec::new();
            for scope in scopes.iter().filter(|scope| scope.map.is_some()) {
                let own = assigned_in(scope);
                for (name, state) in scope.states {
                    let strange = expressions(state).into_iter().flat_map(read_in);
                    let strange = strange.filter(|each| outer.contains(each) && !own.contains(each));
                    found.extend(strange.map(|each| format!("{name} asks for ${each} of the machine")));
                    for context in ["Execution", "StateMachine", "Map"] {
                        let path = format!("$states.context.{context}");
                        if expressions(state).iter().any(|each| each.contains(&path)) {
                            found.push(format!("{name} asks for its own {context}"));
                        }
                    }
                }
            }
            found
        },
        &[
            (
                "/States/Wave/ItemProcessor/States/Deploy/Arguments/Payload",
                json!("{% $merge([$states.input, {'wave': $wave}]) %}"),
                "Deploy asks for $wave of the machine",
            ),
            (
                "/States/RestoreTags/ItemProcessor/States/RestoreTag/Arguments/Payload",
                json!({"release": "{% $states.context.Execution.Name %}"}),
                "RestoreTag asks for its own Execution",
            ),
            (
                "/States/RollbackWave/ItemProcessor/States/Rollback/Arguments/Payload",
                json!({"machine": "{% $states.context.StateMachine.Id %}"}),
                "Rollback asks for its own StateMachine",
            ),
        ],
    );
}

#[test]
fn no_item_calls_a_variable_as_the_machine_does() {
    // AWS: a variable assigned in an inner scope cannot have the same name as one assigned in an outer scope.
    check(
        |document| {
            let scopes = scopes(document);
            let outer = assigned_in(&scopes[0]);
            let inner = scopes[1..]
                .iter()
                .flat_map(|scope| assigned_in(scope).into_iter().map(move |v| (scope.map, v)));
            let both = inner.filter(|(_, variable)| outer.contains(variable));
            both.map(|(map, variable)| format!("${variable} of {map:?} is the machine's")).collect()
        },
        &[
            (
                "/States/Wave/ItemProcessor/States/Deploy/Assign/next",
                json!("HealthTest"),
                r#"$next of Some("Wave") is the machine's"#,
            ),
            ("/States/Judge/Assign/verdict", json!("Healthy"), r#"$verdict of Some("RollbackWave")"#),
        ],
    );
}

#[test]
fn an_item_is_told_its_release_its_place_and_its_machine() {
    let context = |path: &str| json!(format!("{{% $states.context.{path} %}}"));
    check(
        |document| {
            let mut found = Vec::new();
            for (name, map) in states(document).into_iter().filter(|(_, state)| state["Type"] == "Map") {
                let ordinal = if name == "RestoreTags" { "repository" } else { "move" };
                let mut expected = json!({
                    "release": context("Execution.Name"),
                    "execution": context("Execution.Id"),
                    "machine": context("StateMachine.Id"),
                    ordinal: context("Map.Item.Value"),
                });
                if ordinal == "move" {
                    expected["wave"] = json!("{% $wave %}");
                }
                if name == "Wave" {
                    expected["step"] = json!("{% $step %}");
                }
                if map["ItemSelector"] != expected {
                    found.push(format!("{name} tells its items {}", map["ItemSelector"]));
                }
            }
            found
        },
        &[
            ("/States/Wave/ItemSelector/execution", Value::Null, "Wave tells"),
            ("/States/Wave/ItemSelector/step", json!("shift"), "Wave tells"),
            ("/States/RollbackWave/ItemSelector/wave", json!(0), "RollbackWave tells"),
            ("/States/RestoreTags/ItemSelector/repository", json!(0), "RestoreTags tells"),
        ],
    );
}
