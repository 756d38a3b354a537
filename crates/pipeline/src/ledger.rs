//! The ledger: one DynamoDB table, read consistently and written under conditions.

mod browse;
mod item;
mod key;
mod moves;
mod reads;
mod whole;
mod writes;

pub use browse::{Listed, Standing};
pub use key::Key;
pub use moves::{Loaded, MoveLedger, Together, held, leased_anew};
pub use whole::WholeRelease;
pub use writes::{Condition, Write, placeholder};

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use serde::{Serialize, de::DeserializeOwned};

use crate::aws::fault_of;
use crate::clock::Timestamp;
use crate::ids::{EnvironmentName, PackHash, ReleaseId, TaskDefinitionArn};
use crate::rows::{ListedRun, PackRow, RevisionRow, RunRow};
use crate::{Fault, settings};
use item::{Item, item_of, row_of};
use reads::Reads;
use writes::Terms;

/// The table.
#[derive(Clone, Debug)]
pub struct Ledger {
    client: Client,
    table: String,
    reads: Reads,
    /// How far this process has seen the numbers that only rise.
    advanced: Arc<Mutex<HashMap<Key, i64>>>,
}

impl Ledger {
    /// Opens the table that the template names.
    pub fn new(config: &SdkConfig) -> Result<Self, Fault> {
        Ok(Ledger::of(config, settings::required("LEDGER_TABLE")?))
    }

    /// Opens a table.
    pub fn of(config: &SdkConfig, table: impl Into<String>) -> Self {
        let (client, table) = (Client::new(config), table.into());
        Ledger { client, table, reads: Reads::default(), advanced: Arc::default() }
    }

    /// Reads one row.
    pub async fn get<Row: DeserializeOwned>(&self, key: &Key) -> Result<Option<Row>, Fault> {
        let item = self.items(std::slice::from_ref(key)).await?.remove(key);
        item.map(|item| row_of(key, item)).transpose()
    }

    /// Reads some rows by their keys, which may come twice; what is not there is left out.
    pub async fn get_all<Row: DeserializeOwned>(&self, keys: &[Key]) -> Result<HashMap<Key, Row>, Fault> {
        let items = self.items(keys).await?.into_iter();
        items.map(|(key, item)| row_of(&key, item).map(|row| (key, row))).collect()
    }

    /// Reads the rows of a partition whose second key starts so.
    pub async fn list<Row: DeserializeOwned>(
        &self,
        pk: &str,
        prefix: &str,
    ) -> Result<Vec<(String, Row)>, Fault> {
        self.query(pk, "pk = :pk AND begins_with(sk, :sk)", &[(":sk", prefix)]).await
    }

    /// Reads the runs of an environment from a moment on, oldest first.
    pub async fn runs_since(
        &self,
        environment: &EnvironmentName,
        from: Timestamp,
    ) -> Result<Vec<(String, ListedRun)>, Fault> {
        let from = key::in_order(from);
        self.query(&Key::runs(environment), "pk = :pk AND sk >= :sk", &[(":sk", &from)]).await
    }

    /// Reads the rows of a partition from one key to another, both of them included.
    pub async fn between<Row: DeserializeOwned>(
        &self,
        from: &Key,
        to: &Key,
    ) -> Result<Vec<(String, Row)>, Fault> {
        let range = [(":sk", from.sk.as_str()), (":to", &to.sk)];
        self.query(&from.pk, "pk = :pk AND sk BETWEEN :sk AND :to", &range).await
    }

    async fn query<Row: DeserializeOwned>(
        &self,
        pk: &str,
        condition: &str,
        values: &[(&str, &str)],
    ) -> Result<Vec<(String, Row)>, Fault> {
        let rows = self.query_items(pk, condition, values).await?.into_iter();
        rows.map(|(sk, item)| {
            let row = row_of(&Key::new(pk.to_owned(), sk.clone()), item)?;
            Ok((sk, row))
        })
        .collect()
    }

    async fn query_items(
        &self,
        pk: &str,
        condition: &str,
        values: &[(&str, &str)],
    ) -> Result<Vec<(String, Item)>, Fault> {
        let words: Vec<&str> = values.iter().map(|(_, value)| *value).collect();
        let (mut rows, attempted) = (Vec::new(), format!("list {pk} {}", words.join(" to ")));
        let mut pages = self.client.query().table_name(&self.table).consistent_read(true);
        pages = pages.key_condition_expression(condition);
        pages = pages.expression_attribute_values(":pk", AttributeValue::S(pk.to_owned()));
        for (name, value) in values {
            pages = pages.expression_attribute_values(*name, AttributeValue::S((*value).to_owned()));
        }
        let mut pages = pages.into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| fault_of(&attempted, &error))?;
            for item in page.items.unwrap_or_default() {
                let sk = item.get("sk").and_then(|sk| sk.as_s().ok()).cloned().unwrap_or_default();
                rows.push((sk, item));
            }
        }
        Ok(rows)
    }

    /// Writes a row unless there is one already; tells whether it was written.
    pub async fn put_new<Row: Serialize>(&self, key: &Key, row: &Row) -> Result<bool, Fault> {
        self.put_when(key, row, ("attribute_not_exists(pk)", serde_json::json!({}))).await
    }

    /// Writes a row under a condition on what is there; tells whether it held.
    pub async fn put_when<Row: Serialize>(
        &self,
        key: &Key,
        row: &Row,
        condition: Condition<'_>,
    ) -> Result<bool, Fault> {
        let mut terms = Terms::default();
        let condition = terms.condition(key, condition)?;
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item_of(key, row)?));
        let put = put.condition_expression(condition).set_expression_attribute_names(terms.names());
        match put.set_expression_attribute_values(terms.values()).send().await {
            Ok(_) => Ok(true),
            Err(error) if is_refused(&error) => Ok(false),
            Err(error) => Err(fault_of(&format!("write {} {}", key.pk, key.sk), &error)),
        }
    }

    /// Writes a row, whatever was there.
    pub async fn put<Row: Serialize>(&self, key: &Key, row: &Row) -> Result<(), Fault> {
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item_of(key, row)?));
        put.send().await.map_err(|error| fault_of(&format!("write {} {}", key.pk, key.sk), &error))?;
        Ok(())
    }

    /// Takes a row away, if there is one and the condition holds of it.
    pub async fn delete(&self, key: &Key, condition: Option<Condition<'_>>) -> Result<(), Fault> {
        let mut terms = Terms::default();
        let condition = condition.map(|condition| terms.condition(key, condition)).transpose()?;
        let delete = self.client.delete_item().table_name(&self.table).set_key(Some(key.attributes()));
        let delete = delete.set_condition_expression(condition);
        let delete = delete.set_expression_attribute_names(terms.names());
        match delete.set_expression_attribute_values(terms.values()).send().await {
            Err(error) if !is_refused(&error) => {
                Err(fault_of(&format!("delete {} {}", key.pk, key.sk), &error))
            }
            _ => Ok(()),
        }
    }

    /// Sets some fields of a row, given as a JSON object, under a condition on what is there; tells whether it held.
    pub async fn set(
        &self,
        key: &Key,
        fields: serde_json::Value,
        condition: Option<Condition<'_>>,
    ) -> Result<bool, Fault> {
        let mut terms = Terms::default();
        let assigned = terms.assign(key, &fields)?;
        let condition = condition.map(|condition| terms.condition(key, condition)).transpose()?;
        let update = self.client.update_item().table_name(&self.table).set_key(Some(key.attributes()));
        let update = update.update_expression(assigned).set_condition_expression(condition);
        let update = update.set_expression_attribute_names(terms.names());
        match update.set_expression_attribute_values(terms.values()).send().await {
            Ok(_) => Ok(true),
            Err(error) if is_refused(&error) => Ok(false),
            Err(error) => Err(fault_of(&format!("update {} {}", key.pk, key.sk), &error)),
        }
    }

    /// Adds to a number of a row and sets some fields beside it, under a condition on what is there; returns the
    /// number, and none if the condition did not hold.  Atomic: no addition is lost, however many come at once.
    pub async fn add(
        &self,
        key: &Key,
        (number, step): (&str, u64),
        mut fields: serde_json::Value,
        condition: Option<Condition<'_>>,
    ) -> Result<Option<u64>, Fault> {
        if let (Some(fields), Some(expires)) = (fields.as_object_mut(), key.expires()) {
            fields.insert(item::EXPIRES.to_owned(), expires.into());
        }
        let mut terms = Terms::default();
        let assigned = terms.assign(key, &fields)?;
        let condition = condition.map(|condition| terms.condition(key, condition)).transpose()?;
        let update = self.client.update_item().table_name(&self.table).set_key(Some(key.attributes()));
        let update = update.update_expression(format!("{assigned} ADD #added :step"));
        let update = update.set_condition_expression(condition);
        let update = update.set_expression_attribute_names(terms.names());
        let update = update.set_expression_attribute_values(terms.values());
        let update = update.expression_attribute_names("#added", number);
        let update = update.expression_attribute_values(":step", AttributeValue::N(step.to_string()));
        match update.return_values(ReturnValue::UpdatedNew).send().await {
            Ok(answer) => {
                let sum = answer.attributes().and_then(|fields| fields.get(number));
                let sum = sum.and_then(|sum| sum.as_n().ok()).and_then(|sum| sum.parse().ok());
                sum.map(Some).ok_or_else(|| Fault::Defect(format!("{} has no number {number}", key.pk)))
            }
            Err(error) if is_refused(&error) => Ok(None),
            Err(error) => Err(fault_of(&format!("update {} {}", key.pk, key.sk), &error)),
        }
    }

    /// Keeps what ECS said of a revision.
    pub async fn record(&self, arn: &TaskDefinitionArn, json: String) -> Result<(), Fault> {
        self.put(&Key::revision(arn), &RevisionRow { json }).await
    }

    /// Returns what ECS once said of a revision.
    pub async fn recorded(&self, arn: &TaskDefinitionArn) -> Result<String, Fault> {
        let row: Option<RevisionRow> = self.get(&Key::revision(arn)).await?;
        row.map(|row| row.json).ok_or_else(|| Fault::NotFound(format!("the record of {arn}")))
    }

    /// Keeps the text of a pack, if there is anything in it.
    pub async fn pin(&self, hash: &PackHash, json: String) -> Result<(), Fault> {
        if !hash.is_something() {
            return Ok(());
        }
        self.put(&Key::pack(hash), &PackRow { json }).await
    }

    /// Returns the texts of packs; one that is not kept is left out.
    pub async fn pinned(&self, hashes: &[PackHash]) -> Result<BTreeMap<PackHash, String>, Fault> {
        let keys: Vec<Key> = hashes.iter().map(Key::pack).collect();
        let mut rows: HashMap<Key, PackRow> = self.get_all(&keys).await?;
        let found = |(hash, key): (&PackHash, &Key)| Some((hash.clone(), rows.remove(key)?.json));
        Ok(hashes.iter().zip(&keys).filter_map(found).collect())
    }

    /// Reads what the live tests of a move run.
    pub async fn runs(&self, release: &ReleaseId, wave: u32, ordinal: u32) -> Result<Vec<RunRow>, Fault> {
        let rows = self.list(&Key::of_release(release), &format!("run#{wave}#{ordinal}#")).await?;
        Ok(rows.into_iter().map(|(_, row)| row).collect())
    }

    /// Moves a number on by `step`, from `now` at the earliest, and returns it; atomic, and never refused.
    ///
    /// It is one write if the guess holds whether others have moved it beyond `now`.
    pub async fn advance(&self, key: &Key, step: i64, now: i64, guess: bool) -> Result<i64, Fault> {
        // It only rises: what was beyond `now` once still is.
        let mut is_beyond = guess || self.seen().get(key).is_some_and(|seen| *seen > now);
        loop {
            if let Some(number) = self.advance_if(key, is_beyond, step, now).await? {
                self.seen().insert(key.clone(), number);
                return Ok(number);
            }
            is_beyond = !is_beyond;
        }
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<Key, i64>> {
        self.advanced.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves a number on if it is beyond `now`, or else if it is not; returns it, and none if that does not hold.
    async fn advance_if(
        &self,
        key: &Key,
        is_beyond: bool,
        step: i64,
        now: i64,
    ) -> Result<Option<i64>, Fault> {
        let number = |n: i64| AttributeValue::N(n.to_string());
        let (expression, condition, (name, value)) = match is_beyond {
            true => ("SET up_to = up_to + :step", "up_to > :now", (":step", step)),
            false => (
                "SET up_to = :now_and_step",
                "attribute_not_exists(up_to) OR up_to <= :now",
                (":now_and_step", now + step),
            ),
        };
        let update = self.client.update_item().table_name(&self.table).set_key(Some(key.attributes()));
        let update = update.update_expression(expression).condition_expression(condition);
        let update = update.expression_attribute_values(name, number(value));
        let update = update.expression_attribute_values(":now", number(now));
        match update.return_values(ReturnValue::UpdatedNew).send().await {
            Ok(answer) => {
                let up_to = answer.attributes().and_then(|fields| fields.get("up_to"));
                let up_to = up_to.and_then(|up_to| up_to.as_n().ok()).and_then(|n| n.parse().ok());
                up_to.map(Some).ok_or_else(|| Fault::Defect(format!("{} has no number", key.pk)))
            }
            Err(error) if is_refused(&error) => Ok(None),
            Err(error) => Err(fault_of(&format!("update {} {}", key.pk, key.sk), &error)),
        }
    }
}

/// Tells whether a write was refused by its own condition.
fn is_refused<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> bool {
    error.as_service_error().and_then(ProvideErrorMetadata::code) == Some("ConditionalCheckFailedException")
}
