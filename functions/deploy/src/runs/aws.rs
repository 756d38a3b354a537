//! The adapter of the runs: ECS, and the rows of the orders.

use aws_sdk_ecs::error::ProvideErrorMetadata;
use aws_sdk_ecs::operation::run_task::RunTaskError;
use aws_sdk_ecs::operation::run_task::builders::RunTaskFluentBuilder;
use aws_sdk_ecs::types::{
    AssignPublicIp, AwsVpcConfiguration, ContainerOverride, KeyValuePair, LaunchType, NetworkConfiguration,
    Service as Described, Tag, TaskOverride,
};
use pipeline::Fault;
use pipeline::aws::fault_of;
use pipeline::ledger::Key;
use pipeline::payload::{MoveKey, MoveRef};
use pipeline::rows::{MoveRow, RunNetwork, RunRow};
use pipeline::service;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Runner, Started};
use crate::service::Aws;

/// The tag by which what was started is known; the permission to end a task asks for it.
const TAG: &str = "tidegate:release";

/// How much of the token says who started a task: ECS takes 36 characters.
const STARTED_BY: usize = 26;

impl Runner for Aws {
    async fn runs(&self, key: &MoveKey) -> Result<Vec<RunRow>, Fault> {
        match key.which {
            MoveRef::Ordinal(n) => self.ledger.runs(&key.release, key.wave, n).await,
            MoveRef::Inline(_) => Ok(Vec::new()),
        }
    }

    async fn container(&self, order: &RunRow) -> Result<String, Fault> {
        if let Some(container) = &order.container {
            return Ok(container.clone());
        }
        let read = self.ecs.describe_task_definition().task_definition(&order.definition).send().await;
        let attempted = format!("read the task definition {}", order.definition);
        let read = read.map_err(|error| fault_of(&attempted, &error))?;
        let containers =
            read.task_definition().map(|found| found.container_definitions()).unwrap_or_default();
        let first = containers.first().and_then(|container| container.name()).map(str::to_owned);
        first.ok_or_else(|| Fault::InvalidInput(format!("{} has no container", order.definition)))
    }

    async fn start(
        &self,
        key: &MoveKey,
        row: &MoveRow,
        order: &RunRow,
        container: &str,
    ) -> Result<Started, Fault> {
        let attempted = format!("run {} beside {}", order.definition, row.service);
        let Some(service) = service::describe(&self.ecs, &row.cluster, &row.service).await? else {
            return Ok(Started::Not(format!("the service {} no longer exists", row.service)));
        };
        let token = token(key, order);
        let started_by: String = token.chars().take(STARTED_BY).collect();
        let release = Tag::builder().key(TAG).value(key.release.as_str()).build();
        let run = self.ecs.run_task().cluster(&row.cluster).task_definition(&order.definition).count(1);
        let run = run.client_token(token).started_by(format!("tidegate-{started_by}")).tags(release);
        let run = placed(run, &service, order.network.as_ref())?.overrides(told(order, container));
        match run.send().await {
            Ok(answer) => Ok(match answer.tasks().first().and_then(|task| task.task_arn()) {
                Some(task) => Started::Task(task.to_owned()),
                None => {
                    let reasons: Vec<&str> =
                        answer.failures().iter().filter_map(|failure| failure.reason()).collect();
                    Started::Not(format!("could not {attempted}: {}", reasons.join(", ")))
                }
            }),
            Err(error) => match error.as_service_error() {
                // The token is known: the task that it started is ours.
                Some(RunTaskError::ConflictException(conflict)) => {
                    Ok(match conflict.resource_ids().first() {
                        Some(task) => Started::Task(task.clone()),
                        None => Started::Not(format!("could not {attempted}: another run has its token")),
                    })
                }
                // Fargate says it so.
                Some(other) if other.message().is_some_and(|said| said.contains("Rate exceeded")) => {
                    Err(Fault::Throttled(format!("could not {attempted}: Rate exceeded")))
                }
                _ => match fault_of(&attempted, &error) {
                    fault @ (Fault::Throttled(_) | Fault::Unavailable(_)) => Err(fault),
                    fault => Ok(Started::Not(fault.to_string())),
                },
            },
        }
    }

    async fn stop(&self, row: &MoveRow, task: &str) -> Result<(), Fault> {
        let stop = self.ecs.stop_task().cluster(&row.cluster).task(task);
        match stop.reason("its live test is over").send().await {
            // ECS forgets what has ended.
            Err(error) if error.as_service_error().is_some_and(|e| e.is_invalid_parameter_exception()) => {
                Ok(())
            }
            Err(error) => Err(fault_of(&format!("stop {task}"), &error)),
            Ok(_) => Ok(()),
        }
    }

    async fn note_run(
        &self,
        key: &MoveKey,
        order: &RunRow,
        fields: Value,
        goes_on: bool,
    ) -> Result<bool, Fault> {
        let MoveRef::Ordinal(n) = key.which else { return Ok(true) };
        let place = Key::run(&key.release, key.wave, n, &order.name);
        let condition = match goes_on {
            true => ("attribute_exists(pk) AND #stop = :no", json!({"no": false})),
            false => ("attribute_exists(pk)", json!({})),
        };
        self.ledger.set(&place, fields, Some(condition)).await
    }
}

/// Places a task where a service runs, unless its order says where.
fn placed(
    run: RunTaskFluentBuilder,
    service: &Described,
    network: Option<&RunNetwork>,
) -> Result<RunTaskFluentBuilder, Fault> {
    let primary = service.deployments().iter().find(|one| one.status() == Some("PRIMARY"));
    let strategy = primary.map(|one| one.capacity_provider_strategy()).unwrap_or_default();
    let launch = primary.and_then(|one| one.launch_type()).cloned();
    let run = match strategy {
        [] => run.set_launch_type(launch.clone()),
        strategy => run.set_capacity_provider_strategy(Some(strategy.to_vec())),
    };
    let run = match launch {
        Some(LaunchType::Ec2) => run
            .set_placement_constraints(Some(service.placement_constraints().to_vec()))
            .set_placement_strategy(Some(service.placement_strategy().to_vec())),
        _ => run.set_platform_version(primary.and_then(|one| one.platform_version()).map(str::to_owned)),
    };
    let own = || primary.and_then(|one| one.network_configuration()).or(service.network_configuration());
    let network = match network {
        None => own().cloned(),
        Some(RunNetwork { subnets, security_groups, public_ip }) => {
            let public = if *public_ip { AssignPublicIp::Enabled } else { AssignPublicIp::Disabled };
            let network = AwsVpcConfiguration::builder().set_subnets(Some(subnets.clone()));
            let network = network.set_security_groups(Some(security_groups.clone())).assign_public_ip(public);
            let network = network.build().map_err(|error| Fault::Defect(error.to_string()))?;
            Some(NetworkConfiguration::builder().awsvpc_configuration(network).build())
        }
    };
    Ok(run.set_network_configuration(network))
}

/// Says to a container what its order says.
fn told(order: &RunRow, container: &str) -> TaskOverride {
    let environment = order.environment.iter();
    let environment =
        environment.map(|(name, value)| KeyValuePair::builder().name(name).value(value).build());
    let command = Some(order.command.clone()).filter(|command| !command.is_empty());
    let told = ContainerOverride::builder().name(container).set_command(command);
    let told = told.set_environment(Some(environment.collect()));
    TaskOverride::builder().container_overrides(told.build()).build()
}

/// Returns what makes two starts of the same order one.
fn token(key: &MoveKey, order: &RunRow) -> String {
    let (wave, n) = key.order();
    let whole = format!("{}#{wave}#{n}#{}", key.release, order.name);
    Sha256::digest(whole).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use pipeline::ids::ReleaseId;

    #[test]
    fn each_start_of_each_move_has_a_token_that_ecs_takes() {
        let order: RunRow = serde_json::from_value(
            json!({"name": "self test/1/1", "definition": "users:7", "ordered": "2026-11-23T10:00:00Z"}),
        )
        .unwrap();
        let key = |wave, n| MoveKey::new(ReleaseId::parse("r1").unwrap(), wave, n);
        let token_of =
            |key: &MoveKey, name: &str| token(key, &RunRow { name: name.to_owned(), ..order.clone() });
        let first = token_of(&key(0, 1), "self test/1/1");
        assert_eq!((first.len(), &first), (64, &token_of(&key(0, 1), "self test/1/1")));
        for other in [
            token_of(&key(0, 2), "self test/1/1"),
            token_of(&key(1, 1), "self test/1/1"),
            token_of(&key(0, 1), "self test/1/2"),
        ] {
            assert_ne!(first, other);
        }
    }
}
