//! A URL with variables in it: what a stranger has chosen never reaches its host.

use serde::Deserialize;

use crate::template::{Part, Template};
use crate::values::{Unfilled, Values};
use crate::variable;

/// A URL with variables in it.
///
/// Values are percent-encoded except `/`.  Only the pipeline's addresses and the team's own variables may stand before
/// the path, and they stand there as they are.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
pub struct UrlTemplate(pub Template);

impl UrlTemplate {
    /// Puts values in.
    pub fn fill(&self, values: &Values) -> Result<String, Unfilled> {
        let mut url = String::new();
        for part in &self.0.0 {
            match part {
                Part::Text(text) => url += text,
                Part::Variable(name) => {
                    let value = values.text(name)?;
                    let known = variable::find(name);
                    let is_ours = !values.is_captured(name) && variable::secret(name).is_none();
                    let may_be_host = is_ours && known.is_none_or(|known| known.is_host);
                    match (part_of(&url), may_be_host) {
                        (Place::Host, true) => url += &value,
                        // An address is written everywhere as it is, since it needs no encoding.
                        (Place::Path, true) if known.is_some() => url += &value,
                        (Place::Path, _) => encode(&mut url, &value),
                        (Place::Host, false) if ends_in_a_host(&url) && value.starts_with('/') => {
                            encode(&mut url, &value);
                        }
                        (Place::Host, false) => return Err(Unfilled::NotAPath(name.clone())),
                    }
                }
            }
        }
        Ok(url)
    }
}

/// Where the next character of a URL stands.
enum Place {
    Host,
    Path,
}

fn part_of(url: &str) -> Place {
    match after_the_scheme(url) {
        Some(rest) if rest.contains(['/', '\\', '?', '#']) => Place::Path,
        _ => Place::Host,
    }
}

/// Tells whether a host has begun, so that a path may follow.
fn ends_in_a_host(url: &str) -> bool {
    after_the_scheme(url).is_some_and(|rest| !rest.is_empty())
}

/// Returns what follows `http://` or `https://`, unless more slashes do, which a client would skip.
fn after_the_scheme(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    let is_ours = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
    let is_plain = !rest.starts_with(['/', '\\']) && !url.contains(|c: char| c.is_ascii_control());
    (is_ours && is_plain).then_some(rest)
}

fn encode(url: &mut String, value: &str) {
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                url.push(byte.into());
            }
            _ => *url += &format!("%{byte:02X}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use url::Url;

    fn values() -> Values {
        let mut values = Values::default()
            .with("task.address", "10.0.0.1:8080")
            .with("target.address", "[fd12::1]:80")
            .with("target.dns", "lb.example.org")
            .with("service", "users")
            .with("shop", "https://partner.example")
            .with("secret.token", "s3cr3t/&")
            .with("release.id", "r 1");
        values.capture("order", "/orders/1?a=b#c");
        values.capture("id", "7@evil.example");
        values
    }

    fn filled(text: &str, values: &Values) -> Result<String, Unfilled> {
        UrlTemplate(Template::try_from(text.to_owned()).unwrap()).fill(values)
    }

    #[test]
    fn values_are_encoded_but_for_hosts() {
        for (text, expected) in [
            ("http://${task.address}/health", "http://10.0.0.1:8080/health"),
            ("http://${target.address}/", "http://[fd12::1]:80/"),
            ("http://a/?of=${target.address}", "http://a/?of=[fd12::1]:80"),
            ("http://${service}.internal:8080/", "http://users.internal:8080/"),
            ("${shop}/a?b=${shop}", "https://partner.example/a?b=https%3A//partner.example"),
            ("http://${task.address}${order}", "http://10.0.0.1:8080/orders/1%3Fa%3Db%23c"),
            ("${shop}${order}", "https://partner.example/orders/1%3Fa%3Db%23c"),
            ("http://a/${id}", "http://a/7%40evil.example"),
            ("http://a/${secret.token}?r=${release.id}", "http://a/s3cr3t/%26?r=r%201"),
        ] {
            assert_eq!(filled(text, &values()).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_a_stranger_has_chosen_is_no_host() {
        for text in [
            "http://${id}/",
            "http://${task.address}${id}",
            "http://lb.${id}",
            "http://a:${id}/",
            "${order}",
            "http:${order}",
            "http:/${order}",
            "http://${order}/",
            "http:///${id}/",
            "http:\\\\${id}/",
            "http:/\\${order}",
            "http://\t/${id}/",
            "ht\ntp://a/${id}",
            "ftp://a/${id}",
            "http://${secret.token}.example/",
            "http://${release.id}/",
        ] {
            let refused = filled(text, &values());
            assert!(matches!(refused, Err(Unfilled::NotAPath(_))), "{text}: {refused:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_capture_reaches_the_authority(
            before in prop_oneof![
                Just("http://".to_owned()),
                Just("http:".to_owned()),
                Just("https://good.example".to_owned()),
                Just("http://good.example:80/".to_owned()),
                Just("http://good.example?".to_owned()),
                "https?:[/\\\\\t]{0,3}[a-z.@:]{0,5}[/\\\\?#]?",
            ],
            value in prop_oneof![
                "[/\\\\@:.#?%a-z0-9\\[\\]\t ]{0,12}",
                Just("//evil.example/".to_owned()),
                Just("@evil.example/".to_owned()),
                Just(".evil.example/".to_owned()),
                Just("\\\\evil.example".to_owned()),
                Just("http://evil.example/".to_owned()),
                any::<String>(),
            ],
            after in prop_oneof![Just(String::new()), "[/@:a-z.]{0,6}"],
        ) {
            let with = |value: &str| {
                let mut values = Values::default();
                values.capture("x", value);
                let url = filled(&format!("{before}${{x}}{after}"), &values).ok()?;
                let url = Url::parse(&url).ok()?;
                Some((url.scheme().to_owned(), url.authority().to_owned()))
            };
            // Whatever is captured, the host is the one that a harmless value leads to.
            if let Some(reached) = with(&value) {
                prop_assert_eq!(Some(reached), with("/"));
            }
        }
    }
}
