//! What the function asks of ECR, and what comes back.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ids::{Digest, Registry, Repository, Tag};
use pipeline::image::RepositoryRef;
use serde::{Deserialize, Serialize};
use wildmatch::WildMatch;

use crate::plan::PlanContext;

/// The images in ECR, and the rules of their repositories.
pub trait Images {
    /// Finds images; what is missing is left out.
    async fn images(
        &self,
        from: &RepositoryRef,
        images: &[ImageId],
    ) -> Result<BTreeMap<String, Digest>, Fault>;
    /// Finds images for a release; what is missing is left out.  Those that were found for the same release a moment ago
    /// are there still.
    async fn present(
        &self,
        context: PlanContext<'_>,
        from: &RepositoryRef,
        images: &BTreeSet<&Digest>,
    ) -> Result<BTreeSet<Digest>, Fault>;
    /// Lists the images of a repository that have a tag.
    async fn stored(&self, of: &RepositoryRef) -> Result<Vec<StoredImage>, Fault>;
    /// Reads the index that a tag names; none if it names a single image, or nothing.
    async fn index(&self, from: &RepositoryRef, tag: &Tag) -> Result<Option<Index>, Fault>;
    /// Reads from what an image was built, and when, as far as it says so.
    async fn origin(&self, from: &RepositoryRef, digest: &Digest) -> Origin;
    /// Reads which tags of repositories may move.
    async fn mutability(
        &self,
        registry: &Registry,
        of: &[&Repository],
    ) -> Result<BTreeMap<Repository, Mutability>, Fault>;
    /// Reads the lifecycle policy of a repository, if it has one.
    async fn lifecycle(&self, of: &RepositoryRef) -> Result<Option<String>, Fault>;
    /// Reads the images of an index; none of a single image.
    async fn children(&self, from: &RepositoryRef, digest: &Digest) -> Result<Vec<Child>, Fault>;
    /// Reads what a single image says of itself.
    async fn config(&self, from: &RepositoryRef, digest: &Digest) -> Result<Config, Fault>;
    /// Reads what ECR has found in a single image.
    async fn scan(&self, from: &RepositoryRef, digest: &Digest) -> Result<Scan, Fault>;
    /// Reads with which profiles ECR has signed an image, or tried to.
    async fn signings(&self, from: &RepositoryRef, digest: &Digest) -> Result<Vec<Signing>, Fault>;
}

/// What an image says of where it comes from; it is told to people, and decides nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Origin {
    /// The commit, if a label says so.
    pub commit: Option<String>,
    /// When it was built.
    pub built: Option<Timestamp>,
}

/// An image of a repository, as it lies there.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredImage {
    /// Its digest.
    pub digest: Digest,
    /// Its tags.
    pub tags: Vec<String>,
    /// When it was pushed: a tag that it got later does not change that.
    pub pushed: Option<Timestamp>,
    /// The type of its manifest.
    pub manifest_type: Option<String>,
    /// The type of what its manifest describes.
    pub artifact_type: Option<String>,
}

/// An image for several platforms.
#[derive(Clone, Debug, PartialEq)]
pub struct Index {
    /// Its own digest.
    pub digest: Digest,
    /// The images in it, one for each platform.
    pub images: Vec<Digest>,
}

/// What names an image of a repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ImageId {
    /// Itself.
    Digest(Digest),
    /// Whatever this names at the moment.
    Tag(Tag),
}

/// Which tags of a repository may move.
#[derive(Clone, Debug, PartialEq)]
pub struct Mutability {
    /// Whether tags may move that no filter names.
    pub movable: bool,
    /// The filters, with `*`, that name the others.
    pub except: Vec<String>,
}

/// An image of an index.
#[derive(Clone, Debug, PartialEq)]
pub struct Child {
    /// Its digest.
    pub digest: Digest,
    /// What the index says that it is built for.
    pub platform: Option<Platform>,
}

/// What an image is built for, or what tasks run on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Platform {
    /// The operating system, as images name it.
    pub os: String,
    /// The architecture, as images name it.
    pub architecture: String,
}

/// What an image says of itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// What it is built for.
    pub platform: Platform,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The names of the variables in its environment.
    pub env: Vec<String>,
    /// When it was built, as it says.
    pub created: Option<String>,
}

/// What ECR says of the scan of an image.
#[derive(Clone, Debug, PartialEq)]
pub enum Scan {
    /// It is done.
    Done {
        /// What was found.
        findings: Vec<Vulnerability>,
        /// How many more ECR counts than it lists.
        unlisted: u64,
    },
    /// It goes on, in a word of ECR.
    Pending(String),
    /// There is none, and why.
    Missing(String),
}

/// How far ECR is with signing an image with a profile.
#[derive(Clone, Debug, PartialEq)]
pub struct Signing {
    /// The ARN of the profile.
    pub profile: String,
    /// What came of it.
    pub signed: Signed,
}

/// What came of signing an image.
#[derive(Clone, Debug, PartialEq)]
pub enum Signed {
    /// It is signed.
    Yes,
    /// It is about to be.
    NotYet,
    /// It is not, and why.
    No(String),
    /// Nobody knows what this word of ECR means.
    Unknown(String),
}

/// Something that a scan has found.
#[derive(Clone, Debug, PartialEq)]
pub struct Vulnerability {
    /// Its name, mostly that of a CVE.
    pub id: String,
    /// How severe it is, in a word of ECR.
    pub severity: String,
    /// The package that it is in, and its version.
    pub package: Option<String>,
    /// Whether there is a fix, if that is told.
    pub is_fixable: Option<bool>,
    /// The version that has the fix.
    pub fixed_in: Option<String>,
}

impl Platform {
    /// Returns what tasks run on by the words of a task definition.
    pub fn of_tasks(family: Option<&str>, architecture: Option<&str>) -> Self {
        let family = family.unwrap_or("LINUX").to_ascii_lowercase();
        let os = if family.starts_with("windows") { "windows".to_owned() } else { family };
        let architecture = match architecture.unwrap_or("X86_64") {
            "X86_64" => "amd64".to_owned(),
            other => other.to_ascii_lowercase(),
        };
        Platform { os, architecture }
    }
}

impl Default for Platform {
    fn default() -> Self {
        Platform::of_tasks(None, None)
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)
    }
}

impl Mutability {
    /// Tells whether a tag may move.
    pub fn moves(&self, tag: &str) -> bool {
        let excepted = self.except.iter().any(|filter| WildMatch::new(filter).matches(tag));
        self.movable != excepted
    }
}

impl TryFrom<String> for ImageId {
    type Error = Fault;
    fn try_from(text: String) -> Result<Self, Fault> {
        if text.starts_with("sha256:") {
            return Digest::parse(text).map(ImageId::Digest);
        }
        Tag::parse(text).map(ImageId::Tag)
    }
}

impl From<ImageId> for String {
    fn from(image: ImageId) -> String {
        match image {
            ImageId::Digest(digest) => digest.into(),
            ImageId::Tag(tag) => tag.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_a_digest_or_a_tag() {
        let image = |text: &str| ImageId::try_from(text.to_owned());
        assert!(matches!(image(&format!("sha256:{}", "a".repeat(64))), Ok(ImageId::Digest(_))));
        assert!(matches!(image("main-1"), Ok(ImageId::Tag(_))));
        assert!(image("sha256:short").is_err() && image("a b").is_err());
    }

    #[test]
    fn a_filter_turns_the_rule_around() {
        let moves = |movable, except: &[&str], tag| {
            Mutability { movable, except: except.iter().map(ToString::to_string).collect() }.moves(tag)
        };
        assert!(moves(true, &[], "dev") && !moves(false, &[], "dev"));
        assert!(
            moves(false, &["dev", "tidegate.*"], "dev")
                && moves(false, &["tidegate.*"], "tidegate.dev.users.live")
        );
        assert!(!moves(false, &["tidegate.*"], "dev") && !moves(true, &["de*"], "dev"));
    }

    #[test]
    fn what_tasks_run_on_is_named_as_images_name_it() {
        for (family, architecture, expected) in [
            (None, None, "linux/amd64"),
            (Some("LINUX"), Some("X86_64"), "linux/amd64"),
            (None, Some("ARM64"), "linux/arm64"),
            (Some("WINDOWS_SERVER_2022_CORE"), Some("X86_64"), "windows/amd64"),
        ] {
            assert_eq!(Platform::of_tasks(family, architecture).to_string(), expected);
        }
        assert_eq!(Platform::default().to_string(), "linux/amd64");
    }
}
