//! What the ledger keeps of the live tests in one part of a move: for the next poll, and for people.

use std::collections::{BTreeMap, BTreeSet};

use pack::judge::{self, Judgement};
use pack::standing::{Outcome, Standing};
use pack::{Pack, Phase};
use pipeline::clock::Timestamp;
use pipeline::text::line;
use serde::{Deserialize, Serialize};

use crate::round::Rounds;

/// How many addresses are remembered to have answered.
const MOST_ANSWERED: usize = 64;

/// How much is kept of what one round has shown.
const LONGEST_SAID: usize = 800;

/// `release#<id>` / `tests#<wave>#<n>#<part>`: what came of the live tests so far.
///
/// health-test alone writes it, each poll once: one that comes again finds what it has kept, and asks nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TestsRow {
    /// How far each check is.
    #[serde(flatten)]
    pub standing: Standing,
    /// The gate at which it is asked; none if it is asked at none, or whatever gate it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<String>,
    /// Which addresses, each with its port, were connected to: the way there is open.
    #[serde(default)]
    pub answered: BTreeSet<String>,
    /// What each check has shown, by its name.
    #[serde(default)]
    pub transcript: BTreeMap<String, Transcript>,
}

/// What a check has shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Transcript {
    /// The first round that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_failure: Option<Shown>,
    /// The last round.
    pub last: Shown,
}

/// What one round of a check has shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shown {
    /// When it was asked.
    pub phase: Phase,
    /// The time of the poll.
    pub at: Timestamp,
    /// What it says.
    pub outcome: Outcome,
    /// What was asked, expected and got.
    pub text: String,
}

impl TestsRow {
    /// Begins a phase.
    pub fn begun(phase: Phase, since: Timestamp, deadline: Timestamp) -> Self {
        let standing = Standing::new(phase, since, deadline);
        TestsRow { standing, gate: None, answered: BTreeSet::new(), transcript: BTreeMap::new() }
    }

    /// Remembers that an address was connected to.
    pub fn remember(&mut self, address: String) {
        if self.answered.len() < MOST_ANSWERED {
            self.answered.insert(address);
        }
    }

    /// Counts what came of one poll, and keeps what it has shown.
    pub fn count(&mut self, pack: &Pack, poll: u32, rounds: Rounds, now: Timestamp) {
        for (check, (outcome, text)) in &rounds {
            self.show(check, *outcome, text, now);
        }
        let rounds = rounds.into_iter().map(|(check, (outcome, _))| (check, outcome)).collect();
        self.standing = self.standing.after(pack, poll, &rounds, now);
    }

    /// Keeps what a round of a check has shown.
    fn show(&mut self, check: &str, outcome: Outcome, text: &str, at: Timestamp) {
        let last = Shown { phase: self.standing.phase, at, outcome, text: line(text, LONGEST_SAID) };
        let before = self.transcript.remove(check).and_then(|before| before.first_failure);
        let first_failure = before.or_else(|| (outcome == Outcome::Failed).then(|| last.clone()));
        self.transcript.insert(check.to_owned(), Transcript { first_failure, last });
    }

    /// Says what it means; what is proven live is watched from then on, if a check wants that.
    pub fn judge(&mut self, pack: &Pack, now: Timestamp) -> Judgement {
        let judgement = judge::judge(pack, &self.standing, now);
        if judgement != Judgement::Healthy
            || self.standing.phase != Phase::Live
            || pack.of(Phase::Bake).next().is_none()
        {
            return judgement;
        }
        let longest = pack.watch_budget().whole_seconds();
        let look = self.standing.look;
        self.standing = Standing { look, ..Standing::new(Phase::Bake, now, now.plus_seconds(longest)) };
        judge::judge(pack, &self.standing, now)
    }
}
