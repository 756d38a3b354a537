mod gates;
mod ways_back;

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
    use Finding::{Inconclusive, Superseded, Unhealthy, Unmeasured};
    let stopped = |case: &mut Case| case.shift().status = Status::Stopped;
    check("1 stopped", |case| (stopped(case), case.primary = (9, 9)).0, Superseded, "ecs-svc/9");
    let anew = "somebody has forced a new deployment of ";
    check("1 stopped", |case| (stopped(case), case.primary = (9, 2)).0, Inconclusive, anew);
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
fn a_gate_that_gives_up_sooner_ends_the_waiting_a_minute_before() {
    let case = dark();
    assert_eq!(deadline(at(7200), case.shift.as_ref()), at(3540));
    assert_eq!(deadline(at(900), case.shift.as_ref()), at(900));
    assert_eq!(deadline(at(900), None), at(900));
}

#[test]
fn a_deadline_is_over_after_its_moment_and_a_shift_has_arrived_at_its_own() {
    let (row, at) = (row(), |seconds: i64| Timestamp::from_millis(0).plus_seconds(seconds));
    let traffic =
        Traffic { strategy: "BLUE_GREEN".to_owned(), gate: Stage::of(TEST), seconds: 300, drain_minutes: 0 };
    let way = |deadline, full: Option<i64>| Way {
        is_back: false,
        waits: false,
        shift: row.shift(),
        traffic: &traffic,
        blameless: false,
        full: full.map(at),
        deadline: at(deadline),
        now: at(0),
    };
    assert!(way(-1, None).is_late() && !way(0, None).is_late() && !way(1, None).is_late());
    let waits = |full| soon(&way(0, Some(full))).is_some();
    assert!(waits(-14) && !waits(-15) && soon(&way(0, None)).is_none());
}
