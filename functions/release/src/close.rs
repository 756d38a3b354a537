//! Closes a release: the outcome, what was verified, and the leases.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::try_join;
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
use crate::ports::{
    Approvals, Clusters, Documents, Ending, Executions, History, ImageKey, Leases, Proof, Releases,
};

/// Writes the outcome; harmless if it is written already.
pub async fn close(
    aws: &(impl Clusters + Documents + Executions),
    ledger: &(impl History + Leases + Releases + Approvals),
    close: Close,
    now: Timestamp,
) -> Result<Closed, Fault> {
    let (head, moves) = ledger.head_and_moves(&close.run.release).await?;
    let Some(head) = head else { return Ok(conclude(&close.outcome, &close.because, &moves, None)) };
    let read = try_join(leases(ledger, &head, &moves), known(ledger, &head, &moves)).await?;
    finish(aws, ledger, close, (head, moves), read, now).await
}

/// Writes the outcome of a release as it was read: its head and its moves, their leases, and what is known of their
/// services.
pub async fn finish(
    aws: &(impl Clusters + Documents + Executions),
    ledger: &(impl History + Leases + Releases + Approvals),
    close: Close,
    (head, mut moves): (HeadRow, Vec<(MoveKey, MoveRow)>),
    (leases, mut known): (BTreeMap<ServiceName, LeaseRow>, BTreeMap<ServiceName, ServiceRow>),
    now: Timestamp,
) -> Result<Closed, Fault> {
    let run = &close.run;
    // When it is closed its leases are free.
    if head.outcome.is_none() {
        give_up_lost(ledger, &run.release, &mut moves, &leases, now).await?;
        look_at_lost(aws, ledger, &run.release, &head, &mut moves, &leases, now).await?;
    }
    let mut closed = story(&close, &head, &moves);
    let rows: Vec<&MoveRow> = moves.iter().map(|(_, row)| row).collect();
    let deployed: Vec<&MoveRow> = rows
        .iter()
        .copied()
        .filter(|row| MoveOutcome::of(row, head.rollback) == MoveOutcome::Deployed)
        .collect();
    known.retain(|service, _| deployed.iter().any(|row| row.service == *service));
    let mut ours = ours(&leases, &run.release);
    // Once: what it knows may be outdated.
    if head.outcome.is_none() {
        let end = Ending { release: &run.release, head: &head, closed: &closed, leases: &ours, now };
        if record(ledger, end, &rows, (&deployed, &known)).await? {
            ours.clear();
        }
    }
    // By what was asked: the environment may ask only since the release was opened.
    if head.asked.is_some() {
        ledger.answered(&head.environment, &run.release, None).await?;
    }
    ledger.free(&head.environment, &ours, &run.release, now).await?;
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

/// Tells how a release ended.
fn story(Close { run, outcome, because }: &Close, head: &HeadRow, moves: &[(MoveKey, MoveRow)]) -> Closed {
    let mut closed = conclude(outcome, because, moves, head.rollback);
    if let Some((outcome, because)) = stopped_too_late(&run.release, head, &closed) {
        (closed.outcome, closed.because) = (outcome, because);
    }
    if is_untested(head, &closed, moves) {
        closed.outcome = Outcome::NeedsHuman;
    }
    closed
}

/// Writes down the end of a release, and what its moves have shown of their images; tells whether its leases are free
/// with that.
async fn record(
    ledger: &(impl History + Releases),
    end: Ending<'_>,
    rows: &[&MoveRow],
    (deployed, known): (&[&MoveRow], &BTreeMap<ServiceName, ServiceRow>),
) -> Result<bool, Fault> {
    let Ending { release, head, closed, now, .. } = end;
    let (spec, nothing) = (ReleaseSpec::of(head, release)?, ServiceRow::default());
    let proofs = deployed.iter().map(|row| {
        let known = known.get(&row.service).unwrap_or(&nothing);
        Proof { row, known, proven: proven(row, known, &spec, release, now) }
    });
    let proofs: Vec<Proof<'_>> = proofs.collect();
    let bad: Vec<&MoveRow> = rows.iter().copied().filter(|row| is_bad(row)).collect();
    let left: BTreeSet<ImageKey> =
        proofs.iter().filter_map(|proof| left(proof.row, proof.known, &spec)).collect();
    let is_freed = bad.is_empty() && left.is_empty() && ledger.end(&end, &proofs).await?;
    if !is_freed {
        ledger.verified(&proofs).await?;
        // After it: what was good for one service and bad for another is bad.
        quarantine(ledger, &bad, release, now).await?;
        revoke(ledger, head, left).await?;
        ledger.close(release, head, closed, now).await?;
    }
    measures::of((release, head, closed), &spec, rows, known, now).tell(now);
    Ok(is_freed)
}

/// Writes down which images were bad, live.
async fn quarantine(
    ledger: &impl History,
    bad: &[&MoveRow],
    release: &ReleaseId,
    now: Timestamp,
) -> Result<(), Fault> {
    at_once(bad, async |row| {
        let (release, since) = (release.clone(), row.decided.unwrap_or(now));
        let reason = row.reason.clone().unwrap_or_default();
        ledger.quarantine(row, &Quarantine { release, since, reason }).await
    })
    .await?;
    Ok(())
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
pub async fn leases(
    ledger: &impl Leases,
    head: &HeadRow,
    moves: &[(MoveKey, MoveRow)],
) -> Result<BTreeMap<ServiceName, LeaseRow>, Fault> {
    let services: BTreeSet<&ServiceName> =
        head.services.iter().chain(moves.iter().map(|(_, row)| &row.service)).collect();
    let services: Vec<ServiceName> = services.into_iter().cloned().collect();
    ledger.leases(&head.environment, &services).await
}

/// Returns the leases that are ours, with their numbers.
fn ours<'a>(leases: &'a BTreeMap<ServiceName, LeaseRow>, release: &ReleaseId) -> Vec<(&'a ServiceName, u64)> {
    let ours = leases.iter().filter(|(_, lease)| lease.release.as_ref() == Some(release));
    ours.map(|(service, lease)| (service, lease.fence)).collect()
}

/// Reads what is known of the services that a release has moved.
pub async fn known(
    ledger: &impl History,
    head: &HeadRow,
    moves: &[(MoveKey, MoveRow)],
) -> Result<BTreeMap<ServiceName, ServiceRow>, Fault> {
    let services: Vec<ServiceName> = moves.iter().map(|(_, row)| row.service.clone()).collect();
    ledger.services(&head.environment, Some(&services)).await
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
