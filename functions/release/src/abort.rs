//! Stops a release where it is, on request.

use std::collections::BTreeMap;

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::environment::Environment;
use pipeline::ids::{EnvironmentName, ReleaseId};
use pipeline::rows::{HeadRow, ListedRun, OrderKey, Outcome, Stop};

use crate::answer::{Opened, Opening};
use crate::intake::request::Request;
use crate::payload::Run;
use crate::plan::abort::{instead_of_rollback, refusal, stopped};
use crate::ports::{Approvals, Executions, Freezes, Releases};
use crate::{approve, observe};

/// Writes down that a release is to end, which its next step reads.
pub async fn abort(
    aws: &impl Executions,
    ledger: &(impl Freezes + Releases + Approvals),
    request: &Request,
    run: &Run,
    policy: &Environment,
    now: Timestamp,
) -> Result<Opened, Fault> {
    let (Some(release), Some(reason)) = (&request.release, &request.reason) else {
        return Err(Fault::InvalidInput("the request stops no release, or does not say why".to_owned()));
    };
    let name = &request.environment;
    let rollback = request.rollback.unwrap_or(true);
    let stop = Stop { by: run.release.clone(), because: reason.clone(), since: now, rollback };
    let seen = ledger.head(release).await?;
    // A call of this run before may have written it, and its own answer was lost.
    if !is_ours(seen.as_ref(), run) {
        let runs = observe::still_runs(aws, run, release).await?;
        if let Some(why) = refusal(name, release, seen.as_ref(), runs, reason) {
            return Ok(Opened::refused(false, Some(name), why));
        }
        if let Some(why) = write(ledger, name, release, seen.as_ref(), stop.clone(), policy).await? {
            return Ok(Opened::refused(false, Some(name), why));
        }
    }
    approve::stop(aws, ledger, name, release, &stop).await?;
    let mut because = match (&seen, rollback) {
        (None, _) => format!("{release} is aborted before it begins"),
        (Some(_), true) => {
            format!("{release} is aborted, and every service that it has updated is rolled back")
        }
        (Some(_), false) => {
            format!("{release} is aborted, and the services that it has updated stay as they are")
        }
    };
    if let Some(freeze) = observe::freeze(ledger, name, policy.frozen).await? {
        because = format!("{because}; {}", freeze.passed(name));
    }
    Ok(Opened::answered(name, because))
}

/// Writes the stop to the head of a release; or says why that came too late.
async fn write(
    ledger: &impl Releases,
    name: &EnvironmentName,
    release: &ReleaseId,
    seen: Option<&HeadRow>,
    stop: Stop,
    policy: &Environment,
) -> Result<Option<String>, Fault> {
    if seen.is_none() {
        ledger.open(release, &unborn(name, &stop, policy), &listed(release, &stop), &[]).await?;
    } else if ledger.stop(release, &stop).await? {
        return Ok(None);
    }
    let head = ledger.head(release).await?;
    let ours = head.as_ref().and_then(|head| head.stop.as_ref()).is_some_and(|there| there.by == stop.by);
    let moved_on = || format!("{release} has just continued: send the request again");
    let reason = &stop.because;
    Ok((!ours).then(|| refusal(name, release, head.as_ref(), true, reason).unwrap_or_else(moved_on)))
}

/// Returns the head of a release that waits for its soak and ends before it has a plan: it finds this one there.
fn unborn(name: &EnvironmentName, stop: &Stop, policy: &Environment) -> HeadRow {
    HeadRow {
        environment: name.clone(),
        policy: policy.clone(),
        request: serde_json::Value::Null,
        order: OrderKey::new(stop.since, stop.since, None),
        opened: stop.since,
        waits: None,
        plan: String::new(),
        asked: None,
        answer: None,
        services: Vec::new(),
        rollback: None,
        findings: Vec::new(),
        stop: Some(stop.clone()),
        shift_through: None,
        failed: None,
        outcome: Some(Outcome::Rejected),
        fates: BTreeMap::new(),
    }
}

/// Returns its place in the list of runs.
fn listed(release: &ReleaseId, stop: &Stop) -> ListedRun {
    ListedRun {
        release: Some(release.clone()),
        by: Some(release.clone()),
        outcome: Some("Rejected".to_owned()),
        because: Some(stopped(stop)),
        ended: Some(stop.since),
        ..ListedRun::default()
    }
}

/// Tells that a release was stopped while it waited to be planned.
pub fn stopped_before(head: &HeadRow) -> Option<Opened> {
    // One that has a plan is closed by the steps that follow.
    head.outcome?;
    let stop = head.stop.as_ref()?;
    Some(Opened::without_plan(Opening::Rejected, Some(&head.environment), stopped(stop)))
}

/// Tells why the release that a rollback names has to be stopped instead, if it has to.
pub async fn still_runs(
    aws: &impl Executions,
    ledger: &impl Releases,
    request: &Request,
    run: &Run,
) -> Result<Option<String>, Fault> {
    let (name, Some(release)) = (&request.environment, &request.release) else { return Ok(None) };
    let head = ledger.head(release).await?;
    let open = head.filter(|head| head.environment == *name && head.outcome.is_none());
    let Some(head) = open else { return Ok(None) };
    let reason = request.reason.as_deref().unwrap_or("to roll it back");
    let runs = observe::still_runs(aws, run, release).await?;
    Ok(runs.then(|| instead_of_rollback(name, release, &head, reason)))
}

fn is_ours(head: Option<&HeadRow>, run: &Run) -> bool {
    head.and_then(|head| head.stop.as_ref()).is_some_and(|stop| stop.by == run.release)
}
