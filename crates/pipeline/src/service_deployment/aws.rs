//! The calls about service deployments.

use aws_sdk_ecs::Client;
use aws_sdk_ecs::types::{
    CreatedAt, DeploymentLifecycleHookAction, DeploymentLifecycleHookDetail, ServiceDeployment as Described,
    ServiceDeploymentBrief, ServiceDeploymentStatus, StopServiceDeploymentStopType,
};
use aws_smithy_types::DateTime;

use super::{Hook, ServiceDeployment, Stage, Status};
use crate::Fault;
use crate::aws::fault_of;
use crate::clock::Timestamp;
use crate::ids::{DeploymentId, ServiceName};

/// How many seconds earlier than our call ECS may say that a deployment was created.
const EARLIER: i64 = 300;

/// Finds the service deployment of a deployment that was started at some moment; none if ECS does not list it.
pub async fn find(
    ecs: &Client,
    cluster: &str,
    service: &ServiceName,
    deployment: &DeploymentId,
    started: Timestamp,
) -> Result<Option<ServiceDeployment>, Fault> {
    let after = DateTime::from_millis(started.plus_seconds(-EARLIER).millis());
    let call = ecs.list_service_deployments().cluster(cluster).service(service.as_str());
    let mut call = call.created_at(CreatedAt::builder().after(after).build());
    loop {
        let page = call.clone().send().await;
        let page =
            page.map_err(|error| fault_of(&format!("list the service deployments of {service}"), &error))?;
        if let Some(found) = page.service_deployments().iter().find(|one| is_of(one, deployment)) {
            return match found.service_deployment_arn() {
                Some(arn) => read(ecs, arn).await,
                None => {
                    Err(Fault::Unavailable(format!("ECS did not name the service deployment of {service}")))
                }
            };
        }
        let Some(next) = page.next_token else { return Ok(None) };
        call = call.next_token(next);
    }
}

/// Returns the ARNs of the service deployments of a service that go on.
pub async fn open(ecs: &Client, cluster: &str, service: &ServiceName) -> Result<Vec<String>, Fault> {
    let call = ecs.list_service_deployments().cluster(cluster).service(service.as_str());
    let open = call.status(ServiceDeploymentStatus::Pending).status(ServiceDeploymentStatus::InProgress);
    let answer = open.send().await;
    let answer =
        answer.map_err(|error| fault_of(&format!("list the service deployments of {service}"), &error))?;
    let found = answer.service_deployments().iter().filter_map(|one| one.service_deployment_arn());
    Ok(found.map(str::to_owned).collect())
}

/// Reads one; none if ECS does not know it.
pub async fn read(ecs: &Client, arn: &str) -> Result<Option<ServiceDeployment>, Fault> {
    let answer = ecs.describe_service_deployments().service_deployment_arns(arn).send().await;
    let answer = answer.map_err(|error| fault_of(&format!("describe {arn}"), &error))?;
    Ok(answer.service_deployments().first().map(|found| of(arn, found)))
}

/// What a gate is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Action {
    /// Go on.
    Continue,
    /// Go back.
    Rollback,
}

/// Answers a hook that waits.
pub async fn answer(ecs: &Client, arn: &str, hook: &str, action: Action) -> Result<(), Fault> {
    let (action, word) = match action {
        Action::Continue => (DeploymentLifecycleHookAction::Continue, "CONTINUE"),
        Action::Rollback => (DeploymentLifecycleHookAction::Rollback, "ROLLBACK"),
    };
    let call = ecs.continue_service_deployment().service_deployment_arn(arn).hook_id(hook).action(action);
    call.send().await.map_err(|error| fault_of(&format!("answer {word} to the hook of {arn}"), &error))?;
    Ok(())
}

/// Has ECS go back from a deployment that is under way; the old tasks still run.
pub async fn stop(ecs: &Client, arn: &str) -> Result<(), Fault> {
    let call = ecs.stop_service_deployment().service_deployment_arn(arn);
    let stopped = call.stop_type(StopServiceDeploymentStopType::Rollback).send().await;
    stopped.map_err(|error| fault_of(&format!("have {arn} rolled back"), &error))?;
    Ok(())
}

/// Tells whether a service deployment is to bring the revision with the number of a deployment.
fn is_of(found: &ServiceDeploymentBrief, deployment: &DeploymentId) -> bool {
    let number = |text: &str| text.rsplit('/').next().map(str::to_owned);
    found.target_service_revision_arn().and_then(number) == number(deployment.as_str())
}

fn of(arn: &str, found: &Described) -> ServiceDeployment {
    let target = found.target_service_revision();
    let back = found.rollback().and_then(|back| back.reason());
    ServiceDeployment {
        arn: arn.to_owned(),
        status: Status::of(found.status().map(|status| status.as_str()).unwrap_or_default()),
        reason: back.or(found.status_reason()).unwrap_or_default().to_owned(),
        stage: Stage::of(found.lifecycle_stage().map(|stage| stage.as_str()).unwrap_or_default()),
        hooks: found.lifecycle_hook_details().iter().map(hook_of).collect(),
        requested: target.map_or(0, |target| target.requested_task_count()),
        production: target
            .and_then(|target| target.requested_production_traffic_weight())
            .unwrap_or_default(),
    }
}

fn hook_of(found: &DeploymentLifecycleHookDetail) -> Hook {
    let kind = found.target_type().map(|kind| kind.as_str());
    let expires = found.expires_at().and_then(|at| at.to_millis().ok());
    Hook {
        id: found.hook_id().unwrap_or_default().to_owned(),
        // What names no function waits for a person.
        is_pause: kind.map_or(found.target_arn().is_none(), |kind| kind == "PAUSE"),
        status: found.status().map(|status| status.as_str()).unwrap_or_default().to_owned(),
        expires: expires.map(Timestamp::from_millis),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ecs::types::{Rollback, ServiceRevisionSummary};

    #[test]
    fn the_deployment_of_an_id_is_the_one_whose_target_bears_its_number() {
        let brief = |arn: Option<&str>| {
            ServiceDeploymentBrief::builder().set_target_service_revision_arn(arn.map(str::to_owned)).build()
        };
        let id = DeploymentId::parse("ecs-svc/62").unwrap();
        for (arn, is_its) in [
            (Some("arn:aws:ecs:r:1:service-revision/dev/users/62"), true),
            (Some("arn:aws:ecs:r:1:service-revision/dev/users/162"), false),
            (Some("arn:aws:ecs:r:1:service-revision/dev/62/1"), false),
            (None, false),
        ] {
            assert_eq!(is_of(&brief(arn), &id), is_its, "{arn:?}");
        }
    }

    #[test]
    fn what_ecs_leaves_out_is_nothing() {
        let read = of("a", &Described::builder().build());
        assert_eq!((read.status, read.stage), (Status::Unknown(String::new()), Stage::default()));
        assert_eq!((read.requested, read.production, read.hooks), (0, 0.0, Vec::new()));
    }

    #[test]
    fn a_hook_without_a_function_is_a_pause_whatever_else_is_missing() {
        let target = ServiceRevisionSummary::builder().requested_task_count(2);
        let described = Described::builder()
            .status(ServiceDeploymentStatus::InProgress)
            .status_reason("it goes on")
            .lifecycle_stage("PRE_PRODUCTION_TRAFFIC_SHIFT".into())
            .lifecycle_hook_details(DeploymentLifecycleHookDetail::builder().hook_id("h1").build())
            .lifecycle_hook_details(DeploymentLifecycleHookDetail::builder().target_arn("arn:x").build())
            .target_service_revision(target.requested_production_traffic_weight(10.0).build());
        let read = of("a", &described.clone().build());
        assert_eq!(read.stage.as_str(), Stage::LAST_BEFORE_PRODUCTION);
        assert_eq!(read.hooks.iter().map(|hook| hook.is_pause).collect::<Vec<_>>(), [true, false]);
        assert_eq!((read.requested, read.production, read.reason.as_str()), (2, 10.0, "it goes on"));
        let back = described.rollback(Rollback::builder().reason("an alarm").build());
        assert_eq!(of("a", &back.build()).reason, "an alarm", "it says more than the status");
    }
}
