//! What images say of themselves, in their manifests and configurations: each is read once.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::time::Duration;

use aws_sdk_ecr::types::Image as Described;
use pipeline::Fault;
use pipeline::aws::fault_of;
use pipeline::clock::Timestamp;
use pipeline::ids::Digest;
use pipeline::image::RepositoryRef;
use serde::Deserialize;
use serde_json::Value;

use super::Images;
use crate::ports::{Child, Config, ImageId, Origin, Platform};

/// The label that names the commit, among the annotations of a manifest and among the labels of a configuration.
const COMMIT: &str = "org.opencontainers.image.revision";

/// How long a configuration may take, and how large it may be.
const DEADLINE: Duration = Duration::from_secs(5);
const LARGEST: u64 = 4 * 1024 * 1024;

/// How many images are remembered, and how much of each: most are far smaller.
const MOST_KEPT: usize = 2_000;
const LARGEST_KEPT: usize = 16 * 1024;

/// About how much an image of an index takes.
const CHILD: usize = 128;

/// The annotation of a manifest that says when the image was built; a configuration has a field of its own.
const CREATED: &str = "org.opencontainers.image.created";

/// What is built to be the same each time says a moment before there were images.
const FIRST_IMAGE: i64 = 1_356_998_400_000; // 2013

/// How much of a commit is shown and kept.
const LONGEST_COMMIT: usize = 64;

/// What is known of images, by their digests.
#[derive(Debug, Default)]
pub(super) struct Known {
    manifests: Mutex<HashMap<Digest, Manifest>>,
    configs: Mutex<HashMap<Digest, Config>>,
}

/// What matters of a manifest.
#[derive(Clone, Debug, Default)]
struct Manifest {
    commit: Option<String>,
    created: Option<String>,
    config: Option<String>,
    children: Vec<Child>,
}

impl Images {
    /// Reads where an image comes from.  It is told to people and decides nothing, so a failure is none of one.
    pub(in crate::adapters::aws) async fn origin(&self, from: &RepositoryRef, digest: &Digest) -> Origin {
        match self.read_origin(from, digest).await {
            Ok((commit, created)) => Origin {
                // It goes into messages and tables: nothing but a word.
                commit: commit
                    .filter(|text| !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic()))
                    .map(|text| text.chars().take(LONGEST_COMMIT).collect()),
                built: created
                    .and_then(|created| Timestamp::parse(&created).ok())
                    .filter(|built| built.millis() > FIRST_IMAGE),
            },
            Err(fault) => {
                tracing::warn!(fault = fault.name(), "the commit of {digest} is not known: {fault}");
                Origin::default()
            }
        }
    }

    /// Reads the commit, and when the image was built: of what is read anyway, no more.
    async fn read_origin(
        &self,
        from: &RepositoryRef,
        digest: &Digest,
    ) -> Result<(Option<String>, Option<String>), Fault> {
        let mut manifest = self.manifest(from, digest).await?;
        if manifest.commit.is_some() {
            return Ok((manifest.commit, manifest.created));
        }
        let created = manifest.created.take();
        let mut digest = digest;
        // Every image of an index was built from the same commit, or there is no one commit to tell of.
        let first = manifest.children.first().map(|child| child.digest.clone());
        if let Some(child) = &first {
            (digest, manifest) = (child, self.manifest(from, child).await?);
        }
        match manifest.config {
            Some(_) => {
                let mut config = self.config(from, digest).await?;
                Ok((config.labels.remove(COMMIT), created.or(config.created)))
            }
            None => Ok((None, created)),
        }
    }

    pub(in crate::adapters::aws) async fn children(
        &self,
        from: &RepositoryRef,
        digest: &Digest,
    ) -> Result<Vec<Child>, Fault> {
        Ok(self.manifest(from, digest).await?.children)
    }

    pub(in crate::adapters::aws) async fn config(
        &self,
        from: &RepositoryRef,
        digest: &Digest,
    ) -> Result<Config, Fault> {
        if let Some(config) = known(&self.known.configs, digest) {
            return Ok(config);
        }
        let Some(layer) = self.manifest(from, digest).await?.config else {
            return Err(Fault::NotSupported(format!("{digest}, whose manifest names no configuration")));
        };
        let call = self.ecr.get_download_url_for_layer().registry_id(from.registry.as_str());
        let call = call.repository_name(from.repository.as_str()).layer_digest(&layer);
        let answer = call.send().await;
        let answer = answer.map_err(|error| fault_of(&format!("download {layer}"), &error))?;
        // ECR signed an address for it.
        let text = self.http.get(answer.download_url().unwrap_or_default(), DEADLINE, LARGEST).await?;
        let read: Value =
            serde_json::from_slice(&text).map_err(|error| Fault::InvalidInput(error.to_string()))?;
        let config = Config::from(read);
        keep(&self.known.configs, digest, &config, size(&config));
        Ok(config)
    }

    async fn manifest(&self, from: &RepositoryRef, digest: &Digest) -> Result<Manifest, Fault> {
        if let Some(manifest) = known(&self.known.manifests, digest) {
            return Ok(manifest);
        }
        let found = self.get(from, &[ImageId::Digest(digest.clone())]).await?;
        let text = found.first().and_then(|image| image.image_manifest());
        let text = text.ok_or_else(|| Fault::NotFound(format!("the image {}@{digest}", from.repository)))?;
        Ok(Manifest::from(serde_json::from_str::<Value>(text).unwrap_or_default()))
    }
}

impl Known {
    /// Keeps what the manifest of an image says, which ECR sends with every answer about it.
    pub(super) fn meet(&self, image: &Described) {
        let digest = image.image_id().and_then(|id| Digest::parse(id.image_digest()?).ok());
        let (Some(digest), Some(text)) = (digest, image.image_manifest()) else { return };
        let manifest = Manifest::from(serde_json::from_str::<Value>(text).unwrap_or_default());
        keep(&self.manifests, &digest, &manifest, manifest.children.len() * CHILD);
    }
}

fn known<Document: Clone>(kept: &Mutex<HashMap<Digest, Document>>, digest: &Digest) -> Option<Document> {
    kept.lock().ok().and_then(|kept| kept.get(digest).cloned())
}

fn keep<Document: Clone>(
    kept: &Mutex<HashMap<Digest, Document>>,
    digest: &Digest,
    document: &Document,
    size: usize,
) {
    if size <= LARGEST_KEPT
        && let Ok(mut kept) = kept.lock()
    {
        if kept.len() >= MOST_KEPT {
            kept.clear();
        }
        kept.insert(digest.clone(), document.clone());
    }
}

fn size(config: &Config) -> usize {
    let labels = config.labels.iter().map(|(name, value)| name.len() + value.len());
    labels.chain(config.env.iter().map(String::len)).sum()
}

impl From<Value> for Manifest {
    fn from(manifest: Value) -> Self {
        let children = manifest.get("manifests").and_then(Value::as_array);
        let child = |one: &Value| {
            let named = one.get("platform").map(|platform| platform_of(Platforms::deserialize(platform)));
            let digest = one.get("digest")?.as_str()?;
            Some(Child { digest: Digest::parse(digest).ok()?, platform: named })
        };
        Manifest {
            commit: text(&manifest, &["annotations", COMMIT]),
            created: text(&manifest, &["annotations", CREATED]),
            config: text(&manifest, &["config", "digest"]),
            children: children.into_iter().flatten().filter_map(child).collect(),
        }
    }
}

/// The fields that name a platform, in an index as in a configuration.
#[derive(Default, Deserialize)]
struct Platforms {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
}

fn platform_of(platform: Result<Platforms, serde_json::Error>) -> Platform {
    let Platforms { os, architecture } = platform.unwrap_or_default();
    Platform { os, architecture }
}

impl From<Value> for Config {
    fn from(config: Value) -> Self {
        let labels = config.pointer("/config/Labels").and_then(Value::as_object).into_iter().flatten();
        let env = config.pointer("/config/Env").and_then(Value::as_array).into_iter().flatten();
        let name = |one: &Value| Some(one.as_str()?.split('=').next().unwrap_or_default().to_owned());
        let labels: BTreeMap<String, String> =
            labels.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect();
        Config {
            platform: platform_of(Platforms::deserialize(&config)),
            labels,
            created: text(&config, &["created"]),
            env: env.filter_map(name).collect(),
        }
    }
}

/// Returns the text at a path of keys; none if there is none.
fn text(document: &Value, path: &[&str]) -> Option<String> {
    path.iter().try_fold(document, |value, key| value.get(key))?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_an_image_says_of_itself_is_read_whatever_is_left_out() {
        let config = json!({
            "os": "linux", "architecture": "arm64",
            "config": {"Labels": {"team": "shop", "odd": 7}, "Env": ["PATH=/bin", "DB_PASSWORD=a=b", "BARE", 7]}
        });
        let config = Config::from(config);
        assert_eq!(config.platform.to_string(), "linux/arm64");
        assert_eq!(config.labels, [("team".to_owned(), "shop".to_owned())].into());
        assert_eq!(config.env, ["PATH", "DB_PASSWORD", "BARE"], "a value is kept nowhere");
        for odd in [json!(null), json!([]), json!({"config": {"Labels": null, "Env": null}, "os": 7})] {
            let config = Config::from(odd);
            assert!(config.labels.is_empty() && config.env.is_empty() && config.platform.os.is_empty());
        }
    }

    #[test]
    fn the_images_of_an_index_bear_their_platforms() {
        let digest = |letter: &str| format!("sha256:{}", letter.repeat(64));
        let manifest = Manifest::from(json!({"manifests": [
            {"digest": digest("a"), "platform": {"os": "linux", "architecture": "amd64", "variant": "v1"}},
            {"digest": digest("b")}, {"digest": "short"}, {"size": 7}
        ], "annotations": {"org.opencontainers.image.revision": "1a2b3c"}}));
        let platforms =
            manifest.children.iter().map(|child| child.platform.as_ref().map(ToString::to_string));
        assert_eq!(platforms.collect::<Vec<_>>(), [Some("linux/amd64".to_owned()), None]);
        assert_eq!((manifest.commit.as_deref(), manifest.config), (Some("1a2b3c"), None));
    }
}
