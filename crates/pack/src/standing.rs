//! What came of the checks of a phase so far: what one look writes down for the next.

use std::collections::BTreeMap;

use pipeline::clock::Timestamp;
use serde::{Deserialize, Serialize};

use crate::judge::{self, State};
use crate::pack::Pack;
use crate::phase::Phase;

/// What one round of a check says, over all its addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Every expectation holds.
    Passed,
    /// Nothing failed, and something could not be measured.
    Unmeasured,
    /// Something was seen to fail.
    Failed,
}

/// What came of the checks of a phase so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The phase.
    pub phase: Phase,
    /// When it began.
    pub since: Timestamp,
    /// When waiting ends.
    pub deadline: Timestamp,
    /// The last look that is counted; 0 before the first.
    #[serde(default)]
    pub look: u32,
    /// The checks that were asked, by name.
    #[serde(default)]
    pub checks: BTreeMap<String, Asked>,
}

/// What came of one check so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    /// How many rounds passed.
    pub passed: u32,
    /// How many rounds failed.
    pub failed: u32,
    /// How many of the last rounds measured nothing.
    pub unmeasured: u32,
    /// When the first of these was.
    #[serde(default)]
    pub unmeasured_since: Option<Timestamp>,
    /// What the last round said.
    pub last: Outcome,
    /// When that was.
    pub at: Timestamp,
}

impl Outcome {
    /// Returns what a round says, of what it says at each address; a round without any measures nothing.
    pub fn over(addresses: impl IntoIterator<Item = Outcome>) -> Self {
        addresses.into_iter().max().unwrap_or(Outcome::Unmeasured)
    }
}

impl Standing {
    /// Begins a phase.
    pub fn new(phase: Phase, since: Timestamp, deadline: Timestamp) -> Self {
        Standing { phase, since, deadline, look: 0, checks: BTreeMap::new() }
    }

    /// Counts what a look has asked.  A look that is counted already changes nothing.
    #[must_use]
    pub fn after(&self, pack: &Pack, look: u32, rounds: &BTreeMap<String, Outcome>, now: Timestamp) -> Self {
        let mut standing = self.clone();
        if look <= self.look {
            return standing;
        }
        standing.look = look;
        for check in pack.of(self.phase) {
            let round = rounds.get(&check.name);
            // What is decided stays so, whatever was asked beyond.
            if let Some(outcome) = round.filter(|_| judge::state(check, self, now) == State::Open) {
                let before = self.checks.get(&check.name).copied();
                standing.checks.insert(check.name.clone(), counted(before, *outcome, now));
            }
        }
        standing
    }
}

/// Counts one round of a check.
fn counted(before: Option<Asked>, last: Outcome, at: Timestamp) -> Asked {
    let none = Asked { passed: 0, failed: 0, unmeasured: 0, unmeasured_since: None, last, at };
    let Asked { passed, failed, unmeasured, unmeasured_since, .. } = before.unwrap_or(none);
    let measured = Asked { passed, failed, ..none };
    match last {
        Outcome::Passed => Asked { passed: passed.saturating_add(1), ..measured },
        Outcome::Failed => Asked { failed: failed.saturating_add(1), ..measured },
        // Nothing was measured, so nothing else changes: neither passes nor failures.
        Outcome::Unmeasured => Asked {
            unmeasured: unmeasured.saturating_add(1),
            unmeasured_since: unmeasured_since.or(Some(at)),
            ..measured
        },
    }
}
