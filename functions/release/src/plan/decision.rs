//! What happens to one service: it moves, it stays, or it may not move.

use std::collections::BTreeSet;

use pipeline::environment::Environment;
use pipeline::rows::{MoveRow, RestorePoint};
use pipeline::service::Deployment;
use serde_json::json;

use super::restore::{at_rest, restore_point, settled};
use super::{Candidate, ImageSelection, PlanContext, ReleaseSpec, traffic};

/// What is decided about one candidate.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// It moves.
    Move(Box<MoveRow>),
    /// It runs the image already.
    There,
    /// A newer push wants something else of it.
    Superseded,
    /// A request that came later than this push wants something else of it, and nobody else tells that it stays.
    Overruled,
    /// It may not move.
    Refused(String),
    /// No release can move it as it is.
    Unfit(String),
}

/// Decides about one candidate.
pub fn decide(candidate: &Candidate, spec: &ReleaseSpec, context: PlanContext<'_>) -> Decision {
    let service = &candidate.service;
    let refused = |why: String| Decision::Refused(format!("{}: {why}", service.name));
    // What a dead release left behind has to be proven, even if ECS has put it back already.
    let proves = matches!(spec.to, ImageSelection::RestorePointsOf(_));
    let there = !proves
        && candidate.verified().is_some_and(|known| {
            let runs = service.primary().is_some_and(|one| one.task_definition == known.task_definition);
            runs && at_rest(service) && known.digest == candidate.digest
        });
    // What has nowhere to go need not be fit to go.
    if there && !spec.force {
        return Decision::There;
    }
    if let Some(why) = unfit(candidate, context.environment) {
        return Decision::Unfit(why);
    }
    if let Some(why) = traffic::left_open(candidate) {
        return refused(why);
    }
    let newer = candidate.row.order(&candidate.repository);
    if let Some(newer) = newer.filter(|newer| newer > context.order && !spec.force) {
        return match newer.rival(context.order) {
            Some(image) => refused(outrun(candidate, image, context)),
            None if newer.is_request() && !context.order.is_request() => Decision::Overruled,
            None => Decision::Superseded,
        };
    }
    // What was verified before is no matter of holds: somebody asks for it by name.
    let hold = candidate.row.hold(&candidate.repository, &candidate.digest);
    if let Some(hold) = hold.filter(|_| !spec.force && !spec.to.goes_back()) {
        let (image, by) = (hold.digest.short(), &hold.release);
        return refused(format!("{image} is on hold since {}, when {by} rolled back from it", hold.since));
    }
    let primary = match settled(service) {
        Ok(primary) => primary,
        Err(_) if let (true, Some(primary)) = (candidate.ours, service.primary()) => primary,
        Err(why) => return refused(why),
    };
    let restore = match restore_point(candidate, primary) {
        Ok(restore) => restore,
        Err(_) if spec.force || candidate.ours => None,
        Err(why) => return refused(format!("no known good version to return to: {why}")),
    };
    let runs = restore.as_ref().filter(|restore| restore.task_definition == primary.task_definition);
    if !spec.force && !proves && runs.is_some_and(|runs| runs.digest == candidate.digest) {
        return Decision::There;
    }
    Decision::Move(Box::new(row(candidate, spec, context, primary, restore)))
}

/// Says that of two images, pushed within one second, the other one arrived later.
fn outrun(candidate: &Candidate, other: &str, context: PlanContext<'_>) -> String {
    let Candidate { repository, digest, .. } = candidate;
    let request = json!({"environment": context.name, "repository": repository, "image": digest});
    format!(
        "{digest} and {other} were pushed within one second, and the push of {other} arrived later, so that it is the \
         one that is deployed: if {digest} was meant, start the state machine with {request}"
    )
}

/// Tells why a service could not be moved now, whatever the image.
pub fn blocker(candidate: &Candidate, environment: &Environment) -> Option<String> {
    let why_not = |primary| restore_point(candidate, primary).err();
    let no_restore_point = |why| format!("no known good version to return to: {why}");
    unfit(candidate, environment).or_else(|| traffic::left_open(candidate)).or_else(|| {
        match settled(&candidate.service) {
            Ok(primary) => why_not(primary).map(no_restore_point),
            Err(why) => Some(why),
        }
    })
}

/// Tells why a service can never be moved as it is.
fn unfit(candidate: &Candidate, environment: &Environment) -> Option<String> {
    let service = &candidate.service;
    if service.controller != "ECS" {
        return Some(format!("its deployment controller is {}: expected ECS", service.controller));
    }
    if let Some(why) = traffic::unfit(service, environment.health_timeout_seconds) {
        return Some(why);
    }
    if service.desired == 0 {
        return Some("its desired count is 0: no task would run the image".to_owned());
    }
    candidate.loss.clone()
}

/// Writes a move down, as nothing of it has happened yet.
fn row(
    candidate: &Candidate,
    spec: &ReleaseSpec,
    context: PlanContext<'_>,
    primary: &Deployment,
    restore: Option<RestorePoint>,
) -> MoveRow {
    let environment = context.environment;
    // What a release has left there is tested as it runs, and rolled out once more only by force.
    let left = candidate.left_with(&candidate.digest).filter(|_| !spec.force);
    MoveRow {
        environment: context.name.clone(),
        tag: environment.tag.to_string(),
        cluster: environment.cluster.clone(),
        service: candidate.service.name.clone(),
        registry: spec.registry.clone(),
        repository: candidate.repository.clone(),
        digest: candidate.digest.clone(),
        containers: candidate.containers.clone(),
        running: left.map_or(&primary.task_definition, |left| &left.running).clone(),
        replaces: left.map_or(&primary.id, |left| &left.replaces).clone(),
        restore,
        health_timeout_seconds: environment.health_timeout_seconds,
        commit: None,
        built: None,
        forward_only: environment.is_forward_only(&candidate.service.name),
        // What has gone bad still speaks while it goes: that says nothing of what comes back.
        alarms: if spec.alarm.is_some() { Vec::new() } else { watched(candidate, environment) },
        // What goes back is judged by what it has passed.
        pack: candidate.passed().filter(|_| spec.to.goes_back()).cloned(),
        leased: None,
        repository_row: 0,
        fence: 0,
        children: Vec::new(),
        started: None,
        registered: left.map(|_| primary.task_definition.clone()),
        touched: left.and_then(|left| left.touched),
        deployment: left.map(|_| primary.id.clone()),
        verdict: None,
        reason: None,
        decided: None,
        alarm: None,
        bundle: None,
        failure: None,
        rollback_revision: None,
        rollback_deployment: None,
        rollback_started: None,
        rollback_verdict: None,
        rollback_reason: None,
        rolled_back_by_ecs: None,
        rollback_failure: None,
        traffic: traffic::traffic(&candidate.service, environment.drain_minutes),
        gate: None,
        answered: None,
        shifted: None,
        shifted_by: None,
        drain: None,
        blameless: None,
        given_back: None,
        rollback_gate: None,
        rollback_answered: None,
        rollback_shifted: None,
    }
}

/// Returns the alarms that speak of a service: its own, and those that the environment names.
fn watched(candidate: &Candidate, environment: &Environment) -> Vec<String> {
    let service = &candidate.service;
    let all = environment.alarms_of(&service.name).chain(&service.alarms);
    all.cloned().collect::<BTreeSet<String>>().into_iter().collect()
}
