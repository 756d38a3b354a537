//! The machine of the releases: it is built, each of its states is reached, and damaged copies are refused.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use states::execution::Call;
use states::{Event, Machine, Random};

use crate::play::{Play, Reply, TAKES};

const WORDS: [(&str, &str); 9] = [
    ("Partition", "aws"),
    ("ReleaseFunctionArn", "release"),
    ("RetagFunctionArn", "retag"),
    ("DeployFunctionArn", "deploy"),
    ("HealthTestFunctionArn", "health-test"),
    ("RollbackFunctionArn", "rollback"),
    ("AlertFunctionArn", "alert"),
    ("LedgerTableName", "ledger"),
    ("UndeliveredQueueUrl", "undelivered"),
];

fn source() -> String {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../statemachine/release.asl.json");
    std::fs::read_to_string(file).expect("the definition")
}

fn machine() -> Machine {
    Machine::build(&source(), &WORDS).unwrap_or_else(|refused| panic!("{refused}"))
}

/// Draws one of some words.
fn one<'a>(random: &mut Random, words: &[&'a str]) -> &'a str {
    words[usize::try_from(random.below(words.len() as u64)).expect("a place")]
}

/// Answers with anything that a function could answer, now and then with an error.
fn anything(random: &mut Random, call: &Call) -> Reply {
    if random.below(12) == 0 {
        return Reply::Fails(one(random, &["Denied", "Unavailable", "States.Timeout", "Lambda.Unknown"]));
    }
    let next: &[&str] = match &*call.state {
        "OpenRelease" => &[
            "TakeLeases",
            "TakeLeases",
            "AskApproval",
            "Waiting",
            "Ignored",
            "Planned",
            "Answered",
            "Refused",
        ],
        "TakeLeases" => &["Wave", "Wave", "Waiting", "AskApproval", "Expired"],
        "Reach" => &["Reached", "Pending", "Unreachable"],
        _ => &["Bake", "NextWave", "Shift", "Undo", "Stop", "Close"],
    };
    let outcomes =
        ["Deployed", "RolledBack", "Refused", "Superseded", "Rejected", "Expired", "Answered", "NeedsHuman"];
    let mut answer = json!({
        "next": one(random, next), "outcome": one(random, &outcomes), "because": "so", "environment": "dev",
        "approvalMinutes": 5, "pauseSeconds": random.below(60), "waves": [2, 1], "wave": random.below(2),
        "repositories": 2, "concurrency": 2, "reach": random.below(2) == 0, "looks": {}, "runs": random.below(2) == 0,
        "verdict": one(random, &["Healthy", "Pending", "Unhealthy", "DarkHealthy", "DarkUnhealthy"]),
        "look": random.below(2) == 0, "step": one(random, &["move", "shift"]),
    });
    for (key, value) in
        [("startAt", "2026-11-23T10:30:00Z"), ("superseded", "x"), ("deployment", "d"), ("left", "1")]
    {
        if random.below(2) == 0
            || (key == "startAt" && call.state.starts_with("Reserve") && &*call.state != "ReserveRollback")
        {
            answer[key] = json!(value);
        }
    }
    Reply::Answers(answer)
}

#[test]
fn every_state_is_reached() {
    let machine = machine();
    let names: BTreeSet<String> =
        machine.names().iter().map(|name| name.rsplit('.').next().expect("a name").to_owned()).collect();
    assert!(names.len() > 60);
    let mut entered = BTreeSet::new();
    for seed in 0..2_000 {
        let mut random = Random::new(seed);
        let mut played = Play::start(&machine, json!({"environment": "dev"}), seed);
        let mut answered = 0;
        loop {
            let until = played.now - crate::play::START + 100_000;
            played.go_on_until(until, |call| anything(&mut random, call));
            let token = played
                .calls
                .iter()
                .skip(answered)
                .find_map(|call| call.arguments["Payload"]["token"].as_str());
            let token = token.filter(|token| played.execution.waits_for(token)).map(str::to_owned);
            answered = played.calls.len();
            let Some(token) = token else {
                if played.end() != Err("it runs".to_owned()) || played.calls.len() > 400 {
                    break;
                }
                played.now += 100_000;
                continue;
            };
            let next = one(&mut random, &["Approved", "Changed", "Rejected"]);
            played.tell(Event::TokenAnswered(token, json!({"next": next, "because": "a person said so"})));
        }
        entered.extend(played.entered().into_iter().map(str::to_owned));
    }
    let missed: Vec<&String> = names.difference(&entered).collect();
    assert_eq!(missed, [""; 0]);
}

/// Plays a release that goes back; `told` says what becomes of the calls that only tell how far it is.
fn going_back(told: impl Fn() -> Reply) -> Play {
    let mut played = Play::start(&machine(), json!({"environment": "dev"}), 1);
    played.go_on(|call| match &*call.state {
        "TellStarted" | "TellRollingBack" => told(),
        state => {
            let next = match state {
                "OpenRelease" => "TakeLeases",
                "TakeLeases" => "Wave",
                _ => "Undo",
            };
            Reply::Answers(json!({
                "next": next, "outcome": "RolledBack", "because": "so", "environment": "dev", "approvalMinutes": 5,
                "pauseSeconds": 0, "waves": [1], "wave": 0, "repositories": 1, "concurrency": 1, "reach": false,
                "looks": {}, "verdict": "Healthy", "look": false, "step": "move", "startAt": "2026-11-23T10:00:00Z",
            }))
        }
    });
    played
}

/// Returns how many milliseconds a state that only tells something has held a release up.
fn held_up(played: &Play, state: &str) -> i64 {
    let first = played.called(state)[0];
    let exited = played.records.iter().find(|record| {
        record.what == states::Happening::StateExited && record.state.as_deref() == Some(state)
    });
    exited.expect("it goes on").at - crate::play::START - first
}

#[test]
fn whatever_becomes_of_what_only_tells_something_the_release_goes_on_the_same() {
    // What each call is given, but for the moment that is told.
    let calls = |played: &Play| -> Vec<(String, Value)> {
        let others = played.calls.iter().filter(|call| !call.state.starts_with("Tell"));
        others.map(|call| (call.state.to_string(), call.arguments.clone())).collect()
    };
    let usual = going_back(|| Reply::Answers(json!("")));
    assert_eq!(usual.end(), Err("RolledBack: so".to_owned()));
    let entered = usual.entered();
    let after =
        |state: &str| entered[1 + entered.iter().position(|one| *one == state).expect("it is entered")];
    assert_eq!((after("TellStarted"), after("TellRollingBack")), ("Wave", "RollbackWave"));
    for error in
        ["Denied", "Lambda.TooManyRequestsException", "Lambda.ResourceNotReadyException", "States.Timeout"]
    {
        let played = going_back(|| Reply::Fails(error));
        assert_eq!((calls(&played), played.end()), (calls(&usual), usual.end()), "{error}");
        // What is bad stays in place meanwhile: the call is made once more, and not for minutes.
        assert!(held_up(&played, "TellRollingBack") <= 2_000 + 2 * TAKES, "{error}");
    }
    let silent = going_back(|| Reply::Never);
    assert_eq!((calls(&silent), silent.end()), (calls(&usual), usual.end()));
    assert!(held_up(&silent, "TellRollingBack") <= 82_000);
}

#[test]
fn damaged_copies_are_refused_by_name() {
    let of = |damage: &dyn Fn(&mut Value)| {
        let mut document: Value = serde_json::from_str(&source()).expect("JSON");
        damage(&mut document);
        Machine::build(&document.to_string(), &WORDS).expect_err("it is refused").to_string()
    };
    for (pointer, value, expected) in [
        ("/States/Bake/Type", json!("Nap"), "Bake: Type: \"Nap\" is not known here"),
        ("/States/Judge/Next", json!("WhatNow"), "Judge: Next: there is no state \"WhatNow\" here"),
        (
            "/States/Judge/Retry/1/MaxAttemps",
            json!(3),
            "Judge: Retry[1]: the field \"MaxAttemps\" is not known here, only ErrorEquals, IntervalSeconds, MaxAttempts, \
             BackoffRate, MaxDelaySeconds, JitterStrategy",
        ),
        (
            "/States/Wave/ItemProcessor/States/Deploy/Arguments/Payload",
            json!("{% $mergeAll($states.input) %}"),
            "Wave.Deploy: Arguments: the expression $mergeAll($states.input) is not known: the function $mergeAll is not \
             known here (at character 1)",
        ),
        (
            "/States/RollbackWave/ItemProcessor/States/Rollback/Catch/0/Next",
            json!("MoveFailed"),
            "RollbackWave.Rollback: Catch[0]: Next: there is no state \"MoveFailed\" here",
        ),
        (
            "/States/Alert/Resource",
            json!("arn:aws:states:::sns:publish"),
            "Alert: Resource: the integration arn:aws:states:::sns:publish is not known here",
        ),
        (
            "/States/Approve/Catch/0/ErrorEquals/0",
            json!("States.TimeOut"),
            "Approve: Catch[0]: ErrorEquals: \"States.TimeOut\" is no name of an error",
        ),
        ("/States/Judge/Arguments/FunctionName", json!("${JudgeArn}"), "nothing was given for ${JudgeArn}"),
    ] {
        let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
        let refused = of(&|document| {
            let parent = document.pointer_mut(parent).expect("a parent");
            match parent {
                Value::Array(items) => items[0] = value.clone(),
                fields => fields[key] = value.clone(),
            }
        });
        assert_eq!(refused, expected, "{pointer}");
    }
}
