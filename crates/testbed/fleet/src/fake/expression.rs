//! The small part of DynamoDB's expressions that the pipeline uses; anything else is refused.

use std::cell::RefCell;
use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::Refusal;

/// A row, attribute by attribute, in DynamoDB's JSON.
pub type Row = Map<String, Value>;

/// The names and values that a call hands to its expressions, and which of them were used.
#[derive(Debug)]
pub struct Scope<'a> {
    input: &'a Value,
    used: RefCell<BTreeSet<String>>,
}

impl<'a> Scope<'a> {
    /// Takes the names and values of a call.
    pub fn of(input: &'a Value) -> Self {
        Scope { input, used: RefCell::default() }
    }

    /// Refuses, as DynamoDB does, what no expression has used.
    pub fn check_all_used(&self) -> Result<(), Refusal> {
        let given = ["ExpressionAttributeNames", "ExpressionAttributeValues"].into_iter();
        let mut given = given.filter_map(|key| self.input[key].as_object()).flat_map(Map::keys);
        match given.find(|key| !self.used.borrow().contains(*key)) {
            Some(key) => Err(wrong(format!("{key} is unused in expressions"))),
            None => Ok(()),
        }
    }

    fn given(&self, kind: &str, key: &str) -> Result<&'a Value, Refusal> {
        self.used.borrow_mut().insert(key.to_owned());
        let given = self.input[kind].get(key);
        given.ok_or_else(|| wrong(format!("{key} is not defined")))
    }

    /// Returns the attribute that a word names.
    fn path(&self, word: &str) -> Result<String, Refusal> {
        match word.starts_with('#') {
            true => Ok(self.given("ExpressionAttributeNames", word)?.as_str().unwrap_or_default().to_owned()),
            false if word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') => Ok(word.to_owned()),
            false => Err(wrong(format!("{word} is no path that the fake understands"))),
        }
    }

    /// Returns the value of a word: a placeholder's, or an attribute's.
    fn operand(&self, word: &str, row: &Row) -> Result<Option<Value>, Refusal> {
        if word.starts_with(':') {
            return self.given("ExpressionAttributeValues", word).cloned().map(Some);
        }
        Ok(row.get(&self.path(word)?).cloned())
    }
}

/// Tells whether a condition holds for a row; one that is not there is empty.
pub fn holds(condition: &str, scope: &Scope<'_>, row: &Row) -> Result<bool, Refusal> {
    any_holds(&words(condition), scope, row)
}

/// All of it is read, also where it is decided already: what is wrong in it is refused all the same.
fn any_holds(words: &[String], scope: &Scope<'_>, row: &Row) -> Result<bool, Refusal> {
    let mut any = false;
    for alternative in split(words, "OR") {
        let mut all = true;
        for term in split(alternative, "AND") {
            all &= term_holds(term, scope, row)?;
        }
        any |= all;
    }
    Ok(any)
}

/// Splits words at another one that stands in no parentheses.
fn split<'a>(words: &'a [String], at: &str) -> Vec<&'a [String]> {
    let mut open = 0_i32;
    let outside = words.split(|word| {
        open += i32::from(word == "(") - i32::from(word == ")");
        open == 0 && word == at
    });
    outside.collect()
}

fn term_holds(term: &[String], scope: &Scope<'_>, row: &Row) -> Result<bool, Refusal> {
    if let [open, inner @ .., close] = term
        && (open.as_str(), close.as_str()) == ("(", ")")
        && inner.len() > 1
    {
        return any_holds(inner, scope, row);
    }
    let term: Vec<&str> = term.iter().map(String::as_str).collect();
    match term[..] {
        ["attribute_exists", "(", path, ")"] => Ok(row.contains_key(&scope.path(path)?)),
        ["attribute_not_exists", "(", path, ")"] => Ok(!row.contains_key(&scope.path(path)?)),
        [left, comparator @ ("=" | "<>" | "<" | "<=" | ">" | ">="), right] => {
            let (left, right) = (scope.operand(left, row)?, scope.operand(right, row)?);
            Ok(left.zip(right).is_some_and(|(left, right)| compared(&left, comparator, &right)))
        }
        _ => Err(wrong(format!("the fake does not understand the condition {}", term.join(" ")))),
    }
}

fn compared(left: &Value, comparator: &str, right: &Value) -> bool {
    let order = match (&left["S"], &right["S"], number(left), number(right)) {
        (Value::String(left), Value::String(right), ..) => Some(left.cmp(right)),
        (_, _, Some(left), Some(right)) => Some(left.cmp(&right)),
        _ => None,
    };
    match (comparator, order) {
        ("=", _) => left == right,
        ("<>", _) => left != right,
        ("<", Some(order)) => order.is_lt(),
        ("<=", Some(order)) => order.is_le(),
        (">", Some(order)) => order.is_gt(),
        (">=", Some(order)) => order.is_ge(),
        _ => false,
    }
}

/// Applies `SET a = b, c = c + d`; returns the attributes that it set.
pub fn set(update: &str, scope: &Scope<'_>, row: &mut Row) -> Result<Row, Refusal> {
    let words = words(update);
    let Some(("SET", rest)) = words.split_first().map(|(first, rest)| (first.as_str(), rest)) else {
        return Err(wrong(format!("the fake does not understand the update {update}")));
    };
    let before = row.clone();
    let mut changed = Row::new();
    for assignment in rest.split(|word| word == ",") {
        let assignment: Vec<&str> = assignment.iter().map(String::as_str).collect();
        let (path, value) = match assignment[..] {
            [path, "=", value] => (path, scope.operand(value, &before)?),
            [path, "=", left, "+", right] => {
                let (left, right) = (scope.operand(left, &before)?, scope.operand(right, &before)?);
                let sum = left.as_ref().and_then(number).zip(right.as_ref().and_then(number));
                (path, sum.map(|(left, right)| json!({"N": (left + right).to_string()})))
            }
            _ => return Err(wrong(format!("the fake does not understand {}", assignment.join(" ")))),
        };
        let value = value.ok_or_else(|| wrong("an operand in the update expression has no value"))?;
        changed.insert(scope.path(path)?, value);
    }
    row.extend(changed.clone());
    Ok(changed)
}

fn number(value: &Value) -> Option<i64> {
    value["N"].as_str()?.parse().ok()
}

/// Splits an expression into words and signs.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for part in text.split_whitespace() {
        let mut word = String::new();
        for c in part.chars() {
            if matches!(c, '(' | ')' | ',' | '+') {
                words.extend(Some(std::mem::take(&mut word)).filter(|word| !word.is_empty()));
                words.push(c.to_string());
            } else {
                word.push(c);
            }
        }
        words.extend(Some(word).filter(|word| !word.is_empty()));
    }
    words
}

/// Refuses an expression.
pub fn wrong(why: impl Into<String>) -> Refusal {
    Refusal::new("ValidationException", why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Row {
        json!({"fence": {"N": "3"}, "release": {"S": "r1"}, "holder": {"NULL": true}})
            .as_object()
            .unwrap()
            .clone()
    }

    fn check(condition: &str, expected: Result<bool, ()>) {
        let input = json!({"ExpressionAttributeNames": {"#fence": "fence"},
                           "ExpressionAttributeValues": {":n": {"N": "10"}, ":s": {"S": "r1"}}});
        let scope = Scope::of(&input);
        assert_eq!(holds(condition, &scope, &row()).map_err(|_| ()), expected, "{condition}");
    }

    #[test]
    fn conditions_of_the_pipeline_are_understood() {
        check("attribute_not_exists(pk) OR #fence = :n", Ok(true));
        check("attribute_exists(pk)", Ok(false));
        check("#fence <= :n", Ok(true));
        check("release = :s AND #fence > :n", Ok(false));
        check("holder <= :s", Ok(false));
        check("missing = :s OR release = :s", Ok(true));
        check("attribute_exists(release) AND (attribute_not_exists(fence) OR #fence <= :n)", Ok(true));
        check("attribute_exists(absent) AND (release = :s OR #fence <= :n)", Ok(false));
    }

    #[test]
    fn everything_else_is_refused() {
        check("contains(release, :s)", Err(()));
        check("(contains(release, :s))", Err(()));
        check("(release = :s", Err(()));
        check("release = :unknown", Err(()));
    }

    #[test]
    fn a_number_is_moved_on() {
        let input = json!({"ExpressionAttributeValues": {":step": {"N": "5"}, ":unused": {"N": "1"}}});
        let scope = Scope::of(&input);
        let mut row = row();
        set("SET fence = fence + :step", &scope, &mut row).unwrap();
        assert_eq!(row["fence"], json!({"N": "8"}));
        assert!(scope.check_all_used().unwrap_err().message.contains(":unused"));
        assert!(set("SET absent = absent + :step", &scope, &mut row).is_err());
    }
}
