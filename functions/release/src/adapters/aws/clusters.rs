//! What ECS knows of the services of a cluster.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecs::types::{DeploymentConfiguration, DeploymentLifecycleHookStage, Service as Described};
use futures_util::{StreamExt, TryStreamExt, stream};
use pipeline::aws::fault_of;
use pipeline::ids::{Digest, ServiceName, TaskDefinitionArn};
use pipeline::service_deployment::Stage;
use pipeline::{Fault, service, service_deployment};

use super::Aws;
use super::revisions::{Budget, Failed};
use crate::at_once;
use crate::ports::{
    ClusterSnapshot, Clusters, Pause, Revision, Revisions as Known, Service, Shifting, TaskImages,
};

/// How many services ECS describes in one call.
const SERVICES_PER_CALL: usize = 10;

/// How many such calls for services are under way at once.  ECS takes 100 and 20 a second after that, for the whole
/// account; a call takes it 100 to 400 ms.
const DESCRIBED_AT_ONCE: usize = 8;

/// How many services are described before their revisions are read.
const SERVICES_PER_TURN: usize = DESCRIBED_AT_ONCE * SERVICES_PER_CALL;

/// From how many services on it takes fewer calls to read the tasks of their whole cluster.
const MANY_SERVICES: usize = 10;

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

    async fn pointed(&self, cluster: &str) -> Result<BTreeMap<ServiceName, TaskDefinitionArn>, Fault> {
        let found = self.describe(cluster, &self.list(cluster).await?).await?;
        // Of a service that cannot be read here a release says why.
        Ok(found.iter().filter_map(|one| Some((name_of(one).ok()?, primary_of(one).ok()??))).collect())
    }

    async fn revisions(&self, arns: &BTreeSet<TaskDefinitionArn>) -> Result<Known, Fault> {
        let (mut budget, mut failed) = (Budget::new(), Failed::new());
        let unread = self.revisions.read_and_keep(arns, &mut budget, &mut failed).await?;
        let mut read = BTreeMap::new();
        for arn in arns {
            // A record that is unreadable is a mistake of one revision, and of no other.
            read.extend(self.revisions.revision(arn).ok().flatten().map(|one| (arn.clone(), one)));
        }
        Ok(Known { read, unread })
    }

    async fn running(
        &self,
        cluster: &str,
        services: &BTreeMap<ServiceName, TaskDefinitionArn>,
    ) -> Result<BTreeMap<ServiceName, TaskImages>, Fault> {
        let tasks = if services.len() < MANY_SERVICES {
            let names: Vec<&ServiceName> = services.keys().collect();
            at_once(&names, async |name| service::tasks(&self.ecs, cluster, Some(name)).await).await?.concat()
        } else {
            service::tasks(&self.ecs, cluster, None).await?
        };
        let mut running: BTreeMap<ServiceName, TaskImages> = BTreeMap::new();
        for task in tasks {
            let service = task.group().and_then(|group| group.strip_prefix("service:"));
            let name = service.and_then(|name| ServiceName::parse(name).ok());
            let revision = task.task_definition_arn();
            let is_of_it = |name: &ServiceName| {
                services.get(name).is_some_and(|pointed| Some(pointed.as_str()) == revision)
            };
            let Some(name) = name.filter(is_of_it) else { continue };
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

    async fn open_shifts(&self, cluster: &str, service: &ServiceName) -> Result<Vec<String>, Fault> {
        service_deployment::open(&self.ecs, cluster, service).await
    }

    fn roles(&self) -> Option<&[String]> {
        self.roles.as_deref()
    }
}

impl Aws {
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
            shifting: configuration.map(shifting_of).unwrap_or_default(),
            desired: described.desired_count(),
            running: described.running_count(),
            deployments,
            alarms: alarms.unwrap_or_default(),
            balanced: balanced.collect(),
            connect: connect_names(described),
            revision,
        }))
    }
}

/// Reads how traffic is shifted; what ECS does not show of a hook is unknown.
fn shifting_of(configuration: &DeploymentConfiguration) -> Shifting {
    let hooks = configuration.lifecycle_hooks().iter();
    // What names no function waits for a person.
    let pauses = hooks.filter(|hook| {
        hook.target_type().map_or(hook.hook_target_arn().is_none(), |kind| kind.as_str() == "PAUSE")
    });
    let mut timeouts = pauses.clone().filter_map(|hook| hook.timeout_configuration());
    let gates = pauses.clone().flat_map(|hook| {
        let minutes = hook.timeout_configuration().and_then(|timeout| timeout.timeout_in_minutes());
        let at =
            move |stage: &DeploymentLifecycleHookStage| Pause { stage: Stage::of(stage.as_str()), minutes };
        hook.lifecycle_stages().iter().map(at)
    });
    Shifting {
        gates: gates.collect(),
        goes_on: timeouts.any(|timeout| timeout.action().is_some_and(|action| action.as_str() == "CONTINUE")),
        planned_minutes: planned_minutes(configuration),
    }
}

/// Returns how long the steps and the bake take, if nothing waits for an answer.
fn planned_minutes(configuration: &DeploymentConfiguration) -> u32 {
    let steps = configuration.linear_configuration().map_or(0, |linear| {
        let share = linear.step_percent().unwrap_or(10.0).max(3.0);
        let pauses = (100.0 / share).ceil() as i32 - 1;
        pauses * linear.step_bake_time_in_minutes().unwrap_or(6)
    });
    let canary = configuration.canary_configuration();
    let canary = canary.map_or(0, |canary| canary.canary_bake_time_in_minutes().unwrap_or(10));
    let bake = configuration.bake_time_in_minutes().unwrap_or_default();
    u32::try_from(steps + canary + bake).unwrap_or_default()
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
