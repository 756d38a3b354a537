//! The first look at an environment: its services, and its releases.

use std::collections::{BTreeMap, BTreeSet};

use pipeline::Fault;
use pipeline::environment::Environment;
use pipeline::ids::{EnvironmentName, ReleaseId, Repository, ServiceName, TaskDefinitionArn};
use pipeline::rows::{MoveRow, ServiceRow, SweepRow};

use super::{Context, note};
use crate::observe;
use crate::plan::sweep::services::{Open, died, drift, ended, expected};
use crate::plan::sweep::{DOCUMENT, Found, SERVICES};
use crate::ports::{
    Approvals, Clusters, Execution, Executions, History, Releases, Revision, Revisions, Runs, Sweeps,
};

/// How many repositories of an environment one sweep looks at: of more, the next one goes on.
const REPOSITORIES: usize = 200;

/// How long ECS needs until it answers as many questions as one look asks.
const BREATH_SECONDS: i64 = 2;

/// How long an open release stands in the list of runs that this looks at.
const OPEN_SECONDS: i64 = 3 * 24 * 3600;

/// Looks at the services and the releases, and says how many repositories come next; or how long to wait before.
pub(super) async fn look(
    aws: &(impl Clusters + Executions),
    ledger: &(impl History + Releases + Approvals + Runs + Sweeps),
    context: Context<'_>,
    name: &EnvironmentName,
    policy: &Environment,
    before: Option<SweepRow>,
    work: &mut u32,
) -> Result<Result<SweepRow, i64>, Fault> {
    // Before ECS: a release that begins in between is no drift, and one that ends in between is seen once more.
    let rows = ledger.services(name, None).await?;
    let held: BTreeSet<ServiceName> = ledger.held(name).await?.into_keys().collect();
    let mut row = begin(context, policy, before);
    let (busy, mut found) = releases(aws, ledger, context, name, &rows).await?;
    row.busy = busy;
    let read = match revisions(aws, &policy.cluster).await {
        Ok(read) => read,
        Err(fault) => {
            let may_pass = Fault::RETRIED.contains(&fault.name());
            found.push(Found::unreadable(
                "cluster",
                &format!("its services cannot be read: {fault}"),
                may_pass,
            ));
            note(ledger, context, name, &found, |place| place == DOCUMENT).await?;
            ledger.note_progress(name, &row).await?;
            return Ok(Ok(row));
        }
    };
    let (pointed, Revisions { read, unread }) = read;
    if unread > 0 {
        return Ok(Err(BREATH_SECONDS));
    }
    *work = work.saturating_sub(u32::try_from(pointed.len() / 10).unwrap_or(u32::MAX).max(1));
    found.extend(drifts(ledger, name, &rows, &pointed, &read, &held).await?);
    let met = rows.iter().filter(|(service, _)| pointed.contains_key(*service));
    let mut repositories: BTreeSet<Repository> =
        met.flat_map(|(_, row)| row.repositories()).cloned().collect();
    let unmet: BTreeSet<Repository> = ours(context, read.values()).collect();
    row.unmet = unmet.difference(&repositories).cloned().collect();
    row.gone = rows.into_keys().filter(|service| !pointed.contains_key(service)).collect();
    repositories.extend(unmet);
    row.left = u32::try_from(repositories.len().min(REPOSITORIES)).unwrap_or(u32::MAX);
    // A repository whose services are gone is not looked at any more.
    let looked = |place: &str| {
        let known = Repository::parse(place).is_ok_and(|place| repositories.contains(&place));
        !known || place == SERVICES
    };
    note(ledger, context, name, &found, looked).await?;
    ledger.note_progress(name, &row).await?;
    Ok(Ok(row))
}

/// Begins with an environment: it looks for pushes from its first sweep on, and anew where it takes other tags by now.
fn begin(context: Context<'_>, policy: &Environment, before: Option<SweepRow>) -> SweepRow {
    let takes = [vec![policy.tag.to_string()], policy.deploy_on.clone()].concat().join(" ");
    let same = before.as_ref().filter(|row| row.takes == takes);
    SweepRow {
        first: same.map_or(context.now, |row| row.first),
        takes,
        run: context.run.release.clone(),
        since: context.now,
        left: 0,
        last: before.as_ref().and_then(|row| row.last.clone()),
        unmet: Vec::new(),
        gone: Vec::new(),
        busy: false,
    }
}

/// Reads which revision each service is steering to, and the revisions.
async fn revisions(
    aws: &impl Clusters,
    cluster: &str,
) -> Result<(BTreeMap<ServiceName, TaskDefinitionArn>, Revisions), Fault> {
    let pointed = aws.pointed(cluster).await?;
    let revisions = aws.revisions(&pointed.values().cloned().collect()).await?;
    Ok((pointed, revisions))
}

/// Returns the repositories here that revisions run images of.
fn ours<'a>(
    context: Context<'_>,
    revisions: impl Iterator<Item = &'a Revision>,
) -> impl Iterator<Item = Repository> {
    let images = revisions.flat_map(|revision| &revision.images).map(|(_, image)| image);
    let here = images
        .filter(move |image| image.registry == context.home.account && image.region == context.home.region);
    here.map(|image| image.repository.clone())
}

/// Finds the services that were deployed past the pipeline; those that a release holds are its own.
async fn drifts(
    ledger: &impl Releases,
    name: &EnvironmentName,
    rows: &BTreeMap<ServiceName, ServiceRow>,
    pointed: &BTreeMap<ServiceName, TaskDefinitionArn>,
    read: &BTreeMap<TaskDefinitionArn, Revision>,
    held: &BTreeSet<ServiceName>,
) -> Result<Vec<Found>, Fault> {
    let (mut found, mut known) = (Vec::new(), BTreeMap::new());
    for (service, arn) in pointed.iter().filter(|(service, _)| !held.contains(*service)) {
        let (Some(row), Some(revision)) = (rows.get(service), read.get(arn)) else { continue };
        let as_verified = expected(row).is_none_or(|(_, revision)| revision == arn);
        if as_verified || drift(name, service, row, arn, revision, None).is_none() {
            continue;
        }
        let last = match &row.last {
            Some(last) => move_of(ledger, &mut known, last, service).await?,
            None => None,
        };
        found.extend(drift(name, service, row, arn, revision, last.as_ref()));
    }
    Ok(found)
}

/// Reads the move of a service in the release that held it last.
async fn move_of(
    ledger: &impl Releases,
    known: &mut BTreeMap<ReleaseId, Vec<MoveRow>>,
    release: &ReleaseId,
    service: &ServiceName,
) -> Result<Option<MoveRow>, Fault> {
    if !known.contains_key(release) {
        let moves = ledger.moves(release).await?;
        known.insert(release.clone(), moves.into_iter().map(|(_, row)| row).collect());
    }
    let mut moves = known.get(release).into_iter().flatten();
    Ok(moves.rfind(|row| row.service == *service).cloned())
}

/// Finds the releases that died; and tells whether any release goes on.
async fn releases(
    aws: &impl Executions,
    ledger: &(impl Releases + Approvals + Runs + Sweeps),
    context: Context<'_>,
    name: &EnvironmentName,
    rows: &BTreeMap<ServiceName, ServiceRow>,
) -> Result<(bool, Vec<Found>), Fault> {
    let mut open: BTreeMap<ReleaseId, Open> = BTreeMap::new();
    for (service, lease) in ledger.held(name).await? {
        let Some(release) = lease.release else { continue };
        let one = open.entry(release).or_default();
        one.since = Some(one.since.map_or(lease.since, |since| since.min(lease.since)));
        one.holds.insert(service);
    }
    for (release, waiting) in ledger.waiting(name).await? {
        open.entry(release).or_default().since.get_or_insert(waiting.since);
    }
    let runs = ledger.listed_runs(name, context.now.plus_seconds(-OPEN_SECONDS)).await?;
    for run in runs.into_iter().filter(|run| run.outcome.is_none()) {
        open.extend(run.release.filter(|one| !open.contains_key(one)).map(|one| (one, Open::default())));
    }
    let (mut busy, mut found) = (false, Vec::new());
    for (release, open) in open {
        let execution = observe::execution(aws, context.run, &release).await?;
        busy |= execution == Execution::Running;
        let Some(ended) = ended(&open, execution, context.now) else { continue };
        let head = ledger.head(&release).await?;
        let Some(one) = died(&release, head.as_ref(), &open, ended) else { continue };
        let last = |row: &ServiceRow| row.last.as_ref() == Some(&release);
        let left = !open.holds.is_empty() || rows.values().any(last);
        // One whose services others have taken over is nobody's trouble any more.
        if (left || ledger.moves(&release).await?.is_empty()) && !ledger.is_end_told(&release).await? {
            found.push(one);
        }
    }
    Ok((busy, found))
}
