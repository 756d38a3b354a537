//! Hostile input: everything that reads a text from outside, and what is promised of it whatever the text says.
//!
//! A [`Body`] plays one text through one reader, by the door that the functions use, and asserts.  [`draw`] makes the
//! texts out of a few bytes, which a seed draws; a fuzzer that chooses the bytes itself would need nothing more.
//!
//! Left out: the answers of AWS, which the SDK reads; the answers to live tests on the wire, which have tests of their
//! own against real sockets; the variables of the functions, which the template writes.

#![expect(clippy::indexing_slicing, reason = "JSON is read by key here, and what is absent is null")]
#![expect(clippy::panic, reason = "this is how a body says that a promise does not hold")]

pub mod bodies;
pub mod draw;
pub mod large;
mod promises;
mod samples;
mod world;

pub use bodies::{BODIES, Body, Outcome};
pub use world::World;
