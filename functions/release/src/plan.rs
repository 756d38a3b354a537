//! What a release does, decided from what was read.  Pure: nothing here waits, reads or writes.

pub mod abort;
pub mod alarms;
pub mod approval;
pub mod candidates;
pub mod conclusion;
pub mod decision;
pub mod draft;
pub mod eta;
pub mod findings;
pub mod freeze;
pub mod gate_time;
pub mod gates;
pub mod guard;
pub mod history;
pub mod image_check;
pub mod leases;
pub mod lifecycle;
pub mod measures;
pub mod packs;
pub mod preview;
pub mod promotion;
pub mod refused;
pub mod restore;
pub mod settings;
pub mod spec;
pub mod sweep;
pub mod together;
pub mod traffic;
pub mod verdict;
pub mod waves;
pub mod words;

#[cfg(test)]
pub(crate) mod tests;

pub use candidates::Candidate;
pub use draft::{Admission, PlanDraft};
pub use spec::{ImageSelection, PlanContext, ReleaseSpec};
