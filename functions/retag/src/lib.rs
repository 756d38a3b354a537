//! Moves tags within one ECR repository: the environment's tag to the digest of a release, and back.
//!
//! Copies the manifest byte for byte, so that the digest stays what it is.  Keep-tags mark what runs and what ran
//! before it, so that no lifecycle rule takes the way back.  Never pulls a layer, never rebuilds, and knows
//! nothing about services.

pub mod manifest;
pub mod registry;
pub mod restore;
pub mod tags;

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ids::{Digest, ReleaseId};
use pipeline::ledger::MoveLedger;
use pipeline::payload::MoveKey;
use pipeline::rows::{MoveEvent, MoveRow};
use serde::{Deserialize, Serialize};

use registry::{Changed, Place, Port, Slot};
use tags::Tagging;

/// How many tags one step puts back.
const TAGS_PER_STEP: usize = 5;

/// What the state machine asks for.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "camelCase")]
pub enum Request {
    /// Say when that may begin.
    Slot(SlotKey),
    /// Tag the digest of one move.
    Move(MoveKey),
    /// Put the tags of one repository back.
    Restore(RestoreKey),
}

/// What a slot is wanted for: a move, or one step of putting a repository's tags back.
#[derive(Debug, Deserialize)]
pub struct SlotKey {
    /// The ordinal of the repository's row.
    #[serde(default)]
    pub repository: Option<u32>,
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
    Drawn {
        /// From when on: its slot in the pace of the account.
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
    /// No move stayed on the new digest, so the tag is back where it was.
    Restored {
        /// What the tag names now; none if nothing is known of the time before.
        restored: Option<Digest>,
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
            Request::Slot(SlotKey { repository }) => {
                let start_at = match repository {
                    Some(_) => self.port.slot(Slot { registrations: 0, tags: TAGS_PER_STEP }, now).await?,
                    None => self.port.slot(Slot { registrations: 1, tags: tags::OF_A_MOVE }, now).await?,
                };
                Ok(Response::Drawn { start_at })
            }
            Request::Move(key) => self.tag(&key, now).await,
            Request::Restore(key) => self.restore(&key, now).await,
        }
    }

    async fn tag(&self, key: &MoveKey, now: Timestamp) -> Result<Response, Fault> {
        let row = self.moves.load_leased(key).await?.row;
        let place = Place::of(&row);
        let wanted = tags::of_move(&row);
        let seen = self.port.look(&place, &wanted).await?;
        let image = seen.image(&row.digest).ok_or_else(|| not_there(&place, &row.digest))?;
        let already = seen.tagged(&row.tag) == Some(&row.digest);

        self.port.keep_before(key, &row).await?;
        let started = MoveEvent::Started { started: now, children: manifest::children(image)? };
        self.moves.note(key, &row, started).await?;
        for change in tags::missing(&wanted, &seen)? {
            self.write(&place, &row, change, now).await?;
        }
        Ok(Response::Moved { digest: row.digest, already })
    }

    async fn restore(&self, key: &RestoreKey, now: Timestamp) -> Result<Response, Fault> {
        let Changed { repository, moves, undo } = self.port.changed(key).await?;
        let mut plan = restore::plan(&repository, moves.iter(), undo);
        let Some(row) = moves.first() else { return Ok(Response::Restored { restored: None }) };
        let place = Place::of(row);
        let seen = self.port.look(&place, &plan.tags).await?;
        // An image that is gone already needs no keep-tag, and must not hold up the others.
        plan.tags.retain(|tagging| tagging.service.is_none() || seen.image(&tagging.digest).is_some());
        let missing = tags::missing(&plan.tags, &seen)?;
        let left = missing.len().saturating_sub(TAGS_PER_STEP);
        for change in missing.into_iter().take(TAGS_PER_STEP) {
            self.write(&place, row, change, now).await?;
        }
        Ok(match plan.stayed {
            _ if left > 0 => Response::Left { left },
            stayed if stayed.is_empty() => Response::Restored { restored: repository.before },
            stayed => Response::Mixed { mixed: stayed },
        })
    }

    async fn write(
        &self,
        place: &Place,
        row: &MoveRow,
        change: tags::Change<'_>,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let Tagging { tag, digest, .. } = change.tagging;
        if *tag == row.tag {
            // Our own push comes back as an event; this row is how it is recognised.
            self.port.announce(row, digest, now).await?;
        }
        self.port.put(place, tag, change.image).await
    }
}

fn not_there(place: &Place, digest: &Digest) -> Fault {
    Fault::NotFound(format!("the image {}@{digest}", place.repository))
}
