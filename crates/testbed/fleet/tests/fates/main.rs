//! Small releases in which anything may go wrong, and what has to hold whatever does.
//!
//! `PROPTEST_CASES` and `PROPTEST_RNG_SEED` try more, and others.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "this is how a test fails")]

mod hold;
mod play;
mod scenario;

use std::env;

use proptest::test_runner::{Config, RngSeed, TestRunner};

use scenario::Asked;

/// Plays scenarios, and checks after each that everything holds.
fn check(asked: Asked, seed: u64) {
    let mut config = Config { failure_persistence: None, ..Config::default() };
    if env::var_os("PROPTEST_CASES").is_none() {
        config.cases = 60;
    }
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(seed);
    }
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let played = TestRunner::new(config).run(&scenario::any(), |scenario| {
        let ended = runtime.block_on(play::play(asked, &scenario));
        hold::everything(&scenario, &ended)
    });
    if let Err(error) = played {
        panic!("{error}");
    }
}

#[test]
fn images_go_to_services_that_nobody_verified_yet() {
    check(Asked::Images, 1);
}

#[test]
fn services_go_back_to_what_was_verified_before() {
    check(Asked::Previous, 2);
}
