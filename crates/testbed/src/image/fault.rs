//! Names what can go wrong between a recipe and a pushed image.

use std::io;
use std::path::PathBuf;

use oci_client::errors::OciDistributionError;
use oci_spec::OciSpecError;

/// Says what was attempted when an image could not be built or pushed; the source says why it failed.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// A file of the image could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The shared libraries of the binary could not be listed.
    #[error("cannot run ldd to list the shared libraries of {}", binary.display())]
    Ldd {
        /// The binary.
        binary: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A shared library of the binary is not on this machine.
    #[error("shared library {0} is not on this machine")]
    Library(String),
    /// The layer could not be packed.
    #[error("cannot pack the layer")]
    Pack(#[from] io::Error),
    /// A document could not be put together.
    #[error("cannot describe the image")]
    Spec(#[from] OciSpecError),
    /// A document could not be written as JSON.
    #[error("cannot write a document of the image")]
    Document(#[from] serde_json::Error),
    /// The registry refused, or did not answer.
    #[error("cannot push to {to}")]
    Push {
        /// Where to.
        to: String,
        /// What the registry said.
        source: Box<OciDistributionError>,
    },
}
