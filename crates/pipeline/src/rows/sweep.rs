//! The rows of the sweep: which pushes were seen, how far it is, and what it has found.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::ids::{ReleaseId, Repository, ServiceName};

/// How a run begins that tells what a sweep has found.
pub const SWEEP_FOUND: &str = "the sweep found: ";

/// What stands between two findings in one sentence.
pub const BETWEEN_FINDINGS: &str = "; ";

/// What a finding begins with that is no more.
pub const SETTLED: &str = "settled: ";

/// Who saw a push first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SeenBy {
    /// The event that ECR sent.
    Event,
    /// A sweep, since that event was lost.
    Sweep,
}

/// `push#<environment>` / `<repository>#<tag>#<digest>`: a push that was seen, whatever came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PushRow {
    /// When the image was pushed, in milliseconds since 1970.
    pub pushed: i64,
    /// Who saw it.
    pub seen_by: SeenBy,
    /// The execution that has it.
    pub execution: String,
    /// Seconds since 1970 after which the row may vanish.
    pub expires: i64,
}

/// `env#<environment>` / `sweep`: how far the last sweep of an environment is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SweepRow {
    /// Since when pushes are looked for: what was pushed before is never started.
    pub first: Timestamp,
    /// The tags that the environment took then.
    pub takes: String,
    /// The run of the sweep.
    pub run: ReleaseId,
    /// When it came here.
    pub since: Timestamp,
    /// How many repositories are left to it; none once it is through.
    pub left: u32,
    /// The repository that was looked at last: the next look goes on behind it.
    #[serde(default)]
    pub last: Option<Repository>,
    /// The repositories of services that no release has met yet.
    #[serde(default)]
    pub unmet: Vec<Repository>,
    /// The services of the ledger that ECS does not have any more.
    #[serde(default)]
    pub gone: Vec<ServiceName>,
    /// Whether some release was open.
    #[serde(default)]
    pub busy: bool,
}

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FoundKind {
    /// A push whose event was lost.
    Lost,
    /// A release whose execution has ended while its head is open.
    Died,
    /// A service that was deployed past the pipeline.
    Drift,
    /// The image that a service runs is gone from ECR.
    Image,
    /// The image that a rollback would go back to is gone from ECR.
    WayBack,
    /// The environment's tag names another image than what runs.
    Tag,
    /// Something that could not be read.
    Unreadable,
    /// What a later version has found.
    #[serde(other)]
    Other,
}

impl FoundKind {
    /// Returns its word in the key of a row.
    pub fn word(self) -> &'static str {
        match self {
            FoundKind::Lost => "lost",
            FoundKind::Died => "died",
            FoundKind::Drift => "drift",
            FoundKind::Image => "image",
            FoundKind::WayBack => "wayBack",
            FoundKind::Tag => "tag",
            FoundKind::Unreadable => "unreadable",
            FoundKind::Other => "other",
        }
    }

    /// Tells whether somebody has to look at once.
    pub fn is_critical(self) -> bool {
        matches!(self, FoundKind::Died | FoundKind::Image)
    }
}

/// `env#<environment>` / `found#<kind>#<what>`: something that a sweep has found, until it is no more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FoundRow {
    /// What kind of thing it is.
    pub kind: FoundKind,
    /// Where it was looked for: a repository, or a part of the environment.
    pub place: String,
    /// What was found: another value is news.
    pub value: String,
    /// What is told.
    pub text: String,
    /// Since when.
    pub since: Timestamp,
    /// The sweep that wrote the row.
    pub run: ReleaseId,
    /// When it did.
    pub noted: Timestamp,
    /// The sweep that tells it; none as long as it has to be seen once more first.
    #[serde(default)]
    pub told: Option<ReleaseId>,
    /// Whether it is no more.
    #[serde(default)]
    pub gone: bool,
    /// Rises with every change.
    #[serde(default)]
    pub version: u64,
}
