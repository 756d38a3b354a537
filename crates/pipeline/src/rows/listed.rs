//! The list of runs: what was accepted or refused in an environment, in the order of time.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::OrderKey;
use crate::clock::Timestamp;
use crate::ids::ReleaseId;

/// The mode of a run that a push has started; every other has the mode of its request.
pub const PUSH: &str = "push";

/// `runs#<environment>` / `<time>#<run>`: a run that was accepted or refused.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedRun {
    /// What it does: the mode of the request, or [`PUSH`].
    #[serde(default)]
    pub mode: String,
    /// The release that it is about: itself, or the one that the request names.
    #[serde(default)]
    pub release: Option<ReleaseId>,
    /// The run that asked for it: itself, or the release that has led to it.
    #[serde(default)]
    pub by: Option<ReleaseId>,
    /// Why, as the request says.
    #[serde(default)]
    pub reason: Option<String>,
    /// The request; of a push, the one that asks for the same.
    #[serde(default)]
    pub request: Value,
    /// Its place among the pushes, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderKey>,
    /// How it ended; none while it runs.
    #[serde(default)]
    pub outcome: Option<String>,
    /// Why.
    #[serde(default)]
    pub because: Option<String>,
    /// When it ended.
    #[serde(default)]
    pub ended: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_row_that_lacks_keys_or_has_more_is_read() {
        let row: ListedRun =
            serde_json::from_value(json!({"outcome": "Deployed", "newer": {"a": 1}})).unwrap();
        assert_eq!((row.outcome.as_deref(), row.mode.as_str()), (Some("Deployed"), ""));
    }
}
