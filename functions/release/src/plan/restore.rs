//! The way back of a move, and whether a service is in a state to have one.

use pipeline::rows::RestorePoint;
use pipeline::service::{Deployment, Rollout};

use super::Candidate;
use crate::ports::Service;

/// Tells whether nothing is rolling out.
pub fn at_rest(service: &Service) -> bool {
    settled(service).is_ok()
}

/// Returns the deployment of a service at rest.
pub fn settled(service: &Service) -> Result<&Deployment, String> {
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
pub fn restore_point(candidate: &Candidate, primary: &Deployment) -> Result<RestorePoint, String> {
    if let Some(verified) = candidate.verified() {
        return Ok(RestorePoint {
            digest: verified.digest.clone(),
            task_definition: verified.task_definition.clone(),
            task_definition_json: None,
            commit: verified.commit.clone(),
            release: verified.release.clone(),
            before: candidate.previous().map(|known| known.digest.clone()),
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
