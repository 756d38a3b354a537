//! Reads what ECR says of the images of a release, and of their repositories.

use std::collections::{BTreeMap, BTreeSet};

use pipeline::Fault;
use pipeline::ids::{Digest, Repository, Tag};
use pipeline::image::RepositoryRef;
use pipeline::rows::MoveRow;

use crate::at_once;
use crate::plan::gates::{self, Needed};
use crate::plan::lifecycle;
use crate::plan::{Candidate, PlanContext, ReleaseSpec};
use crate::ports::{ImageKey, Images, Origin};

/// Returns the images of a release, and those that it may go back to, that are gone from ECR.
pub async fn missing(
    aws: &impl Images,
    context: PlanContext<'_>,
    spec: &ReleaseSpec,
    moves: &[MoveRow],
) -> Result<BTreeSet<ImageKey>, Fault> {
    let needed: Vec<_> = Needed::by(moves).into_iter().collect();
    let missing = at_once(&needed, async |(repository, needed)| {
        let found = aws.present(context, &source(spec, repository), &needed.all()).await?;
        let gone = needed.missing(&found).into_iter();
        Ok(gone.map(|digest| ((*repository).clone(), digest.clone())).collect::<Vec<ImageKey>>())
    });
    Ok(missing.await?.into_iter().flatten().collect())
}

/// Reads where images come from.
pub async fn origins<'a>(
    aws: &impl Images,
    spec: &ReleaseSpec,
    images: &'a [ImageKey],
) -> Result<BTreeMap<&'a Digest, Origin>, Fault> {
    let read = at_once(images, async |(repository, digest)| {
        Ok((digest, aws.origin(&source(spec, repository), digest).await))
    });
    Ok(read.await?.into_iter().collect())
}

/// Finds the indexes that contain what the tasks of services report which nobody has verified.
pub async fn indexes(
    aws: &impl Images,
    spec: &ReleaseSpec,
    candidates: &mut [Candidate],
) -> Result<(), Fault> {
    let tags: BTreeSet<(Repository, Tag)> = candidates
        .iter()
        .filter_map(|one| Some((one.repository.clone(), one.adopted_by()?.clone())))
        .collect();
    let tags: Vec<(Repository, Tag)> = tags.into_iter().collect();
    let read = at_once(&tags, async |(repository, tag)| aws.index(&source(spec, repository), tag).await);
    let known: BTreeMap<_, _> = tags.iter().zip(read.await?).collect();
    for one in candidates {
        let named = one.adopted_by().map(|tag| (one.repository.clone(), tag.clone()));
        if let Some(Some(index)) = named.and_then(|named| known.get(&named)) {
            one.see_in(index);
        }
    }
    Ok(())
}

/// Names the tags that could not be moved: before anything is written, and not when half of it is.
pub async fn immovable(
    aws: &impl Images,
    spec: &ReleaseSpec,
    moves: &[MoveRow],
) -> Result<Vec<String>, Fault> {
    let tags: BTreeMap<&Repository, &str> =
        moves.iter().map(|row| (&row.repository, row.tag.as_str())).collect();
    let repositories: Vec<&Repository> = tags.keys().copied().collect();
    let known = aws.mutability(&spec.registry, &repositories).await?;
    let fixed = known.iter().filter_map(|(repository, mutability)| {
        gates::immovable(repository, tags.get(repository)?, mutability)
    });
    Ok(fixed.collect())
}

/// Names the repositories whose lifecycle policy would take what runs, or the restore point.
pub async fn endangered(
    aws: &impl Images,
    spec: &ReleaseSpec,
    moves: &[MoveRow],
) -> Result<Vec<String>, Fault> {
    let mut repositories: Vec<&MoveRow> = Vec::new();
    for row in moves {
        if !repositories.iter().any(|known| known.repository == row.repository) {
            repositories.push(row);
        }
    }
    let looked = at_once(&repositories, async |row| {
        let found = match aws.lifecycle(&source(spec, &row.repository)).await {
            Ok(Some(policy)) => lifecycle::finding(&policy, row),
            Ok(None) => Ok(None),
            Err(fault) => Err(fault),
        };
        match found {
            // It warns: a release that may not read it, or cannot, goes on.
            Err(fault) if !Fault::RETRIED.contains(&fault.name()) => {
                Ok(Some(lifecycle::unknown(row, &fault)))
            }
            found => found,
        }
    });
    Ok(looked.await?.into_iter().flatten().collect())
}

pub(super) fn source(spec: &ReleaseSpec, repository: &Repository) -> RepositoryRef {
    RepositoryRef { registry: spec.registry.clone(), repository: repository.clone() }
}
