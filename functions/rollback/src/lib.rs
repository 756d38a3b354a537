//! Puts one ECS service back to its restore point, and says which deployment does it.
//!
//! Only if what is in place is our own deployment, or ECS's return from it: somebody else's deployment is never
//! rolled back.  Never guesses "the revision before": the restore point was written down before the first change.
//! Proves nothing; the rollback is a rollout, and health-test looks at it as at any other.

mod give_back;
pub mod plan;
pub mod service;
pub mod shift;

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ids::{DeploymentId, TaskDefinitionArn};
use pipeline::ledger::MoveLedger;
use pipeline::payload::MoveKey;
use pipeline::rows::{MoveEvent, MoveRow, RestorePoint};
use pipeline::service_deployment::Action;
use serde::{Deserialize, Serialize};

use plan::Plan;
use service::Port;

/// What the state machine asks for.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "camelCase")]
pub enum Request {
    /// Say when the service may be put back, if it has to be.
    #[serde(alias = "slot")]
    Reserve(MoveKey),
    /// Put it back.
    Back(MoveKey),
    /// Have ECS give it back to its old tasks if it has failed and they still run, before its wave is judged.
    GiveBack(MoveKey),
}

/// What was done.
#[derive(Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Response {
    /// It is to be put back.
    #[serde(rename_all = "camelCase")]
    Reserved {
        /// From when on its calls are reserved.
        start_at: Timestamp,
    },
    /// The service is being rolled back.
    Started {
        /// The deployment that puts it back.
        deployment: DeploymentId,
        /// Whether it was there already, by ECS or by an earlier call.
        already: bool,
    },
    /// Somebody else deployed the service since; it was left alone.
    Superseded {
        /// Whose deployment is in place, as a sentence.
        superseded: String,
    },
    /// There is nothing to roll back.
    Nothing {
        /// Why.
        nothing: &'static str,
    },
}

/// The function.
#[derive(Debug)]
pub struct Rollback<P, L> {
    /// ECS, its rate limits and the recorded revisions.
    pub port: P,
    /// The moves.
    pub moves: L,
}

impl<P: Port, L: MoveLedger> Rollback<P, L> {
    /// Answers one request.
    pub async fn handle(&self, request: Request, now: Timestamp) -> Result<Response, Fault> {
        let (Request::Reserve(key) | Request::Back(key) | Request::GiveBack(key)) = &request;
        let loaded = self.moves.load_leased(key).await?;
        let nothing = match (&request, loaded.rollback) {
            (Request::GiveBack(_), _) => plan::keeps_traffic(&loaded),
            (Request::Reserve(_) | Request::Back(_), Some(scope)) => plan::nothing(&loaded.row, scope),
            (Request::Reserve(_) | Request::Back(_), None) => {
                return Err(Fault::InvalidInput(format!("{} was not judged to be rolled back", key.release)));
            }
        };
        if let Some(nothing) = nothing {
            return Ok(Response::Nothing { nothing });
        }
        let row = loaded.row;
        match request {
            Request::Reserve(_) => {
                // What a release has verified is pinned and active; what was only adopted may name a tag.
                let registers = row.restore.as_ref().is_some_and(|restore| restore.release.is_none());
                Ok(Response::Reserved { start_at: self.port.reserve(registers, now).await? })
            }
            Request::Back(key) => self.back(&key, row, now).await,
            Request::GiveBack(key) => self.give_back(&key, &row, now).await,
        }
    }

    async fn back(&self, key: &MoveKey, row: MoveRow, now: Timestamp) -> Result<Response, Fault> {
        let started = row.rollback_started.unwrap_or(now);
        let asks = MoveEvent::RollbackStarted { rollback_started: started };
        let deployments = self.port.deployments(&row).await?;
        // ECS gives back what ran before, whatever is known of that.
        let given_back = match &row.traffic {
            None => None,
            Some(_) => Some(self.shift_back(key, &row, deployments.clone(), asks.clone(), now).await?),
        };
        let Some(restore) = &row.restore else {
            return Err(Fault::NotFound(format!("a known good version of {}", row.service)));
        };
        let decided = given_back.unwrap_or_else(|| Step::of(plan::next(&deployments, &row, restore)));
        let (deployment, already) = match decided {
            Step::Done(deployment, already) => (deployment, already),
            Step::Superseded(reason) => {
                self.moves.note(key, &row, MoveEvent::superseded(reason.clone(), now)).await?;
                return Ok(Response::Superseded { superseded: reason });
            }
            Step::Start => {
                let to = self.restore_revision(key, &row, restore).await?;
                self.moves.note(key, &row, asks).await?;
                (self.port.point(&row, &to).await?, false)
            }
        };
        let ours = row.answered.as_ref().is_some_and(|answered| answered.action == Action::Rollback);
        let deployed = MoveEvent::RollbackDeployed {
            rollback_started: started,
            rollback_deployment: deployment.clone(),
            // Nobody has asked for it yet, and it is there.
            rolled_back_by_ecs: (already && row.goes_back_since().is_none() && !ours).then_some(true),
        };
        self.moves.note(key, &row, deployed).await?;
        Ok(Response::Started { deployment, already })
    }

    /// Returns the revision to go back to: the recorded one, or a copy of it where that is inactive or names a tag.
    async fn restore_revision(
        &self,
        key: &MoveKey,
        row: &MoveRow,
        restore: &RestorePoint,
    ) -> Result<TaskDefinitionArn, Fault> {
        if let Some(copy) = &row.rollback_revision {
            return Ok(copy.clone());
        }
        if self.port.usable(row, restore).await? {
            return Ok(restore.task_definition.clone());
        }
        let copy = self.port.register(row, restore).await?;
        let registered = MoveEvent::RollbackRegistered { rollback_revision: copy.clone() };
        self.moves.note(key, row, registered).await?;
        Ok(copy)
    }
}

/// What is left to do.
enum Step {
    /// The restore point has to be deployed.
    Start,
    /// This deployment puts it back; and whether it was there already.
    Done(DeploymentId, bool),
    /// Somebody else's deployment is in place.
    Superseded(String),
}

impl Step {
    fn of(plan: Plan) -> Self {
        match plan {
            Plan::Start => Step::Start,
            Plan::Already(deployment) => Step::Done(deployment, true),
            Plan::Superseded(reason) => Step::Superseded(reason),
        }
    }

    fn of_shift(plan: shift::Plan) -> Result<Self, Fault> {
        match plan {
            shift::Plan::Start => Ok(Step::Start),
            shift::Plan::Already(deployment) => Ok(Step::Done(deployment, true)),
            shift::Plan::Superseded(reason) => Ok(Step::Superseded(reason)),
            shift::Plan::Lost(why) => Err(Fault::NotSupported(why)),
            shift::Plan::Refuse(_) | shift::Plan::Stop => {
                Err(Fault::Defect("a service deployment is given back that nobody saw".to_owned()))
            }
        }
    }
}
