//! The port to ECR and the ledger, and its adapter.

use std::collections::{BTreeSet, HashMap};

use aws_config::SdkConfig;
use aws_sdk_ecr::Client;
use aws_sdk_ecr::types::ImageIdentifier;
use pipeline::aws::fault_of;
use pipeline::clock::Timestamp;
use pipeline::ids::Digest;
use pipeline::image::{MEDIA_TYPES, PER_CALL, RepositoryRef};
use pipeline::ledger::{Key, Ledger, MoveLedger, Write};
use pipeline::payload::{MoveKey, MoveRef};
use pipeline::rows::{Failure, MoveEvent, MoveRow, RepositoryRow, RollbackScope, TagRow, WriteRow};
use pipeline::{Fault, rate_limit};
use serde_json::{Value, json};

use crate::RestoreKey;
use crate::manifest::Manifest;
use crate::snapshot::RepositorySnapshot;
use crate::tags::Tagging;

/// How long a written tag is remembered; events are delivered within a day or not at all.
const REMEMBERED_SECONDS: i64 = 7 * 24 * 3600;

/// What is about to be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlannedCalls {
    /// How many task definitions will be registered.
    pub registrations: i64,
    /// How many tags will be written at most.
    pub tags: usize,
    /// Whether others probably reserve at the same moment.
    pub is_crowded: bool,
}

/// All that the function asks of the world.
pub trait Port {
    /// Reads the images and tags of some taggings.
    async fn snapshot(&self, at: &RepositoryRef, wanted: &[Tagging]) -> Result<RepositorySnapshot, Fault>;
    /// Reads what is known of the repository of a move.
    async fn known(&self, key: &MoveKey, row: &MoveRow) -> Result<Known, Fault>;
    /// Writes down that a move begins, if nobody has changed what is known since; tells whether it was written.
    async fn begin(&self, key: &MoveKey, row: &MoveRow, start: Start) -> Result<bool, Fault>;
    /// Writes down that the environment's tag is about to be written.
    async fn announce(&self, row: &MoveRow, digest: &Digest, now: Timestamp) -> Result<(), Fault>;
    /// Reads who moved the environment's tag.
    async fn movers(&self, row: &MoveRow) -> Result<TagRow, Fault>;
    /// Writes that down, if nobody else did since it was read; tells whether it was written.
    async fn set_movers(&self, row: &MoveRow, movers: &TagRow) -> Result<bool, Fault>;
    /// Notes why tags of a repository did not go back.
    async fn note_failure(&self, key: &RestoreKey, failure: &Failure) -> Result<(), Fault>;
    /// Writes a tag.
    async fn put(&self, at: &RepositoryRef, tag: &str, image: &Manifest) -> Result<(), Fault>;
    /// Reserves calls within the rate of the account.
    async fn reserve(&self, calls: PlannedCalls, now: Timestamp) -> Result<Timestamp, Fault>;
    /// Reads all that decides which tags of a repository go back, if its release still holds their services.
    async fn changed(&self, key: &RestoreKey) -> Result<Changed, Fault>;
}

/// What the ledger knows of the repository of a move.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Whether a move of this release has begun there.
    pub is_begun: bool,
    /// Who moved the environment's tag.
    pub movers: TagRow,
}

/// What is written down before a move writes a tag, all of it or nothing.
#[derive(Clone, Debug)]
pub struct Start {
    /// When it begins.
    pub started: Timestamp,
    /// The digests that the image's index names.
    pub children: Vec<Digest>,
    /// Whether it is the first of its release in its repository: then what the environment had before is kept.
    pub is_first: bool,
    /// Who has moved the environment's tag then, if that changes.
    pub movers: Option<TagRow>,
    /// Whether the environment's tag is about to be written.  Our own push comes back as an event; this is how it is
    /// recognised.
    pub announces: bool,
}

/// What a release has done to a repository.
#[derive(Clone, Debug)]
pub struct Changed {
    /// The repository's row of the release.
    pub repository: RepositoryRow,
    /// The moves to its images.
    pub moves: Vec<MoveRow>,
    /// What of the release is rolled back.
    pub rollback: Option<RollbackScope>,
}

/// ECR and the ledger.
#[derive(Debug)]
pub struct Aws {
    ecr: Client,
    ledger: Ledger,
}

impl Aws {
    /// Makes the adapter.
    pub fn new(config: &SdkConfig, ledger: Ledger) -> Self {
        Aws { ecr: Client::new(config), ledger }
    }
}

impl Port for Aws {
    async fn snapshot(&self, at: &RepositoryRef, wanted: &[Tagging]) -> Result<RepositorySnapshot, Fault> {
        let digests: BTreeSet<&Digest> = wanted.iter().map(|tagging| &tagging.digest).collect();
        let by_digest = |digest: &Digest| ImageIdentifier::builder().image_digest(digest.as_str()).build();
        let by_tag = |tagging: &Tagging| ImageIdentifier::builder().image_tag(&tagging.tag).build();
        let ids: Vec<_> = digests.into_iter().map(by_digest).chain(wanted.iter().map(by_tag)).collect();
        let mut seen = RepositorySnapshot::default();
        for ids in ids.chunks(PER_CALL) {
            let call = self.ecr.batch_get_image().registry_id(at.registry.as_str());
            let call = call.repository_name(at.repository.as_str()).set_image_ids(Some(ids.to_vec()));
            // With fewer types ECR would convert a manifest read by tag, and its digest would be another.
            let call = call.set_accepted_media_types(Some(MEDIA_TYPES.map(str::to_owned).to_vec()));
            let answer = call.send().await;
            let answer =
                answer.map_err(|error| fault_of(&format!("read images of {}", at.repository), &error))?;
            for image in answer.images.unwrap_or_default() {
                seen.take(image)?;
            }
        }
        Ok(seen)
    }

    async fn known(&self, key: &MoveKey, row: &MoveRow) -> Result<Known, Fault> {
        if let MoveRef::Inline(_) = key.which {
            return Ok(Known::default());
        }
        let [repository, tag] =
            [Key::repository(&key.release, row.repository_row), Key::tag(&row.environment, &row.repository)];
        let mut rows: HashMap<Key, Value> = self.ledger.get_all(&[repository.clone(), tag.clone()]).await?;
        let movers = rows.remove(&tag).map(serde_json::from_value).transpose();
        let movers = movers.map_err(|error| {
            Fault::Defect(format!("who moved the tag of {} cannot be read: {error}", row.repository))
        })?;
        Ok(Known { is_begun: rows.contains_key(&repository), movers: movers.unwrap_or_default() })
    }

    async fn begin(&self, key: &MoveKey, row: &MoveRow, start: Start) -> Result<bool, Fault> {
        let Start { started, children, is_first, movers, announces } = start;
        let mut others = Vec::new();
        if is_first {
            others.push(first_of(key, row)?);
        }
        others.extend(movers.map(|movers| moved_by(row, &movers)));
        if announces {
            let (key, announced) = announced(row, &row.digest, started);
            others.push(Write::put(key, &announced)?);
        }
        self.ledger.note_with(key, row, MoveEvent::Started { started, children }, others).await
    }

    async fn announce(&self, row: &MoveRow, digest: &Digest, now: Timestamp) -> Result<(), Fault> {
        let (key, announced) = announced(row, digest, now);
        self.ledger.put(&key, &announced).await
    }

    async fn movers(&self, row: &MoveRow) -> Result<TagRow, Fault> {
        let movers = self.ledger.get(&Key::tag(&row.environment, &row.repository)).await?;
        Ok(movers.unwrap_or_default())
    }

    async fn set_movers(&self, row: &MoveRow, movers: &TagRow) -> Result<bool, Fault> {
        Ok(self.ledger.transact(vec![moved_by(row, movers)]).await?.is_none())
    }

    async fn note_failure(&self, key: &RestoreKey, failure: &Failure) -> Result<(), Fault> {
        let row = Key::repository(&key.release, key.repository);
        self.ledger.set(&row, json!({"failure": failure}), None).await?;
        Ok(())
    }

    async fn put(&self, at: &RepositoryRef, tag: &str, image: &Manifest) -> Result<(), Fault> {
        let call = self.ecr.put_image().registry_id(at.registry.as_str());
        let call = call.repository_name(at.repository.as_str()).image_tag(tag);
        let call = call.image_manifest(&image.bytes).image_digest(image.digest.as_str());
        let call = call
            .set_image_manifest_media_type(Some(image.media_type.clone()).filter(|kind| !kind.is_empty()));
        let Err(error) = call.send().await else { return Ok(()) };
        match error.as_service_error() {
            Some(known) if known.is_image_already_exists_exception() => Ok(()),
            Some(known) if known.is_image_tag_already_exists_exception() => Err(Fault::Denied(format!(
                "the tag {tag} of {} is immutable: exclude it with the filters {tag} and tidegate.* \
                 (imageTagMutabilityExclusionFilters)",
                at.repository
            ))),
            _ => Err(fault_of(&format!("tag {} of {} as {tag}", image.digest, at.repository), &error)),
        }
    }

    async fn reserve(
        &self,
        PlannedCalls { registrations, tags, is_crowded }: PlannedCalls,
        now: Timestamp,
    ) -> Result<Timestamp, Fault> {
        let tags = i64::try_from(tags).unwrap_or(i64::MAX);
        let tagging = rate_limit::PUT.reserve(&self.ledger, (tags, is_crowded), now).await?;
        match registrations {
            0 => Ok(tagging),
            // Not before its tags: what misses its turn would come among those whose turn it is.
            some => rate_limit::REGISTER.reserve(&self.ledger, (some, is_crowded), tagging).await,
        }
    }

    async fn changed(&self, key: &RestoreKey) -> Result<Changed, Fault> {
        let repository = self.ledger.get(&Key::repository(&key.release, key.repository)).await?;
        let repository = repository
            .ok_or_else(|| Fault::NotFound(format!("repository {} of {}", key.repository, key.release)))?;
        let moves = self.ledger.moves(&key.release).await?.into_iter().map(|(_, row)| row);
        let moves: Vec<MoveRow> = moves.filter(|row| row.repository_row == key.repository).collect();
        self.ledger.check_leases(&key.release, &moves).await?;
        Ok(Changed { repository, moves, rollback: self.ledger.rollback_scope(&key.release).await? })
    }
}

/// Keeps what the environment had before the first move of a release in a repository.
fn first_of(key: &MoveKey, row: &MoveRow) -> Result<Write, Fault> {
    let before = row.restore.as_ref().map(|restore| restore.digest.clone());
    let (registry, repository) = (row.registry.clone(), row.repository.clone());
    let first = RepositoryRow { registry, repository, tag: row.tag.clone(), before, failure: None };
    let write = Write::put(Key::repository(&key.release, row.repository_row), &first)?;
    Ok(write.when(("attribute_not_exists(pk)", json!({}))))
}

/// Says who has moved the environment's tag, if nobody else did since that was read.
fn moved_by(row: &MoveRow, TagRow { version, moves }: &TagRow) -> Write {
    let fields = json!({"version": version, "moves": moves});
    let seen = json!({"seen": version.saturating_sub(1)});
    let write = Write::set(Key::tag(&row.environment, &row.repository), fields);
    write.when(("attribute_not_exists(pk) OR #version = :seen", seen))
}

/// Says that the environment's tag is about to be written.
fn announced(row: &MoveRow, digest: &Digest, now: Timestamp) -> (Key, WriteRow) {
    let expires = now.plus_seconds(REMEMBERED_SECONDS).millis() / 1000;
    let announced = WriteRow { digest: digest.clone(), time: now, expires };
    (Key::write(&row.environment, &row.repository, now), announced)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub fn digest(letter: char) -> Digest {
        Digest::parse(format!("sha256:{}", letter.to_string().repeat(64))).unwrap()
    }

    pub fn image(digest: &Digest) -> Manifest {
        Manifest { digest: digest.clone(), media_type: MEDIA_TYPES[2].to_owned(), bytes: "{}".to_owned() }
    }

    pub fn row() -> MoveRow {
        let request = include_str!("../../../events/retag/good.json");
        let request: serde_json::Value = serde_json::from_str(request).unwrap();
        serde_json::from_value(request.get("move").unwrap().clone()).unwrap()
    }
}
