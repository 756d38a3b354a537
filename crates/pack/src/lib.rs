//! A service's live tests, as people write them: JSON in Parameter Store.
//!
//! Reads and judges packs, and asks nothing: who only reads them needs no HTTP client.

pub mod asked;
pub mod policy;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use pipeline::Fault;
use pipeline::document;
use pipeline::ids::PackHash;
use pipeline::text::{LONGEST_SENTENCE, line, shown};
use serde::Deserialize;
use serde_json::Value;
use serde_json_path::JsonPath;
use sha2::{Digest as _, Sha256};

/// The variable that stands for each target of our tasks.
pub const ADDRESS: &str = "${target.address}";

/// The longest that an answer is waited for.
pub const LONGEST_ANSWER: Duration = Duration::from_secs(5);

/// What a pack may hold, so that what one look hands to the next stays small.
const MOST_CHECKS: usize = 20;
const LONGEST_NAME: usize = 64;

/// What a path may hold: filters within filters double the time to read it each, brackets take stack, and what leads to
/// several places multiplies what is found.
const LONGEST_PATH: usize = 256;
const MOST_IN_PATH: [(&str, usize); 4] = [("?", 4), ("(", 16), ("..", 2), (",", 8)];

/// The keys that the format knows and this version does not.
const LATER_IN_PACK: [&str; 1] = ["before"];
const LATER_IN_CHECK: [&str; 6] = ["targets", "alarms", "logs", "metric", "task", "image"];
const LATER_IN_HTTP: [&str; 3] = ["headers", "body", "captures"];

/// All live tests of a service.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pack {
    /// The tests, in the order in which they are reported.
    #[serde(default)]
    pub checks: Vec<Check>,
}

/// One test.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// What it is called in a report.
    pub name: String,
    /// What is asked, and what must come.
    pub http: Http,
    /// How often it may fail before it has failed.
    #[serde(default = "once")]
    pub attempts: u32,
    /// How long to wait after a failure.
    #[serde(default = "two_seconds")]
    pub interval: Span,
}

/// A request, and the answer that is expected.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// Where; may hold [`ADDRESS`].
    pub url: String,
    /// How.
    #[serde(default)]
    pub method: Method,
    /// The status that must come.
    #[serde(default = "ok")]
    pub status: u16,
    /// A text that the body must contain.
    #[serde(default)]
    pub contains: Option<String>,
    /// Values that the body, read as JSON, must have, by JSONPath.
    #[serde(default)]
    pub json: Values,
    /// How long the whole answer may take.
    #[serde(default)]
    pub within: Option<Span>,
}

/// The methods that need no body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "they are the words of HTTP")]
pub enum Method {
    #[default]
    Get,
    Head,
    Options,
    Post,
}

/// A length of time: a number and `ms`, `s` or `m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Span(pub Duration);

/// The values that a body must have, by JSONPath.
#[derive(Debug, Default, Deserialize)]
#[serde(try_from = "BTreeMap<String, Value>")]
pub struct Values(pub Vec<(JsonPath, Value)>);

/// Returns the hash of a pack as it is written: the key under which a release keeps it.
pub fn hash(text: &str) -> PackHash {
    PackHash::of(Sha256::digest(text).into())
}

impl Pack {
    /// Reads a pack; `what` names its text in a refusal.
    pub fn read(what: &str, text: &str) -> Result<Self, Fault> {
        let value: Value = document::read_text(what, text)?;
        later(what, &value)?;
        let pack: Pack = document::read(what, value)?;
        match pack.mistake() {
            Some(mistake) => Err(Fault::InvalidInput(format!("{what}: {mistake}"))),
            None => Ok(pack),
        }
    }

    fn mistake(&self) -> Option<String> {
        let mut names = BTreeSet::new();
        if self.checks.len() > MOST_CHECKS {
            return Some(format!("{} checks are more than {MOST_CHECKS}", self.checks.len()));
        }
        self.checks.iter().find_map(|check| {
            let Check { name, http, attempts, .. } = check;
            let plain = |c: char| c.is_ascii_alphanumeric() || " ._-/".contains(c);
            if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(plain) {
                return Some(format!(
                    "{} is not a name: expected 1 to {LONGEST_NAME} letters, digits, ' ', '.', '_', '-' or '/'",
                    shown(name)
                ));
            }
            if !names.insert(name) {
                return Some(format!("two checks are called {name:?}"));
            }
            if *attempts == 0 {
                return Some(format!("check {name:?} has no attempts: expected at least 1"));
            }
            let variable = line(unknown_variable(&http.url)?, LONGEST_NAME);
            Some(format!("check {name:?} uses {variable}, which is none of the variables: {ADDRESS}"))
        })
    }
}

impl Method {
    /// Returns its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Options => "OPTIONS",
            Method::Post => "POST",
        }
    }
}

impl Check {
    /// Tells whether it asks each target by itself.
    pub fn is_per_target(&self) -> bool {
        self.http.url.contains(ADDRESS)
    }
}

impl Http {
    /// Returns the URL for one target.
    pub fn url_for(&self, address: &str) -> String {
        self.url.replace(ADDRESS, address)
    }
}

/// Refuses, by its name, what the format knows and this version does not.
fn later(what: &str, pack: &Value) -> Result<(), Fault> {
    let checks = pack.get("checks").and_then(Value::as_array);
    let checks = checks.into_iter().flatten();
    let places =
        checks.flat_map(|check| [(Some(check), &LATER_IN_CHECK[..]), (check.get("http"), &LATER_IN_HTTP)]);
    for (place, keys) in std::iter::once((Some(pack), &LATER_IN_PACK[..])).chain(places) {
        if let Some(key) = keys.iter().find(|key| place.is_some_and(|place| place.get(**key).is_some())) {
            return Err(Fault::NotSupported(format!(
                "{key:?} in {what}: a live test can only be \"http\" yet"
            )));
        }
    }
    Ok(())
}

fn unknown_variable(url: &str) -> Option<&str> {
    let rest = url.split("${").nth(1).map(|_| url)?;
    let starts = rest.match_indices("${").map(|(at, _)| rest.get(at..).unwrap_or_default());
    let variables = starts.map(|text| text.split_inclusive('}').next().unwrap_or(text));
    variables.into_iter().find(|variable| *variable != ADDRESS)
}

fn once() -> u32 {
    1
}
fn ok() -> u16 {
    200
}
fn two_seconds() -> Span {
    Span(Duration::from_secs(2))
}

impl TryFrom<String> for Span {
    type Error = Fault;
    fn try_from(text: String) -> Result<Self, Fault> {
        let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
        let number = text.strip_suffix(unit).and_then(|number| number.parse::<u32>().ok());
        let span = match (number, unit) {
            (Some(n), "ms") => Some(Duration::from_millis(n.into())),
            (Some(n), "s") => Some(Duration::from_secs(n.into())),
            (Some(n), "m") => Some(Duration::from_secs(u64::from(n) * 60)),
            _ => None,
        };
        span.map(Span).ok_or_else(|| {
            Fault::InvalidInput(format!(
                "{} is not a length of time: expected one like 500ms, 2s or 1m",
                shown(&text)
            ))
        })
    }
}

impl TryFrom<BTreeMap<String, Value>> for Values {
    type Error = Fault;
    fn try_from(written: BTreeMap<String, Value>) -> Result<Self, Fault> {
        let values = written.into_iter().map(|(text, value)| {
            let refused = |why: String| {
                Fault::InvalidInput(format!("{} is not a JSONPath that can be used: {why}", shown(&text)))
            };
            // Before it is read: the reader takes what it can, in time and on its stack.
            excess(&text).map_or(Ok(()), |why| Err(refused(why)))?;
            let path = JsonPath::parse(&text);
            path.map(|path| (path, value))
                .map_err(|error| refused(line(&error.to_string(), LONGEST_SENTENCE)))
        });
        values.collect::<Result<_, _>>().map(Values)
    }
}

/// Says what there is too much of in a path, if there is.
fn excess(path: &str) -> Option<String> {
    if path.len() > LONGEST_PATH {
        return Some(format!("expected {LONGEST_PATH} bytes at most"));
    }
    let (mark, most) = MOST_IN_PATH.into_iter().find(|(mark, most)| path.matches(mark).count() > *most)?;
    Some(format!("expected {mark:?} in it {most} times at most"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> (&'static str, String) {
        let fault = Pack::read("pack", text).unwrap_err();
        (fault.name(), fault.to_string())
    }

    fn with(check: &str) -> String {
        format!(r#"{{"checks":[{{"name":"health",{check}}}]}}"#)
    }

    #[test]
    fn a_pack_is_read_with_its_defaults() {
        let pack = Pack::read("pack", &with(r#""http":{"url":"http://${target.address}/health"}"#)).unwrap();
        let check = pack.checks.first().unwrap();
        assert_eq!((check.attempts, check.interval.0.as_secs()), (1, 2));
        assert_eq!((check.http.method, check.http.status, check.http.within), (Method::Get, 200, None));
        assert_eq!(check.http.url_for("10.0.0.1:80"), "http://10.0.0.1:80/health");
        assert!(check.is_per_target());
    }

    #[test]
    fn a_pack_is_known_by_the_hash_of_its_text() {
        let empty = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
        assert_eq!(hash("{}").as_str(), empty);
        assert_ne!(hash("{ }"), hash("{}"));
    }

    #[test]
    fn everything_that_is_promised_can_be_written() {
        let text = with(
            r#""http":{"url":"http://${target.address}/health","method":"POST","status":204,"contains":"ok",
               "json":{"$.status":"ok","$.n":1},"within":"500ms"},"attempts":3,"interval":"1m""#,
        );
        let pack = Pack::read("pack", &text).unwrap();
        let check = pack.checks.first().unwrap();
        assert_eq!(check.interval.0.as_secs(), 60);
        assert_eq!(check.http.within, Some(Span(Duration::from_millis(500))));
        assert_eq!(check.http.json.0.len(), 2);
    }

    #[test]
    fn typing_errors_name_the_nearest_key() {
        for (text, said) in [
            (
                with(r#""http":{"url":"http://a/"},"atempts":2"#),
                "unknown field `atempts`, expected one of `name`, `http`, `attempts`, `interval`; did you mean `attempts`?",
            ),
            (with(r#""http":{"url":"http://a/","statsu":200}"#), "did you mean `status`?"),
            (with(r#""http":{"url":"http://a/","method":"get"}"#), "unknown variant `get`"),
            (
                r#"{"check":[]}"#.to_owned(),
                "unknown field `check`, expected `checks`; did you mean `checks`?",
            ),
            (with(r#""http":{"url":"http://a/","within":"fast"}"#), "\"fast\" is not a length of time"),
            (
                with(r#""http":{"url":"http://a/","json":{"status":"ok"}}"#),
                "\"status\" is not a JSONPath that can be used",
            ),
            (with(r#""attempts":1"#), "missing field `http`"),
            ("{".to_owned(), "pack is not JSON"),
        ] {
            let (name, sentence) = refusal(&text);
            assert_eq!(name, "InvalidInput");
            assert!(sentence.contains(said), "{sentence}");
        }
    }

    #[test]
    fn a_path_that_would_take_the_reader_all_its_time_or_its_stack_is_refused_before_it_is_read() {
        let nested =
            |n: usize, open: &str, close: &str| format!("$[?{}@.a{}]", open.repeat(n), close.repeat(n));
        for (path, said) in [
            (nested(40, "@[?", "]"), "expected \"?\" in it 4 times at most"),
            (nested(60, "(", ")"), "expected \"(\" in it 16 times at most"),
            (nested(3000, "(", ")"), "expected 256 bytes at most"),
            (format!("${}", "..*".repeat(6)), "expected \"..\" in it 2 times at most"),
            (format!("${}", "[0,0]".repeat(30)), "expected \",\" in it 8 times at most"),
        ] {
            let json = serde_json::json!({ path: 1 });
            let (name, sentence) = refusal(&with(&format!(r#""http":{{"url":"http://a/","json":{json}}}"#)));
            assert!(name == "InvalidInput" && sentence.ends_with(said), "{sentence}");
            assert!(sentence.len() < 400, "{sentence}");
        }
        for path in [nested(3, "@[?", "]"), nested(16, "(", ")"), "$..a..b[0,1,2]".to_owned()] {
            let json = serde_json::json!({ path: 1 });
            assert!(
                Pack::read("pack", &with(&format!(r#""http":{{"url":"http://a/","json":{json}}}"#))).is_ok()
            );
        }
    }

    #[test]
    fn what_comes_later_is_not_supported_by_name() {
        for (text, key) in [
            (r#"{"before":[]}"#.to_owned(), "before"),
            (with(r#""targets":{}"#), "targets"),
            (with(r#""alarms":[]"#), "alarms"),
            (with(r#""logs":{}"#), "logs"),
            (with(r#""metric":{}"#), "metric"),
            (with(r#""task":{}"#), "task"),
            (with(r#""image":{}"#), "image"),
            (with(r#""http":{"url":"http://a/","headers":{}}"#), "headers"),
        ] {
            let (name, sentence) = refusal(&text);
            assert_eq!(name, "NotSupported", "{sentence}");
            assert_eq!(
                sentence,
                format!("not supported: {key:?} in pack: a live test can only be \"http\" yet")
            );
        }
    }

    #[test]
    fn an_unknown_variable_is_refused_with_the_valid_ones() {
        for (url, named) in [
            ("http://${target.dns}/", "${target.dns}"),
            ("http://${target.address}/${service}", "${service}"),
            ("http://${target.address", "${target.address"),
            ("http://${", "${"),
        ] {
            let (name, sentence) = refusal(&with(&format!(r#""http":{{"url":"{url}"}}"#)));
            assert_eq!(name, "InvalidInput");
            assert_eq!(
                sentence,
                format!(
                    "pack: check \"health\" uses {named}, which is none of the variables: ${{target.address}}"
                )
            );
        }
    }

    #[test]
    fn a_pack_is_bounded_and_its_names_are_plain() {
        let check = |name: &str| format!(r#"{{"name":"{name}","http":{{"url":"http://a/"}}}}"#);
        let pack = |checks: Vec<String>| format!(r#"{{"checks":[{}]}}"#, checks.join(","));
        for (text, said) in [
            (pack((0..21).map(|n| check(&n.to_string())).collect()), "21 checks are more than 20"),
            (pack(vec![check("a"), check("a")]), "two checks are called \"a\""),
            (pack(vec![check("")]), "\"\" is not a name"),
            (pack(vec![check(&"n".repeat(65))]), "is not a name"),
            (pack(vec![check("a\\u0007")]), "is not a name"),
            (with(r#""http":{"url":"http://a/"},"attempts":0"#), "has no attempts"),
        ] {
            let (name, sentence) = refusal(&text);
            assert!(name == "InvalidInput" && sentence.contains(said), "{sentence}");
        }
    }
}
