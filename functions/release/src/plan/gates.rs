//! Whether the images of a release may go where they are to go.  Pure.

use std::collections::{BTreeMap, BTreeSet};

use pipeline::ids::{Digest, Repository};
use pipeline::rows::{EvidenceRow, MoveRow, Quarantine};

use super::promotion::{self, Shown};
use super::spec::{ImageSelection, PlanContext, ReleaseSpec};
use super::words::TO_OVERRIDE;
use crate::ports::{ImageKey, Mutability};

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
    pub fn all(&self) -> BTreeSet<&'a Digest> {
        self.forward.iter().chain(&self.back).copied().collect()
    }

    /// Returns those that are gone from ECR.
    pub fn missing(&self, found: &BTreeSet<Digest>) -> Vec<&'a Digest> {
        self.all().into_iter().filter(|digest| !found.contains(*digest)).collect()
    }
}

/// Says which images of moves are gone from ECR; with force a move whose restore point is gone has none.
pub fn without_images(moves: &mut [MoveRow], gone: &BTreeSet<ImageKey>, force: bool) -> Gone {
    let mut said = Gone::default();
    for row in moves {
        if gone.contains(&(row.repository.clone(), row.digest.clone())) {
            said.refused.insert(format!("the image {}@{} is not in ECR", row.repository, row.digest));
        }
        let key = row.restore.as_ref().map(|restore| (row.repository.clone(), restore.digest.clone()));
        let Some((repository, digest)) = key.filter(|key| gone.contains(key) && key.1 != row.digest) else {
            continue;
        };
        let gone = format!("{repository}@{digest} is gone from ECR");
        match force {
            true => {
                row.restore = None;
                said.findings.push(format!("{}: it cannot be rolled back if it fails: {gone}", row.service));
            }
            false => {
                said.refused.insert(format!(
                    "no known good version to return to: {gone}; push it again, or set \"force\" and \"reason\" to \
                     deploy it without a version to roll back to"
                ));
            }
        }
    }
    said
}

/// What follows from images that are gone from ECR.
#[derive(Debug, Default, PartialEq)]
pub struct Gone {
    /// Why the release may not be.
    pub refused: BTreeSet<String>,
    /// What a person should know.
    pub findings: Vec<String>,
}

/// Tells whether the images of a release have to show anything: a rollback needs no evidence, since somebody asks
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::{digest, repository, row};

    #[test]
    fn an_image_that_is_gone_refuses_and_force_goes_on_without_a_restore_point() {
        let gone = |letter| BTreeSet::from([(repository(), digest(letter))]);
        let mut moves = vec![row("users")];
        assert_eq!(without_images(&mut moves, &BTreeSet::new(), false), Gone::default());
        let refused = |moves: &mut Vec<MoveRow>, letter, force| {
            without_images(moves, &gone(letter), force).refused.into_iter().collect::<Vec<_>>().join("; ")
        };
        assert!(refused(&mut moves, 'b', true).contains("is not in ECR"));
        let why = refused(&mut moves, 'a', false);
        assert!(why.starts_with("no known good version to return to") && why.contains("\"force\""), "{why}");
        let said = without_images(&mut moves, &gone('a'), true);
        assert!(said.refused.is_empty() && said.findings[0].contains("it cannot be rolled back if it fails"));
        assert_eq!(moves[0].restore, None);
    }
}
