//! The samples in `events/rollback`, against a service in memory.

use pipeline::Fault;
use pipeline::ids::{DeploymentId, TaskDefinitionArn};
use pipeline::payload::{MoveKey, MoveRef};
use pipeline::rows::{MoveRow, RestorePoint, Undo};
use pipeline::service::{Deployment, Rollout};
use rollback::Rollback;
use rollback::service::Port;
use serde_json::Value;

/// A service that completed deployment 2 of revision 2.
struct Bad;

impl Port for Bad {
    async fn load(&self, key: &MoveKey) -> Result<MoveRow, Fault> {
        match &key.which {
            MoveRef::Inline(row) => Ok((**row).clone()),
            other => Err(Fault::NotFound(format!("{other:?}"))),
        }
    }
    async fn scope(&self, _: &MoveKey) -> Result<Undo, Fault> {
        Ok(Undo::All)
    }
    async fn note(&self, _: &MoveKey, _: Value) -> Result<(), Fault> {
        Ok(())
    }
    async fn check_lease(&self, _: &MoveKey, _: &MoveRow) -> Result<(), Fault> {
        Ok(())
    }
    async fn check_pinned(&self, _: &RestorePoint) -> Result<(), Fault> {
        Ok(())
    }
    async fn deployments(&self, _: &MoveRow) -> Result<Vec<Deployment>, Fault> {
        let arn = "arn:aws:ecs:eu-west-1:123456789012:task-definition/users:2";
        let (id, task_definition) = (DeploymentId::parse("ecs-svc/2")?, TaskDefinitionArn::parse(arn)?);
        Ok(vec![Deployment { id, task_definition, primary: true, rollout: Rollout::Completed }])
    }
    async fn point(&self, _: &MoveRow, _: &RestorePoint) -> Result<DeploymentId, Fault> {
        DeploymentId::parse("ecs-svc/3")
    }
}

#[tokio::test]
async fn the_samples_are_answered_as_their_golden_files_say() {
    let rollback = Rollback { port: Bad };
    testbed::contract::check("rollback", async |_, key, now| rollback.handle(key, now).await).await;
}
