//! What of a pack can never be asked of a service.  Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::slice;
use std::time::Duration;

use pipeline::task_definition::OpenPort;
use url::Url;

use crate::asked::{Host, TaskPort, host};
use crate::check::Check;
use crate::kind::Kind;
use crate::kind::http::Http;
use crate::kind::logs::Logs;
use crate::mistake::{Mistake, expected};
use crate::pack::Pack;
use crate::policy::{Policy, Refusal};
use crate::ports::number;
use crate::span::Span;
use crate::texts;
use crate::values::Values;
use crate::variable::{self, Each};

/// The longest that an answer is waited for.
pub const LONGEST_ANSWER: Duration = Duration::from_secs(5);

/// The network modes whose tasks have an address, of their own or of their instance.
const ASKED_MODES: [&str; 3] = ["awsvpc", "bridge", "host"];

/// What is known of the service that a pack is for, and of the function that will ask.
#[derive(Clone, Copy, Debug)]
pub struct Site<'a> {
    /// Whether health-test runs in a VPC.
    pub in_vpc: bool,
    /// The network mode of the task definition; none means the default of ECS, which is bridge.
    pub network_mode: Option<&'a str>,
    /// How many target groups the service has.
    pub target_groups: usize,
    /// The ports of its tasks, as far as they are known, and the containers that run our image.
    pub ports: Option<(&'a [OpenPort], &'a [String])>,
    /// What of the service's tasks is logged where it can be searched; none where it is no one service.
    pub logged: Option<Logged<'a>>,
    /// The names that Service Connect gives to services of the cluster.
    pub connect_names: &'a BTreeSet<String>,
    /// Which hosts may be asked.
    pub policy: Policy,
}

/// What is known of the logs of a service.
#[derive(Clone, Copy, Debug)]
pub struct Logged<'a> {
    /// Each container of the task definition; with it why its log cannot be searched, if it cannot.
    pub containers: &'a BTreeMap<String, Option<String>>,
    /// Those whose image is moved.
    pub moved: &'a [String],
}

impl Pack {
    /// Says of every check that can never be asked why not, and what to do.
    pub fn never(&self, site: &Site<'_>) -> Vec<String> {
        let mut all = Vec::new();
        for check in &self.checks {
            for Mistake { key, why } in watched(check, site) {
                all.push(format!("{}: check {:?}, key {key:?}: {why}", check.place, check.name));
            }
            let values = self.stand_ins(&Values::default(), check);
            for (at, http) in check.kind.requests().iter().enumerate() {
                for mistake in
                    anywhere(http, &values, site.policy).into_iter().chain(here(check, http, &values, site))
                {
                    let is_step = matches!(check.kind, Kind::Journey(_));
                    let step = format!("journey[{at}]");
                    let Mistake { key, why } = if is_step { mistake.under(&step) } else { mistake };
                    all.push(format!("{}: check {:?}, key {key:?}: {why}", check.place, check.name));
                }
            }
        }
        all
    }

    /// Says the same of what can be asked nowhere, whatever the service.
    pub fn nowhere(&self, policy: Policy) -> Vec<String> {
        let connect_names = &BTreeSet::new();
        let network_mode = Some("awsvpc");
        let (in_vpc, target_groups, ports, logged) = (true, 1, None, None);
        self.never(&Site { in_vpc, network_mode, target_groups, ports, logged, connect_names, policy })
    }
}

/// Says what is wrong with a request wherever its service runs.
fn anywhere(http: &Http, values: &Values, policy: Policy) -> Vec<Mistake> {
    let url = match http.url.fill(values) {
        Ok(url) => policy.url(&url).err().map(|Refusal(why)| format!("{why}: ask another host")),
        Err(unfilled) => Some(unfilled.to_string()),
    };
    let connect = http.connect.as_ref().and_then(|connect| match connect.fill(values) {
        Ok(connect) => policy.connect(&connect).err().map(|Refusal(why)| why),
        Err(unfilled) => Some(unfilled.to_string()),
    });
    let named = || Url::parse(&http.url.fill(values).ok()?).ok()?.domain().map(str::to_owned);
    let has_address = http.connect.is_some() && url.is_none() && named().is_none();
    let connect = connect.or_else(|| {
        let why =
            "only a name can be connected to elsewhere, and the URL has an address: write a name into it";
        has_address.then(|| why.to_owned())
    });
    let slow = http.percentiles.0.values().find_map(|limit| too_long(*limit));
    let found = [
        ("url", url),
        ("connect", connect),
        ("within", http.within.and_then(too_long)),
        ("percentiles", slow),
    ];
    found.into_iter().filter_map(|(key, why)| Some(Mistake::at(key, why?))).collect()
}

/// Says why an answer cannot take so long.
fn too_long(Span(within): Span) -> Option<String> {
    let longest = LONGEST_ANSWER.as_secs();
    match within {
        Duration::ZERO => Some(format!("no answer takes no time: write 1ms to {longest}s, or leave it out")),
        within if within > LONGEST_ANSWER => Some(format!(
            "an answer is waited for {longest} s at most, and {} ms are allowed: write {longest}s or less",
            within.as_millis()
        )),
        _ => None,
    }
}

/// Says why a check cannot be asked of this service.
fn here(check: &Check, http: &Http, values: &Values, site: &Site<'_>) -> Option<Mistake> {
    let mode = site.network_mode.unwrap_or("bridge");
    let key = if http.connect.is_some() { "connect" } else { "url" };
    let variable = match check.each {
        Each::Once => None,
        Each::Task => Some("${task.address}"),
        Each::Target => Some("${target.address}"),
    };
    let why = match (variable, host(http, values)) {
        (None, Some(Host::Balancer(_))) if site.target_groups == 0 => {
            "${target.dns} is the name of a load balancer, and the service has none: ask a name that resolves in the \
             VPC"
            .to_owned()
        }
        (None, Some(Host::Named { name, .. })) => {
            let plain = name.trim_end_matches('.');
            site.connect_names.iter().find(|connect| connect.eq_ignore_ascii_case(plain))?;
            format!(
                "{name} is a name of Service Connect, and only tasks in its namespace can resolve it: \
                 ask ${{task.address}}, ${{target.address}} or a load balancer"
            )
        }
        (None, _) => return None,
        (Some(variable), _) if check.each == Each::Target && site.target_groups == 0 => format!(
            "{variable} is an address in a target group, and the service has no target group: \
             ask a name that resolves in the VPC"
        ),
        (Some(variable), _) if !ASKED_MODES.contains(&mode) => format!(
            "{variable} needs tasks that can be connected to by an address, and the network mode of the service is \
             {mode}: ask through its load balancer, or use one of the network modes {}",
            ASKED_MODES.join(", ")
        ),
        (Some(variable), _) if !site.in_vpc => format!(
            "{variable} is an address in the VPC, and the health-test function runs outside: \
             set the stack parameters SubnetIds and SecurityGroupIds, or ask a public load balancer"
        ),
        (Some(_), Some(Host::Task(TaskPort::Number(number)))) if mode != "awsvpc" => {
            of_the_instance(number, mode, site)?
        }
        (Some(_), Some(Host::Task(port))) => {
            let (ports, containers) = site.ports?;
            number(ports, containers, &port).err()?
        }
        (Some(_), _) => return None,
    };
    Some(Mistake::at(key, why))
}

/// Says why a port that is written as a number may be a stranger's: tasks share the address of their instance.
fn of_the_instance(number: u16, mode: &str, site: &Site<'_>) -> Option<String> {
    let opens = |(ports, _): (&[OpenPort], _)| ports.iter().any(|port| port.number == number);
    let is_its_own = mode == "host" && site.ports.is_none_or(opens);
    (!is_its_own).then(|| {
        format!(
            "in the network mode {mode} ${{task.ip}} is the address of an instance, whose port {number} may be another \
             service's: write ${{task.port}} or ${{task.port.NAME}}"
        )
    })
}

/// Says why CloudWatch cannot be asked for a check of this service.
fn watched(check: &Check, site: &Site<'_>) -> Vec<Mistake> {
    match &check.kind {
        Kind::Logs(logs) => site.logged.iter().flat_map(|logged| unlogged(logs, logged)).collect(),
        Kind::Metric(_) if site.target_groups != 1 => {
            let uses = texts::variables(&check.kind).into_iter().find(|(_, name)| *name == variable::GROUP);
            let why = format!(
                "${{{}}} is the only target group of a service, and this one has {}: write the dimension itself",
                variable::GROUP,
                if site.target_groups == 0 { "none".to_owned() } else { site.target_groups.to_string() }
            );
            uses.into_iter().map(|(key, _)| Mistake::at(key, why.clone()).under("metric")).collect()
        }
        _ => Vec::new(),
    }
}

/// Says which of the containers whose lines count cannot be searched.
fn unlogged(logs: &Logs, logged: &Logged<'_>) -> Vec<Mistake> {
    let containers = logs.container.as_ref().map_or(logged.moved, slice::from_ref);
    let wrong = containers.iter().filter_map(|name| match logged.containers.get(name) {
        None => {
            let names = logged.containers.keys().map(String::as_str);
            Some(format!("the task definition has no container {name:?}: {}", expected(name, names)))
        }
        Some(why) => why.as_ref().map(|why| {
            format!(
                "the log of the container {name:?} cannot be searched: {why}; expected the driver awslogs"
            )
        }),
    });
    wrong.map(|why| Mistake::at("container", why).under("logs")).collect()
}

#[cfg(test)]
pub(crate) mod tests;
