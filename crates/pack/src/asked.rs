//! What a pack will ask, and what of it can never be asked.  Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use url::Url;

use crate::policy::{Policy, Refusal};
use crate::{ADDRESS, Check, LONGEST_ANSWER, Pack, Span};

/// A target that no service has, to read the rest of a URL with (RFC 5737).
const SOME_TARGET: &str = "192.0.2.1:4711";

/// A host and a port that a check will connect to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Host {
    /// Each target of the service's tasks, at its own address and port.
    Target,
    /// This name or address.
    Named {
        /// The name, or the address without brackets.
        name: String,
        /// The port.
        port: u16,
    },
}

/// What is known of the service that a pack is for, and of the function that will ask.
#[derive(Clone, Copy, Debug)]
pub struct Site<'a> {
    /// Whether health-test runs in a VPC.
    pub in_vpc: bool,
    /// The network mode of the task definition; none means the default of ECS, which is bridge.
    pub network_mode: Option<&'a str>,
    /// Whether the service has a target group.
    pub has_targets: bool,
    /// The names that Service Connect gives to services of the cluster.
    pub connect_names: &'a BTreeSet<String>,
    /// Which hosts may be asked.
    pub policy: Policy,
}

impl Pack {
    /// Returns every host that will be asked, with the name of the first check that asks it.
    pub fn hosts(&self) -> BTreeMap<Host, &str> {
        let mut hosts = BTreeMap::new();
        for check in &self.checks {
            if let Some(host) = check.host() {
                hosts.entry(host).or_insert(check.name.as_str());
            }
        }
        hosts
    }

    /// Says of every check that can never be asked why not, and what to do.
    pub fn never(&self, site: &Site<'_>) -> Vec<String> {
        let sentence =
            |check: &Check, (key, why): (&str, String)| format!("check {:?}, key {key:?}: {why}", check.name);
        let all = |check| anywhere(check, site.policy).into_iter().chain(here(check, site));
        self.checks.iter().flat_map(|check| all(check).map(|why| sentence(check, why))).collect()
    }

    /// Says the same of what can be asked nowhere, whatever the service.
    pub fn nowhere(&self, policy: Policy) -> Vec<String> {
        let connect_names = &BTreeSet::new();
        let network_mode = Some("awsvpc");
        self.never(&Site { in_vpc: true, network_mode, has_targets: true, connect_names, policy })
    }
}

impl Check {
    /// Returns the host that it asks; none if its URL cannot be read.
    pub fn host(&self) -> Option<Host> {
        let url = Url::parse(&self.http.url_for(SOME_TARGET)).ok()?;
        let (name, port) = (url.host_str()?.trim_matches(['[', ']']), url.port_or_known_default()?);
        if self.is_per_target() && format!("{name}:{port}") == SOME_TARGET {
            return Some(Host::Target);
        }
        Some(Host::Named { name: name.to_owned(), port })
    }
}

/// Says what is wrong with a check wherever its service runs.
fn anywhere(check: &Check, policy: Policy) -> Vec<(&'static str, String)> {
    let refused = policy.url(&check.http.url_for(SOME_TARGET)).err();
    let refused = refused.map(|Refusal(why)| ("url", format!("{why}: ask another host")));
    let longest = LONGEST_ANSWER.as_secs();
    let within = check.http.within.map(|Span(within)| within).and_then(|within| match within {
        Duration::ZERO => Some(format!("no answer takes no time: write 1ms to {longest}s, or leave it out")),
        within if within > LONGEST_ANSWER => Some(format!(
            "an answer is waited for {longest} s at most, and {} ms are allowed: write {longest}s or less",
            within.as_millis()
        )),
        _ => None,
    });
    refused.into_iter().chain(within.map(|why| ("within", why))).collect()
}

/// Says why a check cannot be asked of this service.
fn here(check: &Check, site: &Site<'_>) -> Option<(&'static str, String)> {
    let mode = site.network_mode.unwrap_or("bridge");
    let why = if !check.is_per_target() {
        let Host::Named { name, .. } = check.host()? else { return None };
        let plain = name.trim_end_matches('.');
        site.connect_names.iter().find(|connect| connect.eq_ignore_ascii_case(plain))?;
        format!(
            "{name} is a name of Service Connect, and only tasks in its namespace can resolve it: \
             ask {ADDRESS} or a load balancer"
        )
    } else if !site.has_targets {
        format!(
            "{ADDRESS} is an address in a target group, and the service has no target group: \
             ask a name that resolves in the VPC"
        )
    } else if mode != "awsvpc" {
        format!(
            "{ADDRESS} needs tasks with an address of their own, and the network mode of the service is {mode}: \
             ask through its load balancer, or use the network mode awsvpc"
        )
    } else if !site.in_vpc {
        format!(
            "{ADDRESS} is an address in the VPC, and the health-test function runs outside: \
             set the stack parameters SubnetIds and SecurityGroupIds, or ask a public load balancer"
        )
    } else {
        return None;
    };
    Some(("url", why))
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
            pack.hosts().into_iter().collect::<Vec<_>>(),
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
    fn what_can_never_be_asked_is_said_with_what_to_do() {
        let connect_names = &BTreeSet::from(["users.shop".to_owned()]);
        let good = Site {
            in_vpc: true,
            network_mode: Some("awsvpc"),
            has_targets: true,
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
            (url(TARGET), Site { has_targets: false, ..good }, Some("the service has no target group")),
            (url(TARGET), mode(Some("bridge")), Some("the network mode of the service is bridge: ask")),
            (url(TARGET), mode(Some("host")), Some("is host")),
            (url(TARGET), mode(Some("none")), Some("is none")),
            (url(TARGET), mode(None), Some("is bridge")),
            (url("http://a/"), Site { in_vpc: false, has_targets: false, ..mode(None) }, None),
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
            let never = pack(&[&http]).never(&site);
            match said {
                None => assert_eq!(never, [""; 0], "{http}"),
                Some(said) => {
                    let [one] = &never[..] else { panic!("{http}: {never:?}") };
                    assert!(one.starts_with("check \"c0\", key ") && one.contains(said), "{one}");
                }
            }
        }
    }

    #[test]
    fn every_check_that_can_never_be_asked_is_said() {
        let late = r#""url":"http://127.0.0.1/","within":"10s""#;
        assert_eq!(pack(&[&url(TARGET), late, late]).nowhere(Policy::default()).len(), 4);
        assert_eq!(pack(&[&url(TARGET), late]).nowhere(Policy { loopback: true }).len(), 1);
    }
}
