//! Where a live test may go.
//!
//! A pack is written by whoever owns a service; it must not become a way into what only health-test can reach:
//! its own runtime, the metadata of its host, the credentials of its neighbours.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use pipeline::settings;
use url::Url;

/// What is allowed beyond the rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Whether the machine itself may be asked: only where everything runs on one machine.
    pub loopback: bool,
}

/// Why a request is not made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(pub String);

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refusal {}

impl Policy {
    /// Returns the policy that the settings of the function give.
    pub fn of_settings() -> Self {
        Policy { loopback: settings::optional("TIDEGATE_PROBE_LOOPBACK").as_deref() == Some("allowed") }
    }

    /// Reads a URL that may be asked, as far as its text tells.
    ///
    /// The parser is the one that the client uses, so that both mean the same host.
    pub fn url(self, text: &str) -> Result<Url, Refusal> {
        let refused = |why: &str| Err(Refusal(format!("the policy refuses the URL: {why}")));
        let Ok(url) = Url::parse(text) else { return refused("it cannot be read") };
        if !matches!(url.scheme(), "http" | "https") {
            return refused("only http and https are asked");
        }
        // The parser takes an empty user out, which still means that somebody tried.
        let (_, rest) = text.split_once(':').unwrap_or_default();
        let authority = rest.trim_start_matches(['/', '\\']).split(['/', '\\', '?', '#']).next();
        if !url.username().is_empty()
            || url.password().is_some()
            || authority.is_some_and(|it| it.contains('@'))
        {
            return refused("it carries user information");
        }
        let host = url.host_str().unwrap_or_default().trim_end_matches('.');
        let literal = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if host.is_empty() {
            return refused("it names no host");
        }
        if let Ok(address) = literal.parse() {
            self.address(address)?;
        }
        let local = host == "localhost" || host.ends_with(".localhost");
        if local && !self.loopback {
            return refused("it means this machine");
        }
        Ok(url)
    }

    /// Tells whether an address may be connected to.
    pub fn address(self, address: IpAddr) -> Result<(), Refusal> {
        let why = match address {
            IpAddr::V4(v4) => self.v4(v4),
            IpAddr::V6(v6) => self.v6(v6),
        };
        why.map_or(Ok(()), |why| Err(Refusal(format!("the policy refuses the address {address}: {why}"))))
    }

    fn v4(self, address: Ipv4Addr) -> Option<&'static str> {
        match address.octets() {
            [127, ..] => (!self.loopback).then_some("it is this machine"),
            [0, ..] => Some("it is unspecified"),
            [169, 254, ..] => Some("it is link-local"),
            [224..=239, ..] => Some("it is multicast"),
            [240..=255, ..] => Some("it is reserved"),
            _ => None,
        }
    }

    fn v6(self, address: Ipv6Addr) -> Option<&'static str> {
        match address.segments() {
            [0, 0, 0, 0, 0, 0, 0, 1] => (!self.loopback).then_some("it is this machine"),
            [0, 0, 0, 0, 0, 0, 0, 0] => Some("it is unspecified"),
            // What an IPv4 address is wrapped in does not change where it leads: mapped, compatible, translated, NAT64
            // (the well-known prefix, and that of a network of its own), 6to4.
            [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
            | [0, 0, 0, 0, 0xffff, 0, high, low]
            | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
            | [0x64, 0xff9b, 1, _, _, _, high, low] => self.v4(embedded(high, low)),
            [0x2002, high, low, ..] => self.v4(embedded(high, low)),
            [0xfe80..=0xfebf, ..] => Some("it is link-local"),
            [0xff00..=0xffff, ..] => Some("it is multicast"),
            [0xfd00, 0xec2, ..] => Some("it is the metadata of a host"),
            _ => None,
        }
    }
}

fn embedded(high: u16, low: u16) -> Ipv4Addr {
    let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
    Ipv4Addr::new(a, b, c, d)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUSED: [&str; 61] = [
        "file:///etc/passwd",
        "ftp://example.org/",
        "gopher://example.org/",
        "data:text/plain,hello",
        "javascript:alert(1)",
        "ws://example.org/",
        "unix:/var/run/docker.sock",
        "//example.org/",
        "example.org/health",
        "",
        "http://",
        "http:///",
        "http://exa mple.org/",
        "http://user@example.org/",
        "http://user:secret@example.org/",
        "http://@example.org/",
        "http://:@example.org/",
        "http://example.org@169.254.169.254/",
        "http://169.254.169.254@example.org/",
        "http:\\\\user@example.org\\",
        "http://169.254.169.254/latest/meta-data/",
        "http://169.254.170.2/v2/credentials",
        "https://169.254.169.254/",
        "HTTP://169.254.169.254/",
        "http:169.254.169.254/",
        "http:/169.254.169.254/",
        "http:\\\\169.254.169.254\\",
        "http://169.254.169.254./",
        "http://2852039166/",
        "http://0xa9fea9fe/",
        "http://0xa9.0xfe.0xa9.0xfe/",
        "http://0251.0376.0251.0376/",
        "http://169.254.43518/",
        "http://169.16689662/",
        "http://①⑥⑨.254.169.254/",
        "http://169。254。169。254/",
        "http://%31%36%39.254.169.254/",
        "http://[::ffff:169.254.169.254]/",
        "http://[::ffff:a9fe:a9fe]/",
        "http://[::169.254.169.254]/",
        "http://[64:ff9b::169.254.169.254]/",
        "http://[64:ff9b:1::169.254.169.254]/",
        "http://[::ffff:0:169.254.169.254]/",
        "http://./",
        "http://[2002:a9fe:a9fe::1]/",
        "http://[fe80::1]/",
        "http://[febf::1]/",
        "http://[fd00:ec2::254]/",
        "http://0.0.0.0/",
        "http://0/",
        "http://0.1.2.3/",
        "http://[::]/",
        "http://224.0.0.1/",
        "http://239.255.255.255/",
        "http://[ff02::1]/",
        "http://240.0.0.1/",
        "http://255.255.255.255/",
        "http://4294967295/",
        "http://[::ffff:0.0.0.0]/",
        "http://[fe80::1%25eth0]/",
        "http://999.1.1.1/",
    ];

    const LOOPBACK: [&str; 18] = [
        "http://127.0.0.1:9001/2018-06-01/runtime/invocation/next",
        "http://127.0.0.1/",
        "http://127.255.255.254/",
        "http://127.1/",
        "http://0x7f.1/",
        "http://0x7f000001/",
        "http://2130706433/",
        "http://017700000001/",
        "http://127.0.0.1./",
        "http://[::1]/",
        "http://[0:0:0:0:0:0:0:1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://localhost/",
        "http://localhost./",
        "http://LOCALHOST/",
        "http://api.localhost/",
        "https://localhost:8443/",
    ];

    const ALLOWED: [&str; 13] = [
        "http://10.0.0.1:8080/health",
        "http://172.31.255.1/",
        "http://192.168.1.1/",
        "http://100.64.0.1/",
        "https://example.org/",
        "https://example.org/?next=a@b",
        "https://example.org/@me/a@b",
        "https://example.org/#a@b",
        "http://EXAMPLE.org:8080/a/b",
        "http://internal-users-1.eu-west-1.elb.amazonaws.com/health",
        "http://[fd12:3456::1]/",
        "http://[2600:1f18::1]:8080/",
        "http://localhost.example.org/",
    ];

    #[test]
    fn no_spelling_of_a_forbidden_place_is_asked() {
        for text in REFUSED {
            assert!(Policy { loopback: false }.url(text).is_err(), "{text}");
            assert!(Policy { loopback: true }.url(text).is_err(), "{text}, with loopback allowed");
        }
    }

    #[test]
    fn this_machine_is_asked_only_where_that_is_allowed() {
        for text in LOOPBACK {
            assert!(Policy { loopback: false }.url(text).is_err(), "{text}");
            assert!(Policy { loopback: true }.url(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn services_are_asked_where_services_are() {
        for text in ALLOWED {
            assert!(Policy { loopback: false }.url(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn what_a_name_resolves_to_is_judged_like_a_literal() {
        let policy = Policy { loopback: false };
        for address in ["169.254.169.254", "::ffff:169.254.170.2", "127.0.0.1", "::1", "0.0.0.0", "fe80::1"] {
            assert!(policy.address(address.parse().unwrap()).is_err(), "{address}");
        }
        assert_eq!(policy.address("10.1.2.3".parse().unwrap()), Ok(()));
    }
}
