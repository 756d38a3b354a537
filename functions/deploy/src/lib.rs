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

use futures_util::future::try_join;
use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ids::{DeploymentId, TaskDefinitionArn};
use pipeline::ledger::{Loaded, MoveLedger, leased_anew};
use pipeline::payload::{MoveKey, MoveRef};
use pipeline::rows::{MoveEvent, MoveRow};
use pipeline::service_deployment::Action;
use serde::{Deserialize, Serialize};

use plan::Plan;
use runs::Runner;
use service::{Port, Revision};

/// What the state machine asks for.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "camelCase")]
pub enum Request {
    /// Register the task definition of a move, and update its service at once if nothing is to be tested before.
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
            Request::Register(key) => self.register(&key, now).await,
            Request::Update(key) => self.update(&key, now).await,
            Request::Continue { phase, key } => self.go_on(&key, phase, now).await,
            Request::Run(key) => self.run(&key, true, now).await,
            Request::End(key) => self.run(&key, false, now).await,
        }
    }

    /// Registers the revision of a move, and goes on where no live test comes before its service is touched.
    async fn register(&self, key: &MoveKey, now: Timestamp) -> Result<Response, Fault> {
        let loaded = self.moves.load(key).await?;
        if is_untested(&loaded) && loaded.row.registered.is_none() {
            return self.register_and_point(key, loaded.forward()?, now).await;
        }
        self.moves.check_lease(key, &loaded.row).await?;
        if loaded.row.registered.is_some() {
            return self.go_ahead(key, loaded, now).await;
        }
        let row = loaded.forward()?;
        let revision = self.port.register(&row).await?;
        self.registered(key, row, revision, now).await
    }

    /// Does both with few calls: that the service is held is a condition of what is written down before it is touched.
    async fn register_and_point(
        &self,
        key: &MoveKey,
        row: MoveRow,
        now: Timestamp,
    ) -> Result<Response, Fault> {
        let revision = self.port.register(&row).await?;
        // Whatever stands against it, and what cannot be read, is found again when the revision is noted.
        if let Ok(true) = self.touched(key, &row, &revision, now).await {
            return self.pointed(key, &row, &revision.arn, now).await;
        }
        self.moves.check_lease(key, &row).await?;
        self.registered(key, row, revision, now).await
    }

    /// Notes a revision, and that its service is about to be updated; tells whether nothing stood against it.
    async fn touched(
        &self,
        key: &MoveKey,
        row: &MoveRow,
        revision: &Revision,
        now: Timestamp,
    ) -> Result<bool, Fault> {
        let (deployments, goes_on) = try_join(self.port.deployments(row), self.goes_on(key, row)).await?;
        if !goes_on || plan::next(&deployments, &revision.arn, &row.replaces) != Plan::Start {
            return Ok(false);
        }
        let event = MoveEvent::Registered { registered: revision.arn.clone(), touched: Some(now) };
        let mut others = vec![revision.record()?, key.held(row)];
        if !key.is_among_others() {
            others.push(key.goes_on());
        }
        self.moves.note_with(key, row, event, others).await
    }

    /// Tells whether a release goes on with a move among others: were that a condition of what each of them writes at the
    /// same moment, DynamoDB would refuse all but one.
    async fn goes_on(&self, key: &MoveKey, row: &MoveRow) -> Result<bool, Fault> {
        if !key.is_among_others() {
            return Ok(true);
        }
        let loaded = self.moves.load(key).await?;
        Ok(loaded.row.fence == row.fence && loaded.given_up().is_none() && loaded.forward().is_ok())
    }

    /// Notes a revision, and reads the move once more: somebody may have stopped it meanwhile, or registered another one.
    async fn registered(
        &self,
        key: &MoveKey,
        row: MoveRow,
        revision: Revision,
        now: Timestamp,
    ) -> Result<Response, Fault> {
        let event = MoveEvent::Registered { registered: revision.arn.clone(), touched: None };
        self.moves.note_with(key, &row, event, vec![revision.record()?]).await?;
        let loaded = match key.which {
            MoveRef::Inline(_) => Loaded::given(&MoveRow { registered: Some(revision.arn), ..row }),
            MoveRef::Ordinal(_) => {
                let loaded = self.moves.load(key).await?;
                if loaded.row.fence != row.fence {
                    return Err(leased_anew(&row));
                }
                loaded
            }
        };
        self.go_ahead(key, loaded, now).await
    }

    /// Updates the service of a move that is registered, where no live test comes before.
    async fn go_ahead(&self, key: &MoveKey, loaded: Loaded, now: Timestamp) -> Result<Response, Fault> {
        let goes_ahead = is_untested(&loaded);
        let row = loaded.forward()?;
        match (&row.registered, goes_ahead) {
            (None, _) => Err(leased_anew(&row)),
            (Some(revision), true) => self.point(key, &row, revision, now).await,
            (Some(revision), false) => Ok(Response::Registered { task_definition: revision.clone() }),
        }
    }

    async fn update(&self, key: &MoveKey, now: Timestamp) -> Result<Response, Fault> {
        let row = self.moves.load_leased(key).await?.forward()?;
        match &row.registered {
            Some(revision) => self.point(key, &row, revision, now).await,
            None => Err(Fault::InvalidInput(format!("no revision is registered for {} yet", row.service))),
        }
    }

    /// Points the service of a move at its revision, unless somebody else has changed it.
    async fn point(
        &self,
        key: &MoveKey,
        row: &MoveRow,
        revision: &TaskDefinitionArn,
        now: Timestamp,
    ) -> Result<Response, Fault> {
        let touched = row.touched.unwrap_or(now);
        match plan::next(&self.port.deployments(row).await?, revision, &row.replaces) {
            Plan::Adopt(deployment) => self.deployed(key, row, deployment, touched).await,
            Plan::Superseded(reason) => {
                self.moves.note(key, row, MoveEvent::superseded(reason.clone(), now)).await?;
                Ok(Response::Superseded { superseded: reason })
            }
            Plan::Start => {
                // Whatever happens from here on, the service may have changed.
                self.moves.note(key, row, MoveEvent::Touched { touched }).await?;
                self.pointed(key, row, revision, touched).await
            }
        }
    }

    /// Points the service at a revision, whatever it runs; that it is about to be is written down.
    async fn pointed(
        &self,
        key: &MoveKey,
        row: &MoveRow,
        revision: &TaskDefinitionArn,
        touched: Timestamp,
    ) -> Result<Response, Fault> {
        let deployment = self.port.point(row, revision).await?;
        self.deployed(key, row, deployment, touched).await
    }

    async fn deployed(
        &self,
        key: &MoveKey,
        row: &MoveRow,
        deployment: DeploymentId,
        touched: Timestamp,
    ) -> Result<Response, Fault> {
        let deployed = MoveEvent::Deployed { touched, deployment: deployment.clone() };
        self.moves.note(key, row, deployed).await?;
        Ok(Response::Updated { deployment })
    }
}

/// Tells whether a move may go on to its service as soon as its revision is registered: no live test comes before, and
/// it is not given up.
fn is_untested(loaded: &Loaded) -> bool {
    let is_untested = loaded.row.pack.as_ref().is_some_and(|pack| !pack.is_something());
    is_untested && loaded.given_up().is_none()
}
