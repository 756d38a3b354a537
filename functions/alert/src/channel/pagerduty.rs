//! PagerDuty: an incident while somebody has to act, its end when nobody has to any more, and deployments as changes.

use pipeline::Fault;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Pages, Post, with};
use crate::delivery::Delivery;
use crate::hash;
use crate::kind::{Act, AlertKind, Severity};
use crate::message::Message;
use crate::secret::{Reference, Secret, Secrets};

/// What a summary and the details hold.
const LONGEST_SUMMARY: usize = 1_024;
const LONGEST_DETAILS: usize = 20_000;

/// How long a key may be, and how many characters of a longer one stay: each may have four bytes.
const LONGEST_KEY: usize = 255;
const LONGEST_BEGIN: usize = 50;

/// An integration.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Its key.
    pub key: Reference,
    /// Where the account is.
    #[serde(default)]
    pub region: Region,
    /// Whether what was deployed is shown beside incidents.
    #[serde(default)]
    pub changes: bool,
}

/// Where an account is.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Region {
    /// The United States.
    #[default]
    Us,
    /// Europe.
    Eu,
}

impl Settings {
    fn to(&self, path: &str, body: Value, known: &Secrets) -> Result<Post, Fault> {
        let body = with(body, "routing_key", known.get(&self.key)?.reveal().trim());
        let host = match self.region {
            Region::Us => "events.pagerduty.com",
            Region::Eu => "events.eu.pagerduty.com",
        };
        let url = Secret::new(format!("https://{host}/v2/{path}"));
        Ok(Post { url, headers: Vec::new(), body: body.to_string() })
    }
}

/// Tells whether a message opens an incident: how far a release is wakes nobody.
pub fn pages(message: &Message, pages: Pages) -> bool {
    let acts = message.act != Act::None;
    !message.is_end && (acts || (pages == Pages::Severity && !message.outcome.is_progress()))
}

/// Tells whether a message ends an incident: a question is over once something else is told, and what somebody has to act
/// on once nobody has to any more.  How far a release is says nothing of that.
pub fn ends(message: &Message, pages: Pages, open: &str) -> bool {
    open != message.dedup_key || !(self::pages(message, pages) || message.outcome.is_progress())
}

/// Returns the requests that tell a message, after what was told before.
pub fn posts(
    settings: &Settings,
    (message, pages): (&Message, Pages),
    before: Option<&Delivery>,
    known: &Secrets,
) -> Result<Vec<Post>, Fault> {
    if message.outcome == AlertKind::Test {
        let (open, end) = (trigger(message), resolve(&message.dedup_key));
        return [open, end].into_iter().map(|event| settings.to("enqueue", event, known)).collect();
    }
    let mut posts = Vec::new();
    let opens = self::pages(message, pages);
    let over = before.and_then(|before| before.open.as_ref()).filter(|key| ends(message, pages, key));
    if let Some(key) = over {
        posts.push(settings.to("enqueue", resolve(key), known)?);
    }
    if opens {
        posts.push(settings.to("enqueue", trigger(message), known)?);
    }
    let is_change = matches!(message.outcome, AlertKind::Deployed | AlertKind::RolledBack);
    if settings.changes && is_change {
        posts.push(settings.to("change/enqueue", change(message), known)?);
    }
    Ok(posts)
}

fn resolve(key: &str) -> Value {
    json!({"event_action": "resolve", "dedup_key": key_of(key)})
}

fn trigger(message: &Message) -> Value {
    let severity = match (message.severity, message.act) {
        (Severity::Critical, Act::Now) => "critical",
        (_, Act::Now | Act::Soon) => "error",
        (Severity::Info, Act::None) => "info",
        (_, Act::None) => "warning",
    };
    let details = pipeline::text::cut(message.text().chars(), LONGEST_DETAILS);
    let mut payload = json!({
        "summary": pipeline::text::cut(message.title.chars(), LONGEST_SUMMARY),
        "source": "tidegate",
        "severity": severity,
        "timestamp": message.at,
        "class": message.event,
        "custom_details": {"text": details},
    });
    for (key, value) in [("component", message.services.first()), ("group", message.environment.as_ref())] {
        if let Some(value) = value {
            payload = with(payload, key, value.as_str());
        }
    }
    let (key, links) = (key_of(&message.dedup_key), links(message));
    json!({"event_action": "trigger", "dedup_key": key, "payload": payload, "links": links})
}

fn change(message: &Message) -> Value {
    json!({
        "payload": {
            "summary": message.title,
            "source": "tidegate",
            "timestamp": message.at,
            "custom_details": {"release": message.release, "environment": message.environment},
        },
        "links": links(message),
    })
}

fn links(message: &Message) -> Vec<Value> {
    message.links().map(|(text, link)| json!({"href": link, "text": text})).collect()
}

/// Returns what all events of one incident share; of a long one the end is its hash.
fn key_of(id: &str) -> String {
    let key = format!("tidegate/{id}");
    if key.len() <= LONGEST_KEY {
        return key;
    }
    format!("{}{}", pipeline::text::cut(key.chars(), LONGEST_BEGIN), hash::of(&key))
}
