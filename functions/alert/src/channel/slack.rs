//! Slack: by a token, a thread for each release whose root says how it stands; or by a webhook, one message each.

use pipeline::Fault;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Call, Failed, Post, with};
use crate::message::Message;
use crate::port::http::Answer;
use crate::secret::{Reference, Secret, Secrets};

const API: &str = "https://slack.com/api/";

/// What a header and a section hold, and how much of a message is sent: beyond 13,000 Slack refuses all of it.
const LONGEST_HEADER: usize = 150;
const LONGEST_SECTION: usize = 2_900;
const LONGEST: usize = 9_000;

/// How many paragraphs are sent: Slack takes 50 blocks, of which a few are ours.
const PARAGRAPHS: usize = 40;

/// A bot.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bot {
    /// Its token.
    pub token: Reference,
    /// The id of the channel: a message cannot be edited by the channel's name.
    pub channel: String,
}

impl Bot {
    /// Returns what names a message, if that is in this channel: the document may name another one since.
    pub fn thread<'a>(&self, thread: &'a str) -> Option<&'a str> {
        thread.strip_prefix(self.channel.as_str())?.strip_prefix('/')
    }
}

/// A webhook.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// Its URL.
    pub url: Reference,
}

/// Returns the requests that tell a message: the root of a thread, or a reply and the root as it reads from now on.
pub fn calls(
    bot: &Bot,
    message: &Message,
    thread: Option<&str>,
    known: &Secrets,
) -> Result<Vec<Call>, Fault> {
    let token = known.get(&bot.token)?;
    let authorization = || ("authorization", Secret::new(format!("Bearer {}", token.reveal())));
    let to = |method: &str, body: Value| {
        let body = with(body, "channel", bot.channel.as_str());
        let url = Secret::new(format!("{API}{method}"));
        Post { url, headers: vec![authorization()], body: body.to_string() }
    };
    let whole = content(message);
    Ok(match thread {
        None => vec![Call::Post(to("chat.postMessage", whole))],
        Some(root) => {
            // Those who do not follow the thread hear of it, too.
            let reply = with(with(whole.clone(), "thread_ts", root), "reply_broadcast", true);
            let edited = with(whole, "ts", root);
            vec![Call::Post(to("chat.postMessage", reply)), Call::Edit(to("chat.update", edited))]
        }
    })
}

/// Returns the request that tells a message to a webhook.
pub fn post(webhook: &Webhook, message: &Message, known: &Secrets) -> Result<Post, Fault> {
    let url = known.get(&webhook.url)?.clone();
    Ok(Post { url, headers: Vec::new(), body: content(message).to_string() })
}

/// Reads an answer of the API, which says 200 to errors, too; returns what names the message.
pub fn read(bot: &Bot, answer: &Answer) -> Result<Option<String>, Failed> {
    super::by_status(answer)?;
    let said: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let text = |key: &str| said.get(key).and_then(Value::as_str);
    if said.get("ok") == Some(&Value::Bool(true)) {
        return Ok(text("ts").map(|time| format!("{}/{time}", bot.channel)));
    }
    // Its own words, which name no secret.
    let error = text("error").filter(|error| is_word(error)).unwrap_or("an answer that is none of Slack's");
    let why = format!("Slack answered {error}");
    match error {
        "ratelimited" | "internal_error" | "fatal_error" | "service_unavailable" | "request_timeout" => {
            Err(Failed::Later(why, answer.retry_after))
        }
        _ => Err(Failed::Final(why)),
    }
}

/// Reads an answer to a webhook: anything but `ok` comes from somebody else.
pub fn read_webhook(answer: &Answer) -> Result<Option<String>, Failed> {
    super::by_status(answer)?;
    match answer.body.trim() {
        "ok" => Ok(None),
        _ => Err(Failed::Final("an answer that is none of Slack's".to_owned())),
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.len() < 64 && text.chars().all(|c| c.is_ascii_lowercase() || c == '_')
}

/// Renders a message: what others wrote is plain text, so that nothing of it mentions anybody or hides a link.
fn content(message: &Message) -> Value {
    let plain = |text: &str| json!({"type": "plain_text", "text": text, "emoji": false});
    let section = |text: &str| json!({"type": "section", "text": plain(text)});
    let mut blocks = vec![json!({"type": "header", "text": plain(&fit(&message.title, LONGEST_HEADER))})];
    let mut left = LONGEST;
    let all: Vec<&String> =
        [&message.because].into_iter().chain(&message.paragraphs).filter(|text| !text.is_empty()).collect();
    for (n, text) in all.iter().enumerate() {
        if left < 200 || n == PARAGRAPHS {
            blocks.push(section(&format!("and {} paragraphs more, in the run", all.len() - n)));
            break;
        }
        let text = fit(text, LONGEST_SECTION.min(left));
        left = left.saturating_sub(text.chars().count());
        blocks.push(section(&text));
    }
    if let Some((words, request)) = &message.ready {
        blocks.push(section(words));
        blocks.push(section(request));
    }
    let links: String =
        message.links().map(|(words, link)| format!(" · <{link}|{}>", words.to_lowercase())).collect();
    let footer: Vec<&str> = message.footer.iter().map(String::as_str).filter(|line| !is_link(line)).collect();
    let place = message.environment.as_deref().map(|name| format!("{} · ", escaped(name)));
    let context = format!(
        "{}{} · {}{}",
        place.unwrap_or_default(),
        message.severity.name(),
        escaped(&footer.join(" · ")),
        links
    );
    blocks.push(json!({"type": "context", "elements": [{"type": "mrkdwn", "text": context}]}));
    json!({"text": escaped(&message.title), "blocks": blocks, "unfurl_links": false, "unfurl_media": false})
}

/// Tells whether a line of the footer is a link, which is shown as one.
fn is_link(line: &str) -> bool {
    line.starts_with("Run: ") || line.starts_with("Dashboard: ")
}

/// Escapes what Slack would read as a mention or a link.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn fit(text: &str, most: usize) -> String {
    pipeline::text::cut(text.chars(), most)
}
