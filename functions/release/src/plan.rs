//! Which services move, in which wave, and which may not.  Pure.

#[cfg(test)]
pub(crate) mod tests;

use std::collections::{BTreeMap, BTreeSet};

use pipeline::environment::{Environment, OnFailure};
use pipeline::ids::{Digest, EnvironmentName, Registry, ReleaseId, Repository, ServiceName};
use pipeline::rows::{Known, MoveRow, OrderKey, PlanRow, RestorePoint, ServiceRow};
use pipeline::service::{Deployment, Rollout};
use sha2::{Digest as _, Sha256};

use crate::world::{Digests, Service};

/// What a release wants.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wanted {
    /// The account that holds the repository.
    pub registry: Registry,
    /// The region of the registry.
    pub region: String,
    /// The repository; all that services run if absent.
    pub repository: Option<Repository>,
    /// What its services are to run.
    pub to: To,
    /// The services; all that run the repository if absent.
    pub services: Option<Vec<ServiceName>>,
    /// Whether a service stays that runs something newer, by what the environment before this one has verified.
    #[serde(default)]
    pub only_newer: bool,
    /// The release of another environment that has led to this one by itself.
    #[serde(default)]
    pub promoted_by: Option<ReleaseId>,
    /// Whether rules that may be overridden are.
    pub force: bool,
    /// Why.
    pub reason: Option<String>,
}

/// What services are to run.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum To {
    /// These images.
    Images(BTreeMap<Repository, Digest>),
    /// What was verified before the present image.
    Previous,
    /// What a release that died wrote down as its way back.
    RestorePointsOf(ReleaseId),
    /// What they run: nothing moves, and it only shows what could.
    Present,
}

impl To {
    /// Says it in a word or two.
    pub fn words(&self) -> String {
        match self {
            To::Images(images) => match images.values().next() {
                Some(digest) if images.len() == 1 => digest.short().to_owned(),
                _ => crate::open::plural(images.len(), "image"),
            },
            To::Previous => "what was verified before".to_owned(),
            To::RestorePointsOf(release) => format!("the restore points of {release}"),
            To::Present => "what runs".to_owned(),
        }
    }
}

/// A service that runs the repository, and all that a decision about it needs.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The service.
    pub service: Service,
    /// The repository of the image that it is to run.
    pub repository: Repository,
    /// That image.
    pub digest: Digest,
    /// The containers whose image comes from the repository.
    pub containers: Vec<String>,
    /// What the ledger knows of it.
    pub row: ServiceRow,
    /// What its running tasks report.
    pub running: Digests,
    /// What a copy of that revision would lose.
    pub loss: Option<String>,
    /// Whether the rollout in progress, if there is one, is that of a release that ends before this one's turn
    /// comes, or has ended already.
    pub ours: bool,
}

/// What is decided about one candidate.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// It moves.
    Move(Box<MoveRow>),
    /// It runs the image already.
    There,
    /// A newer push wants something else of it.
    Superseded,
    /// It may not move.
    Refused(String),
}

/// Returns the containers of a service that the release changes; none if it does not run the repository.
pub fn containers(service: &Service, wanted: &Wanted, repository: &Repository) -> Vec<String> {
    let images = service.revision.images.iter().filter(|(_, image)| {
        image.registry == wanted.registry && image.region == wanted.region && image.repository == *repository
    });
    images.map(|(container, _)| container.clone()).collect()
}

/// Decides about one candidate.
pub fn decide(
    candidate: &Candidate,
    wanted: &Wanted,
    name: &EnvironmentName,
    environment: &Environment,
    order: &OrderKey,
) -> Decision {
    let service = &candidate.service;
    let refused = |why: String| Decision::Refused(format!("{}: {why}", service.name));
    // What has nowhere to go need not be fit to go.
    let there = verified(candidate).is_some_and(|known| {
        let runs = service.primary().is_some_and(|one| one.task_definition == known.task_definition);
        runs && at_rest(service) && known.digest == candidate.digest
    });
    if there && !wanted.force {
        return Decision::There;
    }
    if let Some(why) = unfit(candidate) {
        return refused(why);
    }
    if candidate.row.order.as_ref().is_some_and(|newer| newer > order) && !wanted.force {
        return Decision::Superseded;
    }
    if let Some(hold) =
        candidate.row.hold.as_ref().filter(|hold| hold.digest == candidate.digest && !wanted.force)
    {
        let (image, by) = (hold.digest.short(), &hold.release);
        return refused(format!("{image} is on hold since {}, when {by} rolled back from it", hold.since));
    }
    let primary = match settled(service) {
        Ok(primary) => primary,
        Err(_) if let (true, Some(primary)) = (candidate.ours, service.primary()) => primary,
        Err(why) => return refused(why),
    };
    let restore = match restore_point(candidate, primary) {
        Ok(restore) => Some(restore),
        Err(_) if wanted.force || candidate.ours => None,
        Err(why) => return refused(format!("no known good version to return to: {why}")),
    };
    let runs = restore.as_ref().filter(|restore| restore.task_definition == primary.task_definition);
    if !wanted.force && runs.is_some_and(|runs| runs.digest == candidate.digest) {
        return Decision::There;
    }
    Decision::Move(Box::new(row(candidate, wanted, name, environment, primary, restore)))
}

/// Returns what was verified of the image that is to change: a service may run images of several repositories.
pub fn verified(candidate: &Candidate) -> Option<&Known> {
    candidate.row.verified.as_ref().filter(|known| known.repository == candidate.repository)
}

/// Tells why a service could not be moved now, whatever the image.
pub fn blocker(candidate: &Candidate) -> Option<String> {
    let way_back = |primary| restore_point(candidate, primary).err();
    let no_way_back = |why| format!("no known good version to return to: {why}");
    unfit(candidate).or_else(|| match settled(&candidate.service) {
        Ok(primary) => way_back(primary).map(no_way_back),
        Err(why) => Some(why),
    })
}

/// Tells why a service can never be moved as it is.
fn unfit(candidate: &Candidate) -> Option<String> {
    let service = &candidate.service;
    if service.controller != "ECS" {
        return Some(format!("its deployment controller is {}: expected ECS", service.controller));
    }
    if service.strategy != "ROLLING" {
        return Some(format!("its deployment strategy is {}: expected ROLLING", service.strategy));
    }
    if service.desired == 0 {
        return Some("its desired count is 0: nothing would prove the image".to_owned());
    }
    candidate.loss.clone()
}

/// Writes a move down, as nothing of it has happened yet.
fn row(
    candidate: &Candidate,
    wanted: &Wanted,
    name: &EnvironmentName,
    environment: &Environment,
    primary: &Deployment,
    restore: Option<RestorePoint>,
) -> MoveRow {
    MoveRow {
        environment: name.clone(),
        tag: environment.tag.to_string(),
        cluster: environment.cluster.clone(),
        service: candidate.service.name.clone(),
        registry: wanted.registry.clone(),
        repository: candidate.repository.clone(),
        digest: candidate.digest.clone(),
        containers: candidate.containers.clone(),
        running: primary.task_definition.clone(),
        replaces: primary.id.clone(),
        restore,
        health_timeout_seconds: environment.health_timeout_seconds,
        commit: None,
        forward_only: environment.is_forward_only(&candidate.service.name),
        alarms: watched(candidate, environment),
        pack: None,
        repository_row: 0,
        fence: 0,
        children: Vec::new(),
        started: None,
        registered: None,
        touched: None,
        deployment: None,
        verdict: None,
        reason: None,
        decided: None,
        alarm: None,
        bundle: None,
        failure: None,
        undo_revision: None,
        undo: None,
        undo_started: None,
        undo_verdict: None,
        undo_reason: None,
        undo_failure: None,
    }
}

/// Returns the alarms that speak of a service: its own, and those that the environment names.
pub fn watched(candidate: &Candidate, environment: &Environment) -> Vec<String> {
    let service = &candidate.service;
    let all = environment.alarms_of(&service.name).chain(&service.alarms);
    all.cloned().collect::<BTreeSet<String>>().into_iter().collect()
}

/// Tells whether nothing is rolling out.
pub fn at_rest(service: &Service) -> bool {
    settled(service).is_ok()
}

/// Returns the deployment of a service at rest.
fn settled(service: &Service) -> Result<&Deployment, String> {
    let Some(primary) = service.primary() else { return Err("it has no deployment".to_owned()) };
    // One that ECS gave up may be listed for a while; it does nothing any more.
    let alone = service.deployments.iter().all(|one| one.primary || one.rollout == Rollout::Failed);
    match (&primary.rollout, alone) {
        (Rollout::Completed, true) => Ok(primary),
        (Rollout::Unknown(word), _) => {
            Err(format!("the state of its rollout is {word:?}: expected COMPLETED"))
        }
        _ => Err(format!("a rollout is in progress ({})", primary.id)),
    }
}

/// Returns the last verified digest; for a service that nobody verified yet, what it runs: its baseline.
fn restore_point(candidate: &Candidate, primary: &Deployment) -> Result<RestorePoint, String> {
    if let Some(verified) = verified(candidate) {
        let previous = candidate.row.previous.as_ref();
        let previous = previous.filter(|known| known.repository == candidate.repository);
        return Ok(RestorePoint {
            digest: verified.digest.clone(),
            task_definition: verified.task_definition.clone(),
            task_definition_json: None,
            commit: verified.commit.clone(),
            release: verified.release.clone(),
            before: previous.map(|known| known.digest.clone()),
            pack: None,
        });
    }
    let mut seen = candidate.running.seen.iter();
    let (Some(reported), None, false) = (seen.next(), seen.next(), candidate.running.unknown) else {
        return Err("its running tasks are not all on one digest".to_owned());
    };
    // A pinned index is what was deployed; its tasks report the digest of their own platform.
    let mut images = candidate.service.revision.images.iter();
    let pinned = images.find(|(container, _)| candidate.containers.contains(container));
    let pinned = pinned.and_then(|(_, image)| image.digest.as_ref());
    Ok(RestorePoint {
        digest: pinned.unwrap_or(reported).clone(),
        task_definition: primary.task_definition.clone(),
        task_definition_json: None,
        commit: None,
        release: None,
        before: None,
        pack: None,
    })
}

/// Orders moves into waves: the first wave that matches a service takes it, and the rest goes last.
pub fn waves(moves: Vec<MoveRow>, environment: &Environment) -> Vec<Vec<MoveRow>> {
    let mut waves: BTreeMap<usize, Vec<MoveRow>> = BTreeMap::new();
    for one in moves {
        waves.entry(environment.wave_of(&one.service)).or_default().push(one);
    }
    waves.into_values().collect()
}

/// Returns what a person is asked to agree to about one service.
pub fn proposal(one: &MoveRow) -> PlanRow {
    PlanRow {
        service: one.service.clone(),
        repository: one.repository.clone(),
        from: one.restore.as_ref().map(|restore| restore.digest.clone()),
        to: one.digest.clone(),
        commit: one.commit.clone(),
    }
}

/// Returns what a person agrees to: the hash over service, old and new digest of every move.
pub fn hash<'a>(proposals: impl IntoIterator<Item = &'a PlanRow>) -> String {
    let line = |one: &PlanRow| {
        format!("{} {} {}\n", one.service, one.from.as_ref().map_or("-", Digest::as_str), one.to)
    };
    let mut lines: Vec<String> = proposals.into_iter().map(line).collect();
    lines.sort();
    Sha256::digest(lines.concat().as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Says in words what happens if a move is unhealthy.
pub fn on_failure(environment: &Environment) -> &'static str {
    match environment.on_failure {
        OnFailure::UndoAll => "undo every touched service",
        OnFailure::UndoFailed => "undo the unhealthy services",
        OnFailure::Freeze => "undo nothing and freeze the environment",
    }
}
