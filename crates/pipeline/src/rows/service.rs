//! The row of a service: what it runs and has run, verified, newest first; and pure questions on that history.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::OrderKey;
use crate::clock::Timestamp;
use crate::ids::{Digest, PackHash, ReleaseId, Repository, TaskDefinitionArn};

/// How many facts of each repository are kept, and how many holds.
const KEPT: usize = 5;

/// An image that a service ran, stable, and the task definition that ran it.  A fact: it is never changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VerifiedImage {
    /// Where the image is.
    pub repository: Repository,
    /// What it is.
    pub digest: Digest,
    /// The commit that it was built from, if its label says so.
    #[serde(default)]
    pub commit: Option<String>,
    /// The revision that ran it.
    pub task_definition: TaskDefinitionArn,
    /// Since when it is known.
    pub since: Timestamp,
    /// The release that verified it; none for a baseline, and for what was found.
    pub release: Option<ReleaseId>,
    /// How it came here; absent on older rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub how: Option<How>,
    /// The live tests that it passed; none if it had none, or nobody kept them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pack: Option<PackHash>,
}

/// How a service came to run an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum How {
    /// A release brought it.
    Released,
    /// It ran when the pipeline first met the service.
    Baseline,
    /// Somebody else deployed a revision with the verified digest.
    Found,
    /// A rollback that somebody asked for went back to it.
    RolledBack,
}

/// An image that a service is kept from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hold {
    /// The image.
    pub digest: Digest,
    /// The release that rolled back from it.
    pub release: ReleaseId,
    /// Since when.
    pub since: Timestamp,
}

/// `env#<environment>` / `service#<service>`.
///
/// A service may run images of several repositories, so each fact is about one of them.  Versions before this one
/// know one repository only: what they wrote (`verified`, `previous`, `order`, `hold`) is read where the newer keys
/// lack it, and written on for them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceRow {
    /// What was verified last, of any repository.
    #[serde(default)]
    pub verified: Option<VerifiedImage>,
    /// What was verified before it, of the same repository.
    #[serde(default)]
    pub previous: Option<VerifiedImage>,
    /// What was verified, newest first; at most five facts of each repository.
    #[serde(default)]
    pub history: Vec<VerifiedImage>,
    /// The fence of the lease under which that was written last.
    #[serde(default)]
    pub fence: u64,
    /// The newest push that an older version accepted here, of whatever repository.
    #[serde(default)]
    pub order: Option<OrderKey>,
    /// What an older version rolled back from on request.
    #[serde(default)]
    pub hold: Option<Hold>,
    /// The release that held it last, and wrote a move of it.
    #[serde(default)]
    pub last: Option<ReleaseId>,
    /// The one that did before.
    #[serde(default)]
    pub last_before: Option<ReleaseId>,
    /// How many seconds its last move took from its update to its verdict.
    #[serde(default)]
    pub seconds: Option<u32>,
    /// The facts that have a key for each repository: `order:<repository>`, `hold:<repository>` and
    /// `holdsBefore:<repository>`.
    #[serde(flatten)]
    pub by_repository: BTreeMap<String, Value>,
}

/// Returns the key of the newest push of a repository that was accepted.
pub fn order_key(repository: &Repository) -> String {
    format!("order:{repository}")
}

/// Returns the key of the newest hold on an image of a repository; it is all that versions before this one know of.
pub fn hold_key(repository: &Repository) -> String {
    format!("hold:{repository}")
}

/// Returns the key of the holds before that one.
pub fn holds_before_key(repository: &Repository) -> String {
    format!("holdsBefore:{repository}")
}

impl ServiceRow {
    /// Returns what the service runs of a repository, as far as it was verified.
    pub fn verified(&self, repository: &Repository) -> Option<&VerifiedImage> {
        self.facts(repository).into_iter().next()
    }

    /// Returns what a rollback goes back to: what was verified before what is verified now.
    ///
    /// What somebody has rolled back from is no version to return to, until it is verified again.
    pub fn before(&self, repository: &Repository) -> Option<&VerifiedImage> {
        let mut versions: Vec<&VerifiedImage> = Vec::new();
        for fact in self.facts(repository).into_iter().rev() {
            if fact.how == Some(How::RolledBack) {
                while versions.last().is_some_and(|newer| newer.digest != fact.digest) {
                    versions.pop();
                }
            }
            // The same image once more: what was before it is before it still.
            if versions.last().is_some_and(|same| same.digest == fact.digest) {
                versions.pop();
            }
            versions.push(fact);
        }
        versions.into_iter().rev().nth(1)
    }

    /// Returns when a release last brought an image here.
    ///
    /// A rollback brings nothing anew.  It counts only for an image that no release has brought: a baseline.
    pub fn released(&self, repository: &Repository, digest: &Digest) -> Option<Timestamp> {
        let verified = self.facts(repository).into_iter().filter(|fact| fact.digest == *digest);
        let (back, brought): (Vec<_>, Vec<_>) = verified
            .filter(|fact| fact.release.is_some())
            .partition(|fact| fact.how == Some(How::RolledBack));
        let brought = brought.iter().map(|fact| fact.since).max();
        brought.or_else(|| back.iter().map(|fact| fact.since).min())
    }

    /// Returns all that is known of a repository, newest first.
    pub fn facts(&self, repository: &Repository) -> Vec<&VerifiedImage> {
        let of = |fact: &&VerifiedImage| fact.repository == *repository;
        let mut facts: Vec<&VerifiedImage> = self.history.iter().filter(of).collect();
        // An older version writes no history: what it wrote is newer than what is there, or all that there is.
        let written = self.verified.as_ref().filter(of);
        let lacks = |one: &&VerifiedImage| {
            facts.first().is_none_or(|newest| newest.since < one.since && !is_same(newest, one))
        };
        if let Some(verified) = written.filter(lacks) {
            facts.splice(..0, [Some(verified), self.previous.as_ref().filter(of)].into_iter().flatten());
            facts.dedup_by(|older, newer| is_same(older, newer));
        }
        facts
    }

    /// Returns what was verified last, if that is later than a fact and of another repository.
    pub fn newer_than(&self, fact: &VerifiedImage) -> Option<&VerifiedImage> {
        let newer = self.all().filter(|one| one.since > fact.since).max_by_key(|one| one.since);
        newer.filter(|one| one.repository != fact.repository)
    }

    /// Returns what was verified of a revision, of whatever repository; what a release has verified comes first.
    pub fn of_revision(&self, revision: &TaskDefinitionArn) -> Option<&VerifiedImage> {
        let of = |fact: &&VerifiedImage| fact.task_definition == *revision;
        self.all().filter(of).find(|fact| fact.release.is_some()).or_else(|| self.all().find(of))
    }

    fn all(&self) -> impl Iterator<Item = &VerifiedImage> {
        self.history.iter().chain(&self.verified).chain(&self.previous)
    }

    /// Returns the repositories of which something was verified.
    pub fn repositories(&self) -> Vec<&Repository> {
        let facts = self.history.iter().chain(&self.verified);
        let mut repositories: Vec<&Repository> = facts.map(|fact| &fact.repository).collect();
        repositories.sort();
        repositories.dedup();
        repositories
    }

    /// Returns the history with one more fact; the same one as it is, if the newest says the same already.
    pub fn with(&self, fact: &VerifiedImage) -> Vec<VerifiedImage> {
        let known = self.facts(&fact.repository);
        // Of what an older version wrote, too: it is read no more once something else is verified last.
        let others = self.repositories().into_iter().filter(|one| **one != fact.repository);
        let others = others.flat_map(|one| self.facts(one)).cloned();
        let repeated = known.first().is_some_and(|newest| is_same(newest, fact));
        let added = if repeated { None } else { Some(fact.clone()) };
        added.into_iter().chain(known.into_iter().cloned()).take(KEPT).chain(others).collect()
    }

    /// Returns the newest push of a repository that was accepted.
    pub fn order(&self, repository: &Repository) -> Option<OrderKey> {
        let own = self.by_repository.get(&order_key(repository));
        let own = own.and_then(|value| serde_json::from_value(value.clone()).ok());
        // An older version says nothing of the repository: it counts where its image is what was verified last.
        let older = self.order.clone().filter(|_| self.is_older_versions(repository));
        own.max(older)
    }

    /// Returns what the service is kept from, newest first: whoever goes back twice wants neither of the two again.
    ///
    /// A hold ends when a release verifies its image again.  An older version ends the newest one alone.
    pub fn holds(&self, repository: &Repository) -> Vec<Hold> {
        let newest = match self.by_repository.get(&hold_key(repository)) {
            Some(value) => serde_json::from_value(value.clone()).ok(),
            None => self.hold.clone().filter(|_| self.is_older_versions(repository)),
        };
        let before = self.by_repository.get(&holds_before_key(repository));
        let before: Option<Vec<Hold>> = before.and_then(|value| serde_json::from_value(value.clone()).ok());
        let facts = self.facts(repository);
        let is_verified_since = |hold: &Hold| {
            let again = |fact: &&VerifiedImage| fact.digest == hold.digest && fact.release.is_some();
            facts.iter().filter(|fact| again(fact)).any(|fact| fact.since > hold.since)
        };
        let all = newest.into_iter().chain(before.unwrap_or_default());
        all.filter(|hold| !is_verified_since(hold)).collect()
    }

    /// Returns the hold on an image.
    pub fn hold(&self, repository: &Repository, digest: &Digest) -> Option<Hold> {
        self.holds(repository).into_iter().find(|hold| hold.digest == *digest)
    }

    /// Returns the holds as they are once an image is verified: the one on it ends, and one on what it has left begins.
    /// Of those before, as many are kept as facts are.
    pub fn holds_with(&self, verified: &VerifiedImage, left: Option<&Hold>) -> Vec<Hold> {
        let is_kept = |hold: &Hold| {
            hold.digest != verified.digest && left.is_none_or(|left| left.digest != hold.digest)
        };
        let known = self.holds(&verified.repository).into_iter().filter(is_kept);
        left.cloned().into_iter().chain(known).take(KEPT).collect()
    }

    /// Returns the repository of which an older version wrote something that has no key of its own yet.
    ///
    /// Which one that is can be read only until something of another repository, `next`, is verified.
    pub fn carried(&self, next: &Repository) -> Option<&Repository> {
        let last = self.verified.as_ref().map(|verified| &verified.repository);
        last.filter(|other| *other != next && (self.order.is_some() || self.hold.is_some()))
    }

    /// Tells whether what an older version wrote without a repository can be about this one.
    fn is_older_versions(&self, repository: &Repository) -> bool {
        self.verified.as_ref().is_none_or(|verified| verified.repository == *repository)
    }
}

/// Tells whether two facts say the same.
fn is_same(one: &VerifiedImage, other: &VerifiedImage) -> bool {
    (&one.digest, &one.task_definition, &one.release)
        == (&other.digest, &other.task_definition, &other.release)
}

#[cfg(test)]
mod tests;
