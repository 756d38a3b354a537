//! What the function tells the state machine.
//!
//! Every answer has every key, because an expression of the machine that meets a missing one fails.

mod plan;

pub use plan::{Change, Plan, Planned, Untouched, Wave};

use pipeline::ids::{Digest, EnvironmentName, Repository, ServiceName};
use pipeline::payload::Step;
use pipeline::rows::MoveOutcome;
use pipeline::rows::{Finding, Outcome};
use pipeline::text::line;
use serde::Serialize;

/// Where an opened release goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Opening {
    /// Nothing to do.
    Ignored,
    /// The plan was all that was asked for.
    Planned,
    /// What was asked for is done, and was no release.
    Answered,
    /// So it is, and others have to hear of it.
    Alert,
    /// Somebody has to look at what was found.
    NeedsHuman,
    /// Not let in.
    Refused,
    /// Stopped before it had a plan.
    Rejected,
    /// An alarm rolls nothing back, and somebody has taken care of that already.
    Superseded,
    /// It is too early to say: ask again.
    Waiting,
    /// A person must agree first.
    AskApproval,
    /// On it goes.
    TakeLeases,
}

/// The answer of `open`.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Opened {
    /// The next state.
    pub next: Opening,
    /// How the run ends if it ends now.
    pub outcome: Opening,
    /// Why, in a sentence.
    pub because: String,
    /// The environment; empty if there is none.
    pub environment: String,
    /// How long an approval is waited for.
    pub approval_minutes: u32,
    /// How long to wait before asking again.
    pub pause_seconds: i64,
    /// What would move.
    #[serde(flatten)]
    pub plan: Plan,
    /// Which services could be moved at all, where that was the question.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<Managed>,
}

/// A service of an environment, and whether a release could move it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Managed {
    /// The service.
    pub service: ServiceName,
    /// The repository of its image.
    pub repository: Option<Repository>,
    /// What is in the way, if anything is.
    pub blocked: Option<String>,
}

/// How many moves an answer shows; the ledger has them all.
pub const SHOWN: usize = 100;

/// How many findings are told of a release that goes on; a plan shows more.
pub const TOLD: usize = 20;

/// How much of a sentence an answer holds: it may name every environment, and has to fit into a state.
const LONGEST_SENTENCE: usize = 4000;

impl Opened {
    /// Makes an answer that plans nothing.
    pub fn without_plan(next: Opening, environment: Option<&EnvironmentName>, because: String) -> Self {
        let environment = environment.map(ToString::to_string).unwrap_or_default();
        let outcome = if next == Opening::Alert { Opening::Answered } else { next };
        Opened {
            next,
            outcome,
            because: line(&because, LONGEST_SENTENCE),
            environment,
            approval_minutes: 0,
            pause_seconds: 0,
            plan: Plan::default(),
            services: Vec::new(),
        }
    }

    /// Answers a request that is carried out, and was none for a release; others have to hear of it.
    pub fn answered(environment: &EnvironmentName, because: String) -> Self {
        Opened::without_plan(Opening::Alert, Some(environment), because)
    }

    /// Refuses a request; one that only asks for a plan is answered with what would refuse it.
    pub fn refused(plans: bool, environment: Option<&EnvironmentName>, why: String) -> Self {
        if !plans {
            return Opened::without_plan(Opening::Refused, environment, why);
        }
        let because = format!("it would be refused: {why}");
        let plan = Plan { findings: vec![Finding::refuses(why)], ..Plan::default() };
        Opened { plan, ..Opened::without_plan(Opening::Planned, environment, because) }
    }
}

/// Where a release goes that asked for its leases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Leasing {
    /// All are held: go.
    Wave,
    /// One is held by somebody else: ask again.
    Waiting,
    /// The plan changed: a person must agree again.
    AskApproval,
    /// Not let in.
    Refused,
    /// Stopped, or not agreed to.
    Rejected,
    /// Somebody newer owns all services.
    Superseded,
    /// It waited too long.
    Expired,
}

/// The answer of `lease`.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Leased {
    /// The next state.
    pub next: Leasing,
    /// Why, in a sentence.
    pub because: String,
    /// How many moves each wave has.
    pub waves: Vec<u32>,
    /// How many repositories are tagged.
    pub repositories: u32,
    /// How many moves run at once.
    pub concurrency: u32,
    /// How long to wait before asking again.
    pub pause_seconds: i64,
    /// Whether it is asked first if the live tests can reach what they ask.
    pub reach: bool,
}

impl Leased {
    /// Makes an answer that holds nothing.
    pub fn nothing(next: Leasing, because: String, pause_seconds: i64) -> Self {
        Leased {
            next,
            because,
            waves: Vec::new(),
            repositories: 0,
            concurrency: 1,
            pause_seconds,
            reach: false,
        }
    }
}

/// Where a judged release goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Next {
    /// The next wave.
    NextWave,
    /// The traffic of the whole wave.
    Shift,
    /// Watch a little longer.
    Bake,
    /// Roll back what was touched.
    #[serde(rename = "Undo")]
    Rollback,
    /// All waves are done.
    Done,
    /// They are, and the release is closed.
    Closed,
    /// Stop where it is.
    Stop,
}

/// The answer of `judge`.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Judged {
    /// The next state.
    pub next: Next,
    /// Why, in a sentence.
    pub because: String,
    /// The wave that is next, or the last one to roll back.
    pub wave: u32,
    /// Which part of it.
    pub step: Step,
    /// How long to watch.
    pub pause_seconds: i64,
    /// Its story, where it is closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed: Option<Closed>,
}

impl Judged {
    /// Answers that a release is closed.
    pub fn closed(closed: Closed, wave: u32, step: Step) -> Self {
        let because = closed.because.clone();
        Judged { next: Next::Closed, because, wave, step, pause_seconds: 0, closed: Some(closed) }
    }
}

/// The answer of `close`: the story of the release.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Closed {
    /// How it ended.
    pub outcome: Outcome,
    /// Why, in a sentence.
    pub because: String,
    /// How many moves had each fate; they sum up to all moves.
    pub fates: std::collections::BTreeMap<MoveOutcome, u32>,
    /// What became of each move; at most [`SHOWN`] of them.
    pub moves: Vec<MoveSummary>,
}

/// What became of one move.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MoveSummary {
    /// The service.
    pub service: ServiceName,
    /// Its fate.
    pub fate: MoveOutcome,
    /// The digest that it had.
    pub from: Option<Digest>,
    /// The digest that it was to have.
    pub to: Digest,
    /// Why.
    pub reason: Option<String>,
}
