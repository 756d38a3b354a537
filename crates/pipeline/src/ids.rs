//! One type per identifier, checked once where it enters.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Fault;
use crate::text::shown;

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident, $what:literal, $expected:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Takes the text if it is one.
            pub fn parse(text: impl Into<String>) -> Result<Self, Fault> {
                let text = text.into();
                let valid: fn(&str) -> bool = $valid;
                if valid(&text) {
                    return Ok($name(text));
                }
                Err(Fault::InvalidInput(format!("{} is not {}: expected {}", shown(&text), $what, $expected)))
            }

            /// Returns it as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = Fault;
            fn try_from(text: String) -> Result<Self, Fault> {
                $name::parse(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
    };
}

identifier!(
    /// The digest of a manifest: what an image *is*, whatever it is called.
    Digest, "an image digest", "sha256: and 64 hexadecimal digits",
    |text| text.strip_prefix("sha256:").is_some_and(|hex| {
        hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
);

identifier!(
    /// A tag in ECR.
    Tag, "an image tag", "1 to 128 letters, digits, '.', '_' or '-'",
    |text| (1..=128).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
);

identifier!(
    /// The name of an ECR repository, without the registry.
    Repository, "an ECR repository", "2 to 256 lower-case letters, digits, '.', '_', '-' or '/'",
    |text| (2..=256).contains(&text.len())
        && text.split('/').all(|part| {
            let ends = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
            let inner = |b: u8| ends(&b) || matches!(b, b'.' | b'_' | b'-');
            part.bytes().all(inner)
                && part.as_bytes().first().is_some_and(ends)
                && part.as_bytes().last().is_some_and(ends)
        })
);

identifier!(
    /// The account whose registry holds a repository.
    Registry, "a registry id", "12 digits",
    |text| text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
);

identifier!(
    /// The name of an environment.
    EnvironmentName, "an environment", "1 to 32 letters, digits or '-'",
    |text| (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
);

identifier!(
    /// The name of an ECS service.
    ServiceName, "an ECS service", "1 to 255 letters, digits, '_' or '-'",
    |text| (1..=255).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
);

identifier!(
    /// One release: the name of its execution.
    ReleaseId, "a release", "1 to 80 letters, digits, '.', '_' or '-'",
    |text| (1..=80).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
);

identifier!(
    /// One deployment of a service, as ECS names it.
    DeploymentId, "an ECS deployment", "ecs-svc/ and 1 to 64 digits",
    |text| text.strip_prefix("ecs-svc/").is_some_and(|n| {
        (1..=64).contains(&n.len()) && n.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    })
);

identifier!(
    /// The ARN of one revision of a task definition.
    TaskDefinitionArn, "a task definition", "the full ARN of a revision",
    |text| text.len() <= 512
        && text.starts_with("arn:")
        && text.contains(":task-definition/")
        && text.bytes().all(|b| b.is_ascii_graphic())
);

impl TaskDefinitionArn {
    /// Returns family and number: enough for people.
    pub fn revision(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }
}

identifier!(
    /// The SHA-256 of a pack of live tests as it is written.
    PackHash, "the hash of a pack", "64 hexadecimal digits",
    |text| text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
);

/// The hash of the empty pack, `{}`.
const OF_NOTHING: &str = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

impl PackHash {
    /// Takes the hash itself.
    pub fn of(sha256: [u8; 32]) -> Self {
        PackHash(sha256.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Tells whether there is anything in the pack that this names.
    pub fn is_something(&self) -> bool {
        self.0 != OF_NOTHING
    }
}

impl Digest {
    /// Returns a digest that no image has, for where any will do.
    pub fn any() -> Option<Self> {
        Digest::parse(format!("sha256:{}", "0".repeat(64))).ok()
    }

    /// Returns the first twelve hexadecimal digits: enough for people.
    pub fn short(&self) -> &str {
        self.0.get(7..19).unwrap_or(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_says_what_it_expected() {
        let fault = Digest::parse("sha256:ABC").unwrap_err();
        assert_eq!(
            fault.to_string(),
            "\"sha256:ABC\" is not an image digest: expected sha256: and 64 hexadecimal digits"
        );
    }

    #[test]
    fn odd_spellings_are_refused() {
        for text in ["", "a b", "../up", "tag\n", "ünder"] {
            assert!(Tag::parse(text).is_err(), "{text:?}");
        }
        assert!(Tag::parse("t".repeat(128)).is_ok() && Tag::parse("t".repeat(129)).is_err());
        assert!(ServiceName::parse("cluster/service").is_err());
        for odd in [" ", "\n", "\u{1b}[2J", "ü", &"n".repeat(500)] {
            let arn = format!("arn:aws:ecs:r:1:task-definition/users{odd}:2");
            assert!(TaskDefinitionArn::parse(&arn).is_err(), "{arn:?}");
            assert!(DeploymentId::parse(format!("ecs-svc/1{odd}")).is_err(), "{odd:?}");
        }
        assert!(EnvironmentName::parse("prod#1").is_err());
    }
}
