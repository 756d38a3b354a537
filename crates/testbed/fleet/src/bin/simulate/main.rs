//! Plays histories that seeds draw, and says what of the pipeline's promises does not hold.
//!
//! `FROM` is the first seed and `SEEDS` how many are played, or `YEARS` how much time is to pass in all of them;
//! `ACTIONS` is how much somebody does in each, and `REQUESTS` and `INVOCATIONS` are how many of a thousand calls to AWS
//! and of functions go wrong.

use std::env;
use std::process::ExitCode;
use std::time::Instant;

use fleet::machine::faults::Rates;
use fleet::simulation::{History, Played, Size};
use pipeline::Fault;

const YEAR_MS: i64 = 365 * 24 * 3_600_000;

/// What was played in all.
#[derive(Default)]
struct Total {
    histories: u64,
    executions: usize,
    told: usize,
    calls: u64,
    faults: u64,
    checks: u64,
    took: i64,
    broken: Vec<u64>,
}

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().and_then(|text| text.parse().ok())
}

fn main() -> ExitCode {
    let began = Instant::now();
    let rates =
        Rates { requests: number("REQUESTS").unwrap_or(5), invocations: number("INVOCATIONS").unwrap_or(10) };
    let size = Size { actions: number("ACTIONS").unwrap_or(20), rates };
    let years = number("YEARS").and_then(|years| i64::try_from(years).ok());
    let seeds = number("SEEDS").unwrap_or(if years.is_some() { u64::MAX } else { 10 });
    let mut total = Total::default();
    for seed in (number("FROM").unwrap_or(1)..).take(usize::try_from(seeds).unwrap_or(usize::MAX)) {
        if let Err(fault) = one(&History::draw(seed, size), &mut total) {
            eprintln!("simulate: {fault}");
            return ExitCode::FAILURE;
        }
        if years.is_some_and(|years| total.took >= years * YEAR_MS) {
            break;
        }
    }
    total.print(began.elapsed().as_secs_f64());
    if total.broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn one(history: &History, total: &mut Total) -> Result<(), Fault> {
    let played = history.play()?;
    let Played { executions, told, calls, faults, checks, .. } = played;
    println!(
        "seed {}: {executions} executions, {told} ends told, {calls} calls, {faults} faults, {checks} checks",
        history.seed
    );
    total.add(&played);
    if !played.broken.is_empty() {
        total.broken.push(history.seed);
        played.broken.iter().for_each(|what| println!("  BROKEN  {what}"));
        let shortest = history.shortest()?;
        let story = shortest.play()?;
        let plain = if shortest.rates.requests == 0 { ", without faults" } else { "" };
        println!("  the shortest history that was found{plain}:");
        story.story.iter().for_each(|line| println!("  {line}"));
        story.broken.iter().for_each(|what| println!("  BROKEN  {what}"));
        println!("  again: make simulate FROM={} SEEDS=1", history.seed);
    }
    Ok(())
}

impl Total {
    fn add(&mut self, played: &Played) {
        self.histories += 1;
        self.executions += played.executions;
        self.told += played.told;
        self.calls += played.calls;
        self.faults += played.faults;
        self.checks += played.checks;
        self.took += played.took;
    }

    fn print(&self, seconds: f64) {
        let Total { histories, executions, told, calls, faults, checks, took, broken } = self;
        println!(
            "{histories} histories of {:.1} days in all: {executions} executions, {told} ends told, {calls} calls to \
             AWS, {faults} faults, {checks} checks",
            *took as f64 / 86_400_000.0
        );
        println!("{:.0} calls a second; broken: {broken:?}", *calls as f64 / seconds);
    }
}
