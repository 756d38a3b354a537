//! Moves tags within one ECR repository: the environment's tag to the digest of a release, and back.
//!
//! Copies the manifest byte for byte, so that the digest stays what it is.  Keep-tags mark what runs and what ran
//! before it, so that no lifecycle rule takes the restore point.  Never pulls a layer, never rebuilds, and knows
//! nothing about services.

pub mod manifest;
pub mod movers;
pub mod registry;
pub mod restore;
pub mod snapshot;
pub mod tags;

use futures_util::future::{join_all, try_join3};
use pipeline::Fault;
use pipeline::clock::{CallClock, Timestamp};
use pipeline::ids::{Digest, ReleaseId};
use pipeline::image::RepositoryRef;
use pipeline::ledger::MoveLedger;
use pipeline::payload::MoveKey;
use pipeline::rows::{MoveRow, TagRow};
use serde::{Deserialize, Serialize};

use registry::{Changed, Known, PlannedCalls, Port, Start};
use tags::Tagging;

/// How many tags one step puts back.
const TAGS_PER_STEP: usize = 5;

/// How often it is tried to write down who moves a tag, while others do the same.
const ATTEMPTS: usize = 3;

/// What the state machine asks for.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "camelCase")]
pub enum Request {
    /// Say when that may begin; or tag the digest of a move at once, if that may begin now and is asked for.
    #[serde(alias = "slot")]
    Reserve {
        /// Whether it is.
        #[serde(default)]
        tag: bool,
        /// What calls it is about.
        #[serde(flatten)]
        key: ReserveKey,
    },
    /// Tag the digest of one move.
    Move(MoveKey),
    /// Put the tags of one repository back.
    Restore(RestoreKey),
}

/// What calls are reserved for: a move, or one step of putting a repository's tags back.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum ReserveKey {
    /// One step of putting a repository's tags back.
    Repository(RestoreKey),
    /// A move.
    Move(MoveKey),
}

/// One repository of a release.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RestoreKey {
    /// The release.
    pub release: ReleaseId,
    /// The ordinal of the repository's row.
    pub repository: u32,
}

/// What was done.
#[derive(Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Response {
    /// It may begin.
    #[serde(rename_all = "camelCase")]
    Reserved {
        /// From when on its calls are reserved.
        start_at: Timestamp,
    },
    /// The environment's tag is on the digest.
    Moved {
        /// The digest that was asked for.
        digest: Digest,
        /// Whether the tag was there before.
        already: bool,
    },
    /// More tags have to go back than one step may write.
    Left {
        /// How many are left.
        left: usize,
    },
    /// No move stayed on the new digest, so the tag is back where it was, or where another release put it.
    Restored {
        /// What the tag names now; none if nothing is known of the time before.
        restored: Option<Digest>,
    },
    /// The environment's tag could not go back.
    Gone {
        /// Why.
        gone: String,
    },
    /// Some services stayed on the new digest, and so did the tag.
    Mixed {
        /// These services.
        mixed: Vec<String>,
    },
}

/// The function.
#[derive(Debug)]
pub struct Retag<P, L> {
    /// ECR, and what the ledger keeps of its repositories.
    pub port: P,
    /// The moves.
    pub moves: L,
}

impl<P: Port, L: MoveLedger> Retag<P, L> {
    /// Answers one request.
    pub async fn handle(&self, request: Request, now: Timestamp) -> Result<Response, Fault> {
        match request {
            Request::Reserve { key: ReserveKey::Repository(_), .. } => {
                let calls = PlannedCalls { registrations: 0, tags: TAGS_PER_STEP, is_crowded: false };
                Ok(Response::Reserved { start_at: self.port.reserve(calls, now).await? })
            }
            Request::Reserve { tag, key: ReserveKey::Move(key) } => {
                self.reserve(&key, tag, CallClock::starting_at(now)).await
            }
            Request::Move(key) => {
                let row = self.moves.load(&key).await?.forward()?;
                self.tag(&key, &row, CallClock::starting_at(now)).await
            }
            Request::Restore(key) => self.restore(&key, CallClock::starting_at(now)).await,
        }
    }

    async fn reserve(&self, key: &MoveKey, tag: bool, clock: CallClock) -> Result<Response, Fault> {
        let (row, now) = (self.moves.load(key).await?.forward()?, clock.now());
        let is_crowded = key.is_among_others();
        let calls = PlannedCalls { registrations: 1, tags: tags::OF_A_MOVE, is_crowded };
        let start_at = self.port.reserve(calls, now).await?;
        match tag && start_at <= now {
            true => self.tag(key, &row, clock).await,
            false => Ok(Response::Reserved { start_at }),
        }
    }

    async fn tag(&self, key: &MoveKey, row: &MoveRow, clock: CallClock) -> Result<Response, Fault> {
        let at = row.image_repository();
        let mut wanted = tags::of_move(row);
        let (lease, known) = (self.moves.check_lease(key, row), self.port.known(key, row));
        let (seen, (), known) = try_join3(self.port.snapshot(&at, &wanted), lease, known).await?;
        let image = seen.image(&row.digest).ok_or_else(|| not_there(&at, &row.digest))?;
        let already = seen.tagged(&row.tag) == Some(&row.digest);
        let children = manifest::children(image)?;
        if !self.begins_last(key, row, known, (children, already), clock).await? {
            wanted.retain(|tagging| tagging.service.is_some());
        }
        // What is replaced is kept first; what then names the new image does so at once.
        let changes = tags::missing(&wanted, &seen)?.into_iter();
        let (new, before): (Vec<_>, Vec<_>) = changes.partition(|one| one.tagging.digest == row.digest);
        for changes in [before, new] {
            let puts = changes.iter().map(|one| self.port.put(&at, &one.tagging.tag, one.image));
            // All of them are waited for, so that none comes after this call.
            join_all(puts).await.into_iter().collect::<Result<(), Fault>>()?;
        }
        Ok(Response::Moved { digest: row.digest.clone(), already })
    }

    /// Writes down that a move begins, and all that has to be known before the environment's tag moves; tells whether it
    /// may, since no other release came after this one.
    async fn begins_last(
        &self,
        key: &MoveKey,
        row: &MoveRow,
        mut known: Known,
        (children, already): (Vec<Digest>, bool),
        clock: CallClock,
    ) -> Result<bool, Fault> {
        let mut why = at_the_same_moment(row);
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                known = self.port.known(key, row).await?;
            }
            let movers = movers::moving(&known.movers, &key.release, row);
            let is_last = movers.is_some() || movers::is_last(&known.movers, &key.release);
            let start = Start {
                started: clock.now(),
                children: children.clone(),
                is_first: !known.is_begun,
                movers,
                announces: is_last && !already,
            };
            match self.port.begin(key, row, start).await {
                Ok(true) => return Ok(is_last),
                // Another move of the same repository writes its rows at this moment.
                Ok(false) => {}
                Err(fault @ Fault::Throttled(_)) => why = fault,
                Err(fault) => return Err(fault),
            }
        }
        Err(why)
    }

    async fn restore(&self, key: &RestoreKey, clock: CallClock) -> Result<Response, Fault> {
        let Changed { repository, moves, rollback } = self.port.changed(key).await?;
        let Some(row) = moves.first() else { return Ok(Response::Restored { restored: None }) };
        let known = self.port.movers(row).await?;
        let back = movers::restoring(&known, &key.release, repository.before.as_ref());
        let named = movers::named(back.as_ref().unwrap_or(&known), repository.before.as_ref());
        let plan = restore::plan(&repository, named, moves.iter(), rollback);
        let at = row.image_repository();
        let seen = self.port.snapshot(&at, &plan.tags).await?;
        let missing = tags::missing(&plan.tags, &seen)?;
        let left = missing.len().saturating_sub(TAGS_PER_STEP);
        if left == 0 && plan.stayed.is_empty() {
            // Before the tag itself: a call that comes again reads from it where the tag has to be.
            self.restore_mover(row, back.as_ref()).await?;
        }
        for change in missing.into_iter().take(TAGS_PER_STEP) {
            self.write(&at, row, change, clock).await?;
        }
        if left > 0 {
            return Ok(Response::Left { left });
        }
        if let Some(failure) = plan.failure(&seen) {
            self.port.note_failure(key, &failure).await?;
            return Ok(Response::Gone { gone: failure.cause });
        }
        Ok(match plan.stayed {
            stayed if stayed.is_empty() => Response::Restored { restored: named.cloned() },
            stayed => Response::Mixed { mixed: stayed },
        })
    }

    async fn restore_mover(&self, row: &MoveRow, movers: Option<&TagRow>) -> Result<(), Fault> {
        match movers {
            Some(movers) if !self.port.set_movers(row, movers).await? => Err(at_the_same_moment(row)),
            _ => Ok(()),
        }
    }

    async fn write(
        &self,
        at: &RepositoryRef,
        row: &MoveRow,
        change: tags::Change<'_>,
        clock: CallClock,
    ) -> Result<(), Fault> {
        let Tagging { tag, digest, .. } = change.tagging;
        if *tag == row.tag {
            // Our own push comes back as an event; this row is how it is recognised.
            self.port.announce(row, digest, clock.now()).await?;
        }
        self.port.put(at, tag, change.image).await
    }
}

fn at_the_same_moment(row: &MoveRow) -> Fault {
    let MoveRow { tag, repository, .. } = row;
    Fault::Unavailable(format!("another release moved the tag {tag} of {repository} at the same moment"))
}

fn not_there(at: &RepositoryRef, digest: &Digest) -> Fault {
    Fault::NotFound(format!("the image {}@{digest}", at.repository))
}
