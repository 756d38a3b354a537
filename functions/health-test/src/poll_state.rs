//! What one poll hands to the next.

use pipeline::clock::Timestamp;
use pipeline::rows::Gate;
use pipeline::service_deployment::ServiceDeployment;
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
    /// The service deployment that is watched, by its ARN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shift: Option<String>,
    /// Since when all production traffic goes to the new tasks, as far as a poll has seen it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub full: Option<Timestamp>,
    /// When its gate waited for the drain alone, all else being proven: it has its time from there on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drains: Option<Timestamp>,
    /// How many polls there were when its last gate was judged: the pauses grow again from there.
    #[serde(rename = "atGate", skip_serializing_if = "is_zero")]
    pub at_gate: u32,
    /// What came of the live tests, where the move is given whole and the ledger keeps nothing of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tests: Option<TestsRow>,
}

impl PollState {
    /// Returns the number of this poll.
    pub fn number(&self) -> u32 {
        self.count.saturating_add(1)
    }

    /// Goes on from the poll that judged the last gate, where no poll has handed anything on.
    pub fn go_on(&mut self, gate: Option<&Gate>) {
        if let (0, Some(gate)) = (self.count, gate) {
            (self.count, self.at_gate) = (gate.poll, gate.poll);
        }
    }

    /// Remembers the service deployment that is watched, and since when it has all production traffic.
    pub fn see(&mut self, shown: Option<&ServiceDeployment>, now: Timestamp) {
        let Some(shown) = shown else { return };
        self.shift = Some(shown.arn.clone());
        self.full = self.full.or(Some(now)).filter(|_| shown.has_all_traffic());
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives it so")]
fn is_zero(value: &u32) -> bool {
    *value == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives it so")]
fn is_not(value: &bool) -> bool {
    !value
}
