//! All live tests of a service.

use std::collections::BTreeMap;

use pipeline::Fault;
use pipeline::ids::PackHash;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::check::Check;
use crate::kind::Kind;
use crate::merge::{Source, merge};
use crate::phase::Phase;
use crate::secret::SecretRef;
use crate::span::Span;
use crate::texts::{self, Given};
use crate::values::Values;

/// How many runs of a service are under way at once.
const RUNS_AT_ONCE: u64 = 5;

/// What a run takes beside its own time: to be placed, to pull its image, to be seen to have ended.
const AROUND_A_RUN: u64 = 120;

/// The longest that all runs of a pack may take.
const LONGEST_RUNS: Span = Span::seconds(4 * 60 * 60);

/// All live tests of a service.
#[derive(Debug, Clone)]
pub struct Pack {
    /// What its checks can name.
    pub variables: BTreeMap<String, Value>,
    /// What they can name without showing it.
    pub secrets: BTreeMap<String, SecretRef>,
    /// The tests, in the order in which they are reported.
    pub checks: Vec<Check>,
    pub(crate) text: String,
}

/// The text of a pack that asks nothing.
pub const NOTHING: &str = "{}";

/// Returns the hash of a pack as it is written: the key under which a release keeps it.
pub fn hash(text: &str) -> PackHash {
    PackHash::of(Sha256::digest(text).into())
}

impl Pack {
    /// Reads a pack; `what` names its text in a refusal.
    pub fn read(what: &str, text: &str) -> Result<Self, Fault> {
        merge(&[Source { what, text }])
    }

    /// Returns its one canonical text, which is kept and whose [`hash`] names it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the checks that are asked in a phase; alarms are watched by the release itself.
    pub fn of(&self, phase: Phase) -> impl Iterator<Item = &Check> {
        let asked = |check: &&Check| !matches!(check.kind, Kind::Alarms(_));
        self.checks.iter().filter(asked).filter(move |check| check.on.contains(&phase))
    }

    /// Returns the names of the alarms that watch the move, too.
    pub fn alarms(&self) -> impl Iterator<Item = &String> {
        self.checks.iter().flat_map(|check| match &check.kind {
            Kind::Alarms(alarms) => alarms.names.as_slice(),
            _ => &[],
        })
    }

    /// Keeps what is asked over HTTP in one phase: nothing is started for it, and nothing is watched after it.
    #[must_use]
    pub fn requests_in(mut self, phase: Phase) -> Self {
        self.checks.retain(|check| check.on.contains(&phase) && !check.kind.requests().is_empty());
        self.checks.iter_mut().for_each(|check| check.on = vec![phase]);
        self
    }

    /// Asks in the dark, too, what is asked live of new tasks alone, unless it says itself when it is asked.
    #[must_use]
    pub fn for_a_gate(mut self) -> Self {
        let both =
            |check: &&mut Check| !check.says_on && check.on.contains(&Phase::Live) && check.is_of_new_tasks();
        self.checks.iter_mut().filter(both).for_each(|check| check.on = vec![Phase::Dark, Phase::Live]);
        self
    }

    /// Keeps the checks of these names.
    #[must_use]
    pub fn named(mut self, names: &[String]) -> Self {
        self.checks.retain(|check| names.contains(&check.name));
        self
    }

    /// Returns the values of its own variables.
    pub fn values(&self) -> Values {
        let variables = self.variables.iter();
        variables.fold(Values::default(), |values, (name, value)| values.with(name, value.clone()))
    }

    /// Returns how long the runs of a phase may take together.
    pub fn run_budget(&self, phase: Phase) -> Span {
        let runs: Vec<u64> = self.of(phase).filter_map(longest).collect();
        let rounds = u64::try_from(runs.len()).unwrap_or(u64::MAX).div_ceil(RUNS_AT_ONCE);
        Span::seconds(runs.into_iter().max().unwrap_or_default().saturating_mul(rounds))
    }

    /// Returns how long its checks are watched while the release bakes.
    pub fn watched(&self) -> Span {
        self.of(Phase::Bake).map(|check| check.watched).max().unwrap_or(Span::seconds(0))
    }

    /// Returns how long it may take until all that is decided, what cannot be measured included.
    pub fn watch_budget(&self) -> Span {
        let patience = self.of(Phase::Bake).map(|check| check.patience.0).max().unwrap_or_default();
        Span(self.watched().0.saturating_add(patience))
    }

    /// Refuses what its checks cannot know, or takes too long.
    pub(crate) fn validated(self, what: &str) -> Result<Self, Fault> {
        let given = Given { variables: &self.variables, secrets: &self.secrets };
        for check in &self.checks {
            texts::mistake(check, given).map_err(|mistake| mistake.fault(&check.place, &check.name))?;
        }
        let total: Span = Span(Phase::ALL.iter().map(|phase| self.run_budget(*phase).0).sum());
        if total > LONGEST_RUNS {
            return Err(Fault::InvalidInput(format!(
                "{what}: its runs may take {total}: expected at most {LONGEST_RUNS} for attempts times timeout and 2m"
            )));
        }
        Ok(self)
    }
}

/// Returns how many seconds a run may take with all its attempts.
fn longest(check: &Check) -> Option<u64> {
    let once = check.kind.timeout()?.0.as_secs().saturating_add(AROUND_A_RUN);
    Some(once.saturating_mul(u64::from(check.attempts)))
}

#[cfg(test)]
mod tests;
