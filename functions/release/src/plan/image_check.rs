//! Whether images are what the live tests of their services expect, before anything is touched.  Pure.

mod expected;

use std::collections::BTreeMap;

use pack::kind::image::Image;
use pack::{Check, Kind, Pack, Phase, Values};
use pipeline::Fault;
use pipeline::ids::{Digest, ServiceName};
use pipeline::rows::MoveRow;
use pipeline::text::line;

use super::spec::PlanContext;
use super::words::TO_OVERRIDE;
use super::{PlanDraft, packs};
use crate::ports::{Child, Config, ImageKey, Platform, Scan, Signing};
use expected::{Expected, Said};

/// How long to wait before a scan is looked at again, at least and at most.
const PAUSE_SECONDS: (i64, i64) = (10, 60);

/// How many seconds after it was pushed ECR has begun to sign an image, if it ever does.
///
/// The release of a push opens within a second of it, and ECR does not say when it begins.
const SIGNING_BEGINS_WITHIN: i64 = 30;

/// How long a sentence about one image is.
const LONGEST: usize = 600;

/// What names an image that tasks of a platform are to run.
pub type Wanted = (ImageKey, Platform);

/// A move, and what its live tests ask of its image.
#[derive(Debug)]
pub struct Asked<'a> {
    /// The move.
    pub row: &'a MoveRow,
    /// The image.
    pub wanted: Wanted,
    /// Its live tests.
    pub pack: &'a Pack,
}

/// What was read of an image that tasks of a platform are to run.
#[derive(Debug)]
pub struct Inspected {
    /// What it says of itself.
    pub built: Result<Built, Fault>,
    /// What ECR says of its scan, if somebody asks and there is an image to scan.
    pub scan: Option<Result<Scan, Fault>>,
    /// With which profiles ECR has signed what was pushed, if somebody asks.
    pub signings: Option<Result<Vec<Signing>, Fault>>,
}

/// What is read of an image beside what it says of itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wants {
    /// What a scan has found.
    pub scan: bool,
    /// Who has signed it.
    pub signings: bool,
}

/// What an image says of itself.
#[derive(Debug)]
pub struct Built {
    /// What it is built for.
    pub platforms: Vec<Platform>,
    /// The image that tasks of the platform run; of an index that has none for it there is none.
    pub image: Option<(Digest, Config)>,
}

/// What follows from the images of a release.
#[derive(Debug, Default, PartialEq)]
pub struct Verdict {
    /// Why they may not come.
    pub refused: Vec<String>,
    /// What a person should know.
    pub warned: Vec<String>,
    /// How long to wait before it is known, and why.
    pub early: Option<(i64, String)>,
}

/// Returns the moves whose live tests ask something of their image.
pub fn asked<'a>(draft: &'a PlanDraft, packs: &'a packs::OfImages) -> Vec<Asked<'a>> {
    let platforms: BTreeMap<&ServiceName, &Platform> =
        draft.services.iter().map(|service| (&service.name, &service.revision.platform)).collect();
    let asked = draft.moves.iter().filter_map(|row| {
        let platform = platforms.get(&row.service).copied().cloned().unwrap_or_default();
        let wanted = ((row.repository.clone(), row.digest.clone()), platform);
        Some(Asked { row, wanted, pack: packs.get(&row.service)? })
    });
    asked.collect()
}

impl Asked<'_> {
    /// Returns its checks of the image.
    fn checks(&self) -> impl Iterator<Item = (&Check, &Image)> {
        self.pack.of(Phase::Open).filter_map(|check| match &check.kind {
            Kind::Image(image) => Some((check, image)),
            _ => None,
        })
    }

    /// Returns what its texts may name.
    fn values(&self, context: PlanContext<'_>) -> Values {
        let MoveRow { service, digest, commit, .. } = self.row;
        let values = self.pack.values().with("environment", context.name.as_str());
        let values = values.with("service", service.as_str()).with("image.digest", digest.as_str());
        let values = values.with("release.id", context.release.as_str());
        match commit {
            Some(commit) => values.with("image.commit", commit.as_str()),
            None => values,
        }
    }

    /// Adds what they ask beside what the image says of itself.
    pub fn add_to(&self, wants: &mut Wants) {
        for (_, image) in self.checks() {
            wants.scan |= image.scan.is_some();
            wants.signings |= image.signature.is_some();
        }
    }
}

/// Returns the image of an index that tasks of a platform run; what bears no platform may be it.
pub fn child_for<'a>(children: &'a [Child], platform: &Platform) -> Option<&'a Child> {
    let fits = children.iter().find(|child| child.platform.as_ref() == Some(platform));
    fits.or_else(|| children.iter().find(|child| child.platform.is_none()))
}

/// Judges the images of moves by what was read of them.
///
/// What could not be measured may be overridden, and what failed may not.
pub fn judge(
    asked: &[Asked<'_>],
    seen: &BTreeMap<Wanted, Inspected>,
    force: bool,
    context: PlanContext<'_>,
) -> Verdict {
    let waited = context.now.seconds_since(context.since);
    // Who overrides does not wait either.
    let waits = waited < i64::from(context.environment.max_wait_minutes) * 60 && !force;
    let mut verdict = Verdict::default();
    for one in asked {
        let Some(inspected) = seen.get(&one.wanted) else { continue };
        let values = one.values(context);
        for (check, image) in one.checks() {
            let expected = Expected { image, platform: &one.wanted.1, values: &values };
            let who = format!("{}: check {:?}", one.row.service, check.name);
            for said in expected.of(inspected) {
                match said {
                    Said::NotBegun(why) if waits && waited < SIGNING_BEGINS_WITHIN => {
                        verdict.wait(waited, &who, &why);
                    }
                    Said::Failed(why) | Said::NotBegun(why) => verdict.add(check.advisory, &who, &why, ""),
                    Said::NotYet { why, .. } if waits => verdict.wait(waited, &who, &why),
                    Said::NotYet { is_enough: true, .. } => {}
                    Said::NotYet { why, .. } | Said::Unmeasured(why) => {
                        let warns = check.advisory || force;
                        let end = if warns { "" } else { TO_OVERRIDE };
                        verdict.add(warns, &who, &format!("it could not be measured: {why}"), end);
                    }
                }
            }
        }
    }
    verdict
}

impl Verdict {
    fn add(&mut self, warns: bool, who: &str, why: &str, end: &str) {
        let separator = if end.is_empty() { "" } else { "; " };
        let text = format!("{}{separator}{end}", line(&format!("{who}: {why}"), LONGEST));
        if warns { self.warned.push(text) } else { self.refused.push(text) }
    }

    fn wait(&mut self, waited: i64, who: &str, why: &str) {
        let (least, most) = PAUSE_SECONDS;
        let text = line(&format!("{who}: {why}"), LONGEST);
        self.early.get_or_insert(((waited / 3).clamp(least, most), text));
    }
}

#[cfg(test)]
mod tests;
