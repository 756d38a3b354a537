//! Rows of the ledger as real releases have written them: a ledger outlives the version that wrote it.
//!
//! `local/record_ledger.py` records them, into `crates/testbed/ledger/<date>.json`; no recording is ever changed.

use std::fs;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// A row, as it was recorded.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its partition key.
    pub pk: String,
    /// Its sort key.
    pub sk: String,
    /// Its other fields.
    fields: Map<String, Value>,
}

impl Row {
    /// Reads the row as a function does: from DynamoDB's own types.
    ///
    /// # Panics
    ///
    /// If the row cannot be read.
    #[expect(clippy::panic, reason = "this is how a test fails")]
    pub fn read<T: DeserializeOwned>(&self) -> T {
        let read = serde_dynamo::to_item::<_, serde_dynamo::Item>(&self.fields)
            .and_then(|item| serde_dynamo::from_item(item));
        read.unwrap_or_else(|error| panic!("the row {} {} is unreadable: {error}", self.pk, self.sk))
    }
}

/// Returns the rows of all recordings whose keys begin with these, a recording of its own each.
///
/// # Panics
///
/// If there is no recording, or one that is no list of rows.
#[expect(clippy::expect_used, reason = "this is how a test fails")]
pub fn recordings(pk: &str, sk: &str) -> Vec<Vec<Row>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("ledger");
    let files = fs::read_dir(folder).expect("the folder is there").map(|file| file.expect("a file").path());
    let read = files.map(|file| {
        let text = fs::read_to_string(file).expect("a file can be read");
        let rows: Vec<Map<String, Value>> = serde_json::from_str(&text).expect("a list of rows");
        let keyed = rows.into_iter().map(keyed);
        keyed.filter(|row| row.pk.starts_with(pk) && row.sk.starts_with(sk)).collect()
    });
    let recordings: Vec<Vec<Row>> = read.collect();
    assert!(!recordings.is_empty(), "nothing is recorded");
    recordings
}

#[expect(clippy::panic, reason = "this is how a test fails")]
fn keyed(mut fields: Map<String, Value>) -> Row {
    let mut key = |name| match fields.remove(name) {
        Some(Value::String(key)) => key,
        other => panic!("the key {name} of a row is {other:?}"),
    };
    Row { pk: key("pk"), sk: key("sk"), fields }
}
