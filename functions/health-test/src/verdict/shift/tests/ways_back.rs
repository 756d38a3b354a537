//! Ways back: a deployment of its own through its gates, and what ECS gives back.

use super::*;

#[test]
fn on_the_way_back_a_gate_asks_no_tests_and_is_never_answered_with_rollback() {
    use Finding::{DarkHealthy, NotYet, Unhealthy};
    check(
        "back",
        |case| {
            case.is_back = true;
            case.tests(Finding::Unhealthy);
        },
        DarkHealthy,
        "its tasks and targets are proven",
    );
    check(
        "back, not yet",
        |case| {
            case.is_back = true;
            case.tasks.pop();
        },
        NotYet,
        "1 of 2 tasks run",
    );
    check(
        "back, late",
        |case| {
            (case.is_back, case.is_late) = (true, true);
            case.tasks.pop();
        },
        Unhealthy,
        "--service-deployment-arn arn:sd --hook-id h1 --action CONTINUE",
    );
    check(
        "back, shares",
        |case| {
            case.is_back = true;
            case.targets.push(in_group("green", target("10.0.0.1", "healthy")));
        },
        Unhealthy,
        "share the target group green",
    );
    check(
        "back, shifted",
        |case| {
            case.is_back = true;
            case.shifted("BAKE_TIME", 100.0);
            case.shift().hooks.clear();
            case.tests(Finding::Unhealthy);
        },
        NotYet,
        "BAKE_TIME",
    );
}

/// What is seen of a service that ECS gives back: the new tasks are gone, unless it is changed.
fn returned(change: impl FnOnce(&mut Case), is_by_ecs: bool, seconds: i64) -> Judgement {
    let mut case = dark();
    (case.primary, case.shift().status) = ((1, 1), Status::RolledBack);
    case.tasks.truncate(2);
    case.targets.truncate(2);
    change(&mut case);
    let row = &case.row;
    let expected = Expected::rollback(row, row.deployment.as_ref().unwrap(), row.restore.as_ref().unwrap());
    judge_return(&expected, is_by_ecs, at(-seconds), at(0), &case.seen())
}

#[test]
fn a_service_that_ecs_gave_back_is_proven_by_its_old_tasks() {
    use Finding::{Healthy, NotYet, Superseded, Unhealthy, Unmeasured};
    let status = |status: Status| move |case: &mut Case| case.shift().status = status;
    for (name, judgement, finding, reason) in [
        ("back", returned(|_| {}, true, 90), Healthy, "the old tasks serve alone"),
        ("back at once", returned(|_| {}, true, 1), Healthy, ""),
        ("any id", returned(|case| case.primary = (3, 1), true, 90), Healthy, ""),
        ("goes back", returned(status(Status::RollingBack), true, 90), NotYet, "ECS goes back"),
        ("just asked", returned(status(Status::Successful), true, 59), NotYet, "ECS was asked"),
        ("asked long ago", returned(status(Status::Open), true, 90), NotYet, "does not go back yet"),
        ("complete", returned(status(Status::Successful), true, 60), Unhealthy, "ECS did not go back"),
        ("stopped", returned(status(Status::Stopped), true, 60), Unhealthy, "ECS did not go back"),
        ("failed", returned(status(Status::RollbackFailed), true, 60), Unhealthy, "ECS said so"),
        ("not listed", returned(|case| case.shift = None, true, 90), Unmeasured, "no longer lists"),
        ("nothing came of it", returned(|case| case.shift = None, false, 90), Healthy, ""),
        ("ours runs", returned(|case| case.tasks.push(task("t3", 2, "b")), true, 90), NotYet, "t3"),
        ("none runs", returned(|case| case.tasks.clear(), true, 90), NotYet, "0 of 1 tasks run"),
        ("digest", returned(|case| case.tasks[0] = task("t1", 1, "c"), true, 90), Unhealthy, "t1 runs"),
        ("target", returned(|case| case.targets[0].state = "unused".to_owned(), true, 90), NotYet, "unused"),
        ("tests", returned(|case| case.tests(Finding::Unhealthy), true, 90), Unhealthy, "live test"),
    ] {
        let Judgement::Say(found, said) = judgement else { panic!("{name}: {judgement:?}") };
        assert_eq!(found, finding, "{name}: {said}");
        assert!(said.contains(reason), "{name}: {said:?} does not say {reason:?}");
    }
    let row = row();
    let expected = Expected::rollback(&row, row.deployment.as_ref().unwrap(), row.restore.as_ref().unwrap());
    let gone = Observed { service: Measured::Is(None), ..Observed::default() };
    let Judgement::Say(found, _) = judge_return(&expected, true, at(0), at(0), &gone) else { panic!() };
    assert_eq!(found, Superseded);
}
