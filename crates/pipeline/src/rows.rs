//! The rows of the ledger, and the words that they are written in.  One row per fact.

mod events;
mod moves;

pub use events::MoveEvent;
pub use moves::{Bundle, Failure, MoveRow, RestorePoint, Verdict};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::aws::OPERATION_TIMEOUT;
use crate::clock::Timestamp;
use crate::document;
use crate::environment::Environment;
use crate::fate::Fate;
use crate::ids::{Digest, EnvironmentName, Registry, ReleaseId, Repository, ServiceName, TaskDefinitionArn};

/// The order of two pushes: by the moment of the push, then by digest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OrderKey(String);

impl OrderKey {
    /// Makes the key; keys compare as text, in DynamoDB too.
    pub fn new(time: Timestamp, digest: Option<&Digest>) -> Self {
        OrderKey(format!("{:015}#{}", time.millis(), digest.map_or("", Digest::as_str)))
    }

    /// Returns the key as it is stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

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
    /// The release that held it last, and wrote a move of it.
    pub last: Option<ReleaseId>,
    /// The one that did before.
    #[serde(default)]
    pub last_before: Option<ReleaseId>,
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

impl LeaseRow {
    /// Tells whether a release holds it, under the very number that it was given.
    pub fn is_held_by(&self, release: &ReleaseId, fence: u64) -> bool {
        self.release.as_ref() == Some(release) && self.fence == fence
    }
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

/// The end of a release on request: nothing of it goes forward any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stop {
    /// The run of the request.
    pub by: ReleaseId,
    /// Why.
    pub because: String,
    /// Since when.
    pub since: Timestamp,
    /// Whether what it touched is rolled back.
    pub rollback: bool,
}

/// `release#<id>` / `head`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HeadRow {
    /// Which environment it moves.
    pub environment: EnvironmentName,
    /// The environment's policy as it was read at the start.
    #[serde(deserialize_with = "document::leniently")]
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
    /// What is being undone; none while it goes forward.
    pub undo: Option<Undo>,
    /// Who ended it early; none unless somebody did.
    #[serde(default)]
    pub stop: Option<Stop>,
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
    /// Why its tags did not go back, or not all of them.
    #[serde(default)]
    pub failure: Option<Failure>,
}

/// `env#<environment>` / `tag#<repository>`: which releases moved the environment's tag of a repository, and did
/// not put it back.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TagRow {
    /// Rises with every change.
    pub version: u64,
    /// These releases, the last one last.
    pub moves: Vec<TagMove>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TagMove {
    /// The release.
    pub release: ReleaseId,
    /// Its first service.
    pub service: ServiceName,
    /// What the tag named then.
    pub digest: Digest,
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_event_of_our_own_tag_is_known_as_late_as_the_write_may_come() {
        let digest = Digest::parse(format!("sha256:{}", "a".repeat(64))).unwrap();
        let other = Digest::parse(format!("sha256:{}", "b".repeat(64))).unwrap();
        let time = Timestamp::from_millis(1_000_000);
        let write = WriteRow { digest: digest.clone(), time, expires: 0 };
        for (after, expected) in [(-6, false), (-2, true), (0, true), (16, true), (30, true), (36, false)] {
            assert_eq!(write.is_told_by(&digest, time.plus_seconds(after)), expected, "{after}");
        }
        assert!(!write.is_told_by(&other, time));
    }

    #[test]
    fn a_head_of_a_later_version_is_read() {
        let policy = json!({"cluster": "dev", "tag": "dev", "bakeSeconds": 5, "newInALaterVersion": true});
        let head = json!({
            "environment": "dev", "policy": policy, "request": {}, "order": "1#", "opened": "2026-11-23T10:00:00Z",
            "plan": "", "services": [], "undo": null, "outcome": null, "newInALaterVersion": {"a": 1}
        });
        let head: HeadRow = serde_json::from_value(head).unwrap();
        assert_eq!((head.policy.cluster.as_str(), head.policy.bake_seconds), ("dev", 5));
    }
}
