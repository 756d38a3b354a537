//! What one poll of a service means that ECS has given back to its old tasks, which never stopped.  Pure.

use pipeline::clock::Timestamp;
use pipeline::service_deployment::{ServiceDeployment, Status};

use super::ANSWER_ARRIVES;
use super::proof::Proof;
use crate::finding::Finding;
use crate::rollout::Measured;
use crate::verdict::{Expected, Judgement, Observed, because, not_yet, say, superseded, unmeasured};

/// Judges what was seen, or says what else has to be; `expected` names the deployment that is to be gone.
///
/// Where nothing came of the update there is no service deployment to look at.
pub fn judge(
    expected: &Expected<'_>,
    is_by_ecs: bool,
    asked: Timestamp,
    now: Timestamp,
    seen: &Observed,
) -> Judgement {
    let service = match &seen.service {
        Measured::Is(Some(service)) => service,
        Measured::Is(None) => return superseded("the service no longer exists"),
        Measured::Not(why) => return unmeasured(why),
        Measured::NotYet => return unmeasured("the service was not looked at"),
    };
    let proof = || match (Proof { expected, seen, service, wanted: 1 }).restored(is_by_ecs) {
        Judgement::Say(Finding::Healthy, why) => {
            say(Finding::Healthy, format!("the old tasks serve alone; {why}"))
        }
        other => other,
    };
    match &seen.shift {
        _ if !is_by_ecs => proof(),
        Measured::Is(Some(ServiceDeployment { status: Status::RolledBack, .. })) => proof(),
        Measured::Is(Some(shift)) => goes_back(shift, now.seconds_since(asked) < ANSWER_ARRIVES),
        Measured::Is(None) => {
            unmeasured(format!("ECS no longer lists the service deployment of {}", expected.deployment))
        }
        Measured::Not(why) => unmeasured(why),
        Measured::NotYet => unmeasured("its service deployment was not looked at"),
    }
}

/// Judges a service deployment that is not back yet.
fn goes_back(shift: &ServiceDeployment, is_young: bool) -> Judgement {
    let ServiceDeployment { status, stage, reason, .. } = shift;
    match status {
        Status::RollingBack | Status::RolledBack => not_yet(format!("{stage}: ECS goes back")),
        _ if is_young => not_yet(format!("{stage}: ECS was asked to go back")),
        Status::Open => not_yet(format!("{stage}: ECS does not go back yet")),
        Status::RollbackFailed | Status::Stopped | Status::Successful => {
            say(Finding::Unhealthy, because(format!("ECS did not go back: it is {status:?}"), reason))
        }
        Status::Unknown(word) => {
            unmeasured(format!("ECS reports no known status of its service deployment ({word:?})"))
        }
    }
}
