//! What one poll hands to the next.

use pipeline::clock::Timestamp;
use serde::{Deserialize, Serialize};

use crate::tests_row::TestsRow;

/// What one poll hands to the next; far below what a state may hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PollState {
    /// How many there were.
    pub count: u32,
    /// Whether our deployment was listed already.
    pub seen: bool,
    /// Until when live tests watch it, once it is proven.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Whether the tests before the rollout, and all secrets, could be read.
    #[serde(skip_serializing_if = "is_not")]
    pub ready: bool,
    /// When its rollout was last proven: what is not so any more has as long again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proven: Option<Timestamp>,
    /// Whether something was run beside the service.
    #[serde(skip_serializing_if = "is_not")]
    pub ran: bool,
    /// What came of the live tests, where the move is given whole and the ledger keeps nothing of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tests: Option<TestsRow>,
}

impl PollState {
    /// Returns the number of this poll.
    pub fn number(&self) -> u32 {
        self.count.saturating_add(1)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives it so")]
fn is_not(value: &bool) -> bool {
    !value
}
