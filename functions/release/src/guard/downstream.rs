//! The environments that have taken from another one what is rolled back there.  They are named, and stay as they are.

use std::collections::BTreeSet;

use pipeline::Fault;
use pipeline::environment::Environments;
use pipeline::ids::EnvironmentName;
use pipeline::rows::{Finding, MoveRow};

use crate::plan::guard::taken;
use crate::plan::promotion::downstream;
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
        let services = ledger.services(name, None).await?;
        let mut open = Vec::new();
        for release in ledger.holders(name).await? {
            let moves = ledger.moves(&release).await?.into_iter().map(|(_, row)| row).collect();
            open.push((release, moves));
        }
        found.extend(taken(name, &images, &services, &open, because));
    }
    Ok(found)
}
