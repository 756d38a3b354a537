//! What people are told of the guard.

use pipeline::ids::{EnvironmentName, ReleaseId};
use pipeline::rows::GUARD_DECLINED;

use crate::plan::abort::rollback;

/// Says why a release is rolled back.
pub fn because(alarm: &str, release: &ReleaseId) -> String {
    format!("the alarm {alarm} went to ALARM after {release} was deployed")
}

/// Says that nothing was rolled back, and why.
pub fn declined(alarm: &str, release: &ReleaseId, why: &str) -> String {
    format!("{GUARD_DECLINED}: {}, and nothing was rolled back: {why}", because(alarm, release))
}

/// Says how a person rolls a release back all the same.
pub fn request(alarm: &str, environment: &EnvironmentName, release: &ReleaseId) -> String {
    let request = rollback(environment, release, &because(alarm, release));
    format!("Act now: to roll it back, start the state machine with {request}")
}
