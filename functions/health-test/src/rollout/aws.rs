//! The port's adapter: ECS, the load balancers, Parameter Store and CloudWatch.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::OnceLock;

use aws_config::SdkConfig;
use aws_sdk_ecs::types::{
    Container as DescribedContainer, Service as DescribedService, Task as DescribedTask, TransportProtocol,
};
use aws_sdk_elasticloadbalancingv2::types::TargetHealthDescription;
use pack::kind::metric::Asked;
use pipeline::alarm;
use pipeline::aws::fault_of;
use pipeline::clock::Timestamp;
use pipeline::environment::tests_path;
use pipeline::ids::{DeploymentId, Digest, PackHash, ReleaseId, TaskDefinitionArn};
use pipeline::ledger::{Key, Ledger};
use pipeline::payload::{MoveKey, MoveRef};
use pipeline::rows::{MoveRow, RunRow};
use pipeline::service::{self, deployments_of};
use pipeline::service_deployment::{self, ServiceDeployment};
use pipeline::task_definition::TaskDefinition;
use pipeline::{Fault, settings};
use serde_json::json;

use super::routes::balancer_of;
use super::{
    Binding, Container, Ended, Found, OnInstance, Pair, Port, Ports, Progress, Requests, Route, RunNote,
    RunTask, Search, Service, Span, Stream, Target, Task, instances, logs, metrics, search,
};
use crate::tests_row::TestsRow;

/// AWS.
#[derive(Debug)]
pub struct Aws {
    ecs: aws_sdk_ecs::Client,
    elb: aws_sdk_elasticloadbalancingv2::Client,
    ssm: aws_sdk_ssm::Client,
    logs: aws_sdk_cloudwatchlogs::Client,
    config: SdkConfig,
    /// Made for the first metric: few releases need one.
    cloudwatch: OnceLock<aws_sdk_cloudwatch::Client>,
    ledger: Ledger,
    own_groups: Vec<String>,
}

impl Aws {
    /// Makes the adapter.
    pub fn new(config: &SdkConfig, ledger: Ledger) -> Self {
        Aws {
            ledger,
            own_groups: settings::list("SECURITY_GROUP_IDS").unwrap_or_default(),
            ecs: aws_sdk_ecs::Client::new(config),
            elb: aws_sdk_elasticloadbalancingv2::Client::new(config),
            ssm: aws_sdk_ssm::Client::new(config),
            logs: aws_sdk_cloudwatchlogs::Client::new(config),
            config: config.clone(),
            cloudwatch: OnceLock::new(),
        }
    }

    fn cloudwatch(&self) -> &aws_sdk_cloudwatch::Client {
        self.cloudwatch.get_or_init(|| aws_sdk_cloudwatch::Client::new(&self.config))
    }
}

impl Port for Aws {
    async fn service(&self, row: &MoveRow) -> Result<Option<Service>, Fault> {
        let found = service::describe(&self.ecs, &row.cluster, &row.service).await?;
        found.as_ref().map(service_of).transpose()
    }

    async fn shift(
        &self,
        row: &MoveRow,
        deployment: &DeploymentId,
        started: Timestamp,
        known: Option<&str>,
    ) -> Result<Option<ServiceDeployment>, Fault> {
        match known {
            Some(arn) => service_deployment::read(&self.ecs, arn).await,
            None => {
                let (cluster, service) = (&row.cluster, &row.service);
                service_deployment::find(&self.ecs, cluster, service, deployment, started).await
            }
        }
    }

    async fn tasks(&self, row: &MoveRow) -> Result<Vec<Task>, Fault> {
        let tasks = service::tasks(&self.ecs, &row.cluster, Some(&row.service)).await?;
        Ok(tasks.iter().map(task_of).collect())
    }

    async fn ports(&self, revision: &TaskDefinitionArn) -> Result<Ports, Fault> {
        let revision = TaskDefinition::read(&self.ecs, revision).await?;
        Ok(Ports { open: revision.ports(), are_of_host: revision.is_on_host_network() })
    }

    async fn instances(&self, row: &MoveRow, arns: &[String]) -> Result<BTreeMap<String, String>, Fault> {
        instances::ids(&self.ecs, &row.cluster, arns).await
    }

    async fn addresses(&self, instances: &[String]) -> Result<BTreeMap<String, IpAddr>, Fault> {
        instances::addresses(&self.ssm, instances).await
    }

    async fn balancer(&self, groups: &[String]) -> Result<String, Fault> {
        let asked =
            self.elb.describe_target_groups().set_target_group_arns(Some(groups.to_vec())).send().await;
        let asked = asked.map_err(|error| fault_of("describe the target groups", &error))?;
        let mut balancers: Vec<String> =
            asked.target_groups().iter().flat_map(|group| group.load_balancer_arns().to_vec()).collect();
        balancers.sort();
        balancers.dedup();
        let [balancer] = balancers.as_slice() else {
            let count = balancers.len();
            return Err(Fault::InvalidInput(format!(
                "${{target.dns}} is the name of the service's load balancer, and it has {count}: expected one"
            )));
        };
        let found = self.elb.describe_load_balancers().load_balancer_arns(balancer).send().await;
        let found = found.map_err(|error| fault_of("describe the load balancer", &error))?;
        let name = found.load_balancers().iter().find_map(|one| one.dns_name());
        name.map(str::to_owned).ok_or_else(|| Fault::NotFound(format!("the load balancer {balancer}")))
    }

    async fn targets(&self, groups: &[String]) -> Result<Vec<Target>, Fault> {
        let mut targets = Vec::new();
        for arn in groups {
            let name = arn.rsplit('/').nth(1).unwrap_or(arn);
            let answer = self.elb.describe_target_health().target_group_arn(arn).send().await;
            let answer =
                answer.map_err(|error| fault_of(&format!("describe the targets of {name}"), &error))?;
            targets.extend(answer.target_health_descriptions().iter().map(|one| target_of(name, one)));
        }
        Ok(targets)
    }

    async fn pack(&self, row: &MoveRow) -> Result<Option<String>, Fault> {
        let path = tests_path(&row.environment, &row.service);
        match self.ssm.get_parameter().name(&path).send().await {
            Ok(answer) => Ok(answer.parameter.and_then(|parameter| parameter.value)),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_parameter_not_found()) => Ok(None),
            Err(error) => Err(fault_of(&format!("read the parameter {path}"), &error)),
        }
    }

    async fn secret(&self, parameter: &str) -> Result<String, Fault> {
        let read = self.ssm.get_parameter().name(parameter).with_decryption(true).send().await;
        let missing = || Fault::NotFound(format!("the parameter {parameter}"));
        match read {
            Ok(answer) => answer.parameter.and_then(|parameter| parameter.value).ok_or_else(missing),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_parameter_not_found()) => {
                Err(missing())
            }
            Err(error) => Err(fault_of(&format!("read the parameter {parameter}"), &error)),
        }
    }

    async fn kept(&self, key: &Key) -> Result<Option<TestsRow>, Fault> {
        self.ledger.get(key).await
    }

    async fn keep(&self, key: &Key, row: &TestsRow) -> Result<bool, Fault> {
        let earlier = ("attribute_not_exists(pk) OR #look < :look", json!({"look": row.standing.look}));
        self.ledger.put_when(key, row, earlier).await
    }

    async fn runs(&self, key: &MoveKey) -> Result<Vec<RunRow>, Fault> {
        match key.which {
            MoveRef::Ordinal(n) => self.ledger.runs(&key.release, key.wave, n).await,
            MoveRef::Inline(_) => Ok(Vec::new()),
        }
    }

    async fn order(&self, key: &MoveKey, order: &RunRow) -> Result<(), Fault> {
        let MoveRef::Ordinal(n) = key.which else { return Ok(()) };
        self.ledger.put_new(&Key::run(&key.release, key.wave, n, &order.name), order).await?;
        Ok(())
    }

    async fn note_run(&self, key: &MoveKey, name: &str, what: RunNote) -> Result<(), Fault> {
        let MoveRef::Ordinal(n) = key.which else { return Ok(()) };
        let fields = match what {
            RunNote::Stop => json!({"stop": true}),
            RunNote::Over => json!({"over": true}),
        };
        let there = ("attribute_exists(pk)", json!({}));
        let place = Key::run(&key.release, key.wave, n, name);
        self.ledger.set(&place, fields, Some(there)).await?;
        Ok(())
    }

    async fn ran(&self, row: &MoveRow, tasks: &[String]) -> Result<Vec<RunTask>, Fault> {
        logs::ran(&self.ecs, row, tasks).await
    }

    async fn pinned(&self, packs: &[PackHash]) -> Result<BTreeMap<PackHash, String>, Fault> {
        self.ledger.pinned(packs).await
    }

    async fn moves(&self, release: &ReleaseId) -> Result<Vec<MoveRow>, Fault> {
        Ok(self.ledger.moves(release).await?.into_iter().map(|(_, row)| row).collect())
    }

    fn own_groups(&self) -> &[String] {
        &self.own_groups
    }

    async fn ended(&self, row: &MoveRow) -> Result<Vec<Ended>, Fault> {
        logs::ended(&self.ecs, row).await
    }

    async fn logged(
        &self,
        row: &MoveRow,
        revision: &TaskDefinitionArn,
        tasks: &[String],
        lines: i32,
    ) -> Result<Vec<Vec<String>>, Fault> {
        logs::logged(&self.ecs, &self.logs, row, revision, tasks, lines).await
    }

    async fn streams(&self, revision: &TaskDefinitionArn, tasks: &[String]) -> Result<Vec<Stream>, Fault> {
        search::streams(&self.ecs, revision, tasks).await
    }

    async fn search(&self, search: &Search) -> Result<Found, Fault> {
        search::search(&self.logs, search).await
    }

    async fn measure(
        &self,
        queries: &[Asked],
        begins: Timestamp,
        seconds: i64,
    ) -> Result<Option<f64>, Fault> {
        metrics::measure(self.cloudwatch(), queries, begins, seconds).await
    }

    async fn alarmed(&self, row: &MoveRow) -> Result<Option<String>, Fault> {
        let states = alarm::describe(self.cloudwatch(), &row.alarms.iter().cloned().collect()).await?;
        Ok(alarm::first_against(row, &states).cloned())
    }

    async fn requests(&self, routes: &[Route], span: Span) -> Result<Requests, Fault> {
        metrics::requests(self.cloudwatch(), routes, span).await
    }
}

fn service_of(found: &DescribedService) -> Result<Service, Fault> {
    let known = deployments_of(found)?.into_iter().zip(found.deployments());
    let deployments = known.map(|(deployment, described)| Progress {
        deployment,
        reason: described.rollout_state_reason().unwrap_or_default().to_owned(),
        desired: described.desired_count(),
        running: described.running_count(),
        failed: described.failed_tasks(),
    });
    let groups = found.load_balancers().iter().filter_map(|balancer| balancer.target_group_arn());
    let pairs = found.load_balancers().iter().filter_map(|balancer| {
        let advanced = balancer.advanced_configuration()?;
        let groups = [balancer.target_group_arn()?, advanced.alternate_target_group_arn()?];
        let rule = advanced.production_listener_rule().unwrap_or_default();
        Some(Pair { groups: groups.map(str::to_owned), balancer: balancer_of(rule) })
    });
    let network = found.network_configuration().and_then(|network| network.awsvpc_configuration());
    Ok(Service {
        desired: found.desired_count(),
        deployments: deployments.collect(),
        target_groups: groups.map(str::to_owned).collect(),
        pairs: pairs.collect(),
        security_groups: network.map(|network| network.security_groups().to_vec()).unwrap_or_default(),
    })
}

fn task_of(found: &DescribedTask) -> Task {
    let arn = found.task_arn().unwrap_or_default();
    let containers = found.containers().iter().map(|container| Container {
        name: container.name().unwrap_or_default().to_owned(),
        image: container.image().unwrap_or_default().to_owned(),
        digest: container.image_digest().and_then(|digest| Digest::parse(digest).ok()),
    });
    // All containers of a task in an awsvpc network share its one interface, which may have an address of each kind.
    let interface = found.containers().iter().find_map(|container| container.network_interfaces().first());
    let addresses = interface.map(|one| [one.private_ipv4_address(), one.ipv6_address()]);
    let addresses = addresses.into_iter().flatten().flatten().filter_map(|address| address.parse().ok());
    let addresses: Vec<IpAddr> = addresses.collect();
    let on_instance = found.container_instance_arn().filter(|_| addresses.is_empty()).map(|arn| OnInstance {
        instance: arn.to_owned(),
        bindings: found.containers().iter().flat_map(bindings_of).collect(),
    });
    Task {
        id: arn.rsplit('/').next().unwrap_or(arn).to_owned(),
        started_by: found.started_by().unwrap_or_default().to_owned(),
        running: found.last_status() == Some("RUNNING"),
        containers: containers.collect(),
        addresses,
        on_instance,
    }
}

fn bindings_of(found: &DescribedContainer) -> impl Iterator<Item = Binding> {
    let number = |port: Option<i32>| port.and_then(|port| u16::try_from(port).ok());
    found.network_bindings().iter().filter_map(move |one| {
        // No protocol means TCP.
        let is_tcp = one.protocol().is_none_or(|protocol| *protocol == TransportProtocol::Tcp);
        is_tcp.then_some(())?;
        Some(Binding {
            container: found.name().unwrap_or_default().to_owned(),
            port: number(one.container_port())?,
            host_port: number(one.host_port())?,
        })
    })
}

fn target_of(group: &str, found: &TargetHealthDescription) -> Target {
    let health = found.target_health();
    Target {
        group: group.to_owned(),
        id: found.target().and_then(|target| target.id()).unwrap_or_default().to_owned(),
        port: found.target().and_then(|target| target.port()).unwrap_or_default(),
        state: health.and_then(|health| health.state()).map_or("unknown", |state| state.as_str()).to_owned(),
        reason: health.and_then(|health| health.description()).unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ecs::types::{NetworkBinding, NetworkInterface};

    #[test]
    fn a_task_has_an_address_of_its_own_or_ports_of_its_instance() {
        let binding = |port, host_port| NetworkBinding::builder().container_port(port).host_port(host_port);
        let app = DescribedContainer::builder().name("app");
        let bound = app
            .clone()
            .network_bindings(binding(8125, 32767).protocol(TransportProtocol::Udp).build())
            .network_bindings(
                binding(8080, 32768).protocol(TransportProtocol::Tcp).bind_ip("0.0.0.0").build(),
            )
            .network_bindings(binding(9090, 32769).build())
            .network_bindings(NetworkBinding::builder().container_port_range("7000-7010").build());
        let task =
            DescribedTask::builder().task_arn("arn:task/shop/t1").container_instance_arn("arn:instance");
        let shares = task_of(&task.clone().containers(bound.build()).build());
        let at = |port, host_port| Binding { container: "app".to_owned(), port, host_port };
        let instance = "arn:instance".to_owned();
        let expected = OnInstance { instance, bindings: vec![at(8080, 32768), at(9090, 32769)] };
        assert_eq!((shares.addresses, shares.on_instance), (vec![], Some(expected)));

        let interface = NetworkInterface::builder().private_ipv4_address("10.0.0.1").build();
        let own = task_of(&task.containers(app.network_interfaces(interface).build()).build());
        let address: IpAddr = "10.0.0.1".parse().unwrap();
        assert_eq!((own.addresses, own.on_instance), (vec![address], None), "its instance is of no interest");
        let neither = task_of(&DescribedTask::builder().build());
        assert_eq!((neither.addresses, neither.on_instance), (vec![], None));
    }
}
