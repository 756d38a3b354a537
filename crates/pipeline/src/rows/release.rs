//! The rows of a release: its head, what a person is asked, and what was answered.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::finding::Finding;
use super::move_outcome::{MoveOutcome, RollbackScope};
use super::order::OrderKey;
use crate::clock::Timestamp;
use crate::document;
use crate::environment::Environment;
use crate::ids::{Digest, EnvironmentName, ReleaseId, Repository, ServiceName};

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
    /// What is being rolled back; none while it goes forward.
    #[serde(rename = "undo")]
    pub rollback: Option<RollbackScope>,
    /// Who ended it early; none unless somebody did.
    #[serde(default)]
    pub stop: Option<Stop>,
    /// The last wave that may take production traffic, of a release whose waves take it together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shift_through: Option<u32>,
    /// The service that failed first of those that take their traffic together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<ServiceName>,
    /// How it ended; none while it is open.
    pub outcome: Option<Outcome>,
    /// How many moves had each fate; they sum up to all moves.
    #[serde(default)]
    pub fates: BTreeMap<MoveOutcome, u32>,
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

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
