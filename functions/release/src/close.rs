//! Closes a release: the outcome, what was verified, and the leases.

use std::collections::{BTreeMap, BTreeSet};

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::environment::Promote;
use pipeline::ids::{Digest, ReleaseId, Repository, ServiceName};
use pipeline::payload::MoveKey;
use pipeline::rows::MoveOutcome;
use pipeline::rows::{HeadRow, LeaseRow, MoveRow, Outcome, Quarantine, ServiceRow};

use crate::answer::Closed;
use crate::at_once;
use crate::held::{give_up_lost, look_at_lost};
use crate::payload::{Close, Run};
use crate::plan::conclusion::{conclude, is_bad, is_untested, stopped_too_late};
use crate::plan::history::{left, proven};
use crate::plan::{ImageSelection, ReleaseSpec, measures, promotion};
use crate::ports::{Approvals, Clusters, Documents, Executions, History, ImageKey, Leases, Releases};

/// Writes the outcome; harmless if it is written already.
pub async fn close(
    aws: &(impl Clusters + Documents + Executions),
    ledger: &(impl History + Leases + Releases + Approvals),
    close: Close,
    now: Timestamp,
) -> Result<Closed, Fault> {
    let Close { run, outcome, because } = &close;
    let (head, mut moves) = ledger.head_and_moves(&run.release).await?;
    let Some(head) = head else { return Ok(conclude(outcome, because, &moves, None)) };
    let leases = leases(ledger, &head, &moves).await?;
    // When it is closed its leases are free.
    if head.outcome.is_none() {
        give_up_lost(ledger, &run.release, &mut moves, &leases, now).await?;
        look_at_lost(aws, ledger, &run.release, &head, &mut moves, &leases, now).await?;
    }
    let mut closed = conclude(outcome, because, &moves, head.rollback);
    if let Some((outcome, because)) = stopped_too_late(&run.release, &head, &closed) {
        (closed.outcome, closed.because) = (outcome, because);
    }
    if is_untested(&head, &closed, &moves) {
        closed.outcome = Outcome::NeedsHuman;
    }
    let rows: Vec<&MoveRow> = moves.iter().map(|(_, row)| row).collect();
    let deployed: Vec<&MoveRow> = rows
        .iter()
        .copied()
        .filter(|row| MoveOutcome::of(row, head.rollback) == MoveOutcome::Deployed)
        .collect();
    // Once: what it knows may be outdated.
    if head.outcome.is_none() {
        let spec = ReleaseSpec::of(&head, &run.release)?;
        let known = record(ledger, &run.release, (&head, &spec), &rows, &deployed, now).await?;
        ledger.close(&run.release, &head, &closed, now).await?;
        measures::of((&run.release, &head, &closed), &spec, &rows, &known, now).tell(now);
    }
    // By what was asked: the environment may ask only since the release was opened.
    if head.asked.is_some() {
        ledger.answered(&head.environment, &run.release, None).await?;
    }
    free(ledger, &head, &leases, run, now).await?;
    if closed.outcome == Outcome::Deployed {
        match promote(aws, &head, run, &deployed, now).await {
            // The call that comes again finds it closed, and only starts what follows.
            Err(fault) if head.outcome.is_none() && Fault::RETRIED.contains(&fault.name()) => {
                return Err(fault);
            }
            // It is deployed all the same, and those who hear so hear this, too.
            Err(fault) => {
                closed.because = format!("{}; the promotion did not start: {fault}", closed.because);
            }
            Ok(unknown) => closed.because = [vec![closed.because], unknown].concat().join("; "),
        }
    }
    Ok(closed)
}

/// Writes down what the moves have shown of their images; returns what was known of the deployed services before.
async fn record(
    ledger: &impl History,
    release: &ReleaseId,
    (head, spec): (&HeadRow, &ReleaseSpec),
    rows: &[&MoveRow],
    deployed: &[&MoveRow],
    now: Timestamp,
) -> Result<BTreeMap<ServiceName, ServiceRow>, Fault> {
    let names: Vec<ServiceName> = deployed.iter().map(|row| row.service.clone()).collect();
    let known = match names.is_empty() {
        true => BTreeMap::new(),
        false => ledger.services(&head.environment, Some(&names)).await?,
    };
    let nothing = ServiceRow::default();
    at_once(deployed, async |row| {
        let known = known.get(&row.service).unwrap_or(&nothing);
        ledger.verified(row, known, &proven(row, known, spec, release, now)).await
    })
    .await?;
    // After it: what was good for one service and bad for another is bad.
    let bad: Vec<&MoveRow> = rows.iter().copied().filter(|row| is_bad(row)).collect();
    at_once(&bad, async |row| {
        let (release, since) = (release.clone(), row.decided.unwrap_or(now));
        let reason = row.reason.clone().unwrap_or_default();
        ledger.quarantine(row, &Quarantine { release, since, reason }).await
    })
    .await?;
    let left = |row: &&MoveRow| left(row, known.get(&row.service).unwrap_or(&nothing), spec);
    let left: BTreeSet<ImageKey> = deployed.iter().filter_map(left).collect();
    revoke(ledger, head, left).await?;
    Ok(known)
}

/// Takes away the proof of images that somebody has rolled back from, unless a service here still runs them.
async fn revoke(ledger: &impl History, head: &HeadRow, left: BTreeSet<ImageKey>) -> Result<(), Fault> {
    if left.is_empty() {
        return Ok(());
    }
    let services = ledger.services(&head.environment, None).await?;
    let run = services.values().flat_map(|row| {
        let verified = row.repositories().into_iter().filter_map(|repository| row.verified(repository));
        verified.map(|fact| (fact.repository.clone(), fact.digest.clone()))
    });
    let run: BTreeSet<ImageKey> = run.collect();
    let gone: Vec<&ImageKey> = left.difference(&run).collect();
    at_once(&gone, async |image| ledger.revoke(&head.environment, image).await).await?;
    Ok(())
}

/// Reads the leases of all services that were ever meant: a plan may have become smaller.
async fn leases(
    ledger: &impl Leases,
    head: &HeadRow,
    moves: &[(MoveKey, MoveRow)],
) -> Result<BTreeMap<ServiceName, LeaseRow>, Fault> {
    let services: BTreeSet<&ServiceName> =
        head.services.iter().chain(moves.iter().map(|(_, row)| &row.service)).collect();
    let services: Vec<ServiceName> = services.into_iter().cloned().collect();
    ledger.leases(&head.environment, &services).await
}

/// Frees those that are ours.
async fn free(
    ledger: &impl Leases,
    head: &HeadRow,
    leases: &BTreeMap<ServiceName, LeaseRow>,
    run: &Run,
    now: Timestamp,
) -> Result<(), Fault> {
    let ours = leases.iter().filter(|(_, lease)| lease.release.as_ref() == Some(&run.release));
    let ours: Vec<(&ServiceName, u64)> = ours.map(|(service, lease)| (service, lease.fence)).collect();
    ledger.free(&head.environment, &ours, &run.release, now).await
}

/// Starts the releases that follow a deployed one by themselves; says what cannot be known to follow.
async fn promote(
    aws: &(impl Documents + Executions),
    head: &HeadRow,
    run: &Run,
    deployed: &[&MoveRow],
    now: Timestamp,
) -> Result<Vec<String>, Fault> {
    let spec = ReleaseSpec::of(head, &run.release)?;
    // What goes back goes back here alone.
    if head.policy.promote != Promote::Auto || !matches!(spec.to, ImageSelection::Images(_)) {
        return Ok(Vec::new());
    }
    let images: BTreeMap<&Repository, &Digest> =
        deployed.iter().map(|row| (&row.repository, &row.digest)).collect();
    let environments = aws.environments(&run.release, now).await?;
    for next in promotion::followers(&environments, &head.environment) {
        let input = promotion::following(next, &run.release, &images);
        aws.start(&run.machine, &promotion::name(next, &run.release), &input).await?;
    }
    let unknown = environments.broken();
    Ok(unknown
        .map(|(name, fault)| format!("it is unknown whether a promotion to {name} started: {fault}"))
        .collect())
}
