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

/// How many services a release has at most that is closed in one call.
const FEW: usize = 5;

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
    let (leases, known) = try_join(leases(ledger, &head, &moves), known(ledger, &head, &moves)).await?;
    // When it is closed its leases are free.
    if head.outcome.is_none() {
        give_up_lost(ledger, &run.release, &mut moves, &leases, now).await?;
        look_at_lost(aws, ledger, &run.release, &head, &mut moves, &leases, now).await?;
    }
    let closed = story(&close, &head, &moves);
    // Once: what it knows may be outdated.
    if head.outcome.is_none() {
        record(ledger, (&run.release, &head, &closed), &moves, known, now).await?;
    }
    // By what was asked: the environment may ask only since the release was opened.
    if head.asked.is_some() {
        ledger.answered(&head.environment, &run.release, None).await?;
    }
    ledger.free(&head.environment, &ours(&leases, &run.release), &run.release, now).await?;
    follow(aws, run, &head, &moves, closed, now).await
}

/// Closes a release by the call that has judged it, if that is one write: few services, all of them good, and nobody was
/// asked.  Where anything stands against it nothing is written, and it is closed by the step that follows.
pub async fn close_good(
    aws: &(impl Documents + Executions),
    ledger: &(impl History + Leases + Releases),
    run: &Run,
    (head, moves): (&HeadRow, &[(MoveKey, MoveRow)]),
    leases: &BTreeMap<ServiceName, LeaseRow>,
    now: Timestamp,
) -> Result<Option<Closed>, Fault> {
    let closed = conclude("", "", moves, head.rollback);
    let is_good = deployed(head, moves).len() == moves.len() && closed.outcome == Outcome::Deployed;
    if !is_good || moves.len() > FEW || head.asked.is_some() {
        return Ok(None);
    }
    let (spec, known) = (ReleaseSpec::of(head, &run.release)?, known(ledger, head, moves).await?);
    let proofs = proofs(&run.release, (head, moves), &known, &spec, now);
    if proofs.iter().any(|proof| left(proof.row, &proof.known, &spec).is_some()) {
        return Ok(None);
    }
    let (release, leases) = (&run.release, &ours(leases, &run.release));
    if !ledger.end(&Ending { release, head, closed: &closed, leases, now }, &proofs).await? {
        return Ok(None);
    }
    let rows: Vec<&MoveRow> = moves.iter().map(|(_, row)| row).collect();
    measures::of((release, head, &closed), &spec, &rows, &known, now).tell(now);
    follow(aws, run, head, moves, closed, now).await.map(Some)
}

/// Tells once more how a release ended that was closed as deployed, to whoever has not heard it.
pub async fn closed_before(
    aws: &(impl Documents + Executions),
    run: &Run,
    (head, moves): (&HeadRow, &[(MoveKey, MoveRow)]),
    now: Timestamp,
) -> Result<Option<Closed>, Fault> {
    match head.outcome {
        Some(Outcome::Deployed) => {
            let closed = conclude("Deployed", "", moves, head.rollback);
            follow(aws, run, head, moves, closed, now).await.map(Some)
        }
        _ => Ok(None),
    }
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

/// Returns the moves that are deployed.
fn deployed<'a>(head: &HeadRow, moves: &'a [(MoveKey, MoveRow)]) -> Vec<&'a (MoveKey, MoveRow)> {
    let is_deployed = |row| MoveOutcome::of(row, head.rollback) == MoveOutcome::Deployed;
    moves.iter().filter(|(_, row)| is_deployed(row)).collect()
}

/// Returns what the deployed moves have shown of their services.
fn proofs<'a>(
    release: &ReleaseId,
    (head, moves): (&HeadRow, &'a [(MoveKey, MoveRow)]),
    known: &BTreeMap<ServiceName, ServiceRow>,
    spec: &ReleaseSpec,
    now: Timestamp,
) -> Vec<Proof<'a>> {
    let proof = |(key, row): &'a (MoveKey, MoveRow)| {
        let known = known.get(&row.service).cloned().unwrap_or_default();
        let proven = proven(row, &known, spec, release, now);
        Proof { key, row, known, proven }
    };
    deployed(head, moves).into_iter().map(proof).collect()
}

/// Writes down the outcome, and what the moves have shown of their images.
async fn record(
    ledger: &(impl History + Releases),
    (release, head, closed): (&ReleaseId, &HeadRow, &Closed),
    moves: &[(MoveKey, MoveRow)],
    mut known: BTreeMap<ServiceName, ServiceRow>,
    now: Timestamp,
) -> Result<(), Fault> {
    let spec = ReleaseSpec::of(head, release)?;
    let proofs = proofs(release, (head, moves), &known, &spec, now);
    ledger.verified(&proofs).await?;
    let rows: Vec<&MoveRow> = moves.iter().map(|(_, row)| row).collect();
    // After it: what was good for one service and bad for another is bad.
    quarantine(ledger, &rows, release, now).await?;
    let left = proofs.iter().filter_map(|proof| left(proof.row, &proof.known, &spec));
    revoke(ledger, head, left.collect()).await?;
    ledger.close(release, head, closed, now).await?;
    known.retain(|service, _| proofs.iter().any(|proof| proof.row.service == *service));
    measures::of((release, head, closed), &spec, &rows, &known, now).tell(now);
    Ok(())
}

/// Writes down which images were bad, live.
async fn quarantine(
    ledger: &impl History,
    rows: &[&MoveRow],
    release: &ReleaseId,
    now: Timestamp,
) -> Result<(), Fault> {
    let bad: Vec<&MoveRow> = rows.iter().copied().filter(|row| is_bad(row)).collect();
    at_once(&bad, async |row| {
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
async fn known(
    ledger: &impl History,
    head: &HeadRow,
    moves: &[(MoveKey, MoveRow)],
) -> Result<BTreeMap<ServiceName, ServiceRow>, Fault> {
    let services: Vec<ServiceName> = moves.iter().map(|(_, row)| row.service.clone()).collect();
    ledger.services(&head.environment, Some(&services)).await
}

/// Starts what follows a deployed release by itself; a mistake in that is told with its end.
async fn follow(
    aws: &(impl Documents + Executions),
    run: &Run,
    head: &HeadRow,
    moves: &[(MoveKey, MoveRow)],
    mut closed: Closed,
    now: Timestamp,
) -> Result<Closed, Fault> {
    if closed.outcome != Outcome::Deployed {
        return Ok(closed);
    }
    let deployed: Vec<&MoveRow> = deployed(head, moves).into_iter().map(|(_, row)| row).collect();
    match promote(aws, head, run, &deployed, now).await {
        // The call that comes again finds it closed, and only starts what follows.
        Err(fault) if head.outcome.is_none() && Fault::RETRIED.contains(&fault.name()) => Err(fault),
        // It is deployed all the same, and those who hear so hear this, too.
        Err(fault) => {
            closed.because = format!("{}; the promotion did not start: {fault}", closed.because);
            Ok(closed)
        }
        Ok(unknown) => {
            closed.because = [vec![closed.because], unknown].concat().join("; ");
            Ok(closed)
        }
    }
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
