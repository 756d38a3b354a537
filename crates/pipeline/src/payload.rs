//! What crosses the states of the machine: keys, and few answers.  The rest is in the ledger.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::document;
use crate::ids::ReleaseId;
use crate::rows::MoveRow;

/// The machine's own name for one move.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MoveKey {
    /// The release.
    pub release: ReleaseId,
    /// The wave within it.
    #[serde(default)]
    pub wave: u32,
    /// The move within the wave.
    #[serde(rename = "move")]
    pub which: MoveRef,
    /// The parent's execution.
    #[serde(default)]
    pub execution: String,
    /// The state machine.
    #[serde(default)]
    pub machine: String,
}

impl MoveKey {
    /// Makes the key of a move that is in the ledger.
    pub fn new(release: ReleaseId, wave: u32, ordinal: u32) -> Self {
        let which = MoveRef::Ordinal(ordinal);
        MoveKey { release, wave, which, execution: String::new(), machine: String::new() }
    }

    /// Tells whether the step of another move comes at the same moment: they begin wave by wave, the first one first.
    pub fn is_among_others(&self) -> bool {
        self.order().1 > 0
    }

    /// Returns its place in the release: by wave, then by ordinal.
    pub fn order(&self) -> (u32, u32) {
        match self.which {
            MoveRef::Ordinal(n) => (self.wave, n),
            MoveRef::Inline(_) => (self.wave, 0),
        }
    }
}

/// Which part of a wave its moves go through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// Their services are updated.
    #[default]
    Move,
    /// Those that wait for each other take production traffic.
    Shift,
}

/// A move by its ordinal, or given whole, as sample events do.
///
/// A move given whole reads and writes no ledger, and holds no lease.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum MoveRef {
    /// The ordinal within the wave.
    Ordinal(u32),
    /// The row itself.
    Inline(Box<MoveRow>),
}

impl<'de> Deserialize<'de> for MoveRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let read = match value {
            Value::Object(_) => document::read_strictly("the move", value).map(MoveRef::Inline),
            other => document::read("the move's ordinal", other).map(MoveRef::Ordinal),
        };
        read.map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn sample() -> Value {
        serde_json::from_str(include_str!("../../../events/deploy/register.json")).unwrap()
    }

    #[test]
    fn a_move_in_a_sample_is_read_strictly() {
        let mut sample = sample();
        assert!(serde_json::from_value::<MoveKey>(sample.clone()).is_ok());
        sample["move"]["contaners"] = json!([]);
        let refused = serde_json::from_value::<MoveKey>(sample).unwrap_err().to_string();
        assert!(refused.starts_with("the move at \"contaners\": unknown field `contaners`"), "{refused}");
        assert!(refused.ends_with("did you mean `containers`?"), "{refused}");
    }

    #[test]
    fn a_row_of_a_later_version_is_read() {
        let mut row = sample()["move"].take();
        row["newInALaterVersion"] = json!({"a": 1});
        row["restore"]["newInALaterVersion"] = json!(1);
        assert!(serde_json::from_value::<MoveRow>(row).is_ok());
    }
}
