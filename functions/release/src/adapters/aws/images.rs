//! What ECR says about images and their repositories.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::time::Duration;

use aws_sdk_ecr::Client;
use aws_sdk_ecr::types::{Image as Described, ImageIdentifier};
use pipeline::Fault;
use pipeline::aws::fault_of;
use pipeline::ids::{Digest, Tag};
use pipeline::image::RepositoryRef;
use serde_json::Value;

use crate::ports::{ImageId, Index, Mutability};

/// The label that names the commit, among the annotations of a manifest and among the labels of a configuration.
const COMMIT: &str = "org.opencontainers.image.revision";

/// How long a configuration may take, and how large it may be.
const DEADLINE: Duration = Duration::from_secs(5);
const LARGEST: u64 = 4 * 1024 * 1024;

/// How many commits are remembered.
const MOST_KEPT: usize = 2_000;

/// How much of a commit is shown and kept.
const LONGEST_COMMIT: usize = 64;

/// ECR, and the commits that it told of: an image never changes.
#[derive(Debug)]
pub(super) struct Images {
    ecr: Client,
    commits: Mutex<HashMap<Digest, Option<String>>>,
}

impl Images {
    pub(super) fn new(ecr: Client) -> Self {
        Images { ecr, commits: Mutex::default() }
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

    /// Reads the commit of an image.  It is told to people and decides nothing, so a failure is none of one.
    pub(super) async fn commit(&self, from: &RepositoryRef, digest: &Digest) -> Option<String> {
        let known = self.commits.lock().ok().and_then(|known| known.get(digest).cloned());
        if let Some(known) = known {
            return known;
        }
        let commit = match self.read_commit(from, digest).await {
            Ok(commit) => commit,
            Err(fault) => {
                tracing::warn!(fault = fault.name(), "the commit of {digest} is not known: {fault}");
                return None;
            }
        };
        // It goes into messages and tables: nothing but a word.
        let commit = commit.filter(|text| !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic()));
        let commit: Option<String> = commit.map(|text| text.chars().take(LONGEST_COMMIT).collect());
        if let Ok(mut known) = self.commits.lock() {
            if known.len() >= MOST_KEPT {
                known.clear();
            }
            known.insert(digest.clone(), commit.clone());
        }
        commit
    }

    async fn read_commit(&self, from: &RepositoryRef, digest: &Digest) -> Result<Option<String>, Fault> {
        let mut manifest = self.manifest(from, digest).await?;
        if let Some(commit) = text(&manifest, &["annotations", COMMIT]) {
            return Ok(Some(commit));
        }
        // Every image of an index was built from the same commit, or there is no one commit to tell of.
        if let Some(child) = manifest.pointer("/manifests/0/digest").and_then(Value::as_str) {
            manifest = self.manifest(from, &Digest::parse(child)?).await?;
        }
        let Some(config) = text(&manifest, &["config", "digest"]) else { return Ok(None) };
        let call = self.ecr.get_download_url_for_layer().registry_id(from.registry.as_str());
        let call = call.repository_name(from.repository.as_str()).layer_digest(&config);
        let answer = call.send().await;
        let answer = answer.map_err(|error| fault_of(&format!("download {config}"), &error))?;
        let config = download(answer.download_url().unwrap_or_default()).await?;
        Ok(text(&config, &["config", "Labels", COMMIT]))
    }

    async fn manifest(&self, from: &RepositoryRef, digest: &Digest) -> Result<Value, Fault> {
        let found = self.get(from, &[ImageId::Digest(digest.clone())]).await?;
        let manifest = found.first().and_then(|image| image.image_manifest());
        Ok(manifest.and_then(|manifest| serde_json::from_str(manifest).ok()).unwrap_or_default())
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
        Ok(found)
    }

    pub(super) async fn mutability(&self, of: &RepositoryRef) -> Result<Mutability, Fault> {
        let call = self.ecr.describe_repositories().registry_id(of.registry.as_str());
        let answer = call.repository_names(of.repository.as_str()).send().await;
        let answer = answer
            .map_err(|error| fault_of(&format!("describe the repository {}", of.repository), &error))?;
        let repository = answer.repositories().first();
        let kind =
            repository.and_then(|one| one.image_tag_mutability()).map_or("MUTABLE", |kind| kind.as_str());
        let filters = repository.map(|one| one.image_tag_mutability_exclusion_filters()).unwrap_or_default();
        let except = filters.iter().map(|filter| filter.filter().to_owned()).collect();
        Ok(Mutability { movable: kind.starts_with("MUTABLE"), except })
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

/// Reads a document that ECR signed an address for.
async fn download(url: &str) -> Result<Value, Fault> {
    // It fails where there is one already, which is then as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    let failed = |error: reqwest::Error| Fault::Unavailable(error.without_url().to_string());
    let client = reqwest::Client::builder().no_proxy().timeout(DEADLINE).build().map_err(failed)?;
    let answer = client.get(url).send().await.and_then(reqwest::Response::error_for_status);
    let answer = answer.map_err(failed)?;
    if answer.content_length().is_none_or(|length| length > LARGEST) {
        return Err(Fault::NotSupported(format!("a configuration of more than {LARGEST} bytes")));
    }
    let bytes = answer.bytes().await.map_err(failed)?;
    serde_json::from_slice(&bytes).map_err(|error| Fault::InvalidInput(error.to_string()))
}

/// Returns the text at a path of keys; none if there is none.
fn text(document: &Value, path: &[&str]) -> Option<String> {
    path.iter().try_fold(document, |value, key| value.get(key))?.as_str().map(str::to_owned)
}
