//! The rows of the ledger, and the words that they are written in.  One row per fact.

mod events;
mod finding;
mod guard;
mod images;
mod listed;
mod move_outcome;
mod moves;
mod order;
mod release;
mod run;
mod service;
mod sweep;
mod traffic;

pub use events::MoveEvent;
pub use finding::{Finding, FindingKind};
pub use guard::{GUARD_DECLINED, GuardRollbackRow, GuardRow};
pub use images::{Evidence, EvidenceRow, Quarantine, RepositoryRow, TagMove, TagRow, WriteRow};
pub use listed::{ListedRun, PUSH};
pub use move_outcome::{MoveOutcome, RollbackScope};
pub use moves::{Bundle, Failure, MoveRow, RestorePoint, Verdict};
pub use order::OrderKey;
pub use release::{Answer, HeadRow, Outcome, PlanRow, Reply, Stop, WaitingRow};
pub use run::{CallsFunction, HookStatus, RunAnswer, RunNetwork, RunRow, RunStarts, RunsTask};
pub use service::{Hold, How, ServiceRow, VerifiedImage, hold_key, holds_before_key, order_key};
pub use sweep::{BETWEEN_FINDINGS, FoundKind, FoundRow, PushRow, SETTLED, SWEEP_FOUND, SeenBy, SweepRow};
pub use traffic::{Answered, Gate, GateVerdict, Shift, Traffic};

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::ids::ReleaseId;

/// `revision#<arn>` / `json`: a revision of a task definition.  It never changes, and ECS may have lost it when it is
/// needed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RevisionRow {
    /// What ECS said of it.
    pub json: String,
}

/// `pack#<hash>` / `json`: the live tests of a service as they were when a release was let in.  It never changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PackRow {
    /// Their text.
    pub json: String,
}

/// `env#<environment>` / `frozen`: whether an environment lets releases in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FrozenRow {
    /// Whether it does not.
    pub frozen: bool,
    /// The release, or the run of the request, that said so.
    pub by: ReleaseId,
    /// Why.
    pub because: String,
    /// Since when.
    pub since: Timestamp,
    /// Whether a release did it by itself because it failed, and no person asked for it.
    #[serde(default)]
    pub automatic: bool,
}

/// `env#<environment>` / `lease#<service>`: who alone may write to a service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LeaseRow {
    /// The holder's execution; none while the lease is free.
    pub holder: Option<String>,
    /// The holder's release.
    pub release: Option<ReleaseId>,
    /// Rises with every holder, and is never taken back.
    pub fence: u64,
    /// When it was taken or freed.
    pub since: Timestamp,
}

impl LeaseRow {
    /// Tells whether a release holds it, under the very number that it was given.
    pub fn is_held_by(&self, release: &ReleaseId, fence: u64) -> bool {
        self.release.as_ref() == Some(release) && self.fence == fence
    }
}

/// `event#<id>`: the first execution that an event started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventRow {
    /// That execution.
    pub execution: String,
    /// Seconds since 1970 after which the row may vanish.
    pub expires: i64,
}
