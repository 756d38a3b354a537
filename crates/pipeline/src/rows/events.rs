//! What happens to a move: one event a step, and the keys that it sets on the move's row.

use serde::Serialize;

use super::{Bundle, Verdict};
use crate::clock::Timestamp;
use crate::ids::{DeploymentId, Digest, TaskDefinitionArn};

/// One step of a move.
///
/// A field has the name of its key on the row, which stays as it is: older functions read it, too.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub enum MoveEvent {
    /// Its first step began.
    Started {
        /// When.
        started: Timestamp,
        /// The digests that the image's index names.
        children: Vec<Digest>,
    },
    /// Its revision is registered.
    Registered {
        /// The revision.
        registered: TaskDefinitionArn,
    },
    /// Live tests that decide nothing did not pass before its service was touched.
    Warned {
        /// What they have shown.
        bundle: Bundle,
    },
    /// Its service is about to be updated.
    Touched {
        /// When.
        touched: Timestamp,
    },
    /// Its service is updated.
    Deployed {
        /// When that began.
        touched: Timestamp,
        /// Our deployment.
        deployment: DeploymentId,
    },
    /// Somebody has forced a new deployment of our revision, which is ours as the one before was.
    DeployedAnew {
        /// That deployment.
        deployment: DeploymentId,
    },
    /// It is decided how it went.
    Decided {
        /// How.
        verdict: Verdict,
        /// Why.
        reason: String,
        /// When.
        decided: Timestamp,
        /// The alarm that decided it.
        #[serde(skip_serializing_if = "Option::is_none")]
        alarm: Option<String>,
        /// What failed tasks left behind.
        #[serde(skip_serializing_if = "Option::is_none")]
        bundle: Option<Bundle>,
    },
    /// A revision to go back to is registered.
    RollbackRegistered {
        /// The revision.
        #[serde(rename = "undoRevision")]
        rollback_revision: TaskDefinitionArn,
    },
    /// Its service is about to be rolled back.
    RollbackStarted {
        /// When.
        #[serde(rename = "undoStarted")]
        rollback_started: Timestamp,
    },
    /// Its service is being rolled back.
    RollbackDeployed {
        /// When that began.
        #[serde(rename = "undoStarted")]
        rollback_started: Timestamp,
        /// The deployment that does it.
        #[serde(rename = "undo")]
        rollback_deployment: DeploymentId,
        /// Whether ECS had put it back before we asked.
        #[serde(skip_serializing_if = "Option::is_none")]
        rolled_back_by_ecs: Option<bool>,
    },
    /// Somebody has forced a new deployment of the revision that it goes back to.
    RollbackDeployedAnew {
        /// That deployment.
        #[serde(rename = "undo")]
        rollback_deployment: DeploymentId,
    },
    /// It is decided how the rollback went.
    RollbackDecided {
        /// How.
        #[serde(rename = "undoVerdict")]
        rollback_verdict: Verdict,
        /// Why.
        #[serde(rename = "undoReason")]
        rollback_reason: String,
        /// What failed tasks left behind; without it, what those of the way forward left stays.
        #[serde(skip_serializing_if = "Option::is_none")]
        bundle: Option<Bundle>,
    },
}

impl MoveEvent {
    /// Says that another deployment has replaced ours.
    pub fn superseded(reason: String, decided: Timestamp) -> Self {
        MoveEvent::Decided { verdict: Verdict::Superseded, reason, decided, alarm: None, bundle: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::MoveRow;
    use serde_json::{Value, json};

    fn row() -> Value {
        let sample = include_str!("../../../../events/deploy/register.json");
        let sample: Value = serde_json::from_str(sample).unwrap();
        let row: MoveRow = serde_json::from_value(sample["move"].clone()).unwrap();
        serde_json::to_value(row).unwrap()
    }

    #[test]
    fn an_event_sets_the_keys_that_every_version_reads() {
        let at = Timestamp::from_millis(0);
        let revision = TaskDefinitionArn::parse("arn:aws:ecs:r:1:task-definition/users:2").unwrap();
        let deployment = DeploymentId::parse("ecs-svc/2").unwrap();
        let (why, bundle) = ("why".to_owned(), Some(Bundle::default()));
        let alarm = Some("shop-5xx".to_owned());
        let back = |rolled_back_by_ecs| {
            let rollback_deployment = deployment.clone();
            MoveEvent::RollbackDeployed { rollback_started: at, rollback_deployment, rolled_back_by_ecs }
        };
        let events = [
            (MoveEvent::Started { started: at, children: Vec::new() }, json!(["children", "started"])),
            (MoveEvent::Registered { registered: revision.clone() }, json!(["registered"])),
            (MoveEvent::Warned { bundle: Bundle::default() }, json!(["bundle"])),
            (MoveEvent::Touched { touched: at }, json!(["touched"])),
            (
                MoveEvent::Deployed { touched: at, deployment: deployment.clone() },
                json!(["deployment", "touched"]),
            ),
            (MoveEvent::superseded(why.clone(), at), json!(["decided", "reason", "verdict"])),
            (
                MoveEvent::Decided {
                    verdict: Verdict::Unhealthy,
                    reason: why.clone(),
                    decided: at,
                    alarm,
                    bundle: bundle.clone(),
                },
                json!(["alarm", "bundle", "decided", "reason", "verdict"]),
            ),
            (MoveEvent::RollbackRegistered { rollback_revision: revision }, json!(["undoRevision"])),
            (MoveEvent::RollbackStarted { rollback_started: at }, json!(["undoStarted"])),
            (back(None), json!(["undo", "undoStarted"])),
            (back(Some(true)), json!(["rolledBackByEcs", "undo", "undoStarted"])),
            (
                MoveEvent::RollbackDecided {
                    rollback_verdict: Verdict::Healthy,
                    rollback_reason: why,
                    bundle,
                },
                json!(["bundle", "undoReason", "undoVerdict"]),
            ),
        ];
        for (event, keys) in events {
            let fields = serde_json::to_value(&event).unwrap();
            let fields = fields.as_object().unwrap();
            let mut set: Vec<&String> = fields.keys().collect();
            set.sort();
            assert_eq!(json!(set), keys, "{event:?}");
            let mut row = row();
            row.as_object_mut().unwrap().extend(fields.clone());
            let read: MoveRow = serde_json::from_value(row.clone()).unwrap();
            assert_eq!(serde_json::to_value(read).unwrap(), row, "{event:?}");
        }
    }
}
