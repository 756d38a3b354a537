//! Who hears of what.  Pure.

use std::collections::BTreeMap;

use pipeline::document::{self, nearest};
use pipeline::text::shown;
use serde::Deserialize;
use serde_json::Value;
use wildmatch::WildMatch;

use crate::channel::{Channel, How};
use crate::document::Document;
use crate::kind::{AlertKind, Severity};
use crate::message::Message;

/// The name of the channel that is there without any document, and that takes what nobody else would.
pub const TOPIC: &str = "sns";

/// One route: what it matches goes to its channels.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// What is this grave, or graver.
    #[serde(default = "warning")]
    pub severity: Severity,
    /// Patterns of environments; all if there are none.
    #[serde(default)]
    pub environment: Patterns,
    /// Patterns of services, one of which a release has to touch.
    #[serde(default)]
    pub service: Patterns,
    /// Patterns of event types.
    #[serde(default)]
    pub kind: Patterns,
    /// The channels.
    pub to: Vec<String>,
    /// Whether the routes after it are not looked at.
    #[serde(default)]
    pub stop: bool,
}

/// One pattern, or several.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(untagged, expecting = "expected a pattern, or a list of patterns")]
pub enum Patterns {
    /// All.
    #[default]
    All,
    /// What one matches.
    One(String),
    /// What any matches.
    Any(Vec<String>),
}

fn warning() -> Severity {
    Severity::Warning
}

impl Patterns {
    /// Tells whether any of some texts matches.
    pub fn matches<'a>(&self, texts: impl IntoIterator<Item = &'a str>) -> bool {
        let patterns = match self {
            Patterns::All => return true,
            Patterns::One(pattern) => std::slice::from_ref(pattern),
            Patterns::Any(patterns) => patterns,
        };
        texts.into_iter().any(|text| patterns.iter().any(|pattern| WildMatch::new(pattern).matches(text)))
    }
}

impl Route {
    /// Reads a route, or says what is wrong with it.
    pub fn read(place: &str, value: Value) -> Result<Self, String> {
        document::read(place, value).map_err(|fault| fault.to_string())
    }

    /// Looks at the channels that it names.
    pub fn checked(
        self,
        place: &str,
        channels: &BTreeMap<String, Result<Channel, String>>,
    ) -> Result<Self, String> {
        if self.to.is_empty() {
            return Err(format!("{place}.to: expected the name of a channel"));
        }
        for (n, name) in self.to.iter().enumerate() {
            match channels.get(name) {
                None if name == TOPIC => {}
                None => {
                    let names = channels.keys().map(String::as_str).chain([TOPIC]);
                    let meant = nearest(name, names);
                    let meant = meant.map_or_else(String::new, |near| format!("; did you mean {near:?}?"));
                    return Err(format!("{place}.to[{n}]: {} is no channel{meant}", shown(name)));
                }
                Some(Ok(Channel { how: How::Voice(_), .. })) if self.severity != Severity::Critical => {
                    return Err(format!(
                        "{place}.to[{n}]: {name:?} is a voice channel, for critical alone, and the route has severity \
                         {:?}",
                        self.severity.name()
                    ));
                }
                Some(_) => {}
            }
        }
        Ok(self)
    }

    /// What is critical and of which nobody knows where it is matches every place.
    fn matches(&self, message: &Message) -> bool {
        let unknown = |is_empty: bool| is_empty && message.severity == Severity::Critical;
        let services = &message.services;
        message.severity >= self.severity
            && self.kind.matches([message.event])
            && (unknown(message.environment.is_none())
                || self.environment.matches(message.environment.as_deref()))
            && (unknown(services.is_empty()) || self.service.matches(services.iter().map(String::as_str)))
    }
}

/// The channels that a message goes to, and what has to be told of them with it.
pub struct Chosen {
    /// The channels, each once.
    pub channels: Vec<Channel>,
    /// What is wrong with the document, or that nothing in it is meant for this.
    pub notes: Vec<String>,
}

/// Tells whether a route may name somebody for what only says how far a release is, whatever services that touches.
pub fn may_ask_for(document: &Document, kind: AlertKind, environment: Option<&str>) -> bool {
    let mut routes = document.routes.iter().flatten().filter(|_| document.mistakes.is_empty());
    routes.any(|route| {
        kind.severity() >= route.severity
            && route.kind.matches([kind.event()])
            && route.environment.matches(environment)
    })
}

/// Chooses the channels of a message: all matching routes count.
///
/// What is a warning or graver, and matches none, goes to the topic, and so does everything if a route is wrong.  What
/// only says how far a release is, or that a document was changed, goes to whom a route names, and to nobody else.
pub fn choose(document: &Document, message: &Message) -> Chosen {
    let mut notes = document.mistakes.clone();
    notes.extend(document.wrong_rules.iter().cloned());
    let mut names: Vec<&str> = Vec::new();
    let by_route_alone = message.outcome.is_told_by_route_alone();
    match (&document.routes, document.mistakes.is_empty()) {
        (None, _) | (_, false) if by_route_alone => {
            return Chosen { channels: Vec::new(), notes: Vec::new() };
        }
        (_, false) => names.push(TOPIC),
        (None, true) => names.extend(document.channels.keys().map(String::as_str).chain([TOPIC])),
        (Some(routes), true) => {
            for route in routes.iter().filter(|route| route.matches(message)) {
                names.extend(route.to.iter().map(String::as_str));
                if route.stop {
                    break;
                }
            }
            if names.is_empty() && message.severity >= Severity::Warning {
                names.push(TOPIC);
                notes.push("No route of the alerts matches this, so it goes to the topic.".to_owned());
            }
        }
    }
    if by_route_alone {
        // What follows is told to the topic in the place of a channel that is switched off, and why.
        names.retain(|name| !matches!(document.channels.get(*name), Some(Err(_))));
    }
    let mut chosen = named(document, names.into_iter());
    chosen.notes.extend(notes);
    chosen.notes.sort();
    chosen.notes.dedup();
    chosen
}

/// Returns the channels of some names; the topic in place of one that is switched off, or not there.
pub fn named<'a>(document: &Document, names: impl Iterator<Item = &'a str>) -> Chosen {
    let mut chosen = Chosen { channels: Vec::new(), notes: Vec::new() };
    for name in names {
        match document.channels.get(name) {
            Some(Ok(channel)) => chosen.add(channel.clone()),
            Some(Err(why)) => {
                chosen.notes.push(format!("The channel {name} is switched off: {why}"));
                chosen.add(document.topic());
            }
            None => chosen.add(document.topic()),
        }
    }
    chosen
}

impl Chosen {
    /// Adds a channel, unless it is there already.
    pub fn add(&mut self, channel: Channel) {
        if !self.channels.iter().any(|one| one.name == channel.name) {
            self.channels.push(channel);
        }
    }
}

/// Returns all channels, or one of them, whatever the routes say: somebody tries them.
pub fn all(document: &Document, only: Option<&str>) -> Chosen {
    let mut chosen = Chosen {
        channels: Vec::new(),
        notes: [document.mistakes.as_slice(), &document.wrong_rules].concat(),
    };
    let named = |name: &str| only.is_none_or(|only| only == name);
    for (name, channel) in document.channels.iter().filter(|(name, _)| named(name)) {
        match channel {
            Ok(channel) => chosen.channels.push(channel.clone()),
            Err(why) => chosen.notes.push(format!("The channel {name} is switched off: {why}")),
        }
    }
    if named(TOPIC) {
        chosen.add(document.topic());
    }
    chosen
}

#[cfg(test)]
mod tests;
