//! Manifests, byte for byte as ECR keeps them.

use pipeline::Fault;
use pipeline::ids::Digest;
use pipeline::text::{LONGEST_SENTENCE, line};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

/// A manifest, which is what a digest is the digest of.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// Its digest.
    pub digest: Digest,
    /// Its media type.
    pub media_type: String,
    /// Its bytes.
    pub bytes: String,
}

impl Manifest {
    /// Takes a manifest only if it is the one that was asked for, to the byte.
    pub fn checked(digest: Digest, media_type: String, bytes: String) -> Result<Self, Fault> {
        let hash: String =
            Sha256::digest(bytes.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        if digest.as_str() != format!("sha256:{hash}") {
            return Err(Fault::Denied(format!(
                "the manifest that came for {digest} has the digest sha256:{hash}"
            )));
        }
        Ok(Manifest { digest, media_type, bytes })
    }
}

/// Returns the digests that an index or a manifest list names; none for a plain image.
pub fn children(manifest: &Manifest) -> Result<Vec<Digest>, Fault> {
    #[derive(Deserialize)]
    struct Index {
        #[serde(default)]
        manifests: Vec<Child>,
    }
    #[derive(Deserialize)]
    struct Child {
        digest: Digest,
    }
    let unreadable = |why: &str| {
        let why = line(why, LONGEST_SENTENCE);
        Fault::InvalidInput(format!("the manifest {} is unreadable: {why}", manifest.digest))
    };
    // What reads it takes a list for an object, too.
    if !manifest.bytes.trim_start().starts_with('{') {
        return Err(unreadable("expected an object"));
    }
    let index: Index =
        serde_json::from_str(&manifest.bytes).map_err(|error| unreadable(&error.to_string()))?;
    Ok(index.manifests.into_iter().map(|child| child.digest).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use pipeline::image::MEDIA_TYPES;

    fn manifest(bytes: &str) -> Manifest {
        let hash: String =
            Sha256::digest(bytes.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        let digest = Digest::parse(format!("sha256:{hash}")).unwrap();
        Manifest::checked(digest, MEDIA_TYPES[3].to_owned(), bytes.to_owned()).unwrap()
    }

    #[test]
    fn an_index_names_its_children() {
        let child = format!("sha256:{}", "c".repeat(64));
        let index = manifest(&format!(r#"{{"schemaVersion":2,"manifests":[{{"digest":"{child}"}}]}}"#));
        assert_eq!(children(&index).unwrap(), [Digest::parse(child).unwrap()]);
        assert!(children(&manifest(r#"{"schemaVersion":2,"layers":[]}"#)).unwrap().is_empty());
    }

    #[test]
    fn a_list_is_no_index() {
        let list = format!(r#"[[{{"digest":"sha256:{}"}}]]"#, "c".repeat(64));
        let fault = children(&manifest(&list)).unwrap_err();
        assert!(fault.to_string().ends_with("is unreadable: expected an object"), "{fault}");
    }

    #[test]
    fn altered_bytes_are_refused() {
        let real = manifest("{}");
        assert!(Manifest::checked(real.digest, real.media_type, "{ }".to_owned()).is_err());
    }
}
