//! Plays a history that a seed has drawn: pushes, requests, people and faults, all at once, and looks at what the account
//! says while it goes and when everything has come to rest.

mod actors;
mod draw;
mod history;
pub mod oracle;
mod trains;
pub mod world;

use pipeline::Fault;

use crate::fake::{Fake, Published};
use crate::machine::faults::{Faults, Rates};
use crate::machine::{Action, Hand, Machine};
pub use history::History;
use oracle::Oracle;

/// The moment at which every history begins.
const START_MS: i64 = 1_795_000_000_000;

/// How long after the last act a history is left as it is, if it has not come to rest by then.
const LONGEST_MS: i64 = 30 * 3_600_000;

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
    /// What somebody did, and what people were told, in order.
    pub story: Vec<String>,
    /// What was promised and does not hold.
    pub broken: Vec<String>,
    /// How many ends of releases people were told.
    pub told: usize,
    /// How many calls to AWS were made.
    pub calls: u64,
    /// How much went wrong with calls.
    pub faults: u64,
    /// How many things were looked at.
    pub checks: u64,
    /// How many executions ran.
    pub executions: usize,
    /// How much time passed in it, in milliseconds.
    pub took: i64,
}

async fn play(fake: Fake, history: &History) -> Result<Played, Fault> {
    let History { seed, rates, acts } = history;
    let calm = acts.iter().map(|(at, _)| *at).max().unwrap_or(START_MS);
    let mut machine = Machine::new(fake.clone())?;
    machine.seed(*seed);
    machine.echoes = true;
    machine.faults = Some(Faults::new(*seed, *rates, calm));
    machine.oracle = Some(Oracle::default());
    machine.until = Some(calm + LONGEST_MS);
    let slow = acts.iter().any(|(_, act)| matches!(act, Action::Hand(Hand::Slow(..)) | Action::Lose(..)));
    for (at, act) in acts.iter().cloned() {
        machine.plan(at, act);
    }
    machine.play().await;
    let executions = machine.statuses();
    let faults = machine.faults.as_ref().map_or(0, |faults| faults.happened);
    let mut oracle = machine.oracle.take().unwrap_or_default();
    let mut account = fake.open();
    oracle.at_rest(&mut account, &executions, calm, slow || faults > 0);
    Ok(Played {
        story: story(history, &account.published),
        told: oracle.told.len(),
        calls: account.calls.values().sum(),
        faults,
        checks: oracle.checks,
        executions: executions.len(),
        took: account.now - START_MS,
        broken: oracle.broken,
    })
}

/// Tells what was done and what people were told, by the seconds since the beginning.
fn story(history: &History, published: &[Published]) -> Vec<String> {
    let acts = history.acts.iter().map(|(at, act)| (*at, act.to_string()));
    let told =
        published.iter().map(|one| (one.at, format!("  people are told: {} {}", one.release, one.outcome)));
    let mut lines: Vec<(i64, String)> = acts.chain(told).collect();
    lines.sort_by_key(|(at, _)| *at);
    lines.into_iter().map(|(at, line)| format!("{:>7} s  {line}", (at - START_MS) / 1000)).collect()
}
