//! Where live tests are asked: at the targets of the new tasks, at the tasks themselves, or at their load balancer.

use std::net::{IpAddr, SocketAddr};

use pack::asked::TaskPort;
use pack::ports;
use pack::{Check, Each, Values};
use pipeline::ids::TaskDefinitionArn;
use pipeline::rows::MoveRow;
use pipeline::task_definition::OpenPort;

use crate::rollout::Port;

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
}

/// One place to ask a check at.
pub struct Place {
    /// What it is called in the name of an attempt.
    pub name: String,
    /// The address of the task behind it; none if it is not one task.
    pub task: Option<IpAddr>,
    /// What its variables stand for.
    pub values: Values,
}

/// The places of one round, as far as its checks need them.
pub struct Places {
    targets: Vec<String>,
    tasks: Vec<IpAddr>,
    /// The ports of the tasks, and the containers that run our image; or why they are not known.
    ports: Result<(Vec<OpenPort>, Vec<String>), String>,
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
        let (mut ports, mut balancer) = (Ok((Vec::new(), Vec::new())), Ok(String::new()));
        if due.iter().any(|check| check.each == Each::Task) {
            let read = port.ports(revision.unwrap_or(&row.running)).await;
            ports = read.map(|ports| (ports, row.containers.clone())).map_err(|fault| fault.to_string());
        }
        if due.iter().any(|check| check.uses(BALANCER)) {
            balancer = port.balancer(&proven.groups).await.map_err(|fault| fault.to_string());
        }
        Places { ports, balancer, ..Places::at(proven.clone()) }
    }

    /// Takes what is proven, with no ports and no load balancer.
    pub fn at(Proven { targets, tasks, .. }: Proven) -> Self {
        Places { targets, tasks, ports: Ok(<_>::default()), balancer: Ok(String::new()) }
    }

    /// Takes what is proven, and why nothing else is known.
    pub fn unread(proven: &Proven, why: &str) -> Self {
        let (ports, balancer) = (Err(why.to_owned()), Err(why.to_owned()));
        Places { ports, balancer, ..Places::at(proven.clone()) }
    }

    /// Returns where a check is asked, or why it cannot be.
    ///
    /// A load balancer would answer from one target at random, so each is asked.
    pub fn of_check(&self, check: &Check) -> Result<Vec<Place>, String> {
        let places: Vec<Place> = match check.each {
            Each::Once => vec![Place { name: "once".to_owned(), task: None, values: Values::default() }],
            Each::Target => self.targets.iter().map(|at| target(at)).collect(),
            Each::Task => {
                let (ports, containers) = self.ports.as_ref().map_err(Clone::clone)?;
                self.tasks.iter().map(|address| task(*address, ports, containers)).collect()
            }
        };
        if places.is_empty() {
            let (asked, what) = match check.each {
                Each::Task => ("${task.address}", "task"),
                _ => ("${target.address}", "target"),
            };
            return Err(format!("it asks {asked}, and no {what} of the service has an address of its own"));
        }
        if !check.uses(BALANCER) {
            return Ok(places);
        }
        let balancer = self.balancer.as_ref().map_err(Clone::clone)?;
        let with = |place: Place| Place { values: place.values.with(BALANCER, balancer.as_str()), ..place };
        Ok(places.into_iter().map(with).collect())
    }
}

fn target(at: &str) -> Place {
    let task = at.parse::<SocketAddr>().ok().map(|socket| socket.ip());
    Place { name: at.to_owned(), task, values: Values::default().with("target.address", at) }
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
    Place { name: ip, task: Some(address), values }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pack::Pack;

    fn places(url: &str, places: &Places) -> Result<Vec<String>, String> {
        let text = format!(r#"{{"checks":[{{"name":"a","http":{{"url":"{url}"}}}}]}}"#);
        let pack = Pack::read("pack", &text).unwrap();
        let [http] = pack.checks[0].kind.requests() else { panic!("{text}") };
        let found = places.of_check(&pack.checks[0])?;
        Ok(found
            .iter()
            .map(|place| http.request(&place.values).map_or_else(|e| e.to_string(), |r| r.url))
            .collect())
    }

    fn port(container: &str, name: Option<&str>, number: u16) -> OpenPort {
        OpenPort { container: container.to_owned(), name: name.map(str::to_owned), number }
    }

    fn some() -> Places {
        let ports = vec![port("app", Some("http"), 8080), port("proxy", Some("admin"), 9901)];
        let proven = Proven {
            targets: vec!["10.0.0.1:80".to_owned()],
            tasks: vec!["10.0.0.1".parse().unwrap(), "fd12::2".parse().unwrap()],
            groups: Vec::new(),
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

    #[test]
    fn what_is_not_known_is_said_by_the_checks_that_need_it() {
        let why = || Err("AWS did not say".to_owned());
        let lost = || Places { ports: Err("AWS did not say".to_owned()), balancer: why(), ..some() };
        assert_eq!(places("http://${task.address}/", &lost()), Err("AWS did not say".to_owned()));
        assert_eq!(places("http://${target.dns}/", &lost()), Err("AWS did not say".to_owned()));
        assert!(places("http://${target.address}/", &lost()).is_ok() && places("http://a/", &lost()).is_ok());
        let none = Places { tasks: Vec::new(), ..some() };
        let none = places("http://${task.address}/", &none).unwrap_err();
        assert_eq!(none, "it asks ${task.address}, and no task of the service has an address of its own");
    }
}
