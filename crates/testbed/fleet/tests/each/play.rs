//! Plays a run once, and says what it came to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fleet::machine::planned::Plan;
use fleet::machine::{Action, Machine};
use fleet::simulation::oracle::Executions;

use crate::account;

/// What a run came to.
#[derive(Debug, Default)]
pub struct Played {
    /// The calls to AWS: the state that a function worked for, and the operation.
    pub requests: Vec<(Arc<str>, String)>,
    /// The calls of functions, by their states.
    pub invocations: Vec<Arc<str>>,
    /// How the executions ended, what people were told, and what the account holds.
    pub left: Vec<String>,
    /// What was promised and does not hold.
    pub broken: Vec<String>,
    /// The last state of each execution.
    pub ends: BTreeMap<String, String>,
}

impl Played {
    /// Returns the last state of the release.
    pub fn end(&self) -> &str {
        self.ends.get("r2").map_or("", String::as_str)
    }

    /// Says in what another play came to something else.
    pub fn differences(&self, other: &Played) -> Vec<String> {
        let lines = |played: &Played| -> BTreeSet<String> { played.left.iter().cloned().collect() };
        let (ours, theirs) = (lines(self), lines(other));
        let missing = ours.difference(&theirs).map(|line| format!("- {line}"));
        missing.chain(theirs.difference(&ours).map(|line| format!("+ {line}"))).collect()
    }
}

/// Plays it; `earlier` are the executions before it.
pub async fn play(
    mut machine: Machine,
    earlier: Executions,
    acts: &[(i64, Action)],
    plan: Option<Plan>,
) -> Played {
    let disturbed = plan.is_some();
    machine.planned.plan = plan;
    for (at, act) in acts {
        machine.plan(*at, act.clone());
    }
    machine.play().await;
    let calm = acts.iter().map(|(at, _)| *at).max().unwrap_or_default();
    let mut oracle = machine.oracle.take().unwrap();
    let statuses: Executions = earlier.into_iter().chain(machine.statuses()).collect();
    let fake = machine.fake.clone();
    let mut account = fake.open();
    oracle.at_rest(&mut account, &statuses, calm, disturbed);
    let mut left: Vec<String> =
        statuses.iter().map(|(name, (status, last))| format!("{name} {status} in {last}")).collect();
    left.extend(oracle.told.iter().map(|(release, outcome)| format!("told: {release} {outcome}")));
    left.extend(account::lines(&mut account));
    Played {
        requests: machine.planned.requests,
        invocations: machine.planned.invocations,
        left,
        broken: oracle.broken,
        ends: statuses.into_iter().map(|(name, (_, last))| (name, last)).collect(),
    }
}
