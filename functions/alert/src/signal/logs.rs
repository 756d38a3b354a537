//! Lines of logs, as a subscription of a log group hands them over.

use std::collections::BTreeMap;
use std::io::Read;

use aws_smithy_types::base64;
use flate2::read::GzDecoder;
use pipeline::clock::Timestamp;
use pipeline::ids::ServiceName;
use pipeline::text::{line, signature};
use pipeline::{Fault, document};
use serde::Deserialize;
use serde_json::Value;

use super::rules::{CONTAINER, LogRule, Rules};
use super::{News, Raised, Signal};
use crate::hash;
use crate::kind::AlertKind;

/// How much is unpacked: one payload of Lambda's, well packed, may be of any size.
const LONGEST: u64 = 32 * 1024 * 1024;

/// How many kinds of lines of one batch are told apart, how many lines of a kind are shown, and how much of each.
const KINDS: usize = 20;
const SHOWN: usize = 3;
const LONGEST_LINE: usize = 500;

/// How much of what stays the same of a line tells it from others.
const LONGEST_SIGNATURE: usize = 120;

/// One batch of lines.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Batch {
    message_type: String,
    #[serde(default)]
    log_group: String,
    #[serde(default)]
    log_stream: String,
    #[serde(default)]
    log_events: Vec<LogEvent>,
}

#[derive(Debug, Deserialize)]
struct LogEvent {
    id: String,
    message: String,
}

/// Unpacks a batch.
pub fn unpack(payload: &Value) -> Result<Batch, Fault> {
    let expected = |what: &str| Fault::InvalidInput(format!("the payload at \"awslogs.data\": {what}"));
    let data = payload.pointer("/awslogs/data").and_then(Value::as_str);
    let data = data.ok_or_else(|| expected("expected text"))?;
    let packed = base64::decode(data).map_err(|_| expected("expected base64"))?;
    let mut text = Vec::new();
    let read = GzDecoder::new(packed.as_slice()).take(LONGEST + 1).read_to_end(&mut text);
    read.map_err(|error| expected(&format!("expected gzip: {error}")))?;
    if text.len() as u64 > LONGEST {
        return Err(expected(&format!("expected at most {LONGEST} bytes once it is unpacked")));
    }
    let value =
        serde_json::from_slice(&text).map_err(|error| expected(&format!("it is not JSON: {error}")))?;
    document::read("the batch of log lines", value)
}

impl Batch {
    /// Returns the group that the lines are of.
    pub fn group(&self) -> &str {
        &self.log_group
    }

    /// Returns what is the same if the batch comes again.
    pub fn hash(&self) -> String {
        let ids = self.log_events.iter().map(|event| event.id.as_str());
        let parts = [self.log_group.as_str(), &self.log_stream].into_iter().chain(ids);
        hash::of(parts.collect::<Vec<_>>().join("\n"))
    }

    /// Returns what the rules tell of it, one piece of news for each kind of line.
    pub fn news(&self, rules: &Rules, now: Timestamp) -> Vec<News> {
        if self.message_type != "DATA_MESSAGE" {
            return Vec::new();
        }
        let mut kinds: BTreeMap<(usize, String), Vec<&str>> = BTreeMap::new();
        for event in &self.log_events {
            let rule = rules.logs.iter().position(|rule| rule.takes(&self.log_group, &event.message));
            let Some(rule) = rule else { continue };
            let kind = (rule, pipeline::text::cut(signature(&event.message).chars(), LONGEST_SIGNATURE));
            // Beyond so many, all others are one kind.
            let room = kinds.len() < KINDS || kinds.contains_key(&kind);
            let kind = if room { kind } else { (rule, "others".to_owned()) };
            kinds.entry(kind).or_default().push(&event.message);
        }
        kinds
            .into_iter()
            .filter_map(|((rule, kind), lines)| Some(self.raised(rules.logs.get(rule)?, &kind, &lines, now)))
            .collect()
    }

    fn raised(&self, rule: &LogRule, kind: &str, lines: &[&str], now: Timestamp) -> News {
        let service = match rule.service.as_deref() {
            Some(CONTAINER) => self.log_stream.split('/').nth(1),
            named => named,
        };
        let service = service.and_then(|name| ServiceName::parse(name).ok());
        let of = service.as_ref().map_or(self.log_group.as_str(), ServiceName::as_str);
        let signal = Signal {
            id: format!("log/{}/{}", rule.name, hash::of(format!("{of}\n{kind}"))),
            kind: AlertKind::LogMatched,
            severity: rule.severity,
            environment: rule.environment.clone(),
            service,
            about: line(&self.log_group, 128),
            because: format!("the rule {} found lines in {}", rule.name, line(&self.log_group, 128)),
            lines: lines.iter().take(SHOWN).map(|text| line(text.trim(), LONGEST_LINE)).collect(),
            link: None,
            quiet_seconds: Some(rule.quiet_minutes * 60),
        };
        let from = (rule.count > 1).then_some((u64::from(rule.count), rule.within_seconds));
        let times = lines.len() as u64;
        News::Raised(Box::new(Raised { signal, at: now, times, once: false, from, judged: None }))
    }
}

impl LogRule {
    fn takes(&self, group: &str, message: &str) -> bool {
        let is = |patterns: &crate::route::Patterns| patterns.matches([message]);
        self.group.matches([group]) && is(&self.matches) && !self.not.as_ref().is_some_and(is)
    }
}
