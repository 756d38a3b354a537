//! The texts that are changed: samples of events, recorded rows, and what people write.

use std::fs;
use std::path::{Path, PathBuf};

use fleet::fake::State;
use serde_json::{Map, Value, json};

/// The moment at which everything is played: 2026-11-23T10:00:10Z, as the samples are.
pub const NOW: i64 = 1_795_428_010_000;

/// The repositories, and the letters of their images in the samples.
const REPOSITORIES: [&str; 2] = ["shop/users", "shop/orders"];
const LETTERS: [char; 4] = ['a', 'b', 'c', 'd'];

/// Pushes the images that samples name; returns the digest of each, which is one of its content.
pub fn push(account: &mut State) -> Vec<(String, String)> {
    let mut digests = Vec::new();
    for repository in REPOSITORIES {
        for letter in LETTERS {
            let tag = if letter == 'b' { Some("main-1a2b3c") } else { None };
            let digest = account.ecr.push(repository, &format!("image {letter}"), tag);
            digests.push((format!("sha256:{}", letter.to_string().repeat(64)), digest));
        }
    }
    digests
}

/// Returns the documents of environments that the samples name.
pub fn environments() -> Vec<(&'static str, String)> {
    let documents = [
        ("dev", json!({"cluster": "dev", "tag": "dev", "deployOn": ["main-*", "both-*"], "promote": "auto"})),
        (
            "staging",
            json!({"cluster": "staging", "tag": "staging", "from": "dev", "soakMinutes": 60,
                "approval": "required", "approvalMinutes": 5, "waves": [["users"], ["*"]], "concurrency": 3,
                "shift": "together", "onFailure": "undo-failed", "maxWaitMinutes": 7, "healthTimeoutSeconds": 8,
                "alarms": {"*": ["shop 5xx/all"], "api-*": []}, "forwardOnly": ["*-db"], "bakeSeconds": 60,
                "drainMinutes": 5, "guardMinutes": 15}),
        ),
        (
            "prod",
            json!({"cluster": "arn:aws:ecs:eu-west-1:123456789012:cluster/prod", "tag": "prod", "frozen": true}),
        ),
        ("lost", json!({"cluster": "lost", "tag": "lost", "from": "nowhere", "onFailure": "freeze"})),
        ("broken", json!({"cluster": "broken", "tag": "broken", "wavs": []})),
    ];
    documents.map(|(name, document)| (name, document.to_string())).into()
}

/// Returns the sample events of a function, on the images of the account.
pub fn events(function: &str) -> Vec<String> {
    let digests = push(&mut State::default());
    let files = files(&root().join("events").join(function)).into_iter();
    let inputs = files.filter(|path| !path.to_string_lossy().ends_with(".out.json"));
    let texts = inputs.map(|path| fs::read_to_string(path).unwrap_or_default());
    texts.map(|text| digests.iter().fold(text, |text, (named, real)| text.replace(named, real))).collect()
}

/// Returns what stands below `key` in the sample events of a function.
pub fn parts(function: &str, key: &str) -> Vec<String> {
    let events = events(function).into_iter();
    let values = events.filter_map(|text| Some(serde_json::from_str::<Value>(&text).ok()?.get(key)?.clone()));
    values.map(|value| value.to_string()).collect()
}

/// Returns the rows that real releases have written, as DynamoDB keeps them.
pub fn rows() -> Vec<Map<String, Value>> {
    let texts = files(&root().join("crates/testbed/ledger")).into_iter().map(fs::read_to_string);
    let rows = texts.flat_map(|text| {
        serde_json::from_str::<Vec<Map<String, Value>>>(&text.unwrap_or_default()).unwrap_or_default()
    });
    rows.map(|row| row.iter().map(|(key, value)| (key.clone(), attribute(value))).collect()).collect()
}

/// Writes a value in DynamoDB's types.
fn attribute(value: &Value) -> Value {
    match value {
        Value::Null => json!({"NULL": true}),
        Value::Bool(it) => json!({"BOOL": it}),
        Value::Number(it) => json!({"N": it.to_string()}),
        Value::String(it) => json!({"S": it}),
        Value::Array(items) => json!({"L": items.iter().map(attribute).collect::<Vec<_>>()}),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(key, value)| (key.clone(), attribute(value)));
            json!({"M": fields.collect::<Map<_, _>>()})
        }
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    files.sort();
    files
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..")
}
