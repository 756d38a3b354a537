//! Plays texts that a seed draws through every body, and says which promise does not hold.
//!
//! `N` is how many texts are played in all, `SEED` draws them, and `BODY` names one body to play alone.

use std::env;
use std::io::{IsTerminal, stderr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use inputs::{BODIES, Body, Outcome, World, draw};
use states::Random;

/// How long one text may take.
const MOST_TIME: Duration = Duration::from_secs(5);

/// How many broken promises of a body are shown.
const SHOWN: u64 = 5;

/// What became of the texts of a body.
#[derive(Default)]
struct Tally {
    accepted: u64,
    refused: u64,
    broken: u64,
    took: Duration,
}

fn number(name: &str, otherwise: u64) -> u64 {
    env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

fn main() -> ExitCode {
    let (texts, seed, only) = (number("N", 100_000), number("SEED", 1), env::var("BODY").ok());
    let world = match World::new() {
        Ok(world) => world,
        Err(fault) => {
            eprintln!("fuzz: {fault}");
            return ExitCode::FAILURE;
        }
    };
    let bodies: Vec<&Body> =
        BODIES.iter().filter(|body| only.as_ref().is_none_or(|only| only == body.name)).collect();
    let shares: u64 = bodies.iter().map(|body| body.share).sum();
    println!(
        "{:<18} {:>10} {:>10} {:>10} {:>8} {:>9}",
        "body", "inputs", "accepted", "refused", "broken", "inputs/s"
    );
    let (mut all, mut broken) = (0, 0);
    for body in bodies {
        let wanted = (texts * body.share).div_ceil(shares.max(1));
        let tally = play(&world, body, seed, wanted);
        let Tally { accepted, refused, broken: wrong, took } = tally;
        let rate = wanted as f64 / took.as_secs_f64().max(0.001);
        println!("{:<18} {wanted:>10} {accepted:>10} {refused:>10} {wrong:>8} {rate:>9.0}", body.name);
        (all, broken) = (all + wanted, broken + wrong);
    }
    println!("{all} inputs of seed {seed}, {broken} on which a promise does not hold");
    if all > 0 && broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn play(world: &World, body: &Body, seed: u64, wanted: u64) -> Tally {
    let place = BODIES.iter().position(|other| other.name == body.name).unwrap_or_default();
    let mut random = Random::new(seed ^ ((place as u64) << 48));
    let (samples, start, mut tally) = ((body.samples)(), Instant::now(), Tally::default());
    let mut shown = start;
    for n in 0..wanted {
        let text = draw::text(&samples, &draw::bytes(&mut random));
        let began = Instant::now();
        // What a promise says when it breaks is written by the hook of panics, before it comes here.
        match catch_unwind(AssertUnwindSafe(|| (body.play)(world, &text))) {
            Ok(Outcome::Accepted) => tally.accepted += 1,
            Ok(Outcome::Refused) => tally.refused += 1,
            Err(_) => {
                tally.broken += 1;
                if tally.broken <= SHOWN {
                    eprintln!("BROKEN {}, input {n}: {text}", body.name);
                }
            }
        }
        if began.elapsed() > MOST_TIME {
            tally.broken += 1;
            eprintln!("BROKEN {}, input {n} took {:?}: {text}", body.name, began.elapsed());
        }
        if stderr().is_terminal() && shown.elapsed() > Duration::from_secs(1) {
            shown = Instant::now();
            eprint!("\r{}: {n} of {wanted}\r", body.name);
        }
    }
    tally.took = start.elapsed();
    tally
}
