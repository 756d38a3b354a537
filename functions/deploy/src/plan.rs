//! What to do about a service, given the deployments that it has.  Pure.

use pipeline::ids::{DeploymentId, TaskDefinitionArn};
use pipeline::service::Deployment;

/// The next step.
#[derive(Debug, PartialEq)]
pub enum Plan {
    /// The service is as it was when the lease was taken: update it.
    Start,
    /// An earlier call updated it already, and only its answer was lost.
    Adopt(DeploymentId),
    /// Somebody else did, as this sentence says: leave it alone.
    Superseded(String),
}

/// Decides whether to update a service to `revision`, which was on deployment `replaces`.
pub fn next(deployments: &[Deployment], revision: &TaskDefinitionArn, replaces: &DeploymentId) -> Plan {
    // A revision is registered for one move and used by nobody else, so its deployment is ours, whatever ECS has
    // made of it since.
    if let Some(ours) = deployments.iter().find(|one| one.task_definition == *revision) {
        return Plan::Adopt(ours.id.clone());
    }
    match deployments.iter().find(|one| one.primary) {
        Some(primary) if primary.id == *replaces => Plan::Start,
        Some(other) => Plan::Superseded(other.has_replaced_ours()),
        None => Plan::Superseded("the service no longer exists".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pipeline::service::Rollout;

    fn deployment(id: &str, revision: u32, primary: bool) -> Deployment {
        let id = DeploymentId::parse(id).unwrap();
        Deployment { id, task_definition: arn(revision), primary, rollout: Rollout::InProgress }
    }

    fn arn(revision: u32) -> TaskDefinitionArn {
        TaskDefinitionArn::parse(format!("arn:aws:ecs:r:1:task-definition/users:{revision}")).unwrap()
    }

    fn check(deployments: &[Deployment], expected: Plan) {
        assert_eq!(next(deployments, &arn(2), &DeploymentId::parse("ecs-svc/1").unwrap()), expected);
    }

    #[test]
    fn an_unchanged_service_is_updated() {
        check(&[deployment("ecs-svc/1", 1, true)], Plan::Start);
    }

    #[test]
    fn a_repeat_finds_its_own_deployment() {
        let ours = Plan::Adopt(DeploymentId::parse("ecs-svc/2").unwrap());
        check(&[deployment("ecs-svc/2", 2, true), deployment("ecs-svc/1", 1, false)], ours);
    }

    #[test]
    fn a_repeat_finds_its_own_deployment_even_after_ecs_went_back() {
        let ours = Plan::Adopt(DeploymentId::parse("ecs-svc/2").unwrap());
        check(&[deployment("ecs-svc/3", 1, true), deployment("ecs-svc/2", 2, false)], ours);
    }

    #[test]
    fn somebody_elses_deployment_is_left_alone() {
        let other =
            "another deployment has replaced ours: ecs-svc/9 on arn:aws:ecs:r:1:task-definition/users:7"
                .to_owned();
        check(&[deployment("ecs-svc/9", 7, true)], Plan::Superseded(other));
    }

    #[test]
    fn a_service_that_is_gone_is_nobodys() {
        check(&[], Plan::Superseded("the service no longer exists".to_owned()));
    }
}
