//! What the new tasks may log.

use serde::Deserialize;

use crate::mistake::{Mistake, ensure};

/// What the new tasks may log.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Logs {
    /// What is looked for, in the filter syntax of CloudWatch Logs.
    pub pattern: String,
    /// How often it may occur.
    #[serde(default)]
    pub most: u32,
    /// Whether lines do not count that the old tasks logged, too.
    #[serde(default)]
    pub only_new: bool,
    /// The container whose lines count; none means the one with our image.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub container: Option<String>,
    /// Whether no line is shown: an alert goes to people who may not read the log.
    #[serde(default)]
    pub quiet: bool,
}

impl Logs {
    pub(crate) fn mistake(&self) -> Result<(), Mistake> {
        ensure(!self.pattern.trim().is_empty(), "pattern", || {
            "nothing is in every line: expected a filter like \"?ERROR ?panicked\"".to_owned()
        })
    }
}
