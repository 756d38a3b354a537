//! Plays histories that seeds draw, and says what of the pipeline's promises does not hold.
//!
//! `FROM` is the first seed, `SEEDS` how many are played, and `ACTIONS` how much happens in each.

use std::env;
use std::process::ExitCode;

use fleet::machine::faults::Rates;
use fleet::simulation::{Size, play};

fn number(name: &str, otherwise: u64) -> u64 {
    env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> ExitCode {
    let (from, seeds) = (number("FROM", 1), number("SEEDS", 10));
    let rates = Rates { requests: number("REQUESTS", 5), invocations: number("INVOCATIONS", 10) };
    let size = Size { actions: number("ACTIONS", 20), rates };
    let (mut calls, mut failed) = (0, 0);
    for seed in from..from + seeds {
        match play(seed, size).await {
            Ok(played) => {
                calls += played.calls;
                println!("seed {seed}: {} calls to AWS, {}", played.calls, played.told.join(", "));
                if !played.broken.is_empty() {
                    failed += 1;
                    played.story.iter().for_each(|line| println!("  {line}"));
                    played.broken.iter().for_each(|what| println!("BROKEN  {what}"));
                }
            }
            Err(fault) => {
                eprintln!("simulate: {fault}");
                return ExitCode::FAILURE;
            }
        }
    }
    println!("{seeds} histories, {calls} calls to AWS, {failed} with a promise that does not hold");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
