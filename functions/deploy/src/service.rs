//! The port to ECS and to the recorded revisions, and its adapter.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_ecs::Client;
use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ids::{DeploymentId, TaskDefinitionArn};
use pipeline::ledger::{Key, Ledger, Write};
use pipeline::rows::{MoveRow, RevisionRow};
use pipeline::service::{self, Deployment};
use pipeline::service_deployment::{self, Action, ServiceDeployment};
use pipeline::signed::Signed;
use pipeline::task_definition::TaskDefinition;

/// All that the function asks of the world.
pub trait Port {
    /// Registers the running task definition again, its image pinned to the digest.
    async fn register(&self, row: &MoveRow) -> Result<Revision, Fault>;
    /// Reads the deployments of the service.
    async fn deployments(&self, row: &MoveRow) -> Result<Vec<Deployment>, Fault>;
    /// Points the service at a revision.
    async fn point(&self, row: &MoveRow, to: &TaskDefinitionArn) -> Result<DeploymentId, Fault>;
    /// Reads the service deployment of a deployment that was started then; none if ECS lists none.
    async fn shift(
        &self,
        row: &MoveRow,
        deployment: &DeploymentId,
        started: Timestamp,
    ) -> Result<Option<ServiceDeployment>, Fault>;
    /// Answers a hook of a service deployment.
    async fn answer(&self, arn: &str, hook: &str, action: Action) -> Result<(), Fault>;
}

/// A revision that was registered.
#[derive(Clone, Debug, PartialEq)]
pub struct Revision {
    /// Its name.
    pub arn: TaskDefinitionArn,
    /// What ECS said of it.
    pub json: String,
}

impl Revision {
    /// Keeps what ECS said of it: ECS may have lost it when it is needed as the restore point.
    pub(crate) fn record(&self) -> Result<Write, Fault> {
        Write::put(Key::revision(&self.arn), &RevisionRow { json: self.json.clone() })
    }
}

/// How long a function that tests may take to answer; below the own time-out of this one.
const ANSWERS_WITHIN: Duration = Duration::from_secs(20);

/// ECS, the ledger for what ECS may lose, and Lambda for functions that test.
#[derive(Debug)]
pub struct Aws {
    pub(crate) ecs: Client,
    pub(crate) ledger: Ledger,
    config: SdkConfig,
}

impl Aws {
    /// Makes the adapter.
    pub fn new(config: &SdkConfig, ledger: Ledger) -> Self {
        Aws { ecs: Client::new(config), ledger, config: config.clone() }
    }

    /// Makes what calls functions: few releases need it.
    pub(crate) fn lambda(&self) -> Result<Signed, Fault> {
        Signed::new(&self.config, "lambda", ANSWERS_WITHIN)
    }
}

impl Port for Aws {
    async fn register(&self, row: &MoveRow) -> Result<Revision, Fault> {
        let running = TaskDefinition::read(&self.ecs, &row.running).await?;
        let copy = running.pinned(&self.ecs, &row.containers, &row.digest).await?;
        let (arn, json) = running.register(copy).await?;
        Ok(Revision { arn, json })
    }

    async fn deployments(&self, row: &MoveRow) -> Result<Vec<Deployment>, Fault> {
        service::deployments(&self.ecs, &row.cluster, &row.service).await
    }

    async fn point(&self, row: &MoveRow, to: &TaskDefinitionArn) -> Result<DeploymentId, Fault> {
        service::point(&self.ecs, &row.cluster, &row.service, to).await
    }

    async fn shift(
        &self,
        row: &MoveRow,
        deployment: &DeploymentId,
        started: Timestamp,
    ) -> Result<Option<ServiceDeployment>, Fault> {
        service_deployment::find(&self.ecs, &row.cluster, &row.service, deployment, started).await
    }

    async fn answer(&self, arn: &str, hook: &str, action: Action) -> Result<(), Fault> {
        service_deployment::answer(&self.ecs, arn, hook, action).await
    }
}
