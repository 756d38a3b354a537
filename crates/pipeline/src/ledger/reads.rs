//! Reads by key: those that are asked for at the same moment share a call.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_sdk_dynamodb::types::KeysAndAttributes;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, try_join_all};

use super::item::Item;
use super::{Key, Ledger};
use crate::Fault;
use crate::aws::fault_of;

/// How many rows DynamoDB returns by their keys in one call.
const ROWS_PER_CALL: usize = 100;

/// What a read has found.
type Found = Result<Arc<HashMap<Key, Item>>, Fault>;

/// A read that has not begun: whoever asks now is served by it, too.
struct Next {
    keys: BTreeSet<Key>,
    found: Shared<BoxFuture<'static, Found>>,
}

/// The next read, if somebody has asked for one.
#[derive(Clone, Default)]
pub(super) struct Reads(Arc<Mutex<Option<Next>>>);

impl std::fmt::Debug for Reads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reads")
    }
}

impl Reads {
    fn next(&self) -> MutexGuard<'_, Option<Next>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ledger {
    /// Reads rows of several kinds as DynamoDB keeps them; a key may come twice, and what is not there is left out.
    pub(super) async fn items(&self, keys: &[Key]) -> Result<HashMap<Key, Item>, Fault> {
        if keys.is_empty() {
            return Ok(HashMap::new());
        }
        let found = self.found_with(keys);
        // Whatever is joined with this asks now, too.
        tokio::task::yield_now().await;
        let found = found.await?;
        Ok(keys.iter().filter_map(|key| Some((key.clone(), found.get(key)?.clone()))).collect())
    }

    /// Adds keys to the next read, and returns what that finds.
    fn found_with(&self, keys: &[Key]) -> Shared<BoxFuture<'static, Found>> {
        let mut next = self.reads.next();
        let next = next.get_or_insert_with(|| Next {
            keys: BTreeSet::new(),
            found: self.clone().read_next().boxed().shared(),
        });
        next.keys.extend(keys.iter().cloned());
        next.found.clone()
    }

    async fn read_next(self) -> Found {
        let next = self.reads.next().take();
        let lost = || Fault::Defect("a read of rows has lost its keys".to_owned());
        let keys: Vec<Key> = next.ok_or_else(lost)?.keys.into_iter().collect();
        let found = try_join_all(keys.chunks(ROWS_PER_CALL).map(|some| self.read(some))).await?;
        Ok(Arc::new(found.into_iter().flatten().collect()))
    }

    async fn read(&self, keys: &[Key]) -> Result<Vec<(Key, Item)>, Fault> {
        let failed = |error| Fault::Defect(format!("the keys of rows cannot be written: {error}"));
        let mut found = Vec::new();
        let mut wanted: Vec<_> = keys.iter().map(Key::attributes).collect();
        while !wanted.is_empty() {
            let asked = KeysAndAttributes::builder().set_keys(Some(wanted)).consistent_read(true);
            let read =
                self.client.batch_get_item().request_items(&self.table, asked.build().map_err(failed)?);
            let answer = read.send().await.map_err(|error| fault_of(&attempted(keys), &error))?;
            let before = found.len();
            for item in answer.responses.into_iter().flatten().flat_map(|(_, items)| items) {
                let text = |name| item.get(name).and_then(|value| value.as_s().ok()).cloned();
                let key = Key::new(text("pk").unwrap_or_default(), text("sk").unwrap_or_default());
                found.push((key, item));
            }
            // An answer has a size, and leaves out what does not fit.
            let left = answer.unprocessed_keys.and_then(|mut left| left.remove(&self.table));
            wanted = left.map(|left| left.keys).unwrap_or_default();
            if found.len() == before && !wanted.is_empty() {
                return Err(Fault::Throttled(format!("could not {}: no row was read", attempted(keys))));
            }
        }
        Ok(found)
    }
}

/// Names a read by its first row.
fn attempted(keys: &[Key]) -> String {
    let first = keys.first().map(|key| format!("{} {}", key.pk, key.sk)).unwrap_or_default();
    match keys.len() {
        1 => format!("read {first}"),
        count => format!("read {first} and {} more rows", count - 1),
    }
}
