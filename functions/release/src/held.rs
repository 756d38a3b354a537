//! Gives up what a release has lost: no row of a move counts any more once another release holds its service.

use std::collections::BTreeMap;

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ids::{ReleaseId, ServiceName};
use pipeline::payload::MoveKey;
use pipeline::rows::{HeadRow, LeaseRow, MoveRow, Verdict};

use crate::at_once;
use crate::plan::leases::lost;
use crate::ports::{ClusterSnapshot, Clusters, History, Releases, Service};

/// A move that has lost its service, and to whom.
type Lost<'a> = (&'a MoveKey, &'a mut MoveRow, String);

/// Writes down which moves are superseded, by the leases of their services.
pub async fn give_up_lost(
    ledger: &impl Releases,
    release: &ReleaseId,
    moves: &mut [(MoveKey, MoveRow)],
    leases: &BTreeMap<ServiceName, LeaseRow>,
    now: Timestamp,
) -> Result<(), Fault> {
    let lost =
        all_lost(release, moves, leases).filter(|(_, row, _)| row.verdict != Some(Verdict::Superseded));
    give_up(ledger, lost.collect(), Verdict::Superseded, now).await
}

/// Looks which services that were lost run what the release deployed all the same: whoever took them over ended before
/// it changed them, or went back to that.  Nobody has proven it, so a person has to know.
pub async fn look_at_lost(
    aws: &impl Clusters,
    ledger: &(impl History + Releases),
    release: &ReleaseId,
    head: &HeadRow,
    moves: &mut [(MoveKey, MoveRow)],
    leases: &BTreeMap<ServiceName, LeaseRow>,
    now: Timestamp,
) -> Result<(), Fault> {
    let lost: Vec<Lost<'_>> =
        all_lost(release, moves, leases).filter(|(_, row, _)| row.touched.is_some()).collect();
    if lost.is_empty() {
        return Ok(());
    }
    let names: Vec<ServiceName> = lost.iter().map(|(_, row, _)| row.service.clone()).collect();
    let known = ledger.services(&head.environment, Some(&names)).await?;
    let seen = match aws.services(&head.policy.cluster, Some(&names)).await {
        Err(fault) if !Fault::RETRIED.contains(&fault.name()) => Err(fault.to_string()),
        seen => Ok(seen?),
    };
    let left = lost.into_iter().filter_map(|(key, row, why)| {
        let verified = known.get(&row.service).zip(row.registered.as_ref());
        if verified.is_some_and(|(known, revision)| known.of_revision(revision).is_some()) {
            return None;
        }
        let stays = match seen.as_ref().map(|seen| runs(seen, row)) {
            Ok(Ok(false)) => return None,
            Ok(Ok(true)) => format!("it runs what {release} deployed all the same"),
            Err(fault) | Ok(Err(fault)) => format!("it is unknown what it runs ({fault})"),
        };
        let held = leases.get(&row.service).is_some_and(|lease| lease.release.is_some());
        let next = if held { "look how that one ends" } else { "release it anew, or roll it back" };
        Some((key, row, format!("{why}; {stays}: {next}")))
    });
    give_up(ledger, left.collect(), Verdict::Inconclusive, now).await
}

/// Returns the moves that have lost their services, by the leases of these.
fn all_lost<'a>(
    release: &ReleaseId,
    moves: &'a mut [(MoveKey, MoveRow)],
    leases: &BTreeMap<ServiceName, LeaseRow>,
) -> impl Iterator<Item = Lost<'a>> {
    moves.iter_mut().filter_map(|(key, row)| {
        let why = lost(release, row, leases.get(&row.service))?;
        Some((&*key, row, why))
    })
}

/// Tells whether the service of a move runs what the move brought, or why that cannot be read.
fn runs<'a>(seen: &'a ClusterSnapshot, row: &MoveRow) -> Result<bool, &'a String> {
    if let Some(fault) = seen.unreadable.get(&row.service) {
        return Err(fault);
    }
    let service = seen.services.iter().find(|one| one.name == row.service);
    Ok(service.and_then(Service::primary).is_some_and(|one| one.is_of(row)))
}

async fn give_up(
    ledger: &impl Releases,
    moves: Vec<Lost<'_>>,
    verdict: Verdict,
    now: Timestamp,
) -> Result<(), Fault> {
    let mut given_up = Vec::new();
    for (key, row, why) in moves {
        (row.verdict, row.reason, row.decided) = (Some(verdict), Some(why.clone()), Some(now));
        given_up.push((key, &*row, why));
    }
    at_once(&given_up, async |(key, row, why)| ledger.give_up(key, row, verdict, why, now).await).await?;
    Ok(())
}
