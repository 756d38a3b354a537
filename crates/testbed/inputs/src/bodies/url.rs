//! Where a live test may go, compared with what the standard library says of an address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use pack::policy::Policy;
use url::{Host, Url};

use super::{Body, Outcome, outcome};
use crate::{World, promises};

/// A URL.
pub const URL: Body = Body { name: "url", share: 1500, samples: urls, play: url };

/// An address that a name resolves to, given as its bytes.
pub const ADDRESS: Body = Body { name: "address", share: 1500, samples: addresses, play: address };

const STRICT: Policy = Policy { loopback: false };
const LOOSE: Policy = Policy { loopback: true };

fn urls() -> Vec<String> {
    [
        "http://10.0.0.1:8080/health",
        "https://example.org/?next=a@b#c",
        "http://user:secret@example.org/",
        "http://169.254.169.254/latest/meta-data/",
        "http://0xa9.0xfe.0251.43518/",
        "http://①⑥⑨。254.169.254/",
        "http://%31%36%39.254.169.254/",
        "http://[::ffff:169.254.169.254]:80/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://[64:ff9b:1::a9fe:a9fe]/",
        "http://[2002:a9fe:a9fe::1]/",
        "http://[fe80::1]/",
        "http://2130706433/",
        "http://localhost./",
        "http://api.localhost/",
        "http:\\\\example.org\\",
        "ftp://example.org/",
    ]
    .map(str::to_owned)
    .into()
}

/// What is asked is http, bears no user, and its host is no address that is forbidden however it is written; what is
/// allowed without loopback is allowed with it.
fn url(_: &World, text: &str) -> Outcome {
    let asked = STRICT.url(text);
    let loose = LOOSE.url(text);
    match &asked {
        Ok(asked) => {
            assert!(matches!(asked.scheme(), "http" | "https"), "{asked}");
            assert!(asked.username().is_empty() && asked.password().is_none(), "{asked}");
            assert_eq!(loose.as_ref(), Ok(asked), "loopback forbids what is allowed without");
            assert_eq!(
                STRICT.url(asked.as_str()).as_ref(),
                Ok(asked),
                "it is read otherwise when it is written"
            );
            match Url::parse(text).ok().as_ref().and_then(Url::host) {
                Some(Host::Ipv4(v4)) => assert!(is_elsewhere(IpAddr::V4(v4)), "{asked}"),
                Some(Host::Ipv6(v6)) => assert!(is_elsewhere(IpAddr::V6(v6)), "{asked}"),
                Some(Host::Domain(name)) => {
                    let name = name.trim_end_matches('.');
                    let last = name.rsplit('.').next().unwrap_or_default();
                    assert!(!name.is_empty() && last != "localhost", "{asked}");
                    assert!(name.parse().ok().is_none_or(is_elsewhere), "{asked}");
                }
                None => panic!("{asked} has no host"),
            }
        }
        Err(why) => promises::sentence(&why.to_string()),
    }
    outcome(&asked)
}

fn addresses() -> Vec<String> {
    [
        "169.254.169.254",
        "127.0.0.1",
        "10.0.0.1",
        "::ffff:a9fe:a9fe",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "fd00:ec2::254",
        "fe80::1",
        "::",
        "ff02::1",
    ]
    .map(str::to_owned)
    .into()
}

/// The same of an address; a text that is none stands for sixteen bytes that are one.
fn address(_: &World, text: &str) -> Outcome {
    let address = text.parse().unwrap_or_else(|_| {
        let mut bytes = [0; 16];
        bytes.iter_mut().zip(text.bytes()).for_each(|(to, from)| *to = from);
        IpAddr::V6(Ipv6Addr::from(bytes))
    });
    let allowed = STRICT.address(address);
    assert!(allowed.is_err() || is_elsewhere(address), "{address}");
    assert!(allowed.is_err() || LOOSE.address(address).is_ok(), "{address}");
    outcome(&allowed)
}

/// Tells whether an address leads neither to this machine nor to what only its neighbours see.
fn is_elsewhere(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let link = v4.is_link_local() || v4.is_loopback();
            !(link || v4.is_unspecified() || v4.is_multicast() || v4.is_broadcast() || v4.octets()[0] >= 240)
        }
        IpAddr::V6(v6) => {
            let own =
                v6.is_loopback() || v6.is_unspecified() || v6.is_unicast_link_local() || v6.is_multicast();
            !own && wrapped(v6).is_none_or(|v4| is_elsewhere(IpAddr::V4(v4)))
        }
    }
}

/// Returns the IPv4 address that a router would unwrap.
fn wrapped(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let bytes = address.octets();
    let last = Ipv4Addr::new(bytes[12], bytes[13], bytes[14], bytes[15]);
    match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, ..] | [0x64, 0xff9b, 1, ..] | [0, 0, 0, 0, 0xffff, 0, ..] => Some(last),
        [0x2002, ..] => Some(Ipv4Addr::new(bytes[2], bytes[3], bytes[4], bytes[5])),
        _ => address.to_ipv4(),
    }
}
