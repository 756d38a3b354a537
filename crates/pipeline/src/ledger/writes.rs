//! Writes under conditions, alone or several at once.

use std::collections::{HashMap, HashSet};

use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, ConditionCheck, Put, TransactWriteItem, Update};
use futures_util::future::try_join_all;
use serde::Serialize;
use serde_json::Value;

use super::item::{Item, attributes_of, item_of};
use super::{Key, Ledger};
use crate::Fault;
use crate::aws::fault_of;

/// How many writes that need nothing of each other are done in one call: the more there are, the likelier it is that
/// another release writes to one of their rows at the same moment.
const TOGETHER: usize = 25;

/// What has to hold of a row: an expression, which names fields as `#field` and values as `:value`, and the values that
/// it compares with, as a JSON object.
pub type Condition<'a> = (&'a str, Value);

/// One of several writes that are done together, or none of them.
#[derive(Clone, Debug)]
pub struct Write {
    key: Key,
    what: What,
    condition: Option<(String, Value)>,
}

#[derive(Clone, Debug)]
enum What {
    Put(Item),
    Set(Value),
    Nothing,
}

impl Write {
    /// Writes a row.
    pub fn put<Row: Serialize>(key: Key, row: &Row) -> Result<Self, Fault> {
        let item = item_of(&key, row)?;
        Ok(Write { key, what: What::Put(item), condition: None })
    }

    /// Sets some fields of a row, given as a JSON object.
    pub fn set(key: Key, fields: Value) -> Self {
        Write { key, what: What::Set(fields), condition: None }
    }

    /// Writes nothing to a row of which something has to hold.
    pub fn check(key: Key, condition: Condition<'_>) -> Self {
        Write { key, what: What::Nothing, condition: None }.when(condition)
    }

    /// Returns the row that it is about.
    pub fn row(&self) -> &Key {
        &self.key
    }

    /// Says what has to hold of the row.
    #[must_use]
    pub fn when(self, (expression, compared): Condition<'_>) -> Self {
        Write { condition: Some((expression.to_owned(), compared)), ..self }
    }

    fn item(self, table: &str) -> Result<TransactWriteItem, Fault> {
        let Write { key, what, condition } = self;
        let (keys, mut terms, item) =
            (Some(key.attributes()), Terms::default(), TransactWriteItem::builder());
        let assigned = match &what {
            What::Set(fields) => Some(terms.assign(&key, fields)?),
            What::Put(_) | What::Nothing => None,
        };
        let condition =
            condition.map(|(text, compared)| terms.condition(&key, (&text, compared))).transpose()?;
        let (names, values) = (terms.names(), terms.values());
        let item = match what {
            What::Put(row) => {
                let put = Put::builder().table_name(table).set_item(Some(row));
                let put = put.set_condition_expression(condition);
                let put = put.set_expression_attribute_names(names).set_expression_attribute_values(values);
                put.build().map(|put| item.put(put))
            }
            What::Set(_) => {
                let update = Update::builder().table_name(table).set_key(keys);
                let update = update.set_update_expression(assigned).set_condition_expression(condition);
                let update = update.set_expression_attribute_names(names);
                update.set_expression_attribute_values(values).build().map(|update| item.update(update))
            }
            What::Nothing => {
                let check = ConditionCheck::builder().table_name(table).set_key(keys);
                let check = check.set_condition_expression(condition);
                let check = check.set_expression_attribute_names(names);
                check.set_expression_attribute_values(values).build().map(|check| item.condition_check(check))
            }
        };
        let item =
            item.map_err(|error| Fault::Defect(format!("{} {} cannot be written: {error}", key.pk, key.sk)));
        Ok(item?.build())
    }
}

/// Tells whether writes may be done in one call: each has a row of its own, and there are not too many.
fn fit(writes: &[Write]) -> bool {
    let rows: HashSet<&Key> = writes.iter().map(|write| &write.key).collect();
    rows.len() == writes.len() && writes.len() <= TOGETHER
}

/// Splits groups, in their order, into calls: each as full as it may be.
fn packed(groups: &[Vec<Write>]) -> Vec<Vec<&[Write]>> {
    let mut calls: Vec<Vec<&[Write]>> = Vec::new();
    let mut rows: HashSet<&Key> = HashSet::new();
    for group in groups {
        let own = || group.iter().map(|write| &write.key);
        let is_full = rows.len() + group.len() > TOGETHER || own().any(|key| rows.contains(key));
        if is_full || calls.is_empty() {
            calls.push(Vec::new());
            rows.clear();
        }
        rows.extend(own());
        if let Some(call) = calls.last_mut() {
            call.push(group);
        }
    }
    calls
}

/// Returns what stands for the name of a field in an expression, behind `#` and `:`.
pub fn placeholder(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

/// The names and the values that the expressions of one write speak of.
#[derive(Debug, Default)]
pub(super) struct Terms {
    names: HashMap<String, String>,
    values: HashMap<String, AttributeValue>,
}

impl Terms {
    /// Writes the expression that sets fields.
    pub(super) fn assign(&mut self, key: &Key, fields: &Value) -> Result<String, Fault> {
        let mut assignments = Vec::new();
        for (name, value) in attributes_of(key, fields)? {
            let place = placeholder(&name);
            assignments.push(format!("#{place} = :{place}"));
            self.values.insert(format!(":{place}"), value);
            self.names.insert(format!("#{place}"), name);
        }
        assignments.sort();
        Ok(format!("SET {}", assignments.join(", ")))
    }

    /// Takes a condition; it may use the fields and values that are set as well.
    pub(super) fn condition(&mut self, key: &Key, (text, compared): Condition<'_>) -> Result<String, Fault> {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '#' | '_'));
        for (word, name) in words.filter_map(|word| Some((word, word.strip_prefix('#')?))) {
            // What is set is known by its own name, which its place in the expression may not spell.
            self.names.entry(word.to_owned()).or_insert_with(|| name.to_owned());
        }
        let compared = attributes_of(key, &compared)?;
        self.values.extend(compared.into_iter().map(|(name, value)| (format!(":{name}"), value)));
        Ok(text.to_owned())
    }

    /// Returns the names; DynamoDB refuses an empty list.
    pub(super) fn names(&self) -> Option<HashMap<String, String>> {
        Some(self.names.clone()).filter(|names| !names.is_empty())
    }

    /// Returns the values; DynamoDB refuses an empty list.
    pub(super) fn values(&self) -> Option<HashMap<String, AttributeValue>> {
        Some(self.values.clone()).filter(|values| !values.is_empty())
    }
}

impl Ledger {
    /// Does writes, many in one call; one whose condition does not hold is left out.
    pub async fn write_each(&self, writes: Vec<Write>) -> Result<(), Fault> {
        let alone: Vec<Vec<Write>> = writes.into_iter().map(|write| vec![write]).collect();
        self.write_groups(&alone).await.map(drop)
    }

    /// Does groups of writes, many in one call, each group whole or not at all; tells of each whether its conditions
    /// held.
    pub async fn write_groups(&self, groups: &[Vec<Write>]) -> Result<Vec<bool>, Fault> {
        let mut held = Vec::new();
        for some in packed(groups) {
            match some.len() > 1 && self.write_at_once(&some.concat()).await? {
                true => held.extend(some.iter().map(|_| true)),
                false => {
                    held.extend(try_join_all(some.into_iter().map(|group| self.write_group(group))).await?)
                }
            }
        }
        Ok(held)
    }

    /// Does a few writes in one call; tells whether they are done, and does none where a condition does not hold or
    /// somebody else writes to one of the rows at this moment.
    pub async fn write_at_once(&self, writes: &[Write]) -> Result<bool, Fault> {
        if !fit(writes) {
            return Ok(false);
        }
        match self.transact(writes.to_vec()).await {
            Ok(refused) => Ok(refused.is_none()),
            Err(Fault::Throttled(_)) => Ok(false),
            Err(fault) => Err(fault),
        }
    }

    async fn write_group(&self, group: &[Write]) -> Result<bool, Fault> {
        match group {
            [Write { key, what: What::Set(fields), condition }] => {
                let condition = condition.as_ref().map(|(text, compared)| (text.as_str(), compared.clone()));
                self.set(key, fields.clone(), condition).await
            }
            group => Ok(self.transact(group.to_vec()).await?.is_none()),
        }
    }

    /// Does up to 100 writes to as many rows, or none; returns the place of the first whose condition did not hold, if
    /// that is why none was done.
    ///
    /// The SDK sends a token with it, so that one that arrives twice is done once.
    pub async fn transact(&self, writes: Vec<Write>) -> Result<Option<usize>, Fault> {
        if writes.is_empty() {
            return Ok(None);
        }
        let attempted = format!("write {} rows together", writes.len());
        let items: Vec<_> =
            writes.into_iter().map(|write| write.item(&self.table)).collect::<Result<_, _>>()?;
        let Err(error) = self.client.transact_write_items().set_transact_items(Some(items)).send().await
        else {
            return Ok(None);
        };
        let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error()
        else {
            return Err(fault_of(&attempted, &error));
        };
        let codes = cancelled.cancellation_reasons().iter().map(|reason| reason.code().unwrap_or_default());
        let codes: Vec<&str> = codes.collect();
        if let Some(place) = codes.iter().position(|code| *code == "ConditionalCheckFailed") {
            return Ok(Some(place));
        }
        let code =
            codes.into_iter().find(|code| !matches!(*code, "" | "None")).unwrap_or("no reason is given");
        let sentence = format!("could not {attempted}: {code}");
        Err(match code {
            "TransactionConflict" | "ThrottlingError" | "ProvisionedThroughputExceeded" => {
                Fault::Throttled(sentence)
            }
            _ => Fault::Denied(sentence),
        })
    }
}
