//! The row of a move: its plan, what happened to it, and its rollback.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::ids::{
    DeploymentId, Digest, EnvironmentName, PackHash, Registry, ReleaseId, Repository, ServiceName,
    TaskDefinitionArn,
};
use crate::image::RepositoryRef;
use crate::rows::{Answered, Gate, Traffic};

/// All that is needed to put a service back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RestorePoint {
    /// The image.
    pub digest: Digest,
    /// The revision that ran it.
    pub task_definition: TaskDefinitionArn,
    /// That revision as JSON, where the move is given whole, as sample events do; the ledger has a row of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_definition_json: Option<String>,
    /// The commit that the image was built from, if its label says so.
    #[serde(default)]
    pub commit: Option<String>,
    /// The release that verified it; none for a baseline.
    pub release: Option<ReleaseId>,
    /// What was verified before it: it keeps its keep-tag if the service goes back.
    #[serde(default)]
    pub before: Option<Digest>,
    /// The live tests that it passed when it was verified; none if it had none, or nobody kept them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pack: Option<PackHash>,
}

/// What one look at a rollout, or the whole of it, says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// Not decided yet.
    Pending,
    /// Our deployment is complete, runs our digest and passed its live tests.
    Healthy,
    /// It was seen to fail.
    Unhealthy,
    /// It could not be measured.
    Inconclusive,
    /// Somebody else deployed since.
    Superseded,
}

/// What failed tasks left behind: a few lines for whoever is on call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bundle {
    /// How tasks of our deployment stopped: reason and exit codes, a line for each kind of end.
    pub stopped: Vec<String>,
    /// The last lines that they logged.
    pub logs: Vec<String>,
    /// What live tests asked, expected and got.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tests: Vec<String>,
}

/// Why an item of a Map ended early; the state machine writes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// The name that Step Functions gave.
    pub error: String,
    /// The sentence that came with it.
    pub cause: String,
}

/// `release#<id>` / `move#<wave>#<n>`: one service of a release.
///
/// Read leniently: a later version may have written it.  A move in a sample is read with
/// [`document::read_strictly`](crate::document::read_strictly).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MoveRow {
    /// The environment.
    pub environment: EnvironmentName,
    /// The environment's tag.
    pub tag: String,
    /// The ECS cluster.
    pub cluster: String,
    /// The ECS service.
    pub service: ServiceName,
    /// The account that holds the repository.
    pub registry: Registry,
    /// The repository.
    pub repository: Repository,
    /// The ordinal of the repository's own row in the release.
    #[serde(default)]
    pub repository_row: u32,
    /// The digest that the service is to run.
    pub digest: Digest,
    /// The digests that the image's index names, if it is one: tasks may report either.
    #[serde(default)]
    pub children: Vec<Digest>,
    /// The containers whose image changes.
    pub containers: Vec<String>,
    /// The revision that the service ran when the lease was taken: the one that is copied.
    pub running: TaskDefinitionArn,
    /// The deployment in place when the lease was taken.
    pub replaces: DeploymentId,
    /// The restore point; none if it was forced without one.
    pub restore: Option<RestorePoint>,
    /// The lease's number.
    #[serde(default)]
    pub fence: u64,
    /// How long the rollout may take.
    pub health_timeout_seconds: u32,
    /// The commit that the image was built from, if its label says so.
    #[serde(default)]
    pub commit: Option<String>,
    /// When the image was built, if it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub built: Option<Timestamp>,
    /// Whether nothing may put it back by itself.
    #[serde(default)]
    pub forward_only: bool,
    /// The alarms that existed when the lease was taken: none of them may go red after it.
    #[serde(default)]
    pub alarms: Vec<String>,
    /// The live tests that it has to pass, as they were when the release was let in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pack: Option<PackHash>,
    /// When the lease was taken; absent from rows of older versions, whose alarms were all quiet then.
    #[serde(default)]
    pub leased: Option<Timestamp>,

    /// When its first step began.
    #[serde(default)]
    pub started: Option<Timestamp>,
    /// The revision registered for it.
    #[serde(default)]
    pub registered: Option<TaskDefinitionArn>,
    /// When UpdateService was about to be called.
    #[serde(default)]
    pub touched: Option<Timestamp>,
    /// Our deployment.
    #[serde(default)]
    pub deployment: Option<DeploymentId>,
    /// What was decided about it.
    #[serde(default)]
    pub verdict: Option<Verdict>,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
    /// When.
    #[serde(default)]
    pub decided: Option<Timestamp>,
    /// The alarm that decided it, after it was healthy: others may share it, so it says little of the image.
    #[serde(default)]
    pub alarm: Option<String>,
    /// What its tasks left behind, if they failed.
    #[serde(default)]
    pub bundle: Option<Bundle>,
    /// Why its item ended early.
    #[serde(default)]
    pub failure: Option<Failure>,
    /// The revision registered to put it back, where the restore point's own would not do.
    #[serde(default, rename = "undoRevision")]
    pub rollback_revision: Option<TaskDefinitionArn>,
    /// The deployment that put it back.
    #[serde(default, rename = "undo")]
    pub rollback_deployment: Option<DeploymentId>,
    /// When that was asked for.
    #[serde(default, rename = "undoStarted")]
    pub rollback_started: Option<Timestamp>,
    /// Whether ECS had put it back already, so that this deployment is ECS's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolled_back_by_ecs: Option<bool>,
    /// What was decided about that.
    #[serde(default, rename = "undoVerdict")]
    pub rollback_verdict: Option<Verdict>,
    /// Why.
    #[serde(default, rename = "undoReason")]
    pub rollback_reason: Option<String>,
    /// Why its rollback ended early.
    #[serde(default, rename = "undoFailure")]
    pub rollback_failure: Option<Failure>,

    /// How ECS shifts its traffic; none if it rolls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traffic: Option<Traffic>,
    /// The last gate that was judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<Gate>,
    /// The last answer to a gate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered: Option<Answered>,
    /// When production traffic was about to move.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shifted: Option<Timestamp>,
    /// Who let it move, if that was not the pipeline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shifted_by: Option<String>,
    /// Whether requests still reached the old tasks after the shift, as it is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain: Option<String>,
    /// Whether what it failed by says nothing of its image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blameless: Option<bool>,
    /// When ECS was asked to give it back to the old tasks, before its wave was judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_back: Option<Timestamp>,
    /// The last gate of its rollback that was judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback_gate: Option<Gate>,
    /// The last answer to a gate of its rollback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback_answered: Option<Answered>,
    /// When production traffic was about to move back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback_shifted: Option<Timestamp>,
}

/// One way of a move, forward or back: what its row says of it.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// When its service was about to be updated.
    pub touched: Option<Timestamp>,
    /// The deployment that it started.
    pub deployment: Option<&'a DeploymentId>,
    /// What was decided about it.
    pub verdict: Option<Verdict>,
    /// Why.
    pub reason: Option<&'a str>,
    /// Why it ended early.
    pub failure: Option<&'a Failure>,
}

impl MoveRow {
    /// Returns where its image is.
    pub fn image_repository(&self) -> RepositoryRef {
        RepositoryRef { registry: self.registry.clone(), repository: self.repository.clone() }
    }

    /// Returns its way forward.
    pub fn forward(&self) -> Attempt<'_> {
        Attempt {
            touched: self.touched,
            deployment: self.deployment.as_ref(),
            verdict: self.verdict,
            reason: self.reason.as_deref(),
            failure: self.failure.as_ref(),
        }
    }

    /// Returns when it was first asked for that it goes back, if it was.
    pub fn goes_back_since(&self) -> Option<Timestamp> {
        self.given_back.or(self.rollback_started)
    }

    /// Returns its rollback.
    pub fn rollback(&self) -> Attempt<'_> {
        Attempt {
            touched: self.rollback_started,
            deployment: self.rollback_deployment.as_ref(),
            verdict: self.rollback_verdict,
            reason: self.rollback_reason.as_deref(),
            failure: self.rollback_failure.as_ref(),
        }
    }
}
