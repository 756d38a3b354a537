//! The containers of a service whose images are ours, and what they run.

use pipeline::ids::{Digest, Repository};
use pipeline::image::ImageReference;

use crate::plan::ReleaseSpec;
use crate::ports::{Digests, Service, TaskImages};

/// Returns the containers of a service that the release changes; none if it does not run the repository.
pub fn containers(service: &Service, spec: &ReleaseSpec, repository: &Repository) -> Vec<String> {
    let images = service.revision.images.iter();
    let images = images.filter(|(_, image)| is_ours(image, spec) && image.repository == *repository);
    images.map(|(container, _)| container.clone()).collect()
}

/// Returns the repositories of a service that are asked for, each once.
pub(super) fn repositories<'a>(service: &'a Service, spec: &ReleaseSpec) -> Vec<&'a Repository> {
    let images = service.revision.images.iter().map(|(_, image)| image);
    let ours = images.filter(|image| is_ours(image, spec));
    let mut names: Vec<&Repository> = ours.map(|image| &image.repository).collect();
    names.retain(|repository| is_meant(repository, spec));
    names.sort();
    names.dedup();
    names
}

/// Tells whether an image comes from our registry.
pub(super) fn is_ours(image: &ImageReference, spec: &ReleaseSpec) -> bool {
    image.registry == spec.registry && image.region == spec.region
}

/// Tells whether a repository is asked for.
pub(super) fn is_meant(repository: &Repository, spec: &ReleaseSpec) -> bool {
    spec.repository.as_ref().is_none_or(|named| named == repository)
}

/// Returns what the tasks of a service report for some of its containers.
pub(super) fn reported(tasks: &TaskImages, containers: &[String]) -> Digests {
    let mut all = Digests::default();
    for digests in containers.iter().filter_map(|container| tasks.get(container)) {
        all.seen.extend(digests.seen.iter().cloned());
        all.unknown |= digests.unknown;
    }
    all
}

/// Tells whether containers of a service run an image: all of them are pinned to it, or all their tasks report it.
pub(super) fn runs(service: &Service, containers: &[String], running: &Digests, digest: &Digest) -> bool {
    let mut images = service.revision.images.iter().filter(|(container, _)| containers.contains(container));
    let pinned = images.all(|(_, image)| image.digest.as_ref() == Some(digest));
    let reported = !running.unknown && running.seen.len() == 1 && running.seen.contains(digest);
    pinned || reported
}
