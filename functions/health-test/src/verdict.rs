//! What one poll at a rollout means.  Pure: it is given what was seen, and asks for what is still missing.
//!
//! The order of the proof is the order of the functions below; each is reached only if all before it hold.

pub mod shift;
mod tasks;

#[cfg(test)]
mod tests;

use pipeline::ids::{DeploymentId, Digest, TaskDefinitionArn};
use pipeline::rows::{MoveRow, RestorePoint};
use pipeline::service::{Deployment, Rollout};
use pipeline::service_deployment::ServiceDeployment;

use crate::finding::Finding;
use crate::look::Ours;
use crate::places::Proven;
use crate::report::Report;
use crate::rollout::{Measured, Progress, Route, Service, Target, Task};

/// What has to be proven.
#[derive(Clone, Debug)]
pub struct Expected<'a> {
    /// Our deployment.
    pub deployment: DeploymentId,
    /// Our revision: whatever runs it is ours, too.
    pub revision: Option<&'a TaskDefinitionArn>,
    /// The digest that its tasks are to run.
    pub digest: &'a Digest,
    /// The digests that this one's index names; none if nobody wrote them down.
    pub children: Option<&'a [Digest]>,
    /// The containers that are to run it.
    pub containers: &'a [String],
    /// The deployment that ours replaces.
    pub replaces: Option<&'a DeploymentId>,
    /// The revision that ours replaces.
    pub replaced: Option<&'a TaskDefinitionArn>,
}

impl<'a> Expected<'a> {
    /// Wants the new digest.
    pub fn forward(row: &'a MoveRow, deployment: &DeploymentId) -> Self {
        Expected {
            deployment: deployment.clone(),
            revision: row.registered.as_ref(),
            digest: &row.digest,
            children: Some(&row.children),
            containers: &row.containers,
            replaces: Some(&row.replaces),
            replaced: Some(&row.running),
        }
    }

    /// Wants what was there before.
    pub fn rollback(row: &'a MoveRow, deployment: &DeploymentId, restore: &'a RestorePoint) -> Self {
        Expected {
            deployment: deployment.clone(),
            revision: row.rollback_revision.as_ref().or(Some(&restore.task_definition)),
            digest: &restore.digest,
            children: None,
            containers: &row.containers,
            replaces: row.deployment.as_ref(),
            replaced: row.registered.as_ref(),
        }
    }
}

/// What was seen so far.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// Whether an earlier poll saw our deployment listed.
    pub listed_before: bool,
    /// The service; none if it is gone.
    pub service: Measured<Option<Service>>,
    /// The service deployment that shifts its traffic; none if ECS lists none.
    pub shift: Measured<Option<ServiceDeployment>>,
    /// Its tasks.
    pub tasks: Measured<Vec<Task>>,
    /// Its targets.
    pub targets: Measured<Vec<Target>>,
    /// The live tests.
    pub tests: Measured<Report>,
}

impl Observed {
    /// Tells whether the service lists a deployment.
    pub fn lists(&self, id: &DeploymentId) -> bool {
        let Measured::Is(Some(service)) = &self.service else { return false };
        service.deployments.iter().any(|one| one.deployment.id == *id)
    }

    /// Returns where requests go while ECS shifts traffic, by the target groups that our tasks are in.
    pub fn routes(&self, ours: &[String]) -> Vec<Route> {
        let Measured::Is(Some(service)) = &self.service else { return Vec::new() };
        service.pairs.iter().zip(ours).map(|(pair, group)| pair.route(group)).collect()
    }
}

impl<'a> Observed {
    /// Returns what live tests ask of, once all else is proven.
    pub fn ours(&'a self, deployment: &'a DeploymentId, proven: &'a Proven) -> Ours<'a> {
        let tasks = if let Measured::Is(tasks) = &self.tasks { tasks.as_slice() } else { &[] };
        Ours { deployment: Some(deployment), proven, tasks }
    }
}

/// What follows from what was seen.
#[derive(Clone, Debug, PartialEq)]
pub enum Judgement {
    /// Nothing yet: this has to be looked at first.
    Need(Missing),
    /// The end of this poll, and why.
    Say(Finding, String),
}

/// What has to be looked at next.
#[derive(Clone, Debug, PartialEq)]
pub enum Missing {
    /// The tasks.
    Tasks,
    /// The targets of these groups.
    Targets(Vec<String>),
    /// The live tests, of what is proven by now.
    Tests(Proven),
}

/// Returns the deployment that is in place of ours and runs our revision: somebody forced it anew.
///
/// One of ours that ECS gave up has failed all the same.
pub fn forced_anew(expected: &Expected<'_>, service: &Measured<Option<Service>>) -> Option<DeploymentId> {
    let Measured::Is(Some(service)) = service else { return None };
    let deployments = || service.deployments.iter().map(|one| &one.deployment);
    let primary = deployments().find(|one| one.primary)?;
    let other = primary.id != expected.deployment && Some(&primary.id) != expected.replaces;
    let given_up = |one: &Deployment| one.id == expected.deployment && one.rollout == Rollout::Failed;
    let ours = expected.revision == Some(&primary.task_definition) && !deployments().any(given_up);
    (other && ours).then(|| primary.id.clone())
}

/// Judges what was seen, or says what else has to be.
pub fn judge(expected: &Expected<'_>, seen: &Observed) -> Judgement {
    let service = match &seen.service {
        Measured::Is(Some(service)) => service,
        Measured::Is(None) => return superseded("the service no longer exists"),
        Measured::Not(why) => return unmeasured(why),
        Measured::NotYet => return unmeasured("the service was not looked at"),
    };
    let listed = |id: &DeploymentId| service.deployments.iter().find(|one| one.deployment.id == *id);
    let primary = service.deployments.iter().find(|one| one.deployment.primary);
    match (listed(&expected.deployment), primary) {
        (Some(ours), primary) => rollout(expected, seen, service, ours, primary),
        (None, Some(primary)) => unlisted(expected, seen.listed_before, primary),
        (None, None) => not_yet("ECS lists no deployment of the service"),
    }
}

/// Judges a service that does not list our deployment: too early, or too late.
fn unlisted(expected: &Expected<'_>, listed_before: bool, primary: &Progress) -> Judgement {
    let Progress { deployment, .. } = primary;
    let replaced = Some(&deployment.id) == expected.replaces;
    if replaced && !listed_before {
        return not_yet(format!("ECS does not list {} yet", expected.deployment));
    }
    // ECS goes back to what ran before; nobody else does so without a deployment of their own being seen.
    if replaced || Some(&deployment.task_definition) == expected.replaced {
        return say(
            Finding::Unhealthy,
            because(
                format!(
                    "{} is no longer listed: ECS has rolled the service back to {}",
                    expected.deployment, deployment.task_definition
                ),
                &primary.reason,
            ),
        );
    }
    superseded(deployment.has_replaced_ours())
}

/// Judges the rollout itself: whose it is, and how far.
fn rollout(
    expected: &Expected<'_>,
    seen: &Observed,
    service: &Service,
    ours: &Progress,
    primary: Option<&Progress>,
) -> Judgement {
    // First of all: a deployment that ECS gave up is a failure, however stable the service is without it.
    if ours.deployment.rollout == Rollout::Failed {
        return say(
            Finding::Unhealthy,
            because(format!("ECS marked {} as failed", ours.deployment.id), &ours.reason),
        );
    }
    if let Some(Progress { deployment: other, .. }) =
        primary.filter(|one| one.deployment.id != ours.deployment.id)
    {
        return superseded(other.has_replaced_ours());
    }
    match &ours.deployment.rollout {
        Rollout::Completed if service.desired == 0 => {
            unmeasured("its desired count is 0, so that nothing can be verified")
        }
        Rollout::Completed => tasks::judge(expected, seen, service),
        Rollout::Unknown(state) => {
            unmeasured(format!("ECS reports no known rollout state of {} ({state:?})", ours.deployment.id))
        }
        Rollout::InProgress | Rollout::Failed => {
            let Progress { running, desired, failed, reason, .. } = ours;
            not_yet(because(format!("{running} of {desired} tasks run, {failed} failed"), reason))
        }
    }
}

/// Judges the live tests, the last of the proof.
fn live_tests(seen: &Observed, proven: Proven) -> Judgement {
    match &seen.tests {
        Measured::NotYet => Judgement::Need(Missing::Tests(proven)),
        Measured::Not(why) => unmeasured(why),
        Measured::Is(Report { finding: Finding::Healthy, reason, .. }) => {
            say(Finding::Healthy, format!("it is stable; {reason}"))
        }
        Measured::Is(Report { finding, reason, .. }) => say(*finding, reason),
    }
}

/// Adds the words of ECS, if it had any.
fn because(sentence: String, reason: &str) -> String {
    if reason.is_empty() { sentence } else { format!("{sentence}: {reason}") }
}

fn say(finding: Finding, reason: impl Into<String>) -> Judgement {
    Judgement::Say(finding, reason.into())
}

fn not_yet(reason: impl Into<String>) -> Judgement {
    say(Finding::NotYet, reason)
}

fn unmeasured(reason: impl Into<String>) -> Judgement {
    say(Finding::Unmeasured, reason)
}

fn superseded(reason: impl Into<String>) -> Judgement {
    say(Finding::Superseded, reason)
}
