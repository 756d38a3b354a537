//! The image that a service is to run.

use std::collections::BTreeMap;

use pipeline::ids::{Digest, ReleaseId, Repository, ServiceName};
use pipeline::image::ImageReference;
use pipeline::rows::{MoveRow, RestorePoint, ServiceRow, VerifiedImage};

use super::containers::{containers, is_meant, is_ours, reported, repositories, runs};
use crate::plan::{ImageSelection, ReleaseSpec};
use crate::ports::{ImageKey, Service, TaskImages};

/// The moves of a release, by service.
pub type Moves = BTreeMap<ServiceName, MoveRow>;

/// Returns the image that a service is to run.
pub(super) fn image(
    service: &Service,
    row: &ServiceRow,
    tasks: &TaskImages,
    spec: &ReleaseSpec,
    back: &Moves,
) -> Result<ImageKey, String> {
    let images = service.revision.images.iter().map(|(_, image)| image);
    let mut images = images.filter(|image| is_ours(image, spec));
    match &spec.to {
        ImageSelection::Images(to) => chosen(images, to),
        ImageSelection::Previous => before(service, row, tasks, spec)
            .map(|fact| (fact.repository.clone(), fact.digest.clone()))
            .ok_or_else(|| "no version was verified before the one that it runs".to_owned()),
        // Which digest it is does not matter to whether the service could be moved.
        ImageSelection::Present => images
            .find(|image| is_meant(&image.repository, spec))
            .and_then(|image| Some((image.repository.clone(), image.digest.clone().or_else(Digest::any)?)))
            .ok_or_else(|| "the request names no image of its repositories".to_owned()),
        ImageSelection::RestorePointsOf(release) => {
            let row_of = back.get(&service.name).filter(|old| is_meant(&old.repository, spec));
            let restore = row_of.and_then(|old| Some((old, old.restore.as_ref()?)));
            let (old, restore) = restore.ok_or_else(|| no_restore_point(release))?;
            if old.touched.is_none() {
                return Err(format!("{release} has not updated it"));
            }
            match verified_since(row, old, restore, release).filter(|_| !spec.force) {
                Some(by) => Err(format!(
                    "{by} has verified it since: set \"force\" and \"reason\" to roll back to {} all the same",
                    restore.digest.short()
                )),
                None => Ok((old.repository.clone(), restore.digest.clone())),
            }
        }
    }
}

/// Says that a release has nothing to do with a service.
pub fn no_restore_point(release: &ReleaseId) -> String {
    format!("{release} wrote no restore point for it")
}

/// Returns what a rollback goes back to: what was verified if something else runs, otherwise what was before it.
///
/// Of several repositories it is the one that changed last.
fn before<'a>(
    service: &Service,
    row: &'a ServiceRow,
    tasks: &TaskImages,
    spec: &ReleaseSpec,
) -> Option<&'a VerifiedImage> {
    let mut changed: Vec<&VerifiedImage> =
        repositories(service, spec).into_iter().filter_map(|repository| row.verified(repository)).collect();
    changed.sort_by_key(|fact| std::cmp::Reverse(fact.since));
    changed.into_iter().find_map(|verified| {
        let containers = containers(service, spec, &verified.repository);
        let primary = service.primary()?;
        let there = primary.task_definition == verified.task_definition
            || runs(service, &containers, &reported(tasks, &containers), &verified.digest);
        if there { row.before(&verified.repository) } else { Some(verified) }
    })
}

/// Names the release that has verified a service since another one wrote a restore point, if one has.
fn verified_since(
    row: &ServiceRow,
    old: &MoveRow,
    restore: &RestorePoint,
    release: &ReleaseId,
) -> Option<String> {
    let newest = row.verified(&old.repository)?;
    let is_restore = newest.digest == restore.digest && newest.task_definition == restore.task_definition;
    if is_restore || newest.release.as_ref() == Some(release) {
        return None;
    }
    Some(newest.release.as_ref().map_or_else(|| "somebody".to_owned(), ToString::to_string))
}

/// Returns the one image of a service that is to become another one.
fn chosen<'a>(
    images: impl Iterator<Item = &'a ImageReference>,
    to: &BTreeMap<Repository, Digest>,
) -> Result<ImageKey, String> {
    let mut known: BTreeMap<&Repository, (&Digest, bool)> = BTreeMap::new();
    for image in images {
        if let Some(digest) = to.get(&image.repository) {
            let other = image.digest.as_ref() != Some(digest);
            known.entry(&image.repository).and_modify(|(_, any)| *any |= other).or_insert((digest, other));
        }
    }
    let changed: Vec<_> = known.iter().filter(|(_, (_, other))| *other).collect();
    match (changed.as_slice(), known.first_key_value()) {
        ([(repository, (digest, _))], _) => Ok(((**repository).clone(), (*digest).clone())),
        ([], Some((repository, (digest, _)))) => Ok(((*repository).clone(), (*digest).clone())),
        ([], None) => Err("no image of its repositories is offered for promotion".to_owned()),
        (several, _) => {
            let names: Vec<&str> = several.iter().map(|(repository, _)| repository.as_str()).collect();
            Err(format!("a release changes one image of a service, and this one has {}", names.join(", ")))
        }
    }
}
