//! What one poll of a service means whose traffic ECS shifts.  Pure.
//!
//! ECS keeps the old tasks until the shift is complete, and waits for an answer at its gates.  The order of the
//! functions is the order of the questions: whose deployment it is, whether ECS goes back, whether it is complete, and
//! then what is proven at a gate, or between two of them.

pub mod drain;
mod proof;
mod restored;

#[cfg(test)]
mod tests;

use pipeline::clock::Timestamp;
use pipeline::rows::{GateVerdict, Shift, Traffic};
use pipeline::service::Deployment;
use pipeline::service_deployment::{Action, Hook, ServiceDeployment, Status};

use super::{Expected, Judgement, Observed, because, not_yet, say, superseded, unmeasured};
use crate::finding::Finding;
use crate::look::AtGate;
use crate::rollout::{Measured, Service};
use proof::Proof;
pub use restored::judge as judge_return;

/// For how many seconds the answer to a gate may not be seen yet.
const ANSWER_ARRIVES: i64 = 60;

/// For how many seconds listeners may still send requests to the old tasks after a shift.
const SHIFT_ARRIVES: i64 = 15;

/// How many seconds before a gate gives up it has to be answered.
const BEFORE_EXPIRY: i64 = 60;

/// What is known of one way of a shift beside what is seen.
#[derive(Clone, Copy, Debug)]
pub struct Way<'a> {
    /// Whether it is the way back, in a deployment of its own.
    pub is_back: bool,
    /// Whether its production traffic has to wait for the other services of its wave.
    pub waits: bool,
    /// How far it is.
    pub shift: Shift<'a>,
    /// How ECS shifts the traffic.
    pub traffic: &'a Traffic,
    /// Whether the gate that failed says nothing of the image.
    pub blameless: bool,
    /// Since when all production traffic goes to the new tasks.
    pub full: Option<Timestamp>,
    /// When waiting ends.
    pub deadline: Timestamp,
    /// The time.
    pub now: Timestamp,
}

impl Way<'_> {
    fn is_late(&self) -> bool {
        self.now > self.deadline
    }
}

/// Returns when waiting ends: sooner, if a gate gives up sooner.
pub fn deadline(deadline: Timestamp, seen: Option<&ServiceDeployment>) -> Timestamp {
    let expires = seen.and_then(ServiceDeployment::gate).and_then(|gate| gate.expires);
    expires.map_or(deadline, |expires| deadline.min(expires.plus_seconds(-BEFORE_EXPIRY)))
}

/// Returns the gate at which live tests are asked of tasks that do not have all production traffic.
pub fn gate<'a>(way: &Way<'_>, seen: Option<&'a ServiceDeployment>) -> Option<AtGate<'a>> {
    let shift = seen.filter(|shift| !shift.has_all_traffic())?;
    let hook = shift.gate()?;
    Some(AtGate { hook: &hook.id, is_step: way.shift.shifted.is_some() })
}

/// Judges what was seen, or says what else has to be.
pub fn judge(expected: &Expected<'_>, way: &Way<'_>, seen: &Observed) -> Judgement {
    let service = match &seen.service {
        Measured::Is(Some(service)) => service,
        Measured::Is(None) => return superseded("the service no longer exists"),
        Measured::Not(why) => return unmeasured(why),
        Measured::NotYet => return unmeasured("the service was not looked at"),
    };
    match &seen.shift {
        Measured::Is(Some(shift)) => of_ours(expected, way, seen, service, shift),
        Measured::Is(None) => without(expected, service),
        Measured::Not(why) => unmeasured(why),
        Measured::NotYet => unmeasured("its service deployment was not looked at"),
    }
}

/// Judges a service of which ECS lists no service deployment of ours.
fn without(expected: &Expected<'_>, service: &Service) -> Judgement {
    if let Some(other) = another(expected, service) {
        return replaced(expected, other);
    }
    unmeasured(format!("ECS lists no service deployment of {} yet", expected.deployment))
}

/// Judges our service deployment by its end, if it has one.
fn of_ours(
    expected: &Expected<'_>,
    way: &Way<'_>,
    seen: &Observed,
    service: &Service,
    shift: &ServiceDeployment,
) -> Judgement {
    if way.waits && shift.keeps_traffic() {
        return say(Finding::Blameless, "its production traffic moved before all of its wave was tested");
    }
    match &shift.status {
        Status::Stopped => match another(expected, service) {
            Some(other) => replaced(expected, other),
            None => {
                let stopped = format!("ECS stopped the service deployment of {}", expected.deployment);
                say(Finding::Unhealthy, because(stopped, &shift.reason))
            }
        },
        Status::RollingBack | Status::RolledBack | Status::RollbackFailed => given_back(way, shift),
        Status::Successful => complete(expected, way, seen, service),
        Status::Open => match shift.waiting().count() {
            0 => between_gates(expected, way, seen, service, shift),
            1 => at_a_gate(expected, way, seen, service, shift),
            n => unmeasured(format!(
                "{n} PAUSE hooks wait at {}, and nobody can tell which one is to be answered",
                shift.stage
            )),
        },
        Status::Unknown(word) => {
            unmeasured(format!("ECS reports no known status of its service deployment ({word:?})"))
        }
    }
}

/// Returns the deployment that is in place, if it is neither ours nor the one that ours replaces.
fn another<'a>(expected: &Expected<'_>, service: &'a Service) -> Option<&'a Deployment> {
    let primary = service.deployments.iter().map(|one| &one.deployment).find(|one| one.primary)?;
    let known = primary.id == expected.deployment || Some(&primary.id) == expected.replaces;
    (!known).then_some(primary)
}

/// Judges a service where another deployment has taken the place of ours.
///
/// One of our own revision has a shift of its own from the beginning: what was proven of ours does not count for it.
fn replaced(expected: &Expected<'_>, other: &Deployment) -> Judgement {
    let Deployment { id, task_definition, .. } = other;
    if Some(task_definition) == expected.revision {
        let forced = format!(
            "somebody has forced a new deployment of {task_definition} while ECS shifted traffic to it"
        );
        let act = format!(
            "test {id}, then answer its gate with CONTINUE, or with ROLLBACK to have ECS put it back"
        );
        return say(Finding::Inconclusive, format!("{forced}: {act}"));
    }
    superseded(other.has_replaced_ours())
}

/// Says why ECS goes back: by our answer, by somebody else's, because nobody answered, or by itself.
fn given_back(way: &Way<'_>, shift: &ServiceDeployment) -> Judgement {
    let ours = way.shift.answered.filter(|answered| answered.action == Action::Rollback);
    if let Some(gate) = way.shift.gate.filter(|gate| ours.is_some_and(|ours| ours.hook == gate.hook)) {
        let finding = if way.blameless { Finding::Blameless } else { Finding::Unhealthy };
        return say(finding, &gate.reason);
    }
    let ended = |status: &str| shift.hooks.iter().find(|hook| hook.is_pause && hook.status == status);
    if let Some(Hook { expires, .. }) = ended("TIMED_OUT") {
        let until = expires.map_or_else(String::new, |at| format!(" until {at}"));
        return say(Finding::Blameless, format!("nobody answered its gate at {}{until}", shift.stage));
    }
    if ended("FAILED").is_some() {
        return say(
            Finding::Blameless,
            format!("somebody answered its gate at {} with ROLLBACK", shift.stage),
        );
    }
    say(Finding::Unhealthy, because(format!("ECS rolled it back in {}", shift.stage), &shift.reason))
}

/// Judges a service deployment that is complete: nothing of the old version is left.
fn complete(expected: &Expected<'_>, way: &Way<'_>, seen: &Observed, service: &Service) -> Judgement {
    let primary = service.deployments.iter().map(|one| &one.deployment).find(|one| one.primary);
    match primary {
        Some(primary) if primary.id == expected.deployment => {
            if let Some(judgement) = soon(way) {
                return judgement;
            }
            match (Proof { expected, seen, service, wanted: 1 }).complete() {
                Judgement::Say(Finding::Healthy, why) => {
                    say(Finding::Healthy, format!("its service deployment is SUCCESSFUL; {why}"))
                }
                other => other,
            }
        }
        Some(other) => replaced(expected, other),
        None => not_yet("ECS lists no deployment of the service"),
    }
}

/// Judges the proof at a gate: what it comes to is the answer, unless that is given already.
fn at_a_gate(
    expected: &Expected<'_>,
    way: &Way<'_>,
    seen: &Observed,
    service: &Service,
    shift: &ServiceDeployment,
) -> Judgement {
    let Some(hook) = shift.gate() else { return not_yet("no gate waits") };
    if let Some(answered) = way.shift.answered.filter(|answered| answered.hook == hook.id) {
        let since = way.now.seconds_since(answered.at);
        if since < ANSWER_ARRIVES {
            return not_yet(format!("its gate at {} was answered {since} s ago", shift.stage));
        }
        // The same answer, since no hook gets two.
        if let Some(gate) = way.shift.gate.filter(|gate| gate.hook == hook.id) {
            let again = match gate.verdict {
                GateVerdict::DarkHealthy => Finding::DarkHealthy,
                GateVerdict::DarkUnhealthy => Finding::DarkUnhealthy,
            };
            return say(again, &gate.reason);
        }
    }
    let proof = Proof { expected, seen, service, wanted: shift.requested.max(1) };
    let proven = match (way.shift.shifted, shift.has_all_traffic()) {
        // An earlier gate, or one of the way back, asks no live tests.
        (None, _) if way.is_back || shift.stage.is_before(&way.traffic.gate) => proof.dark(false),
        (None, _) => proof.dark(true),
        (Some(_), false) => proof.live(!way.is_back),
        (Some(_), true) => match soon(way) {
            Some(judgement) => judgement,
            None => proof.live(!way.is_back),
        },
    };
    answer(way, shift, hook, proven)
}

/// Makes the answer to a gate of what is proven at it.
fn answer(way: &Way<'_>, shift: &ServiceDeployment, hook: &Hook, proven: Judgement) -> Judgement {
    let Judgement::Say(finding, why) = proven else { return proven };
    let at = &shift.stage;
    let fails = match finding {
        Finding::Healthy => return say(Finding::DarkHealthy, format!("at its gate at {at}: {why}")),
        Finding::Unhealthy | Finding::Blameless => why,
        Finding::NotYet if way.is_late() => format!("it was not proven in time: {why}"),
        Finding::Unmeasured if way.is_late() => {
            return say(
                Finding::Inconclusive,
                format!(
                    "at its gate at {at} it could not be measured in time, and ECS puts it back when the gate gives up: \
                     {why}; to have it put back now: aws ecs continue-service-deployment --service-deployment-arn {} \
                     --hook-id {} --action ROLLBACK",
                    shift.arn, hook.id
                ),
            );
        }
        _ => return say(finding, why),
    };
    if way.is_back {
        // ROLLBACK would keep the bad version.
        return say(
            Finding::Unhealthy,
            format!(
                "its gate at {at} waits, and the restore point is not proven: {fails}; to go on all the same: aws ecs \
                 continue-service-deployment --service-deployment-arn {} --hook-id {} --action CONTINUE",
                shift.arn, hook.id
            ),
        );
    }
    let blameless = finding == Finding::Blameless;
    let finding = if blameless { Finding::DarkBlameless } else { Finding::DarkUnhealthy };
    say(finding, format!("at its gate at {at}: {fails}"))
}

/// Judges what goes on by itself: new tasks start, or traffic moves in steps, or ECS bakes.
fn between_gates(
    expected: &Expected<'_>,
    way: &Way<'_>,
    seen: &Observed,
    service: &Service,
    shift: &ServiceDeployment,
) -> Judgement {
    let ServiceDeployment { stage, requested, production, .. } = shift;
    let ours = service.deployments.iter().find(|one| one.deployment.id == expected.deployment);
    let running = ours.map_or(0, |ours| ours.running);
    if way.shift.shifted.is_none() {
        return not_yet(format!("{stage}: {running} of {requested} new tasks run"));
    }
    if way.is_back || !shift.has_all_traffic() {
        return not_yet(format!("{stage}: the new tasks have {production} % of the production traffic"));
    }
    if let Some(judgement) = soon(way) {
        return judgement;
    }
    match (Proof { expected, seen, service, wanted: (*requested).max(1) }).live(true) {
        Judgement::Say(Finding::Healthy, why) => not_yet(format!("{stage}: {why}")),
        // It may be measured yet: ECS goes on, and so do the looks.
        Judgement::Say(Finding::Inconclusive, why) => unmeasured(why),
        other => other,
    }
}

/// Waits as long as listeners may still ask the old tasks.
fn soon(way: &Way<'_>) -> Option<Judgement> {
    let since = way.now.seconds_since(way.full?);
    (since < SHIFT_ARRIVES).then(|| {
        say(Finding::AgainIn(u32::try_from(SHIFT_ARRIVES - since).unwrap_or(1)), "its traffic is moving")
    })
}
