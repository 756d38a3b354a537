//! Builds an image around the demo service and pushes it, so that tests deploy real images.
//!
//! The same recipe always gives the same digests: no clock, no owner, no order of a directory gets in.
//! It knows nothing of ECR: the repository must exist, and only the registry protocol is spoken.

mod blob;
mod documents;
mod fault;
mod layer;
mod libraries;
mod push;

use std::fs;
use std::path::{Path, PathBuf};

use demo_service::Baked;
use oci_spec::image::Arch;

pub use blob::Blob;
pub use documents::Format;
pub use fault::Fault;
pub use push::{Pushed, Target};

use documents::{config, index, manifest};
use layer::{File, Layer};

/// Says what goes into an image.
pub struct Recipe {
    /// The demo service, as built.
    pub binary: PathBuf,
    /// How it behaves once it is started.
    pub baked: Baked,
    /// The value of the label `org.opencontainers.image.revision`.
    pub revision: String,
    /// Whose media types the manifests bear.
    pub format: Format,
    /// The platforms it claims to run on.
    pub platforms: Platforms,
}

/// Tells an image of one platform from one of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platforms {
    /// One manifest, for the architecture of this machine.
    One,
    /// An index over linux/amd64 and linux/arm64.
    ///
    /// Both bear the same layer: what is tested is how an index travels, and nobody starts the foreign one.
    Several,
}

/// Holds everything that a push sends.
pub struct Image {
    /// The layer and the configurations.
    pub blobs: Vec<Blob>,
    /// The manifests that the index lists; none if there is no index.
    pub children: Vec<Blob>,
    /// What the tag will point at: a manifest, or an index.
    pub top: Blob,
}

impl Image {
    /// Builds the image in memory.
    pub fn build(recipe: &Recipe) -> Result<Self, Fault> {
        let layer = Layer::pack(&files(recipe)?, recipe.format)?;
        let mut blobs = Vec::new();
        let mut of = |arch: Arch| -> Result<Blob, Fault> {
            let config = config(&recipe.revision, arch, &layer.diff_id, recipe.format)?;
            let manifest = manifest(&config, &layer.blob, recipe.format)?;
            blobs.push(config);
            Ok(manifest)
        };

        let (children, top) = match recipe.platforms {
            Platforms::One => (Vec::new(), of(Arch::default())?),
            Platforms::Several => {
                let (amd64, arm64) = (of(Arch::Amd64)?, of(Arch::ARM64)?);
                let index = index(&[(Arch::Amd64, &amd64), (Arch::ARM64, &arm64)], recipe.format)?;
                (vec![amd64, arm64], index)
            }
        };
        blobs.push(layer.blob);
        Ok(Self { blobs, children, top })
    }
}

/// Lists what the layer holds: the service, its behaviour beside it, and shared libraries if it needs any.
fn files(recipe: &Recipe) -> Result<Vec<File>, Fault> {
    let baked = serde_json::to_vec(&recipe.baked)?;
    let mut files = vec![
        File::program(documents::ENTRYPOINT, read(&recipe.binary)?),
        File::data(Path::new(documents::ENTRYPOINT).with_file_name(Baked::FILE), baked),
    ];
    for library in libraries::of(&recipe.binary)? {
        let content = read(&library)?;
        files.push(File::program(library, content));
    }
    Ok(files)
}

fn read(path: &Path) -> Result<Vec<u8>, Fault> {
    fs::read(path).map_err(|source| Fault::Read { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests;
