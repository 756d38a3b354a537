//! The samples in `events/rollback`, against a service in memory.

#![expect(clippy::unwrap_used, reason = "this is how a test fails")]

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ids::{DeploymentId, TaskDefinitionArn};
use pipeline::rows::{MoveRow, RestorePoint};
use pipeline::service::{Deployment, Rollout};
use pipeline::service_deployment::{Hook, ServiceDeployment, Stage, Status};
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
    async fn shift(
        &self,
        row: &MoveRow,
        _: &DeploymentId,
        _: Timestamp,
    ) -> Result<Option<ServiceDeployment>, Fault> {
        Ok(row.traffic.as_ref().map(|traffic| shift(row, &traffic.strategy)))
    }
    async fn refuse(&self, _: &str, hook: &str) -> Result<(), Fault> {
        assert_eq!(hook, "h1");
        Ok(())
    }
    async fn stop(&self, _: &str) -> Result<(), Fault> {
        Ok(())
    }
}

/// Returns the service deployment of a move: it waits at a gate as long as nothing has shifted, and then bakes.
fn shift(row: &MoveRow, strategy: &str) -> ServiceDeployment {
    let hook =
        Hook { id: "h1".to_owned(), is_pause: true, status: "AWAITING_ACTION".to_owned(), expires: None };
    let waits = row.shifted.is_none();
    ServiceDeployment {
        arn: "arn:sd".to_owned(),
        // The strategy tells the samples apart.
        status: if strategy == "LINEAR" { Status::Successful } else { Status::Open },
        reason: String::new(),
        stage: Stage::of(if waits { "POST_TEST_TRAFFIC_SHIFT" } else { "BAKE_TIME" }),
        hooks: if waits { vec![hook] } else { Vec::new() },
        requested: 2,
        production: if waits { 0.0 } else { 100.0 },
    }
}

#[tokio::test]
async fn the_samples_are_answered_as_their_golden_files_say() {
    let rollback = Rollback { port: Bad, moves: Moves::default() };
    testbed::contract::check("rollback", async |_, request, now| rollback.handle(request, now).await).await;
}

/// A service that ECS has rolled back by itself.
struct RolledBackByEcs;

impl Port for RolledBackByEcs {
    async fn usable(&self, row: &MoveRow, restore: &RestorePoint) -> Result<bool, Fault> {
        Bad.usable(row, restore).await
    }
    async fn register(&self, row: &MoveRow, restore: &RestorePoint) -> Result<TaskDefinitionArn, Fault> {
        Bad.register(row, restore).await
    }
    async fn reserve(&self, registers: bool, now: Timestamp) -> Result<Timestamp, Fault> {
        Bad.reserve(registers, now).await
    }
    async fn deployments(&self, _: &MoveRow) -> Result<Vec<Deployment>, Fault> {
        let one = |n, primary, rollout| {
            let id = DeploymentId::parse(format!("ecs-svc/{n}"))?;
            Ok(Deployment { id, task_definition: revision(n), primary, rollout })
        };
        Ok(vec![one(1, true, Rollout::Completed)?, one(2, false, Rollout::Failed)?])
    }
    async fn point(&self, row: &MoveRow, to: &TaskDefinitionArn) -> Result<DeploymentId, Fault> {
        Bad.point(row, to).await
    }
    async fn shift(
        &self,
        _: &MoveRow,
        _: &DeploymentId,
        _: Timestamp,
    ) -> Result<Option<ServiceDeployment>, Fault> {
        Ok(None)
    }
    async fn refuse(&self, _: &str, _: &str) -> Result<(), Fault> {
        Ok(())
    }
    async fn stop(&self, _: &str) -> Result<(), Fault> {
        Ok(())
    }
}

#[tokio::test]
async fn what_ecs_has_rolled_back_is_noted_once_as_its_own_doing() {
    let rollback = Rollback { port: RolledBackByEcs, moves: Moves::default() };
    let request: serde_json::Value =
        serde_json::from_str(include_str!("../../../events/rollback/good.json")).unwrap();
    let now = Timestamp::parse("2026-11-23T10:00:00Z").unwrap();
    for (started, noted) in [(None, Some(true)), (Some("2026-11-23T09:59:00Z"), None)] {
        let mut request = request.clone();
        request["move"]["undoStarted"] = serde_json::json!(started);
        rollback.handle(serde_json::from_value(request).unwrap(), now).await.unwrap();
        let noted_now = rollback.moves.noted.take();
        let by_ecs = noted_now.last().and_then(|fields| fields.get("rolledBackByEcs")?.as_bool());
        assert_eq!(by_ecs, noted, "{noted_now:?}");
    }
}

#[test]
fn an_execution_of_the_version_before_is_understood() {
    let mut request: serde_json::Value =
        serde_json::from_str(include_str!("../../../events/rollback/reserve.json")).unwrap();
    request["do"] = "slot".into();
    assert!(serde_json::from_value::<rollback::Request>(request).is_ok());
}
