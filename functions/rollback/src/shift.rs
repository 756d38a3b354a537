//! What to do about a service that is to go back and whose traffic ECS shifts.  Pure.
//!
//! As long as ECS keeps the old tasks it gives the service back to them at once, and nothing has to start.

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ids::DeploymentId;
use pipeline::rows::MoveRow;
use pipeline::service::Deployment;
use pipeline::service_deployment::{ServiceDeployment, Status};

/// For how many seconds the answer to a gate may not be seen yet.
const ANSWER_ARRIVES: i64 = 60;

/// The next step.
#[derive(Debug, PartialEq)]
pub enum Plan {
    /// A gate waits: answer it with ROLLBACK.
    Refuse(String),
    /// Traffic moves, or ECS bakes: have ECS go back.
    Stop,
    /// The old tasks are gone: deploy the restore point.
    Start,
    /// It goes back already, by this deployment.
    Already(DeploymentId),
    /// Somebody else's deployment is in place, as this sentence says.
    Superseded(String),
    /// ECS could not go back, and why.
    Lost(String),
}

/// Returns the deployment that a move has started, as far as it is known.
pub fn ours(deployments: &[Deployment], row: &MoveRow) -> Option<DeploymentId> {
    let listed = deployments.iter().find(|one| Some(&one.task_definition) == row.registered.as_ref());
    row.deployment.clone().or_else(|| listed.map(|one| one.id.clone()))
}

/// Decides how to put a touched service back; `seen` is the service deployment of our way forward.
pub fn next(
    deployments: &[Deployment],
    seen: Option<(&DeploymentId, &ServiceDeployment)>,
    row: &MoveRow,
) -> Plan {
    let Some(primary) = deployments.iter().find(|one| one.primary) else {
        return Plan::Superseded("the service no longer exists".to_owned());
    };
    let restored = row.restore.as_ref().map(|restore| &restore.task_definition);
    let is_back = Some(&primary.task_definition) == restored
        || Some(&primary.task_definition) == row.rollback_revision.as_ref();
    let is_replaced = primary.id == row.replaces || primary.task_definition == row.running;
    let is_last = Some(&primary.id) == row.rollback_deployment.as_ref();
    if !(primary.is_of(row) || is_back || is_replaced || is_last) {
        return Plan::Superseded(primary.has_replaced_ours());
    }
    let asked = row.goes_back_since().is_some();
    let starts = || match (primary.is_of(row), is_last || is_back && asked) {
        (false, true) => Plan::Already(primary.id.clone()),
        (true, _) => Plan::Start,
        (false, false) if primary.id == row.replaces && is_back => Plan::Already(primary.id.clone()),
        (false, false) if primary.id == row.replaces => Plan::Start,
        // Our deployment ended, and somebody has gone back by hand.
        (false, false) => Plan::Superseded(primary.has_replaced_ours()),
    };
    let Some((id, seen)) = seen else { return starts() };
    match &seen.status {
        Status::Open => match seen.gate() {
            Some(hook) => Plan::Refuse(hook.id.clone()),
            None => Plan::Stop,
        },
        Status::RollingBack => Plan::Already(id.clone()),
        // ECS goes back to what ran before, which is not always what was verified.
        Status::RolledBack if restored != Some(&row.running) && !is_back => Plan::Start,
        Status::RolledBack if is_last => Plan::Already(primary.id.clone()),
        Status::RolledBack => Plan::Already(id.clone()),
        Status::RollbackFailed => {
            Plan::Lost(format!("ECS could not roll {} back by itself: {}", row.service, seen.reason))
        }
        Status::Successful | Status::Stopped | Status::Unknown(_) => starts(),
    }
}

/// Says what it means that ECS has refused the same twice: a gate that was answered a moment ago may still be shown.
pub fn again(plan: &Plan, row: &MoveRow, now: Timestamp, fault: Fault) -> Fault {
    let Plan::Refuse(hook) = plan else { return fault };
    let answered = row.answered.as_ref().filter(|answered| answered.hook == *hook);
    match answered.is_some_and(|answered| now.seconds_since(answered.at) < ANSWER_ARRIVES) {
        true => {
            Fault::Unavailable(format!("its gate was answered a moment ago, and is still shown: {fault}"))
        }
        false => fault,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pipeline::ids::TaskDefinitionArn;
    use pipeline::rows::Answered;
    use pipeline::service::Rollout;
    use pipeline::service_deployment::{Action, Hook, Stage};

    fn row() -> MoveRow {
        let request: serde_json::Value =
            serde_json::from_str(include_str!("../../../events/rollback/good.json")).unwrap();
        serde_json::from_value(request.get("move").unwrap().clone()).unwrap()
    }

    fn deployment(n: u32, revision: u32) -> Deployment {
        let arn = format!("arn:aws:ecs:eu-west-1:123456789012:task-definition/users:{revision}");
        let (id, primary) = (DeploymentId::parse(format!("ecs-svc/{n}")).unwrap(), true);
        let rollout = Rollout::Unknown(String::new());
        Deployment { id, task_definition: TaskDefinitionArn::parse(arn).unwrap(), primary, rollout }
    }

    fn shift(status: Status, waits: bool) -> ServiceDeployment {
        let (id, word) = ("h1".to_owned(), "AWAITING_ACTION".to_owned());
        let hook = Hook { id, is_pause: true, status: word, expires: None };
        ServiceDeployment {
            arn: "arn:sd".to_owned(),
            status,
            reason: "it is lost".to_owned(),
            stage: Stage::of("BAKE_TIME"),
            hooks: if waits { vec![hook] } else { Vec::new() },
            requested: 2,
            production: 100.0,
        }
    }

    fn already(n: u32) -> Plan {
        Plan::Already(DeploymentId::parse(format!("ecs-svc/{n}")).unwrap())
    }

    #[test]
    fn each_state_of_the_deployment_and_of_the_service_has_its_way_back() {
        let (ours, old, back, stranger) =
            (deployment(2, 2), deployment(1, 1), deployment(3, 1), deployment(9, 7));
        let asked = MoveRow { rollback_started: Some(Timestamp::from_millis(0)), ..row() };
        let given = MoveRow { given_back: asked.rollback_started, ..row() };
        let forced = MoveRow { restore: None, ..row() };
        let noted = MoveRow { rollback_deployment: Some(back.id.clone()), ..asked.clone() };
        let mut unverified = row();
        unverified.restore.as_mut().unwrap().task_definition = deployment(1, 5).task_definition;
        let superseded = || Plan::Superseded(stranger.has_replaced_ours());
        let by_hand = || Plan::Superseded(back.has_replaced_ours());
        let lost = || Plan::Lost("ECS could not roll users back by itself: it is lost".to_owned());
        for (seen, primary, row, expected) in [
            (None, &old, &row(), already(1)),
            (None, &old, &unverified, Plan::Start),
            (None, &ours, &row(), Plan::Start),
            (None, &back, &asked, already(3)),
            (None, &back, &row(), by_hand()),
            (None, &stranger, &row(), superseded()),
            (Some(shift(Status::Open, true)), &ours, &row(), Plan::Refuse("h1".to_owned())),
            (Some(shift(Status::Open, false)), &ours, &row(), Plan::Stop),
            (Some(shift(Status::Open, true)), &stranger, &row(), superseded()),
            (Some(shift(Status::RollingBack, false)), &ours, &row(), already(2)),
            (Some(shift(Status::RollingBack, false)), &old, &row(), already(2)),
            (Some(shift(Status::RolledBack, false)), &old, &asked, already(2)),
            (Some(shift(Status::RolledBack, false)), &back, &row(), already(2)),
            (Some(shift(Status::RolledBack, false)), &old, &given, already(2)),
            (Some(shift(Status::Successful, false)), &back, &given, already(3)),
            // What was there before is given back, even if nobody knows whether it was good.
            (Some(shift(Status::Open, false)), &ours, &forced, Plan::Stop),
            (Some(shift(Status::Open, true)), &ours, &forced, Plan::Refuse("h1".to_owned())),
            (Some(shift(Status::RolledBack, false)), &old, &unverified, Plan::Start),
            (Some(shift(Status::RolledBack, false)), &stranger, &row(), superseded()),
            (Some(shift(Status::Successful, false)), &ours, &row(), Plan::Start),
            (Some(shift(Status::Successful, false)), &ours, &asked, Plan::Start),
            (Some(shift(Status::Successful, false)), &back, &asked, already(3)),
            (Some(shift(Status::Successful, false)), &back, &noted, already(3)),
            (Some(shift(Status::Successful, false)), &back, &row(), by_hand()),
            (Some(shift(Status::Stopped, false)), &ours, &row(), Plan::Start),
            (Some(shift(Status::Stopped, false)), &stranger, &row(), superseded()),
            (Some(shift(Status::RollbackFailed, false)), &ours, &row(), lost()),
            (Some(shift(Status::RollbackFailed, false)), &stranger, &row(), superseded()),
        ] {
            let seen = seen.as_ref().map(|seen| (&ours.id, seen));
            let plan = next(std::slice::from_ref(primary), seen, row);
            assert_eq!(plan, expected, "{seen:?} {primary:?}");
        }
        let none = next(&[], None, &row());
        assert_eq!(none, Plan::Superseded("the service no longer exists".to_owned()));
    }

    #[test]
    fn our_deployment_is_the_noted_one_or_the_one_of_our_revision() {
        let unnoted = MoveRow { deployment: None, ..row() };
        assert_eq!(ours(&[deployment(1, 1)], &row()), row().deployment);
        assert_eq!(ours(&[deployment(4, 2)], &unnoted), Some(deployment(4, 2).id));
        assert_eq!(ours(&[deployment(1, 1)], &unnoted), None);
    }

    #[test]
    fn a_gate_that_was_answered_a_moment_ago_is_tried_again() {
        let answered = |hook: &str, seconds: i64| {
            let (hook, at) = (hook.to_owned(), Timestamp::from_millis(0).plus_seconds(-seconds));
            MoveRow { answered: Some(Answered { hook, action: Action::Continue, at }), ..row() }
        };
        let fault = |plan: &Plan, row: &MoveRow| {
            again(plan, row, Timestamp::from_millis(0), Fault::Denied("no".to_owned())).name()
        };
        let refuse = Plan::Refuse("h1".to_owned());
        assert_eq!(fault(&refuse, &answered("h1", 59)), "Unavailable");
        assert_eq!(fault(&refuse, &answered("h1", 60)), "Denied");
        assert_eq!(fault(&refuse, &answered("h0", 1)), "Denied");
        assert_eq!(fault(&Plan::Stop, &answered("h1", 1)), "Denied");
    }
}
