//! What a check expects of an image, and what comes of it.  Pure.

use pack::Values;
use pack::kind::image::{Image, Scan as Rule, Severity, Signature, Unscanned};
use pipeline::Fault;
use pipeline::text::{line, shown};
use wildmatch::WildMatch;

use super::{Built, Inspected};
use crate::ports::{Config, Platform, Scan, Signed, Signing, Vulnerability};

/// How many of many things a sentence names, and how much of each.
const NAMED: usize = 3;
const LONGEST_NAME: usize = 100;
const LONGEST_ARN: usize = 200;

/// What the function has to be allowed to do.
const TO_READ: &str =
    "expected that it may ecr:BatchGetImage and ecr:GetDownloadUrlForLayer, and that ECR answers";
const TO_SCAN: &str = "expected that it may ecr:DescribeImageScanFindings, and that ECR answers";
const TO_SIGN: &str = "expected that it may ecr:DescribeImageSigningStatus, and that ECR answers";

/// What a check expects of an image that tasks of a platform are to run.
pub(super) struct Expected<'a> {
    pub image: &'a Image,
    pub platform: &'a Platform,
    pub values: &'a Values,
}

/// What is wrong with an image.
#[derive(Debug, PartialEq)]
pub(super) enum Said {
    /// It is not what was expected.
    Failed(String),
    /// Nobody can tell.
    Unmeasured(String),
    /// It is not what was expected, unless ECR has only just got it.
    NotBegun(String),
    /// Nobody can tell yet; `is_enough` if it passes although nobody ever can.
    NotYet { why: String, is_enough: bool },
}

impl Expected<'_> {
    /// Says what is wrong with an image; nothing if all is as expected.
    pub fn of(&self, inspected: &Inspected) -> Vec<Said> {
        // Of an index it is the index that was pushed, and so that was signed.
        let signings = inspected.signings.as_ref().zip(self.image.signature.as_ref());
        let signed = signings.and_then(|(signings, rule)| signed(signings, rule));
        signed.into_iter().chain(self.contents(inspected)).collect()
    }

    fn contents(&self, Inspected { built, scan, .. }: &Inspected) -> Vec<Said> {
        let built = match built {
            Ok(built) => built,
            Err(fault) => return vec![unread(fault, TO_READ)],
        };
        let platform = self.platform(built);
        let Some((_, config)) = &built.image else {
            let nothing = || Said::Unmeasured(format!("no image of its index is for {}", self.platform));
            return vec![platform.unwrap_or_else(nothing)];
        };
        let scan = scan.as_ref().zip(self.image.scan.as_ref());
        let scan = scan.and_then(|(scan, rule)| scanned(scan, rule));
        platform.into_iter().chain(self.labels(config)).chain(self.environment(config)).chain(scan).collect()
    }

    fn platform(&self, built: &Built) -> Option<Said> {
        if !self.image.platform || built.platforms.contains(self.platform) {
            return None;
        }
        let found = names(built.platforms.iter().map(ToString::to_string));
        let expected = self.platform;
        Some(Said::Failed(format!("it is built for {found}: expected {expected}, which the service runs on")))
    }

    fn labels(&self, config: &Config) -> Vec<Said> {
        let wrong = self.image.labels.iter().filter_map(|(name, pattern)| {
            let pattern = match pattern.fill(self.values) {
                Ok(pattern) => pattern,
                Err(unfilled) => {
                    return Some(Said::Unmeasured(format!("the label {}: {unfilled}", shown(name))));
                }
            };
            let found = config.labels.get(name);
            let fits = found.is_some_and(|found| WildMatch::new(&pattern).matches(found));
            let found = found.map_or_else(|| "not there".to_owned(), |found| shown(found));
            let (name, pattern) = (shown(name), shown(&pattern));
            (!fits).then(|| Said::Failed(format!("the label {name} is {found}: expected {pattern}")))
        });
        wrong.collect()
    }

    fn environment(&self, config: &Config) -> Option<Said> {
        let patterns = &self.image.forbidden_env;
        let forbids = |name: &&String| patterns.iter().any(|one| WildMatch::new(one).matches(name));
        let found: Vec<String> = config.env.iter().filter(forbids).map(|name| shown(name)).collect();
        let expected = || names(patterns.iter().map(|pattern| shown(pattern)));
        (!found.is_empty()).then(|| {
            let found = names(found.into_iter());
            Said::Failed(format!("its environment has {found}: expected no name like {}", expected()))
        })
    }
}

/// Says what is wrong with who has signed it: one of the profiles is enough.
fn signed(signings: &Result<Vec<Signing>, Fault>, Signature { ecr }: &Signature) -> Option<Said> {
    let expected = || names(ecr.profiles.iter().map(|profile| line(profile, LONGEST_ARN)));
    let signings = match signings {
        Ok(signings) => signings,
        Err(fault) => return Some(unread(fault, TO_SIGN)),
    };
    let ours: Vec<&Signing> = signings.iter().filter(|one| ecr.profiles.contains(&one.profile)).collect();
    let unknown = ours.iter().find_map(|one| match &one.signed {
        Signed::Unknown(word) => Some(word),
        _ => None,
    });
    let failed = ours.iter().find_map(|one| match &one.signed {
        Signed::No(why) => Some((line(&one.profile, LONGEST_ARN), line(why, 3 * LONGEST_NAME))),
        _ => None,
    });
    if ours.iter().any(|one| one.signed == Signed::Yes) {
        None
    } else if ours.iter().any(|one| one.signed == Signed::NotYet) {
        let why = format!("ECR is still signing it: expected a signature of {}", expected());
        Some(Said::NotYet { why, is_enough: false })
    } else if let Some(word) = unknown {
        let word = line(word, LONGEST_NAME);
        Some(Said::Unmeasured(format!("ECR says {word} of its signature: expected COMPLETE")))
    } else if let Some((profile, why)) = failed {
        Some(Said::Failed(format!(
            "ECR could not sign it with {profile} ({why}): expected that who pushes may signer:SignPayload; \
             push it once more"
        )))
    } else if signings.is_empty() {
        Some(Said::NotBegun(format!(
            "it is not signed: expected a signature of {}; add a rule for its repository to the signing \
             configuration of the registry, and push it once more",
            expected()
        )))
    } else {
        let others = names(signings.iter().map(|one| line(&one.profile, LONGEST_ARN)));
        Some(Said::Failed(format!(
            "ECR signs it with {others}: expected a signature of {}; add the profile to the rule for its repository \
             in the signing configuration of the registry, and push it once more",
            expected()
        )))
    }
}

/// Says what is wrong with what a scan has found.
fn scanned(scan: &Result<Scan, Fault>, rule: &Rule) -> Option<Said> {
    let is_enough = rule.unscanned == Unscanned::Allow;
    match scan {
        Err(fault) => Some(unread(fault, TO_SCAN)),
        Ok(Scan::Pending(status)) => {
            let why = format!("its scan is not done, its status is {status}: expected COMPLETE or ACTIVE");
            Some(Said::NotYet { why, is_enough })
        }
        Ok(Scan::Missing(_)) if is_enough => None,
        Ok(Scan::Missing(why)) => Some(Said::Unmeasured(format!(
            "it is not scanned, {why}: expected a scan, or \"unscanned\": \"allow\" in the check"
        ))),
        Ok(Scan::Done { findings, .. }) if !findings.is_empty() => found(findings, rule),
        Ok(Scan::Done { unlisted: 0, .. }) => None,
        Ok(Scan::Done { unlisted, .. }) => {
            Some(Said::Unmeasured(format!("ECR counts {unlisted} findings and lists none: expected a list")))
        }
    }
}

/// Says which findings are as severe as none may be, the gravest first.
fn found(findings: &[Vulnerability], rule: &Rule) -> Option<Said> {
    let Rule { below, except, fixable_only, .. } = rule;
    let mut counted: Vec<&Vulnerability> = findings
        .iter()
        .filter(|one| !except.iter().any(|name| name.eq_ignore_ascii_case(&one.id)))
        // What nobody tells of may have a fix.
        .filter(|one| !fixable_only || one.is_fixable != Some(false))
        .filter(|one| Severity::read(&one.severity).is_none_or(|severity| severity >= *below))
        .collect();
    counted.sort_by_key(|one| std::cmp::Reverse(Severity::read(&one.severity)));
    let (below, fix) = (below.as_str(), if *fixable_only { " that has a fix" } else { "" });
    (!counted.is_empty()).then(|| {
        let found = names(counted.into_iter().map(finding));
        Said::Failed(format!("{found}: expected nothing of {below} or above{fix}"))
    })
}

fn finding(Vulnerability { id, severity, package, fixed_in, .. }: &Vulnerability) -> String {
    let package = package.as_ref().map(|package| format!(" in {}", line(package, LONGEST_NAME)));
    let fixed = fixed_in.as_ref().map(|version| format!(" (fixed in {})", line(version, LONGEST_NAME)));
    let (id, severity) = (line(id, LONGEST_NAME), line(severity, LONGEST_NAME));
    format!("{severity} {id}{}{}", package.unwrap_or_default(), fixed.unwrap_or_default())
}

/// Says that something could not be read: if it may be tried again, not yet.
fn unread(fault: &Fault, expected: &str) -> Said {
    let why = format!("{}: {expected}", line(&fault.to_string(), 3 * LONGEST_NAME));
    match Fault::RETRIED.contains(&fault.name()) {
        true => Said::NotYet { why, is_enough: false },
        false => Said::Unmeasured(why),
    }
}

/// Names the first few of many things, and counts the others.
fn names(things: impl Iterator<Item = String>) -> String {
    let things: Vec<String> = things.collect();
    let named = things.get(..NAMED).unwrap_or(&things).join(", ");
    match things.len().saturating_sub(NAMED) {
        0 if things.is_empty() => "nothing".to_owned(),
        0 => named,
        more => format!("{named} and {more} more"),
    }
}
