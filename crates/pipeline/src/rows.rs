//! The rows of the ledger, and the words that they are written in.  One row per fact.

mod finding;
mod moves;
mod order;

pub use finding::{Finding, FindingKind};
pub use moves::{Bundle, Failure, MoveRow, RestorePoint, Verdict};
pub use order::OrderKey;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::aws::OPERATION_TIMEOUT;
use crate::clock::Timestamp;
use crate::environment::Environment;
use crate::fate::Fate;
use crate::ids::{Digest, EnvironmentName, Registry, ReleaseId, Repository, ServiceName, TaskDefinitionArn};

/// An image that a service ran, stable, and the task definition that ran it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Known {
    /// Where the image is.
    pub repository: Repository,
    /// What it is.
    pub digest: Digest,
    /// The commit that it was built from, if its label says so.
    #[serde(default)]
    pub commit: Option<String>,
    /// The revision that ran it.
    pub task_definition: TaskDefinitionArn,
    /// Since when it is known.
    pub since: Timestamp,
    /// The release that verified it; none for a baseline.
    pub release: Option<ReleaseId>,
}

/// `env#<environment>` / `service#<service>`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceRow {
    /// What completed its rollout and passed its live tests last.
    pub verified: Option<Known>,
    /// What was verified before it.
    pub previous: Option<Known>,
    /// The newest push that an accepted plan wanted here.
    pub order: Option<OrderKey>,
    /// What was rolled back from on request: no push brings it back.
    pub hold: Option<Hold>,
    /// The release that held it last.
    pub last: Option<ReleaseId>,
    /// How many seconds its last move took from its update to its verdict.
    #[serde(default)]
    pub seconds: Option<u32>,
}

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

/// An image that a service is kept from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hold {
    /// The image.
    pub digest: Digest,
    /// The release that rolled back from it.
    pub release: ReleaseId,
    /// Since when.
    pub since: Timestamp,
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

/// `env#<environment>` / `write#<repository>#<time>`: an environment tag that we are about to write.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WriteRow {
    /// The digest that the tag gets.
    pub digest: Digest,
    /// When.
    pub time: Timestamp,
    /// Seconds since 1970 after which the row may vanish.
    pub expires: i64,
}

impl WriteRow {
    /// How much the clocks of two machines may differ.
    const CLOCKS_DIFFER_SECONDS: i64 = 5;
    /// How long after the row's time the tag may be written: two calls lie in between, the row's own and ECR's.
    const WRITTEN_WITHIN_SECONDS: i64 = 2 * OPERATION_TIMEOUT.as_secs() as i64;

    /// Tells whether a push of that digest at that time is this very write.
    pub fn is_told_by(&self, digest: &Digest, time: Timestamp) -> bool {
        let from = self.time.plus_seconds(-Self::CLOCKS_DIFFER_SECONDS);
        let to = self.time.plus_seconds(Self::WRITTEN_WITHIN_SECONDS + Self::CLOCKS_DIFFER_SECONDS);
        self.digest == *digest && (from..=to).contains(&time)
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

/// How a release ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// Every move that was not superseded runs its digest, verified.
    Deployed,
    /// What was touched is back, and proven to be.
    RolledBack,
    /// It stopped without guessing.
    NeedsHuman,
    /// It was not let in.
    Refused,
    /// Somebody newer owns all its services.
    Superseded,
    /// A person said no.
    Rejected,
    /// It waited too long, for a lease or for an answer.
    Expired,
}

/// What is undone of a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Undo {
    /// Every touched move.
    All,
    /// The moves that are unhealthy.
    Failed,
}

/// `release#<id>` / `head`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HeadRow {
    /// Which environment it moves.
    pub environment: EnvironmentName,
    /// The environment's policy as it was read at the start.
    pub policy: Environment,
    /// What it wants, in the words of a request.
    pub request: serde_json::Value,
    /// Its place among the pushes.
    pub order: OrderKey,
    /// When it was opened.
    pub opened: Timestamp,
    /// Since when it waits for a lease that somebody else holds; none if it never had to.
    #[serde(default)]
    pub waits: Option<Timestamp>,
    /// The hash of the moves that it was accepted with.
    pub plan: String,
    /// The hash of the moves that a person was asked about last.
    #[serde(default)]
    pub asked: Option<String>,
    /// Their services.
    pub services: Vec<ServiceName>,
    /// What was found when it was opened, the gravest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// What is being undone; none while it goes forward.
    pub undo: Option<Undo>,
    /// How it ended; none while it is open.
    pub outcome: Option<Outcome>,
    /// How many moves had each fate; they sum up to all moves.
    #[serde(default)]
    pub fates: BTreeMap<Fate, u32>,
}

/// `release#<id>` / `plan#<service>`: what a person is asked to agree to; of the services that the head still names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanRow {
    /// The service.
    pub service: ServiceName,
    /// The repository of its image.
    pub repository: Repository,
    /// The digest that it goes back to; none if it was forced without one.
    pub from: Option<Digest>,
    /// The digest that it moves to.
    pub to: Digest,
    /// The commit that the image was built from, if its label says so.
    pub commit: Option<String>,
}

/// `env#<environment>` / `waiting#<release>`: a release that waits for a person.  The token is here alone.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WaitingRow {
    /// What answers the waiting state.
    pub token: String,
    /// Since when.
    pub since: Timestamp,
    /// The run that is about to answer it, or has.
    #[serde(default)]
    pub answered_by: Option<ReleaseId>,
}

/// `release#<id>` / `repo#<n>`: an environment tag that a release moves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RepositoryRow {
    /// The account that holds the repository.
    pub registry: Registry,
    /// The repository.
    pub repository: Repository,
    /// The tag.
    pub tag: String,
    /// What the ledger says the environment had; none if nothing is known.
    pub before: Option<Digest>,
}

/// `digest#<repository>@<digest>` / `env#<environment>`: what an image has shown somewhere.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EvidenceRow {
    /// That it was good.
    pub verified: Option<Evidence>,
    /// That it was bad, live.
    pub quarantine: Option<Quarantine>,
}

/// Proof that an image was good.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The release that verified it last.
    pub release: ReleaseId,
    /// When.
    pub since: Timestamp,
    /// The commit that it was built from, if its label says so.
    #[serde(default)]
    pub commit: Option<String>,
}

/// Proof that an image was bad.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quarantine {
    /// The release in which it failed.
    pub release: ReleaseId,
    /// When.
    pub since: Timestamp,
    /// How.
    pub reason: String,
}
