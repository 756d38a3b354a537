//! An ECS service as the pipeline sees it: which deployments it has, and how to point it somewhere else.

use aws_sdk_ecs::Client;
use aws_sdk_ecs::types::Service as Described;

use crate::Fault;
use crate::aws::fault_of;
use crate::ids::{DeploymentId, ServiceName, TaskDefinitionArn};

/// One deployment that a service still lists.
#[derive(Clone, Debug, PartialEq)]
pub struct Deployment {
    /// Its id.
    pub id: DeploymentId,
    /// The revision that it runs.
    pub task_definition: TaskDefinitionArn,
    /// Whether it is the one that ECS is steering to.
    pub primary: bool,
    /// How far it is.
    pub rollout: Rollout,
}

/// How far a deployment is.
#[derive(Clone, Debug, PartialEq)]
pub enum Rollout {
    /// All its tasks run.
    Completed,
    /// ECS gave it up.
    Failed,
    /// Neither yet.
    InProgress,
    /// A word that this version does not know, or none.
    Unknown(String),
}

/// Reads the deployments of one service; none if the service does not exist or is on its way out.
pub async fn deployments(
    ecs: &Client,
    cluster: &str,
    service: &ServiceName,
) -> Result<Vec<Deployment>, Fault> {
    let answer = ecs.describe_services().cluster(cluster).services(service.as_str()).send().await;
    let answer = answer.map_err(|error| fault_of(&format!("describe the service {service}"), &error))?;
    match answer.services().first() {
        Some(found) if found.status() == Some("ACTIVE") => deployments_of(found),
        _ => Ok(Vec::new()),
    }
}

/// Points a service at a revision, and says which deployment that started.
///
/// Sends nothing else: counts belong to auto scaling, and the rest to whoever configured the service.
pub async fn point(
    ecs: &Client,
    cluster: &str,
    service: &ServiceName,
    to: &TaskDefinitionArn,
) -> Result<DeploymentId, Fault> {
    let update = ecs.update_service().cluster(cluster).service(service.as_str()).task_definition(to.as_str());
    let answer = update.send().await;
    let answer = answer.map_err(|error| fault_of(&format!("update the service {service}"), &error))?;
    let started = answer.service().map(deployments_of).transpose()?.unwrap_or_default();
    let started = started.into_iter().find(|one| one.primary && one.task_definition == *to);
    started
        .map(|one| one.id)
        .ok_or_else(|| Fault::Unavailable(format!("ECS did not name the deployment of {service}")))
}

/// Reads the deployments of a described service.
pub fn deployments_of(service: &Described) -> Result<Vec<Deployment>, Fault> {
    let deployments = service.deployments().iter();
    deployments
        .map(|one| {
            Ok(Deployment {
                id: DeploymentId::parse(one.id().unwrap_or_default())?,
                task_definition: TaskDefinitionArn::parse(one.task_definition().unwrap_or_default())?,
                primary: one.status() == Some("PRIMARY"),
                rollout: match one.rollout_state().map(|state| state.as_str()) {
                    Some("COMPLETED") => Rollout::Completed,
                    Some("FAILED") => Rollout::Failed,
                    Some("IN_PROGRESS") => Rollout::InProgress,
                    other => Rollout::Unknown(other.unwrap_or_default().to_owned()),
                },
            })
        })
        .collect()
}
