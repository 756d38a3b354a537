//! ECR: repositories with images and tags.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{ACCOUNT, Answer, REGION, Refusal, unknown};

/// How many images one call returns.
const IMAGES_PER_CALL: usize = 100;

/// How many images one call lists.
const LISTED_PER_CALL: usize = 1000;

/// The repositories.
#[derive(Clone, Debug, Default)]
pub struct Ecr {
    /// Milliseconds since 1970, as the account has it: ECR says when an image was pushed.
    pub(crate) now: i64,
    repositories: BTreeMap<String, Repository>,
}

#[derive(Clone, Debug, Default)]
struct Repository {
    manifests: BTreeMap<String, String>,
    tags: BTreeMap<String, String>,
    /// The digests as they were pushed, oldest first.
    pushed: Vec<String>,
    /// When each was pushed for the first time.
    times: BTreeMap<String, i64>,
}

impl Ecr {
    /// Pushes an image that says `what` it is; returns its digest.
    pub fn push(&mut self, repository: &str, what: &str, tag: Option<&str>) -> String {
        let manifest = json!({"schemaVersion": 2, "layers": [], "annotations": {"what": what}}).to_string();
        let digest = digest_of(&manifest);
        let now = self.now;
        let repository = self.repositories.entry(repository.to_owned()).or_default();
        repository.times.entry(digest.clone()).or_insert(now);
        if repository.manifests.insert(digest.clone(), manifest).is_none() {
            repository.pushed.push(digest.clone());
        }
        repository.tags.extend(tag.map(|tag| (tag.to_owned(), digest.clone())));
        digest
    }

    /// Takes a tag away everywhere, and all images that have none.
    pub fn forget(&mut self, tag: &str) {
        for repository in self.repositories.values_mut() {
            repository.tags.remove(tag);
            let tags = &repository.tags;
            repository.manifests.retain(|digest, _| tags.values().any(|named| named == digest));
        }
    }

    /// Has a tag name an image.
    pub fn tag(&mut self, repository: &str, tag: &str, digest: &str) {
        if let Some(repository) = self.repositories.get_mut(repository) {
            repository.tags.insert(tag.to_owned(), digest.to_owned());
        }
    }

    /// Takes the oldest images of a repository but so many, as a lifecycle rule does beside one that spares keep-tags.
    pub fn expire(&mut self, repository: &str, keep: usize) {
        let Some(Repository { manifests, tags, pushed, .. }) = self.repositories.get_mut(repository) else {
            return;
        };
        let spared: Vec<String> = tags
            .iter()
            .filter(|(tag, _)| tag.starts_with("tidegate."))
            .map(|(_, digest)| digest.clone())
            .collect();
        let old = pushed.len().saturating_sub(keep);
        let gone: Vec<String> =
            pushed.iter().take(old).filter(|one| !spared.contains(one)).cloned().collect();
        manifests.retain(|digest, _| !gone.contains(digest));
        tags.retain(|_, digest| !gone.contains(digest));
        pushed.retain(|digest| !gone.contains(digest));
    }

    /// Tells whether an image reference names an image that is there.
    pub fn has(&self, image: &str) -> bool {
        let Some((_, name)) = image.split_once(".amazonaws.com/") else { return false };
        let repository = name.split(['@', ':']).next().unwrap_or_default();
        let digest = self.resolve(image);
        self.repositories
            .get(repository)
            .zip(digest)
            .is_some_and(|(one, digest)| one.manifests.contains_key(&digest))
    }

    /// Returns all tags: the repository, the tag, and the digest that it names.
    pub fn tags(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.repositories.iter().flat_map(|(repository, inside)| {
            inside.tags.iter().map(|(tag, digest)| (repository.as_str(), tag.as_str(), digest.as_str()))
        })
    }

    /// Returns what a tag names.
    pub fn tagged(&self, repository: &str, tag: &str) -> Option<&str> {
        self.repositories.get(repository)?.tags.get(tag).map(String::as_str)
    }

    /// Returns the digest of an image reference, as ECS resolves it.
    pub fn resolve(&self, image: &str) -> Option<String> {
        let (_, rest) = image.split_once(".amazonaws.com/")?;
        match (rest.split_once('@'), rest.split_once(':')) {
            (Some((_, digest)), _) => Some(digest.to_owned()),
            (None, Some((repository, tag))) => self.tagged(repository, tag).map(str::to_owned),
            _ => None,
        }
    }

    pub(super) fn answer(&mut self, name: &str, input: &Value) -> Answer {
        if name == "DescribeRepositories" {
            let names = input["repositoryNames"].as_array().into_iter().flatten();
            let all: Result<Vec<Value>, Refusal> = names.map(|name| self.described(name)).collect();
            return Ok(json!({"repositories": all?}));
        }
        let called = input["repositoryName"].as_str().unwrap_or_default();
        let Some(repository) = self.repositories.get_mut(called) else { return Err(no_repository(called)) };
        match name {
            "BatchGetImage" => repository.get(called, input),
            "DescribeImages" => repository.list(called, input),
            "PutImage" => repository.put(input),
            "GetLifecyclePolicy" => Err(Refusal::new("LifecyclePolicyNotFoundException", called)),
            // Layers are beyond this AWS; whoever reads one can do without.
            "GetDownloadUrlForLayer" => Err(Refusal::new("LayersNotFoundException", called)),
            _ => Err(unknown(name)),
        }
    }

    fn described(&self, name: &Value) -> Answer {
        let name = name.as_str().unwrap_or_default();
        if !self.repositories.contains_key(name) {
            return Err(no_repository(name));
        }
        let uri = format!("{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{name}");
        Ok(json!({"repositoryName": name, "registryId": ACCOUNT, "repositoryUri": uri,
                  "imageTagMutability": "MUTABLE"}))
    }
}

impl Repository {
    fn get(&self, called: &str, input: &Value) -> Answer {
        let ids = input["imageIds"].as_array().cloned().unwrap_or_default();
        if ids.len() > IMAGES_PER_CALL {
            return Err(Refusal::new("ValidationException", "more than 100 images in one call"));
        }
        let (mut images, mut failures) = (Vec::new(), Vec::new());
        for id in ids {
            let tagged = id["imageTag"].as_str().and_then(|tag| self.tags.get(tag)).map(String::as_str);
            let found =
                id["imageDigest"].as_str().or(tagged).and_then(|digest| self.manifests.get_key_value(digest));
            let Some((digest, manifest)) = found else {
                failures.push(json!({"imageId": id, "failureCode": "ImageNotFound"}));
                continue;
            };
            let mut image_id = json!({"imageDigest": digest});
            if let (Some(tag), Some(fields)) = (id.get("imageTag"), image_id.as_object_mut()) {
                fields.insert("imageTag".to_owned(), tag.clone());
            }
            images.push(json!({
                "registryId": ACCOUNT, "repositoryName": called, "imageId": image_id, "imageManifest": manifest,
                "imageManifestMediaType": "application/vnd.oci.image.manifest.v1+json"
            }));
        }
        Ok(json!({"images": images, "failures": failures}))
    }

    /// Lists the images that have a tag, page by page.
    fn list(&self, called: &str, input: &Value) -> Answer {
        if input["filter"] != json!({"tagStatus": "TAGGED"}) {
            return Err(Refusal::new("ValidationException", "the fake lists images that have a tag"));
        }
        let tagged: BTreeSet<&String> = self.tags.values().collect();
        let from = input["nextToken"].as_str().and_then(|token| token.parse().ok()).unwrap_or(0);
        let some: Vec<&&String> = tagged.iter().skip(from).take(LISTED_PER_CALL).collect();
        let described = some.iter().map(|digest| {
            let tags: Vec<&String> =
                self.tags.iter().filter(|(_, one)| *one == **digest).map(|(tag, _)| tag).collect();
            let pushed = self.times.get(**digest).copied().unwrap_or_default();
            json!({
                "registryId": ACCOUNT, "repositoryName": called, "imageDigest": digest, "imageTags": tags,
                "imagePushedAt": (pushed / 1000) as f64,
                "imageManifestMediaType": "application/vnd.oci.image.manifest.v1+json"
            })
        });
        let (described, next) = (described.collect::<Vec<_>>(), from + some.len());
        let next = (next < tagged.len()).then(|| next.to_string());
        Ok(json!({"imageDetails": described, "nextToken": next}))
    }

    fn put(&mut self, input: &Value) -> Answer {
        let text = |key: &str| input[key].as_str().unwrap_or_default();
        let digest = digest_of(text("imageManifest"));
        if digest != text("imageDigest") {
            return Err(Refusal::new("ImageDigestDoesNotMatchException", digest));
        }
        let tag = text("imageTag").to_owned();
        if self.tags.get(&tag) == Some(&digest) {
            return Err(Refusal::new("ImageAlreadyExistsException", tag));
        }
        self.manifests.insert(digest.clone(), text("imageManifest").to_owned());
        let image_id = json!({"imageDigest": digest, "imageTag": tag});
        self.tags.insert(tag, digest);
        Ok(json!({"image": {"imageId": image_id}}))
    }
}

fn no_repository(name: &str) -> Refusal {
    Refusal::new("RepositoryNotFoundException", name)
}

fn digest_of(manifest: &str) -> String {
    let hex =
        Sha256::digest(manifest.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    format!("sha256:{hex}")
}
