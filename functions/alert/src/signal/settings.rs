//! A document of the pipeline that somebody has changed.

use pipeline::clock::Timestamp;
use pipeline::environment::{Environments, PATH};
use pipeline::{Fault, document};
use serde::Deserialize;
use serde_json::Value;

use super::{Cleared, News, Raised, Signal};
use crate::document::Document;
use crate::kind::AlertKind;

/// For how many seconds further changes of one document are the same news.
const CHANGED_SECONDS: u32 = 600;

/// The event.
#[derive(Debug, Deserialize)]
struct Event {
    #[serde(default)]
    time: Option<Timestamp>,
    detail: Detail,
}

#[derive(Debug, Deserialize)]
struct Detail {
    name: String,
    operation: String,
}

/// Reads an event, and what the documents say now; that they are right again ends what was told of them.
pub fn news(
    event: Value,
    (document, parameter): (&Document, &str),
    environments: &Environments,
    now: Timestamp,
) -> Result<Vec<News>, Fault> {
    let Event { time, detail: Detail { name, operation } } = document::read("the event", event)?;
    let at = time.unwrap_or(now);
    let name = pipeline::text::line(&name, 255);
    let wrong = if name == parameter { mistakes_of(document) } else { mistake_in(&name, environments) };
    let verb = match operation.as_str() {
        "Create" => "created",
        "Delete" => "deleted",
        _ => "changed",
    };
    let signal = |id: String, kind: AlertKind, because, quiet_seconds| Signal {
        id,
        kind,
        severity: kind.severity(),
        environment: None,
        service: None,
        about: name.clone(),
        because,
        lines: Vec::new(),
        link: None,
        quiet_seconds,
    };
    let raised = |signal| {
        News::Raised(Box::new(Raised { signal, at, times: 1, once: false, from: None, judged: None }))
    };
    let id = format!("settings/{name}");
    let changed = format!("somebody {verb} the parameter {name}");
    Ok(match wrong.as_deref().map(|why| without(&name, why)) {
        Some(why) => vec![raised(signal(id, AlertKind::SettingsInvalid, why, None))],
        None => {
            let because = format!("{changed}, and it can be read");
            let over = Cleared { id: id.clone(), at, because, holds_seconds: 0, early: None };
            let id = format!("changed/{name}");
            let change = signal(id, AlertKind::SettingsChanged, changed, Some(CHANGED_SECONDS));
            vec![News::Cleared(Box::new(over)), raised(change)]
        }
    })
}

/// Takes the name out of a complaint that stands beside it anyway.
fn without(name: &str, why: &str) -> String {
    let rest = why.strip_prefix("the parameter ").unwrap_or(why).strip_prefix(name);
    rest.unwrap_or(why).trim_start_matches([':', ' ']).to_owned()
}

fn mistakes_of(document: &Document) -> Option<String> {
    let broken = document.channels.values().filter_map(|channel| channel.as_ref().err());
    let all: Vec<&str> =
        document.mistakes.iter().chain(&document.wrong_rules).chain(broken).map(String::as_str).collect();
    (!all.is_empty()).then(|| all.join("; "))
}

fn mistake_in(parameter: &str, environments: &Environments) -> Option<String> {
    let name = parameter.strip_prefix(PATH)?.strip_prefix('/')?;
    let found = environments.broken().find(|(broken, _)| *broken == name);
    found.map(|(_, fault)| fault.to_string())
}
