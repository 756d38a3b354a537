//! Small pieces of the sentences that people read.

use pipeline::document::nearest;
use serde_json::Value;

/// How to go on where a rule says no that may be overridden.
pub const TO_OVERRIDE: &str = "set \"force\" and \"reason\" to override";

/// Counts in words.
pub fn plural(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Asks whether another name was meant, if one is near enough.
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, candidates).map(|near| format!("; did you mean {near:?}?")).unwrap_or_default()
}

/// Takes the sentence out of a Lambda's cause: JSON within a sentence, perhaps cut short.
pub fn sentence(cause: &str) -> String {
    let (before, json) = cause.split_once('{').unwrap_or((cause, ""));
    let whole = serde_json::from_str::<Value>(&format!("{{{json}")).ok();
    let message = whole.as_ref().and_then(|said| said.get("errorMessage")).and_then(Value::as_str);
    let message = message
        .or_else(|| json.split_once("\"errorMessage\":").map(|(_, rest)| rest.trim_matches([' ', '"'])));
    message.map_or_else(|| cause.to_owned(), |message| format!("{before}{message}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_told_as_a_sentence() {
        let cause = r#"Denied: {"errorType":"Denied","errorMessage":"could not tag it"}"#;
        assert_eq!(sentence(cause), "Denied: could not tag it");
        assert_eq!(sentence("plain"), "plain");
        assert_eq!(sentence(r#"Denied: {"errorType":"Denied","errorMessage":"cut sho"#), "Denied: cut sho");
    }
}
