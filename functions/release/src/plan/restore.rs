//! The restore point of a move, and whether a service is in a state to have one.

use pipeline::rows::RestorePoint;
use pipeline::service::{Deployment, Rollout};

use super::{Candidate, ImageSelection, ReleaseSpec};
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
    // ECS tells of no rollout of a service whose traffic it shifts: it lists the new deployment beside the old one.
    let is_all = service.shifts() && service.deployments.len() == 1 && service.running == service.desired;
    match (&primary.rollout, alone) {
        (Rollout::Completed, true) => Ok(primary),
        (Rollout::Unknown(word), true) if word.is_empty() && is_all => Ok(primary),
        (Rollout::Unknown(word), _) if word.is_empty() && service.shifts() => {
            Err(format!("a rollout is in progress ({})", primary.id))
        }
        (Rollout::Unknown(word), _) => {
            Err(format!("the state of its rollout is {word:?}: expected COMPLETED"))
        }
        _ => Err(format!("a rollout is in progress ({})", primary.id)),
    }
}

/// Returns what a service goes back to: what was verified last, in the revision that was, of whatever repository.
///
/// A settled service that runs the verified digest under another revision keeps that revision: somebody has changed its
/// configuration since, and an old one may name a secret that is gone.  For a service that nobody has verified it is
/// what runs: its baseline.  What a release brought and did not verify is neither.
pub fn restore_point(candidate: &Candidate, primary: &Deployment) -> Result<Option<RestorePoint>, String> {
    let Some(verified) = candidate.verified() else {
        return if candidate.left.is_some() { Ok(None) } else { baseline(candidate, primary).map(Some) };
    };
    let newest = candidate.row.newer_than(verified).unwrap_or(verified);
    let mut restore = RestorePoint {
        digest: verified.digest.clone(),
        task_definition: newest.task_definition.clone(),
        task_definition_json: None,
        commit: verified.commit.clone(),
        release: newest.release.clone(),
        before: candidate.previous().map(|known| known.digest.clone()),
        pack: newest.pack.clone(),
    };
    let settled = settled(&candidate.service).is_ok() && candidate.left.is_none();
    if settled && primary.task_definition != newest.task_definition && candidate.runs(&verified.digest) {
        let known = candidate.row.of_revision(&primary.task_definition);
        restore.release = known.and_then(|fact| fact.release.clone());
        restore.task_definition = primary.task_definition.clone();
    }
    Ok(Some(restore))
}

/// Says that ECS has put back already what a dead release left: it is deployed once more, and so proven.
pub fn rolled_back_already(
    candidate: &Candidate,
    spec: &ReleaseSpec,
    restore: &RestorePoint,
) -> Option<String> {
    let primary = candidate.service.primary()?;
    let back = restore.task_definition == primary.task_definition && restore.digest == candidate.digest;
    let dead = matches!(spec.to, ImageSelection::RestorePointsOf(_));
    (dead && back).then(|| {
        format!(
            "{}: ECS had rolled it back to {} already; it is deployed once more, to be tested",
            candidate.service.name,
            restore.digest.short()
        )
    })
}

/// Says that the restore point is another revision than the one that was verified.
pub fn found_otherwise(candidate: &Candidate, restore: &RestorePoint) -> Option<String> {
    let verified = candidate.verified()?;
    let other = candidate.row.of_revision(&restore.task_definition).is_none();
    other.then(|| {
        format!(
            "{}: it runs {} and not {}, which was verified with the same image; a rollback returns to {}",
            candidate.service.name,
            restore.task_definition.revision(),
            verified.task_definition.revision(),
            restore.task_definition.revision(),
        )
    })
}

/// Returns what a service runs that nobody has verified.
fn baseline(candidate: &Candidate, primary: &Deployment) -> Result<RestorePoint, String> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::candidate;

    #[test]
    fn a_service_that_shifts_is_at_rest_when_it_lists_one_deployment_and_runs_all_its_tasks() {
        let check = |strategy: &str, count: usize, running: i32, rollout: &str| {
            let mut service = candidate(":main-1").service;
            let (one, state) = (service.deployments[0].clone(), Rollout::Unknown(rollout.to_owned()));
            let state = if rollout == "IN_PROGRESS" { Rollout::InProgress } else { state };
            service.deployments = (0..count)
                .map(|n| Deployment { primary: n == 0, rollout: state.clone(), ..one.clone() })
                .collect();
            (service.strategy, service.running) = (strategy.to_owned(), running);
            settled(&service).is_ok()
        };
        assert!(check("BLUE_GREEN", 1, 2, ""));
        assert!(!check("BLUE_GREEN", 2, 2, "") && !check("BLUE_GREEN", 1, 1, ""));
        assert!(!check("BLUE_GREEN", 1, 2, "IN_PROGRESS") && !check("BLUE_GREEN", 1, 2, "ODD"));
        assert!(!check("ROLLING", 1, 2, ""), "a service that rolls always has a state");
    }
}
