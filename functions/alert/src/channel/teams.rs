//! Teams: an adaptive card to a workflow.

use pipeline::Fault;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Post;
use crate::message::{Message, text};
use crate::secret::{Reference, Secrets};

/// How many paragraphs of a message a card holds, and how many bytes they may take as JSON: a workflow takes 28 KB.
const PARAGRAPHS: usize = 100;
const PARAGRAPHS_BYTES: usize = 16 * 1024;

/// A workflow.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Its URL, which holds its secret.
    pub url: Reference,
}

/// Returns the request that tells a message.
pub fn post(settings: &Settings, message: &Message, known: &Secrets) -> Result<Post, Fault> {
    let card = json!({"contentType": "application/vnd.microsoft.card.adaptive", "content": card(message)});
    let body = json!({"type": "message", "attachments": [card]});
    Ok(Post { url: known.get(&settings.url)?.clone(), headers: Vec::new(), body: body.to_string() })
}

/// Renders a message.  What others wrote stands in runs of text: nothing of it is read as Markdown.
pub fn card(message: &Message) -> Value {
    let run = |text: &str, more: Value| {
        let mut run = json!({"type": "TextRun", "text": text});
        if let (Some(run), Some(more)) = (run.as_object_mut(), more.as_object()) {
            run.extend(more.clone());
        }
        json!({"type": "RichTextBlock", "inlines": [run]})
    };
    let mut body = vec![run(&message.title, json!({"weight": "Bolder", "size": "Medium"}))];
    if !message.because.is_empty() {
        body.push(run(&message.because, json!({})));
    }
    body.push(json!({"type": "FactSet", "facts": facts(message)}));
    let mut shown = text::first(message.paragraphs.iter().cloned(), PARAGRAPHS, PARAGRAPHS_BYTES);
    let more = message.paragraphs.len() - shown.len();
    shown.extend((more > 0).then(|| format!("and {more} paragraphs more, in the run")));
    let text = shown.join("\n\n");
    if !text.is_empty() {
        body.push(run(&text, json!({"fontType": "Monospace", "size": "Small"})));
    }
    if let Some((words, request)) = &message.ready {
        body.push(run(words, json!({})));
        body.push(run(request, json!({"fontType": "Monospace"})));
    }
    let links = message.links();
    let actions: Vec<Value> =
        links.map(|(title, url)| json!({"type": "Action.OpenUrl", "title": title, "url": url})).collect();
    json!({
        "type": "AdaptiveCard",
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "version": "1.4",
        "body": body,
        "actions": actions,
    })
}

fn facts(message: &Message) -> Vec<Value> {
    let fact = |title: &str, value: &str| json!({"title": title, "value": value});
    let environment = message.environment.iter().map(|name| fact("Environment", name));
    let release = message.release.iter().map(|release| fact("Release", release.as_str()));
    environment.chain([fact("Severity", message.severity.name())]).chain(release).collect()
}
