//! The document of the channels and routes.
//!
//! What is wrong with a channel switches that channel off, and what is wrong with a route sends everything to the topic:
//! no mistake silences an alert.  A complaint never holds what stands in a channel, since that may be its secret.

use std::collections::BTreeMap;

use pipeline::document::nearest;
use pipeline::text::shown;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::channel::{Channel, How, Pages};
use crate::route::{Route, TOPIC};
use crate::secret::Secret;
use crate::signal::rules::Rules;

/// The types of channels, as people write them.
const TYPES: [&str; 7] = ["sns", "slack", "slack-webhook", "teams", "pagerduty", "http", "voice"];

/// The document, as far as it can be read.
#[derive(Default)]
pub struct Document {
    /// Its channels by name; of one that cannot be used, why.
    pub channels: BTreeMap<String, Result<Channel, String>>,
    /// Its routes; none if all goes everywhere.
    pub routes: Option<Vec<Route>>,
    /// How what is of no release is told.
    pub rules: Rules,
    /// What is wrong with it or its routes.
    pub mistakes: Vec<String>,
    /// What is wrong with its rules, which leaves routes and channels as they are.
    pub wrong_rules: Vec<String>,
}

impl Document {
    /// Reads the document; `name` is that of its parameter.
    pub fn read(name: &str, text: &Secret) -> Self {
        let mut document = Document::default();
        let value: Value = match serde_json::from_str(text.reveal()) {
            Ok(Value::Object(value)) => Value::Object(value),
            Ok(_) => return document.wrong(name, "expected an object"),
            Err(error) => {
                let place = format!("it is not JSON at line {}, column {}", error.line(), error.column());
                return document.wrong(name, &place);
            }
        };
        for (key, value) in value.as_object().into_iter().flatten() {
            match (key.as_str(), value) {
                ("webhook", Value::Object(webhook)) => {
                    // As documents of older versions have it: one API, which is told all.
                    let channel = of_webhook(webhook.clone());
                    document.channels.insert("webhook".to_owned(), channel);
                }
                ("channels", Value::Object(channels)) => {
                    let read = channels.iter().map(|(key, value)| (key.clone(), channel(key, value)));
                    document.channels.extend(read);
                }
                ("routes", Value::Array(_)) => {}
                ("webhook" | "channels", _) => {
                    document = document.wrong(name, &format!("{key}: expected an object"))
                }
                ("routes", _) => document = document.wrong(name, "routes: expected a list"),
                (other, value) => match document.rules.take(other, value) {
                    Some(mistakes) => {
                        let mistakes = mistakes.into_iter().map(|why| format!("{name}: {why}"));
                        document.wrong_rules.extend(mistakes);
                    }
                    None => {
                        let known =
                            ["channels", "routes", "alarms", "logs", "repeatMinutes", "resolveAfterSeconds"];
                        document = document.wrong(name, &unknown("", other, known));
                    }
                },
            }
        }
        if let Some(Value::Array(routes)) = value.get("routes") {
            document.read_routes(name, routes);
        }
        document
    }

    fn read_routes(&mut self, name: &str, routes: &[Value]) {
        let mut read = Vec::new();
        for (n, value) in routes.iter().enumerate() {
            let place = format!("routes[{n}]");
            match Route::read(&place, value.clone()).and_then(|route| route.checked(&place, &self.channels)) {
                Ok(route) => read.push(route),
                Err(why) => self.mistakes.push(format!("{name}: {why}")),
            }
        }
        self.routes = Some(read);
    }

    /// Returns the topic, as one of its channels has it, or as it is without any.
    pub fn topic(&self) -> Channel {
        let own = self.channels.values().flatten().find(|channel| matches!(channel.how, How::Sns));
        own.cloned().unwrap_or_else(Channel::topic)
    }

    fn wrong(mut self, name: &str, why: &str) -> Self {
        self.mistakes.push(format!("{name}: {why}"));
        self
    }
}

fn of_webhook(mut webhook: Map<String, Value>) -> Result<Channel, String> {
    if let Some(secret) = webhook.remove("secret") {
        webhook.insert("secrets".to_owned(), Value::Array(vec![secret]));
    }
    let how = How::Http(settings("webhook", Value::Object(webhook))?);
    Ok(Channel { name: "webhook".to_owned(), details: true, pages: Pages::default(), how })
}

/// Reads one channel, or says what is wrong with it.
fn channel(name: &str, value: &Value) -> Result<Channel, String> {
    let place = format!("channels.{}", pipeline::text::line(name, 64));
    let named = !name.is_empty() && name.len() <= 32;
    if !named || !name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-') {
        return Err(format!("{place}: expected a name of at most 32 of a-z, 0-9 and \"-\""));
    }
    let Value::Object(mut rest) = value.clone() else { return Err(format!("{place}: expected an object")) };
    let kind = rest.remove("type");
    let Some(kind) = kind.as_ref().and_then(Value::as_str) else {
        return Err(format!("{place}.type: expected one of {}", TYPES.join(", ")));
    };
    let details = match rest.remove("details") {
        None => true,
        Some(Value::Bool(details)) => details,
        Some(_) => return Err(format!("{place}.details: expected true or false")),
    };
    let pages = match rest.remove("pages").as_ref().map(Value::as_str) {
        None | Some(Some("act")) => Pages::Act,
        Some(Some("severity")) => Pages::Severity,
        Some(_) => return Err(format!("{place}.pages: expected \"act\" or \"severity\"")),
    };
    let rest = Value::Object(rest);
    let how = match kind {
        "sns" => settings::<Nothing>(&place, rest).map(|_| How::Sns),
        "slack" => settings(&place, rest).map(How::Slack),
        "slack-webhook" => settings(&place, rest).map(How::SlackWebhook),
        "teams" => settings(&place, rest).map(How::Teams),
        "pagerduty" => settings(&place, rest).map(How::PagerDuty),
        "http" => settings(&place, rest).map(How::Http),
        "voice" => settings(&place, rest).map(How::Voice),
        // Somebody may have pasted a secret into the wrong place: only what could be a type is shown.
        other if other.len() > 20 || !other.chars().all(|c| c.is_ascii_lowercase() || c == '-') => {
            Err(format!("{place}.type: expected one of {}", TYPES.join(", ")))
        }
        other => {
            let meant =
                nearest(other, TYPES).map_or_else(String::new, |near| format!("; did you mean {near:?}?"));
            Err(format!(
                "{place}.type: {} is no type: expected one of {}{meant}",
                shown(other),
                TYPES.join(", ")
            ))
        }
    }?;
    let is_topic = matches!(how, How::Sns);
    if name == TOPIC && !is_topic {
        return Err(format!("{place}: this is the name of the topic: expected another one, or type \"sns\""));
    }
    // There is one topic, whatever it is called.
    let name = if is_topic { TOPIC } else { name };
    Ok(Channel { name: name.to_owned(), details, pages, how })
}

/// The settings of a channel that has none.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// Reads the settings of a channel; of what is wrong the place alone is said, and what belongs there.
fn settings<T: DeserializeOwned>(place: &str, value: Value) -> Result<T, String> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let at = error.path().to_string();
        let said = error.inner().to_string();
        let field = said.split('`').nth(1).unwrap_or_default();
        if said.starts_with("missing field") {
            return format!("{place}: expected the key {field:?}");
        }
        if said.starts_with("unknown field") {
            return unknown(&format!("{place}: "), field, said.split('`').skip(3).step_by(2));
        }
        let at = if at == "." { place.to_owned() } else { format!("{place}.{at}") };
        match said.strip_prefix("expected ") {
            // Our own words, which quote nothing.
            Some(_) => format!("{at}: {said}"),
            None => format!("{at}: it is not of the type that is expected there"),
        }
    })
}

/// Complains about a key, and names the nearest.
fn unknown<'a>(place: &str, key: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    let meant = nearest(key, known.iter().copied());
    let meant = meant.map_or_else(String::new, |near| format!("; did you mean {near:?}?"));
    let expected = if known.is_empty() { "no key".to_owned() } else { known.join(", ") };
    format!("{place}unknown key {}: expected {expected}{meant}", shown(key))
}

#[cfg(test)]
mod tests;
