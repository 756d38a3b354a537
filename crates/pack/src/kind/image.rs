//! What must be true of the image itself.

use std::collections::BTreeMap;

use pipeline::text::shown;
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
    /// ECR, with one of some profiles: its managed signing.
    pub ecr: Ecr,
}

/// The profiles of AWS Signer of which one has signed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Ecr {
    /// Their ARNs, without a version.
    #[cfg_attr(feature = "schema", schemars(length(min = 1), inner(length(max = 200), regex(pattern = PROFILE))))]
    pub profiles: Vec<String>,
}

/// How ECR writes the ARN of a profile, and how long one is at most.
#[cfg(feature = "schema")]
const PROFILE: &str = "^arn:aws(-[a-z]+)*:signer:[a-z0-9-]+:[0-9]{12}:/signing-profiles/[a-zA-Z0-9_]{2,}$";
const LONGEST_PROFILE: usize = 200;

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
        let Some(Signature { ecr: Ecr { profiles } }) = signature else { return Ok(()) };
        ensure(!profiles.is_empty(), "signature.ecr.profiles", || {
            "nobody has signed it: expected the ARN of a signing profile".to_owned()
        })?;
        let wrong = profiles.iter().enumerate().find(|(_, profile)| !is_profile(profile));
        let Some((at, profile)) = wrong else { return Ok(()) };
        Err(Mistake::at(
            format!("signature.ecr.profiles[{at}]"),
            format!(
                "{} is not the ARN of a signing profile: expected one like \
                 \"arn:aws:signer:REGION:ACCOUNT:/signing-profiles/NAME\", without a version",
                shown(profile)
            ),
        ))
    }
}

/// Tells whether this is the ARN of a signing profile, as ECR writes it.
fn is_profile(arn: &str) -> bool {
    let mut parts = arn.splitn(6, ':');
    let mut next = || parts.next().unwrap_or_default();
    let [scheme, partition, service, region, account, resource] =
        [next(), next(), next(), next(), next(), next()];
    let (aws, more) = partition.split_once('-').map_or((partition, None), |(aws, more)| (aws, Some(more)));
    let is_partition = aws == "aws" && more.is_none_or(|more| more.split('-').all(is_lower));
    let is_region = !region.is_empty()
        && region.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-');
    let name = resource.strip_prefix("/signing-profiles/").unwrap_or_default();
    arn.len() <= LONGEST_PROFILE
        && (scheme, service) == ("arn", "signer")
        && is_partition
        && is_region
        && account.len() == 12
        && account.bytes().all(|c| c.is_ascii_digit())
        && name.len() >= 2
        && name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_')
}

fn is_lower(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|c| c.is_ascii_lowercase())
}

fn yes() -> bool {
    true
}
