//! The rows of the ledger, and the words that they are written in.  One row per fact.

mod events;
mod finding;
mod moves;
mod order;
mod service;

pub use events::MoveEvent;
pub use finding::{Finding, FindingKind};
pub use moves::{Bundle, Failure, MoveRow, RestorePoint, Verdict};
pub use order::OrderKey;
pub use service::{Hold, How, ServiceRow, VerifiedImage, hold_key, order_key};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::aws::OPERATION_TIMEOUT;
use crate::clock::Timestamp;
use crate::document;
use crate::environment::Environment;
use crate::fate::Fate;
use crate::ids::{Digest, EnvironmentName, Registry, ReleaseId, Repository, ServiceName};

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

/// What a person answered to a release that waited for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// It goes on.
    Approved,
    /// It does not.
    Rejected,
}

/// The answer of a person, as it came through the pipeline's own request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// The answer.
    pub next: Reply,
    /// The run of the request.
    pub by: ReleaseId,
    /// When.
    pub since: Timestamp,
    /// The hash of the moves that it is about.
    pub asked: String,
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
    /// What a person answered last.
    #[serde(default)]
    pub answer: Option<Answer>,
    /// Their services.
    pub services: Vec<ServiceName>,
    /// What was found when it was opened, the gravest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
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
