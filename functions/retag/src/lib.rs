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
use pipeline::payload::MoveKey;
use pipeline::rows::{MoveRow, RepositoryRow};
use serde::{Deserialize, Serialize};

use registry::{Place, Port, Slot};
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
pub struct Retag<P> {
    /// ECR and the ledger.
    pub port: P,
}

impl<P: Port> Retag<P> {
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
        let row = self.port.load(key).await?;
        let place = Place::of(&row);
        let wanted = tags::of_move(&row);
        let seen = self.port.look(&place, &wanted).await?;
        let image = seen.image(&row.digest).ok_or_else(|| not_there(&place, &row.digest))?;
        let already = seen.tagged(&row.tag) == Some(&row.digest);

        self.port.begin(key, &row, manifest::children(image)?, now).await?;
        let changes = tags::missing(&wanted, &seen)?;
        if !changes.is_empty() {
            // Once for all of them: a lease passes on only when no call of its holder can still be running.
            self.port.check_lease(key, &row).await?;
        }
        for change in changes {
            self.write(&place, &row, change, now).await?;
        }
        Ok(Response::Moved { digest: row.digest, already })
    }

    async fn restore(&self, key: &RestoreKey, now: Timestamp) -> Result<Response, Fault> {
        let repository: RepositoryRow = self.port.repository(key).await?;
        let moves = self.port.moves(key).await?;
        let undo = self.port.undo(&key.release).await?;
        let mut plan = restore::plan(&repository, moves.iter().map(|(_, row)| row), undo);
        let Some((first, row)) = moves.first() else { return Ok(Response::Restored { restored: None }) };
        let place = Place::of(row);
        let seen = self.port.look(&place, &plan.tags).await?;
        // An image that is gone already needs no keep-tag, and must not hold up the others.
        plan.tags.retain(|tagging| tagging.service.is_none() || seen.image(&tagging.digest).is_some());
        let missing = tags::missing(&plan.tags, &seen)?;
        let left = missing.len().saturating_sub(TAGS_PER_STEP);
        for change in missing.into_iter().take(TAGS_PER_STEP) {
            let holder = moves.iter().find(|(_, row)| change.tagging.service.as_ref() == Some(&row.service));
            let (key, row) = holder.map_or((first, row), |(key, row)| (key, row));
            self.port.check_lease(key, row).await?;
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
