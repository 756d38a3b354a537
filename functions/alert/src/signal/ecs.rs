//! Trouble of a service in ECS, and its end.

use pipeline::clock::Timestamp;
use pipeline::environment::Environments;
use pipeline::ids::ServiceName;
use pipeline::text::line;
use pipeline::{Fault, document};
use serde::Deserialize;
use serde_json::Value;

use super::rules::Rules;
use super::{Cleared, Judged, News, Raised, Signal, place};
use crate::kind::AlertKind;

/// After how many seconds without news trouble is over, if ECS does not say so before.
const QUIET_SECONDS: u32 = 3600;

/// How much of a reason is told.
const LONGEST_REASON: usize = 400;

/// The event.
#[derive(Debug, Deserialize)]
struct Event {
    #[serde(rename = "detail-type")]
    kind: String,
    #[serde(default)]
    time: Option<Timestamp>,
    #[serde(default)]
    resources: Vec<String>,
    detail: Detail,
}

/// The keys that say something, of three kinds of events.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Detail {
    event_name: String,
    event_type: String,
    reason: String,
    cluster_arn: Option<String>,
    group: String,
    last_status: String,
    stop_code: String,
    stopped_reason: String,
    containers: Vec<Container>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Container {
    name: String,
    exit_code: Option<i64>,
    reason: String,
}

/// Reads an event; nothing if it is of no service of an environment.
pub fn news(
    event: Value,
    rules: &Rules,
    environments: &Environments,
    now: Timestamp,
) -> Result<Option<News>, Fault> {
    let Event { kind, time, resources, detail } = document::read("the event", event)?;
    let at = time.unwrap_or(now);
    let Some((cluster, service)) = service_of(&resources, &detail) else { return Ok(None) };
    let Some(environment) = place::of_cluster(&cluster, environments) else { return Ok(None) };
    let id = format!("ecs/{environment}/{service}");
    if detail.event_name == "SERVICE_STEADY_STATE" {
        let because = "the service is steady again".to_owned();
        let holds_seconds = rules.resolve_after_seconds;
        return Ok(Some(News::Cleared(Box::new(Cleared { id, at, because, holds_seconds, early: None }))));
    }
    let Some((kind, because)) = trouble(&kind, &detail) else { return Ok(None) };
    let services = vec![service.to_string()];
    let judged = Judged { environment: environment.clone(), services, later: false };
    let signal = Signal {
        id,
        kind,
        severity: kind.severity(),
        environment: Some(environment),
        service: Some(service),
        about: String::new(),
        because,
        lines: Vec::new(),
        link: None,
        quiet_seconds: Some(QUIET_SECONDS),
    };
    let raised = Raised { signal, at, times: 1, once: false, from: None, judged: Some(judged) };
    Ok(Some(News::Raised(Box::new(raised))))
}

/// Names the cluster and the service that an event is about.
fn service_of(resources: &[String], detail: &Detail) -> Option<(String, ServiceName)> {
    if let Some(name) = detail.group.strip_prefix("service:") {
        return Some((detail.cluster_arn.clone()?, ServiceName::parse(name).ok()?));
    }
    let (_, path) = resources.iter().find_map(|arn| arn.split_once(":service/"))?;
    let (cluster, name) = path.split_once('/')?;
    Some((cluster.to_owned(), ServiceName::parse(name).ok()?))
}

/// Says what kind of trouble it is, and what happened.
fn trouble(kind: &str, detail: &Detail) -> Option<(AlertKind, String)> {
    let reason = line(&detail.reason, LONGEST_REASON);
    let said = |what: &str| if reason.is_empty() { what.to_owned() } else { format!("{what}: {reason}") };
    match kind {
        "ECS Deployment State Change" if detail.event_name == "SERVICE_DEPLOYMENT_FAILED" => {
            Some((AlertKind::DeploymentFailed, said("a deployment that is none of the pipeline's failed")))
        }
        "ECS Service Action" if matches!(detail.event_type.as_str(), "WARN" | "ERROR") => {
            let name = detail.event_name.trim_start_matches("SERVICE_").to_lowercase().replace('_', " ");
            Some((AlertKind::ServiceTroubled, said(&line(&name, 64))))
        }
        "ECS Task State Change" if detail.last_status == "STOPPED" => {
            let ended = ["TaskFailedToStart", "EssentialContainerExited"];
            ended.contains(&detail.stop_code.as_str()).then(|| (AlertKind::TaskDied, task(detail)))
        }
        _ => None,
    }
}

/// Says how a task ended.
fn task(detail: &Detail) -> String {
    let containers = detail.containers.iter().filter_map(|container| {
        let name = line(&container.name, 64);
        match (container.exit_code, container.reason.as_str()) {
            (Some(code), "") => Some(format!("{name} exited with {code}")),
            (Some(code), reason) => Some(format!("{name} exited with {code} ({})", line(reason, 160))),
            (None, "") => None,
            (None, reason) => Some(format!("{name}: {}", line(reason, 160))),
        }
    });
    let said = containers.take(3).collect::<Vec<_>>().join("; ");
    let reason = line(&detail.stopped_reason, LONGEST_REASON);
    match (said.as_str(), reason.as_str()) {
        ("", "") => "a task stopped by itself".to_owned(),
        ("", reason) => reason.to_owned(),
        (said, "") => said.to_owned(),
        (said, reason) => format!("{said}: {reason}"),
    }
}
