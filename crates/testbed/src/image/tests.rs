//! Checks whole images: media types, digests, and what refers to what.

use serde_json::Value;

use super::*;
use demo_service::Behaviour;

fn image(format: Format, platforms: Platforms) -> Image {
    let baked = Baked { version: "v2".to_owned(), behaviour: Behaviour::Good };
    // Any file will do: ldd finds nothing to add to one that is not a program.
    let binary = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
    let recipe = Recipe { binary, baked, revision: "main-abc123".to_owned(), format, platforms };
    Image::build(&recipe).unwrap()
}

fn json(blob: &Blob) -> Value {
    serde_json::from_slice(&blob.bytes).unwrap()
}

fn check_media_types(format: Format, platforms: Platforms, top: &str, config: &str, layer: &str) {
    let image = image(format, platforms);
    assert_eq!(image.top.media_type.to_string(), top);
    assert_eq!(json(&image.top)["mediaType"], top);
    let manifest = json(image.children.first().unwrap_or(&image.top));
    assert_eq!(manifest["schemaVersion"], 2);
    assert_eq!(manifest["config"]["mediaType"], config);
    assert_eq!(manifest["layers"][0]["mediaType"], layer);
}

#[test]
fn oci_documents_bear_oci_media_types() {
    let config = "application/vnd.oci.image.config.v1+json";
    let layer = "application/vnd.oci.image.layer.v1.tar+gzip";
    let manifest = "application/vnd.oci.image.manifest.v1+json";
    check_media_types(Format::Oci, Platforms::One, manifest, config, layer);
    let index = "application/vnd.oci.image.index.v1+json";
    check_media_types(Format::Oci, Platforms::Several, index, config, layer);
}

#[test]
fn docker_documents_bear_docker_media_types() {
    let config = "application/vnd.docker.container.image.v1+json";
    let layer = "application/vnd.docker.image.rootfs.diff.tar.gzip";
    let manifest = "application/vnd.docker.distribution.manifest.v2+json";
    check_media_types(Format::Docker, Platforms::One, manifest, config, layer);
    let list = "application/vnd.docker.distribution.manifest.list.v2+json";
    check_media_types(Format::Docker, Platforms::Several, list, config, layer);
}

#[test]
fn same_recipe_gives_the_same_digest_and_another_format_another() {
    for platforms in [Platforms::One, Platforms::Several] {
        let oci = image(Format::Oci, platforms).top.digest;
        assert_eq!(oci, image(Format::Oci, platforms).top.digest);
        assert_ne!(oci, image(Format::Docker, platforms).top.digest);
    }
}

#[test]
fn every_digest_is_the_sha256_of_the_bytes_sent() {
    let image = image(Format::Oci, Platforms::Several);
    for blob in image.blobs.iter().chain(&image.children).chain([&image.top]) {
        assert_eq!(blob.digest, blob::digest(&blob.bytes).unwrap());
        assert_eq!(blob.digest.algorithm().to_string(), "sha256");
    }
}

#[test]
fn digest_of_known_bytes_is_the_known_digest() {
    let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(blob::digest(b"").unwrap().as_ref(), empty);
}

#[test]
fn index_lists_its_children_by_platform_digest_and_size() {
    let image = image(Format::Oci, Platforms::Several);
    let entries = json(&image.top)["manifests"].clone();
    assert_eq!(entries.as_array().unwrap().len(), 2);
    for ((child, entry), arch) in
        image.children.iter().zip(entries.as_array().unwrap()).zip(["amd64", "arm64"])
    {
        assert_eq!(entry["platform"]["os"], "linux");
        assert_eq!(entry["platform"]["architecture"], arch);
        assert_eq!(entry["digest"], child.digest.to_string());
        assert_eq!(entry["size"], child.bytes.len());
    }
    assert_ne!(image.children[0].digest, image.children[1].digest);
}

#[test]
fn everything_a_manifest_refers_to_is_sent_with_it() {
    let image = image(Format::Docker, Platforms::Several);
    let sent: Vec<_> = image.blobs.iter().map(|blob| blob.digest.to_string()).collect();
    for child in &image.children {
        let manifest = json(child);
        for part in [&manifest["config"], &manifest["layers"][0]] {
            assert!(sent.iter().any(|digest| part["digest"] == digest.as_str()), "{part}");
        }
    }
}

#[test]
fn config_says_what_is_started_and_from_which_revision() {
    let image = image(Format::Oci, Platforms::One);
    let config = json(&image.blobs[0]);
    assert_eq!(config["config"]["Entrypoint"][0], "/app/demo-service");
    assert_eq!(config["config"]["Labels"]["org.opencontainers.image.revision"], "main-abc123");
    assert_eq!(config["created"], "1970-01-01T00:00:00Z");
}

#[test]
fn missing_binary_is_named() {
    let baked = Baked { version: "v2".to_owned(), behaviour: Behaviour::Good };
    let recipe = Recipe {
        binary: "nowhere/demo-service".into(),
        baked,
        revision: String::new(),
        format: Format::Oci,
        platforms: Platforms::One,
    };
    let fault = Image::build(&recipe).err().unwrap().to_string();
    assert!(fault.starts_with("cannot read nowhere/demo-service"), "{fault}");
}
