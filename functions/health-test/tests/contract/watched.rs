//! What is watched in CloudWatch while a release bakes: it is counted once, whoever asks how often.

use health_test::Phase;
use pack::kind::metric::ValueOf;
use pipeline::payload::MoveRef;
use pipeline::rows::RestorePoint;
use pipeline::rows::Verdict::{Healthy, Inconclusive, Pending, Unhealthy};

use crate::fixture::Fixture;
use crate::requests::{again, changed, of, poll, poll_after, request};
use crate::tests::{last, polls, with};

const QUIET: &str = r#"{"checks":[{"name":"health","http":{"url":"http://10.0.0.1/"}},
    {"name":"quiet","logs":{"pattern":"?ERROR ?panicked"}}]}"#;

const LATENCY: &str = r#"{"checks":[{"name":"latency","metric":{"namespace":"AWS/ApplicationELB","stat":"p95",
    "metric":"TargetResponseTime","dimensions":{"TargetGroup":"${target.group}"},"max":0.5}}]}"#;

fn logging(pack: &'static str, lines: &[(&'static str, i64, &'static str)]) -> Fixture {
    let fixture = with(pack);
    fixture.cloudwatch.lines.borrow_mut().extend_from_slice(lines);
    fixture
}

/// The same with values of a metric, by when their period begins.
fn measuring(pack: &'static str, values: &[(i64, f64)]) -> Fixture {
    let fixture = with(pack);
    fixture.cloudwatch.values.borrow_mut().extend(values.iter().copied());
    fixture
}

#[tokio::test]
async fn a_new_task_that_logs_what_it_may_not_is_found_with_its_line_while_it_is_watched() {
    let quiet = logging(QUIET, &[("task1", 8, "INFO ready"), ("old", 1, "ERROR of another service")]);
    assert_eq!(
        last(&polls(&quiet, Phase::After).await),
        (121, Healthy, "it is stable; its live test passed")
    );
    let searched = quiet.cloudwatch.searched.take();
    assert_eq!(searched.len(), 4, "every half minute, and nothing before it is live");
    assert_eq!(searched[0].streams, ["app/app/task1", "app/app/task2"], "the proxy is not moved");
    assert!(searched.iter().all(|search| search.from == searched[0].from));

    let lines =
        [("task2", -9, "ERROR long ago"), ("task2", 47, "x\u{1b}[31m panicked at 1"), ("task1", 50, "ERROR")];
    let bad = logging(QUIET, &lines);
    let polls = polls(&bad, Phase::After).await;
    let (at, verdict, reason) = last(&polls);
    assert_eq!((at, verdict), (61, Unhealthy));
    let why = "live test \"quiet\" failed 1 of 1 times: expected at most 0 lines like \"?ERROR ?panicked\" since \
               2026-11-23T10:00:05Z, got 2 lines in 2 streams; the first, in app/app/task2 of /ecs/users:2: \
               x [31m panicked at 1";
    assert_eq!(reason, why);
}

#[tokio::test]
async fn a_poll_that_comes_again_says_the_same_and_searches_nothing() {
    let fixture = logging(QUIET, &[("task1", 1, "ERROR 1")]);
    let live = poll(&fixture, request(Phase::After)).await.unwrap();
    let first = poll_after(&fixture, again(Phase::After, Some(live.state.clone())), 2).await.unwrap();
    fixture.cloudwatch.lines.borrow_mut().push(("task1", 2, "ERROR 2"));
    let second = poll_after(&fixture, again(Phase::After, Some(live.state)), 9).await.unwrap();
    assert_eq!((first.verdict, second.verdict), (Unhealthy, Unhealthy));
    assert_eq!((first.reason, fixture.cloudwatch.searched.borrow().len()), (second.reason, 1));
}

#[tokio::test]
async fn the_lines_of_a_task_that_was_replaced_still_count() {
    let mut fixture = logging(QUIET, &[("gone1", 3, "panicked")]);
    assert_eq!(last(&polls(&fixture, Phase::After).await).1, Healthy, "it is a task of somebody else");
    fixture = Fixture { replaced: &["gone1"], ..logging(QUIET, &[("gone1", 3, "panicked")]) };
    let polls = polls(&fixture, Phase::After).await;
    let (_, verdict, reason) = last(&polls);
    assert!(verdict == Unhealthy && reason.contains("in app/app/gone1 of"), "{reason}");
}

#[tokio::test]
async fn what_the_old_tasks_logged_as_long_before_does_not_count() {
    let pack: &str = QUIET.replace("\"?ERROR ?panicked\"", "\"ERROR\",\"onlyNew\":true").leak();
    let (new, old) = (("task1", 20, "ERROR no connection to 10.0.0.7"), "ERROR no connection to 10.0.0.9");
    let known = logging(pack, &[new, ("ended3", -30, old)]);
    assert_eq!(last(&polls(&known, Phase::After).await).1, Healthy);
    let searched = known.cloudwatch.searched.take();
    let of_old = searched.iter().find(|search| search.streams == ["app/app/ended3"]).unwrap();
    assert_eq!(of_old.group, "/ecs/users:1");
    let [before, after] = [(of_old.from, of_old.until), (searched[1].from, searched[1].until)]
        .map(|(from, until)| (until.millis() - from.millis()) / 1000);
    assert!(before <= after, "{before} s before, {after} s since");
    for line in [("ended3", -900, old), ("ended3", -30, "ERROR disk is full"), ("ended3", -30, "INFO")] {
        let unknown = logging(pack, &[new, line]);
        assert_eq!(last(&polls(&unknown, Phase::After).await).1, Unhealthy, "{line:?}");
    }
}

#[tokio::test]
async fn a_line_is_shown_without_the_secrets_that_tests_tell() {
    let pack = r#"{"secrets":{"token":{"parameter":"/shop/token"}},"checks":[{"name":"a","http":
        {"url":"http://${target.address}/","headers":{"authorization":"Bearer ${secret.token}"}}},
        {"name":"quiet","logs":{"pattern":"ERROR"}}]}"#;
    let lines = [("task1", 1, "ERROR bad token hush-1234")];
    let shown = polls(&logging(pack, &lines), Phase::After).await;
    let (_, verdict, reason) = last(&shown);
    assert!(verdict == Unhealthy && reason.ends_with("ERROR bad token ***"), "{reason}");
}

#[tokio::test]
async fn what_cloudwatch_does_not_tell_is_unmeasured_until_patience_ends() {
    let few = logging(QUIET, &[]);
    few.cloudwatch.throttles.set(2);
    assert_eq!(last(&polls(&few, Phase::After).await).1, Healthy);
    let many = logging(QUIET, &[("task1", 1, "ERROR")]);
    many.cloudwatch.throttles.set(100);
    let polls = polls(&many, Phase::After).await;
    let (at, verdict, reason) = last(&polls);
    assert_eq!((at, verdict), (121, Inconclusive));
    assert!(reason.contains("could not be measured for 2m: AWS asked to slow down"), "{reason}");
}

#[tokio::test]
async fn a_metric_is_judged_by_the_last_whole_period_and_waited_for_if_it_is_late() {
    // The service was touched 5 s before, at 10:00:05: the first whole minute begins 50 s after.
    let fixture = measuring(LATENCY, &[(50, 0.2), (110, 0.4), (170, 0.5)]);
    let polls_of_good = polls(&fixture, Phase::After).await;
    let (at, verdict, reason) = last(&polls_of_good);
    assert_eq!((verdict, reason), (Healthy, "it is stable; its live test passed"));
    assert!((170..=230).contains(&at), "{at}");
    let first = fixture.cloudwatch.measured.take().remove(0).remove(0);
    let ValueOf::Metric { dimensions, .. } = &first.from else { panic!("{first:?}") };
    let group = ("TargetGroup".to_owned(), "targetgroup/users/0123456789abcdef".to_owned());
    assert_eq!(*dimensions, [group]);

    let bad = polls(&measuring(LATENCY, &[(50, 0.2), (110, 0.73)]), Phase::After).await;
    let told = "live test \"latency\" failed 1 of 1 times: p95 of AWS/ApplicationELB TargetResponseTime: \
                expected at most 0.5, got 0.73 in the 60 s from 2026-11-23T10:02:00Z";
    let only_bad = polls(&measuring(LATENCY, &[(110, 0.73)]), Phase::After).await;
    assert!(
        last(&bad).1 != Pending && last(&only_bad) == (last(&only_bad).0, Unhealthy, told),
        "{only_bad:?}"
    );

    let late = polls(&measuring(LATENCY, &[]), Phase::After).await;
    let (at, verdict, reason) = last(&late);
    assert!(verdict == Inconclusive && at >= 240, "{at} {reason}");
    assert!(
        reason.contains("could not be measured for 4m: p95 of") && reason.contains("had no value"),
        "{reason}"
    );
}

#[tokio::test]
async fn a_metric_is_compared_with_the_period_before_if_that_has_a_value() {
    let pack: &str = LATENCY.replace("\"max\":0.5", "\"timesBefore\":2").leak();
    let forgiving: &str = LATENCY.replace("\"max\":0.5", "\"timesBefore\":2,\"noData\":\"pass\"").leak();
    let all = |value: f64| [(50, value), (110, value), (170, value), (230, value), (290, value)];
    let with_before = |value: f64, before: f64| [&all(value)[..], &[(-70, before)]].concat();
    for (pack, values, verdict, said) in [
        (pack, with_before(0.4, 0.2), Healthy, "passed"),
        (
            pack,
            with_before(0.5, 0.2),
            Unhealthy,
            "expected at most 2 times the 0.2 of the 60 s from 2026-11-23T09:59:00Z",
        ),
        (
            pack,
            all(0.4).to_vec(),
            Inconclusive,
            "had no value to compare with in the 60 s from 2026-11-23T09:59:00Z",
        ),
        (forgiving, all(0.4).to_vec(), Healthy, "passed"),
        (forgiving, vec![], Healthy, "passed"),
    ] {
        let polls = polls(&measuring(pack, &values), Phase::After).await;
        let (_, found, reason) = last(&polls);
        assert!(found == verdict && reason.contains(said), "{found:?} {reason}");
    }
}

#[tokio::test]
async fn the_way_back_asks_cloudwatch_nothing() {
    let pack: &str = QUIET.replace("]}", &format!(",{}", LATENCY.split_once('[').unwrap().1)).leak();
    let which = changed("rollback", |row| {
        let pack = Some(pack::hash(pack));
        row.restore = row.restore.take().map(|restore| RestorePoint { pack, ..restore });
    });
    let kept: &'static [&'static str] = vec![pack].leak();
    let fixture = Fixture { kept, ..Fixture::of("rollback") };
    fixture.cloudwatch.lines.borrow_mut().push(("task1", 1, "ERROR"));
    let answer = poll(&fixture, of(Phase::Rollback, which, None)).await.unwrap();
    assert_eq!((answer.verdict, answer.reason.as_str()), (Healthy, "it is stable; its live test passed"));
    assert!(
        fixture.cloudwatch.searched.borrow().is_empty() && fixture.cloudwatch.measured.borrow().is_empty()
    );
}

#[tokio::test]
async fn a_move_that_is_given_whole_is_watched_too() {
    let fixture = logging(QUIET, &[("task1", 4, "panicked")]);
    let which = || changed("good", |_| ());
    let live = poll(&fixture, of(Phase::After, which(), None)).await.unwrap();
    assert_eq!(live.verdict, Pending);
    let answer = poll_after(&fixture, of(Phase::After, which(), Some(live.state)), 5).await.unwrap();
    assert_eq!(answer.verdict, Unhealthy, "{}", answer.reason);
    assert!(matches!(which(), MoveRef::Inline(_)));
}
