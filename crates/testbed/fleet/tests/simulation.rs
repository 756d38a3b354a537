//! Histories that seeds draw, with faults and without: what was promised holds in all of them.

#![expect(clippy::unwrap_used, reason = "this is how a test fails")]

use fleet::machine::faults::Rates;
use fleet::simulation::{History, Size};

fn check(seeds: std::ops::Range<u64>, rates: Rates) {
    for seed in seeds {
        let played = History::draw(seed, Size { actions: 16, rates }).play().unwrap();
        let story = || played.story.join("\n");
        assert!(played.broken.is_empty(), "seed {seed}: {:#?}\n{}", played.broken, story());
        assert!(played.told > 0, "seed {seed}: nobody was told anything\n{}", story());
    }
}

#[test]
fn what_is_promised_holds_while_people_and_builds_do_what_they_like() {
    check(1..4, Rates::default());
}

#[test]
fn what_is_promised_holds_while_calls_fail_by_chance() {
    // In the second of them a stopped release goes on when another one has its services.
    check(17..20, Rates { requests: 4, invocations: 8 });
}
