//! The channels: each renders a message in its own file, and says what an answer means.

pub mod http;
pub mod pagerduty;
pub mod slack;
pub mod sns;
pub mod teams;
pub mod voice;

use pipeline::Fault;
use pipeline::clock::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::delivery::Delivery;
use crate::kind::{Act, AlertKind, Severity};
use crate::message::Message;
use crate::port::http::Answer;
use crate::route::TOPIC;
use crate::secret::{Kept, Reference, Secret, Secrets};

/// One way to reach people, as the document has it.
#[derive(Clone)]
pub struct Channel {
    /// Its name there.
    pub name: String,
    /// Whether its readers may see what tasks logged and tests got.
    pub details: bool,
    /// What wakes somebody.
    pub pages: Pages,
    /// How.
    pub how: How,
}

/// What wakes somebody, where a channel can.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pages {
    /// What somebody must act on.
    #[default]
    Act,
    /// All that its routes let through.
    Severity,
}

/// The kinds of channels.
#[derive(Clone)]
pub enum How {
    /// The topic of the stack: e-mail and SMS.
    Sns,
    /// Slack, by a token.
    Slack(slack::Bot),
    /// Slack, by a webhook.
    SlackWebhook(slack::Webhook),
    /// Teams.
    Teams(teams::Settings),
    /// PagerDuty.
    PagerDuty(pagerduty::Settings),
    /// Any HTTP API.
    Http(http::Settings),
    /// A telephone.
    Voice(voice::Settings),
}

/// One request.
pub struct Post {
    /// Where; often a secret by itself.
    pub url: Secret,
    /// Its headers, beside that it is JSON.
    pub headers: Vec<(&'static str, Secret)>,
    /// The JSON.
    pub body: String,
}

/// What a channel asks for to tell a message.
pub enum Call {
    /// To publish to the topic.
    Publish(sns::Publication),
    /// To post.
    Post(Post),
    /// To post what edits an earlier message; the news is told without it.
    Edit(Post),
    /// To call a telephone.
    Ring(String),
}

/// Why a message was not delivered.
#[derive(Clone, Debug, PartialEq)]
pub enum Failed {
    /// It may be later, after so many seconds if that was said.
    Later(String, Option<u32>),
    /// It will not be.
    Final(String),
}

impl Channel {
    /// Makes the channel that is there without any document.
    pub fn topic() -> Self {
        Channel { name: TOPIC.to_owned(), details: true, pages: Pages::default(), how: How::Sns }
    }

    /// Returns the secrets that it needs.
    pub fn references(&self) -> Vec<&Reference> {
        match &self.how {
            How::Sns => Vec::new(),
            How::Slack(bot) => vec![&bot.token],
            How::SlackWebhook(webhook) => vec![&webhook.url],
            How::Teams(settings) => vec![&settings.url],
            How::PagerDuty(settings) => vec![&settings.key],
            How::Http(settings) => {
                [&settings.url].into_iter().chain(&settings.secrets).filter_map(Kept::reference).collect()
            }
            How::Voice(settings) => settings.to.first().and_then(Kept::reference).into_iter().collect(),
        }
    }

    /// Returns what it asks for to tell a message, after what it told before; nothing if it has nothing to say of it.
    pub fn calls(
        &self,
        message: &Message,
        before: Option<&Delivery>,
        known: &Secrets,
        now: Timestamp,
    ) -> Result<Vec<Call>, Fault> {
        let one = |post: Post| vec![Call::Post(post)];
        let all = |posts: Vec<Post>| posts.into_iter().map(Call::Post).collect();
        Ok(match &self.how {
            How::Sns => vec![Call::Publish(sns::publication(message))],
            How::Slack(bot) => {
                let thread = before.and_then(|before| bot.thread(before.thread.as_deref()?));
                slack::calls(bot, message, thread, known)?
            }
            How::SlackWebhook(webhook) => one(slack::post(webhook, message, known)?),
            How::Teams(settings) => one(teams::post(settings, message, known)?),
            How::PagerDuty(settings) => {
                all(pagerduty::posts(settings, (message, self.pages), before, known)?)
            }
            How::Http(settings) => one(http::post(settings, (&self.name, message), known, now)?),
            How::Voice(_) if !self.rings(message) => Vec::new(),
            How::Voice(settings) => vec![Call::Ring(voice::call(settings, message, known)?)],
        })
    }

    /// Reads the answer to a request; returns what names the message there, if it can be edited.
    pub fn read(&self, answer: &Answer) -> Result<Option<String>, Failed> {
        match &self.how {
            How::Slack(bot) => slack::read(bot, answer),
            How::Voice(_) => voice::read(answer),
            How::SlackWebhook(_) => slack::read_webhook(answer),
            _ => by_status(answer).map(|()| None),
        }
    }

    /// Returns what a message wakes somebody for here, until its end is told; or what an earlier one has, if that goes on.
    pub fn opens(&self, message: &Message, before: Option<&Delivery>) -> Option<String> {
        let How::PagerDuty(_) = self.how else { return None };
        if pagerduty::pages(message, self.pages) && message.outcome != AlertKind::Test {
            return Some(message.dedup_key.clone());
        }
        let open = before.and_then(|before| before.open.clone());
        open.filter(|key| !pagerduty::ends(message, self.pages, key))
    }

    /// Returns what names the message that goes on, if there is one here.
    pub fn thread(&self, before: &Delivery) -> Option<String> {
        let How::Slack(bot) = &self.how else { return None };
        before.thread.clone().filter(|thread| bot.thread(thread).is_some())
    }

    /// Tells whether it calls a telephone, which rings each time.
    pub fn is_telephone(&self) -> bool {
        matches!(self.how, How::Voice(_))
    }

    /// Tells whether a telephone is called: for what is critical alone.
    fn rings(&self, message: &Message) -> bool {
        if message.outcome == AlertKind::Test {
            return true;
        }
        !message.is_end
            && message.severity == Severity::Critical
            && (message.act == Act::Now || self.pages == Pages::Severity)
    }
}

/// Adds a field to a body.
fn with(mut body: Value, key: &str, value: impl Into<Value>) -> Value {
    if let Value::Object(fields) = &mut body {
        fields.insert(key.to_owned(), value.into());
    }
    body
}

/// Says what the status of an answer means.
fn by_status(answer: &Answer) -> Result<(), Failed> {
    let why = format!("it answered with status {}", answer.status);
    match answer.status {
        200..=299 => Ok(()),
        408 | 429 | 500..=599 => Err(Failed::Later(why, answer.retry_after)),
        _ => Err(Failed::Final(why)),
    }
}
