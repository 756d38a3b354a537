//! Computes the value of an expression.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::functions::{self, text_of, truth};
use super::{Expr, Failure, Operator, Scope, Yield, number};

/// How long a range may be.
const LONGEST_RANGE: f64 = 1e7;

pub fn evaluate<'a>(expr: &'a Expr, scope: &'a dyn Scope) -> Result<Yield<'a>, Failure> {
    let owned = |value| Ok(Some(Cow::Owned(value)));
    match expr {
        Expr::Literal(value) => Ok(Some(Cow::Borrowed(value))),
        Expr::Path(variable, names) => {
            let (found, taken) = scope.find(variable, names);
            Ok(found.and_then(|value| follow(value, names.get(taken..).unwrap_or_default())))
        }
        Expr::Index(list, index) => {
            let list = evaluate(list, scope)?;
            Ok(list.zip(evaluate(index, scope)?).and_then(|(list, index)| pick(&list, &index)))
        }
        Expr::Binary(operator, left, right) => binary(*operator, left, right, scope),
        Expr::Conditional(condition, then, otherwise) => {
            let condition = evaluate(condition, scope)?;
            evaluate(if truth(condition.as_deref()) { then } else { otherwise }, scope)
        }
        Expr::Array(parts) => {
            let mut items = Vec::new();
            for part in parts {
                match (evaluate(part, scope)?.map(Cow::into_owned), part) {
                    (Some(Value::Array(inner)), Expr::Array(_)) => items.push(Value::Array(inner)),
                    (Some(Value::Array(inner)), _) => items.extend(inner),
                    (Some(one), _) => items.push(one),
                    (None, _) => {}
                }
            }
            owned(Value::Array(items))
        }
        Expr::Range(from, to) => range(evaluate(from, scope)?.as_deref(), evaluate(to, scope)?.as_deref()),
        Expr::Object(fields) => {
            let mut object = Map::new();
            for (key, part) in fields {
                if let Some(value) = evaluate(part, scope)? {
                    object.insert(key.clone(), value.into_owned());
                }
            }
            owned(Value::Object(object))
        }
        Expr::Call(function, arguments) => {
            let arguments: Result<Vec<Yield<'_>>, Failure> =
                arguments.iter().map(|argument| evaluate(argument, scope)).collect();
            functions::call(*function, arguments?)
        }
    }
}

fn binary<'a>(
    operator: Operator,
    left: &'a Expr,
    right: &'a Expr,
    scope: &'a dyn Scope,
) -> Result<Yield<'a>, Failure> {
    let first = evaluate(left, scope)?;
    if operator == Operator::And {
        let both = truth(first.as_deref()) && truth(evaluate(right, scope)?.as_deref());
        return Ok(Some(Cow::Owned(Value::Bool(both))));
    }
    let second = evaluate(right, scope)?;
    let (first, second) = (first.as_deref(), second.as_deref());
    let value = match operator {
        Operator::And => None,
        Operator::Concat => {
            let text = |value: Option<&Value>| value.map_or_else(String::new, text_of);
            Some(Value::String(text(first) + &text(second)))
        }
        Operator::Equal => {
            Some(Value::Bool(first.zip(second).is_some_and(|(first, second)| equal(first, second))))
        }
        Operator::Greater => greater(first, second)?.map(Value::Bool),
        Operator::Minus => arithmetic(first, second, |first, second| first - second)?,
        Operator::Times => arithmetic(first, second, |first, second| first * second)?,
    };
    Ok(value.map(Cow::Owned))
}

fn arithmetic(
    first: Option<&Value>,
    second: Option<&Value>,
    compute: impl Fn(f64, f64) -> f64,
) -> Result<Option<Value>, Failure> {
    let number = |value: Option<&Value>, code| match value {
        None => Ok(None),
        Some(Value::Number(number)) => Ok(number.as_f64()),
        Some(other) => Err(Failure::new(code, format!("{other} is no number, and is calculated with"))),
    };
    let both = number(first, "T2001")?.zip(number(second, "T2002")?);
    let Some((first, second)) = both else { return Ok(None) };
    let computed = number::value(compute(first, second));
    computed.map(Some).ok_or_else(|| Failure::new("D1001", "a number is out of range"))
}

fn greater(first: Option<&Value>, second: Option<&Value>) -> Result<Option<bool>, Failure> {
    let comparable =
        |value: Option<&Value>| matches!(value, None | Some(Value::Number(_) | Value::String(_)));
    if !(comparable(first) && comparable(second)) {
        return Err(Failure::new("T2010", "only two numbers or two texts are compared"));
    }
    match (first, second) {
        (None, _) | (_, None) => Ok(None),
        (Some(Value::Number(first)), Some(Value::Number(second))) => {
            Ok(Some(first.as_f64() > second.as_f64()))
        }
        (Some(Value::String(first)), Some(Value::String(second))) => {
            Ok(Some(first.encode_utf16().gt(second.encode_utf16())))
        }
        _ => Err(Failure::new("T2009", "a number is compared with a text")),
    }
}

/// Tells whether two values are the same; numbers are, however they are written.
fn equal(first: &Value, second: &Value) -> bool {
    match (first, second) {
        (Value::Number(first), Value::Number(second)) => first.as_f64() == second.as_f64(),
        (Value::Array(first), Value::Array(second)) => {
            first.len() == second.len()
                && first.iter().zip(second).all(|(first, second)| equal(first, second))
        }
        (Value::Object(first), Value::Object(second)) => {
            let same =
                |(key, value): (&String, &Value)| second.get(key).is_some_and(|other| equal(value, other));
            first.len() == second.len() && first.iter().all(same)
        }
        _ => first == second,
    }
}

fn range<'a>(from: Option<&Value>, to: Option<&Value>) -> Result<Yield<'a>, Failure> {
    let whole = |value: Option<&Value>, code| match value.map(|value| (value, value.as_f64())) {
        None => Ok(None),
        Some((_, Some(number))) if number.fract() == 0.0 => Ok(Some(number)),
        Some((value, _)) => {
            Err(Failure::new(code, format!("a range ends at {value}, not at a whole number")))
        }
    };
    let both = whole(from, "T2003")?.zip(whole(to, "T2004")?);
    let Some((from, to)) = both.filter(|(from, to)| from <= to) else { return Ok(None) };
    if to - from + 1.0 > LONGEST_RANGE {
        return Err(Failure::new("D2014", "a range is longer than ten million"));
    }
    let numbers = (from as i64..=to as i64).map(Value::from).collect();
    // Of one, JSONata makes the value itself: inside of an array that is the same.
    Ok(Some(Cow::Owned(Value::Array(numbers))))
}

/// Returns the items of a list whose places a number or numbers name, or all of them by a truth.
fn pick<'a>(list: &Cow<'a, Value>, index: &Value) -> Yield<'a> {
    let items = match list.as_ref() {
        Value::Array(items) => items.as_slice(),
        one => std::slice::from_ref(one),
    };
    let numbers: Option<Vec<f64>> = match index {
        Value::Number(number) => number.as_f64().map(|number| vec![number]),
        Value::Array(numbers) => numbers.iter().map(Value::as_f64).collect(),
        _ => None,
    };
    let picked = |place: usize| match &numbers {
        None => usize::from(truth(Some(index))),
        Some(numbers) => {
            let from_end = |number: f64| if number < 0.0 { items.len() as f64 + number } else { number };
            numbers.iter().filter(|number| from_end(number.floor()) == place as f64).count()
        }
    };
    let picked = items.iter().enumerate().flat_map(|(place, item)| std::iter::repeat_n(item, picked(place)));
    unwrapped(picked.map(|item| Cow::Owned(item.clone())).collect())
}

/// Makes a value of a sequence: nothing of none, and of one the one itself.
fn unwrapped<'a>(mut sequence: Vec<Cow<'a, Value>>) -> Yield<'a> {
    match sequence.len() {
        0 | 1 => sequence.pop(),
        _ => Some(Cow::Owned(Value::Array(sequence.into_iter().map(Cow::into_owned).collect()))),
    }
}

/// Follows names into a value.
fn follow<'a>(value: &'a Value, names: &[String]) -> Yield<'a> {
    let mut value = value;
    for (place, name) in names.iter().enumerate() {
        value = match value {
            Value::Object(fields) => fields.get(name)?,
            Value::Array(items) => return follow_all(items.iter().collect(), names.get(place..)?),
            _ => return None,
        };
    }
    Some(Cow::Borrowed(value))
}

/// Follows names into each of several values; what comes of it is one flat sequence.
fn follow_all<'a>(mut sequence: Vec<&'a Value>, names: &[String]) -> Yield<'a> {
    for (place, name) in names.iter().enumerate() {
        let found: Vec<Vec<&Value>> =
            sequence.iter().map(|item| look_up(item, name)).filter(|found| !found.is_empty()).collect();
        // The last name's only result stays the list that it is.
        if let (true, [only]) = (place + 1 == names.len(), found.as_slice())
            && let [list @ Value::Array(_)] = only.as_slice()
        {
            return Some(Cow::Borrowed(list));
        }
        sequence = Vec::new();
        for one in found.into_iter().flatten() {
            match one {
                Value::Array(items) => sequence.extend(items),
                other => sequence.push(other),
            }
        }
    }
    unwrapped(sequence.into_iter().map(Cow::Borrowed).collect())
}

/// Looks up a name in an object, or in all objects of a list, however deep.
fn look_up<'a>(item: &'a Value, name: &str) -> Vec<&'a Value> {
    match item {
        Value::Object(fields) => fields.get(name).into_iter().collect(),
        Value::Array(items) => {
            let found = items.iter().flat_map(|item| look_up(item, name));
            found
                .flat_map(|one| one.as_array().map_or_else(|| vec![one], |list| list.iter().collect()))
                .collect()
        }
        _ => Vec::new(),
    }
}
