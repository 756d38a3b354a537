//! What tasks left behind, as ECS and CloudWatch Logs tell it.  Called only when a rollout has failed.

use aws_sdk_cloudwatchlogs::Client as Logs;
use aws_sdk_ecs::Client as Ecs;
use aws_sdk_ecs::types::{DesiredStatus, Task as DescribedTask};
use pipeline::Fault;
use pipeline::aws::fault_of;
use pipeline::clock::Timestamp;
use pipeline::ids::TaskDefinitionArn;
use pipeline::rows::MoveRow;
use pipeline::task_definition::TaskDefinition;

use super::{Ended, Exit, RunTask};

/// How many tasks one call describes.
const TASKS_PER_CALL: usize = 100;

/// Of how many containers of a task the log is read.
const STREAMS: usize = 2;

/// Reads the tasks that the service no longer wants to run.
pub(super) async fn ended(ecs: &Ecs, row: &MoveRow) -> Result<Vec<Ended>, Fault> {
    let MoveRow { cluster, service, .. } = row;
    let list = ecs.list_tasks().cluster(cluster).service_name(service.as_str());
    let mut arns = list.desired_status(DesiredStatus::Stopped).into_paginator().items().send();
    let mut stopped = Vec::new();
    while let Some(arn) = arns.next().await {
        stopped.push(arn.map_err(|error| fault_of(&format!("list the stopped tasks of {service}"), &error))?);
    }
    let mut ended = Vec::new();
    for some in stopped.chunks(TASKS_PER_CALL) {
        let answer = ecs.describe_tasks().cluster(cluster).set_tasks(Some(some.to_vec())).send().await;
        let answer =
            answer.map_err(|error| fault_of(&format!("describe the stopped tasks of {service}"), &error))?;
        ended.extend(answer.tasks().iter().map(ended_of));
    }
    Ok(ended)
}

/// Reads the last lines of some tasks' streams, those of the containers that were moved first.
pub(super) async fn logged(
    ecs: &Ecs,
    logs: &Logs,
    row: &MoveRow,
    revision: &TaskDefinitionArn,
    tasks: &[String],
    limit: i32,
) -> Result<Vec<Vec<String>>, Fault> {
    let definition = TaskDefinition::read(ecs, revision).await?;
    let mut found = Vec::new();
    for task in tasks {
        let mut streams = definition.log_streams(task);
        let moved = |stream: &str| {
            let container = stream.rsplit('/').nth(1).unwrap_or_default();
            row.containers.iter().any(|moved| moved == container)
        };
        streams.sort_by_key(|(_, stream)| !moved(stream));
        for (group, stream) in streams.iter().take(STREAMS) {
            found.push(lines(logs, group, stream, limit).await?);
        }
    }
    Ok(found)
}

async fn lines(logs: &Logs, group: &str, stream: &str, limit: i32) -> Result<Vec<String>, Fault> {
    let events = logs.get_log_events().log_group_name(group).log_stream_name(stream);
    let events = events.limit(limit).start_from_head(false);
    match events.send().await {
        Ok(answer) => {
            let events = answer.events.unwrap_or_default().into_iter();
            Ok(events.filter_map(|event| event.message).collect())
        }
        // A container that wrote nothing yet has no stream.
        Err(error) if error.as_service_error().is_some_and(|e| e.is_resource_not_found_exception()) => {
            Ok(Vec::new())
        }
        Err(error) => Err(fault_of(&format!("read {stream} in {group}"), &error)),
    }
}

/// Reads tasks by their ARNs.
pub(super) async fn ran(ecs: &Ecs, row: &MoveRow, tasks: &[String]) -> Result<Vec<RunTask>, Fault> {
    let answer = ecs.describe_tasks().cluster(&row.cluster).set_tasks(Some(tasks.to_vec())).send().await;
    let answer = answer.map_err(|error| fault_of("describe what the live tests run", &error))?;
    let found = answer.tasks().iter().map(|task| RunTask {
        arn: task.task_arn().unwrap_or_default().to_owned(),
        definition: task.task_definition_arn().and_then(|arn| TaskDefinitionArn::parse(arn).ok()),
        status: task.last_status().unwrap_or_default().to_owned(),
        started: task.started_at().and_then(|at| at.to_millis().ok()).map(Timestamp::from_millis),
        ended: ended_of(task),
    });
    Ok(found.collect())
}

fn ended_of(found: &DescribedTask) -> Ended {
    let arn = found.task_arn().unwrap_or_default();
    let exits = found.containers().iter().map(|container| Exit {
        container: container.name().unwrap_or_default().to_owned(),
        code: container.exit_code(),
        reason: container.reason().unwrap_or_default().to_owned(),
    });
    let at = found.stopped_at().or(found.stopping_at());
    Ended {
        id: arn.rsplit('/').next().unwrap_or(arn).to_owned(),
        started_by: found.started_by().unwrap_or_default().to_owned(),
        code: found.stop_code().map(|code| code.as_str()).unwrap_or_default().to_owned(),
        reason: found.stopped_reason().unwrap_or_default().to_owned(),
        exits: exits.collect(),
        at: at.and_then(|at| at.to_millis().ok()).unwrap_or_default(),
    }
}
