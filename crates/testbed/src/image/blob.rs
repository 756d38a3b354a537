//! Holds bytes under the name that a registry gives them: their digest.

use oci_spec::image::{Descriptor, Digest, MediaType};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::fault::Fault;

/// Holds a layer, a configuration, a manifest or an index, exactly as it is sent.
pub struct Blob {
    /// What the bytes are.
    pub media_type: MediaType,
    /// The digest of the bytes.
    pub digest: Digest,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl Blob {
    /// Names bytes by their digest.
    pub fn new(media_type: MediaType, bytes: Vec<u8>) -> Result<Self, Fault> {
        Ok(Self { media_type, digest: digest(&bytes)?, bytes })
    }

    /// Writes a document once: these bytes are hashed, and these bytes are sent.
    pub fn json(media_type: MediaType, document: &impl Serialize) -> Result<Self, Fault> {
        Self::new(media_type, serde_json::to_vec(document)?)
    }

    /// Returns how a manifest or an index refers to it.
    pub fn descriptor(&self) -> Descriptor {
        Descriptor::new(self.media_type.clone(), self.bytes.len() as u64, self.digest.clone())
    }
}

/// Returns the digest of some bytes.
pub(super) fn digest(bytes: &[u8]) -> Result<Digest, Fault> {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Digest::try_from(format!("sha256:{hex}"))?)
}
