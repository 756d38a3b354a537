//! The rows of images: the tags that releases move, and what an image has shown.

use serde::{Deserialize, Serialize};

use super::moves::Failure;
use crate::aws::OPERATION_TIMEOUT;
use crate::clock::Timestamp;
use crate::ids::{Digest, Registry, ReleaseId, Repository, ServiceName};

/// `env#<environment>` / `write#<repository>#<time>`: an environment tag that we are about to write.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WriteRow {
    /// The digest that the tag gets.
    pub digest: Digest,
    /// When.
    pub time: Timestamp,
    /// Seconds since 1970 after which the row may vanish.
    pub expires: i64,
}

impl WriteRow {
    /// How much the clocks of two machines may differ.
    const CLOCKS_DIFFER_SECONDS: i64 = 5;
    /// How long after the row's time the tag may be written: three calls lie in between, the row's own and two of ECR.
    const WRITTEN_WITHIN_SECONDS: i64 = 3 * OPERATION_TIMEOUT.as_secs() as i64;

    /// Tells whether a push of that digest at that time is this very write.
    pub fn is_told_by(&self, digest: &Digest, time: Timestamp) -> bool {
        let from = self.time.plus_seconds(-Self::CLOCKS_DIFFER_SECONDS);
        let to = self.time.plus_seconds(Self::WRITTEN_WITHIN_SECONDS + Self::CLOCKS_DIFFER_SECONDS);
        self.digest == *digest && (from..=to).contains(&time)
    }
}

/// `release#<id>` / `repo#<n>`: an environment tag that a release moves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RepositoryRow {
    /// The account that holds the repository.
    pub registry: Registry,
    /// The repository.
    pub repository: Repository,
    /// The tag.
    pub tag: String,
    /// What the ledger says the environment had; none if nothing is known.
    pub before: Option<Digest>,
    /// Why its tags did not go back, or not all of them.
    #[serde(default)]
    pub failure: Option<Failure>,
}

/// `env#<environment>` / `tag#<repository>`: which releases moved the environment's tag of a repository, and did
/// not put it back.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TagRow {
    /// Rises with every change.
    pub version: u64,
    /// These releases, the last one last.
    pub moves: Vec<TagMove>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TagMove {
    /// The release.
    pub release: ReleaseId,
    /// Its first service.
    pub service: ServiceName,
    /// What the tag named then.
    pub digest: Digest,
}

/// `digest#<repository>@<digest>` / `env#<environment>`: what an image has shown somewhere.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EvidenceRow {
    /// That it was good.
    pub verified: Option<Evidence>,
    /// That it was bad, live.
    pub quarantine: Option<Quarantine>,
}

/// Proof that an image was good.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The release that verified it last.
    pub release: ReleaseId,
    /// When.
    pub since: Timestamp,
    /// The commit that it was built from, if its label says so.
    #[serde(default)]
    pub commit: Option<String>,
}

/// Proof that an image was bad.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quarantine {
    /// The release in which it failed.
    pub release: ReleaseId,
    /// When.
    pub since: Timestamp,
    /// How.
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_event_of_our_own_tag_is_known_as_late_as_the_write_may_come() {
        let digest = Digest::parse(format!("sha256:{}", "a".repeat(64))).unwrap();
        let other = Digest::parse(format!("sha256:{}", "b".repeat(64))).unwrap();
        let time = Timestamp::from_millis(1_000_000);
        let write = WriteRow { digest: digest.clone(), time, expires: 0 };
        for (after, expected) in [(-6, false), (-2, true), (0, true), (16, true), (45, true), (51, false)] {
            assert_eq!(write.is_told_by(&digest, time.plus_seconds(after)), expected, "{after}");
        }
        assert!(!write.is_told_by(&other, time));
    }
}
