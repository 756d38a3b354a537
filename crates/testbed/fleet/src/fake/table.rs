//! DynamoDB: one table, of which every row has `pk` and `sk`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::expression::{self, Row, Scope, wrong};
use super::units::{Units, size};
use super::{Answer, Refusal, unknown};

/// How much one page of a query reads.
const PAGE_BYTES: usize = 1 << 20;

/// How many rows, and how much of them, are read at once by their keys.
const ROWS_PER_BATCH: usize = 100;
const BATCH_BYTES: usize = 16 << 20;

/// How many rows are written together.
const ROWS_PER_TRANSACTION: usize = 100;

/// How large a row may be.
const ROW_BYTES: usize = 400 * 1024;

/// The keys of the row of a service that every version knows, beside `order`.
const OLDER: [&str; 7] = ["pk", "sk", "verified", "previous", "hold", "last", "seconds"];

/// How long a transaction is about its rows, in milliseconds: no other one is about them at that time.
const TRANSACTION_MS: i64 = 6;

/// The rows, and the tokens of the transactions that were done.
#[derive(Clone, Debug, Default)]
pub struct Table {
    rows: BTreeMap<(String, String), Row>,
    done: BTreeSet<String>,
    /// Up to when a transaction is about a row.
    busy: BTreeMap<(String, String), i64>,
    /// The present moment, where there is one.
    pub(super) now: Option<i64>,
    /// What all calls have taken.
    pub units: Units,
}

impl Table {
    /// Returns a row as plain JSON, if it is there.
    pub fn row(&self, pk: &str, sk: &str) -> Option<Value> {
        self.rows.get(&(pk.to_owned(), sk.to_owned())).map(plain_row)
    }

    /// Returns the rows of a partition whose second key starts so, by that key.
    pub fn list(&self, pk: &str, prefix: &str) -> Vec<(String, Value)> {
        self.partition(pk, prefix).map(|((_, sk), row)| (sk.clone(), plain_row(row))).collect()
    }

    /// Returns some fields of the rows of a partition whose second key starts so.
    pub fn some_of(&self, pk: &str, prefix: &str, fields: &[&str]) -> Vec<Value> {
        let some = |row: &Row| {
            let known = fields.iter().filter_map(|name| Some(((*name).to_owned(), plain(row.get(*name)?))));
            known.collect::<serde_json::Map<_, _>>().into()
        };
        self.partition(pk, prefix).map(|(_, row)| some(row)).collect()
    }

    /// Forgets the rows that `unwanted` names.
    pub fn forget(&mut self, unwanted: impl Fn(&str, &str) -> bool) {
        self.rows.retain(|(pk, sk), _| !unwanted(pk, sk));
    }

    /// Returns all rows, by their keys.
    pub fn rows(&self) -> impl Iterator<Item = (&str, &str, Value)> {
        self.rows.iter().map(|((pk, sk), row)| (pk.as_str(), sk.as_str(), plain_row(row)))
    }

    /// Returns all rows whose second key starts so, each with its first key.
    pub fn all(&self, prefix: &str) -> Vec<(String, Value)> {
        let rows = self.rows.iter().filter(|((_, sk), _)| sk.starts_with(prefix));
        rows.map(|((pk, _), row)| (pk.clone(), plain_row(row))).collect()
    }

    /// Adds a key to every row that no version of today knows.
    pub fn annotate(&mut self, value: &Value) {
        self.rows.values_mut().for_each(|row| drop(row.insert("later".to_owned(), value.clone())));
    }

    /// Has the rows of services hold what an older version would have written, which knows one repository of each.
    pub fn make_older(&mut self) {
        for ((_, sk), row) in &mut self.rows {
            let facts = plain(row.get("history").unwrap_or(&Value::Null));
            let mut of: Vec<&Value> =
                facts.as_array().into_iter().flatten().map(|one| &one["repository"]).collect();
            of.dedup();
            if sk.starts_with("service#") && of.len() == 1 {
                let order =
                    row.iter().filter(|(key, _)| key.starts_with("order:")).map(|(_, key)| key.clone());
                let order = order.max_by_key(|key| key["S"].as_str().map(str::to_owned));
                row.retain(|key, _| OLDER.contains(&key.as_str()));
                row.extend(order.map(|order| ("order".to_owned(), order)));
            }
        }
    }

    fn partition(&self, pk: &str, prefix: &str) -> impl Iterator<Item = (&(String, String), &Row)> {
        let from = (pk.to_owned(), prefix.to_owned());
        self.rows
            .range(from.clone()..)
            .take_while(move |((pk, sk), _)| *pk == from.0 && sk.starts_with(&from.1))
    }

    pub(super) fn answer(&mut self, name: &str, input: &Value, partial: bool) -> Answer {
        match name {
            "PutItem" => self.put(input),
            "UpdateItem" => self.update(input),
            "DeleteItem" => self.delete(input),
            "TransactWriteItems" => self.write_all(input),
            "BatchGetItem" => self.get_some(input, partial),
            "Query" => self.query(input),
            _ => Err(unknown(name)),
        }
    }

    fn put(&mut self, input: &Value) -> Answer {
        let key = key_of(&input["Item"])?;
        let row = input["Item"].as_object().cloned().unwrap_or_default();
        self.check_idle(&key)?;
        let scope = Scope::of(input);
        self.check(input, &scope, &key)?;
        scope.check_all_used()?;
        self.write(key, row)?;
        Ok(json!({}))
    }

    fn delete(&mut self, input: &Value) -> Answer {
        let key = key_of(&input["Key"])?;
        self.check_idle(&key)?;
        let scope = Scope::of(input);
        self.check(input, &scope, &key)?;
        scope.check_all_used()?;
        let removed = self.rows.remove(&key);
        self.units.write(removed.as_ref().map_or(0, size));
        Ok(json!({}))
    }

    fn update(&mut self, input: &Value) -> Answer {
        let key = key_of(&input["Key"])?;
        self.check_idle(&key)?;
        let scope = Scope::of(input);
        let condition = self.check(input, &scope, &key);
        let updated = self.updated(input, &scope, &key);
        condition?;
        let (row, changed) = updated?;
        scope.check_all_used()?;
        self.write(key, row)?;
        Ok(json!({"Attributes": changed}))
    }

    /// Returns a row as an update leaves it, and the attributes that it sets.
    fn updated(
        &self,
        input: &Value,
        scope: &Scope<'_>,
        key: &(String, String),
    ) -> Result<(Row, Row), Refusal> {
        let keys = input["Key"].as_object().cloned().unwrap_or_default();
        let mut row = self.rows.get(key).cloned().unwrap_or(keys);
        let update = input["UpdateExpression"].as_str().unwrap_or_default();
        let changed = expression::set(update, scope, &mut row)?;
        Ok((row, changed))
    }

    /// Does several writes, or none of them if the condition of one does not hold.
    fn write_all(&mut self, input: &Value) -> Answer {
        let token = input["ClientRequestToken"].as_str();
        if token.is_some_and(|token| self.done.contains(token)) {
            return Ok(json!({}));
        }
        let all = input["TransactItems"].as_array().map(Vec::as_slice).unwrap_or_default();
        if all.is_empty() || all.len() > ROWS_PER_TRANSACTION {
            return Err(wrong(format!("a transaction of {} rows", all.len())));
        }
        let (mut keys, mut rows, mut reasons) = (BTreeSet::new(), Vec::new(), Vec::<&'static str>::new());
        for (kind, one) in all.iter().filter_map(Value::as_object).flatten() {
            let key = key_of(if kind == "Put" { &one["Item"] } else { &one["Key"] })?;
            if !keys.insert(key.clone()) {
                return Err(wrong("a transaction has several operations on one row"));
            }
            let scope = Scope::of(one);
            reasons.push(match self.check(one, &scope, &key) {
                _ if self.is_busy(&key) => "TransactionConflict",
                Ok(()) => "None",
                Err(refusal) if refusal.code == "ConditionalCheckFailedException" => "ConditionalCheckFailed",
                Err(refusal) => return Err(refusal),
            });
            match kind.as_str() {
                "Put" => rows.push((key, one["Item"].as_object().cloned().unwrap_or_default())),
                "Update" => rows.push((key.clone(), self.updated(one, &scope, &key)?.0)),
                "ConditionCheck" => self.units.writes += 2,
                _ => return Err(wrong(format!("the fake does not understand {kind} in a transaction"))),
            }
            scope.check_all_used()?;
        }
        if reasons.iter().any(|reason| *reason != "None") {
            let cancelled = Refusal::new("TransactionCanceledException", "Transaction cancelled");
            return Err(Refusal { reasons, ..cancelled });
        }
        for (key, row) in rows {
            self.units.write(size(&row));
            self.write(key, row)?;
        }
        self.done.extend(token.map(str::to_owned));
        if let Some(now) = self.now {
            self.busy.retain(|_, until| *until > now);
            self.busy.extend(keys.into_iter().map(|key| (key, now + TRANSACTION_MS)));
        }
        Ok(json!({}))
    }

    /// Tells whether a transaction writes to a row at this moment, or only looks at it.
    fn is_busy(&self, key: &(String, String)) -> bool {
        self.now.zip(self.busy.get(key)).is_some_and(|(now, until)| now < *until)
    }

    fn check_idle(&self, key: &(String, String)) -> Result<(), Refusal> {
        match self.is_busy(key) {
            true => Err(Refusal::new("TransactionConflictException", "Transaction is ongoing for the item")),
            false => Ok(()),
        }
    }

    fn get_some(&mut self, input: &Value, partial: bool) -> Answer {
        let (mut found, mut left, mut bytes) = (json!({}), json!({}), 0);
        for (table, wanted) in input["RequestItems"].as_object().into_iter().flatten() {
            let keys = wanted["Keys"].as_array().cloned().unwrap_or_default();
            if keys.is_empty() || keys.len() > ROWS_PER_BATCH {
                return Err(wrong(format!("{} rows in one call", keys.len())));
            }
            let (mut rows, mut unread) = (Vec::new(), Vec::new());
            let last = keys.len() - 1;
            for (n, key) in keys.into_iter().enumerate() {
                let row = self.rows.get(&key_of(&key)?);
                self.units.read(row.map_or(0, size));
                bytes += row.map_or(0, size);
                if bytes > BATCH_BYTES || (partial && n > 0 && n == last) {
                    unread.push(key);
                } else {
                    rows.extend(row);
                }
            }
            found[table] = json!(rows);
            if !unread.is_empty() {
                left[table] = json!({"Keys": unread});
            }
        }
        Ok(json!({"Responses": found, "UnprocessedKeys": left}))
    }

    fn query(&mut self, input: &Value) -> Answer {
        let (answer, bytes) = self.page(input)?;
        self.units.read(bytes);
        Ok(answer)
    }

    /// Reads one page, and how much that is.
    fn page(&self, input: &Value) -> Result<(Value, usize), Refusal> {
        let values = &input["ExpressionAttributeValues"];
        let (pk, sk) = (text(&values[":pk"])?, text(&values[":sk"])?);
        let to = values.get(":to").map(text).transpose()?;
        let (prefix, least) = match input["KeyConditionExpression"].as_str() {
            Some("pk = :pk AND begins_with(sk, :sk)") => (sk.as_str(), ""),
            Some("pk = :pk AND sk >= :sk") => ("", sk.as_str()),
            Some("pk = :pk AND sk BETWEEN :sk AND :to") if to.is_some() => ("", sk.as_str()),
            other => return Err(wrong(format!("the fake does not understand {other:?}"))),
        };
        let after = input.get("ExclusiveStartKey").map(key_of).transpose()?;
        let (mut items, mut bytes) = (Vec::new(), 0);
        for (key, row) in self.partition(&pk, prefix) {
            let is_beyond = to.as_ref().is_some_and(|to| key.1 > *to);
            if after.as_ref().is_some_and(|after| key <= after) || key.1.as_str() < least || is_beyond {
                continue;
            }
            bytes += size(row);
            items.push(row);
            if bytes >= PAGE_BYTES {
                let last = json!({"pk": {"S": key.0}, "sk": {"S": key.1}});
                return Ok((json!({"Items": items, "Count": items.len(), "LastEvaluatedKey": last}), bytes));
            }
        }
        Ok((json!({"Items": items, "Count": items.len()}), bytes))
    }

    /// Refuses a write whose condition does not hold.
    fn check(&self, input: &Value, scope: &Scope<'_>, key: &(String, String)) -> Result<(), Refusal> {
        let Some(condition) = input["ConditionExpression"].as_str() else { return Ok(()) };
        let none = Row::new();
        match expression::holds(condition, scope, self.rows.get(key).unwrap_or(&none))? {
            true => Ok(()),
            false => Err(Refusal::new("ConditionalCheckFailedException", "The conditional request failed")),
        }
    }

    fn write(&mut self, key: (String, String), row: Row) -> Result<(), Refusal> {
        if size(&row) > ROW_BYTES {
            return Err(wrong(format!(
                "Item size has exceeded the maximum allowed size: {} {}",
                key.0, key.1
            )));
        }
        let bytes = size(&row);
        let before = self.rows.insert(key, row);
        self.units.write(bytes.max(before.as_ref().map_or(0, size)));
        Ok(())
    }
}

fn key_of(item: &Value) -> Result<(String, String), Refusal> {
    Ok((text(&item["pk"])?, text(&item["sk"])?))
}

fn text(value: &Value) -> Result<String, Refusal> {
    let text = value["S"].as_str().filter(|text| !text.is_empty());
    text.map(str::to_owned).ok_or_else(|| wrong(format!("{value} is no key")))
}

fn plain_row(row: &Row) -> Value {
    row.iter().map(|(name, value)| (name.clone(), plain(value))).collect::<serde_json::Map<_, _>>().into()
}

/// Takes DynamoDB's types out of a value.
fn plain(value: &Value) -> Value {
    let Some((kind, inner)) = value.as_object().and_then(|fields| fields.iter().next()) else {
        return Value::Null;
    };
    match (kind.as_str(), inner) {
        ("S" | "BOOL", inner) => inner.clone(),
        ("N", Value::String(number)) => number.parse::<i64>().map_or(Value::Null, Value::from),
        ("L", Value::Array(items)) => items.iter().map(plain).collect(),
        ("M", Value::Object(fields)) => plain_row(fields),
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(table: &mut Table, sk: &str, bytes: usize) -> Answer {
        let item = json!({"pk": {"S": "p"}, "sk": {"S": sk}, "text": {"S": "x".repeat(bytes)}});
        let put = json!({"Item": item, "ConditionExpression": "attribute_not_exists(pk)"});
        table.answer("PutItem", &put, false)
    }

    #[test]
    fn a_query_reads_page_by_page() {
        let mut table = Table::default();
        for n in 0..7 {
            put(&mut table, &format!("move#{n}"), 300_000).unwrap();
        }
        put(&mut table, "other", 1).unwrap();
        let mut input = json!({
            "KeyConditionExpression": "pk = :pk AND begins_with(sk, :sk)",
            "ExpressionAttributeValues": {":pk": {"S": "p"}, ":sk": {"S": "move#"}}
        });
        let mut counts = Vec::new();
        loop {
            let page = table.answer("Query", &input, false).unwrap();
            counts.push(page["Count"].as_u64().unwrap());
            let Some(last) = page.get("LastEvaluatedKey") else { break };
            input["ExclusiveStartKey"] = last.clone();
        }
        assert_eq!(counts, [4, 3]);
    }

    #[test]
    fn a_condition_that_fails_writes_nothing() {
        let mut table = Table::default();
        put(&mut table, "a", 1).unwrap();
        assert_eq!(put(&mut table, "a", 2).unwrap_err().code, "ConditionalCheckFailedException");
        assert_eq!(table.row("p", "a").unwrap()["text"], "x");
        assert_eq!(put(&mut table, "b", 500_000).unwrap_err().code, "ValidationException");
    }

    #[test]
    fn a_transaction_writes_all_or_nothing() {
        let mut table = Table::default();
        put(&mut table, "a", 1).unwrap();
        let key = |sk: &str| json!({"pk": {"S": "p"}, "sk": {"S": sk}});
        let put =
            |sk: &str| json!({"Put": {"Item": key(sk), "ConditionExpression": "attribute_not_exists(pk)"}});
        let check = |sk: &str| json!({"ConditionCheck": {"Key": key(sk), "ConditionExpression": "attribute_exists(pk)"}});
        let mut write =
            |all: Value| table.answer("TransactWriteItems", &json!({"TransactItems": all}), false);
        let refused = write(json!([put("b"), put("a"), check("c")])).unwrap_err();
        assert_eq!(refused.reasons, ["None", "ConditionalCheckFailed", "ConditionalCheckFailed"]);
        assert!(write(json!([put("b"), check("c")])).is_err());
        assert_eq!(write(json!([put("b"), put("b")])).unwrap_err().code, "ValidationException");
        assert_eq!(write(json!([])).unwrap_err().code, "ValidationException");
        assert!(write(json!([put("b"), check("a")])).is_ok());
        assert!(table.row("p", "b").is_some());
    }
}
