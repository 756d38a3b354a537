//! The guard: for some minutes after a release, an alarm that it watched rolls it back.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::ids::{EnvironmentName, ReleaseId};

/// What an alert starts with of a guard that did not act.
pub const GUARD_DECLINED: &str = "guard declined";

/// `guard#<alarm>` / `release#<id>`: an alarm that the moves of a release watched.  It counts once the release has ended
/// as Deployed.
///
/// Which of its moves watched it stands in their own rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuardRow {
    /// The environment of the release.
    pub environment: EnvironmentName,
    /// When the release was about to end.
    pub since: Timestamp,
    /// Until when the alarm rolls it back.
    pub until: Timestamp,
    /// Seconds since 1970 after which the row may vanish.
    pub expires: i64,
}

/// `release#<id>` / `guard`: the run by which the guard rolls a release back.  There is one at most.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuardRollbackRow {
    /// That run.
    pub by: ReleaseId,
    /// The alarm.
    pub alarm: String,
    /// Since when.
    pub since: Timestamp,
}
