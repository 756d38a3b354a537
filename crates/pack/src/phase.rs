//! When a check is asked.

use serde::{Deserialize, Serialize};

/// When a check is asked, in the order in which a release comes there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
pub enum Phase {
    /// While the release opens, and once more under its leases: nothing is touched.
    Open,
    /// In the wave of the service, before it is touched.
    Before,
    /// Once our tasks and targets are proven, before production traffic reaches them; only where a service shifts it.
    Dark,
    /// Once our deployment is complete and its tasks and targets are proven.
    Live,
    /// After that, for a while.
    Bake,
}

impl Phase {
    /// All of them.
    pub const ALL: [Phase; 5] = [Phase::Open, Phase::Before, Phase::Dark, Phase::Live, Phase::Bake];

    /// Returns its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Open => "open",
            Phase::Before => "before",
            Phase::Dark => "dark",
            Phase::Live => "live",
            Phase::Bake => "bake",
        }
    }
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
