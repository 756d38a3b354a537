//! What the state machine asks for.

use pipeline::clock::Timestamp;
use pipeline::ids::ReleaseId;
use pipeline::payload::Step;
use serde::Deserialize;
use serde_json::Value;

/// What the state machine asks for.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "camelCase")]
pub enum Request {
    /// Decide what an execution's input means.
    Open(Open),
    /// Take the leases and write the moves.
    Lease(Run),
    /// Keep the token of the state that waits for an answer.
    Ask(Ask),
    /// Decide how the release goes on.
    Judge(Judge),
    /// Write the outcome.
    Close(Close),
}

/// One execution of the machine.
#[derive(Clone, Debug, Deserialize)]
pub struct Run {
    /// The release: the execution's name.
    pub release: ReleaseId,
    /// The execution's ARN.
    pub execution: String,
    /// The machine's ARN.
    #[serde(default)]
    pub machine: String,
    /// How often somebody had the execution go on after its end; nothing where that is not told.
    #[serde(default)]
    pub redrives: Option<u32>,
}

/// The payload of `open`.
#[derive(Debug, Deserialize)]
pub struct Open {
    /// The execution.
    #[serde(flatten)]
    pub run: Run,
    /// Its raw input.
    pub input: Value,
    /// When it was started: its place among the releases, however often it has to ask.
    #[serde(default)]
    pub started: Option<Timestamp>,
}

/// The payload of `ask`.
#[derive(Debug, Deserialize)]
pub struct Ask {
    /// The execution.
    #[serde(flatten)]
    pub run: Run,
    /// What answers the waiting state.
    pub token: String,
}

/// The payload of `judge`.
#[derive(Debug, Deserialize)]
pub struct Judge {
    /// The execution.
    #[serde(flatten)]
    pub run: Run,
    /// The wave that ended.
    pub wave: u32,
    /// Which part of it.
    #[serde(default)]
    pub step: Step,
}

/// The payload of `close`.
#[derive(Debug, Deserialize)]
pub struct Close {
    /// The execution.
    #[serde(flatten)]
    pub run: Run,
    /// How the release ended before its first wave, or by a fault; empty if the ledger knows.
    #[serde(default)]
    pub outcome: String,
    /// Why.
    #[serde(default)]
    pub because: String,
}
