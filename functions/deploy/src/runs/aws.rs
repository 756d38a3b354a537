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
use pipeline::image::ImageReference;
use pipeline::ledger::Key;
use pipeline::payload::{MoveKey, MoveRef};
use pipeline::rows::{MoveRow, RunNetwork, RunRow, RunsTask};
use pipeline::service;
use pipeline::signed::Answer;
use pipeline::task_definition::TaskDefinition;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Prepared, Runner, Started};
use crate::service::Aws;

/// The tag by which what was started is known; the permission to end a task asks for it.
const TAG: &str = "tidegate:release";

/// What a family of ours is called after the one that it was copied from.
const OURS: &str = "-tidegate";

/// How much of the token says who started a task: ECS takes 36 characters.
const STARTED_BY: usize = 26;

impl Runner for Aws {
    async fn runs(&self, key: &MoveKey) -> Result<Vec<RunRow>, Fault> {
        match key.which {
            MoveRef::Ordinal(n) => self.ledger.runs(&key.release, key.wave, n).await,
            MoveRef::Inline(_) => Ok(Vec::new()),
        }
    }

    async fn prepare(&self, row: &MoveRow, task: &RunsTask) -> Result<Prepared, Fault> {
        let RunsTask { definition, container, pins, .. } = task;
        let (definition, container) = match (pins, container) {
            (false, Some(container)) => {
                return Ok(Prepared { definition: definition.clone(), container: container.clone() });
            }
            (false, None) => {
                let named = TaskDefinition::named(&self.ecs, definition).await?;
                (definition.clone(), named.containers().first().cloned())
            }
            (true, container) => (self.pinned(row, definition).await?, container.clone()),
        };
        let none = || Fault::InvalidInput(format!("{definition} has no container"));
        Ok(Prepared { container: container.ok_or_else(none)?, definition })
    }

    async fn start(
        &self,
        key: &MoveKey,
        row: &MoveRow,
        (name, task): (&str, &RunsTask),
        Prepared { definition, container }: &Prepared,
    ) -> Result<Started, Fault> {
        let attempted = format!("run {definition} beside {}", row.service);
        let Some(service) = service::describe(&self.ecs, &row.cluster, &row.service).await? else {
            return Ok(Started::Not(format!("the service {} no longer exists", row.service)));
        };
        let token = token(key, name);
        let started_by: String = token.chars().take(STARTED_BY).collect();
        let release = Tag::builder().key(TAG).value(key.release.as_str()).build();
        let run = self.ecs.run_task().cluster(&row.cluster).task_definition(definition).count(1);
        let run = run.client_token(token).started_by(format!("tidegate-{started_by}")).tags(release);
        let run = placed(run, &service, task.network.as_ref())?.overrides(told(task, container));
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

    async fn call(&self, function: &str, payload: &Value) -> Result<Option<Answer>, Fault> {
        // As an SDK writes it: what follows the name of a function, or stands in its ARN, is part of one segment.
        let name = function.replace(':', "%3A").replace('$', "%24");
        self.lambda()?.post(&format!("/2015-03-31/functions/{name}/invocations"), payload.to_string()).await
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

impl Aws {
    /// Registers the latest revision of a family of the team anew, in a family of its own, with the moved image in it.
    async fn pinned(&self, row: &MoveRow, family: &str) -> Result<String, Fault> {
        let latest = TaskDefinition::named(&self.ecs, family).await?;
        let moved =
            |image: &ImageReference| image.registry == row.registry && image.repository == row.repository;
        let images = latest.images().into_iter();
        let containers: Vec<String> =
            images.filter(|(_, image)| moved(image)).map(|(container, _)| container).collect();
        if containers.is_empty() {
            return Err(Fault::InvalidInput(format!(
                "no container of {} runs an image of {}: the stack would not test the new image",
                latest.arn, row.repository
            )));
        }
        let copy = latest.pinned(&self.ecs, &containers, &row.digest).await?;
        // The team's own family stays as the team has left it: the next copy is made from there.
        let (revision, _) = latest.register(copy.family(format!("{}{OURS}", latest.family()))).await?;
        Ok(revision.to_string())
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
fn told(task: &RunsTask, container: &str) -> TaskOverride {
    let environment = task.environment.iter();
    let environment =
        environment.map(|(name, value)| KeyValuePair::builder().name(name).value(value).build());
    let command = Some(task.command.clone()).filter(|command| !command.is_empty());
    let told = ContainerOverride::builder().name(container).set_command(command);
    let told = told.set_environment(Some(environment.collect()));
    TaskOverride::builder().container_overrides(told.build()).build()
}

/// Returns what makes two starts of the same order one.
pub(super) fn token(key: &MoveKey, name: &str) -> String {
    let (wave, n) = key.order();
    let whole = format!("{}#{wave}#{n}#{name}", key.release);
    Sha256::digest(whole).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use pipeline::ids::ReleaseId;

    #[test]
    fn each_start_of_each_move_has_a_token_that_ecs_takes() {
        let key = |wave, n| MoveKey::new(ReleaseId::parse("r1").unwrap(), wave, n);
        let first = token(&key(0, 1), "self test/1/1");
        assert_eq!((first.len(), &first), (64, &token(&key(0, 1), "self test/1/1")));
        for other in [
            token(&key(0, 2), "self test/1/1"),
            token(&key(1, 1), "self test/1/1"),
            token(&key(0, 1), "self test/1/2"),
        ] {
            assert_ne!(first, other);
        }
    }
}
