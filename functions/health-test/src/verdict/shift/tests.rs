use super::*;
use crate::report::Report;
use crate::rollout::samples::{progress, row, target, task};
use crate::rollout::{Pair, Target, Task};
use pipeline::rows::{Answered, Gate, MoveRow};
use pipeline::service::Rollout;
use pipeline::service_deployment::Stage;

const BLUE: &str = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/blue/1";
const GREEN: &str = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/green/1";
const TEST: &str = "POST_TEST_TRAFFIC_SHIFT";

/// What is seen of one service, and known of its move: the old tasks are t1 and t2 in blue, the new ones t3 and t4 in
/// green, and a gate waits.
struct Case {
    shift: Option<ServiceDeployment>,
    primary: (u32, u32),
    tasks: Vec<Task>,
    targets: Vec<Target>,
    tests: Report,
    row: MoveRow,
    full: Option<i64>,
    is_back: bool,
    is_late: bool,
    waits: bool,
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_000_000_000).plus_seconds(seconds)
}

fn hook(status: &str) -> Hook {
    let expires = Some(at(3600));
    Hook { id: "h1".to_owned(), is_pause: true, status: status.to_owned(), expires }
}

fn in_group(group: &str, target: Target) -> Target {
    Target { group: group.to_owned(), ..target }
}

fn dark() -> Case {
    let traffic =
        Traffic { strategy: "BLUE_GREEN".to_owned(), gate: Stage::of(TEST), seconds: 300, drain_minutes: 0 };
    let blue = |n: u32| in_group("blue", target(&format!("10.0.0.{n}"), "healthy"));
    let green = |n: u32| in_group("green", target(&format!("10.0.0.{n}"), "healthy"));
    Case {
        shift: Some(ServiceDeployment {
            arn: "arn:sd".to_owned(),
            status: Status::Open,
            reason: "ECS said so".to_owned(),
            stage: Stage::of(TEST),
            hooks: vec![hook("AWAITING_ACTION")],
            requested: 2,
            production: 0.0,
        }),
        primary: (2, 2),
        tasks: vec![task("t1", 1, "a"), task("t2", 1, "a"), task("t3", 2, "b"), task("t4", 2, "b")],
        targets: vec![blue(1), blue(2), green(3), green(4)],
        tests: Report { reason: "its live test passed".to_owned(), ..Report::without(None) },
        row: MoveRow { traffic: Some(traffic), ..row() },
        full: None,
        is_back: false,
        is_late: false,
        waits: false,
    }
}

impl Case {
    fn shift(&mut self) -> &mut ServiceDeployment {
        self.shift.as_mut().unwrap()
    }

    fn shifted(&mut self, stage: &str, production: f64) {
        self.row.shifted = Some(at(-100));
        self.full = (production >= 100.0).then_some(-60);
        (self.shift().stage, self.shift().production) = (Stage::of(stage), production);
    }

    fn answered(&mut self, action: Action, seconds_ago: i64) {
        let (hook, at) = ("h1".to_owned(), at(-seconds_ago));
        self.row.answered = Some(Answered { hook: hook.clone(), action, at });
        let verdict = match action {
            Action::Continue => GateVerdict::DarkHealthy,
            Action::Rollback => GateVerdict::DarkUnhealthy,
        };
        let reason = "what was found at the gate".to_owned();
        self.row.gate = Some(Gate {
            hook,
            stage: Stage::of(TEST),
            verdict,
            reason,
            expires: None,
            at,
            poll: 1,
            deployment: String::new(),
        });
    }

    fn tests(&mut self, finding: Finding) {
        self.tests = Report { finding, reason: "live test said so".to_owned(), ..Report::without(None) };
    }

    fn seen(&self) -> Observed {
        let (n, revision) = self.primary;
        let primary = progress(n, revision, true, Rollout::Unknown(String::new()));
        let service = Service {
            desired: 2,
            deployments: vec![primary],
            target_groups: vec![BLUE.to_owned()],
            pairs: vec![Pair { groups: [BLUE, GREEN].map(str::to_owned), balancer: "app/shop/1".to_owned() }],
            security_groups: vec![],
        };
        Observed {
            service: Measured::Is(Some(service)),
            shift: Measured::Is(self.shift.clone()),
            tasks: Measured::Is(self.tasks.clone()),
            targets: Measured::Is(self.targets.clone()),
            tests: Measured::Is(self.tests.clone()),
            ..Observed::default()
        }
    }

    fn judged(&self, seen: &Observed) -> Judgement {
        let row = &self.row;
        let (expected, shift) = match self.is_back {
            false => (Expected::forward(row, row.deployment.as_ref().unwrap()), row.shift()),
            true => {
                let back =
                    Expected::rollback(row, row.deployment.as_ref().unwrap(), row.restore.as_ref().unwrap());
                (Expected { digest: &row.digest, children: Some(&row.children), ..back }, row.shift())
            }
        };
        let way = Way {
            waits: self.waits,
            is_back: self.is_back,
            shift,
            traffic: row.traffic.as_ref().unwrap(),
            blameless: row.blameless == Some(true),
            full: self.full.map(at),
            deadline: at(if self.is_late { -1 } else { 1 }),
            now: at(0),
        };
        judge(&expected, &way, seen)
    }
}

fn check(name: &str, change: impl FnOnce(&mut Case), finding: Finding, reason: &str) {
    let mut case = dark();
    change(&mut case);
    match case.judged(&case.seen()) {
        Judgement::Say(found, said) => {
            assert_eq!(found, finding, "{name}: {said}");
            assert!(said.contains(reason), "{name}: {said:?} does not say {reason:?}");
        }
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn whose_deployment_it_is_comes_first() {
    use Finding::{Superseded, Unhealthy, Unmeasured};
    let stopped = |case: &mut Case| case.shift().status = Status::Stopped;
    check("1 stopped", |case| (stopped(case), case.primary = (9, 9)).0, Superseded, "ecs-svc/9");
    check(
        "1 no service deployment",
        |case| (case.shift, case.primary) = (None, (9, 9)),
        Superseded,
        "ecs-svc/9",
    );
    check("2 not listed, ours", |case| case.shift = None, Unmeasured, "lists no service deployment");
    check("2 not listed, replaced", |case| (case.shift, case.primary) = (None, (1, 1)), Unmeasured, "yet");
    check("4", stopped, Unhealthy, "ECS stopped the service deployment");
    check(
        "6 replaced since",
        |case| {
            case.shift().status = Status::Successful;
            case.primary = (9, 9);
        },
        Superseded,
        "ecs-svc/9",
    );
    check("unknown", |case| case.shift().status = Status::of("PAUSED"), Unmeasured, "PAUSED");
    let gone = Observed { service: Measured::Is(None), ..dark().seen() };
    assert_eq!(dark().judged(&gone), superseded("the service no longer exists"));
    let unseen = Observed { shift: Measured::Not("no".to_owned()), ..dark().seen() };
    assert_eq!(dark().judged(&unseen), unmeasured("no"));
}

#[test]
fn what_ecs_gives_back_is_bad_unless_nobody_or_a_stranger_answered() {
    use Finding::{Blameless, Unhealthy};
    let back = |case: &mut Case, status: &str| {
        case.shift().status = Status::RollingBack;
        case.shift().hooks = vec![hook(status)];
    };
    check(
        "3 ours",
        |case| {
            back(case, "FAILED");
            case.answered(Action::Rollback, 5);
        },
        Unhealthy,
        "what was found at the gate",
    );
    check(
        "3 ours, blameless",
        |case| {
            back(case, "FAILED");
            case.answered(Action::Rollback, 5);
            case.row.blameless = Some(true);
        },
        Blameless,
        "what was found at the gate",
    );
    check("3 ran out", |case| back(case, "TIMED_OUT"), Blameless, "nobody answered its gate at POST_TEST");
    check("3 a stranger", |case| back(case, "FAILED"), Blameless, "somebody answered its gate");
    check(
        "3 a stranger after ours",
        |case| {
            back(case, "FAILED");
            case.answered(Action::Continue, 5);
        },
        Blameless,
        "somebody answered its gate",
    );
    for status in [Status::RollingBack, Status::RolledBack, Status::RollbackFailed] {
        check(
            "3 by itself",
            |case| {
                (case.shift().status, case.shift().hooks) = (status, Vec::new());
            },
            Unhealthy,
            "ECS rolled it back in POST_TEST_TRAFFIC_SHIFT: ECS said so",
        );
    }
}

#[test]
fn traffic_that_moves_before_the_others_of_its_wave_are_tested_is_given_back() {
    let why = "moved before all of its wave was tested";
    check("5 waits", |case| case.waits = true, Finding::DarkHealthy, "");
    for change in [
        |case: &mut Case| case.shifted("BAKE_TIME", 100.0),
        |case: &mut Case| case.shifted(TEST, 10.0),
        |case: &mut Case| case.shift().status = Status::Successful,
    ] {
        check(
            "5 moved",
            |case| {
                change(case);
                case.waits = true;
            },
            Finding::Blameless,
            why,
        );
    }
    let back = |case: &mut Case| {
        case.shifted("BAKE_TIME", 100.0);
        (case.shift().status, case.waits) = (Status::RollingBack, true);
    };
    check("3 first", back, Finding::Unhealthy, "ECS rolled it back");
}

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

#[test]
fn between_gates_only_what_is_seen_to_fail_decides() {
    use Finding::{NotYet, Unhealthy, Unmeasured};
    let none = |case: &mut Case, stage: &str| {
        (case.shift().stage, case.shift().hooks) = (Stage::of(stage), vec![hook("SUCCEEDED")]);
    };
    check("11", |case| none(case, "SCALE_UP"), NotYet, "SCALE_UP: 1 of 2 new tasks run");
    check(
        "11 tests",
        |case| {
            none(case, "SCALE_UP");
            case.tests(Finding::Unhealthy);
        },
        NotYet,
        "",
    );
    let bakes = |case: &mut Case| {
        case.shifted("BAKE_TIME", 100.0);
        case.shift().hooks.clear();
    };
    check("12", bakes, NotYet, "BAKE_TIME: it is stable; its live test passed");
    check(
        "12 a step",
        |case| {
            bakes(case);
            case.shift().production = 10.0;
            case.tests(Finding::Unhealthy);
        },
        NotYet,
        "10 % of the production traffic",
    );
    check("12 tests", |case| (bakes(case), case.tests(Finding::Unhealthy)).1, Unhealthy, "live test said so");
    check("12 inconclusive", |case| (bakes(case), case.tests(Finding::Inconclusive)).1, Unmeasured, "");
    check("12 digest", |case| (bakes(case), case.tasks[2] = task("t3", 2, "c")).1, Unhealthy, "t3 runs");
}

#[test]
fn what_is_complete_has_no_old_task_left() {
    use Finding::{Healthy, NotYet, Unhealthy};
    let done = |case: &mut Case| {
        case.shifted("CLEAN_UP", 100.0);
        (case.shift().status, case.shift().hooks) = (Status::Successful, Vec::new());
        case.tasks.drain(..2);
        case.targets.drain(..2);
    };
    check("6", done, Healthy, "its service deployment is SUCCESSFUL; it is stable; its live test passed");
    check(
        "6 old tasks",
        |case| (done(case), case.tasks.push(task("t1", 1, "a"))).1,
        NotYet,
        "t1 of ecs-svc/1",
    );
    check(
        "6 old targets",
        |case| {
            done(case);
            case.targets.push(in_group("green", target("10.0.0.9", "healthy")));
        },
        NotYet,
        "still registered in green: 10.0.0.9",
    );
    check(
        "6 draining",
        |case| {
            done(case);
            case.targets.push(in_group("green", target("10.0.0.9", "draining")));
        },
        Healthy,
        "",
    );
    check(
        "6 in the first group",
        |case| {
            done(case);
            case.targets.iter_mut().for_each(|target| target.group = "blue".to_owned());
        },
        Healthy,
        "",
    );
    check("6 tests", |case| (done(case), case.tests(Finding::Unhealthy)).1, Unhealthy, "live test said so");
    check("6 too soon", |case| (done(case), case.full = Some(0)).1, Finding::AgainIn(15), "is moving");
}

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

#[test]
fn a_gate_that_gives_up_sooner_ends_the_waiting_a_minute_before() {
    let case = dark();
    assert_eq!(deadline(at(7200), case.shift.as_ref()), at(3540));
    assert_eq!(deadline(at(900), case.shift.as_ref()), at(900));
    assert_eq!(deadline(at(900), None), at(900));
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
