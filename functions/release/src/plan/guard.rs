//! Whether an alarm after the end of a release rolls it back.  Pure.

mod further;
mod words;

#[cfg(test)]
mod tests;

pub use further::taken;
pub use words::{because, declined, request};

use std::collections::{BTreeMap, BTreeSet};

use pipeline::alarm::{Alarm, AlarmState};
use pipeline::clock::Timestamp;
use pipeline::environment::{Environment, OnFailure};
use pipeline::ids::{DeploymentId, ReleaseId, ServiceName, TaskDefinitionArn};
use pipeline::rows::{GuardRollbackRow, GuardRow, HeadRow, MoveOutcome, MoveRow, Outcome};

use super::freeze::Freeze;
use super::spec::ReleaseSpec;
use crate::intake::alarm::AlarmEvent;

/// How old an event may be: later than that, whoever is on call has looked by themselves.
const LATEST_SECONDS: i64 = 600;

/// What is known of a release that an alarm guards.
#[derive(Clone, Copy, Debug)]
pub struct Guarded<'a> {
    /// The release.
    pub release: &'a ReleaseId,
    /// For how long it is guarded.
    pub row: &'a GuardRow,
    /// Its environment, as the document is now.
    pub policy: &'a Environment,
    /// Its head; none if it is gone.
    pub head: Option<&'a HeadRow>,
    /// Its moves.
    pub moves: &'a [MoveRow],
}

/// How a service stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// The release that has moved it last, if one has.
    pub last: Option<ReleaseId>,
    /// The release that holds its lease, if one does.
    pub holder: Option<ReleaseId>,
    /// The deployment that ECS is steering to.
    pub deployment: DeploymentId,
    /// Its task definition.
    pub task_definition: TaskDefinitionArn,
}

/// What stands in the way of a rollback, apart from the release and its alarm.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// The services as they stand; one that is gone is left out.
    pub places: &'a BTreeMap<ServiceName, Place>,
    /// The run by which the guard rolls the release back already.
    pub begun: Option<&'a GuardRollbackRow>,
    /// What has frozen the environment.
    pub freeze: Option<&'a Freeze>,
}

/// What follows from an alarm for one release.
#[derive(Clone, Debug, PartialEq)]
pub enum Ruling {
    /// It is too early to say.
    Wait(String),
    /// Nothing, and nobody has to hear of it.
    Ignore(String),
    /// Nothing, which is good to know.
    Decline(String),
    /// Nothing, so that a person has to act.
    NeedsHuman(String),
    /// The environment is frozen, and a person has to act.
    Freeze,
    /// Services go back.
    RollBack(Scope),
}

/// What goes back of a release.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scope {
    /// Its services.
    pub services: Vec<ServiceName>,
    /// Whether that is all of the release.
    pub all: bool,
    /// Why others stay, of which somebody else has taken care.
    pub passed: Vec<String>,
    /// Why others stay, of which a person has to take care.
    pub stuck: Vec<String>,
}

/// Tells why an event says nothing of a release, whatever became of that one; it costs no further question.
pub fn is_outdated(
    event: &AlarmEvent,
    release: &ReleaseId,
    row: &GuardRow,
    now: Timestamp,
) -> Option<String> {
    let alarm = &event.alarm;
    if now.seconds_since(event.time) > LATEST_SECONDS {
        return Some(format!("the event of {alarm} is of {}, more than 10 minutes ago", event.time));
    }
    (event.time > row.until).then(|| {
        format!("{alarm} went to ALARM at {}, and guarded {release} until {}", event.time, row.until)
    })
}

/// Tells why an alarm does not concern a release, or not yet; `alarm` is what CloudWatch says of it now.
pub fn is_no_concern(event: &AlarmEvent, guarded: Guarded<'_>, alarm: Option<Alarm>) -> Option<Ruling> {
    let Guarded { release, row, policy, head, moves } = guarded;
    let (name, environment) = (&event.alarm, &row.environment);
    let ignore = |why: String| Some(Ruling::Ignore(why));
    if policy.guard_minutes == 0 {
        return ignore(format!(
            "\"guardMinutes\" of {environment} is 0, so that no alarm rolls {release} back"
        ));
    }
    let Some(head) = head else { return ignore(format!("the head of {release} is gone")) };
    match head.outcome {
        Some(Outcome::Deployed) => {}
        Some(outcome) => {
            return ignore(format!("{release} ended as {outcome:?}: the guard leaves it as it is"));
        }
        None if head.rollback.is_some() => return ignore(format!("{release} is being rolled back already")),
        None => {
            return Some(Ruling::Wait(format!(
                "{release} has not ended yet, and {name} guards it after that"
            )));
        }
    }
    if ReleaseSpec::of(head, release).is_ok_and(|spec| spec.to.goes_back()) {
        return ignore(format!("{release} is a rollback itself: the guard does not undo it"));
    }
    if let Some(why) = &event.silenced {
        return ignore(format!("{name} counts for nothing: {why}"));
    }
    let watching: Vec<&MoveRow> = deployed(moves).filter(|row| watches(row, name)).collect();
    if watching.is_empty() {
        return ignore(format!("no service that {release} has deployed watches {name}"));
    }
    match alarm {
        Some(alarm) if alarm.state == AlarmState::InAlarm => {
            let against = watching.iter().any(|row| alarm.speaks_against(row));
            (!against)
                .then(|| Ruling::Ignore(format!("{name} was in ALARM before {release} took its leases")))
        }
        _ => ignore(format!("{name} is not in ALARM any more")),
    }
}

/// Decides what follows from an alarm that does concern a release.
pub fn decide(event: &AlarmEvent, guarded: Guarded<'_>, around: Surroundings<'_>) -> Ruling {
    let Guarded { release, row, policy, moves, .. } = guarded;
    let (name, environment) = (&event.alarm, &row.environment);
    if let Some(begun) = around.begun {
        return Ruling::Decline(format!(
            "{release} was rolled back by {} already, since {}, for the alarm {}",
            begun.by, begun.since, begun.alarm
        ));
    }
    let all: Vec<&MoveRow> = deployed(moves).collect();
    let meant = all.iter().filter(|row| policy.on_failure != OnFailure::UndoFailed || watches(row, name));
    let mut scope = Scope::default();
    let mut stand = Vec::new();
    for row in meant {
        match moved_since(row, release, around.places.get(&row.service)) {
            Some(why) => scope.passed.push(why),
            None => stand.push(*row),
        }
    }
    if !stand.iter().any(|row| watches(row, name)) {
        return Ruling::Decline(scope.passed.join("; "));
    }
    if let Some(freeze) = around.freeze {
        return Ruling::NeedsHuman(freeze.named(environment));
    }
    if policy.on_failure == OnFailure::Freeze {
        return Ruling::Freeze;
    }
    for row in stand {
        match no_way_back(row, policy) {
            Some(why) => scope.stuck.push(why),
            None => scope.services.push(row.service.clone()),
        }
    }
    if scope.services.is_empty() {
        return Ruling::NeedsHuman(scope.stuck.join("; "));
    }
    scope.all = scope.services.len() == moves.len();
    Ruling::RollBack(scope)
}

/// Tells whether nothing of what is told of a service is as a release has left it: somebody has moved it since.
pub fn moved_since(row: &MoveRow, release: &ReleaseId, place: Option<&Place>) -> Option<String> {
    let service = &row.service;
    let Some(place) = place else { return Some(format!("{service} is gone")) };
    if let Some(holder) = &place.holder {
        return Some(format!("{service} is held by {holder}"));
    }
    if let Some(last) = place.last.as_ref().filter(|last| *last != release) {
        return Some(format!("{last} has had {service} since"));
    }
    let ours = row.deployment.as_ref() == Some(&place.deployment)
        && *row.registered.as_ref().unwrap_or(&row.running) == place.task_definition;
    (!ours).then(|| format!("somebody has deployed {service} since: it is on {}", place.deployment))
}

/// Returns the services of the moves that a guard may be about.
pub fn services(moves: &[MoveRow]) -> Vec<ServiceName> {
    deployed(moves).map(|row| row.service.clone()).collect()
}

/// Returns the alarms that guard a release from its end on; none if nothing is guarded.
pub fn alarms(head: &HeadRow, release: &ReleaseId, watched: BTreeSet<String>) -> Vec<String> {
    let forward = || ReleaseSpec::of(head, release).is_ok_and(|spec| !spec.to.goes_back());
    match head.policy.guard_minutes > 0 && !watched.is_empty() && forward() {
        true => watched.into_iter().collect(),
        false => Vec::new(),
    }
}

fn deployed(moves: &[MoveRow]) -> impl Iterator<Item = &MoveRow> {
    moves.iter().filter(|row| MoveOutcome::of(row, None) == MoveOutcome::Deployed)
}

fn watches(row: &MoveRow, alarm: &str) -> bool {
    row.alarms.iter().any(|name| name == alarm)
}

/// Tells why nothing may, or can, put a service back by itself.
fn no_way_back(row: &MoveRow, policy: &Environment) -> Option<String> {
    let (service, digest) = (&row.service, row.digest.short());
    if row.forward_only || policy.is_forward_only(service) {
        return Some(format!("{service} is in \"forwardOnly\", and stays on {digest}"));
    }
    let none = row.restore.is_none();
    none.then(|| format!("{service} has no known good version to return to, and stays on {digest}"))
}
