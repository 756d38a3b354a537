//! Packs files into one reproducible layer.

use std::io;
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::GzEncoder;
use oci_spec::image::{Digest, MediaType};

use super::blob::{Blob, digest};
use super::documents::Format;
use super::fault::Fault;

/// Describes one file of the layer.
pub(super) struct File {
    path: PathBuf,
    mode: u32,
    content: Vec<u8>,
}

/// Holds the packed layer, and the digest it has before it is compressed.
pub(super) struct Layer {
    pub(super) blob: Blob,
    pub(super) diff_id: Digest,
}

impl File {
    /// Describes a file that may be executed.
    pub(super) fn program(path: impl Into<PathBuf>, content: Vec<u8>) -> Self {
        Self { path: path.into(), mode: 0o755, content }
    }

    /// Describes a file that is only read.
    pub(super) fn data(path: impl Into<PathBuf>, content: Vec<u8>) -> Self {
        Self { path: path.into(), mode: 0o644, content }
    }
}

impl Layer {
    /// Packs files in the order given; absolute paths become relative to the root of the image.
    pub(super) fn pack(files: &[File], format: Format) -> Result<Self, Fault> {
        let tar = tar(files)?;
        let diff_id = digest(&tar)?;
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        io::copy(&mut tar.as_slice(), &mut gzip)?;
        let blob = Blob::new(format.of(MediaType::ImageLayerGzip), gzip.finish()?)?;
        Ok(Self { blob, diff_id })
    }
}

fn tar(files: &[File]) -> Result<Vec<u8>, Fault> {
    let mut tar = tar::Builder::new(Vec::new());
    for file in files {
        // Owner and time stay zero: they would make the digest depend on who builds, and when.
        let mut header = tar::Header::new_gnu();
        header.set_mode(file.mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(file.content.len() as u64);
        let path = file.path.strip_prefix("/").unwrap_or(&file.path);
        tar.append_data(&mut header, path, file.content.as_slice())?;
    }
    Ok(tar.into_inner()?)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;

    use super::*;

    fn pack() -> Layer {
        let files = [
            File::program("/app/demo-service", b"program".to_vec()),
            File::data("/app/behaviour.json", b"{}".to_vec()),
        ];
        Layer::pack(&files, Format::Oci).unwrap()
    }

    #[test]
    fn same_files_give_the_same_layer() {
        assert_eq!(pack().blob.bytes, pack().blob.bytes);
    }

    #[test]
    fn layer_unpacks_to_files_without_owner_or_time() {
        let blob = pack().blob;
        let mut archive = tar::Archive::new(GzDecoder::new(blob.bytes.as_slice()));
        let seen: Vec<_> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let mut entry = entry.unwrap();
                let mut content = String::new();
                entry.read_to_string(&mut content).unwrap();
                let header = entry.header();
                assert_eq!((header.uid().unwrap(), header.mtime().unwrap()), (0, 0));
                (entry.path().unwrap().into_owned(), header.mode().unwrap(), content)
            })
            .collect();
        assert_eq!(
            seen,
            [
                (PathBuf::from("app/demo-service"), 0o755, "program".to_owned()),
                (PathBuf::from("app/behaviour.json"), 0o644, "{}".to_owned()),
            ]
        );
    }

    #[test]
    fn diff_id_is_the_digest_before_compression() {
        let layer = pack();
        let mut tar = Vec::new();
        GzDecoder::new(layer.blob.bytes.as_slice()).read_to_end(&mut tar).unwrap();
        assert_eq!(layer.diff_id, digest(&tar).unwrap());
    }
}
