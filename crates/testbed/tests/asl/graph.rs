//! Where the ways lead.

use serde_json::{Value, json};

use crate::document::{Scope, check, exits, scopes, states, text};

/// Whence alone a state is reached.  Together: what is no release ends at once, and everything else is told.
///
/// A refusal at the door is told without being closed; every other end passes CloseRelease, or is closed by Judge, and then
/// Alert.
///
/// What live tests will ask is reached before the first wave, and never by a rollback, which TakeLeases tells apart.
/// That it has started is told once, before its first wave, and that it goes back before the first wave that does.
/// Tags go back after a rollback, and where a release stops: moves that failed may have left theirs.
const BEFORE: [(&str, &[&str]); 20] = [
    ("IsAccepted", &["OpenRelease"]),
    ("Reach", &["HasLeases", "WaitToReach"]),
    ("TellStarted", &["HasLeases", "IsReachable"]),
    ("Wave", &["TellStarted", "WhatNext"]),
    ("TellRollingBack", &["WhatNext"]),
    ("RollbackWave", &["IsRollbackComplete", "TellRollingBack"]),
    ("RestoreTags", &["IsRollbackComplete", "WhatNext"]),
    ("Ignored", &["IsAccepted"]),
    ("Planned", &["IsAccepted"]),
    ("Answered", &["IsAccepted", "WhichOutcome"]),
    ("Alert", &["CloseRelease", "IsAccepted", "WhatNext"]),
    ("Undelivered", &["Alert"]),
    ("WhichOutcome", &["Alert", "Undelivered"]),
    ("Deployed", &["WhichOutcome"]),
    ("RolledBack", &["WhichOutcome"]),
    ("NeedsHuman", &["WhichOutcome"]),
    ("Refused", &["WhichOutcome"]),
    ("Superseded", &["WhichOutcome"]),
    ("Rejected", &["WhichOutcome"]),
    ("Expired", &["WhichOutcome"]),
];

/// What bounds a loop: a Wait lets time pass until a deadline, a person is waited for, and the others count.
const BOUNDS: [&str; 3] = [
    "Approve",            // waits for an answer, as long as the environment says
    "IsRollbackComplete", // counts down to the first wave
    "Wave",               // runs once for each wave that TakeLeases counted
];

#[test]
fn every_way_leads_to_a_state_of_the_same_scope() {
    check(
        |document| {
            let mut found = Vec::new();
            for scope in scopes(document) {
                for name in scope.states.keys().map(String::as_str) {
                    let missing = scope.next(name).into_iter().filter(|to| !scope.states.contains_key(*to));
                    found.extend(missing.map(|to| format!("{name} leads to {to}, which is not there")));
                }
                if !scope.states.contains_key(scope.start_at) {
                    found.push(format!("{} is not there to start at", scope.start_at));
                }
            }
            found
        },
        &[
            ("/StartAt", json!("Retag"), "Retag is not there"),
            ("/States/Bake/Next", json!("Nowhere"), "Bake leads to Nowhere"),
            ("/States/WhichOutcome/Default", json!("MoveDone"), "WhichOutcome leads to MoveDone"),
            ("/States/WhatNext/Choices/0/Next", json!("Pause"), "WhatNext leads to Pause"),
            ("/States/Judge/Catch/0/Next", json!("MoveFailed"), "Judge leads to MoveFailed"),
            (
                "/States/Wave/ItemProcessor/States/WaitForStart/Next",
                json!("Judge"),
                "WaitForStart leads to Judge",
            ),
        ],
    );
}

#[test]
fn every_state_can_be_reached() {
    check(
        |document| {
            let unreached = |scope: &Scope| {
                let reached = scope.reached_from(scope.start_at, &[]);
                let names = scope.states.keys().map(String::as_str);
                let lost = names.filter(|name| *name != scope.start_at && !reached.contains(name));
                lost.map(|name| format!("nothing leads to {name}")).collect::<Vec<_>>()
            };
            scopes(document).iter().flat_map(unreached).collect()
        },
        &[
            ("/States/HasLeases/Choices/2/Next", json!("Wave"), "nothing leads to WaitForLeases"),
            (
                "/States/Wave/ItemProcessor/States/WhichStep/Default",
                json!("WaitForStart"),
                "nothing leads to ReserveStart",
            ),
        ],
    );
}

#[test]
fn every_state_goes_on_or_ends() {
    check(
        |document| {
            let mut found = Vec::new();
            for (name, state) in states(document) {
                let fields: Vec<_> = ["Next", "End", "Default"]
                    .into_iter()
                    .filter(|field| state.get(field).is_some())
                    .collect();
                let right = match text(&state["Type"]) {
                    "Succeed" | "Fail" => fields.is_empty(),
                    "Choice" => fields == ["Default"],
                    _ => fields == ["Next"] || fields == ["End"] && state["End"] == true,
                };
                if !right {
                    found.push(format!("{name} goes on by {fields:?}"));
                }
            }
            found
        },
        &[
            ("/States/Bake/Next", Value::Null, "Bake goes on by []"),
            ("/States/Bake/End", json!(true), r#"Bake goes on by ["Next", "End"]"#),
            ("/States/WhichOutcome/Default", Value::Null, "WhichOutcome goes on by []"),
            ("/States/Deployed/Next", json!("Bake"), r#"Deployed goes on by ["Next"]"#),
            (
                "/States/RollbackWave/ItemProcessor/States/RollbackDone/End",
                json!(false),
                "RollbackDone goes on by",
            ),
        ],
    );
}

#[test]
fn what_is_no_release_ends_at_once_and_every_other_end_is_told() {
    check(
        |document| {
            let scopes = scopes(document);
            let machine = &scopes[0];
            let mut found = Vec::new();
            for (name, expected) in BEFORE {
                let before = machine.before(name);
                if !before.iter().eq(expected) {
                    found.push(format!("{name} comes after {before:?}"));
                }
            }
            for (name, state) in machine.states {
                let is_end = exits(state).is_empty();
                if is_end && !BEFORE.iter().any(|(known, _)| known == name) {
                    found.push(format!("{name} is an end that nobody knows"));
                }
            }
            // What the door answers by name is let through; the refusal is what remains.
            if document["States"]["IsAccepted"]["Default"] != "Alert" {
                found.push("a refusal at the door is not told".to_owned());
            }
            found
        },
        &[
            (
                "/States/WhatNext/Choices/5/Next",
                json!("CloseRelease"),
                r#"Alert comes after {"CloseRelease", "IsAccepted"}"#,
            ),
            ("/States/OpenRelease/Catch/0/Next", json!("Alert"), "Alert comes after"),
            (
                "/States/RestoreTags/Next",
                json!("RolledBack"),
                r#"RolledBack comes after {"RestoreTags", "WhichOutcome"}"#,
            ),
            (
                "/States/HasLeases/Default",
                json!("Ignored"),
                r#"Ignored comes after {"HasLeases", "IsAccepted"}"#,
            ),
            (
                "/States/IsAccepted/Choices/5/Next",
                json!("Deployed"),
                r#"Answered comes after {"WhichOutcome"}"#,
            ),
            ("/States/WhatNext/Choices/4/Next", json!("CloseRelease"), "RestoreTags comes after"),
            ("/States/WhatNext/Choices/3/Next", json!("RollbackWave"), "TellRollingBack comes after {}"),
            ("/States/HasLeases/Choices/1/Next", json!("Wave"), r#"TellStarted comes after {"IsReachable"}"#),
            (
                "/States/WhatNext/Choices/1/Next",
                json!("TellStarted"),
                r#"TellStarted comes after {"HasLeases", "IsReachable", "WhatNext"}"#,
            ),
            ("/States/HasLeases/Choices/0/Next", json!("Wave"), r#"Reach comes after {"WaitToReach"}"#),
            ("/States/Alert/Catch/0/Next", json!("WhichOutcome"), "Undelivered comes after {}"),
            ("/States/IsAccepted/Default", json!("TakeLeases"), "a refusal at the door is not told"),
            ("/States/Done", json!({"Type": "Succeed"}), "Done is an end that nobody knows"),
        ],
    );
}

#[test]
fn every_loop_is_bounded() {
    check(
        |document| {
            let mut found = Vec::new();
            for scope in scopes(document) {
                let waits = scope.states.iter().filter(|(_, state)| state["Type"] == "Wait");
                let bounds: Vec<_> = BOUNDS.into_iter().chain(waits.map(|(name, _)| name.as_str())).collect();
                let others = scope.states.keys().map(String::as_str).filter(|name| !bounds.contains(name));
                let looping = others.filter(|name| scope.reached_from(name, &bounds).contains(name));
                found.extend(looping.map(|name| format!("{name} comes again and again")));
            }
            found
        },
        &[
            ("/States/WhatNext/Choices/0/Next", json!("Judge"), "Judge comes again"),
            ("/States/WaitForLeases/Type", json!("Pass"), "TakeLeases comes again"),
            (
                "/States/Wave/ItemProcessor/States/HasVerdict/Choices/0/Next",
                json!("HealthTest"),
                "HealthTest comes again",
            ),
            (
                "/States/RollbackWave/ItemProcessor/States/HasRollbackVerdict/Choices/0/Next",
                json!("RollbackTest"),
                "RollbackTest comes again",
            ),
        ],
    );
}

#[test]
fn what_cannot_be_reached_is_refused_before_anything_is_changed() {
    let answers = json!({
        "next": "{% $states.result.Payload.next %}",
        "outcome": "{% $states.result.Payload.next = 'Unreachable' ? 'Refused' : $states.result.Payload.next %}",
        "because": "{% $states.result.Payload.because %}",
        "pauseSeconds": "{% $number($states.result.Payload.pauseSeconds) %}",
        "reachLooks": "{% $states.result.Payload.looks %}"
    });
    let goes_on = json!([
        {"Condition": "{% $next = 'Reached' %}", "Next": "TellStarted"},
        {"Condition": "{% $next = 'Pending' %}", "Next": "WaitToReach"},
    ]);
    check(
        |document| {
            let (reach, choice) = (&document["States"]["Reach"], &document["States"]["IsReachable"]);
            let mut found = Vec::new();
            if reach["Assign"] != answers || reach["Arguments"]["Payload"]["looks"] != "{% $reachLooks %}" {
                found.push(format!("Reach keeps {}", reach["Assign"]));
            }
            if choice["Choices"] != goes_on || choice["Default"] != "CloseRelease" {
                found.push(format!("IsReachable goes by {}", choice["Choices"]));
            }
            if document["States"]["HasLeases"]["Choices"][0]["Condition"] != "{% $next = 'Wave' and $reach %}"
            {
                found.push("HasLeases does not ask whether there is anything to reach".to_owned());
            }
            found
        },
        &[
            ("/States/Reach/Assign/outcome", json!("{% $states.result.Payload.next %}"), "Reach keeps"),
            ("/States/Reach/Arguments/Payload/looks", Value::Null, "Reach keeps"),
            ("/States/IsReachable/Default", json!("Wave"), "IsReachable goes by"),
            ("/States/HasLeases/Choices/0/Condition", json!("{% $reach %}"), "HasLeases does not ask"),
        ],
    );
}

#[test]
fn the_rollback_counts_down_to_the_first_wave() {
    let expected = json!([
        {"Condition": "{% $wave > 0 %}", "Assign": {"wave": "{% $wave - 1 %}", "step": "move"}, "Next": "RollbackWave"},
    ]);
    check(
        |document| {
            let choices = &document["States"]["IsRollbackComplete"]["Choices"];
            if *choices == expected { vec![] } else { vec![choices.to_string()] }
        },
        &[
            ("/States/IsRollbackComplete/Choices/0/Condition", json!("{% $wave >= 0 %}"), ">= 0"),
            ("/States/IsRollbackComplete/Choices/0/Assign", Value::Null, "RollbackWave"),
        ],
    );
}
