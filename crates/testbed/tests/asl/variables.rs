//! Variables: assigned before they are read, whichever way was taken.

use serde_json::{Value, json};

use crate::document::{Scope, check, exits, expressions, keys, scopes};

#[test]
fn every_variable_is_assigned_on_every_way_to_its_use() {
    check(
        |document| {
            let mut found = Vec::new();
            for scope in scopes(document) {
                for (name, assigned) in scope.assigned() {
                    let Some(state) = scope.states.get(name) else { continue };
                    let read = expressions(state).into_iter().flat_map(read_in);
                    let missing = read.filter(|variable| !assigned.contains(variable));
                    found.extend(missing.map(|variable| format!("{name} may not know ${variable}")));
                }
            }
            found
        },
        &[
            (
                "/States/OpenRelease/Catch/0/Assign/environment",
                Value::Null,
                "Alert may not know $environment",
            ),
            (
                "/States/OpenRelease/Assign/approvalMinutes",
                Value::Null,
                "Approve may not know $approvalMinutes",
            ),
            ("/States/TakeLeases/Assign/wave", Value::Null, "Wave may not know $wave"),
            (
                "/States/TakeLeases/Assign/pauseSeconds",
                Value::Null,
                "WaitForLeases may not know $pauseSeconds",
            ),
            ("/States/IsAccepted/Choices/0/Next", json!("Judge"), "Judge may not know $wave"),
            // New values count from the next state on.
            (
                "/States/TakeLeases/TimeoutSeconds",
                json!("{% $concurrency %}"),
                "TakeLeases may not know $concurrency",
            ),
            (
                "/States/OpenRelease/Catch/0/Next",
                json!("RestoreTags"),
                "RestoreTags may not know $repositories",
            ),
            (
                "/States/Wave/ItemProcessor/States/Register/Assign/looks",
                Value::Null,
                "PreTest may not know $looks",
            ),
            (
                "/States/Wave/ItemProcessor/States/ReserveStart/Catch/0/Next",
                json!("WaitForStart"),
                "WaitForStart may not know $startAt",
            ),
            (
                "/States/RollbackWave/ItemProcessor/StartAt",
                json!("RollbackTest"),
                "RollbackTest may not know $looks",
            ),
        ],
    );
}

#[test]
fn no_variable_is_assigned_for_nothing() {
    check(
        |document| {
            let mut found = Vec::new();
            for scope in scopes(document) {
                let read: Vec<_> = scope.states.values().flat_map(expressions).flat_map(read_in).collect();
                let unread = assigned_in(&scope).into_iter().filter(|variable| !read.contains(variable));
                found.extend(unread.map(|variable| format!("nobody reads ${variable}")));
            }
            found
        },
        &[
            (
                "/States/Judge/Assign/verdict",
                json!("{% $states.result.Payload.verdict %}"),
                "nobody reads $verdict",
            ),
            ("/States/Approve/TimeoutSeconds", json!(60), "nobody reads $approvalMinutes"),
        ],
    );
}

#[test]
fn the_reader_of_expressions_sees_variables_and_nothing_else() {
    assert_eq!(
        read_in("{% $merge([$states.input, {'$no': $looks}]) & $_b2.c + $.d + $$.e %}"),
        ["looks", "_b2"]
    );
}

/// Returns the names of the variables that an expression reads.
pub fn read_in(expression: &str) -> Vec<&str> {
    // Texts are in single quotes: every second piece.
    let code = expression.split('\'').step_by(2);
    let named = code.flat_map(|piece| piece.split('$').skip(1)).filter_map(|rest| {
        let end = rest.find(|each: char| each != '_' && !each.is_alphanumeric()).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        (!matches!(name, "" | "states") && !after.starts_with('(')).then_some(name)
    });
    named.collect()
}

/// Returns the names of the variables that a scope assigns anywhere.
pub fn assigned_in<'a>(scope: &Scope<'a>) -> Vec<&'a str> {
    let all = scope.states.values();
    let mut names: Vec<_> =
        all.flat_map(|s| exits(s).into_iter().flat_map(|exit| keys(exit.assigns))).collect();
    names.sort_unstable();
    names.dedup();
    names
}
