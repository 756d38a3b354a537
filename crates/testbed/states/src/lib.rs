//! Reads a state machine in Amazon States Language, and plays it without a clock and without AWS.

pub mod jsonata;
