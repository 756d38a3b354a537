//! Where tasks and targets are that share the address of their instance: in the network modes bridge and host.

use std::collections::BTreeMap;
use std::net::IpAddr;

use pipeline::Fault;
use pipeline::rows::MoveRow;
use pipeline::task_definition::OpenPort;

use crate::rollout::{Binding, InstancePort, OnInstance, Port, Ports, Target, Task};

/// How the ids of instances outside AWS begin.
const EXTERNAL: &str = "mi-";

/// What of a service has no address of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shared {
    /// Its tasks.
    pub tasks: Vec<SharedTask>,
    /// Its targets.
    pub targets: Vec<InstancePort>,
}

/// A task that has no address of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedTask {
    /// The last part of its ARN.
    pub id: String,
    /// Where it is.
    pub on: OnInstance,
}

impl Shared {
    /// Picks them from tasks and targets.
    pub fn of<'a>(
        tasks: impl IntoIterator<Item = &'a Task>,
        targets: impl IntoIterator<Item = &'a Target>,
    ) -> Self {
        let tasks = tasks
            .into_iter()
            .filter_map(|task| Some(SharedTask { id: task.id.clone(), on: task.on_instance.clone()? }));
        let mut targets: Vec<InstancePort> = targets.into_iter().filter_map(Target::on_instance).collect();
        targets.sort();
        targets.dedup();
        Shared { tasks: tasks.collect(), targets }
    }
}

/// The instances of some tasks and targets.
#[derive(Debug, Default)]
pub struct Instances {
    /// Which instance a container instance is.
    ids: BTreeMap<String, String>,
    /// The addresses of those that Systems Manager manages.
    addresses: BTreeMap<String, IpAddr>,
}

impl Instances {
    /// Reads what has to be known of them; asks nothing if nothing is shared.
    pub async fn of(port: &impl Port, row: &MoveRow, shared: &Shared) -> Result<Self, Fault> {
        let mut arns: Vec<String> = shared.tasks.iter().map(|task| task.on.instance.clone()).collect();
        arns.sort();
        arns.dedup();
        let ids = match arns.is_empty() {
            true => BTreeMap::new(),
            false => port.instances(row, &arns).await?,
        };
        let of_targets = shared.targets.iter().map(|target| &target.instance);
        let mut wanted: Vec<String> = ids.values().chain(of_targets).cloned().collect();
        wanted.retain(|id| !id.starts_with(EXTERNAL));
        wanted.sort();
        wanted.dedup();
        let addresses = match wanted.is_empty() {
            true => BTreeMap::new(),
            false => port.addresses(&wanted).await?,
        };
        Ok(Instances { ids, addresses })
    }

    /// Knows these container instances, and these addresses.
    #[cfg(test)]
    pub(crate) fn known(ids: &[(&str, &str)], addresses: &[(&str, &str)]) -> Self {
        let texts = |(one, other): &(&str, &str)| ((*one).to_owned(), (*other).to_owned());
        let addresses = addresses.iter().map(|(id, address)| ((*id).to_owned(), address.parse().unwrap()));
        Instances { ids: ids.iter().map(texts).collect(), addresses: addresses.collect() }
    }

    /// Returns the address of the instance that a task is on, or why it is not known.
    pub fn of_task(&self, SharedTask { id, on }: &SharedTask) -> Result<IpAddr, String> {
        let OnInstance { instance, .. } = on;
        let known = self.ids.get(instance);
        let gone = || format!("ECS does not know the container instance {instance} of the task {id}");
        self.of_id(known.ok_or_else(gone)?)
    }

    /// Returns the address of an instance, or why it is not known and what to do.
    pub fn of_id(&self, id: &str) -> Result<IpAddr, String> {
        if id.starts_with(EXTERNAL) {
            return Err(format!(
                "the instance {id} is outside AWS, where health-test reaches nothing: ask through the load balancer, or by \
                 a suite"
            ));
        }
        self.addresses.get(id).copied().ok_or_else(|| {
            format!(
                "the address of the instance {id} is not known, since Systems Manager does not manage it: run the SSM Agent \
                 on it, with the policy AmazonSSMManagedInstanceCore in its role, or ask through the load balancer"
            )
        })
    }
}

/// Returns the ports that a revision opens as a task has them on its instance; what is not bound is left out.
pub fn bound(ports: &Ports, on: &OnInstance) -> Vec<OpenPort> {
    let at = |open: &OpenPort| {
        let binds = |one: &&Binding| one.container == open.container && one.port == open.number;
        on.bindings.iter().find(binds).map(|binding| binding.host_port)
    };
    let open = ports.open.iter();
    let bound = open.filter_map(|open| {
        let number = if ports.are_of_host { open.number } else { at(open)? };
        Some(OpenPort { number, ..open.clone() })
    });
    bound.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(container: &str, number: u16) -> OpenPort {
        OpenPort { container: container.to_owned(), name: Some(format!("{container}-port")), number }
    }

    fn binding(container: &str, port: u16, host_port: u16) -> Binding {
        Binding { container: container.to_owned(), port, host_port }
    }

    #[test]
    fn a_port_is_the_one_of_the_instance_that_is_bound_to_it_and_on_the_host_network_itself() {
        let on = OnInstance {
            instance: "arn".to_owned(),
            bindings: vec![binding("proxy", 8080, 32769), binding("app", 8080, 32768)],
        };
        let all = vec![open("app", 8080), open("proxy", 8080), open("app", 9090)];
        let numbers = |are_of_host| {
            let ports = Ports { open: all.clone(), are_of_host };
            bound(&ports, &on).into_iter().map(|one| (one.container, one.number)).collect::<Vec<_>>()
        };
        let named = |all: &[(&str, u16)]| {
            all.iter().map(|(name, number)| ((*name).to_owned(), *number)).collect::<Vec<_>>()
        };
        assert_eq!(numbers(false), named(&[("app", 32768), ("proxy", 32769)]), "9090 is not bound");
        assert_eq!(numbers(true), named(&[("app", 8080), ("proxy", 8080), ("app", 9090)]));
    }

    #[test]
    fn an_instance_whose_address_is_not_known_is_named_with_what_to_do() {
        let ids = [("arn-1", "i-1"), ("arn-2", "i-2"), ("arn-3", "mi-3")];
        let instances = Instances::known(&ids, &[("i-1", "10.0.0.1")]);
        let on = |arn: &str| OnInstance { instance: arn.to_owned(), bindings: Vec::new() };
        let of = |arn: &str| instances.of_task(&SharedTask { id: "t1".to_owned(), on: on(arn) });
        assert_eq!(of("arn-1"), Ok("10.0.0.1".parse().unwrap()));
        let unmanaged = of("arn-2").unwrap_err();
        assert!(unmanaged.starts_with("the address of the instance i-2 is not known, since Systems Manager"));
        assert!(unmanaged.contains("run the SSM Agent") && instances.of_id("i-2") == Err(unmanaged));
        assert!(of("arn-3").unwrap_err().starts_with("the instance mi-3 is outside AWS"));
        assert_eq!(of("arn-4").unwrap_err(), "ECS does not know the container instance arn-4 of the task t1");
    }
}
