//! What the format knows, and no version carries out yet.

use pipeline::Fault;
use pipeline::text::shown;
use serde_json::Value;

/// Keys that come later, and the kind of check that they are in.
const LATER: [(&str, &[&str], &str); 3] =
    [("suite", &[], "canary"), ("image", &["signature"], "cosign"), ("targets", &[], "healthyFor")];

/// Refuses, by its name, what comes later.
pub(crate) fn refuse(what: &str, pack: &Value) -> Result<(), Fault> {
    if let Some(version) = pack.get("version").and_then(Value::as_u64).filter(|version| *version > 1) {
        return Err(Fault::NotSupported(format!("{what}: version {version} of live tests: expected 1")));
    }
    for check in pack.get("checks").and_then(Value::as_array).into_iter().flatten() {
        if let Some(key) = first(check) {
            let name = check.get("name").and_then(Value::as_str).unwrap_or_default();
            return Err(Fault::NotSupported(format!("{what}: check {}, key {key:?}: not yet", shown(name))));
        }
    }
    Ok(())
}

fn first(check: &Value) -> Option<String> {
    let found = LATER.iter().find(|(kind, within, key)| {
        let place = within.iter().try_fold(check.get(*kind), |place, key| Some(place?.get(*key)));
        place.flatten().is_some_and(|place| place.get(*key).is_some())
    });
    found.map(|(.., key)| (*key).to_owned()).or_else(|| variable(check))
}

/// Returns a variable of a listener.
fn variable(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => ["base.", "test."].into_iter().find_map(|listener| {
            let (before, after) = text.split_once(&format!("${{{listener}"))?;
            let name: String = after.chars().take_while(|c| c.is_ascii_alphanumeric()).collect();
            (!before.ends_with('$')).then(|| format!("${{{listener}{name}}}"))
        }),
        Value::Array(list) => list.iter().find_map(variable),
        Value::Object(fields) => fields.values().find_map(variable),
        _ => None,
    }
}
