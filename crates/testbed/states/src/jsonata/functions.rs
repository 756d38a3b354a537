//! The functions, and what values are as texts and as truths.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{Failure, Function, Yield, number};

/// Calls a function; its arguments are as many as it takes.
pub fn call<'a>(function: Function, arguments: Vec<Yield<'a>>) -> Result<Yield<'a>, Failure> {
    let count = arguments.len();
    let mut arguments = arguments.into_iter();
    let mut next = || arguments.next().flatten();
    let first = next();
    let value = match function {
        Function::Exists => Some(Value::Bool(first.is_some())),
        Function::Merge => first.map(|list| merge(&list)).transpose()?,
        Function::Number => return first.map(number_of).transpose(),
        Function::String => {
            return Ok(first.map(|value| match value.as_ref() {
                Value::String(_) => value,
                other => Cow::Owned(Value::String(text_of(other))),
            }));
        }
        // Two numbers are a start and a length, and the text is what stands in the context: nothing.
        Function::Substring if first.as_deref().is_some_and(Value::is_number) && count == 2 => None,
        Function::Substring => {
            let text = first.as_deref().map(text).transpose()?;
            let (start, length) = (whole(next())?, whole(next())?);
            text.map(|text| Value::String(substring(text, start, length)))
        }
    };
    Ok(value.map(Cow::Owned))
}

/// Writes a value as text: a text is itself, everything else is its JSON.
pub fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => as_shown(other).to_string(),
    }
}

/// Cuts all numbers in a value to the digits that JSONata shows.
fn as_shown(value: &Value) -> Value {
    match value {
        Value::Number(number) if !number.is_i64() && !number.is_u64() => {
            let shown = number.as_f64().map(number::text);
            shown.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_else(|| value.clone())
        }
        Value::Array(items) => items.iter().map(as_shown).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(key, value)| (key.clone(), as_shown(value))).collect::<Map<_, _>>().into()
        }
        other => other.clone(),
    }
}

/// Tells what a value is as a truth; nothing is false.
pub fn truth(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => false,
        Some(Value::Bool(value)) => *value,
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Number(number)) => number.as_f64() != Some(0.0),
        Some(Value::Array(items)) => items.iter().any(|item| truth(Some(item))),
        Some(Value::Object(fields)) => !fields.is_empty(),
    }
}

fn merge(list: &Value) -> Result<Value, Failure> {
    let one = std::slice::from_ref(list);
    let objects = list.as_array().map_or(one, Vec::as_slice).iter().map(Value::as_object);
    let mut merged = Map::new();
    for object in objects {
        let object = object.ok_or_else(|| Failure::new("T0412", "$merge takes a list of objects"))?;
        merged.extend(object.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
    Ok(Value::Object(merged))
}

fn number_of(value: Cow<'_, Value>) -> Result<Cow<'_, Value>, Failure> {
    let number = match value.as_ref() {
        Value::Number(_) => return Ok(value),
        Value::Bool(value) => Some(f64::from(u8::from(*value))),
        Value::String(text) => number::parse(text).or_else(|| number::parse_prefixed(text)),
        _ => return Err(Failure::new("T0410", format!("$number takes no {value}"))),
    };
    let number = number.and_then(number::value);
    number.map(Cow::Owned).ok_or_else(|| Failure::new("D3030", format!("{value} is no number")))
}

fn text(value: &Value) -> Result<&str, Failure> {
    value.as_str().ok_or_else(|| Failure::new("T0410", format!("$substring takes a text, not {value}")))
}

fn whole(value: Yield<'_>) -> Result<Option<i64>, Failure> {
    let Some(value) = value else { return Ok(None) };
    let number = value.as_f64().map(|number| number as i64);
    number.map(Some).ok_or_else(|| Failure::new("T0410", format!("$substring takes a number, not {value}")))
}

/// Cuts a text by its characters; a start below zero counts from the end.
fn substring(text: &str, start: Option<i64>, length: Option<i64>) -> String {
    let Some(start) = start else {
        return if length.is_some() { String::new() } else { text.to_owned() };
    };
    let count = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
    let first = if start < 0 { (count + start).max(0) } else { start };
    let taken = length.unwrap_or(count).max(0);
    let size = |number: i64| usize::try_from(number).unwrap_or(usize::MAX);
    text.chars().skip(size(first)).take(size(taken)).collect()
}
