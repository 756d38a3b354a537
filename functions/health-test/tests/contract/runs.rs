//! What live tests run beside a service: ordered once, looked at until it has ended, and ended when nobody waits for it.

use health_test::rollout::{Ended, Exit, RunTask};
use health_test::{Phase, Response};
use pipeline::ids::TaskDefinitionArn;
use pipeline::ledger::Loaded;
use pipeline::rows::RunStarts;
use pipeline::rows::{MoveRow, Verdict};

use crate::fixture::{Fixture, row};
use crate::requests::{again, now, poll_after};

const PACK: &str = r#"{"checks":[
    {"name":"answers","on":["before"],"http":{"url":"http://10.0.0.1/"}},
    {"name":"self test","task":{"command":["check","${image.digest}"],"environment":{"DEEP":"1"},"timeout":"5m"}}]}"#;

fn fixture(pack: &'static str) -> Fixture {
    let mut fixture = Fixture { pack: Some(pack), ..Fixture::good() };
    let registered =
        TaskDefinitionArn::parse("arn:aws:ecs:eu-west-1:123456789012:task-definition/users:2").unwrap();
    let row = MoveRow { touched: None, deployment: None, registered: Some(registered), ..row() };
    fixture.moves.found = Some(Loaded::given(&row));
    fixture
}

/// Starts all that is ordered, as deploy does.
fn started(fixture: &Fixture) {
    for (n, order) in fixture.orders.borrow_mut().values_mut().enumerate() {
        order.task.get_or_insert(format!("arn:aws:ecs:eu-west-1:123456789012:task/dev/t{n}"));
    }
}

fn task(arn: &str, status: &str, code: Option<i32>) -> RunTask {
    let exit = Exit { container: "app".to_owned(), code, reason: String::new() };
    let ended = Ended {
        id: arn.rsplit('/').next().unwrap().to_owned(),
        started_by: String::new(),
        code: "EssentialContainerExited".to_owned(),
        reason: "Essential container in task exited".to_owned(),
        exits: vec![exit],
        at: now().plus_seconds(11).millis(),
    };
    RunTask {
        arn: arn.to_owned(),
        definition: row().registered,
        status: status.to_owned(),
        started: Some(now()),
        ended,
    }
}

async fn before(fixture: &Fixture, last: Option<Response>, at: i64) -> Response {
    let request = again(Phase::Before, last.map(|last| last.state));
    poll_after(fixture, request, at).await.unwrap()
}

/// Plays a task to its end, and returns what is said of it.
async fn played(pack: &'static str, code: i32) -> (Fixture, Response) {
    let (fixture, runs) = running(pack, code).await;
    let last = before(&fixture, Some(runs), 11).await;
    (fixture, last)
}

/// Plays a task that has ended since it was last looked at.
async fn running(pack: &'static str, code: i32) -> (Fixture, Response) {
    let fixture = fixture(pack);
    let first = before(&fixture, None, 0).await;
    assert_eq!(
        (first.verdict, first.runs, first.pause_seconds),
        (Verdict::Pending, false, 1),
        "requests go first"
    );
    let ordered = before(&fixture, Some(first), 1).await;
    assert_eq!((ordered.verdict, ordered.runs), (Verdict::Pending, true));
    started(&fixture);
    let arn = fixture.orders.borrow().values().next().unwrap().task.clone().unwrap();
    fixture.ran.replace(vec![task(&arn, "RUNNING", None)]);
    let runs = before(&fixture, Some(ordered), 6).await;
    assert_eq!((runs.verdict, runs.runs, runs.pause_seconds), (Verdict::Pending, false, 5));
    fixture.ran.replace(vec![task(&arn, "STOPPED", Some(code))]);
    (fixture, runs)
}

#[tokio::test]
async fn a_task_of_the_new_image_passes_before_the_service_is_touched() {
    let (fixture, last) = played(PACK, 0).await;
    assert_eq!((last.verdict, last.reason.as_str()), (Verdict::Healthy, "its 2 live tests passed"));
    let orders = fixture.orders.borrow();
    let order = &orders["before/self test/1/1"];
    assert_eq!(orders.len(), 1);
    let RunStarts::Task(task) = &order.starts else { panic!("{order:?}") };
    assert!(task.definition.ends_with("users:2") && task.container.as_deref() == Some("app"), "{order:?}");
    assert_eq!(task.command, ["check", row().digest.as_str()]);
    let told = |name: &str| task.environment[name].as_str();
    assert_eq!((told("DEEP"), told("TIDEGATE_RELEASE"), told("TIDEGATE_PHASE")), ("1", "r-1", "before"));
}

#[tokio::test]
async fn a_task_that_fails_leaves_the_service_alone_and_its_last_lines() {
    let (fixture, last) = played(PACK, 3).await;
    assert_eq!(last.verdict, Verdict::Unhealthy);
    let why = "live test \"self test\" failed 1 of 1 times: task t0 ended: exit code 3; it logged last: users:2 t0 says \
               goodbye";
    assert_eq!(last.reason, why);
    assert_eq!(fixture.moves.noted.borrow().last().unwrap()["verdict"], "Unhealthy");
}

#[tokio::test]
async fn a_line_that_is_missing_is_waited_for_unless_the_task_has_failed_anyway() {
    let pack = r#"{"checks":[
        {"name":"answers","on":["before"],"http":{"url":"http://10.0.0.1/"}},
        {"name":"self test","task":{"says":"all is well"}}]}"#;
    let (_, passed) = played(pack, 0).await;
    assert_eq!(passed.verdict, Verdict::Pending, "{}", passed.reason);
    let (_, failed) = played(pack, 3).await;
    assert_eq!(failed.verdict, Verdict::Unhealthy, "{}", failed.reason);
    assert!(failed.reason.contains("exit code 3"), "{}", failed.reason);
}

#[tokio::test]
async fn what_a_task_logged_last_is_waited_for_a_short_time() {
    for (arrives, told) in
        [(true, "exit code 3; it logged last: users:2 t0 says goodbye"), (false, "exit code 3")]
    {
        let (mut fixture, runs) = running(PACK, 3).await;
        fixture.late = true;
        let early = before(&fixture, Some(runs), 11).await;
        assert_eq!(early.verdict, Verdict::Pending, "{}", early.reason);
        fixture.late = !arrives;
        let last = before(&fixture, Some(early), 16).await;
        assert!(last.verdict == Verdict::Unhealthy && last.reason.ends_with(told), "{last:?}");
    }
    // What passed needs no words.
    let (mut fixture, runs) = running(PACK, 0).await;
    fixture.late = true;
    assert_eq!(before(&fixture, Some(runs), 11).await.verdict, Verdict::Healthy);
}

#[tokio::test]
async fn what_cannot_be_started_is_tried_again_and_then_left_to_a_person() {
    let fixture = fixture(PACK);
    let (mut last, mut at) = (before(&fixture, None, 0).await, 0);
    while last.verdict == Verdict::Pending && at < 1000 {
        at += i64::from(last.pause_seconds);
        last = before(&fixture, Some(last), at).await;
        for order in fixture.orders.borrow_mut().values_mut() {
            order.not_started = Some("RESOURCE:MEMORY".to_owned());
        }
    }
    let why = "live test \"self test\" was started 3 times, and nothing could be measured: RESOURCE:MEMORY";
    assert_eq!((last.verdict, last.reason.as_str()), (Verdict::Inconclusive, why));
    let names: Vec<String> = fixture.orders.borrow().keys().cloned().collect();
    assert_eq!(names, ["before/self test/1/1", "before/self test/1/2", "before/self test/1/3"]);
}

#[tokio::test]
async fn what_still_runs_is_ended_when_nobody_waits_for_it_any_longer() {
    let pack = r#"{"checks":[{"name":"self test","task":{"timeout":"1m"}}]}"#;
    let fixture = fixture(pack);
    let ordered = before(&fixture, None, 0).await;
    started(&fixture);
    let arn = fixture.orders.borrow().values().next().unwrap().task.clone().unwrap();
    fixture.ran.replace(vec![task(&arn, "RUNNING", None)]);
    let last = before(&fixture, Some(ordered), 61).await;
    assert_eq!((last.verdict, last.runs), (Verdict::Unhealthy, true));
    assert!(last.reason.ends_with("task t0 still ran after 60 s"), "{}", last.reason);
    assert!(fixture.orders.borrow().values().all(|order| order.stop));
    // A release that somebody stops meanwhile leaves nothing running either.
    let mut stopped = self::fixture(pack);
    let ordered = before(&stopped, None, 0).await;
    started(&stopped);
    let stop =
        serde_json::json!({"by": "r9", "because": "no", "since": "2026-11-23T10:00:00Z", "rollback": true});
    stopped.moves.found.as_mut().unwrap().stop = Some(serde_json::from_value(stop).unwrap());
    let last = before(&stopped, Some(ordered), 5).await;
    assert_eq!((last.verdict, last.runs), (Verdict::Inconclusive, true));
}
