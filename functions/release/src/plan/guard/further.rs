//! What an environment further on has taken of what is rolled back.

use std::collections::{BTreeMap, BTreeSet};

use pipeline::ids::{EnvironmentName, ReleaseId, ServiceName};
use pipeline::rows::{Finding, MoveRow, ServiceRow};

use crate::plan::abort::{request, rollback};
use crate::plan::words::plural;
use crate::ports::ImageKey;

/// Names what an environment further on runs of some images, and is about to run, each with the request for a person.
pub fn taken(
    name: &EnvironmentName,
    images: &BTreeSet<ImageKey>,
    services: &BTreeMap<ServiceName, ServiceRow>,
    open: &[(ReleaseId, Vec<MoveRow>)],
    because: &str,
) -> Vec<Finding> {
    let mut by_release: BTreeMap<&ReleaseId, usize> = BTreeMap::new();
    for row in services.values() {
        let verified = row.repositories().into_iter().filter_map(|repository| row.verified(repository));
        let same = verified.filter(|fact| images.contains(&(fact.repository.clone(), fact.digest.clone())));
        for release in same.filter_map(|fact| fact.release.as_ref()) {
            *by_release.entry(release).or_default() += 1;
        }
    }
    let runs = by_release.into_iter().map(|(release, count)| {
        format!(
            "{name} runs the same image in {}, and stays as it is. Act now: look at it; to roll it back, start the \
             state machine with {}",
            plural(count, "service"),
            rollback(name, release, because)
        )
    });
    let brings = |row: &MoveRow| images.contains(&(row.repository.clone(), row.digest.clone()));
    let coming = open.iter().filter(|(_, moves)| moves.iter().any(brings)).map(|(release, _)| {
        format!(
            "{release} is deploying the same image to {name}. Act now: look at it; to end it, start the state machine \
             with {}",
            request(name, release, because)
        )
    });
    runs.chain(coming).map(Finding::warns).collect()
}
