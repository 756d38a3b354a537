//! What one poll hands to the next.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// How many addresses are remembered to have answered.
const MOST_ANSWERED: usize = 64;

/// What one poll hands to the next; far below what a state may hold, since a pack is bounded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PollState {
    /// How many there were.
    pub count: u32,
    /// Whether our deployment was listed already.
    pub seen: bool,
    /// How often each check failed.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub failed: BTreeMap<String, u32>,
    /// Which addresses, each with its port, were connected to: the way there is open.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub answered: BTreeSet<String>,
}

impl PollState {
    /// Remembers that an address was connected to.
    pub fn remember(&mut self, address: String) {
        if self.answered.len() < MOST_ANSWERED {
            self.answered.insert(address);
        }
    }
}
