//! What is found at a gate.

use super::*;

#[test]
fn at_a_gate_in_the_dark_the_new_tasks_are_proven_and_alone_in_their_group() {
    use Finding::{DarkBlameless, DarkHealthy, DarkUnhealthy, NotYet};
    check(
        "9",
        |_| {},
        DarkHealthy,
        "at its gate at POST_TEST_TRAFFIC_SHIFT: it is stable; its live test passed",
    );
    check("9 old tasks may run", |case| case.tasks.push(task("t5", 7, "c")), DarkHealthy, "");
    check("9 digest", |case| case.tasks[2] = task("t3", 2, "c"), DarkUnhealthy, "task t3 runs");
    check("9 too few", |case| drop(case.tasks.pop()), NotYet, "1 of 2 tasks run");
    check(
        "9 too few, late",
        |case| (case.tasks.pop(), case.is_late = true).1,
        DarkUnhealthy,
        "1 of 2 tasks run",
    );
    check("9 none", |case| case.tasks.truncate(2), NotYet, "0 of 2 tasks run");
    check("9 target", |case| case.targets[3].state = "initial".to_owned(), NotYet, "is initial");
    check(
        "9 not registered",
        |case| drop(case.targets.pop()),
        NotYet,
        "not registered in the target group green",
    );
    check("9 nowhere", |case| case.targets.truncate(2), NotYet, "registered in blue or green");
    check(
        "9 in both",
        |case| case.targets.push(in_group("blue", target("10.0.0.3", "healthy"))),
        NotYet,
        "both",
    );
    check(
        "9 shares",
        |case| {
            case.targets.push(in_group("green", target("10.0.0.1", "healthy")));
        },
        DarkBlameless,
        "share the target group green",
    );
    check(
        "9 shared and draining",
        |case| {
            case.targets.push(in_group("green", target("10.0.0.1", "draining")));
        },
        DarkHealthy,
        "",
    );
}

#[test]
fn at_the_last_gate_in_the_dark_live_tests_decide() {
    use Finding::{AgainIn, DarkHealthy, DarkUnhealthy, Inconclusive, Unmeasured};
    check("9 tests", |case| case.tests(Finding::Unhealthy), DarkUnhealthy, "live test said so");
    check("9 tests again", |case| case.tests(AgainIn(3)), AgainIn(3), "live test said so");
    check("9 tests unmeasured", |case| case.tests(Finding::Unmeasured), Unmeasured, "");
    check(
        "9 unmeasured, late",
        |case| {
            case.tests(Finding::Unmeasured);
            case.is_late = true;
        },
        Inconclusive,
        "could not be measured in time",
    );
    check("9 tests inconclusive", |case| case.tests(Finding::Inconclusive), Inconclusive, "");
    check(
        "9 an earlier gate asks no tests",
        |case| {
            case.shift().stage = Stage::of("POST_SCALE_UP");
            case.tests(Finding::Unhealthy);
        },
        DarkHealthy,
        "its tasks and targets are proven",
    );
    check(
        "9 a stage that nobody knows",
        |case| {
            case.shift().stage = Stage::of("NEW");
            case.tests(Finding::Unhealthy);
        },
        DarkUnhealthy,
        "",
    );
}

#[test]
fn no_gate_is_judged_again_that_was_answered_and_none_of_two() {
    use Finding::{DarkHealthy, DarkUnhealthy, NotYet, Unmeasured};
    check(
        "7",
        |case| {
            let other = Hook { id: "h2".to_owned(), ..hook("AWAITING_ACTION") };
            case.shift().hooks.push(other);
        },
        Unmeasured,
        "2 PAUSE hooks wait at POST_TEST_TRAFFIC_SHIFT",
    );
    check("8", |case| case.answered(Action::Continue, 59), NotYet, "was answered 59 s ago");
    check("8 lost", |case| case.answered(Action::Continue, 60), DarkHealthy, "what was found at the gate");
    check(
        "8 no second answer",
        |case| {
            case.answered(Action::Continue, 60);
            case.tests(Finding::Unhealthy);
        },
        DarkHealthy,
        "what was found at the gate",
    );
    check("8 lost", |case| case.answered(Action::Rollback, 60), DarkUnhealthy, "what was found at the gate");
    check(
        "8 the gate before",
        |case| {
            case.answered(Action::Continue, 5);
            case.row.answered.as_mut().unwrap().hook = "h0".to_owned();
        },
        DarkHealthy,
        "its live test passed",
    );
}

#[test]
fn at_a_gate_with_production_traffic_the_new_tasks_are_proven_beside_the_old_ones() {
    use Finding::{AgainIn, DarkHealthy, DarkUnhealthy, Inconclusive, NotYet};
    const PRODUCTION: &str = "POST_PRODUCTION_TRAFFIC_SHIFT";
    check("10", |case| case.shifted(PRODUCTION, 100.0), DarkHealthy, "its live test passed");
    check(
        "10 too soon",
        |case| {
            case.shifted(PRODUCTION, 100.0);
            case.full = Some(-5);
        },
        AgainIn(10),
        "its traffic is moving",
    );
    check(
        "10 shared",
        |case| {
            case.shifted(PRODUCTION, 100.0);
            case.targets.push(in_group("green", target("10.0.0.1", "healthy")));
        },
        DarkHealthy,
        "",
    );
    check(
        "10 tests",
        |case| {
            case.shifted(PRODUCTION, 100.0);
            case.tests(Finding::Unhealthy);
        },
        DarkUnhealthy,
        "live test said so",
    );
    check("10 a step", |case| case.shifted("PRE_PRODUCTION_TRAFFIC_SHIFT", 10.0), DarkHealthy, "live test");
    check(
        "10 target",
        |case| {
            case.shifted(PRODUCTION, 100.0);
            case.targets[2].state = "unhealthy".to_owned();
        },
        NotYet,
        "is unhealthy",
    );
    check(
        "10 target, late",
        |case| {
            case.shifted(PRODUCTION, 100.0);
            case.targets[2].state = "unhealthy".to_owned();
            case.is_late = true;
        },
        DarkUnhealthy,
        "is unhealthy",
    );
    check(
        "10 unmeasured, late",
        |case| {
            case.shifted(PRODUCTION, 100.0);
            case.tests(Finding::Unmeasured);
            case.is_late = true;
        },
        Inconclusive,
        "",
    );
}
