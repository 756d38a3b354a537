//! What a pack will ask, and what of it can never be asked.  Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::slice;
use std::time::Duration;

use pipeline::task_definition::OpenPort;
use serde_json::Value;
use url::Url;

use crate::check::Check;
use crate::kind::Kind;
use crate::kind::http::Http;
use crate::kind::logs::Logs;
use crate::mistake::{Mistake, expected};
use crate::pack::Pack;
use crate::policy::{Policy, Refusal};
use crate::ports::number;
use crate::span::Span;
use crate::template::Template;
use crate::texts;
use crate::values::Values;
use crate::variable::{self, Each};

/// The longest that an answer is waited for.
pub const LONGEST_ANSWER: Duration = Duration::from_secs(5);

/// Addresses that no service has (RFC 5737), and names that none has (RFC 2606), to read the rest of a URL with.
const SOME_TARGET: (&str, u16) = ("192.0.2.1", 4711);
const SOME_TASK: (&str, u16) = ("192.0.2.2", 4711);
const SOME_NAMED_PORT: u16 = 4712;
const SOME_BALANCER: &str = "balancer.invalid";
const SOME_BASE: &str = "base.invalid";

/// A host and a port that a check will connect to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Host {
    /// Each target of the service's tasks, at its own address and port.
    Target,
    /// Each task, at its own address.
    Task(TaskPort),
    /// The load balancer of the service, at this port.
    Balancer(u16),
    /// Wherever the service is asked by others.
    Base,
    /// This name or address.
    Named {
        /// The name, or the address without brackets.
        name: String,
        /// The port.
        port: u16,
    },
}

/// A port of a task.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TaskPort {
    /// The only one that it has.
    Only,
    /// The one of this name.
    Named(String),
    /// This one.
    Number(u16),
}

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
    /// Returns every host that will be asked, with the name of the first check that asks it.
    ///
    /// `known` has the values that are the same for the whole move, like `service`.
    pub fn hosts(&self, known: &Values) -> BTreeMap<Host, &str> {
        let mut hosts = BTreeMap::new();
        for check in &self.checks {
            for http in check.kind.requests() {
                if let Some(host) = host(http, &self.stand_ins(known, check)) {
                    hosts.entry(host).or_insert(check.name.as_str());
                }
            }
        }
        hosts
    }

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

    /// Says which secrets would go to a host that is neither the service's own nor one of `hosts`.
    pub fn strangers(&self, hosts: &BTreeSet<String>, known: &Values) -> Vec<String> {
        let mut all = Vec::new();
        for check in &self.checks {
            // What a step captures is a secret if it is quiet, or was told one.
            let mut captured = BTreeSet::new();
            for http in check.kind.requests() {
                let values = self.stand_ins(known, check);
                let tells = http.secrets().next().is_some() || http.uses(&captured);
                if tells || http.quiet {
                    captured.extend(http.captures.keys().map(String::as_str));
                }
                let Some(Host::Named { name, .. }) = host(http, &values) else { continue };
                if tells && !hosts.iter().any(|host| host.eq_ignore_ascii_case(&name)) {
                    all.push(format!(
                        "{}: check {:?}, key \"url\": it would send a secret to {name}: expected an address of the \
                         service, or a host that the environment lists in tests.hosts",
                        check.place, check.name
                    ));
                }
            }
        }
        all
    }

    /// Returns a value for every variable of a check.
    fn stand_ins(&self, known: &Values, check: &Check) -> Values {
        let mut values = known.clone().or(stand_ins(&self.variables));
        for name in self.secrets.keys() {
            values = values.with(variable::of_secret(name), "secret");
        }
        for name in check.kind.requests().iter().flat_map(|http| http.captures.keys()) {
            values.capture(name, "/");
        }
        values
    }
}

/// Returns a value for every variable that is no secret and no capture, of the shape that it has.
pub(crate) fn stand_ins(variables: &BTreeMap<String, Value>) -> Values {
    let (target, task) =
        (format!("{}:{}", SOME_TARGET.0, SOME_TARGET.1), format!("{}:{}", SOME_TASK.0, SOME_TASK.1));
    let values = variable::KNOWN.iter().fold(Values::default(), |values, known| {
        let value = match known.name {
            "target.address" => target.clone(),
            "task.address" => task.clone(),
            "task.ip" => SOME_TASK.0.to_owned(),
            "task.port" => SOME_TASK.1.to_string(),
            "task.port." => SOME_NAMED_PORT.to_string(),
            "target.dns" => SOME_BALANCER.to_owned(),
            "base.url" => format!("http://{SOME_BASE}"),
            name => name.to_owned(),
        };
        values.with(known.name, value)
    });
    variables.iter().fold(values, |values, (name, value)| values.with(name, value.clone()))
}

/// Returns the host that a request connects to; none if that cannot be read.
fn host(http: &Http, values: &Values) -> Option<Host> {
    let (name, port) = match &http.connect {
        Some(connect) => Policy { loopback: true }.connect(&connect.fill(values).ok()?).ok()?,
        None => {
            let url = Url::parse(&http.url.fill(values).ok()?).ok()?;
            (url.host_str()?.trim_matches(['[', ']']).to_owned(), url.port_or_known_default()?)
        }
    };
    Some(match (&*name, port) {
        SOME_TARGET => Host::Target,
        SOME_TASK => Host::Task(TaskPort::Only),
        (ip, port) if ip == SOME_TASK.0 => match named_port(http).filter(|_| port == SOME_NAMED_PORT) {
            Some(name) => Host::Task(TaskPort::Named(name.to_owned())),
            None => Host::Task(TaskPort::Number(port)),
        },
        (SOME_BALANCER, port) => Host::Balancer(port),
        (SOME_BASE, _) => Host::Base,
        (_, port) => Host::Named { name: name.clone(), port },
    })
}

/// Returns the name of the port of a task that a request asks.
fn named_port(http: &Http) -> Option<&str> {
    let texts = [http.connect.as_ref(), Some(&http.url.0)].into_iter().flatten();
    texts.flat_map(Template::variables).find_map(|name| name.strip_prefix("task.port."))
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
        (Some(variable), _) if mode != "awsvpc" => format!(
            "{variable} needs tasks with an address of their own, and the network mode of the service is {mode}: \
             ask through its load balancer, or use the network mode awsvpc"
        ),
        (Some(variable), _) if !site.in_vpc => format!(
            "{variable} is an address in the VPC, and the health-test function runs outside: \
             set the stack parameters SubnetIds and SecurityGroupIds, or ask a public load balancer"
        ),
        (Some(_), Some(Host::Task(port))) => {
            let (ports, containers) = site.ports?;
            number(ports, containers, &port).err()?
        }
        (Some(_), _) => return None,
    };
    Some(Mistake::at(key, why))
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
mod tests {
    use super::*;

    const TARGET: &str = "http://${target.address}/health";

    fn pack(http: &[&str]) -> Pack {
        let checks = http.iter().enumerate();
        let checks: Vec<String> =
            checks.map(|(n, http)| format!(r#"{{"name":"c{n}","http":{{{http}}}}}"#)).collect();
        Pack::read("pack", &format!(r#"{{"checks":[{}]}}"#, checks.join(","))).unwrap()
    }

    fn url(url: &str) -> String {
        format!(r#""url":"{url}""#)
    }

    #[test]
    fn every_host_is_named_once_with_its_port() {
        let urls = [
            TARGET,
            "http://users.example.org/a",
            "http://users.example.org:80/b",
            "https://users.example.org/",
            "http://[fd12::1]:8080/",
            "http://proxy.example.org/?of=${target.address}",
            "http://${target.address}/other",
        ];
        let urls = urls.map(url);
        let pack = pack(&urls.each_ref().map(String::as_str));
        let named = |name: &str, port| Host::Named { name: name.to_owned(), port };
        assert_eq!(
            pack.hosts(&Values::default()).into_iter().collect::<Vec<_>>(),
            [
                (Host::Target, "c0"),
                (named("fd12::1", 8080), "c4"),
                (named("proxy.example.org", 80), "c5"),
                (named("users.example.org", 80), "c1"),
                (named("users.example.org", 443), "c3"),
            ]
        );
    }

    fn check_never(http: &str, site: &Site<'_>, said: Option<&str>) {
        let never = pack(&[http]).never(site);
        match said {
            None => assert_eq!(never, [""; 0], "{http}"),
            Some(said) => {
                let [one] = &never[..] else { panic!("{http}: {never:?}") };
                assert!(one.starts_with("pack: check \"c0\", key ") && one.contains(said), "{one}");
            }
        }
    }

    #[test]
    fn what_can_never_be_asked_is_said_with_what_to_do() {
        let connect_names = &BTreeSet::from(["users.shop".to_owned()]);
        let good = Site {
            in_vpc: true,
            network_mode: Some("awsvpc"),
            target_groups: 1,
            ports: None,
            logged: None,
            connect_names,
            policy: Policy::default(),
        };
        let within = |within: &str| format!(r#""url":"http://a/","within":"{within}""#);
        let mode = |network_mode| Site { network_mode, ..good };
        for (http, site, said) in [
            (url(TARGET), good, None),
            (
                url(TARGET),
                Site { in_vpc: false, ..good },
                Some("\"url\": ${target.address} is an address in the VPC"),
            ),
            (url(TARGET), Site { target_groups: 0, ..good }, Some("the service has no target group")),
            (url(TARGET), mode(Some("bridge")), Some("the network mode of the service is bridge: ask")),
            (url(TARGET), mode(Some("host")), Some("is host")),
            (url(TARGET), mode(Some("none")), Some("is none")),
            (url(TARGET), mode(None), Some("is bridge")),
            (url("http://a/"), Site { in_vpc: false, target_groups: 0, ..mode(None) }, None),
            (url("http://users.shop:8080/"), good, Some("users.shop is a name of Service Connect")),
            (url("http://USERS.shop./"), good, Some("Service Connect")),
            (url("http://users.shop.example.org/"), good, None),
            (
                url("http://169.254.169.254/"),
                good,
                Some("\"url\": the policy refuses the address 169.254.169.254"),
            ),
            (url("http://${target.address}:80/"), good, Some("it cannot be read")),
            (within("5s"), good, None),
            (within("1ms"), good, None),
            (within("5001ms"), good, Some("\"within\": an answer is waited for 5 s at most, and 5001 ms")),
            (within("1m"), good, Some("write 5s or less")),
            (within("0s"), good, Some("\"within\": no answer takes no time")),
        ] {
            check_never(&http, &site, said);
        }
    }

    #[test]
    fn a_task_is_asked_where_it_has_an_address_and_the_port_that_is_meant() {
        let connect_names = &BTreeSet::new();
        let policy = Policy::default();
        let network_mode = Some("awsvpc");
        let (in_vpc, target_groups, ports, logged) = (true, 1, None, None);
        let good = Site { in_vpc, network_mode, target_groups, ports, logged, connect_names, policy };
        let mode = |network_mode| Site { network_mode, ..good };
        let none = Site { ports: Some((&[], &[])), target_groups: 0, ..good };
        for (http, site, said) in [
            (url("http://${task.address}/"), good, None),
            (
                url("http://${task.address}/"),
                Site { in_vpc: false, ..good },
                Some("${task.address} is an address in"),
            ),
            (
                url("http://${task.ip}:${task.port}/"),
                mode(None),
                Some("${task.address} needs tasks with an address"),
            ),
            (url("http://${task.address}/"), none, Some("its containers open none")),
            (url("http://${task.ip}:80/"), none, None),
            (url("http://${task.ip}:${task.port.a}/"), none, Some("${task.port.a} is no")),
            (url("http://${target.dns}/"), good, None),
            (url("http://${target.dns}/"), Site { target_groups: 0, ..good }, Some("the service has none")),
        ] {
            check_never(&http, &site, said);
        }
    }

    #[test]
    fn what_cloudwatch_can_never_be_asked_is_said_by_its_key() {
        let connect_names = &BTreeSet::new();
        let foreign = Some("its log driver is awsfirelens".to_owned());
        let containers = &[("app".to_owned(), None), ("proxy".to_owned(), foreign)].into();
        let (app, both) = (["app".to_owned()], ["app".to_owned(), "proxy".to_owned()]);
        let site = |moved, target_groups| Site {
            ports: None,
            in_vpc: false,
            network_mode: None,
            target_groups,
            logged: Some(Logged { containers, moved }),
            connect_names,
            policy: Policy::default(),
        };
        let metric = |name: &str| {
            format!(
                r#""metric":{{"namespace":"a","metric":"b","stat":"Sum","max":1,"dimensions":{{"c":"${{{name}}}"}}}}"#
            )
        };
        let driver = "key \"logs.container\": the log of the container \"proxy\" cannot be searched: its log driver is \
                      awsfirelens; expected the driver awslogs";
        for (check, site, said) in [
            (r#""logs":{"pattern":"a"}"#.to_owned(), site(&app[..], 0), None),
            (r#""logs":{"pattern":"a"}"#.to_owned(), site(&both[..], 0), Some(driver)),
            (r#""logs":{"pattern":"a","container":"proxy"}"#.to_owned(), site(&app[..], 0), Some(driver)),
            (
                r#""logs":{"pattern":"a","container":"prxy"}"#.to_owned(),
                site(&app[..], 0),
                Some("has no container \"prxy\": expected one of `app`, `proxy`; did you mean `proxy`?"),
            ),
            (metric("target.group"), site(&app[..], 1), None),
            (metric("service"), site(&app[..], 0), None),
            (
                metric("target.group"),
                site(&app[..], 0),
                Some(
                    "key \"metric.dimensions\": ${target.group} is the only target group of a service, and this one has none",
                ),
            ),
            (
                metric("target.group"),
                site(&app[..], 2),
                Some("and this one has 2: write the dimension itself"),
            ),
        ] {
            let pack = Pack::read("pack", &format!(r#"{{"checks":[{{"name":"w",{check}}}]}}"#)).unwrap();
            let never = pack.never(&site);
            assert_eq!(pack.nowhere(Policy::default()), [""; 0]);
            match said {
                None => assert_eq!(never, [""; 0], "{check}"),
                Some(said) => assert!(never.len() == 1 && never[0].contains(said), "{check}: {never:?}"),
            }
        }
    }

    #[test]
    fn every_check_that_can_never_be_asked_is_said() {
        let late = r#""url":"http://127.0.0.1/","within":"10s""#;
        assert_eq!(pack(&[&url(TARGET), late, late]).nowhere(Policy::default()).len(), 4);
        assert_eq!(pack(&[&url(TARGET), late]).nowhere(Policy { loopback: true }).len(), 1);
    }

    #[test]
    fn a_secret_goes_to_no_stranger_by_a_capture_and_no_address_is_connected_to_elsewhere() {
        let step = |name: &str, url: &str, more: &str| format!(r#"{{"name":"{name}","url":"{url}"{more}}}"#);
        let own = "http://${target.address}/";
        let capture = r#","captures":{"x":{"body":true}}"#;
        let sends = r#","headers":{"x":"${x}"}"#;
        for (first, strangers) in [
            (step("a", own, &format!(r#"{capture},"quiet":true"#)), 1),
            (step("a", own, &format!(r#"{capture},"headers":{{"t":"${{secret.t}}"}}"#)), 1),
            (step("a", own, capture), 0),
        ] {
            let second = step("b", "https://stranger.example/", sends);
            let text = format!(
                r#"{{"secrets":{{"t":{{"parameter":"/t"}}}},"checks":[{{"name":"c","journey":[{first},{second}]}}]}}"#
            );
            let pack = Pack::read("pack", &text).unwrap();
            assert_eq!(pack.strangers(&BTreeSet::new(), &Values::default()).len(), strangers, "{text}");
        }
        for (url, refused) in [("http://203.0.113.9/", 1), (TARGET, 1), ("http://users.example/", 0)] {
            let http = format!(r#""url":"{url}","connect":"lb.example:80""#);
            assert_eq!(pack(&[&http]).nowhere(Policy::default()).len(), refused, "{url}");
        }
    }
}
