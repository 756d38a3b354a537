//! Changes a JSON document in one place, as a typing error, another version or an attacker would.

use arbitrary::{Result, Unstructured};
use serde_json::{Map, Value, json};

use super::words::{changed, hostile};

/// The names that DynamoDB gives to its types: one instead of another is a wrong type.
const TYPES: [&str; 8] = ["S", "N", "M", "L", "BOOL", "NULL", "SS", "B"];

/// Changes a value somewhere.
pub fn change(value: &mut Value, samples: &[String], choices: &mut Unstructured<'_>) -> Result<()> {
    let mut place = choices.int_in_range(0..=nodes(value) - 1)?;
    let Some(node) = nth(value, &mut place) else { return Ok(()) };
    match node {
        Value::Object(fields) if choices.ratio(3, 4)? => change_fields(fields, choices),
        Value::Array(items) if choices.ratio(3, 4)? => change_items(items, choices),
        Value::String(text) if choices.ratio(1, 2)? => {
            *text = changed(text, choices)?;
            Ok(())
        }
        other => {
            *other = replaced(other, samples, choices)?;
            Ok(())
        }
    }
}

fn change_fields(fields: &mut Map<String, Value>, choices: &mut Unstructured<'_>) -> Result<()> {
    let keys: Vec<String> = fields.keys().cloned().collect();
    let which = choices.int_in_range(0..=keys.len().saturating_sub(1))?;
    let how = choices.int_in_range(0..=4_u8)?;
    let (Some(key), true) = (keys.get(which), how > 0) else {
        fields.insert(hostile(choices)?, leaf(choices)?);
        return Ok(());
    };
    let value = fields.remove(key).unwrap_or_default();
    match how {
        1 => {}
        2 if TYPES.contains(&key.as_str()) => {
            fields.insert((*choices.choose(&TYPES)?).to_owned(), value);
        }
        2 | 3 => drop(fields.insert(changed(key, choices)?, value)),
        _ => {
            fields.insert(changed(key, choices)?, value.clone());
            fields.insert(key.clone(), value);
        }
    }
    Ok(())
}

fn change_items(items: &mut Vec<Value>, choices: &mut Unstructured<'_>) -> Result<()> {
    let which = choices.int_in_range(0..=items.len().saturating_sub(1))?;
    match (choices.int_in_range(0..=2_u8)?, items.get(which).cloned()) {
        (0, Some(item)) => {
            let times = choices.int_in_range(1..=40)?;
            items.extend(std::iter::repeat_n(item, times));
        }
        (1, Some(_)) => drop(items.remove(which)),
        _ => items.push(leaf(choices)?),
    }
    Ok(())
}

fn replaced(value: &Value, samples: &[String], choices: &mut Unstructured<'_>) -> Result<Value> {
    Ok(match choices.int_in_range(0..=7_u8)? {
        0 => Value::Array(vec![value.clone()]),
        1 => Value::Object([(hostile(choices)?, value.clone())].into_iter().collect()),
        2 => {
            let levels = choices.int_in_range(1..=200_u8)?;
            (0..levels).fold(value.clone(), |inner, _| Value::Array(vec![inner]))
        }
        3 => Value::String(value.to_string()),
        4 => {
            let other = serde_json::from_str(choices.choose(samples)?);
            let mut other = other.unwrap_or_else(|_| json!("a text"));
            let mut place = choices.int_in_range(0..=nodes(&other) - 1)?;
            nth(&mut other, &mut place).map(Value::take).unwrap_or_default()
        }
        _ => leaf(choices)?,
    })
}

fn leaf(choices: &mut Unstructured<'_>) -> Result<Value> {
    Ok(match choices.int_in_range(0..=17_u8)? {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(false),
        3 => json!(0),
        4 => json!(-1),
        5 => json!(u32::MAX),
        6 => json!(u64::from(u32::MAX) + 1),
        7 => json!(i64::MIN),
        8 => json!(u64::MAX),
        9 => json!(1e308),
        10 => json!(0.5),
        11 => json!([]),
        12 => json!({}),
        13 => json!(choices.arbitrary::<i32>()?),
        _ => json!(hostile(choices)?),
    })
}

/// Counts a value and all that are in it.
fn nodes(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(nodes).sum(),
        Value::Object(fields) => fields.values().map(nodes).sum::<usize>(),
        _ => 0,
    }
}

/// Returns the node of this place, counted from the outside in.
fn nth<'a>(value: &'a mut Value, place: &mut usize) -> Option<&'a mut Value> {
    if *place == 0 {
        return Some(value);
    }
    *place -= 1;
    match value {
        Value::Array(items) => items.iter_mut().find_map(|item| nth(item, place)),
        Value::Object(fields) => fields.values_mut().find_map(|field| nth(field, place)),
        _ => None,
    }
}
