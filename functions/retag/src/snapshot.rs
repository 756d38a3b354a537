//! What ECR says of a repository.

use std::collections::BTreeMap;

use aws_sdk_ecr::types::Image;
use pipeline::Fault;
use pipeline::ids::Digest;

use crate::manifest::Manifest;

/// What is in a repository, of all that was asked for.
#[derive(Debug, Default, PartialEq)]
pub struct RepositorySnapshot {
    images: BTreeMap<Digest, Manifest>,
    tags: BTreeMap<String, Digest>,
}

impl RepositorySnapshot {
    /// Makes it of images and tags.
    pub fn new(
        images: impl IntoIterator<Item = Manifest>,
        tags: impl IntoIterator<Item = (String, Digest)>,
    ) -> Self {
        let images = images.into_iter().map(|image| (image.digest.clone(), image)).collect();
        RepositorySnapshot { images, tags: tags.into_iter().collect() }
    }

    /// Takes an image, and the tag by which it was found.
    pub fn take(&mut self, image: Image) -> Result<(), Fault> {
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
