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
        // The parser takes them out, so that the text and what is asked are no longer the same.
        if text.contains(|c: char| c.is_ascii_control()) {
            return refused("it has control characters in it");
        }
        let Ok(url) = Url::parse(text) else { return refused("it cannot be read") };
        if !matches!(url.scheme(), "http" | "https") {
            return refused("only http and https are asked");
        }
        // The parser takes an empty user out, which still means that somebody tried.
        if !url.username().is_empty() || url.password().is_some() || carries_a_user(text) {
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

    /// Reads a host and a port that may be connected to instead of those of a URL, as far as the text tells.
    pub fn connect(self, text: &str) -> Result<(String, u16), Refusal> {
        let refused = |why: &str| Err(Refusal(format!("the policy refuses to connect to {text:?}: {why}")));
        let named = text.rsplit_once(':').filter(|(name, _)| !name.is_empty());
        let port = named.and_then(|(_, port)| port.parse::<u16>().ok()).filter(|port| *port > 0);
        let (Some((name, digits)), Some(port)) = (named, port) else {
            return refused("expected a host and a port, like lb.example.org:443");
        };
        let is_plain = !text.contains(['/', '\\', '?', '#', '@', ' ', '%']) && !digits.starts_with('+');
        if !is_plain || (name.contains(':') && !name.starts_with('[')) {
            return refused("expected nothing but a host and a port");
        }
        let url = self.url(&format!("http://{name}/"))?;
        match url.host_str() {
            Some(host) if url.port().is_none() => Ok((host.trim_matches(['[', ']']).to_owned(), port)),
            _ => refused("expected a host and one port"),
        }
    }

    /// Reads where an answer to `from` redirects to, if that may be asked.
    pub fn redirect(self, from: &Url, location: &str) -> Result<Url, Refusal> {
        let refused = |why: &str| Err(Refusal(format!("the policy refuses the redirect: {why}")));
        let Ok(to) = from.join(location) else { return refused("it cannot be read") };
        if from.scheme() == "https" && to.scheme() != "https" {
            return refused("it leaves https");
        }
        // The parser takes some of it out of the text, which still means that somebody tried.
        if location.contains(|c: char| c.is_ascii_control()) || carries_a_user(location) {
            return refused("it carries user information or control characters");
        }
        self.url(to.as_str())
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
            // What an IPv4 address is wrapped in does not change where it leads: mapped, compatible, NAT64, translated, ISATAP, 6to4.
            [0, 0, 0, 0, 0, 0 | 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
                self.v4(embedded(high, low))
            }
            [0, 0, 0, 0, 0xffff, 0, high, low] => self.v4(embedded(high, low)),
            [_, _, _, _, 0 | 0x200, 0x5efe, high, low] => self.v4(embedded(high, low)),
            [0x2002, high, low, ..] => self.v4(embedded(high, low)),
            // Where the IPv4 address stands in these depends on a network that nobody here knows.
            [0x64, 0xff9b, 1, ..] => Some("it is translated to IPv4"),
            [0x2001, 0, ..] => Some("it is a tunnel to IPv4"),
            [0xfe80..=0xfebf, ..] => Some("it is link-local"),
            [0xff00..=0xffff, ..] => Some("it is multicast"),
            [0xfd00, 0xec2, ..] => Some("it is the metadata of a host"),
            _ => None,
        }
    }
}

/// Tells whether the text of a URL, or of one without a scheme, has a user in it.
fn carries_a_user(text: &str) -> bool {
    const DELIMITERS: [char; 4] = ['/', '\\', '?', '#'];
    let scheme = text.split_once(':').filter(|(scheme, _)| !scheme.contains(DELIMITERS));
    let rest = match scheme {
        Some((_, rest)) => rest,
        None if text.starts_with("//") || text.starts_with(['\\']) || text.starts_with("/\\") => text,
        None => return false,
    };
    let authority = rest.trim_start_matches(['/', '\\']).split(DELIMITERS).next();
    authority.is_some_and(|it| it.contains('@'))
}

fn embedded(high: u16, low: u16) -> Ipv4Addr {
    let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
    Ipv4Addr::new(a, b, c, d)
}

#[cfg(test)]
mod tests;
