//! What ECR says about images and their repositories.

mod contents;
mod scan;
mod signing;
mod stored;

use std::collections::BTreeMap;

use aws_sdk_ecr::Client;
use aws_sdk_ecr::types::{Image as Described, ImageIdentifier};
use pipeline::Fault;
use pipeline::aws::fault_of;
use pipeline::http::Http;
use pipeline::ids::{Digest, Registry, Repository, Tag};
use pipeline::image::RepositoryRef;
use serde_json::Value;

use crate::ports::{ImageId, Index, Mutability};
use contents::Known;

/// How many repositories ECR describes in one call.
const REPOSITORIES_PER_CALL: usize = 100;

/// ECR, and what is known of its images: they never change.
#[derive(Debug)]
pub(super) struct Images {
    ecr: Client,
    http: Http,
    known: Known,
}

impl Images {
    pub(super) fn new(ecr: Client) -> Self {
        Images { ecr, http: Http::new(), known: Known::default() }
    }

    pub(super) async fn find(
        &self,
        from: &RepositoryRef,
        images: &[ImageId],
    ) -> Result<BTreeMap<String, Digest>, Fault> {
        let mut found = BTreeMap::new();
        for id in self.get(from, images).await?.iter().filter_map(|image| image.image_id()) {
            let digest = Digest::parse(id.image_digest().unwrap_or_default())?;
            found.extend(id.image_tag().map(|tag| (tag.to_owned(), digest.clone())));
            found.insert(digest.to_string(), digest);
        }
        Ok(found)
    }

    pub(super) async fn index(&self, from: &RepositoryRef, tag: &Tag) -> Result<Option<Index>, Fault> {
        let found = self.get(from, &[ImageId::Tag(tag.clone())]).await?;
        let Some(image) = found.first() else { return Ok(None) };
        let manifest = image.image_manifest().and_then(|text| serde_json::from_str::<Value>(text).ok());
        let images = manifest.as_ref().and_then(|manifest| manifest.get("manifests")?.as_array());
        let Some(images) = images else { return Ok(None) };
        let images = images.iter().filter_map(|one| Digest::parse(one.get("digest")?.as_str()?).ok());
        let digest = image.image_id().and_then(|id| id.image_digest()).unwrap_or_default();
        Ok(Some(Index { digest: Digest::parse(digest)?, images: images.collect() }))
    }

    async fn get(&self, from: &RepositoryRef, images: &[ImageId]) -> Result<Vec<Described>, Fault> {
        let ids = images.iter().map(|image| match image {
            ImageId::Digest(digest) => ImageIdentifier::builder().image_digest(digest.as_str()).build(),
            ImageId::Tag(tag) => ImageIdentifier::builder().image_tag(tag.as_str()).build(),
        });
        let (ids, mut found) = (ids.collect::<Vec<_>>(), Vec::new());
        for ids in ids.chunks(pipeline::image::PER_CALL) {
            let call = self.ecr.batch_get_image().registry_id(from.registry.as_str());
            let call = call.repository_name(from.repository.as_str()).set_image_ids(Some(ids.to_vec()));
            let call =
                call.set_accepted_media_types(Some(pipeline::image::MEDIA_TYPES.map(str::to_owned).to_vec()));
            let answer = call.send().await;
            let answer = answer
                .map_err(|error| fault_of(&format!("look for images in {}", from.repository), &error))?;
            found.extend(answer.images.unwrap_or_default());
        }
        found.iter().for_each(|image| self.known.meet(image));
        Ok(found)
    }

    pub(super) async fn mutability(
        &self,
        registry: &Registry,
        of: &[&Repository],
    ) -> Result<BTreeMap<Repository, Mutability>, Fault> {
        let mut known = BTreeMap::new();
        for some in of.chunks(REPOSITORIES_PER_CALL) {
            let names: Vec<String> = some.iter().map(ToString::to_string).collect();
            let attempted = format!("describe the repositories {}", names.join(", "));
            let call = self.ecr.describe_repositories().registry_id(registry.as_str());
            let answer = call.set_repository_names(Some(names)).send().await;
            let answer = answer.map_err(|error| fault_of(&attempted, &error))?;
            for repository in answer.repositories() {
                let kind = repository.image_tag_mutability().map_or("MUTABLE", |kind| kind.as_str());
                let filters = repository.image_tag_mutability_exclusion_filters();
                let except = filters.iter().map(|filter| filter.filter().to_owned()).collect();
                let mutability = Mutability { movable: kind.starts_with("MUTABLE"), except };
                known
                    .insert(Repository::parse(repository.repository_name().unwrap_or_default())?, mutability);
            }
        }
        Ok(known)
    }

    pub(super) async fn lifecycle(&self, of: &RepositoryRef) -> Result<Option<String>, Fault> {
        let call = self.ecr.get_lifecycle_policy().registry_id(of.registry.as_str());
        match call.repository_name(of.repository.as_str()).send().await {
            Ok(answer) => Ok(answer.lifecycle_policy_text),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|known| known.is_lifecycle_policy_not_found_exception()) =>
            {
                Ok(None)
            }
            Err(error) => Err(fault_of(&format!("read the lifecycle policy of {}", of.repository), &error)),
        }
    }
}
