//! Searches what tasks log, with the filters of CloudWatch Logs.

use std::time::{Duration, Instant};

use aws_sdk_cloudwatchlogs::Client as Logs;
use aws_sdk_cloudwatchlogs::types::FilteredLogEvent;
use aws_sdk_ecs::Client as Ecs;
use futures_util::{StreamExt, stream};
use pipeline::Fault;
use pipeline::aws::fault_of;
use pipeline::ids::TaskDefinitionArn;
use pipeline::task_definition::TaskDefinition;

use super::{Found, Line, Search, Stream};

/// How long pages are read of one search, of 1 MB each at most; all of a poll has its own limit above that.
const PATIENCE: Duration = Duration::from_secs(4);

/// How many lines are kept of one search.
const LINES: usize = 10_000;

/// How many streams are asked at once whether they exist.
const AT_ONCE: usize = 8;

/// Returns where tasks of a revision log.
pub(super) async fn streams(
    ecs: &Ecs,
    revision: &TaskDefinitionArn,
    tasks: &[String],
) -> Result<Vec<Stream>, Fault> {
    let definition = TaskDefinition::read(ecs, revision).await?;
    let all = tasks.iter().flat_map(|task| definition.log_streams(task));
    let named = all.map(|(group, name)| {
        // Its prefix may have slashes; the container is before the task.
        let container = name.rsplit('/').nth(1).unwrap_or_default().to_owned();
        Stream { container, group, name }
    });
    Ok(named.collect())
}

/// Searches some streams of a log group.
pub(super) async fn search(logs: &Logs, search: &Search) -> Result<Found, Fault> {
    match pages(logs, search, &search.streams).await? {
        Some(found) => Ok(found),
        // One stream that does not exist fails them all.
        None => match there(logs, search).await? {
            there if there.is_empty() => Ok(Found::default()),
            there => Ok(pages(logs, search, &there).await?.unwrap_or_default()),
        },
    }
}

/// Reads the pages of a search; none if one of the streams does not exist.
async fn pages(logs: &Logs, search: &Search, streams: &[String]) -> Result<Option<Found>, Fault> {
    let mut found = Found { streams: streams.len(), ..Found::default() };
    let (mut token, end) = (None, Instant::now() + PATIENCE);
    loop {
        let page = logs.filter_log_events().log_group_name(&search.group).filter_pattern(&search.pattern);
        let page = page.set_log_stream_names(Some(streams.to_vec()));
        let page = page.start_time(search.from.millis()).end_time(search.until.millis());
        match page.set_next_token(token).send().await {
            Ok(answer) => {
                found.lines.extend(answer.events.unwrap_or_default().into_iter().map(line_of));
                token = answer.next_token;
            }
            Err(error) if error.as_service_error().is_some_and(|e| e.is_resource_not_found_exception()) => {
                return Ok(None);
            }
            Err(error) => return Err(fault_of(&format!("search {}", search.group), &error)),
        }
        // A page may be empty, and another one follow.
        found.cut = token.is_some();
        if !found.cut || found.lines.len() >= LINES || Instant::now() >= end {
            return Ok(Some(found));
        }
    }
}

/// Returns the streams of a search that exist.
async fn there(logs: &Logs, search: &Search) -> Result<Vec<String>, Fault> {
    let asking = search.streams.iter().map(|name| async move {
        let first = logs.get_log_events().log_group_name(&search.group).log_stream_name(name);
        match first.limit(1).start_from_head(true).send().await {
            Ok(_) => Ok(Some(name.clone())),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_resource_not_found_exception()) => {
                Ok(None)
            }
            Err(error) => Err(fault_of(&format!("read {name} in {}", search.group), &error)),
        }
    });
    let asked: Vec<Result<Option<String>, Fault>> = stream::iter(asking).buffered(AT_ONCE).collect().await;
    let asked: Vec<Option<String>> = asked.into_iter().collect::<Result<_, _>>()?;
    Ok(asked.into_iter().flatten().collect())
}

fn line_of(event: FilteredLogEvent) -> Line {
    Line {
        at: event.timestamp.unwrap_or_default(),
        stream: event.log_stream_name.unwrap_or_default(),
        text: event.message.unwrap_or_default(),
    }
}
