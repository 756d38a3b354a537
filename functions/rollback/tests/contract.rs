//! The samples in `events/rollback`, against a service in memory.

#![expect(clippy::unwrap_used, reason = "this is how a test fails")]

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ids::{DeploymentId, TaskDefinitionArn};
use pipeline::rows::{MoveRow, RestorePoint};
use pipeline::service::{Deployment, Rollout};
use rollback::Rollback;
use rollback::service::Port;
use testbed::moves::Moves;

/// A service that completed deployment 2 of revision 2.
struct Bad;

fn revision(n: u32) -> TaskDefinitionArn {
    TaskDefinitionArn::parse(format!("arn:aws:ecs:eu-west-1:123456789012:task-definition/users:{n}")).unwrap()
}

impl Port for Bad {
    async fn usable(&self, _: &MoveRow, restore: &RestorePoint) -> Result<bool, Fault> {
        Ok(restore.task_definition != revision(9))
    }
    async fn register(&self, _: &MoveRow, _: &RestorePoint) -> Result<TaskDefinitionArn, Fault> {
        Ok(revision(10))
    }
    async fn reserve(&self, registers: bool, now: Timestamp) -> Result<Timestamp, Fault> {
        Ok(now.plus_seconds(registers.into()))
    }
    async fn deployments(&self, _: &MoveRow) -> Result<Vec<Deployment>, Fault> {
        let id = DeploymentId::parse("ecs-svc/2")?;
        Ok(vec![Deployment { id, task_definition: revision(2), primary: true, rollout: Rollout::Completed }])
    }
    async fn point(&self, _: &MoveRow, to: &TaskDefinitionArn) -> Result<DeploymentId, Fault> {
        // The id tells the samples apart: one goes back to the revision itself, one to a copy of it.
        DeploymentId::parse(if *to == revision(10) { "ecs-svc/4" } else { "ecs-svc/3" })
    }
}

#[tokio::test]
async fn the_samples_are_answered_as_their_golden_files_say() {
    let rollback = Rollback { port: Bad, moves: Moves::default() };
    testbed::contract::check("rollback", async |_, request, now| rollback.handle(request, now).await).await;
}
