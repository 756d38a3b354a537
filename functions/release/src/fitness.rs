//! Whether the images of a release are fit, and its alarms quiet.

use std::collections::{BTreeMap, BTreeSet};

use pipeline::Fault;
use pipeline::ids::{Digest, EnvironmentName, Repository};
use pipeline::rows::{EvidenceRow, MoveRow, Quarantine};

use crate::book::{Book, ImageKey};
use crate::plan::{To, Wanted};
use crate::promotion::{self, Shown};
use crate::request::Image;
use crate::survey::{Survey, Target};
use crate::world::{Alarm, Source, World};
use crate::{Release, at_once};

/// What an environment knows of images.
type Known = BTreeMap<ImageKey, EvidenceRow>;

impl<W: World, B: Book> Release<W, B> {
    /// Looks at the images that the moves of a survey go to and may go back to.
    pub(crate) async fn check_images(
        &self,
        target: Target<'_>,
        wanted: &Wanted,
        survey: &mut Survey,
    ) -> Result<(), Fault> {
        let forward: BTreeSet<ImageKey> =
            survey.moves.iter().map(|row| (row.repository.clone(), row.digest.clone())).collect();
        survey.refused.extend(self.missing(wanted, &survey.moves).await?);
        let images: Vec<ImageKey> = forward.into_iter().collect();
        // The way back needs no evidence: somebody asks for what ran here.
        if !wanted.force && matches!(wanted.to, To::Images(_)) {
            let here = self.book.evidence(target.name, &images).await?;
            survey.refused.extend(images.iter().filter_map(|image| in_quarantine(image, &here)));
            if let Some(from) = &target.environment.from {
                let there = self.book.evidence(from, &images).await?;
                judge(&images, &there, from, target, wanted, survey);
            }
        }
        if survey.refused.is_empty() {
            self.name_commits(wanted, &images, &mut survey.moves).await?;
        }
        Ok(())
    }

    /// Names the images that are gone from ECR.
    async fn missing(&self, wanted: &Wanted, moves: &[MoveRow]) -> Result<Vec<String>, Fault> {
        let mut repositories: BTreeMap<&Repository, (BTreeSet<&Digest>, BTreeSet<&Digest>)> = BTreeMap::new();
        for row in moves {
            let (forward, back) = repositories.entry(&row.repository).or_default();
            forward.insert(&row.digest);
            back.extend(row.restore.as_ref().map(|restore| &restore.digest));
        }
        let repositories: Vec<_> = repositories.into_iter().collect();
        let missing = at_once(&repositories, async |(repository, (forward, back))| {
            let all: BTreeSet<&Digest> = forward.union(back).copied().collect();
            let images: Vec<Image> = all.iter().map(|digest| Image::Digest((*digest).clone())).collect();
            let found = self.world.images(&source(wanted, repository), &images).await?;
            let gone = all.into_iter().filter(|digest| !found.contains_key(digest.as_str()));
            let named = gone.map(|digest| match forward.contains(digest) {
                true => format!("the image {repository}@{digest} is not in ECR"),
                false => {
                    format!("no known good version to return to: {repository}@{digest} is gone from ECR")
                }
            });
            Ok(named.collect::<Vec<_>>())
        });
        Ok(missing.await?.concat())
    }

    /// Writes into the moves from which commits their images were built.
    async fn name_commits(
        &self,
        wanted: &Wanted,
        images: &[ImageKey],
        moves: &mut [MoveRow],
    ) -> Result<(), Fault> {
        let read = at_once(images, async |(repository, digest)| {
            Ok((digest, self.world.commit(&source(wanted, repository), digest).await))
        });
        let commits: BTreeMap<&Digest, Option<String>> = read.await?.into_iter().collect();
        for row in moves {
            row.commit = commits.get(&row.digest).cloned().flatten();
        }
        Ok(())
    }

    /// Keeps of the alarms of each move those that are quiet now: the others cannot tell what it does.
    pub(crate) async fn check_alarms(&self, survey: &mut Survey) -> Result<(), Fault> {
        let names: BTreeSet<String> = survey.moves.iter().flat_map(|row| row.alarms.clone()).collect();
        if names.is_empty() {
            return Ok(());
        }
        let states = self.world.alarms(&names).await?;
        for row in &mut survey.moves {
            let (quiet, other) = row.alarms.drain(..).partition(|name| states.get(name) == Some(&Alarm::Ok));
            row.alarms = quiet;
            survey.findings.extend(other.into_iter().map(|name| {
                let says = match states.get(&name) {
                    Some(Alarm::Red) => "is red already",
                    Some(_) => "has too little data",
                    None => "does not exist",
                };
                format!("{}: the alarm {name} {says}, so it is not watched", row.service)
            }));
        }
        Ok(())
    }
}

fn source(wanted: &Wanted, repository: &Repository) -> Source {
    Source { registry: wanted.registry.clone(), repository: repository.clone() }
}

/// Says that an image was bad here.
fn in_quarantine(image: &ImageKey, known: &Known) -> Option<String> {
    let Quarantine { release, since, reason } = known.get(image)?.quarantine.as_ref()?;
    Some(format!("{} is in quarantine since {since}, by {release}: {reason}", image.1.short()))
}

/// Judges images by what they have shown in the environment before.
fn judge(
    images: &[ImageKey],
    there: &Known,
    from: &EnvironmentName,
    target: Target<'_>,
    wanted: &Wanted,
    survey: &mut Survey,
) {
    for image in images {
        match promotion::shown(image, there.get(image), from, target.environment.soak_minutes, target.now) {
            Shown::Enough => {}
            // What follows by itself has nobody who would ask again.
            Shown::Young(seconds, why) if wanted.promoted_by.is_some() => {
                let longest = survey.early.as_ref().map_or(0, |(seconds, _)| *seconds);
                if seconds > longest {
                    survey.early = Some((seconds, why));
                }
            }
            Shown::Young(_, why) | Shown::Lacking(why) => {
                survey.refused.push(format!("{why}; \"force\" goes on"));
            }
        }
    }
}
