//! A registry in memory, and what the ledger keeps of it.

#![expect(clippy::unwrap_used, reason = "this is how a test fails")]

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ids::{Digest, ReleaseId};
use pipeline::image::RepositoryRef;
use pipeline::payload::MoveKey;
use pipeline::rows::{Failure, MoveRow, TagRow};
use retag::RestoreKey;
use retag::manifest::Manifest;
use retag::registry::{Changed, Known, PlannedCalls, Port, Start};
use retag::snapshot::RepositorySnapshot;
use retag::tags::Tagging;

/// Images, each with a letter for its digest, and the tags that name them.
#[derive(Default)]
pub struct Shelf {
    pub images: Vec<char>,
    pub tags: RefCell<BTreeMap<String, Digest>>,
    /// In which repositories releases have begun.
    pub begun: RefCell<BTreeSet<(ReleaseId, u32)>>,
    /// Who moved the environment's tag.
    pub movers: RefCell<TagRow>,
    /// Whether another release always moves the tag between our reading and our writing of that.
    pub overtaken: bool,
    /// How often a write of what begins meets another one of the same rows.
    pub conflicts: Cell<usize>,
    /// What a release has done, if its tags are to go back.
    pub changed: Option<Changed>,
    /// How long a look takes.
    pub slow: Duration,
    /// What was written, in this order.
    pub written: RefCell<Vec<String>>,
    /// When writes of the environment's tag were announced.
    pub announced: RefCell<Vec<Timestamp>>,
}

pub fn digest(letter: char) -> Digest {
    Digest::parse(format!("sha256:{}", letter.to_string().repeat(64))).unwrap()
}

impl Shelf {
    /// Holds these images, and the environment's tag on the first.
    pub fn of(images: &[char]) -> Self {
        let first = images.first().copied().unwrap();
        let tags = BTreeMap::from([("dev".to_owned(), digest(first))]);
        Shelf { images: images.to_vec(), tags: RefCell::new(tags), ..Shelf::default() }
    }

    fn wrote(&self, what: String) {
        self.written.borrow_mut().push(what);
    }
}

impl Port for &Shelf {
    async fn snapshot(&self, _: &RepositoryRef, _: &[Tagging]) -> Result<RepositorySnapshot, Fault> {
        tokio::time::advance(self.slow).await;
        let media_type = "application/vnd.oci.image.manifest.v1+json";
        let image = |letter: &char| Manifest {
            digest: digest(*letter),
            media_type: media_type.to_owned(),
            bytes: "{}".to_owned(),
        };
        Ok(RepositorySnapshot::new(self.images.iter().map(image), self.tags.borrow().clone()))
    }
    async fn known(&self, key: &MoveKey, row: &MoveRow) -> Result<Known, Fault> {
        let is_begun = self.begun.borrow().contains(&(key.release.clone(), row.repository_row));
        Ok(Known { is_begun, movers: self.movers.borrow().clone() })
    }
    async fn begin(&self, key: &MoveKey, row: &MoveRow, start: Start) -> Result<bool, Fault> {
        if self.conflicts.get() > 0 {
            self.conflicts.set(self.conflicts.get() - 1);
            return Err(Fault::Throttled("another transaction writes to the row".to_owned()));
        }
        if let Some(movers) = &start.movers
            && !self.set_movers(row, movers).await?
        {
            return Ok(false);
        }
        if start.is_first {
            self.wrote("keep before".to_owned());
            self.begun.borrow_mut().insert((key.release.clone(), row.repository_row));
        }
        if start.announces {
            self.announce(row, &row.digest, start.started).await?;
        }
        Ok(true)
    }
    async fn announce(&self, _: &MoveRow, _: &Digest, now: Timestamp) -> Result<(), Fault> {
        self.wrote("announce".to_owned());
        self.announced.borrow_mut().push(now);
        Ok(())
    }
    async fn movers(&self, _: &MoveRow) -> Result<TagRow, Fault> {
        Ok(self.movers.borrow().clone())
    }
    async fn set_movers(&self, _: &MoveRow, movers: &TagRow) -> Result<bool, Fault> {
        let unchanged = !self.overtaken && self.movers.borrow().version + 1 == movers.version;
        if unchanged {
            *self.movers.borrow_mut() = movers.clone();
        }
        Ok(unchanged)
    }
    async fn note_failure(&self, _: &RestoreKey, failure: &Failure) -> Result<(), Fault> {
        self.wrote(format!("{}: {}", failure.error, failure.cause));
        Ok(())
    }
    async fn put(&self, _: &RepositoryRef, tag: &str, image: &Manifest) -> Result<(), Fault> {
        self.wrote(format!("{tag} -> {}", image.digest.short()));
        self.tags.borrow_mut().insert(tag.to_owned(), image.digest.clone());
        Ok(())
    }
    async fn reserve(&self, calls: PlannedCalls, now: Timestamp) -> Result<Timestamp, Fault> {
        Ok(now.plus_seconds(calls.registrations))
    }
    async fn changed(&self, key: &RestoreKey) -> Result<Changed, Fault> {
        self.changed.clone().ok_or_else(|| Fault::NotFound(key.release.to_string()))
    }
}
