//! Plays whole releases on an AWS in memory, in virtual time.
//!
//! The functions are the real ones, with their real adapters; only the wire ends in [`fake`].  [`machine`] plays the
//! states of `statemachine/release.asl.json`.  Nothing here waits, and nothing here is deployed.

#![expect(clippy::indexing_slicing, reason = "JSON is read by key here, and what is absent is null")]

pub mod cluster;
pub mod fake;
pub mod functions;
pub mod lower_bound;
pub mod machine;
pub mod simulation;
pub mod web;
