//! The row of a service: what it runs and has run, verified, newest first; and pure questions on that history.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::OrderKey;
use crate::clock::Timestamp;
use crate::ids::{Digest, PackHash, ReleaseId, Repository, TaskDefinitionArn};

/// How many facts of each repository are kept.
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
    /// The facts that have a key for each repository: `order:<repository>` and `hold:<repository>`.
    #[serde(flatten)]
    pub by_repository: BTreeMap<String, Value>,
}

/// Returns the key of the newest push of a repository that was accepted.
pub fn order_key(repository: &Repository) -> String {
    format!("order:{repository}")
}

/// Returns the key of the hold on an image of a repository.
pub fn hold_key(repository: &Repository) -> String {
    format!("hold:{repository}")
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

    /// Returns what the service is kept from.
    pub fn hold(&self, repository: &Repository) -> Option<Hold> {
        match self.by_repository.get(&hold_key(repository)) {
            Some(value) => serde_json::from_value(value.clone()).ok(),
            None => self.hold.clone().filter(|_| self.is_older_versions(repository)),
        }
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
mod tests {
    use super::*;
    use serde_json::json;

    fn repository() -> Repository {
        Repository::parse("shop/users").unwrap()
    }

    /// A fact: the letter of its digest, and how it came; a number makes each one later than the one before.
    fn fact(n: i64, letter: char, how: How) -> VerifiedImage {
        let release = matches!(how, How::Released | How::RolledBack).then(|| format!("r{n}"));
        serde_json::from_value(json!({
            "repository": "shop/users", "digest": format!("sha256:{}", letter.to_string().repeat(64)),
            "taskDefinition": format!("arn:aws:ecs:r:1:task-definition/users:{n}"),
            "since": Timestamp::from_millis(n * 1000), "release": release, "how": how
        }))
        .unwrap()
    }

    /// A service to which all that happened, oldest first: a digest each, `<` before it for a rollback to it.
    fn service(story: &str) -> ServiceRow {
        let mut row = ServiceRow::default();
        for (n, word) in (1..).zip(story.split_whitespace()) {
            let how = match word.chars().next() {
                Some('<') => How::RolledBack,
                Some('=') => How::Found,
                Some('.') => How::Baseline,
                _ => How::Released,
            };
            row.history = row.with(&fact(n, word.chars().last().unwrap(), how));
        }
        row
    }

    fn letters(facts: &[&VerifiedImage]) -> String {
        facts.iter().map(|fact| fact.digest.as_str().chars().last().unwrap()).collect()
    }

    #[test]
    fn a_rollback_goes_to_what_was_verified_before_and_past_what_was_left() {
        for (story, verified, before) in [
            ("a", "a", ""),
            (".a b", "b", "a"),
            ("a b c", "c", "b"),
            // The same image again, by whatever revision: what was before it is before it still.
            ("a b b", "b", "a"),
            ("a b =b", "b", "a"),
            // Back once, and back again.
            ("a b c <b", "b", "a"),
            ("a b c <b <a", "a", ""),
            ("a b c <b d", "d", "b"),
            // What was rolled back from, and is verified again, is a version like any other.
            ("a b <a b c", "c", "b"),
            // An older image deployed on purpose is no rollback.
            ("a b a", "a", "b"),
        ] {
            let row = service(story);
            assert_eq!(
                letters(&row.verified(&repository()).into_iter().collect::<Vec<_>>()),
                verified,
                "{story}"
            );
            assert_eq!(
                letters(&row.before(&repository()).into_iter().collect::<Vec<_>>()),
                before,
                "{story}"
            );
        }
    }

    #[test]
    fn a_repeated_fact_is_one_and_old_ones_are_forgotten() {
        let mut row = service("a b c d e f");
        assert_eq!(letters(&row.facts(&repository())), "fedcb");
        row.history = row.with(&fact(6, 'f', How::Released));
        assert_eq!(letters(&row.facts(&repository())), "fedcb");
    }

    #[test]
    fn each_repository_has_a_history_of_its_own() {
        let mut row = service("a b");
        let proxy = Repository::parse("shop/proxy").unwrap();
        row.history = row.with(&VerifiedImage { repository: proxy.clone(), ..fact(9, 'c', How::Released) });
        assert_eq!(
            (letters(&row.facts(&repository())), letters(&row.facts(&proxy))),
            ("ba".into(), "c".into())
        );
        assert_eq!(row.before(&repository()).unwrap().digest, fact(1, 'a', How::Released).digest);
        assert_eq!(row.repositories(), [&proxy, &repository()]);
    }

    #[test]
    fn what_an_older_version_wrote_is_read_where_the_history_lacks_it() {
        let (a, b, c) =
            (fact(1, 'a', How::Released), fact(2, 'b', How::Released), fact(3, 'c', How::Released));
        let old =
            ServiceRow { verified: Some(b.clone()), previous: Some(a.clone()), ..ServiceRow::default() };
        assert_eq!(letters(&old.facts(&repository())), "ba");
        // An older version closed a release after this one had written a history.
        let mixed = ServiceRow {
            verified: Some(c.clone()),
            previous: Some(b.clone()),
            history: vec![b.clone(), a.clone()],
            ..ServiceRow::default()
        };
        assert_eq!(letters(&mixed.facts(&repository())), "cba");
        assert_eq!(letters(&[mixed.before(&repository()).unwrap()]), "b");
        // What is not newer than the history adds nothing to it.
        let (past, same) = (b.clone(), VerifiedImage { since: c.since, ..a.clone() });
        for verified in [past, same] {
            let history = vec![c.clone()];
            let row = ServiceRow { history, verified: Some(verified), ..ServiceRow::default() };
            assert_eq!(letters(&row.facts(&repository())), "c");
        }
        // What this version writes for older ones is no second fact.
        let written =
            ServiceRow { history: vec![c.clone(), b, a], verified: Some(c), ..ServiceRow::default() };
        assert_eq!(letters(&written.facts(&repository())), "cba");
    }

    #[test]
    fn what_an_older_version_wrote_of_one_repository_is_kept_with_the_first_fact_of_another() {
        let (a, b) = (fact(1, 'a', How::Released), fact(2, 'b', How::Released));
        let old = ServiceRow { verified: Some(b), previous: Some(a), ..ServiceRow::default() };
        let proxy = Repository::parse("shop/proxy").unwrap();
        let other = VerifiedImage { repository: proxy.clone(), ..fact(9, 'c', How::Released) };
        let (history, verified) = (old.with(&other), Some(other));
        let next = ServiceRow { history, verified, ..ServiceRow::default() };
        assert_eq!(letters(&next.facts(&repository())), "ba");
        assert_eq!(letters(&next.facts(&proxy)), "c");
    }

    #[test]
    fn a_rollback_does_not_bring_an_image_anew() {
        let row = service("a b <a");
        let digest = &fact(1, 'a', How::Released).digest;
        assert_eq!(row.released(&repository(), digest), Some(Timestamp::from_millis(1000)));
        // Nobody had verified the baseline before.
        let row = service(".a b <a c <a");
        assert_eq!(row.released(&repository(), digest), Some(Timestamp::from_millis(3000)));
        assert_eq!(service(".a").released(&repository(), digest), None);
    }

    #[test]
    fn orders_and_holds_are_of_one_repository() {
        let (users, proxy) = (repository(), Repository::parse("shop/proxy").unwrap());
        let hold = json!({"digest": fact(1, 'b', How::Released).digest, "release": "r1", "since": "2026-11-23T10:00:00Z"});
        let row: ServiceRow = serde_json::from_value(json!({
            "verified": fact(1, 'a', How::Released), "order": "000000000000005#", "hold": hold,
            "order:shop/proxy": "000000000000007#"
        }))
        .unwrap();
        assert_eq!(row.order(&users).unwrap().as_str(), "000000000000005#");
        assert_eq!(row.order(&proxy).unwrap().as_str(), "000000000000007#");
        assert!(row.hold(&users).is_some() && row.hold(&proxy).is_none());
        let released: ServiceRow =
            serde_json::from_value(json!({"hold": hold, "hold:shop/users": null})).unwrap();
        assert!(released.hold(&users).is_none());
    }

    #[test]
    fn what_an_older_version_wrote_keeps_its_repository_when_another_one_is_verified() {
        let proxy = Repository::parse("shop/proxy").unwrap();
        let digest = Digest::parse(format!("sha256:{}", "b".repeat(64))).unwrap();
        let order = OrderKey::new(Timestamp::from_millis(1), Timestamp::from_millis(2), Some(&digest));
        let hold =
            Hold { digest, release: ReleaseId::parse("r2").unwrap(), since: Timestamp::from_millis(3) };
        let verified = Some(fact(4, 'a', How::Released));
        let mut row =
            ServiceRow { order: Some(order.clone()), hold: Some(hold), verified, ..ServiceRow::default() };
        assert_eq!((row.carried(&repository()), row.carried(&proxy)), (None, Some(&repository())));
        assert_eq!((row.order(&repository()), row.hold(&repository()).is_some()), (Some(order), true));
        row.verified = Some(VerifiedImage { repository: proxy.clone(), ..fact(9, 'c', How::Released) });
        assert_eq!(
            (row.order(&repository()), row.hold(&repository())),
            (None, None),
            "it has to be carried before"
        );
    }
}
