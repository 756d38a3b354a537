//! Opens the rollback that an alarm asks for; or says why there is none.

use std::collections::BTreeMap;

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::environment::Environments;
use pipeline::ids::{EnvironmentName, ReleaseId, ServiceName};
use pipeline::rows::{Finding, FrozenRow, GuardRow, HeadRow, MoveRow, OrderKey};

use super::told::Told;
use super::{downstream, policy};
use crate::answer::{Opened, Opening};
use crate::intake::alarm::AlarmEvent;
use crate::intake::home::Home;
use crate::intake::images::ImageRequest;
use crate::intake::route::{self, Policy, ReleaseIntent};
use crate::observe;
use crate::payload::Run;
use crate::plan::freeze::Freeze;
use crate::plan::guard::{
    Guarded, Place, Ruling, Scope, Surroundings, because, decide, is_no_concern, is_outdated, request,
    services,
};
use crate::plan::{ImageSelection, ReleaseSpec};
use crate::ports::{Alarms, Clusters, Events, Freezes, Guards, History, Leases, Releases, Service};

/// How long to wait until a release has ended that is about to.
const PAUSE_SECONDS: i64 = 10;

/// A release that an alarm guards, and all that is known of it.
struct Case {
    release: ReleaseId,
    row: GuardRow,
    policy: Policy,
    head: Option<HeadRow>,
    moves: Vec<MoveRow>,
}

impl Case {
    fn guarded(&self) -> Guarded<'_> {
        let Case { release, row, policy, head, moves } = self;
        Guarded { release, row, policy: &policy.environment, head: head.as_ref(), moves }
    }
}

/// Finds what an alarm rolls back; or answers why that is nothing, and who has to hear of it.
pub async fn open(
    aws: &(impl Clusters + Alarms),
    ledger: &(impl Events + History + Freezes + Leases + Releases + Guards),
    event: &AlarmEvent,
    run: &Run,
    environments: &Environments,
    (started, now): (Timestamp, Timestamp),
) -> Result<Result<ReleaseIntent, Opened>, Fault> {
    let mut rows = ledger.guarded_by(&event.alarm).await?;
    // Of several releases the newest is the likeliest to blame: one goes back at a time.
    rows.sort_by_key(|(_, row)| std::cmp::Reverse(row.since));
    let mut ignored = Vec::new();
    let mut told: Option<(Case, Ruling)> = None;
    let mut chosen: Option<(Case, Scope)> = None;
    let mut others = Vec::new();
    for (release, row) in rows {
        let (case, ruling) = match judge(aws, ledger, event, (release, row), run, environments, now).await? {
            Ok(ruled) => ruled,
            Err(why) => {
                ignored.push(why);
                continue;
            }
        };
        match ruling {
            Ruling::Wait(why) => {
                let waits = Opened::without_plan(Opening::Waiting, Some(&case.row.environment), why);
                return Ok(Err(Opened { pause_seconds: PAUSE_SECONDS, ..waits }));
            }
            Ruling::Ignore(why) => ignored.push(why),
            Ruling::RollBack(_) if chosen.is_some() => others.push(case),
            Ruling::RollBack(scope) => chosen = Some((case, scope)),
            ruling => told = told.or(Some((case, ruling))),
        }
    }
    let (case, ruling) = match (chosen, told) {
        (Some((case, scope)), _) => (case, Ruling::RollBack(scope)),
        (None, Some(told)) => told,
        (None, None) => {
            let none = || format!("no release is guarded by the alarm {}", event.alarm);
            let why = if ignored.is_empty() { none() } else { ignored.join("; ") };
            return Ok(Err(Opened::without_plan(Opening::Ignored, None, why)));
        }
    };
    if let Some(first) = ledger.claim_alarm(&event.event, &run.execution, now).await? {
        let why = format!("the event {} was delivered before, to {first}", event.event);
        return Ok(Err(Opened::without_plan(Opening::Ignored, Some(&case.row.environment), why)));
    }
    match ruling {
        Ruling::RollBack(scope) => {
            let moved = case.moves.iter().filter(|row| scope.services.contains(&row.service));
            let (because, name) = (because(&event.alarm, &case.release), &case.row.environment);
            let mut findings = downstream::find(ledger, environments, name, &because, moved).await?;
            findings.extend(others.iter().map(|other| is_left(event, other)));
            intent(event, case, scope, findings, run, started).map(Ok)
        }
        ruling => tell(ledger, event, &case, ruling, run, now).await.map(Err),
    }
}

/// Reads what is known of one release, as far as it takes to decide; says why it does not matter if that is plain.
async fn judge(
    aws: &(impl Clusters + Alarms),
    ledger: &(impl History + Freezes + Leases + Releases + Guards),
    event: &AlarmEvent,
    (release, row): (ReleaseId, GuardRow),
    run: &Run,
    environments: &Environments,
    now: Timestamp,
) -> Result<Result<(Case, Ruling), String>, Fault> {
    if let Some(why) = is_outdated(event, &release, &row, now) {
        return Ok(Err(why));
    }
    let policy = match route::policy(&row.environment, environments, true) {
        Ok(policy) => policy,
        Err(why) => return Ok(Err(why)),
    };
    let head = ledger.head(&release).await?;
    let moves: Vec<MoveRow> = ledger.moves(&release).await?.into_iter().map(|(_, row)| row).collect();
    let case = Case { release, row, policy, head, moves };
    let alarm = observe::states(aws, [event.alarm.clone()].into()).await?.remove(&event.alarm);
    if let Some(ruling) = is_no_concern(event, case.guarded(), alarm) {
        return Ok(Ok((case, ruling)));
    }
    let (environment, name) = (&case.policy.environment, &case.row.environment);
    let places = places(aws, ledger, name, &environment.cluster, &services(&case.moves)).await?;
    let begun = ledger.guard_rollback(&case.release).await?.filter(|begun| begun.by != run.release);
    let freeze = observe::freeze(ledger, name, environment.frozen).await?;
    // A call of this run before may have frozen it.
    let freeze = freeze.filter(|freeze| !matches!(freeze, Freeze::Row(row) if row.by == run.release));
    let around = Surroundings { places: &places, begun: begun.as_ref(), freeze: freeze.as_ref() };
    let ruling = decide(event, case.guarded(), around);
    Ok(Ok((case, ruling)))
}

/// Looks at how services stand.
async fn places(
    aws: &impl Clusters,
    ledger: &(impl History + Leases),
    name: &EnvironmentName,
    cluster: &str,
    services: &[ServiceName],
) -> Result<BTreeMap<ServiceName, Place>, Fault> {
    let seen = aws.services(cluster, Some(services)).await?;
    let mut known = ledger.services(name, Some(services)).await?;
    let mut leases = ledger.leases(name, services).await?;
    let place = |service: &Service| {
        let primary = service.primary()?;
        Some((
            service.name.clone(),
            Place {
                last: known.remove(&service.name).and_then(|row| row.last),
                holder: leases.remove(&service.name).and_then(|lease| lease.release),
                deployment: primary.id.clone(),
                task_definition: primary.task_definition.clone(),
            },
        ))
    };
    Ok(seen.services.iter().filter_map(place).collect())
}

/// Returns the release that rolls another one back.
fn intent(
    event: &AlarmEvent,
    case: Case,
    scope: Scope,
    findings: Vec<Finding>,
    run: &Run,
    started: Timestamp,
) -> Result<ReleaseIntent, Fault> {
    let Home { account, region } = Home::of(run)?;
    let Case { release, row, policy: Policy { environment, findings: mut told }, .. } = case;
    let stuck = scope.stuck.iter().map(|why| format!("{why}: the guard leaves it. Act now: look at it"));
    told.extend(
        stuck.chain(scope.passed.iter().map(|why| format!("{why}: the guard leaves it"))).map(Finding::warns),
    );
    told.extend(findings);
    let spec = ReleaseSpec {
        registry: account,
        region,
        repository: None,
        reason: Some(because(&event.alarm, &release)),
        to: ImageSelection::RestorePointsOf(release),
        services: (!scope.all).then_some(scope.services),
        only_newer: false,
        promoted_by: None,
        alarm: Some(event.alarm.clone()),
        force: false,
    };
    let policy = Policy { environment: policy(environment, &spec), findings: told };
    let (images, order) = (ImageRequest::of_push(spec), OrderKey::new(started, started, None));
    Ok(ReleaseIntent { name: row.environment, policy, images, order, plans: false, asked: false })
}

/// Says of a release that it is guarded by the same alarm, and stays.
fn is_left(event: &AlarmEvent, other: &Case) -> Finding {
    let (alarm, environment, release) = (&event.alarm, &other.row.environment, &other.release);
    Finding::warns(format!(
        "the alarm {alarm} guards {release}, too, which stays as it is: the guard rolls back one release at a time, the \
         newest first. If the alarm does not recover: {}",
        request(alarm, environment, release)
    ))
}

/// Tells people that the guard did not act; freezes the environment where that is what its document wants.
async fn tell(
    ledger: &impl Freezes,
    event: &AlarmEvent,
    case: &Case,
    ruling: Ruling,
    run: &Run,
    now: Timestamp,
) -> Result<Opened, Fault> {
    let (alarm, release, environment) = (&event.alarm, &case.release, &case.row.environment);
    let (outcome, why) = match ruling {
        Ruling::Freeze => {
            let (by, because) = (run.release.clone(), because(alarm, release));
            let row = FrozenRow { frozen: true, by, because, since: now, automatic: true };
            ledger.freeze(environment, &row).await?;
            let why = format!("\"onFailure\" of {environment} is freeze, and {environment} is frozen now");
            (Opening::NeedsHuman, why)
        }
        Ruling::NeedsHuman(why) => (Opening::NeedsHuman, why),
        Ruling::Decline(why) | Ruling::Ignore(why) | Ruling::Wait(why) => (Opening::Superseded, why),
        Ruling::RollBack(_) => return Err(Fault::Defect("a rollback is opened, and not told".to_owned())),
    };
    Ok(Told::new(environment, alarm, release).answer(outcome, &why))
}
