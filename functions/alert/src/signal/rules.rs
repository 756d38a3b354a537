//! What the document says of alarms and of logs.

use pipeline::document;
use pipeline::ids::{EnvironmentName, ServiceName};
use serde::Deserialize;
use serde_json::Value;

use crate::kind::Severity;
use crate::route::Patterns;

/// What a number may be, by its key.
const COUNT: (u32, u32) = (1, 100_000);
const WITHIN_SECONDS: (u32, u32) = (10, 3600);
const QUIET_MINUTES: (u32, u32) = (1, 1440);
const REPEAT_MINUTES: (u32, u32) = (5, 10_080);
const RESOLVE_SECONDS: (u32, u32) = (0, 3600);

/// How what is of no release is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// The alarms, beside those that an environment names.
    pub alarms: Vec<AlarmRule>,
    /// The lines of logs.
    pub logs: Vec<LogRule>,
    /// After how many minutes what is still open is told again.
    pub repeat_minutes: u32,
    /// For how many seconds the end of something has to hold.
    pub resolve_after_seconds: u32,
}

impl Default for Rules {
    fn default() -> Self {
        Rules { alarms: Vec::new(), logs: Vec::new(), repeat_minutes: 240, resolve_after_seconds: 120 }
    }
}

/// Which alarms are told, and as what.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlarmRule {
    /// A pattern of their names.
    pub name: String,
    /// The environment that they are about.
    #[serde(default)]
    pub environment: Option<EnvironmentName>,
    /// The service that they are about.
    #[serde(default)]
    pub service: Option<ServiceName>,
    /// How grave they are.
    #[serde(default = "warning")]
    pub severity: Severity,
}

/// Which lines are told, and as what.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct LogRule {
    /// Its name.
    pub name: String,
    /// Patterns of log groups; all if there are none.
    #[serde(default)]
    pub group: Patterns,
    /// Patterns of the lines.
    #[serde(rename = "match")]
    pub matches: Patterns,
    /// Patterns of lines that are not told although they match.
    #[serde(default)]
    pub not: Option<Patterns>,
    /// The environment that they are about.
    #[serde(default)]
    pub environment: Option<EnvironmentName>,
    /// The service that they are about; `{container}` takes the container that the stream is named after.
    #[serde(default)]
    pub service: Option<String>,
    /// How grave they are.
    #[serde(default = "warning")]
    pub severity: Severity,
    /// How many lines are told.
    #[serde(default = "one")]
    pub count: u32,
    /// Within how many seconds they have to come.
    #[serde(default = "five_minutes")]
    pub within_seconds: u32,
    /// After how many minutes without such a line it is over.
    #[serde(default = "quarter")]
    pub quiet_minutes: u32,
}

fn warning() -> Severity {
    Severity::Warning
}
fn one() -> u32 {
    1
}
fn five_minutes() -> u32 {
    300
}
fn quarter() -> u32 {
    15
}

impl Rules {
    /// Takes one key of the document; tells whether it is one of these, and what is wrong with it.
    pub fn take(&mut self, key: &str, value: &Value) -> Option<Vec<String>> {
        let number = |into: &mut u32, bounds| match number(key, value, bounds) {
            Ok(number) => {
                *into = number;
                Vec::new()
            }
            Err(why) => vec![why],
        };
        match key {
            "alarms" => Some(list(key, value, &mut self.alarms, |_, rule| Ok(rule))),
            "logs" => Some(list(key, value, &mut self.logs, LogRule::checked)),
            "repeatMinutes" => Some(number(&mut self.repeat_minutes, REPEAT_MINUTES)),
            "resolveAfterSeconds" => Some(number(&mut self.resolve_after_seconds, RESOLVE_SECONDS)),
            _ => None,
        }
    }
}

impl LogRule {
    fn checked(place: &str, rule: LogRule) -> Result<LogRule, String> {
        let named = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if rule.name.is_empty() || rule.name.len() > 32 || !rule.name.chars().all(named) {
            return Err(format!("{place}.name: expected at most 32 of a-z, 0-9 and \"-\""));
        }
        if matches!(rule.matches, Patterns::All) {
            return Err(format!("{place}.match: expected a pattern, or a list of patterns"));
        }
        let service = rule.service.as_deref().filter(|name| *name != CONTAINER);
        if let Some(name) = service {
            ServiceName::parse(name)
                .map_err(|fault| format!("{place}.service: {fault}, or {CONTAINER:?}"))?;
        }
        for (key, value, bounds) in [
            ("count", rule.count, COUNT),
            ("withinSeconds", rule.within_seconds, WITHIN_SECONDS),
            ("quietMinutes", rule.quiet_minutes, QUIET_MINUTES),
        ] {
            number(&format!("{place}.{key}"), &value.into(), bounds)?;
        }
        Ok(rule)
    }
}

/// What stands for the container that a stream is named after.
pub const CONTAINER: &str = "{container}";

/// Reads a list of rules, each by itself.
fn list<Rule: serde::de::DeserializeOwned>(
    key: &str,
    value: &Value,
    into: &mut Vec<Rule>,
    checked: impl Fn(&str, Rule) -> Result<Rule, String>,
) -> Vec<String> {
    let Some(values) = value.as_array() else { return vec![format!("{key}: expected a list")] };
    let mut wrong = Vec::new();
    for (n, value) in values.iter().enumerate() {
        let place = format!("{key}[{n}]");
        let read = document::read(&place, value.clone()).map_err(|fault| fault.to_string());
        match read.and_then(|rule| checked(&place, rule)) {
            Ok(rule) => into.push(rule),
            Err(why) => wrong.push(why),
        }
    }
    wrong
}

fn number(place: &str, value: &Value, (least, most): (u32, u32)) -> Result<u32, String> {
    let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
    number
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(|| format!("{place}: expected a whole number from {least} to {most}"))
}
