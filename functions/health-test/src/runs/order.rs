//! What is ordered for a run.  Pure.

use std::collections::BTreeMap;

use pack::kind::run::{Network, Run, Starts, Suite, Task};
use pack::template::Template;
use pack::{Check, Kind, Phase, Values};
use pipeline::rows::{CallsFunction, RunNetwork, RunRow, RunStarts, RunsTask};
use serde_json::{Map, Value};

use crate::look::Look;
use crate::places::Proven;

/// How many addresses a run is told.
const TARGETS: usize = 20;

/// Writes an order; or says which value is missing.
pub fn of(
    check: &Check,
    name: String,
    at: &Look<'_>,
    (values, proven): (&Values, &Proven),
) -> Result<RunRow, String> {
    let told = told(&name, at, proven);
    let starts = match &check.kind {
        Kind::Task(task) => RunStarts::Task(of_task(task, at, values, told)?),
        Kind::Suite(Suite { starts: Starts::Task(definition), run, network }) => {
            let network = network.as_ref().map(network_of);
            RunStarts::Task(RunsTask { network, ..started(definition.clone(), run, values, told)? })
        }
        Kind::Suite(Suite { starts: Starts::Function { name, details }, .. }) => {
            let mut all: Map<String, Value> =
                told.into_iter().map(|(name, value)| (name, Value::String(value))).collect();
            if let Some(details) = details {
                let details = details.fill(values).map_err(|unfilled| unfilled.to_string())?;
                all.extend(details.as_object().cloned().unwrap_or_default());
            }
            RunStarts::Function(CallsFunction {
                function: name.clone(),
                stage: stage(at.first()).to_owned(),
                details: all,
            })
        }
        _ => return Err("it is no run".to_owned()),
    };
    Ok(RunRow {
        name,
        starts,
        ordered: at.now,
        stop: false,
        over: false,
        tried: false,
        told: None,
        task: None,
        not_started: None,
        stopped: false,
        answered: None,
    })
}

/// Runs the new image: alone as it is registered, or in a task definition of the team.
fn of_task(
    Task { run, stack }: &Task,
    at: &Look<'_>,
    values: &Values,
    told: BTreeMap<String, String>,
) -> Result<RunsTask, String> {
    Ok(match stack {
        Some(family) => RunsTask { pins: true, ..started(family.clone(), run, values, told)? },
        None => {
            let registered = at.row.registered.as_ref().ok_or("no revision is registered yet")?;
            let alone = started(registered.to_string(), run, values, told)?;
            let own = at.row.containers.first().cloned();
            RunsTask { container: alone.container.or(own), ..alone }
        }
    })
}

fn started(
    definition: String,
    run: &Run,
    values: &Values,
    mut environment: BTreeMap<String, String>,
) -> Result<RunsTask, String> {
    let fill = |text: &Template| text.fill(values).map_err(|unfilled| unfilled.to_string());
    for (name, value) in &run.environment {
        environment.insert(name.clone(), fill(value)?);
    }
    let command = run.command.iter().map(fill).collect::<Result<_, _>>()?;
    let container = run.container.clone();
    Ok(RunsTask { definition, pins: false, container, command, environment, network: None })
}

/// Returns what every run is told.
fn told(name: &str, at: &Look<'_>, proven: &Proven) -> BTreeMap<String, String> {
    let row = at.row;
    let targets = match proven.targets.is_empty() {
        false => proven.targets.clone(),
        true => proven.tasks.iter().map(ToString::to_string).collect(),
    };
    let targets: Vec<Value> = targets.into_iter().take(TARGETS).map(Value::String).collect();
    BTreeMap::from([
        ("TIDEGATE_RELEASE".to_owned(), at.key.release.to_string()),
        ("TIDEGATE_ENVIRONMENT".to_owned(), row.environment.to_string()),
        ("TIDEGATE_SERVICE".to_owned(), row.service.to_string()),
        ("TIDEGATE_IMAGE_DIGEST".to_owned(), row.digest.to_string()),
        ("TIDEGATE_COMMIT".to_owned(), row.commit.clone().unwrap_or_default()),
        ("TIDEGATE_PHASE".to_owned(), at.first().to_string()),
        ("TIDEGATE_ATTEMPT".to_owned(), name.to_owned()),
        ("TIDEGATE_TARGETS".to_owned(), Value::Array(targets).to_string()),
    ])
}

fn network_of(Network { subnets, security_groups, public_ip }: &Network) -> RunNetwork {
    RunNetwork { subnets: subnets.clone(), security_groups: security_groups.clone(), public_ip: *public_ip }
}

/// Returns the stage in which ECS would call a function for the same reason, so that one function serves both.
fn stage(phase: Phase) -> &'static str {
    match phase {
        Phase::Open | Phase::Before => "PRE_SCALE_UP",
        Phase::Dark => "POST_TEST_TRAFFIC_SHIFT",
        Phase::Live | Phase::Bake => "POST_PRODUCTION_TRAFFIC_SHIFT",
    }
}
