//! Reads what a decision about each service needs, for all services at once.

use std::collections::BTreeMap;

use pipeline::Fault;
use pipeline::ids::{ReleaseId, ServiceName, TaskDefinitionArn};
use pipeline::rows::ServiceRow;

use crate::answer::Untouched;
use crate::plan::candidates::{
    Candidate, Meant, Moves, could_be_meant, is_doubtful, is_held_by_another, is_named, is_ours, is_unproven,
    meant, needs_tasks,
};
use crate::plan::draft::stays;
use crate::plan::restore::at_rest;
use crate::plan::{ImageSelection, PlanContext, ReleaseSpec, promotion};
use crate::ports::{Clusters, History, ImageKey, Leases, Releases, Service, TaskImages};

/// Finds the services that a release is about, with all that is known of them; and those that stay, and why.
pub async fn candidates(
    aws: &impl Clusters,
    ledger: &(impl History + Leases + Releases),
    context: PlanContext<'_>,
    spec: &ReleaseSpec,
    (services, rows): (&[Service], &BTreeMap<ServiceName, ServiceRow>),
) -> Result<(Vec<Candidate>, Vec<Untouched>), Fault> {
    let services: Vec<&Service> = services.iter().filter(|service| is_named(&service.name, spec)).collect();
    let back = match &spec.to {
        ImageSelection::RestorePointsOf(release) => moves_of(ledger, release).await?,
        _ => Moves::new(),
    };
    let tasks = tasks(aws, context, spec, &services, rows).await?;
    let (mut candidates, mut untouched, none) = (Vec::new(), Vec::new(), TaskImages::new());
    for service in services {
        let row = rows.get(&service.name).cloned().unwrap_or_default();
        match meant(service, row, tasks.get(&service.name).unwrap_or(&none), spec, &back) {
            Meant::Candidate(candidate) => candidates.push(with_loss(aws, *candidate).await?),
            Meant::Not(service, why) => untouched.extend(stays(spec, &service, why)),
            Meant::Foreign => {}
        }
    }
    if spec.takes_what_is_verified_before() {
        candidates = newer(ledger, context, spec, candidates, &mut untouched).await?;
        candidates = not_held(ledger, context, spec, candidates, &mut untouched).await?;
    }
    with_releases(aws, ledger, context, &mut candidates).await?;
    Ok((candidates, untouched))
}

async fn with_loss(aws: &impl Clusters, candidate: Candidate) -> Result<Candidate, Fault> {
    let Some(primary) = candidate.service.primary() else { return Ok(candidate) };
    let loss = aws.loss(&primary.task_definition, &candidate.containers, &candidate.digest).await?;
    Ok(Candidate { loss, ..candidate })
}

/// Leaves out what runs something newer.
async fn newer(
    ledger: &impl History,
    context: PlanContext<'_>,
    spec: &ReleaseSpec,
    candidates: Vec<Candidate>,
    untouched: &mut Vec<Untouched>,
) -> Result<Vec<Candidate>, Fault> {
    let Some(from) = &context.environment.from else { return Ok(candidates) };
    let present = |one: &Candidate| Some((one.repository.clone(), one.verified()?.digest.clone()));
    let offered = |one: &Candidate| (one.repository.clone(), one.digest.clone());
    let images: Vec<ImageKey> =
        candidates.iter().flat_map(|one| present(one).into_iter().chain([offered(one)])).collect();
    let evidence = ledger.evidence(from, &images).await?;
    let shown = |image: &ImageKey| evidence.get(image).and_then(|row| row.verified.as_ref());
    Ok(leave_out(candidates, spec, untouched, |one| {
        let before = present(one).and_then(|image| shown(&image));
        promotion::older(one, shown(&offered(one)), before)
    }))
}

/// Leaves out the services that stay as they are, each with why.
fn leave_out(
    candidates: Vec<Candidate>,
    spec: &ReleaseSpec,
    untouched: &mut Vec<Untouched>,
    why: impl Fn(&Candidate) -> Option<String>,
) -> Vec<Candidate> {
    let mut others = Vec::new();
    for one in candidates {
        match why(&one) {
            Some(why) => untouched.extend(stays(spec, &one.service.name, why)),
            None => others.push(one),
        }
    }
    others
}

/// Leaves out what the environment before has rolled its service of the same name back from.
async fn not_held(
    ledger: &impl History,
    context: PlanContext<'_>,
    spec: &ReleaseSpec,
    candidates: Vec<Candidate>,
    untouched: &mut Vec<Untouched>,
) -> Result<Vec<Candidate>, Fault> {
    let Some(from) = &context.environment.from else { return Ok(candidates) };
    let names: Vec<ServiceName> = candidates.iter().map(|one| one.service.name.clone()).collect();
    let there = ledger.services(from, Some(&names)).await?;
    Ok(leave_out(candidates, spec, untouched, |one| promotion::held(one, from, there.get(&one.service.name))))
}

/// Reads what the tasks report of the services of which nothing else says what they run.
async fn tasks(
    aws: &impl Clusters,
    context: PlanContext<'_>,
    spec: &ReleaseSpec,
    services: &[&Service],
    rows: &BTreeMap<ServiceName, ServiceRow>,
) -> Result<BTreeMap<ServiceName, TaskImages>, Fault> {
    let nothing = ServiceRow::default();
    let silent = services.iter().filter(|service| {
        let row = rows.get(&service.name).unwrap_or(&nothing);
        could_be_meant(service, spec) && needs_tasks(service, row, spec)
    });
    let silent: BTreeMap<ServiceName, TaskDefinitionArn> = silent
        .filter_map(|service| Some((service.name.clone(), service.primary()?.task_definition.clone())))
        .collect();
    if silent.is_empty() {
        return Ok(BTreeMap::new());
    }
    aws.running(&context.environment.cluster, &silent).await
}

/// Adds whose the rollouts are that are in progress, and who brought what nobody has verified.
async fn with_releases(
    aws: &impl Clusters,
    ledger: &(impl Leases + Releases),
    context: PlanContext<'_>,
    candidates: &mut [Candidate],
) -> Result<(), Fault> {
    let rolls = |one: &Candidate| !at_rest(&one.service);
    let rolling = candidates.iter().filter(|one| rolls(one));
    let rolling: Vec<ServiceName> = rolling.map(|one| one.service.name.clone()).collect();
    let leases = match rolling.is_empty() {
        true => BTreeMap::new(),
        false => ledger.leases(context.name, &rolling).await?,
    };
    let mut known: BTreeMap<ReleaseId, Moves> = BTreeMap::new();
    for one in candidates.iter_mut().filter(|one| rolls(one) || is_doubtful(&one.service, &one.row)) {
        // This release itself, where it takes its leases once more.
        let own = one.row.last.as_ref() == Some(context.release);
        let last = if own && !rolls(one) { &one.row.last_before } else { &one.row.last };
        if let Some(last) = last.as_ref().filter(|last| !known.contains_key(last)) {
            known.insert(last.clone(), moves_of(ledger, last).await?);
        }
        let last = last.as_ref().and_then(|last| known.get(last)?.get(&one.service.name));
        match rolls(one) {
            true if one.service.shifts() => {
                let lease = leases.get(&one.service.name);
                one.ours = is_held_by_another(context, lease);
                // What ECS shifts is not overtaken: nobody knows where its traffic would go meanwhile.
                if !one.ours && is_ours(&one.service, context, lease, last) {
                    let open = aws.open_shifts(&context.environment.cluster, &one.service.name).await?;
                    one.open_shift = open.into_iter().next();
                }
            }
            true => one.ours = is_ours(&one.service, context, leases.get(&one.service.name), last),
            false => {
                let left = last.filter(|_| is_unproven(&one.service, last));
                one.left = left.map(|left| Box::new(left.clone()));
            }
        }
    }
    Ok(())
}

async fn moves_of(ledger: &impl Releases, release: &ReleaseId) -> Result<Moves, Fault> {
    let moves = ledger.moves(release).await?;
    Ok(moves.into_iter().map(|(_, row)| (row.service.clone(), row)).collect())
}
