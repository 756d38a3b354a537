//! Gives up what a release has lost: no row of a move counts any more once another release holds its service.

use std::collections::BTreeMap;

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ids::{ReleaseId, ServiceName};
use pipeline::payload::MoveKey;
use pipeline::rows::{LeaseRow, MoveRow, Verdict};

use crate::at_once;
use crate::plan::leases::lost;
use crate::ports::Releases;

/// Writes down which moves are superseded, by the leases of their services.
pub async fn give_up_lost(
    ledger: &impl Releases,
    release: &ReleaseId,
    moves: &mut [(MoveKey, MoveRow)],
    leases: &BTreeMap<ServiceName, LeaseRow>,
    now: Timestamp,
) -> Result<(), Fault> {
    let lost = moves.iter_mut().filter_map(|(key, row)| {
        let why = lost(release, row, leases.get(&row.service))?;
        (row.verdict != Some(Verdict::Superseded)).then_some((key, row, why))
    });
    let mut given_up = Vec::new();
    for (key, row, why) in lost {
        (row.verdict, row.reason, row.decided) = (Some(Verdict::Superseded), Some(why.clone()), Some(now));
        let (key, row): (&MoveKey, &MoveRow) = (key, row);
        given_up.push((key, row, why));
    }
    at_once(&given_up, async |(key, row, why)| ledger.supersede(key, row, why, now).await).await?;
    Ok(())
}
