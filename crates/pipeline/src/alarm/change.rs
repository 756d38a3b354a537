//! What an event of CloudWatch says of an alarm that changed its state.

use serde::Deserialize;
use serde_json::Value;

use crate::text::line;

/// How much of a word is shown.
const LONGEST_WORD: usize = 255;

/// The detail of the event; whatever else it has is none of our business.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StateChange {
    /// The name of the alarm.
    pub alarm_name: String,
    /// The state that it came to.
    pub state: State,
    // Where it stands is not documented in full.
    #[serde(default)]
    mute_detail: Option<Value>,
}

/// The state that an alarm came to.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// Its name.
    pub value: String,
    /// Why.
    #[serde(default)]
    pub reason: String,
    /// When, as CloudWatch writes it.
    #[serde(default)]
    pub timestamp: Option<String>,
    #[serde(default)]
    actions_suppressed_by: Option<String>,
    #[serde(default)]
    mute_detail: Option<Value>,
}

impl StateChange {
    /// Returns why its owner does not want it to be acted on, if that is so.
    pub fn silenced(&self) -> Option<String> {
        let suppressed = self.state.actions_suppressed_by.as_deref();
        let suppressed =
            suppressed.map(|by| format!("its actions are suppressed by {}", line(by, LONGEST_WORD)));
        let muted = self.mute_detail.as_ref().or(self.state.mute_detail.as_ref());
        let muted = muted.filter(|detail| !detail.is_null());
        suppressed.or_else(|| muted.map(|_| "a mute rule holds for it".to_owned()))
    }
}
