//! The states of an item of a map: what each does, and where it goes.

use pipeline::clock::Timestamp;
use serde_json::{Value, json};

use super::call::{Task, unknown};
use crate::functions::Function;

/// All of them, map by map; the first is where an item starts.
pub const STATES: [(&str, &[&str]); 3] = [
    (
        "Wave",
        &[
            "ReserveStart",
            "WaitForStart",
            "Retag",
            "Register",
            "PreTest",
            "IsImageFit",
            "Deploy",
            "IsSuperseded",
            "HealthTest",
            "HasVerdict",
            "Pause",
            "MoveFailed",
            "MoveDone",
        ],
    ),
    (
        "RollbackWave",
        &[
            "ReserveRollback",
            "IsRollbackNeeded",
            "WaitForRollback",
            "Rollback",
            "IsRollbackStarted",
            "RollbackTest",
            "HasRollbackVerdict",
            "RollbackPause",
            "RollbackFailed",
            "RollbackDone",
        ],
    ),
    (
        "RestoreTags",
        &[
            "ReserveTags",
            "WaitForTags",
            "RestoreTag",
            "AreTagsRestored",
            "RestoreTagFailed",
            "RestoreTagDone",
        ],
    ),
];

/// The variables of an item.
#[derive(Debug, Default)]
pub struct Variables {
    start_at: Option<Timestamp>,
    verdict: String,
    pause: i64,
    looks: Value,
    superseded: bool,
    started: bool,
    more: bool,
}

/// What a state does that calls no function.
#[derive(Debug, PartialEq)]
pub enum Step {
    /// It waits until then.
    Until(Option<Timestamp>, &'static str),
    /// It waits so many seconds.
    For(i64, &'static str),
    /// It goes on.
    Go(&'static str),
    /// It writes the item's error into this field of its row.
    Write(&'static str, &'static str),
    /// The item ends.
    End,
}

/// Returns what a state calls, if it calls a function.
pub fn task(state: &str, looks: &Value) -> Option<Task> {
    use Function::{Deploy, HealthTest, Retag, Rollback};
    let looks = looks.clone();
    let (function, keys, caught) = match state {
        "ReserveStart" => (Retag, json!({"do": "reserve"}), "MoveFailed"),
        "Retag" => (Retag, json!({"do": "move"}), "MoveFailed"),
        "Register" => (Deploy, json!({"do": "register"}), "MoveFailed"),
        "PreTest" => (HealthTest, json!({"phase": "before"}), "MoveFailed"),
        "Deploy" => (Deploy, json!({"do": "update"}), "MoveFailed"),
        "HealthTest" => (HealthTest, json!({"phase": "after", "looks": looks}), "MoveFailed"),
        "ReserveRollback" => (Rollback, json!({"do": "reserve"}), "RollbackFailed"),
        "Rollback" => (Rollback, json!({"do": "back"}), "RollbackFailed"),
        "RollbackTest" => (HealthTest, json!({"phase": "rollback", "looks": looks}), "RollbackFailed"),
        "ReserveTags" => (Retag, json!({"do": "reserve"}), "RestoreTagFailed"),
        "RestoreTag" => (Retag, json!({"do": "restore"}), "RestoreTagFailed"),
        _ => return None,
    };
    Some(Task { function, keys, caught })
}

impl Variables {
    /// Returns what the look before handed back.
    pub fn looks(&self) -> &Value {
        &self.looks
    }

    /// Assigns what a state keeps of its answer, and returns where it goes.
    pub fn keep(&mut self, state: &str, answer: &Value) -> &'static str {
        let has = |key: &str| answer.get(key).is_some();
        let start_at = || answer["startAt"].as_str().and_then(|text| Timestamp::parse(text).ok());
        match state {
            "ReserveStart" | "ReserveRollback" | "ReserveTags" => {
                self.start_at = start_at();
                match state {
                    "ReserveStart" => "WaitForStart",
                    "ReserveRollback" => "IsRollbackNeeded",
                    _ => "WaitForTags",
                }
            }
            "Retag" => "Register",
            "Register" => "PreTest",
            "PreTest" | "HealthTest" | "RollbackTest" => {
                self.verdict = answer["verdict"].as_str().unwrap_or_default().to_owned();
                (self.pause, self.looks) =
                    (answer["pauseSeconds"].as_i64().unwrap_or_default(), answer["looks"].clone());
                match state {
                    "PreTest" => "IsImageFit",
                    "HealthTest" => "HasVerdict",
                    _ => "HasRollbackVerdict",
                }
            }
            "Deploy" => {
                (self.superseded, self.looks) = (has("superseded"), json!({}));
                "IsSuperseded"
            }
            "Rollback" => {
                (self.started, self.looks) = (has("deployment"), json!({}));
                "IsRollbackStarted"
            }
            "RestoreTag" => {
                self.more = has("left");
                "AreTagsRestored"
            }
            _ => unknown(state),
        }
    }

    /// Plays a state that calls no function.
    pub fn step(&self, state: &str) -> Step {
        let either = |yes, then, otherwise| Step::Go(if yes { then } else { otherwise });
        match state {
            "WaitForStart" => Step::Until(self.start_at, "Retag"),
            "IsImageFit" => either(self.verdict == "Healthy", "Deploy", "MoveDone"),
            "IsSuperseded" => either(self.superseded, "MoveDone", "HealthTest"),
            "HasVerdict" => either(self.verdict == "Pending", "Pause", "MoveDone"),
            "Pause" => Step::For(self.pause, "HealthTest"),
            "MoveFailed" => Step::Write("failure", "MoveDone"),
            "IsRollbackNeeded" => either(self.start_at.is_some(), "WaitForRollback", "RollbackDone"),
            "WaitForRollback" => Step::Until(self.start_at, "Rollback"),
            "IsRollbackStarted" => either(self.started, "RollbackTest", "RollbackDone"),
            "HasRollbackVerdict" => either(self.verdict == "Pending", "RollbackPause", "RollbackDone"),
            "RollbackPause" => Step::For(self.pause, "RollbackTest"),
            "RollbackFailed" => Step::Write("undoFailure", "RollbackDone"),
            "WaitForTags" => Step::Until(self.start_at, "RestoreTag"),
            "AreTagsRestored" => either(self.more, "ReserveTags", "RestoreTagDone"),
            "RestoreTagFailed" => Step::Write("failure", "RestoreTagDone"),
            "MoveDone" | "RollbackDone" | "RestoreTagDone" => Step::End,
            _ => unknown(state),
        }
    }
}
