//! What holds of every sentence, fault and answer.

use pipeline::Fault;
use serde_json::Value;

/// How long a sentence may be, in characters: it goes through the state machine, and into rows and messages.
const LONGEST_SENTENCE: usize = 4096;

/// What a state of the machine may hold.
pub const PAYLOAD: usize = 256 * 1024;

/// Words by which a refusal says what was expected.
const EXPECTED: [&str; 7] = [
    "expected",
    "missing field `",
    "duplicate field `",
    " is not JSON: ",
    "not supported: ",
    "remove it",
    "did you mean",
];

/// Tells whether a character may not stand in a text that people read: it breaks a line, or changes how others look.
pub fn is_unreadable(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A sentence is one line of readable characters, and bounded.
pub fn sentence(text: &str) {
    let length = text.chars().count();
    assert!(length <= LONGEST_SENTENCE, "a sentence of {length} characters: {text:.200}");
    assert!(!text.is_empty(), "a sentence says nothing");
    readable(text);
}

/// A text has no character that nobody can read.
pub fn readable(text: &str) {
    if let Some(c) = text.chars().find(|c| is_unreadable(*c)) {
        panic!("a text holds {c:?}: {text:.2000}");
    }
}

/// A fault is one of an input, of what it asks for, or of AWS: never one of the pipeline itself.
pub fn fault(fault: &Fault) {
    assert_ne!(fault.name(), "Defect", "{fault}");
    sentence(&fault.to_string());
}

/// A refusal names a key, of the input or of those that are known, and says what was expected.
pub fn names(fault: &Fault, input: &Value, known: &[&str]) {
    self::fault(fault);
    let said = fault.to_string();
    assert!(EXPECTED.iter().any(|word| said.contains(word)), "it does not say what was expected: {said}");
    let mut keys = known.iter().map(|key| (*key).to_owned()).collect();
    keys_of(input, &mut keys);
    let named = |key: &String| {
        let shown: String = key.chars().take(40).map(|c| if is_unreadable(c) { ' ' } else { c }).collect();
        said.contains(&format!("`{shown}")) || said.contains(key.as_str())
    };
    let whole = !input.is_object() || said.contains(" is not JSON: ");
    assert!(whole || keys.iter().any(named), "it names no key: {said}");
}

fn keys_of(value: &Value, keys: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| keys_of(item, keys)),
        Value::Object(fields) => fields.iter().for_each(|(key, value)| {
            keys.push(key.clone());
            keys_of(value, keys);
        }),
        _ => {}
    }
}

/// An answer fits into a state, and its sentences are sentences.
pub fn answer(answer: &Value) {
    let length = answer.to_string().len();
    assert!(length <= PAYLOAD, "an answer of {length} bytes");
    strings(answer);
}

fn strings(value: &Value) {
    match value {
        Value::String(text) if !text.is_empty() => sentence(text),
        Value::Array(items) => items.iter().for_each(strings),
        Value::Object(fields) => fields.values().for_each(strings),
        _ => {}
    }
}
