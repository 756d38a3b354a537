//! Image references, as they stand in task definitions.

use crate::ids::{Digest, Registry, Repository, Tag};

/// The four kinds of manifest that an image can have.
pub const MEDIA_TYPES: [&str; 4] = [
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
];

/// How many images ECR returns in one call.
pub const PER_CALL: usize = 100;

/// A repository of a registry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RepositoryRef {
    /// The account.
    pub registry: Registry,
    /// The name.
    pub repository: Repository,
}

/// An image in ECR: `<account>.dkr.ecr.<region>.<domain>/<repository>[:tag][@digest]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageReference {
    /// Everything before the repository: the registry's host.
    pub host: String,
    /// The account that the host belongs to.
    pub registry: Registry,
    /// The region of the registry.
    pub region: String,
    /// The repository.
    pub repository: Repository,
    /// The tag, if it names one.
    pub tag: Option<Tag>,
    /// The digest, if it is pinned.
    pub digest: Option<Digest>,
}

impl ImageReference {
    /// Reads a reference to ECR; anything else is none of ours.
    pub fn parse(text: &str) -> Option<Self> {
        let (host, rest) = text.split_once('/')?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
        let (account, domain) = host.split_once('.').filter(|_| host.bytes().all(plain))?;
        let region = domain.strip_prefix("dkr.ecr.").or_else(|| domain.strip_prefix("dkr-ecr."))?;
        let (region, _) = region.split_once('.')?;
        let (name, digest) = match rest.split_once('@') {
            Some((name, digest)) => (name, Some(Digest::parse(digest).ok()?)),
            None => (rest, None),
        };
        let (repository, tag) = match name.split_once(':') {
            Some((repository, tag)) => (repository, Some(Tag::parse(tag).ok()?)),
            None => (name, None),
        };
        Some(ImageReference {
            host: host.to_owned(),
            registry: Registry::parse(account).ok()?,
            region: region.to_owned(),
            repository: Repository::parse(repository).ok()?,
            tag,
            digest,
        })
    }

    /// Returns the reference as it stands in a task definition.
    pub fn written(&self) -> String {
        let tag = self.tag.as_ref().map(|tag| format!(":{tag}")).unwrap_or_default();
        let digest = self.digest.as_ref().map(|digest| format!("@{digest}")).unwrap_or_default();
        format!("{}/{}{tag}{digest}", self.host, self.repository)
    }

    /// Returns the reference to the same repository, pinned to `digest`.
    pub fn pinned(&self, digest: &Digest) -> String {
        format!("{}/{}@{digest}", self.host, self.repository)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const D: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn reads_tag_and_digest() {
        let text = format!("123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/users:dev@{D}");
        let image = ImageReference::parse(&text).unwrap();
        assert_eq!((image.repository.as_str(), image.region.as_str()), ("shop/users", "eu-west-1"));
        assert_eq!(image.tag.as_ref().unwrap().as_str(), "dev");
        assert_eq!(image.written(), text);
        assert_eq!(
            image.pinned(&Digest::parse(D).unwrap()),
            format!("123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/users@{D}")
        );
    }

    #[test]
    fn other_registries_are_not_ours() {
        for text in [
            "nginx",
            "docker.io/library/nginx:1",
            "public.ecr.aws/x/y:1",
            "1.dkr.ecr.r.amazonaws.com/x",
            "123456789012.dkr.ecr.r.amazonaws.com\n/shop/users",
            "123456789012.dkr.ecr.r.a@b/shop/users",
        ] {
            assert_eq!(ImageReference::parse(text), None, "{text}");
        }
    }
}
