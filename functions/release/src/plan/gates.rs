//! Whether the images of a release may go where they are to go, and which alarms can be watched.  Pure.

use std::collections::BTreeMap;

use pipeline::ids::{Digest, Repository};
use pipeline::rows::{EvidenceRow, MoveRow, Quarantine};

use super::promotion::{self, Shown};
use super::spec::{ImageSelection, PlanContext, ReleaseSpec};
use super::words::TO_OVERRIDE;
use crate::ports::{Alarm, AlarmStates, ImageKey, Mutability};

/// What an environment knows of images.
pub type Evidence = BTreeMap<ImageKey, EvidenceRow>;

/// The images of one repository that a release goes to, and those that it may go back to.
#[derive(Debug, Default)]
pub struct Needed<'a> {
    forward: Vec<&'a Digest>,
    back: Vec<&'a Digest>,
}

impl<'a> Needed<'a> {
    /// Returns the images that moves need, by repository.
    pub fn by(moves: &'a [MoveRow]) -> BTreeMap<&'a Repository, Needed<'a>> {
        let mut needed: BTreeMap<&Repository, Needed<'_>> = BTreeMap::new();
        for row in moves {
            let Needed { forward, back } = needed.entry(&row.repository).or_default();
            forward.push(&row.digest);
            back.extend(row.restore.as_ref().map(|restore| &restore.digest));
        }
        needed
    }

    /// Returns all of them, each once.
    pub fn all(&self) -> Vec<&'a Digest> {
        let mut all = [self.forward.as_slice(), &self.back].concat();
        all.sort();
        all.dedup();
        all
    }

    /// Names those that are gone from ECR.
    pub fn missing(&self, repository: &Repository, found: &BTreeMap<String, Digest>) -> Vec<String> {
        let gone = self.all().into_iter().filter(|digest| !found.contains_key(digest.as_str()));
        let named = gone.map(|digest| match self.forward.contains(&digest) {
            true => format!("the image {repository}@{digest} is not in ECR"),
            false => format!("no known good version to return to: {repository}@{digest} is gone from ECR"),
        });
        named.collect()
    }
}

/// Tells whether the images of a release have to show anything: the way back needs no evidence, since somebody asks
/// for what ran here.
pub fn asks_for_evidence(spec: &ReleaseSpec) -> bool {
    !spec.force && matches!(spec.to, ImageSelection::Images(_))
}

/// Names the images that were bad here.
pub fn in_quarantine(images: &[ImageKey], here: &Evidence) -> Vec<String> {
    let bad = images.iter().filter_map(|image| {
        let Quarantine { release, since, reason } = here.get(image)?.quarantine.as_ref()?;
        Some(format!("{} is in quarantine since {since}, by {release}: {reason}", image.1.short()))
    });
    bad.collect()
}

/// What the environment before says of the images of a release.
#[derive(Debug, Default, PartialEq)]
pub struct Promotion {
    /// Why they may not come.
    pub refused: Vec<String>,
    /// How long to wait before they may, and why.
    pub early: Option<(i64, String)>,
}

/// Judges images by what they have shown in the environment before.
pub fn promotion(
    images: &[ImageKey],
    there: &Evidence,
    context: PlanContext<'_>,
    spec: &ReleaseSpec,
) -> Promotion {
    let mut said = Promotion::default();
    let Some(from) = &context.environment.from else { return said };
    for image in images {
        let soak = context.environment.soak_minutes;
        match promotion::shown(image, there.get(image), from, soak, context.now) {
            Shown::Enough => {}
            // What follows by itself has nobody who would ask again.
            Shown::Young(seconds, why) if spec.promoted_by.is_some() => {
                let longest = said.early.as_ref().map_or(0, |(seconds, _)| *seconds);
                if seconds > longest {
                    said.early = Some((seconds, why));
                }
            }
            Shown::Young(_, why) | Shown::Lacking(why) => {
                said.refused.push(format!("{why}; {TO_OVERRIDE}"));
            }
        }
    }
    said
}

/// Names a tag of a repository that cannot be moved.
pub fn immovable(repository: &Repository, tag: &str, mutability: &Mutability) -> Option<String> {
    // What is behind the prefix of a keep-tag does not matter to a filter for all of them.
    let fixed = [tag, "tidegate.any"].into_iter().find(|tag| !mutability.moves(tag))?;
    let filter = if fixed == tag { tag } else { "tidegate.*" };
    Some(format!(
        "the tags {filter} of {repository} are immutable: expected the exclusion filters {tag} and tidegate.*"
    ))
}

/// Keeps of the alarms of each move those that are quiet now, and names the others: they cannot tell what it does.
pub fn watch_what_is_quiet(moves: &mut [MoveRow], states: &AlarmStates) -> Vec<String> {
    let mut findings = Vec::new();
    for row in moves {
        let (quiet, other) = row.alarms.drain(..).partition(|name| states.get(name) == Some(&Alarm::Ok));
        row.alarms = quiet;
        findings.extend(other.into_iter().map(|name| {
            let says = match states.get(&name) {
                Some(Alarm::InAlarm) => "is red already",
                Some(_) => "has too little data",
                None => "does not exist",
            };
            format!("{}: the alarm {name} {says}, so it is not watched", row.service)
        }));
    }
    findings
}
