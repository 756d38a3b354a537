//! Alarms that go red and quiet by chance, heard twice, late and at once, while calls fail: what is told in the end is so.

use pipeline::clock::Timestamp;
use serde_json::Value;

use crate::fixture::Fixture;
use crate::signals::{alarm_at, prod};
use crate::world::at;

/// A sequence that looks like chance, and is the same each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}

/// An event on its way: it comes at a moment, and again if a call fails.
struct Coming {
    at: Timestamp,
    event: Value,
    attempts: u32,
}

async fn played(seed: u64, faults: bool) -> (Fixture, bool) {
    let (fixture, mut chance) = (prod(), Chance(seed));
    let mut coming = Vec::new();
    let (mut time, mut is_red) = (at("10:00:00"), false);
    for _ in 0..2 + chance.below(10) {
        is_red = !is_red;
        let event = alarm_at(if is_red { "ALARM" } else { "OK" }, time);
        for _ in 0..1 + chance.below(2) {
            let late = [0, 1, 30, 200][chance.below(4) as usize];
            coming.push(Coming { at: time.plus_seconds(late), event: event.clone(), attempts: 0 });
        }
        time = time.plus_seconds([1, 20, 100, 600, 3000][chance.below(5) as usize]);
    }
    while !coming.is_empty() {
        coming.sort_by_key(|one| one.at);
        let now = coming[0].at;
        fixture.until(now).await;
        let (due, rest): (Vec<_>, Vec<_>) = coming.into_iter().partition(|one| one.at <= now);
        coming = rest;
        // What fails three times is kept in the queue, and heard by nobody here.
        let may_fail = faults && due.iter().all(|one| one.attempts < 2);
        fixture.world.lost.set(if may_fail { chance.below(3) as u32 } else { 0 });
        // Those of one moment are heard at once, each by a call of its own.
        let heard = futures_util::future::join_all(due.iter().map(|one| fixture.hear(&one.event, now))).await;
        fixture.world.lost.set(0);
        for (one, answer) in due.into_iter().zip(heard) {
            // Lambda tries twice more, a minute and two minutes later.
            if answer.is_err() && one.attempts < 2 {
                let at = now.plus_seconds(60 * i64::from(one.attempts + 1));
                coming.push(Coming { at, event: one.event, attempts: one.attempts + 1 });
            }
        }
    }
    (fixture, is_red)
}

#[tokio::test]
async fn whatever_comes_in_which_order_what_is_told_last_is_so() {
    let mut seen = [0, 0];
    for seed in 0..600 {
        let (fixture, is_red) = played(seed, seed % 2 == 0).await;
        fixture.until(at("23:00:00")).await;
        let titles = fixture.titles();
        let told_red = titles.last().map(|title| !title.starts_with("RESOLVED "));
        assert!(told_red == Some(true) || !is_red, "seed {seed}: it is red: {titles:#?}");
        assert!(told_red != Some(true) || is_red, "seed {seed}: it is quiet: {titles:#?}");
        // Each beginning has one end, and nothing is told twice.
        let mut open = false;
        for title in titles.iter().filter(|title| !title.starts_with("STILL ")) {
            let ends = title.starts_with("RESOLVED ");
            assert_eq!(open, ends, "seed {seed}: {titles:#?}");
            open = !ends;
        }
        let days = at("10:00:00").plus_seconds(3 * 24 * 3600);
        fixture.until(days).await;
        assert_eq!(fixture.coming_back(), usize::from(is_red), "seed {seed}: nobody comes back for nothing");
        seen[usize::from(is_red)] += 1;
    }
    assert!(seen.iter().all(|times| *times > 100), "{seen:?}");
}
