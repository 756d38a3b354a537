//! The adapter to SSM, ECS, ECR, CloudWatch and Step Functions.

use std::collections::{BTreeMap, BTreeSet};

use aws_config::SdkConfig;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{AlarmType, StateValue};
use aws_sdk_ecs::types::Service as Described;
use aws_sdk_sfn::error::ProvideErrorMetadata;
use futures_util::{StreamExt, TryStreamExt, stream};
use pack::policy::Policy;
use pipeline::alarm::{Alarm, AlarmState};
use pipeline::aws::fault_of;
use pipeline::clock::Timestamp;
use pipeline::environment::{self, Environments, ServiceDocuments};
use pipeline::ids::{Digest, EnvironmentName, ServiceName, Tag, TaskDefinitionArn};
use pipeline::image::RepositoryRef;
use pipeline::ledger::Ledger;
use pipeline::{Fault, service, settings};
use serde_json::Value;

use crate::at_once;
use crate::ports::{
    self, AlarmStates, Alarms, ClusterSnapshot, Clusters, Documents, Execution, Executions, ImageId, Index,
    LiveTests, Mutability, Prober, Revision, Service, TaskImages,
};
use images::Images;
use revisions::{Budget, Failed, Revisions};

mod images;
mod revisions;

/// How many services ECS describes in one call, and how many alarms CloudWatch does.
const SERVICES_PER_CALL: usize = 10;
const ALARMS_PER_CALL: usize = 100;

/// How many such calls for services are under way at once.  ECS takes 100 and 20 a second after that, for the whole
/// account; a call takes it 100 to 400 ms.
const DESCRIBED_AT_ONCE: usize = 8;

/// How many services are described before their revisions are read.
const SERVICES_PER_TURN: usize = DESCRIBED_AT_ONCE * SERVICES_PER_CALL;

/// From how many services on it takes fewer calls to read the tasks of their whole cluster.
const MANY_SERVICES: usize = 10;

/// AWS.
#[derive(Debug)]
pub struct Aws {
    ssm: aws_sdk_ssm::Client,
    ecs: aws_sdk_ecs::Client,
    cloudwatch: aws_sdk_cloudwatch::Client,
    sfn: aws_sdk_sfn::Client,
    images: Images,
    revisions: Revisions,
    roles: Option<Vec<String>>,
    prober: Prober,
}

impl Aws {
    /// Makes the adapter; what it reads once for all goes into the ledger.
    pub fn new(config: &SdkConfig, ledger: Ledger) -> Self {
        let ecs = aws_sdk_ecs::Client::new(config);
        Aws {
            roles: settings::list("TASK_ROLE_ARNS"),
            prober: prober(),
            ssm: aws_sdk_ssm::Client::new(config),
            cloudwatch: aws_sdk_cloudwatch::Client::new(config),
            sfn: aws_sdk_sfn::Client::new(config),
            images: Images::new(aws_sdk_ecr::Client::new(config)),
            revisions: Revisions::new(ecs.clone(), ledger),
            ecs,
        }
    }

    /// Lists the ARNs of a cluster's services.
    async fn list(&self, cluster: &str) -> Result<Vec<String>, Fault> {
        let mut arns = Vec::new();
        let mut pages = self.ecs.list_services().cluster(cluster).max_results(100).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| fault_of(&format!("list the services of {cluster}"), &error))?;
            arns.extend(page.service_arns.unwrap_or_default());
        }
        Ok(arns)
    }

    async fn describe(&self, cluster: &str, names: &[String]) -> Result<Vec<Described>, Fault> {
        let calls = stream::iter(names.chunks(SERVICES_PER_CALL)).map(async |names| {
            let call = self.ecs.describe_services().cluster(cluster).set_services(Some(names.to_vec()));
            let answer = call.send().await;
            answer.map_err(|error| fault_of(&format!("describe services of {cluster}"), &error))
        });
        let answers: Vec<_> = calls.buffered(DESCRIBED_AT_ONCE).try_collect().await?;
        let found = answers.into_iter().flat_map(|answer| answer.services.unwrap_or_default());
        Ok(found.filter(|one| one.status() == Some("ACTIVE")).collect())
    }

    /// Makes our own of a service; none while its revision is unread.
    fn service(&self, described: &Described, failed: &Failed) -> Result<Option<Service>, Fault> {
        let deployments = service::deployments_of(described)?;
        let revision = match deployments.iter().find(|one| one.primary) {
            Some(primary) => match failed.get(&primary.task_definition) {
                Some(fault) => return Err(fault.clone()),
                None => self.revisions.revision(&primary.task_definition)?,
            },
            None => Some(Revision::default()),
        };
        let Some(revision) = revision else { return Ok(None) };
        let controller =
            described.deployment_controller().map_or("ECS", |controller| controller.r#type().as_str());
        let configuration = described.deployment_configuration();
        let alarms = configuration.and_then(|configuration| configuration.alarms());
        let alarms = alarms.filter(|alarms| alarms.enable()).map(|alarms| alarms.alarm_names().to_vec());
        let balanced = described.load_balancers().iter();
        let balanced =
            balanced.filter_map(|one| Some((one.container_name()?.to_owned(), one.container_port()?)));
        Ok(Some(Service {
            name: name_of(described)?,
            controller: controller.to_owned(),
            strategy: configuration
                .and_then(|configuration| configuration.strategy())
                .map_or("ROLLING", |strategy| strategy.as_str())
                .to_owned(),
            desired: described.desired_count(),
            deployments,
            alarms: alarms.unwrap_or_default(),
            balanced: balanced.collect(),
            connect: connect_names(described),
            revision,
        }))
    }
}

impl Documents for Aws {
    async fn environments(&self) -> Result<Environments, Fault> {
        environment::read_all(&self.ssm).await
    }
}

impl LiveTests for Aws {
    async fn documents(
        &self,
        environment: &EnvironmentName,
        services: &[ServiceName],
    ) -> Result<ServiceDocuments, Fault> {
        environment::read_services(&self.ssm, environment, services).await
    }

    fn prober(&self) -> Prober {
        self.prober
    }
}

impl Clusters for Aws {
    async fn services(&self, cluster: &str, named: Option<&[ServiceName]>) -> Result<ClusterSnapshot, Fault> {
        let names = match named {
            Some(named) => named.iter().map(ToString::to_string).collect(),
            None => self.list(cluster).await?,
        };
        let (mut described, mut all, mut failed, mut unread) =
            (Vec::new(), BTreeSet::new(), Failed::new(), 0);
        let mut seen = ClusterSnapshot::default();
        // In turns: while ECS tells of services, it can be asked for more revisions.
        let mut budget = Budget::new();
        for some in names.chunks(SERVICES_PER_TURN) {
            let found = self.describe(cluster, some).await?;
            // What cannot be read of a service comes up again below.
            let arns: BTreeSet<_> = found.iter().filter_map(|one| primary_of(one).ok()?).collect();
            unread += self.revisions.read(&arns, &mut budget, &mut failed).await?;
            all.extend(arns);
            described.extend(found);
        }
        self.revisions.forget_all_but(&all);
        for one in &described {
            match self.service(one, &failed) {
                Ok(service) => seen.services.extend(service),
                Err(fault) => drop(seen.unreadable.insert(name_of(one)?, fault.to_string())),
            }
        }
        Ok(ClusterSnapshot { unread, ..seen })
    }

    async fn running(
        &self,
        cluster: &str,
        services: &[ServiceName],
    ) -> Result<BTreeMap<ServiceName, TaskImages>, Fault> {
        let tasks = if services.len() < MANY_SERVICES {
            at_once(services, async |name| service::tasks(&self.ecs, cluster, Some(name)).await)
                .await?
                .concat()
        } else {
            service::tasks(&self.ecs, cluster, None).await?
        };
        let mut running: BTreeMap<ServiceName, TaskImages> = BTreeMap::new();
        for task in tasks {
            let service = task.group().and_then(|group| group.strip_prefix("service:"));
            let name = service.and_then(|name| ServiceName::parse(name).ok());
            let Some(name) = name.filter(|name| services.contains(name)) else { continue };
            let images = running.entry(name).or_default();
            for container in task.containers() {
                let digests = images.entry(container.name().unwrap_or_default().to_owned()).or_default();
                match container.image_digest().map(Digest::parse) {
                    Some(Ok(digest)) => digests.seen.extend([digest]),
                    _ => digests.unknown = true,
                }
            }
        }
        Ok(running)
    }

    async fn loss(
        &self,
        arn: &TaskDefinitionArn,
        containers: &[String],
        to: &Digest,
    ) -> Result<Option<String>, Fault> {
        self.revisions.loss(arn, containers, to).await
    }

    async fn record(&self, arn: &TaskDefinitionArn) -> Result<(), Fault> {
        self.revisions.record(arn).await
    }

    fn roles(&self) -> Option<&[String]> {
        self.roles.as_deref()
    }
}

impl ports::Images for Aws {
    async fn images(
        &self,
        from: &RepositoryRef,
        images: &[ImageId],
    ) -> Result<BTreeMap<String, Digest>, Fault> {
        self.images.find(from, images).await
    }

    async fn index(&self, from: &RepositoryRef, tag: &Tag) -> Result<Option<Index>, Fault> {
        self.images.index(from, tag).await
    }

    async fn commit(&self, from: &RepositoryRef, digest: &Digest) -> Option<String> {
        self.images.commit(from, digest).await
    }

    async fn mutability(&self, of: &RepositoryRef) -> Result<Mutability, Fault> {
        self.images.mutability(of).await
    }

    async fn lifecycle(&self, of: &RepositoryRef) -> Result<Option<String>, Fault> {
        self.images.lifecycle(of).await
    }
}

impl Alarms for Aws {
    async fn alarms(&self, names: &BTreeSet<String>) -> Result<AlarmStates, Fault> {
        let names: Vec<String> = names.iter().cloned().collect();
        let mut states = BTreeMap::new();
        for some in names.chunks(ALARMS_PER_CALL) {
            let call = self.cloudwatch.describe_alarms().set_alarm_names(Some(some.to_vec()));
            let call = call.alarm_types(AlarmType::MetricAlarm).alarm_types(AlarmType::CompositeAlarm);
            let answer = call.max_records(100).send().await;
            let answer = answer.map_err(|error| fault_of("describe alarms", &error))?;
            for one in answer.metric_alarms() {
                // A change of the reason alone updates a state, too.
                let since = one.state_transitioned_timestamp().or(one.state_updated_timestamp());
                states.extend(named(one.alarm_name(), one.state_value(), since));
            }
            for one in answer.composite_alarms() {
                let since = one.state_transitioned_timestamp().or(one.state_updated_timestamp());
                states.extend(named(one.alarm_name(), one.state_value(), since));
            }
        }
        Ok(states)
    }
}

/// Returns an alarm by its name.
fn named(
    name: Option<&str>,
    state: Option<&StateValue>,
    since: Option<&DateTime>,
) -> Option<(String, Alarm)> {
    let state = match state {
        Some(StateValue::Ok) => AlarmState::Ok,
        Some(StateValue::Alarm) => AlarmState::InAlarm,
        _ => AlarmState::InsufficientData,
    };
    let since = since.and_then(|since| since.to_millis().ok()).map(Timestamp::from_millis);
    Some((name?.to_owned(), Alarm { state, since }))
}

impl Executions for Aws {
    async fn execution(&self, execution: &str) -> Result<Execution, Fault> {
        let answer = match self.sfn.describe_execution().execution_arn(execution).send().await {
            Ok(answer) => answer,
            Err(error) if error.as_service_error().is_some_and(|e| e.is_execution_does_not_exist()) => {
                return Ok(Execution::Unknown);
            }
            Err(error) => return Err(fault_of(&format!("describe {execution}"), &error)),
        };
        if matches!(answer.status().as_str(), "RUNNING" | "PENDING_REDRIVE") {
            return Ok(Execution::Running);
        }
        let stopped = answer.stop_date().and_then(|stopped| stopped.to_millis().ok());
        Ok(stopped.map_or(Execution::Running, |stopped| Execution::Ended(Timestamp::from_millis(stopped))))
    }

    async fn answer(&self, token: &str, answer: &Value) -> Result<bool, Fault> {
        let send = self.sfn.send_task_success().task_token(token).output(answer.to_string());
        match send.send().await {
            Ok(_) => Ok(true),
            // It was answered by somebody else, ran out of time, or its execution has ended.
            Err(error)
                if error.as_service_error().is_some_and(|known| {
                    matches!(known.code(), Some("TaskTimedOut" | "TaskDoesNotExist" | "InvalidToken"))
                }) =>
            {
                Ok(false)
            }
            Err(error) => Err(fault_of("answer the waiting release", &error)),
        }
    }

    async fn start(&self, machine: &str, name: &str, input: &Value) -> Result<(), Fault> {
        let start = self.sfn.start_execution().state_machine_arn(machine).name(name).input(input.to_string());
        match start.send().await {
            Ok(_) => Ok(()),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_execution_already_exists()) => Ok(()),
            Err(error) => Err(fault_of(&format!("start {name}"), &error)),
        }
    }
}

/// Reads from the settings who will ask live tests.
fn prober() -> Prober {
    let policy = Policy::of_settings();
    let outside = settings::optional("HEALTH_TEST_IN_VPC").as_deref() == Some("false");
    // Where everything runs on one machine there is no VPC, and every task can be reached.
    Prober { in_vpc: !outside || policy.loopback, policy }
}

/// Returns the names that Service Connect gives to a service.
fn connect_names(described: &Described) -> Vec<String> {
    let primary = described.deployments().iter().find(|one| one.status() == Some("PRIMARY"));
    let connect = primary.and_then(|primary| primary.service_connect_configuration());
    let services = connect.filter(|connect| connect.enabled()).map(|connect| connect.services());
    let named = services.into_iter().flatten().flat_map(|service| {
        let aliases = service.client_aliases().iter().filter_map(|alias| alias.dns_name());
        aliases.chain(service.discovery_name())
    });
    named.map(str::to_owned).collect()
}

fn name_of(described: &Described) -> Result<ServiceName, Fault> {
    ServiceName::parse(described.service_name().unwrap_or_default())
}

/// Returns the revision that a service is steering to; none if it has no deployment.
fn primary_of(described: &Described) -> Result<Option<TaskDefinitionArn>, Fault> {
    let deployments = service::deployments_of(described)?;
    Ok(deployments.into_iter().find(|one| one.primary).map(|primary| primary.task_definition))
}
