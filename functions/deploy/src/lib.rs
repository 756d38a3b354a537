//! Points one ECS service at one image digest, and says which deployment that started.
//!
//! Copies the task definition that runs, changes nothing but the image of the matching containers, and updates
//! the service with it alone.  Answers the gate at which ECS waits before it shifts traffic, as it was judged.  Reads
//! first, so that a repeat is harmless.  Never waits for the rollout, never picks an image, never deregisters anything.
//! It runs what live tests order beside the service, too: whoever may hand on a role is nobody else.

pub mod gate;
pub mod plan;
pub mod runs;
pub mod service;

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ids::{DeploymentId, TaskDefinitionArn};
use pipeline::ledger::MoveLedger;
use pipeline::payload::MoveKey;
use pipeline::rows::MoveEvent;
use pipeline::service_deployment::Action;
use serde::{Deserialize, Serialize};

use plan::Plan;
use runs::Runner;
use service::Port;

/// What the state machine asks for.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "camelCase")]
pub enum Request {
    /// Register the task definition of a move.
    Register(MoveKey),
    /// Point the service at it.
    Update(MoveKey),
    /// Answer the gate at which it waits.
    Continue {
        /// Which way it is on.
        #[serde(default)]
        phase: gate::Way,
        /// The move.
        #[serde(flatten)]
        key: MoveKey,
    },
    /// Start, and end, what its live tests run.
    Run(MoveKey),
    /// End all that they run.
    End(MoveKey),
}

/// What was done.
#[derive(Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Response {
    /// The revision is there.
    #[serde(rename_all = "camelCase")]
    Registered {
        /// The revision.
        task_definition: TaskDefinitionArn,
    },
    /// The service is on its way to it.
    Updated {
        /// Our deployment.
        deployment: DeploymentId,
    },
    /// Its gate is answered.
    Answered {
        /// With what.
        answered: Action,
        /// Whether to look at what comes of it.
        look: bool,
    },
    /// No gate of it is to be answered.
    Nothing {
        /// Why.
        nothing: &'static str,
        /// Whether to look at it again.
        look: bool,
    },
    /// What the live tests have ordered is done.
    Ran {
        /// How many were started, or could not be.
        started: u32,
        /// How many were ended.
        stopped: u32,
    },
    /// Somebody else deployed the service meanwhile; it was left alone.
    Superseded {
        /// Whose deployment is in place.
        superseded: String,
    },
}

/// The function.
#[derive(Debug)]
pub struct Deploy<P, L> {
    /// ECS.
    pub port: P,
    /// The moves.
    pub moves: L,
}

impl<P: Port + Runner, L: MoveLedger> Deploy<P, L> {
    /// Answers one request.
    pub async fn handle(&self, request: Request, now: Timestamp) -> Result<Response, Fault> {
        match request {
            Request::Register(key) => self.register(&key).await,
            Request::Update(key) => self.update(&key, now).await,
            Request::Continue { phase, key } => self.go_on(&key, phase, now).await,
            Request::Run(key) => self.run(&key, true, now).await,
            Request::End(key) => self.run(&key, false, now).await,
        }
    }

    async fn register(&self, key: &MoveKey) -> Result<Response, Fault> {
        let row = self.moves.load_leased(key).await?.forward()?;
        if let Some(task_definition) = row.registered {
            return Ok(Response::Registered { task_definition });
        }
        let task_definition = self.port.register(key, &row).await?;
        let registered = task_definition.clone();
        self.moves.note(key, &row, MoveEvent::Registered { registered }).await?;
        Ok(Response::Registered { task_definition })
    }

    async fn update(&self, key: &MoveKey, now: Timestamp) -> Result<Response, Fault> {
        let row = self.moves.load_leased(key).await?.forward()?;
        let Some(revision) = &row.registered else {
            return Err(Fault::InvalidInput(format!("no revision is registered for {} yet", row.service)));
        };
        let touched = row.touched.unwrap_or(now);
        let deployment = match plan::next(&self.port.deployments(&row).await?, revision, &row.replaces) {
            Plan::Adopt(deployment) => deployment,
            Plan::Superseded(reason) => {
                self.moves.note(key, &row, MoveEvent::superseded(reason.clone(), now)).await?;
                return Ok(Response::Superseded { superseded: reason });
            }
            Plan::Start => {
                // Whatever happens from here on, the service may have changed.
                self.moves.note(key, &row, MoveEvent::Touched { touched }).await?;
                self.port.point(&row, revision).await?
            }
        };
        let deployed = MoveEvent::Deployed { touched, deployment: deployment.clone() };
        self.moves.note(key, &row, deployed).await?;
        Ok(Response::Updated { deployment })
    }
}
