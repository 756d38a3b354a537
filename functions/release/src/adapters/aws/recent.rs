//! What was read for one release: its next step, in the same process, need not read them again.
//!
//! Of one release alone: whoever changes a document and then starts a release is never answered by an older one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use pipeline::clock::Timestamp;
use pipeline::environment::{Environments, ServiceDocuments};
use pipeline::ids::{Digest, EnvironmentName, ReleaseId, ServiceName};
use pipeline::image::RepositoryRef;

/// How long what was read will do.
const SECONDS: i64 = 10;

/// What was read for the release that asked last.
#[derive(Debug, Default)]
pub(super) struct Recent(Mutex<Option<Known>>);

#[derive(Debug)]
struct Known {
    of: ReleaseId,
    since: Timestamp,
    read: Read,
}

impl Known {
    fn is_of(&self, release: &ReleaseId, now: Timestamp) -> bool {
        self.of == *release && (0..SECONDS).contains(&now.seconds_since(self.since))
    }
}

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// All environments.
    pub environments: Option<Environments>,
    /// The documents of these services of an environment.
    pub services: Option<((EnvironmentName, Vec<ServiceName>), ServiceDocuments)>,
    /// The images that were found in repositories.
    pub images: BTreeMap<RepositoryRef, BTreeSet<Digest>>,
}

impl Recent {
    /// Returns something of what was read for a release, if that is not long ago.
    pub(super) fn of<Part>(
        &self,
        release: &ReleaseId,
        now: Timestamp,
        part: impl FnOnce(&Read) -> Option<Part>,
    ) -> Option<Part> {
        let known = self.open();
        known.as_ref().filter(|known| known.is_of(release, now)).and_then(|known| part(&known.read))
    }

    /// Keeps something that was read for a release; it counts from the first that was.
    pub(super) fn keep(&self, release: &ReleaseId, now: Timestamp, keep: impl FnOnce(&mut Read)) {
        let mut known = self.open();
        known.take_if(|known| !known.is_of(release, now));
        let fresh = || Known { of: release.clone(), since: now, read: Read::default() };
        keep(&mut known.get_or_insert_with(fresh).read);
    }

    fn open(&self) -> MutexGuard<'_, Option<Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_will_do_for_the_same_release_and_not_for_long() {
        let (recent, at) = (Recent::default(), Timestamp::from_millis);
        let release = |name: &str| ReleaseId::parse(name).unwrap();
        recent.keep(&release("r1"), at(0), |read| read.environments = Some(Environments::default()));
        recent.keep(&release("r1"), at(9_000), |read| assert!(read.environments.is_some()));
        let known =
            |name, now| recent.of(&release(name), at(now), |read| read.environments.clone()).is_some();
        assert!(known("r1", 9_999) && !known("r1", 10_000));
        assert!(!known("r2", 1_000) && !known("r1", -1_000));
        recent.keep(&release("r2"), at(1_000), |read| assert!(read.environments.is_none()));
        assert!(!known("r1", 1_000));
    }
}
