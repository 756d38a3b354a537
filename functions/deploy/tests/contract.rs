//! The samples in `events/deploy`, against a service in memory.

#![expect(clippy::unwrap_used, reason = "this is how a test fails")]

use deploy::Deploy;
use deploy::runs::{Prepared, Runner, Started};
use deploy::service::{Port, Revision};
use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ids::{DeploymentId, TaskDefinitionArn};
use pipeline::payload::MoveKey;
use pipeline::rows::{MoveRow, RunRow, RunsTask};
use pipeline::service::{Deployment, Rollout};
use pipeline::service_deployment::{Action, ServiceDeployment};
use pipeline::signed::Answer;
use serde_json::{Value, json};
use testbed::moves::Moves;
use testbed::shift::at_its_gate;

/// A service at rest on deployment 1 of revision 1.
struct AtRest;

fn revision(n: u32) -> TaskDefinitionArn {
    TaskDefinitionArn::parse(format!("arn:aws:ecs:eu-west-1:123456789012:task-definition/users:{n}")).unwrap()
}

impl Port for AtRest {
    async fn register(&self, _: &MoveRow) -> Result<Revision, Fault> {
        Ok(Revision { arn: revision(2), json: "{}".to_owned() })
    }
    async fn deployments(&self, _: &MoveRow) -> Result<Vec<Deployment>, Fault> {
        let id = DeploymentId::parse("ecs-svc/1")?;
        Ok(vec![Deployment { id, task_definition: revision(1), primary: true, rollout: Rollout::Completed }])
    }
    async fn point(&self, _: &MoveRow, to: &TaskDefinitionArn) -> Result<DeploymentId, Fault> {
        assert_eq!(*to, revision(2));
        DeploymentId::parse("ecs-svc/2")
    }
    /// Its hook `h1` waits, unless the move has been answered already.
    async fn shift(
        &self,
        row: &MoveRow,
        _: &DeploymentId,
        _: Timestamp,
    ) -> Result<Option<ServiceDeployment>, Fault> {
        let status = if row.answered.is_some() { "SUCCEEDED" } else { "AWAITING_ACTION" };
        Ok(Some(at_its_gate(status)))
    }
    async fn answer(&self, _: &str, hook: &str, _: Action) -> Result<(), Fault> {
        assert_eq!(hook, "h1");
        Ok(())
    }
}

impl Runner for AtRest {
    async fn runs(&self, _: &MoveKey) -> Result<Vec<RunRow>, Fault> {
        let row = json!({"name": "before/self test/1/1", "definition": "users:2", "ordered": "2026-11-23T10:00:00Z"});
        Ok(vec![serde_json::from_value(row).unwrap()])
    }
    async fn start(
        &self,
        _: &MoveKey,
        _: &MoveRow,
        _: (&str, &RunsTask),
        _: &Prepared,
    ) -> Result<Started, Fault> {
        Ok(Started::Task("arn:aws:ecs:eu-west-1:123456789012:task/dev/t1".to_owned()))
    }
    async fn stop(&self, _: &MoveRow, _: &str) -> Result<(), Fault> {
        Ok(())
    }
    async fn prepare(&self, _: &MoveRow, task: &RunsTask) -> Result<Prepared, Fault> {
        Ok(Prepared { definition: task.definition.clone(), container: "app".to_owned() })
    }
    async fn call(&self, _: &str, _: &Value) -> Result<Option<Answer>, Fault> {
        Err(Fault::Defect("no function is ordered".to_owned()))
    }
    async fn note_run(&self, _: &MoveKey, _: &RunRow, _: Value, _: bool) -> Result<bool, Fault> {
        Ok(true)
    }
}

#[tokio::test]
async fn the_samples_are_answered_as_their_golden_files_say() {
    let deploy = Deploy { port: AtRest, moves: Moves::default() };
    testbed::contract::check("deploy", async |_, request, now| deploy.handle(request, now).await).await;
}
