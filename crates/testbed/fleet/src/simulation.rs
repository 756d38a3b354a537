//! Plays a history that a seed has drawn: pushes, requests, people and faults, all at once, and looks at what the account
//! says while it goes and when everything has come to rest.

mod actors;
pub mod oracle;

use pipeline::Fault;

use crate::cluster::{self, Placed};
use crate::fake::Fake;
use crate::functions::Functions;
use crate::machine::Machine;
use crate::machine::faults::{Faults, Rates};
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
}

/// Plays the history of a seed to its rest.
pub async fn play(seed: u64, size: Size) -> Result<Played, Fault> {
    let fake = Fake::default();
    fake.open().now = START_MS;
    let services = [("a", "a"), ("b", "b"), ("c", "c"), ("d", "c")];
    let placed: Vec<Placed> = services
        .iter()
        .map(|(name, image)| Placed { service: (*name).to_owned(), repository: format!("shop/{image}") })
        .collect();
    let mut drawn = actors::draw(seed, size.actions, START_MS, &placed);
    cluster::build(&fake, &placed, &drawn.policy);
    let mut machine = Machine::new(fake.clone(), Functions::new(&fake.config())?)?;
    machine.seed(seed);
    machine.faults = Some(Faults::new(seed, size.rates, drawn.calm));
    machine.oracle = Some(Oracle::default());
    let story = drawn.acts.iter().map(|(at, act)| format!("{} {act:?}", (at - START_MS) / 1000)).collect();
    for (at, act) in drawn.acts.drain(..) {
        machine.plan(at, act);
    }
    machine.play().await;
    let mut oracle = machine.oracle.take().unwrap_or_default();
    let executions = machine.statuses();
    let mut account = fake.open();
    oracle.at_rest(&mut account, &executions, drawn.calm);
    let calls = account.calls.values().sum();
    let told = oracle.told.iter().map(|(release, outcome)| format!("{release} {outcome}")).collect();
    Ok(Played { story, broken: oracle.broken, told, calls })
}
