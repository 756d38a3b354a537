//! Plays a history that a seed has drawn: pushes, requests, people and faults, all at once, and looks at what the account
//! says while it goes and when everything has come to rest.

mod actors;
mod draw;
pub mod oracle;
pub mod world;

use std::collections::BTreeMap;

use pipeline::Fault;
use states::Random;

use crate::fake::Fake;
use crate::machine::faults::{Faults, Rates};
use crate::machine::{Action, Machine};
use oracle::Oracle;

/// The moment at which every history begins.
const START_MS: i64 = 1_795_000_000_000;

/// How large a history is.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// How many things somebody does.
    pub actions: u64,
    /// How often something goes wrong.
    pub rates: Rates,
}

/// A history that was played.
#[derive(Debug, Default)]
pub struct Played {
    /// What somebody did, in order.
    pub story: Vec<String>,
    /// What was promised and does not hold.
    pub broken: Vec<String>,
    /// How each release was told to have ended.
    pub told: Vec<String>,
    /// How many calls to AWS were made.
    pub calls: u64,
    /// How many of them had faults.
    pub faults: u64,
    /// How many things were looked at.
    pub checks: u64,
    /// How many executions ran.
    pub executions: usize,
    /// How much time passed in it, in milliseconds.
    pub took: i64,
}

/// Plays the history of a seed to its rest.
pub async fn play(seed: u64, size: Size) -> Result<Played, Fault> {
    let mut random = Random::new(seed ^ 0x5EED);
    let fake = Fake::default();
    fake.open().now = START_MS;
    world::build(&fake, &mut random);
    let acts = actors::draw(&mut random, size.actions, START_MS);
    play_acts(fake, seed, size.rates, acts).await
}

/// Plays acts on a world.
pub async fn play_acts(
    fake: Fake,
    seed: u64,
    rates: Rates,
    acts: Vec<(i64, Action)>,
) -> Result<Played, Fault> {
    let calm = acts.iter().map(|(at, _)| *at).max().unwrap_or(START_MS);
    let mut machine = Machine::new(fake.clone())?;
    machine.seed(seed);
    machine.echoes = true;
    machine.faults = Some(Faults::new(seed, rates, calm));
    machine.oracle = Some(Oracle::default());
    let story = acts.iter().map(|(at, act)| format!("{} {act:?}", (at - START_MS) / 1000)).collect();
    for (at, act) in acts {
        machine.plan(at, act);
    }
    machine.play().await;
    let executions = machine.statuses();
    let faults = machine.faults.as_ref().map_or(0, |faults| faults.happened);
    let mut oracle = machine.oracle.take().unwrap_or_default();
    let mut account = fake.open();
    oracle.at_rest(&mut account, &executions, calm, faults > 0);
    let calls = account.calls.values().sum();
    let told: BTreeMap<&String, &String> =
        oracle.told.iter().map(|(release, outcome)| (release, outcome)).collect();
    let told = told.into_iter().map(|(release, outcome)| format!("{release} {outcome}")).collect();
    let (took, checks) = (account.now - START_MS, oracle.checks);
    Ok(Played {
        story,
        told,
        calls,
        faults,
        checks,
        executions: executions.len(),
        took,
        broken: oracle.broken,
    })
}
