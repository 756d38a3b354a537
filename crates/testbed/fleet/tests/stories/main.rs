//! Histories that are written down: two releases, a person or a repeat in the middle, and what must not come of it.
//!
//! Each is played with the real functions in virtual time, and the oracle of the simulation looks on.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "this is how a test fails")]

mod admission;
mod documents;
mod guard;
mod harness;
mod orders;
mod progress;
mod runs;
mod stops;
mod sweep;
mod tags;
mod takeovers;
mod together;
mod traffic;
mod upgrade;
mod ways_back;
