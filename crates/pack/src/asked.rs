//! What a pack will ask, and whom it would tell its secrets.  Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use url::Url;

use crate::check::Check;
use crate::kind::http::Http;
use crate::pack::Pack;
use crate::policy::Policy;
use crate::template::Template;
use crate::values::Values;
use crate::variable;

/// Addresses that no service has (RFC 5737), and names that none has (RFC 2606), to read the rest of a URL with.
const SOME_TARGET: (&str, u16) = ("192.0.2.1", 4711);
const SOME_TASK: (&str, u16) = ("192.0.2.2", 4711);
const SOME_NAMED_PORT: u16 = 4712;
const SOME_BALANCER: &str = "balancer.invalid";

/// A host and a port that a check will connect to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Host {
    /// Each target of the service's tasks, at its own address and port.
    Target,
    /// Each task, at its own address.
    Task(TaskPort),
    /// The load balancer of the service, at this port.
    Balancer(u16),
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
    pub(crate) fn stand_ins(&self, known: &Values, check: &Check) -> Values {
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
            name => name.to_owned(),
        };
        values.with(known.name, value)
    });
    variables.iter().fold(values, |values, (name, value)| values.with(name, value.clone()))
}

/// Returns the host that a request connects to; none if that cannot be read.
pub(crate) fn host(http: &Http, values: &Values) -> Option<Host> {
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
        (_, port) => Host::Named { name: name.clone(), port },
    })
}

/// Returns the name of the port of a task that a request asks.
fn named_port(http: &Http) -> Option<&str> {
    let texts = [http.connect.as_ref(), Some(&http.url.0)].into_iter().flatten();
    texts.flat_map(Template::variables).find_map(|name| name.strip_prefix("task.port."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::tests::{TARGET, pack, url};

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
