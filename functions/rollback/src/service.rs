//! The port to ECS, its rate limits and the recorded revisions, and its adapter.

use aws_config::SdkConfig;
use aws_sdk_ecs::Client;
use pipeline::clock::Timestamp;
use pipeline::ids::{DeploymentId, TaskDefinitionArn};
use pipeline::ledger::Ledger;
use pipeline::rows::{MoveRow, RestorePoint};
use pipeline::service::{self, Deployment};
use pipeline::service_deployment::{self, Action, ServiceDeployment};
use pipeline::task_definition::TaskDefinition;
use pipeline::{Fault, rate_limit};

/// All that the function asks of the world.
pub trait Port {
    /// Tells whether a service that is pointed at the restore point's revision will run its digest.
    async fn usable(&self, row: &MoveRow, restore: &RestorePoint) -> Result<bool, Fault>;
    /// Registers the recorded revision again, pinned to the recorded digest.
    async fn register(&self, row: &MoveRow, restore: &RestorePoint) -> Result<TaskDefinitionArn, Fault>;
    /// Reserves calls within the rate of the account: for an update, and perhaps for a registration before it.
    async fn reserve(&self, registers: bool, now: Timestamp) -> Result<Timestamp, Fault>;
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
    /// Answers a hook of a service deployment with ROLLBACK.
    async fn refuse(&self, arn: &str, hook: &str) -> Result<(), Fault>;
    /// Has ECS go back from a service deployment that goes on.
    async fn stop(&self, arn: &str) -> Result<(), Fault>;
}

/// ECS and the ledger.
#[derive(Debug)]
pub struct Aws {
    ecs: Client,
    ledger: Ledger,
}

impl Aws {
    /// Makes the adapter.
    pub fn new(config: &SdkConfig, ledger: Ledger) -> Self {
        Aws { ecs: Client::new(config), ledger }
    }
}

impl Port for Aws {
    async fn usable(&self, row: &MoveRow, restore: &RestorePoint) -> Result<bool, Fault> {
        match TaskDefinition::read(&self.ecs, &restore.task_definition).await {
            Ok(revision) => Ok(revision.runs(&restore.digest, &row.containers)),
            // Deleted, or not to be described: the record will do.
            Err(Fault::NotFound(_) | Fault::Denied(_)) => Ok(false),
            Err(fault) => Err(fault),
        }
    }

    async fn register(&self, row: &MoveRow, restore: &RestorePoint) -> Result<TaskDefinitionArn, Fault> {
        let json = match &restore.task_definition_json {
            Some(json) => json.clone(),
            None => self.ledger.recorded(&restore.task_definition).await?,
        };
        let recorded = TaskDefinition::recorded(&restore.task_definition, &json).await?;
        let copy = recorded.pinned(&self.ecs, &row.containers, &restore.digest).await?;
        Ok(recorded.register(copy).await?.0)
    }

    async fn reserve(&self, registers: bool, now: Timestamp) -> Result<Timestamp, Fault> {
        let update = rate_limit::UPDATE.reserve(&self.ledger, (1, false), now).await?;
        match registers {
            true => rate_limit::REGISTER.reserve(&self.ledger, (1, false), update).await,
            false => Ok(update),
        }
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

    async fn refuse(&self, arn: &str, hook: &str) -> Result<(), Fault> {
        service_deployment::answer(&self.ecs, arn, hook, Action::Rollback).await
    }

    async fn stop(&self, arn: &str) -> Result<(), Fault> {
        service_deployment::stop(&self.ecs, arn).await
    }
}
