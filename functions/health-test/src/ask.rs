//! One ask of a check at one address: its request, as often as it wants, or the steps of its journey in their order.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use pack::blank::{Secret, blank};
use pack::kind::http::{Expected, Http, Request};
use pack::kind::journey::Capture;
use pack::values::Unfilled;
use pack::{Check, Kind, Values};
use pipeline::text::shown as quoted;
use serde_json::Value;

use crate::check::{self, Told};
use crate::probe::{Answer, ProbeResult, shown, socket};
use crate::secrets::Secrets;

/// How often a request is under way at once where it is repeated.
const AT_ONCE: usize = 4;

/// What came of one ask.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// How many requests it took.
    pub requests: usize,
    /// The addresses that were connected to, each with its port.
    pub connected: Vec<String>,
    /// How long its answers took.
    pub took: Duration,
    /// How it ended.
    pub end: End,
}

/// How an ask ended.
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    /// Every expectation holds.
    Passed,
    /// What was asked, expected and got.
    Failed(String),
    /// Nothing was connected to at this address: the service is broken, or the way to it.
    Unreached {
        /// Its address and port.
        socket: String,
        /// What was asked.
        asked: String,
        /// Why.
        why: String,
    },
    /// What was asked, and why that could not be done.
    Nothing(String),
}

impl Asked {
    /// Ended before anything was asked.
    pub fn not(end: End) -> Self {
        Asked { requests: 0, connected: Vec::new(), took: Duration::ZERO, end }
    }
}

/// Asks a check; `values` are those of one address.
pub async fn ask(
    check: &Check,
    values: Values,
    secrets: &Secrets,
    send: impl AsyncFn(&Request) -> ProbeResult,
) -> Asked {
    let Kind::Http(http) = &check.kind else { return once(check, values, secrets, &send).await };
    // Each of several requests is an attempt of its own.
    let numbered = |n| if http.repeat == 1 { values.clone() } else { values.clone().numbered(n) };
    let asking = (0..http.repeat).map(|n| once(check, numbered(n), secrets, &send));
    let asked: Vec<Asked> = stream::iter(asking).buffered(AT_ONCE).collect().await;
    let took: Vec<Duration> = asked.iter().map(|one| one.took).collect();
    // What was seen to fail says more than what could not be asked.
    let failed_once = asked.iter().find(|one| matches!(one.end, End::Failed(_)));
    let wrong = failed_once.or_else(|| asked.iter().find(|one| one.end != End::Passed));
    let wrong = wrong.map(|one| one.end.clone());
    let slow = || http.percentiles.mistake(&took).map(|mistake| failed(http, &values, secrets, &mistake));
    Asked {
        requests: asked.iter().map(|one| one.requests).sum(),
        connected: asked.iter().flat_map(|one| one.connected.clone()).collect(),
        took: took.iter().max().copied().unwrap_or_default(),
        end: wrong.or_else(slow).unwrap_or(End::Passed),
    }
}

/// Says that the answers of a request failed together.
fn failed(http: &Http, values: &Values, secrets: &Secrets, mistake: &str) -> End {
    let url = http.url.fill(values).unwrap_or_default();
    End::Failed(format!("{} {}: {mistake}", http.method.as_str(), shown(&blank(&url, &secrets.blanked()))))
}

/// Asks a check once.
async fn once(
    check: &Check,
    mut values: Values,
    secrets: &Secrets,
    send: &impl AsyncFn(&Request) -> ProbeResult,
) -> Asked {
    let mut asked = Asked::not(End::Passed);
    let mut secrets = secrets.blanked();
    for http in check.kind.requests() {
        let filled = http.request(&values).and_then(|request| Ok((request, http.expected(&values)?)));
        let (request, expected) = match filled {
            Ok(filled) => filled,
            Err(unfilled) => {
                let said = format!("{}{unfilled}", step(http));
                // A value that an answer gave does not fit: that is the fault of who answered.
                asked.end = match unfilled {
                    Unfilled::NotAPath(_) | Unfilled::SecondLine(_) if asked.requests > 0 => {
                        End::Failed(said)
                    }
                    _ => End::Nothing(said),
                };
                return asked;
            }
        };
        asked.requests += 1;
        let result = send(&request).await;
        if let ProbeResult::Answer(_) | ProbeResult::NoAnswer(_) = result {
            asked.connected.push(socket(&request));
        }
        if let ProbeResult::Answer(answer) = &result {
            asked.took += answer.took;
        }
        asked.end = end(http, &request, &expected, result, &mut values, &mut secrets);
        if asked.end != End::Passed {
            break;
        }
    }
    asked
}

/// Says how one request ended, and takes what later ones use.
fn end(
    http: &Http,
    request: &Request,
    expected: &Expected<'_>,
    result: ProbeResult,
    values: &mut Values,
    secrets: &mut Vec<Secret>,
) -> End {
    let asked = format!("{}{} {}", step(http), request.method.as_str(), shown(&blank(&request.url, secrets)));
    let failed = |mistake| End::Failed(format!("{asked}: {mistake}"));
    let answer = match result {
        ProbeResult::Answer(answer) => answer,
        // A reason can quote where an answer redirects to.
        ProbeResult::NoAnswer(why) => return failed(blank(&why, secrets)),
        ProbeResult::Unreached(why) => {
            return End::Unreached { socket: socket(request), asked, why: blank(&why, secrets) };
        }
        ProbeResult::Nothing(why) => return End::Nothing(format!("{asked}: {}", blank(&why, secrets))),
    };
    let told = Told { quiet: http.quiet, secrets };
    if let Some(mistake) = check::mistake(expected, &answer, &told) {
        return failed(mistake);
    }
    for (name, capture) in &http.captures {
        let Some(value) = captured(capture, &answer) else {
            return failed(format!("the answer has nothing to capture as {}", quoted(name)));
        };
        if http.quiet {
            secrets.extend(texts(&value).into_iter().filter_map(Secret::new));
        }
        values.capture(name, value);
    }
    End::Passed
}

/// Returns the texts of a value, each of which is as secret as the whole.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(all) => all.iter().flat_map(texts).collect(),
        Value::Object(fields) => fields.values().flat_map(texts).collect(),
        other => vec![other.to_string()],
    }
}

/// Names a step of a journey.
fn step(http: &Http) -> String {
    if http.name.is_empty() { String::new() } else { format!("step {}: ", quoted(&http.name)) }
}

/// Takes a value from an answer; none if it is not there, or not there once.
fn captured(capture: &Capture, answer: &Answer) -> Option<Value> {
    match capture {
        Capture::Json(path) => {
            let body: Value = serde_json::from_str(&answer.body).ok()?;
            path.query(&body).exactly_one().ok().cloned()
        }
        Capture::Header(name) => answer.header(name).next().map(Value::from),
        Capture::Cookie(name) => {
            let cookies = answer.header("set-cookie").filter_map(|cookie| {
                let (found, value) = cookie.split(';').next()?.split_once('=')?;
                (found.trim() == name).then(|| value.trim().trim_matches('"'))
            });
            cookies.last().map(Value::from)
        }
        Capture::Body if answer.cut => None,
        Capture::Body => Some(answer.body.as_str().into()),
    }
}

#[cfg(test)]
mod tests;
