//! Compares what result with what was expected.  Pure.

use pack::Span;
use pack::blank::{Secret, blank};
use pack::kind::http::Expected;
use pipeline::text::{line, readable, shown};
use serde_json::Value;
use wildmatch::WildMatch;

use crate::probe::Answer;

/// How much of a body, and of what was expected of it, a report shows.
const SHOWN: usize = 200;

/// What may be told of an answer.
#[derive(Default)]
pub struct Told<'a> {
    /// Whether it is nobody's business.
    pub quiet: bool,
    /// What is blanked, before anything is cut.
    pub secrets: &'a [Secret],
}

impl Told<'_> {
    fn text(&self, text: &str) -> String {
        blank(text, self.secrets)
    }
}

/// Tells what is wrong with an answer; none if it is what was expected.
pub fn mistake(expected: &Expected<'_>, answer: &Answer, told: &Told<'_>) -> Option<String> {
    let found = differences(expected, answer, told).next()?;
    Some(format!("{found}, got {}", transcript(answer, told)))
}

fn differences<'a>(
    expected: &'a Expected<'_>,
    answer: &'a Answer,
    told: &'a Told<'_>,
) -> impl Iterator<Item = String> + 'a {
    let Expected { status, within, contains, json, headers } = expected;
    let status = (!status.allows(answer.status)).then(|| format!("expected status {status}"));
    let slow = within.filter(|Span(limit)| answer.took > *limit);
    let slow = slow.map(|Span(limit)| format!("expected an answer within {} ms", limit.as_millis()));
    let text = contains.as_ref().filter(|text| !answer.body.contains(text.as_str()));
    let text = text.map(|text| format!("expected a body that contains {}", shown(&told.text(text))));
    let body: Option<Value> = if json.is_empty() { None } else { serde_json::from_str(&answer.body).ok() };
    let values = json.iter().filter_map(move |(path, expected)| {
        let found = body.as_ref().map(|body| path.query(body).all());
        let right =
            found.is_some_and(|found| !found.is_empty() && found.iter().all(|value| *value == expected));
        (!right).then(|| {
            let [path, expected] =
                [path.to_string(), told.text(&expected.to_string())].map(|text| line(&text, SHOWN));
            format!("expected {path} to be {expected}")
        })
    });
    let headers = headers.iter().filter_map(|(name, pattern)| {
        let wanted = WildMatch::new(pattern);
        let right = answer.header(name).any(|value| wanted.matches(value));
        (!right).then(|| {
            let got: Vec<&str> = answer.header(name).collect();
            let got = if got.is_empty() {
                "it is not there".to_owned()
            } else if told.quiet {
                "it is another".to_owned()
            } else {
                format!("it is {}", shown(&told.text(&got.join(", "))))
            };
            format!("expected the header {name} to be {}, and {got}", shown(&told.text(pattern)))
        })
    });
    [status, slow, text].into_iter().flatten().chain(headers).chain(values)
}

/// Writes down what result, shortly.
fn transcript(answer: &Answer, told: &Told<'_>) -> String {
    let Answer { status, body, cut, took, .. } = answer;
    if told.quiet {
        return format!("status {status} in {} ms", took.as_millis());
    }
    let body = told.text(body);
    let shown: String = body.chars().take(SHOWN).map(readable).collect();
    let body = match (shown.is_empty(), shown.len() < body.len()) {
        (true, _) => " without a body".to_owned(),
        (false, true) => format!(": {shown}..."),
        (false, false) => format!(": {shown}"),
    };
    let cut = if *cut { " (only its first 64 KiB were read)" } else { "" };
    format!("status {status} in {} ms{body}{cut}", took.as_millis())
}

#[cfg(test)]
mod tests {
    use super::*;
    use pack::{Pack, Values};
    use std::time::Duration;

    fn check(http: &str, status: u16, body: &str, expected: Option<&str>) {
        let text = format!(r#"{{"checks":[{{"name":"a","http":{{"url":"http://a/"{http}}}}}]}}"#);
        let pack = Pack::read("pack", &text).unwrap();
        let answer = Answer {
            status,
            body: body.to_owned(),
            headers: vec![],
            cut: false,
            took: Duration::from_millis(12),
        };
        let [asked] = pack.checks[0].kind.requests() else { panic!("{text}") };
        let found = mistake(&asked.expected(&Values::default()).unwrap(), &answer, &Told::default());
        assert_eq!(found.as_deref(), expected, "{http} {status} {body}");
    }

    #[test]
    fn each_expectation_is_compared() {
        check("", 200, "anything", None);
        check("", 500, "no", Some("expected status 200, got status 500 in 12 ms: no"));
        check(r#","status":302"#, 302, "", None);
        check(r#","status":[201,"3xx"]"#, 302, "", None);
        check(
            r#","status":[201,"3xx"]"#,
            200,
            "",
            Some("expected status 201 or 3xx, got status 200 in 12 ms without a body"),
        );
        check(r#","contains":"ok""#, 200, "all is ok", None);
        check(
            r#","contains":"ok""#,
            200,
            "down",
            Some("expected a body that contains \"ok\", got status 200 in 12 ms: down"),
        );
        check(r#","within":"12ms""#, 200, "", None);
        check(
            r#","within":"11ms""#,
            200,
            "",
            Some("expected an answer within 11 ms, got status 200 in 12 ms without a body"),
        );
    }

    #[test]
    fn values_are_found_by_path() {
        check(r#","json":{"$.status":"ok"}"#, 200, r#"{"status":"ok"}"#, None);
        check(r#","json":{"$.parts[*].up":true}"#, 200, r#"{"parts":[{"up":true},{"up":true}]}"#, None);
        for (json, body) in [
            (r#"{"$.status":"ok"}"#, r#"{"status":"down"}"#),
            (r#"{"$.status":"ok"}"#, r#"{"state":"ok"}"#),
            (r#"{"$.status":"ok"}"#, "<html>"),
            (r#"{"$.n":"1"}"#, r#"{"n":1}"#),
            (r#"{"$.a":1,"$.b":2}"#, r#"{"a":1,"b":3}"#),
            (r#"{"$.parts[*].up":true}"#, r#"{"parts":[{"up":true},{"up":false}]}"#),
        ] {
            let text = format!(r#"{{"checks":[{{"name":"a","http":{{"url":"http://a/","json":{json}}}}}]}}"#);
            let pack = Pack::read("pack", &text).unwrap();
            let answer = Answer {
                status: 200,
                body: body.to_owned(),
                headers: vec![],
                cut: false,
                took: Duration::default(),
            };
            let [http] = pack.checks[0].kind.requests() else { panic!("{text}") };
            let expected = http.expected(&Values::default()).unwrap();
            assert!(mistake(&expected, &answer, &Told::default()).is_some(), "{json} {body}");
        }
    }

    #[test]
    fn what_was_expected_is_shown_shortly_and_on_one_line() {
        let long = "\\u2028y\\n".repeat(1000);
        for http in [format!(r#","contains":"{long}""#), format!(r#","json":{{"$.a":"{long}"}}"#)] {
            let text = format!(r#"{{"checks":[{{"name":"a","http":{{"url":"http://a/"{http}}}}}]}}"#);
            let pack = Pack::read("pack", &text).unwrap();
            let answer = Answer {
                status: 200,
                body: "{}".to_owned(),
                headers: vec![],
                cut: false,
                took: Duration::default(),
            };
            let [http] = pack.checks[0].kind.requests() else { panic!("{text}") };
            let told =
                mistake(&http.expected(&Values::default()).unwrap(), &answer, &Told::default()).unwrap();
            assert!(told.len() < 1200 && !told.contains(['\n', '\u{2028}']), "{told}");
        }
    }

    #[test]
    fn a_long_body_is_shown_shortly_and_without_control_characters() {
        let answer = Answer {
            headers: vec![],
            status: 500,
            body: "\u{1b}[2Jä".repeat(100),
            cut: true,
            took: Duration::default(),
        };
        let shown = transcript(&answer, &Told::default());
        assert!(shown.len() < 400 && !shown.contains('\u{1b}') && shown.contains("..."), "{shown}");
    }
}
