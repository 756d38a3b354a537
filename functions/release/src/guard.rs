//! The guard: an alarm that goes red soon after the end of a release rolls it back, and nobody has to ask for it.
//!
//! It goes the way of every rollback.  `open` finds the release, and tells a person where the guard may not act; `keep`
//! looks once more under the leases, before anything is touched.

mod downstream;
mod open;
mod told;

pub use open::open;
pub use told::Told;

use std::collections::{BTreeMap, BTreeSet};

use pipeline::Fault;
use pipeline::environment::{Approval, Environment};
use pipeline::ids::{EnvironmentName, ReleaseId, ServiceName};
use pipeline::rows::{GuardRollbackRow, MoveRow, ServiceRow};

use crate::answer::{Opened, Opening};
use crate::observe;
use crate::payload::Run;
use crate::plan::guard::{Place, declined, moved_since};
use crate::plan::{ImageSelection, PlanContext, ReleaseSpec};
use crate::ports::{Alarms, Guards, Leases, Releases};

/// Returns the alarm for which the guard rolls a release back, and that release; none if somebody asked for it.
fn asked_by(spec: &ReleaseSpec) -> Option<(&String, &ReleaseId)> {
    match (&spec.alarm, &spec.to) {
        (Some(alarm), ImageSelection::RestorePointsOf(release)) => Some((alarm, release)),
        _ => None,
    }
}

/// Returns the policy by which a release moves: whoever has switched the guard on has agreed to what it does.
pub fn policy(environment: Environment, spec: &ReleaseSpec) -> Environment {
    match asked_by(spec) {
        Some(_) => Environment { approval: Approval::None, ..environment },
        None => environment,
    }
}

/// Writes down that a run rolls a release back by the guard; answers if another run does so already.
pub async fn begin(
    ledger: &impl Guards,
    spec: &ReleaseSpec,
    run: &Run,
    context: PlanContext<'_>,
) -> Result<Option<Opened>, Fault> {
    let Some((alarm, release)) = asked_by(spec) else { return Ok(None) };
    let row = GuardRollbackRow { by: run.release.clone(), alarm: alarm.clone(), since: context.now };
    let other = ledger.begin_rollback(release, &row).await?;
    Ok(other.map(|other| {
        let why = format!("{} rolls it back already, for the alarm {}", other.by, other.alarm);
        Told::new(context.name, alarm, release).answer(Opening::Superseded, &why)
    }))
}

/// Writes down that a run ends before it has touched anything: the next alarm may roll the release back.
pub async fn withdraw(ledger: &impl Guards, spec: &ReleaseSpec, run: &Run) -> Result<(), Fault> {
    match asked_by(spec) {
        Some((_, release)) => ledger.withdraw_rollback(release, &run.release).await,
        None => Ok(()),
    }
}

/// Tells who has taken a service that the guard was about to roll back, if somebody has.
pub async fn outrun(
    ledger: &(impl Leases + Releases),
    spec: &ReleaseSpec,
    environment: &EnvironmentName,
    services: &[ServiceName],
    run: &Run,
) -> Result<Option<String>, Fault> {
    let Some((alarm, release)) = asked_by(spec) else { return Ok(None) };
    let leases = ledger.leases(environment, services).await?;
    let other = leases.iter().find_map(|(service, lease)| {
        let holder = lease.release.as_ref().filter(|holder| **holder != run.release)?;
        Some(format!("{service} is held by {holder}"))
    });
    Ok(other.map(|why| declined(alarm, release, &why)))
}

/// Keeps, under the leases, the moves of services that nobody has moved since; or says why nothing is rolled back.
pub async fn keep(
    aws: &impl Alarms,
    ledger: &impl Releases,
    spec: &ReleaseSpec,
    run: &Run,
    moves: &mut Vec<MoveRow>,
    known: &BTreeMap<ServiceName, ServiceRow>,
) -> Result<Option<String>, Fault> {
    let Some((alarm, release)) = asked_by(spec) else { return Ok(None) };
    let before: Vec<MoveRow> = ledger.moves(release).await?.into_iter().map(|(_, row)| row).collect();
    let now = observe::states(aws, BTreeSet::from([alarm.clone()])).await?.remove(alarm);
    let against =
        |row: &MoveRow| row.alarms.contains(alarm) && now.is_some_and(|alarm| alarm.speaks_against(row));
    if !before.iter().any(against) {
        let why = format!("{alarm} has recovered before anything was touched");
        return Ok(Some(declined(alarm, release, &why)));
    }
    let mut passed = Vec::new();
    moves.retain(|planned| {
        let last = known.get(&planned.service).and_then(|known| known.last.clone());
        let place = Place {
            // A call of this run before may have written its moves already.
            last: last.filter(|last| *last != run.release),
            holder: None,
            deployment: planned.replaces.clone(),
            task_definition: planned.running.clone(),
        };
        let row = before.iter().find(|row| row.service == planned.service);
        let since = row.and_then(|row| moved_since(row, release, Some(&place)));
        passed.extend(since.clone());
        since.is_none()
    });
    Ok(moves.is_empty().then(|| declined(alarm, release, &passed.join("; "))))
}
