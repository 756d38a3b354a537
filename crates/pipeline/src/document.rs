//! Reads JSON that people wrote, and says what is wrong with it in their words.

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::Fault;
use crate::text::{LONGEST_SENTENCE, line, shown};

/// How much is shown of what was found, and up to how many bytes a word may be a mistyped one.
const LONGEST_FOUND: usize = 160;
const LONGEST_TYPED: usize = 256;

/// Reads `value` as a `T`; `what` names the document in the refusal.
///
/// Types read here deny unknown fields, so that a typing error is never taken for a default.
pub fn read<T: DeserializeOwned>(what: &str, value: Value) -> Result<T, Fault> {
    if value.is_array() {
        // Serde would take the items for the fields, one by one.
        return Err(Fault::InvalidInput(format!("{what}: invalid type: sequence, expected an object")));
    }
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        let place = if path == "." { String::new() } else { format!(" at {}", shown(&path)) };
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
    Err(Fault::InvalidInput(format!("{what} at {}: {}", shown(&unknown), in_words(&complaint))))
}

/// Reads an object that a later version has written, of a type that is strict where people write it.
pub fn leniently<'de, T: DeserializeOwned, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    let mut fields = Map::deserialize(deserializer)?;
    let error = match serde_json::from_value(Value::Object(fields.clone())) {
        Ok(read) => return Ok(read),
        Err(error) => error.to_string(),
    };
    // The complaint about one unknown key names all that are known; the unknown one may hold anything.
    let known = error.rsplit_once("`, expected ").filter(|_| error.starts_with("unknown field `"));
    let Some((_, known)) = known else { return Err(D::Error::custom(error)) };
    let known: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
    fields.retain(|key, _| known.contains(&key.as_str()));
    serde_json::from_value(Value::Object(fields)).map_err(D::Error::custom)
}

/// Reads a document that is stored as text.
pub fn read_text<T: DeserializeOwned>(what: &str, text: &str) -> Result<T, Fault> {
    let value = serde_json::from_str(text)
        .map_err(|error| Fault::InvalidInput(format!("{what} is not JSON: {error}")))?;
    read(what, value)
}

/// Makes a sentence of serde's complaint; one about an unknown key or word gets the nearest valid one.
fn in_words(complaint: &str) -> String {
    // What somebody wrote comes first, and may hold anything; what was expected comes last, and is ours.
    let Some((found, expected)) = complaint.rsplit_once(", expected ") else {
        return line(complaint, LONGEST_SENTENCE);
    };
    let told = format!("{}, expected {}", line(found, LONGEST_FOUND), line(expected, LONGEST_SENTENCE));
    let unknown = ["unknown field `", "unknown variant `"].iter().find_map(|it| found.strip_prefix(it));
    let word = unknown.and_then(|word| word.strip_suffix('`'));
    match word.and_then(|word| nearest(word, expected.split('`').skip(1).step_by(2))) {
        Some(meant) => format!("{told}; did you mean `{meant}`?"),
        None => told,
    }
}

/// Returns the candidate that is spelled most like `word`, if any is near enough to be meant.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Nobody mistypes a word so long, and the comparison of two takes the product of their lengths.
    let candidates = candidates.into_iter().filter(|_| word.len() <= LONGEST_TYPED);
    candidates
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
    fn whatever_is_written_the_refusal_is_one_bounded_line_that_ends_in_what_was_expected() {
        let expected = ", expected `environment` or `services`";
        for (key, shown) in [
            ("`, expected `a`", "`, expected `a``".to_owned()),
            ("a\nb\u{2028}c\u{202e}d", "a b c d`".to_owned()),
            (&"k".repeat(100_000), format!("{}...", "k".repeat(142))),
        ] {
            let refused = refusal(json!({key: 1}));
            assert!(refused.ends_with(&format!(": unknown field `{shown}{expected}")), "{refused}");
            assert!(refused.len() < 400, "{refused}");
        }
        let long =
            refusal(json!({"environment": {"a": "b".repeat(100_000)}, "services": ["c".repeat(100_000), 7]}));
        assert!(long.len() < 2000, "{}", long.len());
        assert!(refusal(json!("s".repeat(100_000))).len() < 2000);
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Kept {
        #[serde(deserialize_with = "leniently")]
        sample: Known,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Known {
        a: u32,
        #[serde(default)]
        b: u32,
    }

    #[test]
    fn however_many_keys_a_later_version_has_and_whatever_they_are_called_the_others_are_read() {
        let mut sample: Map<String, Value> = (0..20_000).map(|n| (format!("later{n}"), json!(n))).collect();
        sample.extend([("a".to_owned(), json!(7)), ("`b`, expected `c`".to_owned(), json!(1))]);
        let read: Kept = serde_json::from_value(json!({"sample": sample})).unwrap();
        assert_eq!(read, Kept { sample: Known { a: 7, b: 0 } });
        let wrong = serde_json::from_value::<Kept>(json!({"sample": {"a": "x", "later": 1}}));
        assert!(wrong.unwrap_err().to_string().contains("expected u32"));
    }

    #[test]
    fn a_list_is_not_taken_for_an_object_without_its_keys() {
        assert_eq!(
            refusal(json!(["dev", ["users"]])),
            "the request: invalid type: sequence, expected an object"
        );
    }

    #[test]
    fn a_missing_key_is_named() {
        assert_eq!(refusal(json!({})), "the request: missing field `environment`");
    }
}
