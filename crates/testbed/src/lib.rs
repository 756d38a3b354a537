//! Holds what tests and the demo need and nothing deploys.

pub mod contract;
pub mod image;
pub mod moves;
pub mod recorded;
pub mod shift;
