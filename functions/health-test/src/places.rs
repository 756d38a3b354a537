//! Where live tests are asked: at the targets of the new tasks, at the tasks themselves, or at their load balancer.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use pack::asked::TaskPort;
use pack::ports;
use pack::{Check, Each, Values};
use pipeline::ids::TaskDefinitionArn;
use pipeline::rows::MoveRow;
use pipeline::task_definition::OpenPort;

use crate::instances::{Instances, Shared, SharedTask, bound};
use crate::rollout::{InstancePort, Port, Ports, Task};

/// What stands for the name of a load balancer.
const BALANCER: &str = "target.dns";

/// What a poll has proven before it asks anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proven {
    /// The healthy targets of our tasks, each with its port.
    pub targets: Vec<String>,
    /// The addresses of our tasks, one of each; of those that have one of their own.
    pub tasks: Vec<IpAddr>,
    /// The target groups of the service.
    pub groups: Vec<String>,
    /// What has no address of its own of our tasks and their healthy targets.
    pub shared: Shared,
}

/// One place to ask a check at.
pub struct Place {
    /// What it is called in the name of an attempt.
    pub name: String,
    /// The task behind it; none if it is not one task.
    pub task: Option<Behind>,
    /// What its variables stand for, or why that is not known.
    pub values: Result<Values, String>,
}

/// The one task behind a place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Behind {
    /// The one that has this address of its own.
    Address(IpAddr),
    /// The one of this id, on the address of its instance.
    Task(String),
    /// The one at this port of an instance.
    Port(InstancePort),
}

impl Behind {
    /// Tells whether it is this task; `ids` says which instances container instances are.
    pub fn is(&self, task: &Task, ids: &BTreeMap<String, String>) -> bool {
        match self {
            Behind::Address(address) => task.addresses.contains(address),
            Behind::Task(id) => task.id == *id,
            // A task whose instance or ports are not known may be it.
            Behind::Port(InstancePort { instance, port }) => task.on_instance.as_ref().is_some_and(|on| {
                let bindings = &on.bindings;
                ids.get(&on.instance).is_none_or(|id| id == instance)
                    && (bindings.is_empty() || bindings.iter().any(|one| one.host_port == *port))
            }),
        }
    }
}

/// The places of one round, as far as its checks need them.
pub struct Places {
    proven: Proven,
    /// The ports of the tasks, and the containers that run our image; or why they are not known.
    ports: Result<(Ports, Vec<String>), String>,
    /// Where the instances are that tasks and targets share; or why that is not known.
    instances: Result<Instances, String>,
    /// The name of the load balancer, or why it is not known.
    balancer: Result<String, String>,
}

impl Places {
    /// Reads what the checks that are due have to know; `revision` is what the tasks run.
    pub async fn of(
        port: &impl Port,
        row: &MoveRow,
        revision: Option<&TaskDefinitionArn>,
        proven: &Proven,
        due: &[&Check],
    ) -> Self {
        let (mut ports, mut balancer) = (Ok(<_>::default()), Ok(String::new()));
        let asks = |each| due.iter().any(|check| check.each == each);
        if asks(Each::Task) {
            let read = port.ports(revision.unwrap_or(&row.running)).await;
            ports = read.map(|ports| (ports, row.containers.clone())).map_err(|fault| fault.to_string());
        }
        if due.iter().any(|check| check.uses(BALANCER)) {
            balancer = port.balancer(&proven.groups).await.map_err(|fault| fault.to_string());
        }
        let Shared { tasks, targets } = proven.shared.clone();
        let asked = Shared {
            tasks: if asks(Each::Task) { tasks } else { Vec::new() },
            targets: if asks(Each::Target) { targets } else { Vec::new() },
        };
        let instances = Instances::of(port, row, &asked).await.map_err(|fault| fault.to_string());
        Places { ports, instances, balancer, ..Places::at(proven.clone()) }
    }

    /// Takes what is proven, with no ports, no instances and no load balancer.
    pub fn at(proven: Proven) -> Self {
        let (instances, balancer) = (Ok(Instances::default()), Ok(String::new()));
        Places { proven, ports: Ok(<_>::default()), instances, balancer }
    }

    /// Takes what is proven, and why nothing else is known.
    pub fn unread(proven: &Proven, why: &str) -> Self {
        let why = || why.to_owned();
        Places { ports: Err(why()), instances: Err(why()), balancer: Err(why()), proven: proven.clone() }
    }

    /// Returns where a check is asked, or why it cannot be.
    ///
    /// A load balancer would answer from one target at random, so each is asked.
    pub fn of_check(&self, check: &Check) -> Result<Vec<Place>, String> {
        let Proven { targets, tasks, shared, .. } = &self.proven;
        let places: Vec<Place> = match check.each {
            Each::Once => vec![Place { name: "once".to_owned(), task: None, values: Ok(Values::default()) }],
            Each::Target => {
                let on_instances = shared.targets.iter().map(|target| self.on_instance(target));
                targets.iter().map(|at| target(at)).chain(on_instances).collect()
            }
            Each::Task => {
                let (ports, containers) = self.ports.as_ref().map_err(Clone::clone)?;
                let own = tasks.iter().map(|address| task(*address, &ports.open, containers));
                let on_instances = shared.tasks.iter().map(|task| self.shared(task, ports, containers));
                own.chain(on_instances).collect()
            }
        };
        if places.is_empty() {
            let (asked, what) = match check.each {
                Each::Task => ("${task.address}", "task"),
                _ => ("${target.address}", "target"),
            };
            return Err(format!("it asks {asked}, and no {what} of the service has an address"));
        }
        if !check.uses(BALANCER) {
            return Ok(places);
        }
        let balancer = self.balancer.as_ref().map_err(Clone::clone)?;
        let with = |place: Place| {
            let values = place.values.map(|values| values.with(BALANCER, balancer.as_str()));
            Place { values, ..place }
        };
        Ok(places.into_iter().map(with).collect())
    }

    /// Returns the place of a target that is a port of an instance.
    fn on_instance(&self, at: &InstancePort) -> Place {
        let InstancePort { instance, port } = at;
        let address = self.instances.as_ref().map_err(Clone::clone).and_then(|all| all.of_id(instance));
        let values = address.map(|address| {
            Values::default().with("target.address", SocketAddr::new(address, *port).to_string())
        });
        Place { name: format!("{instance}:{port}"), task: Some(Behind::Port(at.clone())), values }
    }

    /// Returns the place of a task that shares the address of its instance.
    fn shared(&self, shared: &SharedTask, ports: &Ports, containers: &[String]) -> Place {
        let address = self.instances.as_ref().map_err(Clone::clone).and_then(|all| all.of_task(shared));
        let values = address.and_then(|address| {
            let at = bound(ports, &shared.on);
            match at.is_empty() && !ports.open.is_empty() {
                true => Err(format!("no port of the task {} is bound to one of its instance", shared.id)),
                false => task(address, &at, containers).values,
            }
        });
        // Two tasks of one instance have the same address.
        Place { name: shared.id.clone(), task: Some(Behind::Task(shared.id.clone())), values }
    }
}

fn target(at: &str) -> Place {
    let task = at.parse::<SocketAddr>().ok().map(|socket| Behind::Address(socket.ip()));
    Place { name: at.to_owned(), task, values: Ok(Values::default().with("target.address", at)) }
}

fn task(address: IpAddr, ports: &[OpenPort], containers: &[String]) -> Place {
    let ip = if address.is_ipv6() { format!("[{address}]") } else { address.to_string() };
    let mut values = Values::default().with("task.ip", ip.as_str());
    if let Ok(port) = ports::number(ports, containers, &TaskPort::Only) {
        values = values.with("task.port", port.to_string()).with("task.address", format!("{ip}:{port}"));
    }
    for port in ports {
        if let Some(name) = &port.name {
            values = values.with(format!("task.port.{name}"), port.number.to_string());
        }
    }
    Place { name: ip, task: Some(Behind::Address(address)), values: Ok(values) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollout::{Binding, OnInstance, samples};
    use pack::Pack;

    fn places(url: &str, places: &Places) -> Result<Vec<String>, String> {
        let text = format!(r#"{{"checks":[{{"name":"a","http":{{"url":"{url}"}}}}]}}"#);
        let pack = Pack::read("pack", &text).unwrap();
        let [http] = pack.checks[0].kind.requests() else { panic!("{text}") };
        let found = places.of_check(&pack.checks[0])?;
        let url = |place: &Place| match &place.values {
            Ok(values) => http.request(values).map_or_else(|e| e.to_string(), |r| r.url),
            Err(why) => why.clone(),
        };
        Ok(found.iter().map(url).collect())
    }

    fn port(container: &str, name: Option<&str>, number: u16) -> OpenPort {
        OpenPort { container: container.to_owned(), name: name.map(str::to_owned), number }
    }

    fn some() -> Places {
        let open = vec![port("app", Some("http"), 8080), port("proxy", Some("admin"), 9901)];
        let ports = Ports { open, are_of_host: false };
        let proven = Proven {
            targets: vec!["10.0.0.1:80".to_owned()],
            tasks: vec!["10.0.0.1".parse().unwrap(), "fd12::2".parse().unwrap()],
            ..Proven::default()
        };
        let balancer = Ok("users.elb.amazonaws.com".to_owned());
        Places { ports: Ok((ports, vec!["app".to_owned()])), balancer, ..Places::at(proven) }
    }

    #[test]
    fn each_task_is_asked_at_its_own_address_and_the_port_of_our_container_or_a_named_one() {
        for (url, expected) in [
            ("http://${task.address}/", ["http://10.0.0.1:8080/", "http://[fd12::2]:8080/"]),
            ("http://${task.ip}:${task.port}/", ["http://10.0.0.1:8080/", "http://[fd12::2]:8080/"]),
            ("http://${task.ip}:${task.port.admin}/", ["http://10.0.0.1:9901/", "http://[fd12::2]:9901/"]),
            ("http://${task.ip}:81/", ["http://10.0.0.1:81/", "http://[fd12::2]:81/"]),
        ] {
            assert_eq!(places(url, &some()), Ok(expected.map(str::to_owned).to_vec()));
        }
        assert_eq!(places("http://${target.address}/", &some()).unwrap(), ["http://10.0.0.1:80/"]);
        assert_eq!(places("http://${target.dns}/", &some()).unwrap(), ["http://users.elb.amazonaws.com/"]);
    }

    fn on(arn: &str, bindings: &[(&str, u16, u16)]) -> OnInstance {
        let binding = |(container, port, host_port): &(&str, u16, u16)| Binding {
            container: (*container).to_owned(),
            port: *port,
            host_port: *host_port,
        };
        OnInstance { instance: arn.to_owned(), bindings: bindings.iter().map(binding).collect() }
    }

    /// Two tasks on one instance, one on an instance that is not managed, and one of which nothing is bound.
    fn in_bridge() -> Places {
        let task = |id: &str, on| SharedTask { id: id.to_owned(), on };
        let tasks = vec![
            task("t1", on("arn-1", &[("app", 8080, 32768), ("proxy", 9901, 32770)])),
            task("t2", on("arn-1", &[("app", 8080, 32769)])),
            task("t3", on("arn-2", &[("app", 8080, 32768)])),
            task("t4", on("arn-1", &[])),
        ];
        let targets = [32768, 32769].map(|port| InstancePort { instance: "i-1".to_owned(), port });
        let instances = Instances::known(&[("arn-1", "i-1"), ("arn-2", "i-2")], &[("i-1", "10.0.0.7")]);
        let shared = Shared { tasks, targets: targets.to_vec() };
        let proven = Proven { shared, ..Proven::default() };
        Places { proven, instances: Ok(instances), ..some() }
    }

    #[test]
    fn two_tasks_of_one_instance_are_asked_at_its_address_each_at_its_own_port() {
        let bridge = in_bridge();
        let unknown = "the address of the instance i-2 is not known";
        let unbound = "no port of the task t4 is bound to one of its instance";
        for (url, expected) in [
            (
                "http://${task.address}/",
                ["http://10.0.0.7:32768/", "http://10.0.0.7:32769/", unknown, unbound],
            ),
            (
                "http://${task.ip}:${task.port}/",
                ["http://10.0.0.7:32768/", "http://10.0.0.7:32769/", unknown, unbound],
            ),
            (
                "http://${task.ip}:${task.port.admin}/",
                ["http://10.0.0.7:32770/", "${task.port.admin} has no value", unknown, unbound],
            ),
        ] {
            let found = places(url, &bridge).unwrap();
            assert!(
                found.len() == 4 && found.iter().zip(expected).all(|(one, begin)| one.starts_with(begin)),
                "{found:?}"
            );
        }
        let found = places("http://${target.address}/", &bridge).unwrap();
        assert_eq!(found, ["http://10.0.0.7:32768/", "http://10.0.0.7:32769/"]);
        let check = r#"{"checks":[{"name":"a","http":{"url":"http://${task.address}/"}}]}"#;
        let pack = Pack::read("pack", check).unwrap();
        let named: Vec<String> =
            bridge.of_check(&pack.checks[0]).unwrap().into_iter().map(|place| place.name).collect();
        assert_eq!(named, ["t1", "t2", "t3", "t4"], "each attempt has an id of its own");

        let (open, containers) =
            bridge.ports.clone().map(|(ports, containers)| (ports.open, containers)).unwrap();
        let host = Places { ports: Ok((Ports { open, are_of_host: true }, containers)), ..bridge };
        let found = places("http://${task.address}/", &host).unwrap();
        assert_eq!(
            found[..2],
            ["http://10.0.0.7:8080/", "http://10.0.0.7:8080/"],
            "the ports are the instance's"
        );
        let lost = Places { instances: Err("AWS did not say".to_owned()), ..host };
        assert_eq!(places("http://${target.address}/", &lost).unwrap(), ["AWS did not say"; 2]);
    }

    #[test]
    fn the_task_behind_a_place_is_known_by_its_address_its_id_or_its_port() {
        let on = |arn: &str, ports: &[u16]| {
            let bindings: Vec<_> = ports.iter().map(|port| ("app", 8080, *port)).collect();
            on(arn, &bindings)
        };
        let own = samples::task("t1", 2, "b");
        let shared = |on| Task { addresses: vec![], on_instance: Some(on), ..samples::task("t2", 2, "b") };
        let ids =
            [("arn-1", "i-1"), ("arn-2", "i-2")].map(|(arn, id)| (arn.to_owned(), id.to_owned())).into();
        let address = Behind::Address("10.0.0.1".parse().unwrap());
        let port = Behind::Port(InstancePort { instance: "i-1".to_owned(), port: 32768 });
        for (behind, task, expected) in [
            (&address, own.clone(), true),
            (&address, shared(on("arn-1", &[32768])), false),
            (&Behind::Task("t2".to_owned()), shared(on("arn-1", &[])), true),
            (&Behind::Task("t2".to_owned()), own.clone(), false),
            (&port, shared(on("arn-1", &[32767, 32768])), true),
            (&port, shared(on("arn-1", &[32769])), false),
            (&port, shared(on("arn-2", &[32768])), false),
            (&port, shared(on("arn-1", &[])), true),
            (&port, shared(on("arn-3", &[32768])), true),
            (&port, own, false),
        ] {
            assert_eq!(behind.is(&task, &ids), expected, "{behind:?} {task:?}");
        }
    }

    #[test]
    fn what_is_not_known_is_said_by_the_checks_that_need_it() {
        let why = || Err("AWS did not say".to_owned());
        let lost = || Places { ports: Err("AWS did not say".to_owned()), balancer: why(), ..some() };
        assert_eq!(places("http://${task.address}/", &lost()), Err("AWS did not say".to_owned()));
        assert_eq!(places("http://${target.dns}/", &lost()), Err("AWS did not say".to_owned()));
        assert!(places("http://${target.address}/", &lost()).is_ok() && places("http://a/", &lost()).is_ok());
        let none = Places { proven: Proven::default(), ..some() };
        let none = places("http://${task.address}/", &none).unwrap_err();
        assert_eq!(none, "it asks ${task.address}, and no task of the service has an address");
    }
}
