//! Small releases in which anything may go wrong, and what has to hold whatever does.
//!
//! `PROPTEST_CASES` and `PROPTEST_RNG_SEED` try more, and others.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "this is how a test fails")]

mod hold;
mod play;
mod scenario;

use std::env;

use proptest::test_runner::{Config, RngSeed, TestRunner};

use scenario::{Asked, Move, Scenario, Trouble};

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

/// Plays scenarios, and checks after each that everything holds.
fn check(asked: Asked, seed: u64) {
    let mut config = Config { failure_persistence: None, ..Config::default() };
    if env::var_os("PROPTEST_CASES").is_none() {
        config.cases = 30;
    }
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(seed);
    }
    let runtime = runtime();
    let played = TestRunner::new(config).run(&scenario::releases(), |scenario| {
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

/// Chance draws these too seldom: a pipeline that does nothing would keep all that is promised of the others.
#[test]
fn what_goes_well_is_deployed_and_what_fails_last_brings_all_back() {
    for (last, outcome) in
        [(Trouble::None, "Deployed"), (Trouble::GivenUp, "RolledBack"), (Trouble::SentBack, "RolledBack")]
    {
        let one = |n: usize, forward| Move {
            n,
            repository: n / 2,
            wave: n / 2,
            forward_only: false,
            forward,
            back: Trouble::None,
        };
        let moves = vec![one(0, Trouble::None), one(1, Trouble::None), one(2, Trouble::None), one(3, last)];
        let scenario = Scenario { seed: 1, on_failure: "undo-all", concurrency: 2, twice: None, moves };
        for asked in [Asked::Images, Asked::Previous] {
            let ended = runtime().block_on(play::play(asked, &scenario));
            hold::everything(&scenario, &ended).unwrap();
            assert_eq!(ended.run.end, outcome, "{last:?}: {}", ended.run.because);
        }
    }
}
