//! What the ledger says.

use pipeline::rows::{FrozenRow, HeadRow, MoveRow, PlanRow, RepositoryRow};
use serde::Deserialize;

/// What the ledger says about a release, or about the environment that a request has changed.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// The release itself; none if it was never let in.
    #[serde(default)]
    pub head: Option<HeadRow>,
    /// Its moves.
    #[serde(default)]
    pub moves: Vec<MoveRow>,
    /// The repositories whose tags it moved.
    #[serde(default)]
    pub repositories: Vec<RepositoryRow>,
    /// What a person is asked to agree to.
    #[serde(default)]
    pub plan: Vec<PlanRow>,
    /// Whether the environment lets releases in; none if nobody ever froze it.
    #[serde(default)]
    pub freeze: Option<FrozenRow>,
}

impl Report {
    /// Tells whether the release has ended.
    pub fn has_ended(&self) -> bool {
        self.head.as_ref().is_some_and(|head| head.outcome.is_some())
    }
}
