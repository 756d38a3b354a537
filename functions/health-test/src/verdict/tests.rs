use super::*;
use crate::instances::{Shared, SharedTask};
use crate::rollout::samples::{digest, progress, row, target, task};
use crate::rollout::{Binding, InstancePort, OnInstance};
use pipeline::service::Rollout::{Completed, Failed as GivenUp, InProgress, Unknown};

const GROUP: &str = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/users/0123456789abcdef";

/// A service whose PRIMARY is `ecs-svc/2`, ours, complete; two tasks run on our digest, and all is well.
fn good() -> Observed {
    Observed {
        listed_before: true,
        service: Measured::Is(Some(Service {
            desired: 2,
            deployments: vec![progress(2, 2, true, Completed)],
            target_groups: vec![GROUP.to_owned()],
            pairs: vec![],
            security_groups: vec![],
        })),
        tasks: Measured::Is(vec![task("t1", 2, "b"), task("t2", 2, "b")]),
        targets: Measured::Is(vec![target("10.0.0.1", "healthy"), target("10.0.0.2", "healthy")]),
        tests: Measured::Is(report(Finding::Healthy, "its live test passed")),
        ..Observed::default()
    }
}

fn report(finding: Finding, reason: &str) -> Report {
    Report { finding, reason: reason.to_owned(), ..Report::without(None) }
}

fn with(change: impl FnOnce(&mut Observed)) -> Observed {
    let mut seen = good();
    change(&mut seen);
    seen
}

fn deployments(seen: &mut Observed, all: Vec<Progress>) {
    let Measured::Is(Some(service)) = &mut seen.service else { panic!("it has a service") };
    service.deployments = all;
}

fn judged(seen: &Observed) -> Judgement {
    let row = row();
    judge(&Expected::forward(&row, row.deployment.as_ref().unwrap()), seen)
}

fn check(seen: Observed, finding: Finding, reason: &str) {
    match judged(&seen) {
        Judgement::Say(found, said) => {
            assert_eq!(found, finding, "{said}");
            assert!(said.contains(reason), "{said:?} does not say {reason:?}");
        }
        other => panic!("{other:?}"),
    }
}

fn proven(targets: &[&str], tasks: &[&str]) -> Proven {
    Proven {
        targets: targets.iter().map(|target| (*target).to_owned()).collect(),
        tasks: tasks.iter().map(|task| task.parse().unwrap()).collect(),
        groups: vec![GROUP.to_owned()],
        ..Proven::default()
    }
}

#[test]
fn all_of_the_proof_is_healthy() {
    check(good(), Finding::Healthy, "it is stable; its live test passed");
}

#[test]
fn the_proof_is_taken_in_its_order_and_asks_for_one_thing_at_a_time() {
    let mut seen = Observed { service: good().service, ..Observed::default() };
    assert_eq!(judged(&seen), Judgement::Need(Missing::Tasks));
    seen.tasks = good().tasks;
    assert_eq!(judged(&seen), Judgement::Need(Missing::Targets(vec![GROUP.to_owned()])));
    seen.targets = good().targets;
    let proven = proven(&["10.0.0.1:8080", "10.0.0.2:8080"], &["10.0.0.1", "10.0.0.2"]);
    assert_eq!(judged(&seen), Judgement::Need(Missing::Tests(proven)));
}

#[test]
fn what_comes_first_in_the_proof_decides_even_if_all_of_it_is_bad() {
    let mut seen = good();
    seen.tests = Measured::Is(report(Finding::Unhealthy, "live test \"health\" failed"));
    check(seen.clone(), Finding::Unhealthy, "live test");
    seen.targets = Measured::Is(vec![target("10.0.0.1", "unhealthy"), target("10.0.0.2", "healthy")]);
    check(seen.clone(), Finding::NotYet, "10.0.0.1:8080 in users is unhealthy");
    seen.tasks = Measured::Is(vec![task("t1", 2, "b"), task("t9", 1, "a")]);
    check(seen.clone(), Finding::NotYet, "tasks of another deployment still run: t9 of ecs-svc/1");
    seen.tasks = Measured::Is(vec![task("t1", 2, "c"), task("t9", 1, "a")]);
    check(seen.clone(), Finding::Unhealthy, "runs cccccccccccc, not bbbbbbbbbbbb");
    seen.tasks = Measured::Is(vec![task("t9", 1, "a")]);
    check(seen.clone(), Finding::NotYet, "no task of ecs-svc/2 runs");
    deployments(&mut seen, vec![progress(2, 2, true, InProgress)]);
    check(seen.clone(), Finding::NotYet, "1 of 2 tasks run, 0 failed: ECS said so");
    deployments(&mut seen, vec![progress(9, 9, true, Completed), progress(2, 2, false, InProgress)]);
    check(seen.clone(), Finding::Superseded, "ecs-svc/9 on arn:aws:ecs");
    deployments(&mut seen, vec![progress(9, 9, true, Completed), progress(2, 2, false, GivenUp)]);
    check(seen, Finding::Unhealthy, "ECS marked ecs-svc/2 as failed: ECS said so");
}

#[test]
fn breaker_rolled_back_is_a_failure_and_never_superseded() {
    // ECS went back to the old deployment, which is PRIMARY and complete: the service is stable, our version is not.
    for (n, revision) in [(1, 1), (3, 1)] {
        let back = progress(n, revision, true, Completed);
        let seen = with(|seen| deployments(seen, vec![back.clone(), progress(2, 2, false, GivenUp)]));
        check(seen, Finding::Unhealthy, "ECS marked ecs-svc/2 as failed");
        let cleaned_up = with(|seen| deployments(seen, vec![back]));
        check(cleaned_up, Finding::Unhealthy, "is no longer listed: ECS has rolled the service back to");
    }
}

#[test]
fn a_deployment_not_visible_yet_is_waited_for() {
    let seen = with(|seen| {
        seen.listed_before = false;
        deployments(seen, vec![progress(1, 1, true, Completed)]);
    });
    let ours = row().deployment.unwrap();
    assert!(good().lists(&ours) && !seen.lists(&ours), "the next poll is told so");
    check(seen, Finding::NotYet, "does not list ecs-svc/2 yet");
    check(with(|seen| deployments(seen, vec![])), Finding::NotYet, "no deployment");
}

#[test]
fn somebody_elses_deployment_is_named() {
    let other = "another deployment has replaced ours: ecs-svc/9 on arn:aws:ecs:eu-west-1:123456789012:task-definition/users:9";
    for ours in [InProgress, Completed] {
        let all = vec![progress(9, 9, true, InProgress), progress(2, 2, false, ours)];
        check(with(|seen| deployments(seen, all)), Finding::Superseded, other);
    }
    check(with(|seen| deployments(seen, vec![progress(9, 9, true, Completed)])), Finding::Superseded, other);
}

#[test]
fn a_service_that_is_gone_is_nobodys() {
    check(
        with(|seen| seen.service = Measured::Is(None)),
        Finding::Superseded,
        "the service no longer exists",
    );
}

#[test]
fn what_cannot_be_seen_is_unmeasured_at_every_step() {
    let not = || "AWS asked to slow down".to_owned();
    check(with(|seen| seen.service = Measured::Not(not())), Finding::Unmeasured, &not());
    check(with(|seen| seen.tasks = Measured::Not(not())), Finding::Unmeasured, &not());
    check(with(|seen| seen.targets = Measured::Not(not())), Finding::Unmeasured, &not());
    check(with(|seen| seen.tests = Measured::Not(not())), Finding::Unmeasured, &not());
    let unknown = progress(2, 2, true, Unknown(String::new()));
    check(
        with(|seen| deployments(seen, vec![unknown])),
        Finding::Unmeasured,
        "ECS reports no known rollout state",
    );
}

#[test]
fn a_service_that_wants_no_tasks_proves_nothing() {
    let seen = with(|seen| {
        let Measured::Is(Some(service)) = &mut seen.service else { panic!("it has a service") };
        service.desired = 0;
    });
    check(seen, Finding::Unmeasured, "desired count is 0");
}

#[test]
fn every_task_of_ours_counts_and_only_running_ones() {
    let starting = Task { running: false, ..task("t9", 1, "a") };
    let tasks = |more: Task| Measured::Is(vec![task("t1", 2, "b"), task("t2", 2, "b"), more]);
    check(with(|seen| seen.tasks = tasks(starting)), Finding::Healthy, "");
    check(with(|seen| seen.tasks = tasks(task("t9", 2, "c"))), Finding::Unhealthy, "of task t9 runs");
    let old = (1..=6).map(|n| task(&format!("t{n}"), 1, "a")).chain([task("t9", 2, "b")]).collect();
    check(with(|seen| seen.tasks = Measured::Is(old)), Finding::NotYet, "t5 of ecs-svc/1 and 1 more");
    let mut bare = task("t9", 2, "b");
    bare.containers.truncate(1);
    check(with(|seen| seen.tasks = tasks(bare)), Finding::Unhealthy, "task t9 has no container app");
    let mut untold = task("t9", 2, "b");
    untold.containers.last_mut().unwrap().digest = None;
    check(with(|seen| seen.tasks = tasks(untold)), Finding::NotYet, "does not report yet");
}

#[test]
fn a_child_of_our_index_is_our_digest() {
    let row = MoveRow { children: vec![digest("d")], ..row() };
    let seen = with(|seen| seen.tasks = Measured::Is(vec![task("t1", 2, "d"), task("t2", 2, "b")]));
    let judgement = judge(&Expected::forward(&row, row.deployment.as_ref().unwrap()), &seen);
    assert!(matches!(judgement, Judgement::Say(Finding::Healthy, _)), "{judgement:?}");
    check(seen, Finding::Unhealthy, "runs dddddddddddd");
}

#[test]
fn the_rollback_is_proven_by_its_own_deployment_and_the_restored_digest() {
    let row = row();
    let expected =
        Expected::rollback(&row, row.rollback_deployment.as_ref().unwrap(), row.restore.as_ref().unwrap());
    let back = with(|seen| {
        deployments(seen, vec![progress(3, 1, true, Completed)]);
        seen.tasks = Measured::Is(vec![task("t1", 3, "a"), task("t2", 3, "a")]);
    });
    let check = |seen: &Observed, finding: Finding| {
        let Judgement::Say(found, said) = judge(&expected, seen) else { panic!("it state for more") };
        assert_eq!(found, finding, "{said}");
    };
    check(&back, Finding::Healthy);
    // A child of the restored index: its reference is what tells.
    let mut child = back.clone();
    let mut t1 = task("t1", 3, "a");
    t1.containers.last_mut().unwrap().digest = Some(digest("e"));
    child.tasks = Measured::Is(vec![t1, task("t2", 3, "a")]);
    check(&child, Finding::Healthy);
    let mut wrong = back.clone();
    wrong.tasks = Measured::Is(vec![task("t1", 3, "b")]);
    check(&wrong, Finding::Unhealthy);
    // The circuit breaker undid our rollback, back to the bad version.
    let mut rolled_back = back.clone();
    deployments(&mut rolled_back, vec![progress(2, 2, true, Completed), progress(3, 1, false, GivenUp)]);
    check(&rolled_back, Finding::Unhealthy);
    for id in [2, 4] {
        deployments(&mut rolled_back, vec![progress(id, 2, true, Completed)]);
        check(&rolled_back, Finding::Unhealthy);
    }
}

#[test]
fn all_targets_of_our_tasks_are_healthy_in_each_group() {
    let targets = |all: Vec<Target>| with(|seen| seen.targets = Measured::Is(all));
    let one = || target("10.0.0.1", "healthy");
    check(targets(vec![one()]), Finding::NotYet, "not registered in the target group users: 10.0.0.2");
    for state in ["initial", "unhealthy", "unused", "draining", "unavailable", "unknown"] {
        let said = format!("10.0.0.2:8080 in users is {state}");
        check(targets(vec![one(), target("10.0.0.2", state)]), Finding::NotYet, &said);
    }
    let old = target("10.0.0.77", "draining");
    check(targets(vec![one(), target("10.0.0.2", "healthy"), old]), Finding::Healthy, "");
    let seen = with(|seen| {
        let Measured::Is(Some(service)) = &mut seen.service else { panic!("it has a service") };
        service.target_groups.push(GROUP.replace("/users/", "/admin/"));
    });
    check(seen, Finding::NotYet, "not registered in the target group admin: 10.0.0.1, 10.0.0.2");
}

#[test]
fn a_service_without_target_groups_has_no_targets_to_wait_for() {
    let seen = with(|seen| {
        let Measured::Is(Some(service)) = &mut seen.service else { panic!("it has a service") };
        service.target_groups.clear();
        (seen.targets, seen.tests) = (Measured::NotYet, Measured::NotYet);
    });
    let proven = Proven { groups: Vec::new(), ..proven(&[], &["10.0.0.1", "10.0.0.2"]) };
    assert_eq!(judged(&seen), Judgement::Need(Missing::Tests(proven)), "its tasks can be asked all the same");
}

#[test]
fn tasks_on_the_address_of_their_instance_need_all_targets_healthy() {
    let shared = |id| Task { addresses: vec![], ..task(id, 2, "b") };
    let seen = |all: Vec<Target>| {
        with(|seen| {
            seen.tasks = Measured::Is(vec![shared("t1"), shared("t2")]);
            seen.targets = Measured::Is(all);
        })
    };
    check(seen(vec![target("i-1", "healthy"), target("i-1", "draining")]), Finding::Healthy, "");
    check(seen(vec![target("i-1", "healthy"), target("i-2", "initial")]), Finding::NotYet, "i-2:8080");
    check(seen(vec![]), Finding::NotYet, "no target is registered");
}

#[test]
fn what_shares_the_address_of_an_instance_is_proven_with_its_ports() {
    let on = |port| OnInstance {
        instance: "arn-1".to_owned(),
        bindings: vec![Binding { container: "app".to_owned(), port: 8080, host_port: port }],
    };
    let at = |id, port| Task { addresses: vec![], on_instance: Some(on(port)), ..task(id, 2, "b") };
    let target = |port, state| Target { port, ..target("i-1", state) };
    let seen = with(|seen| {
        seen.tasks = Measured::Is(vec![at("t1", 32768), at("t2", 32769)]);
        let targets = [(32769, "healthy"), (32768, "healthy"), (32770, "draining")];
        seen.targets = Measured::Is(targets.map(|(port, state)| target(port, state)).to_vec());
        seen.tests = Measured::NotYet;
    });
    let shared = Shared {
        tasks: [("t1", 32768), ("t2", 32769)]
            .map(|(id, port)| SharedTask { id: id.to_owned(), on: on(port) })
            .to_vec(),
        targets: [32768, 32769].map(|port| InstancePort { instance: "i-1".to_owned(), port }).to_vec(),
    };
    assert_eq!(judged(&seen), Judgement::Need(Missing::Tests(Proven { shared, ..proven(&[], &[]) })));
}

#[test]
fn what_the_live_tests_mean_is_what_the_poll_means() {
    for (finding, reason) in [
        (Finding::AgainIn(4), "live test \"health\" failed 1 of 3 times"),
        (Finding::Unhealthy, "live test \"health\" failed 3 of 3 times"),
        (Finding::Inconclusive, "live test \"health\" could not be measured for 2m"),
    ] {
        let tests = report(finding, reason);
        check(with(|seen| seen.tests = Measured::Is(tests)), finding, reason);
    }
    let none = Report::without(None);
    check(
        with(|seen| seen.tests = Measured::Is(none)),
        Finding::Healthy,
        "it is stable; no live tests are configured",
    );
    let unread = Measured::Not("it was throttled".to_owned());
    check(with(|seen| seen.tests = unread), Finding::Unmeasured, "it was throttled");
}

#[test]
fn a_deployment_of_our_revision_that_somebody_forced_is_ours() {
    let row = row();
    let forward = Expected::forward(&row, row.deployment.as_ref().unwrap());
    let back =
        Expected::rollback(&row, row.rollback_deployment.as_ref().unwrap(), row.restore.as_ref().unwrap());
    let given_up = |n, revision| progress(n, revision, false, GivenUp);
    for (way, all, expected) in [
        (
            &forward,
            vec![progress(9, 2, true, InProgress), progress(2, 2, false, InProgress)],
            Some("ecs-svc/9"),
        ),
        (&forward, vec![progress(9, 2, true, InProgress)], Some("ecs-svc/9")),
        (&forward, vec![progress(2, 2, true, InProgress)], None),
        (&forward, vec![progress(9, 9, true, InProgress), progress(2, 2, false, InProgress)], None),
        (&forward, vec![progress(1, 1, true, Completed)], None),
        // One that ECS gave up has failed, whoever tries it again.
        (&forward, vec![progress(9, 2, true, InProgress), given_up(2, 2)], None),
        (&back, vec![progress(9, 1, true, InProgress), progress(3, 1, false, InProgress)], Some("ecs-svc/9")),
        (&back, vec![progress(2, 2, true, InProgress)], None),
        (&back, vec![progress(9, 2, true, InProgress), progress(3, 1, false, InProgress)], None),
    ] {
        let seen = with(|seen| deployments(seen, all.clone()));
        let found = forced_anew(way, &seen.service);
        assert_eq!(found.as_ref().map(DeploymentId::as_str), expected, "{} among {all:?}", way.deployment);
    }
}

#[test]
fn targets_are_found_by_whichever_address_a_task_has() {
    let task = |id, addresses: &[&str]| Task {
        addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
        ..task(id, 2, "b")
    };
    let only_v6 = vec![task("t1", &["fd12::1"]), task("t2", &["fd12::2"])];
    let both = vec![task("t1", &["10.0.0.1", "fd12::1"]), task("t2", &["10.0.0.2", "fd12::2"])];
    // The load balancer and ECS may spell the same address in two ways.
    let v6 = || vec![target("fd12:0:0:0:0:0:0:1", "healthy"), target("fd12::2", "healthy")];
    for tasks in [only_v6, both] {
        let seen = with(|seen| {
            seen.tasks = Measured::Is(tasks.clone());
            seen.targets = Measured::Is(v6());
            seen.tests = Measured::NotYet;
        });
        let first = tasks.iter().map(|task| task.addresses[0].to_string());
        let first: Vec<String> = first.collect();
        let first: Vec<&str> = first.iter().map(String::as_str).collect();
        let proven = proven(&["[fd12::1]:8080", "[fd12::2]:8080"], &first);
        assert_eq!(judged(&seen), Judgement::Need(Missing::Tests(proven)));
        let one = with(|seen| {
            seen.tasks = Measured::Is(tasks);
            seen.targets = Measured::Is(v6().split_off(1));
        });
        check(one, Finding::NotYet, "not registered in the target group users: ");
    }
}
