//! The port to ECS and the ledger, and its adapter.

use aws_config::SdkConfig;
use aws_sdk_ecs::Client;
use pipeline::Fault;
use pipeline::ids::DeploymentId;
use pipeline::ledger::{Key, Ledger};
use pipeline::payload::{MoveKey, MoveRef};
use pipeline::rows::{HeadRow, MoveRow, RestorePoint, Undo};
use pipeline::service::{self, Deployment};
use pipeline::task_definition::TaskDefinition;
use serde_json::Value;

/// All that the function asks of the world.
pub trait Port {
    /// Reads a move.
    async fn load(&self, key: &MoveKey) -> Result<MoveRow, Fault>;
    /// Reads what of the release is undone.
    async fn scope(&self, key: &MoveKey) -> Result<Undo, Fault>;
    /// Notes what was done about a move.
    async fn note(&self, key: &MoveKey, fields: Value) -> Result<(), Fault>;
    /// Makes sure that the lease is still held.
    async fn check_lease(&self, key: &MoveKey, row: &MoveRow) -> Result<(), Fault>;
    /// Makes sure that the recorded revision runs the recorded digest, and no other.
    async fn check_pinned(&self, restore: &RestorePoint) -> Result<(), Fault>;
    /// Reads the deployments of the service.
    async fn deployments(&self, row: &MoveRow) -> Result<Vec<Deployment>, Fault>;
    /// Points the service at its restore point.
    async fn point(&self, row: &MoveRow, restore: &RestorePoint) -> Result<DeploymentId, Fault>;
}

/// ECS and the ledger.
#[derive(Debug)]
pub struct Aws {
    ecs: Client,
    ledger: Ledger,
}

impl Aws {
    /// Makes the adapter.
    pub fn new(config: &SdkConfig) -> Result<Self, Fault> {
        Ok(Aws { ecs: Client::new(config), ledger: Ledger::new(config)? })
    }
}

impl Port for Aws {
    async fn load(&self, key: &MoveKey) -> Result<MoveRow, Fault> {
        self.ledger.load(key).await
    }

    async fn scope(&self, key: &MoveKey) -> Result<Undo, Fault> {
        if let MoveRef::Inline(_) = key.which {
            return Ok(Undo::All);
        }
        let head: Option<HeadRow> = self.ledger.get(&Key::head(&key.release)).await?;
        let undo = head.and_then(|head| head.undo);
        undo.ok_or_else(|| Fault::InvalidInput(format!("{} was not judged to be undone", key.release)))
    }

    async fn note(&self, key: &MoveKey, fields: Value) -> Result<(), Fault> {
        self.ledger.note(key, fields).await
    }

    async fn check_lease(&self, key: &MoveKey, row: &MoveRow) -> Result<(), Fault> {
        self.ledger.check_lease(key, row).await
    }

    async fn check_pinned(&self, restore: &RestorePoint) -> Result<(), Fault> {
        let revision = TaskDefinition::read(&self.ecs, &restore.task_definition).await?;
        let pinned =
            revision.images().iter().any(|(_, image)| image.digest.as_ref() == Some(&restore.digest));
        if pinned && revision.active() {
            return Ok(());
        }
        Err(Fault::NotSupported(format!(
            "going back to {}, which is inactive or does not name {} itself",
            restore.task_definition, restore.digest
        )))
    }

    async fn deployments(&self, row: &MoveRow) -> Result<Vec<Deployment>, Fault> {
        service::deployments(&self.ecs, &row.cluster, &row.service).await
    }

    async fn point(&self, row: &MoveRow, restore: &RestorePoint) -> Result<DeploymentId, Fault> {
        service::point(&self.ecs, &row.cluster, &row.service, &restore.task_definition).await
    }
}
