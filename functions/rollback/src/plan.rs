//! What to do about a service that is to go back, given the deployments that it has.  Pure.

use pipeline::ids::DeploymentId;
use pipeline::ledger::Loaded;
use pipeline::rows::{MoveRow, RestorePoint, RollbackScope, Verdict};
use pipeline::service::{Deployment, Rollout};

/// The next step.
#[derive(Debug, PartialEq)]
pub enum Plan {
    /// Our deployment is in place: go back.
    Start,
    /// The restore point is in place, by ECS or by an earlier call.
    Already(DeploymentId),
    /// Somebody else's is, as this sentence says: leave it alone.
    Superseded(String),
}

/// Tells why a move needs no rollback, if it needs none.
pub fn nothing(row: &MoveRow, scope: RollbackScope) -> Option<&'static str> {
    if row.touched.is_none() {
        return Some("the service was not updated");
    }
    // What production has never seen is given back all the same: its deployment has not ended.
    if row.forward_only && (row.traffic.is_none() || row.shifted.is_some()) {
        return Some("the environment lists the service in forwardOnly, so nothing rolls it back by itself");
    }
    if row.verdict == Some(Verdict::Superseded) {
        return Some("another deployment has replaced ours");
    }
    (scope == RollbackScope::Failed && row.verdict != Some(Verdict::Unhealthy))
        .then_some("onFailure is undo-failed, and the service is not unhealthy")
}

/// Tells why a move is not given back before its wave is judged, if it is not.
pub fn keeps_traffic(loaded: &Loaded) -> Option<&'static str> {
    let row = &loaded.row;
    if row.traffic.is_none() {
        return Some("the service rolls, so that ECS keeps no old tasks");
    }
    if row.verdict != Some(Verdict::Unhealthy) {
        return Some("the service is not unhealthy");
    }
    if loaded.stop.is_some() {
        return Some("somebody has stopped the release, and said whether it goes back");
    }
    if loaded.freezes {
        return Some("onFailure is freeze, so nothing is rolled back");
    }
    nothing(row, RollbackScope::Failed)
}

/// Decides how to put a touched service back.
pub fn next(deployments: &[Deployment], row: &MoveRow, restore: &RestorePoint) -> Plan {
    let Some(primary) = deployments.iter().find(|one| one.primary) else {
        return Plan::Superseded("the service no longer exists".to_owned());
    };
    if primary.is_of(row) {
        return Plan::Start;
    }
    let ours: Vec<&Deployment> = deployments.iter().filter(|one| one.is_of(row)).collect();
    let failed = ours.iter().any(|one| one.rollout == Rollout::Failed);
    let is_back = primary.task_definition == restore.task_definition
        || Some(&primary.task_definition) == row.rollback_revision.as_ref();
    let is_by_ecs_or_us = failed || ours.is_empty() || row.rollback_started.is_some();
    if row.rollback_deployment.as_ref() == Some(&primary.id) || is_back && is_by_ecs_or_us {
        return Plan::Already(primary.id.clone());
    }
    // ECS goes back to what ran before, which is not always what was verified.
    if primary.id == row.replaces || failed && primary.task_definition == row.running {
        return Plan::Start;
    }
    Plan::Superseded(primary.has_replaced_ours())
}

#[cfg(test)]
mod tests {
    use super::*;
    use pipeline::clock::Timestamp;
    use pipeline::ids::{ReleaseId, TaskDefinitionArn};
    use pipeline::rows::{Stop, Traffic};
    use pipeline::service_deployment::Stage;

    fn row() -> MoveRow {
        let request: serde_json::Value =
            serde_json::from_str(include_str!("../../../events/rollback/good.json")).unwrap();
        serde_json::from_value(request.get("move").unwrap().clone()).unwrap()
    }

    fn deployment(n: u32, revision: u32, primary: bool, rollout: Rollout) -> Deployment {
        let arn = format!("arn:aws:ecs:eu-west-1:123456789012:task-definition/users:{revision}");
        let id = DeploymentId::parse(format!("ecs-svc/{n}")).unwrap();
        Deployment { id, task_definition: TaskDefinitionArn::parse(arn).unwrap(), primary, rollout }
    }

    fn check(row: &MoveRow, deployments: &[Deployment], expected: Plan) {
        assert_eq!(next(deployments, row, row.restore.as_ref().unwrap()), expected);
    }

    #[test]
    fn what_has_failed_with_all_its_traffic_is_given_back_unless_somebody_said_otherwise() {
        let traffic = Traffic {
            strategy: "CANARY".to_owned(),
            gate: Stage::of("POST_TEST_TRAFFIC_SHIFT"),
            seconds: 300,
            drain_minutes: 0,
        };
        let shifts = MoveRow { traffic: Some(traffic), shifted: row().touched, ..row() };
        let failed = Loaded::given(&MoveRow { verdict: Some(Verdict::Unhealthy), ..shifts });
        assert_eq!(keeps_traffic(&failed), None);
        let with = |change: &dyn Fn(&mut Loaded)| {
            let mut loaded = failed.clone();
            change(&mut loaded);
            keeps_traffic(&loaded).unwrap()
        };
        assert!(with(&|one| one.row.traffic = None).starts_with("the service rolls"));
        for verdict in [None, Some(Verdict::Inconclusive), Some(Verdict::Superseded), Some(Verdict::Healthy)]
        {
            assert_eq!(with(&|one| one.row.verdict = verdict), "the service is not unhealthy");
        }
        assert!(with(&|one| one.freezes = true).starts_with("onFailure is freeze"));
        let (by, since) = (ReleaseId::parse("r9").unwrap(), Timestamp::from_millis(0));
        for rollback in [true, false] {
            let stop = Stop { by: by.clone(), because: String::new(), since, rollback };
            assert!(with(&|one| one.stop = Some(stop.clone())).starts_with("somebody has stopped"));
        }
        assert!(with(&|one| one.row.forward_only = true).contains("forwardOnly"));
    }

    #[test]
    fn our_own_deployment_is_rolled_back() {
        let (ours, old) =
            (deployment(2, 2, true, Rollout::Completed), deployment(1, 1, false, Rollout::Completed));
        check(&row(), &[ours, old], Plan::Start);
    }

    #[test]
    fn the_return_of_ecs_from_our_failed_deployment_is_adopted() {
        let back = deployment(3, 1, true, Rollout::InProgress);
        let adopted = Plan::Already(back.id.clone());
        check(&row(), &[back, deployment(2, 2, false, Rollout::Failed)], adopted);
    }

    #[test]
    fn a_repeat_finds_its_own_rollback() {
        let back = deployment(3, 1, true, Rollout::InProgress);
        let adopted = Plan::Already(back.id.clone());
        let row = MoveRow { rollback_started: Some(Timestamp::from_millis(0)), ..row() };
        check(&row, &[back, deployment(2, 2, false, Rollout::InProgress)], adopted);
    }

    #[test]
    fn a_repeat_finds_the_copy_that_it_registered() {
        let back = deployment(3, 4, true, Rollout::InProgress);
        let adopted = Plan::Already(back.id.clone());
        let (rollback_started, rollback_revision) =
            (Some(Timestamp::from_millis(0)), Some(back.task_definition.clone()));
        check(&MoveRow { rollback_started, rollback_revision, ..row() }, &[back], adopted);
    }

    #[test]
    fn somebody_elses_deployment_is_left_alone() {
        let other = "another deployment has replaced ours: ecs-svc/9 on arn:aws:ecs:eu-west-1:123456789012:task-definition/users:7".to_owned();
        let deployments =
            [deployment(9, 7, true, Rollout::InProgress), deployment(2, 2, false, Rollout::Completed)];
        check(&row(), &deployments, Plan::Superseded(other));
    }

    #[test]
    fn a_person_who_went_back_by_hand_is_somebody_else() {
        let hand = deployment(9, 1, true, Rollout::InProgress);
        let other = Plan::Superseded(hand.has_replaced_ours());
        check(&row(), &[hand, deployment(2, 2, false, Rollout::Completed)], other);
    }

    #[test]
    fn our_revision_is_ours_whoever_deploys_it_once_more() {
        let forced = deployment(8, 2, true, Rollout::InProgress);
        check(&row(), &[forced.clone(), deployment(2, 2, false, Rollout::InProgress)], Plan::Start);
        check(&row(), &[forced], Plan::Start);
    }

    #[test]
    fn the_return_of_ecs_from_a_forced_deployment_of_ours_is_adopted() {
        let back = deployment(9, 1, true, Rollout::InProgress);
        let adopted = Plan::Already(back.id.clone());
        let forced = deployment(8, 2, false, Rollout::Failed);
        check(&row(), &[back, forced, deployment(2, 2, false, Rollout::InProgress)], adopted);
    }

    #[test]
    fn what_ecs_put_back_before_the_update_was_noted_is_adopted() {
        let back = deployment(3, 1, true, Rollout::Completed);
        let adopted = Plan::Already(back.id.clone());
        check(&MoveRow { deployment: None, ..row() }, &[back], adopted);
    }

    #[test]
    fn the_return_of_ecs_to_what_was_never_verified_goes_on_to_the_restore_point() {
        let mut row = row();
        row.restore.as_mut().unwrap().task_definition =
            deployment(1, 7, true, Rollout::Completed).task_definition;
        let back = deployment(3, 1, true, Rollout::Completed);
        check(&row, &[back.clone(), deployment(2, 2, false, Rollout::Failed)], Plan::Start);
        // Without a failure of ours it may have been a person.
        let other = Plan::Superseded(back.has_replaced_ours());
        check(&row, &[back, deployment(2, 2, false, Rollout::Completed)], other);
    }

    #[test]
    fn a_service_that_is_gone_is_nobodys() {
        check(&row(), &[], Plan::Superseded("the service no longer exists".to_owned()));
    }

    #[test]
    fn only_what_was_touched_and_is_ours_is_rolled_back() {
        assert_eq!(nothing(&row(), RollbackScope::All), None);
        assert!(nothing(&MoveRow { touched: None, ..row() }, RollbackScope::All).is_some());
        assert!(
            nothing(&MoveRow { verdict: Some(Verdict::Superseded), ..row() }, RollbackScope::All).is_some()
        );
        let healthy = MoveRow { verdict: Some(Verdict::Healthy), ..row() };
        assert_eq!(nothing(&healthy, RollbackScope::All), None);
        assert!(nothing(&healthy, RollbackScope::Failed).is_some());
        let forward_only = MoveRow { forward_only: true, ..row() };
        assert!(nothing(&forward_only, RollbackScope::All).is_some());
        let gate = pipeline::service_deployment::Stage::of("POST_TEST_TRAFFIC_SHIFT");
        let traffic =
            pipeline::rows::Traffic { strategy: "CANARY".to_owned(), gate, seconds: 60, drain_minutes: 0 };
        let dark = MoveRow { traffic: Some(traffic), ..forward_only };
        assert_eq!(nothing(&dark, RollbackScope::All), None);
        let seen = MoveRow { shifted: dark.touched, ..dark };
        assert!(nothing(&seen, RollbackScope::All).is_some());
    }
}
