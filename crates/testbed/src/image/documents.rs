//! Writes the documents of an image: configuration, manifest, index, in either format.

use std::collections::HashMap;

use oci_spec::image::{
    Arch, ConfigBuilder, Digest, ImageConfigurationBuilder, ImageIndexBuilder, ImageManifestBuilder,
    MediaType, Os, Platform, PlatformBuilder, RootFsBuilder, SCHEMA_VERSION, ToDockerV2S2,
};

use super::blob::Blob;
use super::fault::Fault;

/// Says where the service is in the image.
pub(super) const ENTRYPOINT: &str = "/app/demo-service";

/// Tells the two families of media types apart: ECR keeps both, and a retag must too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// OCI image manifest and image index.
    Oci,
    /// Docker schema 2 manifest and manifest list.
    Docker,
}

impl Format {
    /// Returns what this format calls an OCI media type.
    pub(super) fn of(self, oci: MediaType) -> MediaType {
        match self {
            Self::Oci => oci,
            Self::Docker => oci.to_docker_v2s2().map_or(oci.clone(), MediaType::from),
        }
    }
}

/// Writes the configuration: what is started, and the label that says what it was built from.
pub(super) fn config(revision: &str, arch: Arch, diff_id: &Digest, format: Format) -> Result<Blob, Fault> {
    // One label and one port: the library writes both from hash maps, whose order is not reproducible.
    let labels = HashMap::from([("org.opencontainers.image.revision".to_owned(), revision.to_owned())]);
    let runs = ConfigBuilder::default()
        .entrypoint([ENTRYPOINT.to_owned()])
        .exposed_ports(["8080/tcp".to_owned()])
        .labels(labels)
        .build()?;
    let layers = RootFsBuilder::default().typ("layers").diff_ids([diff_id.to_string()]).build()?;
    let config = ImageConfigurationBuilder::default()
        .created("1970-01-01T00:00:00Z")
        .architecture(arch)
        .os(Os::Linux)
        .config(runs)
        .rootfs(layers)
        .build()?;
    Blob::json(format.of(MediaType::ImageConfig), &config)
}

/// Writes the manifest of one platform.
pub(super) fn manifest(config: &Blob, layer: &Blob, format: Format) -> Result<Blob, Fault> {
    let media_type = format.of(MediaType::ImageManifest);
    let manifest = ImageManifestBuilder::default()
        .schema_version(SCHEMA_VERSION)
        .media_type(media_type.clone())
        .config(config.descriptor())
        .layers([layer.descriptor()])
        .build()?;
    Blob::json(media_type, &manifest)
}

/// Writes the index over the manifests of several platforms.
pub(super) fn index(manifests: &[(Arch, &Blob)], format: Format) -> Result<Blob, Fault> {
    let media_type = format.of(MediaType::ImageIndex);
    let mut entries = Vec::new();
    for (arch, manifest) in manifests {
        let mut entry = manifest.descriptor();
        entry.set_platform(Some(linux(arch)?));
        entries.push(entry);
    }
    let index = ImageIndexBuilder::default()
        .schema_version(SCHEMA_VERSION)
        .media_type(media_type.clone())
        .manifests(entries)
        .build()?;
    Blob::json(media_type, &index)
}

fn linux(arch: &Arch) -> Result<Platform, Fault> {
    Ok(PlatformBuilder::default().architecture(arch.clone()).os(Os::Linux).build()?)
}
