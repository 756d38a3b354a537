//! What the calls of DynamoDB take: the sizes of rows, and the units that are paid for.

use serde_json::Value;

use super::expression::Row;

/// What DynamoDB asks money for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Units {
    /// Of consistent reads: 4 KiB each.
    pub reads: u64,
    /// Of writes: 1 KiB each, and twice as many in a transaction.
    pub writes: u64,
}

impl Units {
    /// Counts a row, or a page, that was read.
    pub(super) fn read(&mut self, bytes: usize) {
        self.reads += bytes.max(1).div_ceil(4096) as u64;
    }

    /// Counts a row that was written.
    pub(super) fn write(&mut self, bytes: usize) {
        self.writes += bytes.max(1).div_ceil(1024) as u64;
    }
}

/// Returns about as many bytes as DynamoDB counts.
pub(super) fn size(row: &Row) -> usize {
    row.iter().map(|(name, value)| name.len() + size_of_value(value)).sum()
}

fn size_of_value(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(|item| 1 + size_of_value(item)).sum(),
        Value::Object(fields) => match fields.get("M").and_then(Value::as_object) {
            Some(fields) => fields.iter().map(|(name, value)| 1 + name.len() + size_of_value(value)).sum(),
            None => fields.values().map(size_of_value).sum(),
        },
        _ => 1,
    }
}
