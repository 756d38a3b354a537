//! Texts that are large or deep: samples with much in one place.

use serde_json::Value;

/// How many levels a deep text has.
pub const LEVELS: usize = 10_000;

/// Returns texts of about `size` bytes, and deep ones, each with what is large in it.
///
/// Each is a sample of which one value is replaced, another one each time.
pub fn texts(sample: &str, size: usize) -> Vec<(&'static str, String)> {
    let nested = |open: &str, close: &str| format!("{}1{}", open.repeat(LEVELS), close.repeat(LEVELS));
    let keys: Vec<String> = (0..size / 16).map(|n| format!("\"key{n:07}\":1")).collect();
    let values = [
        ("a long text", format!("\"{}\"", "a".repeat(size))),
        ("a long text of control characters", format!("\"{}\"", "\\u0007".repeat(size / 6))),
        ("a long text of other scripts", format!("\"{}\"", "字".repeat(size / 3))),
        ("a long number", "1".repeat(size)),
        ("a long list", format!("[{}0]", "0,".repeat(size / 2))),
        ("a long list of texts", format!("[{}\"a\"]", "\"a\",".repeat(size / 4))),
        ("many keys", format!("{{{}}}", keys.join(","))),
        ("deep lists", nested("[", "]")),
        ("deep objects", nested("{\"a\":", "}")),
    ];
    let mut texts =
        vec![("no JSON", "a".repeat(size)), ("brackets", "[".repeat(size)), ("slashes", "/".repeat(size))];
    let places = marked(sample);
    let step = (places.len() / values.len()).max(1);
    for (n, (what, value)) in values.into_iter().enumerate() {
        match places.get(n * step % places.len().max(1)) {
            Some(place) => texts.push((what, place.replacen(MARK, &value, 1))),
            None => texts.push((what, value)),
        }
    }
    texts
}

/// Stands where a value is to come.
const MARK: &str = "\"here it is\"";

/// Returns a copy of a document for each value in it, and for a key that is unknown, with the mark there.
fn marked(sample: &str) -> Vec<String> {
    let Ok(document) = serde_json::from_str::<Value>(sample) else { return Vec::new() };
    let mut marked = Vec::new();
    mark(&document, &mut |document| marked.push(document.to_string()));
    marked
}

/// Hands on a copy of the document for each place, with the mark there.
fn mark(value: &Value, found: &mut dyn FnMut(Value)) {
    let mark_of = || Value::from("here it is");
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                let with = |it: Value| {
                    let mut fields = fields.clone();
                    fields.insert(key.clone(), it);
                    Value::Object(fields)
                };
                found(with(mark_of()));
                mark(field, &mut |below| found(with(below)));
            }
            let mut fields = fields.clone();
            fields.insert("unknown".to_owned(), mark_of());
            found(Value::Object(fields));
        }
        Value::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                let with = |it: Value| {
                    let mut items = items.clone();
                    items[n] = it;
                    Value::Array(items)
                };
                found(with(mark_of()));
                mark(item, &mut |below| found(with(below)));
            }
        }
        _ => {}
    }
}
