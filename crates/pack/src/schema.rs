//! The rules of the format for editors, as JSON Schema.

use serde_json::{Value, json};

use crate::merge::PackWritten;

/// Returns the rules.
pub fn schema() -> Value {
    let generator = schemars::generate::SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<PackWritten>();
    schema.insert("title".to_owned(), json!("The live tests of a service"));
    schema.to_value()
}

/// Returns the rule that a check has one kind, or is off.
pub(crate) fn one_kind() -> Value {
    let keys = ["http", "journey", "task", "suite", "image", "logs", "metric", "alarms", "targets", "off"];
    Value::Array(keys.iter().map(|key| json!({"required": [key]})).collect())
}
