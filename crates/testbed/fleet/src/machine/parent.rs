//! The states outside of the maps: what each calls, what it keeps, and where it goes.

use serde_json::{Value, json};

use super::call::{Task, merged, unknown};
use crate::functions::Function;

/// Those that are played.
pub const STATES: [&str; 28] = [
    "OpenRelease",
    "IsAccepted",
    "WaitToOpen",
    "TakeLeases",
    "HasLeases",
    "WaitForLeases",
    "Reach",
    "IsReachable",
    "WaitToReach",
    "Wave",
    "Judge",
    "WhatNext",
    "Bake",
    "RollbackWave",
    "IsRollbackComplete",
    "RestoreTags",
    "CloseRelease",
    "Alert",
    "WhichOutcome",
    "Deployed",
    "RolledBack",
    "NeedsHuman",
    "Refused",
    "Superseded",
    "Ignored",
    "Answered",
    "Rejected",
    "Expired",
];

/// Those that are not: nobody approves here, and nothing is delivered.
pub const NOT_PLAYED: [&str; 6] =
    ["AskApproval", "NotAsked", "Approve", "IsApproved", "Undelivered", "Planned"];

/// The variables of an execution.
#[derive(Debug, Default)]
pub struct Variables {
    /// When the execution started.
    pub started: String,
    /// What the last answer said.
    pub next: String,
    /// How it ends.
    pub outcome: String,
    /// Why.
    pub because: String,
    /// How many moves each wave has.
    pub waves: Vec<u64>,
    /// The wave.
    pub wave: u64,
    /// How many repositories there are.
    pub repositories: u64,
    /// How many items run at once.
    pub concurrency: u64,
    /// How many seconds the next pause takes.
    pub pause: i64,
    /// Whether it is asked first what the live tests reach.
    pub reach: bool,
    /// What the look before handed back about that.
    pub reach_looks: Value,
    /// What CloseRelease answered.
    pub closed: Value,
}

/// Tells whether an execution ends with a state.
pub fn is_end(state: &str) -> bool {
    const ENDS: [&str; 9] = [
        "Deployed",
        "RolledBack",
        "NeedsHuman",
        "Refused",
        "Superseded",
        "Ignored",
        "Answered",
        "Rejected",
        "Expired",
    ];
    ENDS.contains(&state)
}

impl Variables {
    /// Returns what a state calls, if it calls a function, and where it goes then.
    pub fn task(&self, state: &str, input: &Value) -> Option<(Task, &'static str)> {
        let (keys, next) = match state {
            "OpenRelease" => (json!({"do": "open", "input": input, "started": self.started}), "IsAccepted"),
            "TakeLeases" => (json!({"do": "lease"}), "HasLeases"),
            "Reach" => (json!({"phase": "reach", "looks": self.reach_looks}), "IsReachable"),
            "Judge" => (json!({"do": "judge", "wave": self.wave}), "WhatNext"),
            "CloseRelease" => {
                (json!({"do": "close", "outcome": self.outcome, "because": self.because}), "Alert")
            }
            _ => return None,
        };
        let function = if state == "Reach" { Function::HealthTest } else { Function::Release };
        let caught = if state == "CloseRelease" { "Alert" } else { "CloseRelease" };
        Some((Task { function, keys, caught }, next))
    }

    /// Assigns what a state keeps of its answer.
    pub fn keep(&mut self, state: &str, answer: &Value) {
        let text = |key: &str| answer[key].as_str().unwrap_or_default().to_owned();
        let number = |key: &str| answer[key].as_u64().unwrap_or_default();
        self.because = text("because");
        if state == "CloseRelease" {
            self.outcome = text("outcome");
            self.closed = answer.clone();
            return;
        }
        (self.next, self.outcome) = (text("next"), text("next"));
        self.pause = answer["pauseSeconds"].as_i64().unwrap_or_default();
        match state {
            "OpenRelease" => self.outcome = text("outcome"),
            "Reach" => {
                self.reach_looks = answer["looks"].clone();
                if self.next == "Unreachable" {
                    self.outcome = "Refused".to_owned();
                }
            }
            "TakeLeases" => {
                (self.reach, self.reach_looks) = (answer["reach"] == true, json!({}));
                let waves = answer["waves"].as_array().into_iter().flatten();
                (self.wave, self.waves) = (0, waves.filter_map(Value::as_u64).collect());
                (self.repositories, self.concurrency) = (number("repositories"), number("concurrency"));
            }
            "Judge" => {
                self.wave = number("wave");
                self.outcome.clear();
            }
            _ => {}
        }
    }

    /// Makes the items of a map.
    pub fn items(&self, map: &str, context: &Value) -> Vec<Value> {
        let moves = || self.waves.get(usize::try_from(self.wave).ok()?).copied();
        let item = |n| match map {
            "RestoreTags" => merged(context, json!({"repository": n})),
            _ => merged(context, json!({"wave": self.wave, "move": n})),
        };
        let count = if map == "RestoreTags" { self.repositories } else { moves().unwrap_or_default() };
        (0..count).map(item).collect()
    }

    /// Plays a state that neither calls nor waits for anything.
    pub fn go(&mut self, state: &str) -> &'static str {
        match (state, self.next.as_str()) {
            ("IsAccepted", "TakeLeases") => "TakeLeases",
            ("IsAccepted", "Waiting") => "WaitToOpen",
            ("IsAccepted", "Ignored") => "Ignored",
            ("IsAccepted", "Answered") => "Answered",
            ("IsAccepted", "Refused" | "Alert") => "Alert",
            ("WaitToOpen", _) => "OpenRelease",
            ("HasLeases", "Wave") if self.reach => "Reach",
            ("HasLeases", "Wave") | ("IsReachable", "Reached") => "Wave",
            ("HasLeases", "Waiting") => "WaitForLeases",
            ("WaitForLeases", _) => "TakeLeases",
            ("IsReachable", "Pending") => "WaitToReach",
            ("WaitToReach", _) => "Reach",
            ("Wave" | "Bake", _) => "Judge",
            ("WhatNext", "Bake") => "Bake",
            ("WhatNext", "NextWave") => "Wave",
            ("WhatNext", "Undo") => "RollbackWave",
            ("WhatNext", "Stop") => "RestoreTags",
            ("RollbackWave", _) => "IsRollbackComplete",
            ("IsRollbackComplete", _) if self.wave > 0 => {
                self.wave -= 1;
                "RollbackWave"
            }
            ("IsRollbackComplete", _) => "RestoreTags",
            ("HasLeases" | "IsReachable" | "WhatNext" | "RestoreTags", _) => "CloseRelease",
            ("Alert", _) => "WhichOutcome",
            ("WhichOutcome", _) => {
                let ends =
                    ["Deployed", "RolledBack", "Refused", "Superseded", "Rejected", "Expired", "Answered"];
                ends.into_iter().find(|end| *end == self.outcome).unwrap_or("NeedsHuman")
            }
            _ => unknown(state),
        }
    }
}
