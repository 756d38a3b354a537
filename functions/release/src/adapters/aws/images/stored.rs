//! The images that a repository has.

use aws_sdk_ecr::types::{DescribeImagesFilter, ImageDetail, TagStatus};
use pipeline::Fault;
use pipeline::aws::fault_of;
use pipeline::clock::Timestamp;
use pipeline::ids::Digest;
use pipeline::image::{MEDIA_TYPES, RepositoryRef};

use super::Images;
use crate::ports::StoredImage;

/// How many images ECR lists in one call.
const PER_PAGE: i32 = 1000;

impl Images {
    /// Lists the images that have a tag.
    pub(in crate::adapters::aws) async fn stored(
        &self,
        of: &RepositoryRef,
    ) -> Result<Vec<StoredImage>, Fault> {
        let tagged = DescribeImagesFilter::builder().tag_status(TagStatus::Tagged).build();
        let call = self.ecr.describe_images().registry_id(of.registry.as_str()).filter(tagged);
        let call = call.repository_name(of.repository.as_str()).max_results(PER_PAGE);
        let (mut pages, mut found) = (call.into_paginator().send(), Vec::new());
        while let Some(page) = pages.next().await {
            let page =
                page.map_err(|error| fault_of(&format!("list the images of {}", of.repository), &error))?;
            found.extend(page.image_details.unwrap_or_default().into_iter().filter_map(stored));
        }
        Ok(found)
    }
}

/// Makes our own of an image; none of one that has no digest yet.
fn stored(image: ImageDetail) -> Option<StoredImage> {
    // What names the kind of a manifest once more says nothing of what that describes.
    let described = image.artifact_media_type.filter(|kind| !MEDIA_TYPES.contains(&kind.as_str()));
    let pushed = image.image_pushed_at.and_then(|moment| moment.to_millis().ok());
    Some(StoredImage {
        digest: Digest::parse(image.image_digest?).ok()?,
        tags: image.image_tags.unwrap_or_default(),
        pushed: pushed.map(Timestamp::from_millis),
        manifest_type: image.image_manifest_media_type,
        artifact_type: described,
    })
}
