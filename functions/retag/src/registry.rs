//! The port to ECR and the ledger, and its adapter.

use std::collections::{BTreeMap, BTreeSet};

use aws_config::SdkConfig;
use aws_sdk_ecr::Client;
use aws_sdk_ecr::types::{Image, ImageIdentifier};
use pipeline::aws::fault_of;
use pipeline::clock::Timestamp;
use pipeline::ids::{Digest, Registry, Repository};
use pipeline::image::{MEDIA_TYPES, PER_CALL};
use pipeline::ledger::{Key, Ledger};
use pipeline::payload::{MoveKey, MoveRef};
use pipeline::rows::{Failure, MoveRow, RepositoryRow, TagRow, Undo, WriteRow};
use pipeline::{Fault, pace};
use serde_json::json;

use crate::RestoreKey;
use crate::manifest::Manifest;
use crate::tags::Tagging;

/// How long a written tag is remembered; events are delivered within a day or not at all.
const REMEMBERED_SECONDS: i64 = 7 * 24 * 3600;

/// One repository.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// The account.
    pub registry: Registry,
    /// The name.
    pub repository: Repository,
}

impl Place {
    /// Returns where the image of a move is.
    pub fn of(row: &MoveRow) -> Self {
        Place { registry: row.registry.clone(), repository: row.repository.clone() }
    }
}

/// What is about to be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// How many task definitions will be registered.
    pub registrations: i64,
    /// How many tags will be written at most.
    pub tags: usize,
}

/// What is in a repository, of all that was asked for.
#[derive(Debug, Default, PartialEq)]
pub struct Seen {
    images: BTreeMap<Digest, Manifest>,
    tags: BTreeMap<String, Digest>,
}

impl Seen {
    /// Makes it of images and tags.
    pub fn new(
        images: impl IntoIterator<Item = Manifest>,
        tags: impl IntoIterator<Item = (String, Digest)>,
    ) -> Self {
        let images = images.into_iter().map(|image| (image.digest.clone(), image)).collect();
        Seen { images, tags: tags.into_iter().collect() }
    }

    /// Takes an image, and the tag by which it was found.
    fn take(&mut self, image: Image) -> Result<(), Fault> {
        let (Some(id), Some(bytes)) = (image.image_id, image.image_manifest) else { return Ok(()) };
        let digest = Digest::parse(id.image_digest.unwrap_or_default())?;
        self.tags.extend(id.image_tag.map(|tag| (tag, digest.clone())));
        let media_type = image.image_manifest_media_type.unwrap_or_default();
        self.images.insert(digest.clone(), Manifest::checked(digest, media_type, bytes)?);
        Ok(())
    }

    /// Returns the image with that digest.
    pub fn image(&self, digest: &Digest) -> Option<&Manifest> {
        self.images.get(digest)
    }

    /// Returns what a tag names.
    pub fn tagged(&self, tag: &str) -> Option<&Digest> {
        self.tags.get(tag)
    }
}

/// All that the function asks of the world.
pub trait Port {
    /// Reads the images and tags of some taggings.
    async fn look(&self, place: &Place, wanted: &[Tagging]) -> Result<Seen, Fault>;
    /// Writes down what the environment had before the first move of a repository.
    async fn keep_before(&self, key: &MoveKey, row: &MoveRow) -> Result<(), Fault>;
    /// Writes down that the environment's tag is about to be written.
    async fn announce(&self, row: &MoveRow, digest: &Digest, now: Timestamp) -> Result<(), Fault>;
    /// Reads who moved the environment's tag.
    async fn movers(&self, row: &MoveRow) -> Result<TagRow, Fault>;
    /// Writes that down, if nobody else did since it was read; tells whether it was written.
    async fn set_movers(&self, row: &MoveRow, movers: &TagRow) -> Result<bool, Fault>;
    /// Notes why tags of a repository did not go back.
    async fn note_failure(&self, key: &RestoreKey, failure: &Failure) -> Result<(), Fault>;
    /// Writes a tag.
    async fn put(&self, place: &Place, tag: &str, image: &Manifest) -> Result<(), Fault>;
    /// Draws a slot in the pace of the account.
    async fn slot(&self, slot: Slot, now: Timestamp) -> Result<Timestamp, Fault>;
    /// Reads all that decides which tags of a repository go back, if its release still holds their services.
    async fn changed(&self, key: &RestoreKey) -> Result<Changed, Fault>;
}

/// What a release has done to a repository.
#[derive(Clone, Debug)]
pub struct Changed {
    /// The repository's row of the release.
    pub repository: RepositoryRow,
    /// The moves to its images.
    pub moves: Vec<MoveRow>,
    /// What of the release is undone.
    pub undo: Option<Undo>,
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
    async fn look(&self, place: &Place, wanted: &[Tagging]) -> Result<Seen, Fault> {
        let digests: BTreeSet<&Digest> = wanted.iter().map(|tagging| &tagging.digest).collect();
        let by_digest = |digest: &Digest| ImageIdentifier::builder().image_digest(digest.as_str()).build();
        let by_tag = |tagging: &Tagging| ImageIdentifier::builder().image_tag(&tagging.tag).build();
        let ids: Vec<_> = digests.into_iter().map(by_digest).chain(wanted.iter().map(by_tag)).collect();
        let mut seen = Seen::default();
        for ids in ids.chunks(PER_CALL) {
            let call = self.ecr.batch_get_image().registry_id(place.registry.as_str());
            let call = call.repository_name(place.repository.as_str()).set_image_ids(Some(ids.to_vec()));
            // With fewer types ECR would convert a manifest read by tag, and its digest would be another.
            let call = call.set_accepted_media_types(Some(MEDIA_TYPES.map(str::to_owned).to_vec()));
            let answer = call.send().await;
            let answer =
                answer.map_err(|error| fault_of(&format!("read images of {}", place.repository), &error))?;
            for image in answer.images.unwrap_or_default() {
                seen.take(image)?;
            }
        }
        Ok(seen)
    }

    async fn keep_before(&self, key: &MoveKey, row: &MoveRow) -> Result<(), Fault> {
        if let MoveRef::Inline(_) = key.which {
            return Ok(());
        }
        let before = row.restore.as_ref().map(|restore| restore.digest.clone());
        let (registry, repository) = (row.registry.clone(), row.repository.clone());
        let first = RepositoryRow { registry, repository, tag: row.tag.clone(), before, failure: None };
        self.ledger.put_new(&Key::repository(&key.release, row.repository_row), &first).await?;
        Ok(())
    }

    async fn announce(&self, row: &MoveRow, digest: &Digest, now: Timestamp) -> Result<(), Fault> {
        let expires = now.plus_seconds(REMEMBERED_SECONDS).millis() / 1000;
        let write = WriteRow { digest: digest.clone(), time: now, expires };
        self.ledger.put(&Key::write(&row.environment, &row.repository, now), &write).await
    }

    async fn movers(&self, row: &MoveRow) -> Result<TagRow, Fault> {
        let movers = self.ledger.get(&Key::tag(&row.environment, &row.repository)).await?;
        Ok(movers.unwrap_or_default())
    }

    async fn set_movers(&self, row: &MoveRow, movers: &TagRow) -> Result<bool, Fault> {
        let TagRow { version, moves } = movers;
        let seen = json!({"seen": version.saturating_sub(1)});
        let unchanged = ("attribute_not_exists(pk) OR #version = :seen", seen);
        let fields = json!({"version": version, "moves": moves});
        self.ledger.set(&Key::tag(&row.environment, &row.repository), fields, Some(unchanged)).await
    }

    async fn note_failure(&self, key: &RestoreKey, failure: &Failure) -> Result<(), Fault> {
        let row = Key::repository(&key.release, key.repository);
        self.ledger.set(&row, json!({"failure": failure}), None).await?;
        Ok(())
    }

    async fn put(&self, place: &Place, tag: &str, image: &Manifest) -> Result<(), Fault> {
        let call = self.ecr.put_image().registry_id(place.registry.as_str());
        let call = call.repository_name(place.repository.as_str()).image_tag(tag);
        let call = call.image_manifest(&image.bytes).image_digest(image.digest.as_str());
        let call = call
            .set_image_manifest_media_type(Some(image.media_type.clone()).filter(|kind| !kind.is_empty()));
        let Err(error) = call.send().await else { return Ok(()) };
        match error.as_service_error() {
            Some(known) if known.is_image_already_exists_exception() => Ok(()),
            Some(known) if known.is_image_tag_already_exists_exception() => Err(Fault::Denied(format!(
                "the tag {tag} of {} is immutable: exclude it with the filters {tag} and tidegate.* \
                 (imageTagMutabilityExclusionFilters)",
                place.repository
            ))),
            _ => Err(fault_of(&format!("tag {} of {} as {tag}", image.digest, place.repository), &error)),
        }
    }

    async fn slot(&self, Slot { registrations, tags }: Slot, now: Timestamp) -> Result<Timestamp, Fault> {
        let tagging = pace::PUT.draw(&self.ledger, i64::try_from(tags).unwrap_or(i64::MAX), now).await?;
        match registrations {
            0 => Ok(tagging),
            some => Ok(tagging.max(pace::REGISTER.draw(&self.ledger, some, now).await?)),
        }
    }

    async fn changed(&self, key: &RestoreKey) -> Result<Changed, Fault> {
        let repository = self.ledger.get(&Key::repository(&key.release, key.repository)).await?;
        let repository = repository
            .ok_or_else(|| Fault::NotFound(format!("repository {} of {}", key.repository, key.release)))?;
        let moves = self.ledger.moves(&key.release).await?.into_iter().map(|(_, row)| row);
        let moves: Vec<MoveRow> = moves.filter(|row| row.repository_row == key.repository).collect();
        self.ledger.check_leases(&key.release, &moves).await?;
        Ok(Changed { repository, moves, undo: self.ledger.undo_of(&key.release).await? })
    }
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
