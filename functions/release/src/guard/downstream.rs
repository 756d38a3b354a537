//! The environments that have taken from another one what is rolled back there.  They are named, and stay as they are.

use std::collections::{BTreeMap, BTreeSet};

use pipeline::Fault;
use pipeline::environment::Environments;
use pipeline::ids::{EnvironmentName, ReleaseId};
use pipeline::rows::{Finding, MoveRow};

use crate::plan::abort;
use crate::plan::promotion::downstream;
use crate::plan::words::plural;
use crate::ports::{History, ImageKey, Leases, Releases};

/// Finds the environments after one that run what goes back there, or are about to, each with the request for a person.
pub async fn find(
    ledger: &(impl History + Leases + Releases),
    environments: &Environments,
    from: &EnvironmentName,
    because: &str,
    moves: impl Iterator<Item = &MoveRow>,
) -> Result<Vec<Finding>, Fault> {
    let images: BTreeSet<ImageKey> = moves.map(|row| (row.repository.clone(), row.digest.clone())).collect();
    let mut found = Vec::new();
    for name in downstream(environments, from) {
        for (release, services) in running(ledger, name, &images).await? {
            let request = abort::rollback(name, &release, because);
            found.push(format!(
                "{name} runs the same image in {}, and stays as it is. Act now: look at it; to roll it back, start the \
                 state machine with {request}",
                plural(services, "service")
            ));
        }
        for release in ledger.holders(name).await? {
            let rows = ledger.moves(&release).await?;
            if rows.iter().any(|(_, row)| images.contains(&(row.repository.clone(), row.digest.clone()))) {
                let request = abort::request(name, &release, because);
                found.push(format!(
                    "{release} is deploying the same image to {name}. Act now: look at it; to end it, start the state \
                     machine with {request}"
                ));
            }
        }
    }
    Ok(found.into_iter().map(Finding::warns).collect())
}

/// Counts the services of an environment that run one of some images, by the releases that have brought them.
async fn running(
    ledger: &impl History,
    name: &EnvironmentName,
    images: &BTreeSet<ImageKey>,
) -> Result<BTreeMap<ReleaseId, usize>, Fault> {
    let mut found = BTreeMap::new();
    for row in ledger.services(name, None).await?.values() {
        let verified = row.repositories().into_iter().filter_map(|repository| row.verified(repository));
        let same = verified.filter(|fact| images.contains(&(fact.repository.clone(), fact.digest.clone())));
        for release in same.filter_map(|fact| fact.release.clone()) {
            *found.entry(release).or_insert(0) += 1;
        }
    }
    Ok(found)
}
