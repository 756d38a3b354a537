//! The port to ECS and to the recorded revisions, and its adapter.

use aws_config::SdkConfig;
use aws_sdk_ecs::Client;
use pipeline::Fault;
use pipeline::ids::{DeploymentId, TaskDefinitionArn};
use pipeline::ledger::Ledger;
use pipeline::payload::{MoveKey, MoveRef};
use pipeline::rows::MoveRow;
use pipeline::service::{self, Deployment};
use pipeline::task_definition::TaskDefinition;

/// All that the function asks of the world.
pub trait Port {
    /// Registers the running task definition again, its image pinned to the digest.
    async fn register(&self, key: &MoveKey, row: &MoveRow) -> Result<TaskDefinitionArn, Fault>;
    /// Reads the deployments of the service.
    async fn deployments(&self, row: &MoveRow) -> Result<Vec<Deployment>, Fault>;
    /// Points the service at a revision.
    async fn point(&self, row: &MoveRow, to: &TaskDefinitionArn) -> Result<DeploymentId, Fault>;
}

/// ECS, and the ledger for what ECS may lose.
#[derive(Debug)]
pub struct Aws {
    pub(crate) ecs: Client,
    pub(crate) ledger: Ledger,
}

impl Aws {
    /// Makes the adapter.
    pub fn new(config: &SdkConfig, ledger: Ledger) -> Self {
        Aws { ecs: Client::new(config), ledger }
    }
}

impl Port for Aws {
    async fn register(&self, key: &MoveKey, row: &MoveRow) -> Result<TaskDefinitionArn, Fault> {
        let running = TaskDefinition::read(&self.ecs, &row.running).await?;
        let copy = running.pinned(&self.ecs, &row.containers, &row.digest).await?;
        let (revision, json) = running.register(copy).await?;
        // ECS may have lost it when it is needed as the restore point.
        if let MoveRef::Ordinal(_) = key.which {
            self.ledger.record(&revision, json).await?;
        }
        Ok(revision)
    }

    async fn deployments(&self, row: &MoveRow) -> Result<Vec<Deployment>, Fault> {
        service::deployments(&self.ecs, &row.cluster, &row.service).await
    }

    async fn point(&self, row: &MoveRow, to: &TaskDefinitionArn) -> Result<DeploymentId, Fault> {
        service::point(&self.ecs, &row.cluster, &row.service, to).await
    }
}
