//! Reads JSON that people wrote, and says what is wrong with it in their words.

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::Fault;

/// Reads `value` as a `T`; `what` names the document in the refusal.
///
/// Types read here deny unknown fields, so that a typing error is never taken for a default.
pub fn read<T: DeserializeOwned>(what: &str, value: Value) -> Result<T, Fault> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        let place = if path == "." { String::new() } else { format!(" at {path:?}") };
        Fault::InvalidInput(format!("{what}{place}: {}", in_words(&error.inner().to_string())))
    })
}

/// Reads an object of a type that is lenient in the ledger: here a key that the type does not have is refused.
pub fn read_strictly<T: DeserializeOwned + Serialize>(what: &str, value: Value) -> Result<T, Fault> {
    let given: Vec<String> = value.as_object().into_iter().flat_map(Map::keys).cloned().collect();
    let read: T = self::read(what, value)?;
    let written = serde_json::to_value(&read)
        .map_err(|error| Fault::Defect(format!("{what} cannot be written again: {error}")))?;
    let Some(unknown) = given.into_iter().find(|key| written.get(key).is_none()) else { return Ok(read) };
    let known: Vec<String> =
        written.as_object().into_iter().flat_map(Map::keys).map(|key| format!("`{key}`")).collect();
    let complaint = format!("unknown field `{unknown}`, expected one of {}", known.join(", "));
    Err(Fault::InvalidInput(format!("{what} at {unknown:?}: {}", in_words(&complaint))))
}

/// Reads an object that a later version has written, of a type that is strict where people write it.
pub fn leniently<'de, T: DeserializeOwned, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    let mut fields = Map::deserialize(deserializer)?;
    loop {
        let error = match serde_json::from_value(Value::Object(fields.clone())) {
            Ok(read) => return Ok(read),
            Err(error) => error.to_string(),
        };
        let unknown = error.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next());
        if unknown.and_then(|key| fields.remove(key)).is_none() {
            return Err(D::Error::custom(error));
        }
    }
}

/// Reads a document that is stored as text.
pub fn read_text<T: DeserializeOwned>(what: &str, text: &str) -> Result<T, Fault> {
    let value = serde_json::from_str(text)
        .map_err(|error| Fault::InvalidInput(format!("{what} is not JSON: {error}")))?;
    read(what, value)
}

/// Adds the nearest valid key to serde's complaint about an unknown one.
fn in_words(complaint: &str) -> String {
    let mut quoted = complaint.split('`').skip(1).step_by(2);
    let (Some(key), true) = (quoted.next(), complaint.starts_with("unknown ")) else {
        return complaint.to_owned();
    };
    match nearest(key, quoted) {
        Some(meant) => format!("{complaint}; did you mean `{meant}`?"),
        None => complaint.to_owned(),
    }
}

/// Returns the candidate that is spelled most like `word`, if any is near enough to be meant.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde_json::json;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    struct Sample {
        #[expect(dead_code)]
        environment: String,
        #[expect(dead_code)]
        services: Option<Vec<String>>,
    }

    fn refusal(value: Value) -> String {
        read::<Sample>("the request", value).unwrap_err().to_string()
    }

    #[test]
    fn an_unknown_key_is_named_with_the_nearest_valid_one() {
        assert_eq!(
            refusal(json!({"environment": "dev", "servces": []})),
            "the request at \"servces\": unknown field `servces`, expected `environment` or `services`; did you mean `services`?"
        );
    }

    #[test]
    fn a_wrong_type_is_named_with_its_place() {
        assert_eq!(
            refusal(json!({"environment": "dev", "services": ["a", 1]})),
            "the request at \"services[1]\": invalid type: integer `1`, expected a string"
        );
    }

    #[test]
    fn a_missing_key_is_named() {
        assert_eq!(refusal(json!({})), "the request: missing field `environment`");
    }
}
