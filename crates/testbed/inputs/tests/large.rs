//! Every body on large and on deep texts, with its memory and its time measured.
//!
//! Alone in its process, since memory is counted for the whole of it.

use std::time::{Duration, Instant};

use inputs::{BODIES, World, large};
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// How large a text is, that of a row, of which DynamoDB takes no more, and how much memory one may take.
const SIZE: usize = 1 << 20;
const ROW: usize = 360 << 10;
const MOST_MEMORY: usize = 160 << 20;

/// How long one may take: far more than it does, and far less than a function has.
const MOST_TIME: Duration = Duration::from_secs(10);

#[test]
fn a_large_or_deep_text_takes_bounded_memory_and_time() {
    let world = World::new().unwrap();
    for (place, body) in BODIES.into_iter().enumerate() {
        let sample = (body.samples)().into_iter().max_by_key(String::len).unwrap_or_default();
        let texts = large::texts(&sample, if body.name == "row" { ROW } else { SIZE });
        // Every second one, the others with the next body: readers have their reader of JSON in common.
        for (what, text) in texts.into_iter().skip(place % 2).step_by(2) {
            MEMORY.reset_peak_usage();
            let (before, start) = (MEMORY.current_usage(), Instant::now());
            (body.play)(&world, &text);
            let (taken, took) = (MEMORY.peak_usage().saturating_sub(before), start.elapsed());
            assert!(taken <= MOST_MEMORY, "{}, {what}: {} MiB", body.name, taken >> 20);
            assert!(took <= MOST_TIME, "{}, {what}: {took:?}", body.name);
        }
    }
}
