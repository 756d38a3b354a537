//! What must be true of the image itself.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::mistake::{Mistake, ensure};
use crate::template::Template;
use crate::texts::{Keyed, Text};

/// What must be true of the image itself.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Image {
    /// Labels that it has: a name, and a pattern with `*` and `?` for its value.
    #[serde(default)]
    pub labels: BTreeMap<String, Template>,
    /// Whether it is built for the platform that the service runs on.
    #[serde(default = "yes")]
    pub platform: bool,
    /// Patterns that no name in its environment fits.
    #[serde(default)]
    pub forbidden_env: Vec<String>,
    /// What ECR has found in it.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Scan"))]
    pub scan: Option<Scan>,
    /// Who has signed it.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Signature"))]
    pub signature: Option<Signature>,
}

/// What ECR may have found in an image.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Scan {
    /// All that is found is less severe than this.
    pub below: Severity,
    /// Except for these findings.
    #[serde(default)]
    pub except: Vec<String>,
    /// Whether only what has a fix counts.
    #[serde(default)]
    pub fixable_only: bool,
    /// What follows if it was not scanned.
    #[serde(default)]
    pub unscanned: Unscanned,
}

/// How severe a finding is, the least severe first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
#[expect(missing_docs, reason = "they are the words of ECR")]
pub enum Severity {
    Undefined,
    Informational,
    Low,
    Medium,
    High,
    Critical,
}

impl Severity {
    /// All of them.
    const ALL: [Severity; 6] = [
        Severity::Undefined,
        Severity::Informational,
        Severity::Low,
        Severity::Medium,
        Severity::High,
        Severity::Critical,
    ];

    /// Returns the word of ECR for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Undefined => "UNDEFINED",
            Severity::Informational => "INFORMATIONAL",
            Severity::Low => "LOW",
            Severity::Medium => "MEDIUM",
            Severity::High => "HIGH",
            Severity::Critical => "CRITICAL",
        }
    }

    /// Reads a word of ECR, or the one of Inspector for what nobody has rated yet; none if it is another word.
    pub fn read(word: &str) -> Option<Self> {
        match word {
            "UNTRIAGED" => Some(Severity::Undefined),
            _ => Self::ALL.into_iter().find(|severity| severity.as_str() == word),
        }
    }
}

/// What follows if an image was not scanned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
pub enum Unscanned {
    /// It is refused.
    #[default]
    Refuse,
    /// It is let in.
    Allow,
}

/// Who has signed an image.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Signature {
    /// ECR, with one of some profiles.
    pub ecr: Ecr,
}

/// The profiles of AWS Signer of which one has signed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Ecr {
    /// Their ARNs.
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub profiles: Vec<String>,
}

impl Image {
    pub(crate) fn texts(&self) -> Vec<Keyed<'_>> {
        self.labels.values().map(|text| ("labels", Text::Plain(text))).collect()
    }

    pub(crate) fn mistake(&self) -> Result<(), Mistake> {
        let Image { labels, platform, forbidden_env, scan, signature } = self;
        let asks_nothing = labels.is_empty()
            && !platform
            && forbidden_env.is_empty()
            && scan.is_none()
            && signature.is_none();
        ensure(!asks_nothing, "labels", || {
            "it asks nothing: expected labels, platform, forbiddenEnv, scan or signature".to_owned()
        })?;
        let profiles = signature.as_ref().map(|Signature { ecr }| &ecr.profiles);
        ensure(profiles.is_none_or(|profiles| !profiles.is_empty()), "signature.ecr.profiles", || {
            "nobody has signed it: expected the ARN of a signing profile".to_owned()
        })
    }
}

fn yes() -> bool {
    true
}
