//! What an account holds, line by line, but for what may differ: moments, and the numbers of revisions and leases.

use std::collections::BTreeSet;

use fleet::fake::State;
use serde_json::Value;

/// Fields that count attempts, that are or follow from a moment, or that tell what could be read after a failure.
const PASSING: [&str; 6] = ["fence", "expires", "waits", "seconds", "revision", "bundle"];

/// Returns the lines.
pub fn lines(account: &mut State) -> BTreeSet<String> {
    let later = account.now + 3_600_000;
    let mut lines = BTreeSet::new();
    let names: Vec<String> = account.ecs.services.keys().cloned().collect();
    for name in names {
        let service = account.ecs.at(&name, later).unwrap();
        let mut pointed: Vec<&[String]> = service.pointed.iter().map(|one| one.digests.as_slice()).collect();
        // Two calls beside each other can both start a deployment of the same.
        pointed.dedup();
        let (_, state, _, digests) = service.primary();
        let settled = digests.iter().all(|digest| service.runs_only(digest));
        lines.insert(format!("{name} is on {digests:?}, {state} {settled}, and was on {pointed:?}"));
    }
    let account = &*account;
    for (repository, tag, digest) in account.ecr.tags() {
        lines.insert(format!("{repository}:{tag} is {digest}"));
    }
    let rows = account.table.rows().filter(|(pk, ..)| *pk != "pace");
    lines.extend(rows.map(|(pk, sk, row)| {
        let name = |text: &str| without_numbers(&with_images(account, text));
        format!("{} {}: {}", name(pk), name(sk), plain(account, &row))
    }));
    lines
}

fn plain(account: &State, value: &Value) -> Value {
    match value {
        Value::String(text) => match serde_json::from_str(text) {
            Ok(inside @ Value::Object(_)) => plain(account, &inside),
            _ => without_numbers(&with_images(account, text)).into(),
        },
        Value::Array(all) => all.iter().map(|one| plain(account, one)).collect(),
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(name, _)| !PASSING.contains(&name.as_str()));
            Value::Object(kept.map(|(name, one)| (name.clone(), plain(account, one))).collect())
        }
        other => other.clone(),
    }
}

/// Names revisions by the image that they run.
fn with_images(account: &State, text: &str) -> String {
    let Some((before, rest)) = text.split_once(":task-definition/") else { return text.to_owned() };
    let end = rest
        .find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, ':' | '-' | '_'))
        .unwrap_or(rest.len());
    let (name, after) = rest.split_at(end);
    let start = before.rfind("arn:aws:ecs").unwrap_or(before.len());
    let arn = format!("{}:task-definition/{name}", &before[start..]);
    let images = account.ecs.images_of(&arn).join(", ");
    format!("{}[{images}]{}", &before[..start], with_images(account, after))
}

/// Takes the numbers of deployments out of a text, and moments.
fn without_numbers(text: &str) -> String {
    let mut parts = text.split("ecs-svc/");
    let first = parts.next().unwrap_or_default().to_owned();
    let plain = parts.fold(first, |text, part| {
        text + "[deployment]" + part.trim_start_matches(|c: char| c.is_ascii_digit())
    });
    without_moments(&plain)
}

/// Takes moments out of a text.
fn without_moments(text: &str) -> String {
    let Some((at, _)) = text.match_indices("20").find(|(at, _)| is_moment(&text[*at..])) else {
        return text.to_owned();
    };
    let (before, rest) = text.split_at(at);
    let (_, after) = rest.split_once('Z').unwrap_or((rest, ""));
    format!("{before}[moment]{}", without_moments(after))
}

fn is_moment(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 20 && bytes[4] == b'-' && bytes[7] == b'-' && bytes[10] == b'T' && bytes[13] == b':'
}
