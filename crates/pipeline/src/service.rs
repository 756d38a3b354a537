//! An ECS service as the pipeline sees it: which deployments it has, and how to point it somewhere else.

use aws_sdk_ecs::Client;
use aws_sdk_ecs::types::{DesiredStatus, Service as Described, Task};
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::Fault;
use crate::aws::fault_of;
use crate::ids::{DeploymentId, ServiceName, TaskDefinitionArn};
use crate::rows::MoveRow;

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

impl Deployment {
    /// Tells whether a move started it, or somebody who forced a new deployment of the move's revision.
    ///
    /// A revision is registered for one move: whoever deploys it once more deploys what that move brought.
    pub fn is_of(&self, row: &MoveRow) -> bool {
        Some(&self.task_definition) == row.registered.as_ref() || Some(&self.id) == row.deployment.as_ref()
    }

    /// Says that it is in place of ours.
    pub fn has_replaced_ours(&self) -> String {
        format!("another deployment has replaced ours: {} on {}", self.id, self.task_definition)
    }
}

/// How far a deployment is.
#[derive(Clone, Debug, PartialEq)]
pub enum Rollout {
    /// All its tasks run.
    Completed,
    /// ECS marked it as failed.
    Failed,
    /// Neither yet.
    InProgress,
    /// A word that this version does not know, or none.
    Unknown(String),
}

/// How many tasks one call describes, and how many such calls are under way at once.
const TASKS_PER_CALL: usize = 100;
const DESCRIBED_AT_ONCE: usize = 8;

/// Reads one service; none if it does not exist or is on its way out.
pub async fn describe(
    ecs: &Client,
    cluster: &str,
    service: &ServiceName,
) -> Result<Option<Described>, Fault> {
    let answer = ecs.describe_services().cluster(cluster).services(service.as_str()).send().await;
    let answer = answer.map_err(|error| fault_of(&format!("describe the service {service}"), &error))?;
    Ok(answer.services.unwrap_or_default().into_iter().find(|found| found.status() == Some("ACTIVE")))
}

/// Reads the tasks that a service wants to run, or those of all services of a cluster.
pub async fn tasks(ecs: &Client, cluster: &str, service: Option<&ServiceName>) -> Result<Vec<Task>, Fault> {
    let whose = service.map_or(cluster, ServiceName::as_str);
    let list = ecs.list_tasks().cluster(cluster).set_service_name(service.map(ToString::to_string));
    let mut pages = list.desired_status(DesiredStatus::Running).into_paginator().send();
    let mut arns = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| fault_of(&format!("list the tasks of {whose}"), &error))?;
        arns.extend(page.task_arns.unwrap_or_default());
    }
    let calls = stream::iter(arns.chunks(TASKS_PER_CALL)).map(async |some| {
        let answer = ecs.describe_tasks().cluster(cluster).set_tasks(Some(some.to_vec())).send().await;
        answer.map_err(|error| fault_of(&format!("describe the tasks of {whose}"), &error))
    });
    let answers: Vec<_> = calls.buffered(DESCRIBED_AT_ONCE).try_collect().await?;
    // A task of `failures` has ended since the list was made.
    Ok(answers.into_iter().flat_map(|answer| answer.tasks.unwrap_or_default()).collect())
}

/// Reads the deployments of one service; none if the service does not exist or is on its way out.
pub async fn deployments(
    ecs: &Client,
    cluster: &str,
    service: &ServiceName,
) -> Result<Vec<Deployment>, Fault> {
    describe(ecs, cluster, service).await?.as_ref().map_or(Ok(Vec::new()), deployments_of)
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
