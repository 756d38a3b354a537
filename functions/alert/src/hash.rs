//! A name of a fixed length for what may be long, or hold what others chose.

use sha2::{Digest, Sha256};

/// How many bytes tell all from each other.
const BYTES: usize = 16;

/// Returns the beginning of the SHA-256 of a text, in hexadecimal.
pub(crate) fn of(text: impl AsRef<[u8]>) -> String {
    Sha256::digest(text).iter().take(BYTES).map(|byte| format!("{byte:02x}")).collect()
}
