//! CBOR, which CloudWatch speaks, from and to the JSON that everything else here does.

use ciborium::Value as Cbor;
use serde_json::Value;

/// How CBOR marks a moment: seconds since 1970.
const MOMENT: u64 = 1;

/// Reads what was sent.
pub fn read(bytes: &[u8]) -> Option<Value> {
    let mut sent = ciborium::from_reader(bytes).ok()?;
    unmark(&mut sent);
    sent.deserialized().ok()
}

/// Writes an answer; what is called a timestamp becomes one.
pub fn write(answer: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut answer = Cbor::serialized(answer).unwrap_or(Cbor::Null);
    mark(&mut answer);
    drop(ciborium::into_writer(&answer, &mut bytes));
    bytes
}

fn moment(value: &mut Cbor) {
    *value = Cbor::Tag(MOMENT, Box::new(std::mem::replace(value, Cbor::Null)));
}

/// Takes off the marks of moments.
fn unmark(value: &mut Cbor) {
    match value {
        Cbor::Tag(_, marked) => *value = std::mem::replace(marked, Cbor::Null),
        Cbor::Array(items) => items.iter_mut().for_each(unmark),
        Cbor::Map(fields) => fields.iter_mut().for_each(|(_, value)| unmark(value)),
        _ => {}
    }
}

fn mark(value: &mut Cbor) {
    match value {
        Cbor::Array(items) => items.iter_mut().for_each(mark),
        Cbor::Map(fields) => {
            for (name, value) in fields {
                match name.as_text() {
                    Some(name) if name.ends_with("Timestamp") => moment(value),
                    Some("Timestamps") => value.as_array_mut().into_iter().flatten().for_each(moment),
                    _ => mark(value),
                }
            }
        }
        _ => {}
    }
}
