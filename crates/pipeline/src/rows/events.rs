//! What happens to a move: one event a step, and the keys that it sets on the move's row.

use serde::Serialize;

use super::{Answered, Bundle, Gate, Verdict};
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
        /// When its service is about to be updated, if that follows at once.
        #[serde(skip_serializing_if = "Option::is_none")]
        touched: Option<Timestamp>,
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
    /// A gate is judged.
    GateJudged {
        /// What was found.
        gate: Gate,
        /// Whether what fails says nothing of the image.
        #[serde(skip_serializing_if = "Option::is_none")]
        blameless: Option<bool>,
        /// Whether requests still reached the old tasks, if it waited for the end of that.
        #[serde(skip_serializing_if = "Option::is_none")]
        drain: Option<String>,
    },
    /// A gate is about to be answered.
    GateAnswered {
        /// With what.
        answered: Answered,
        /// When production traffic is about to move, if it may by this answer for the first time.
        #[serde(skip_serializing_if = "Option::is_none")]
        shifted: Option<Timestamp>,
    },
    /// Production traffic has moved, and the pipeline did not let it.
    ShiftedByOther {
        /// When that was seen.
        shifted: Timestamp,
        /// Who let it.
        shifted_by: String,
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
        /// Whether what it failed by says nothing of its image.
        #[serde(skip_serializing_if = "Option::is_none")]
        blameless: Option<bool>,
    },
    /// ECS is about to be asked to give its service back to the old tasks, before its wave is judged.
    GivenBack {
        /// When.
        given_back: Timestamp,
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
    /// A gate of the rollback is judged.
    RollbackGateJudged {
        /// What was found.
        rollback_gate: Gate,
    },
    /// A gate of the rollback is about to be answered.
    RollbackGateAnswered {
        /// With what.
        rollback_answered: Answered,
        /// When production traffic is about to move back, if it may by this answer for the first time.
        #[serde(skip_serializing_if = "Option::is_none")]
        rollback_shifted: Option<Timestamp>,
    },
    /// Production traffic has moved back, and the pipeline did not let it.
    RollbackShifted {
        /// When that was seen.
        rollback_shifted: Timestamp,
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
        let (alarm, bundle, blameless) = (None, None, None);
        MoveEvent::Decided { verdict: Verdict::Superseded, reason, decided, alarm, bundle, blameless }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::{GateVerdict, MoveRow};
    use crate::service_deployment::{Action, Stage};
    use serde_json::{Value, json};

    fn row() -> Value {
        let sample = include_str!("../../../../events/deploy/register.json");
        let sample: Value = serde_json::from_str(sample).unwrap();
        let row: MoveRow = serde_json::from_value(sample["move"].clone()).unwrap();
        serde_json::to_value(row).unwrap()
    }

    /// Returns the events of a service whose traffic ECS shifts.
    fn of_a_shift() -> Vec<(MoveEvent, Value)> {
        let at = Timestamp::from_millis(0);
        let gate = Gate {
            hook: "h1".to_owned(),
            stage: Stage::of("POST_TEST_TRAFFIC_SHIFT"),
            verdict: GateVerdict::DarkHealthy,
            reason: "why".to_owned(),
            expires: Some(at),
            at,
            poll: 1,
            deployment: "arn:sd".to_owned(),
        };
        let answered = Answered { hook: "h1".to_owned(), action: Action::Continue, at };
        vec![
            (
                MoveEvent::GateJudged { gate: gate.clone(), blameless: Some(true), drain: None },
                json!(["blameless", "gate"]),
            ),
            (MoveEvent::GateJudged { gate: gate.clone(), blameless: None, drain: None }, json!(["gate"])),
            (
                MoveEvent::GateJudged { gate: gate.clone(), blameless: None, drain: Some("told".to_owned()) },
                json!(["drain", "gate"]),
            ),
            (
                MoveEvent::GateAnswered { answered: answered.clone(), shifted: Some(at) },
                json!(["answered", "shifted"]),
            ),
            (MoveEvent::GateAnswered { answered: answered.clone(), shifted: None }, json!(["answered"])),
            (
                MoveEvent::ShiftedByOther { shifted: at, shifted_by: "other".to_owned() },
                json!(["shifted", "shiftedBy"]),
            ),
            (MoveEvent::RollbackGateJudged { rollback_gate: gate }, json!(["rollbackGate"])),
            (
                MoveEvent::RollbackGateAnswered { rollback_answered: answered, rollback_shifted: Some(at) },
                json!(["rollbackAnswered", "rollbackShifted"]),
            ),
            (MoveEvent::RollbackShifted { rollback_shifted: at }, json!(["rollbackShifted"])),
        ]
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
            (MoveEvent::Registered { registered: revision.clone(), touched: None }, json!(["registered"])),
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
                    blameless: Some(true),
                },
                json!(["alarm", "blameless", "bundle", "decided", "reason", "verdict"]),
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
        for (event, keys) in events.into_iter().chain(of_a_shift()) {
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
