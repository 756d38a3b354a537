//! Live tests of tasks that share the address of their instance.

use std::collections::BTreeMap;

use health_test::reach::{self, Next};
use health_test::{Answer, Phase, Request, Response};
use pipeline::ids::ReleaseId;
use pipeline::rows::MoveRow;
use pipeline::rows::Verdict::{Healthy, Inconclusive, Unhealthy};

use crate::fixture::{Fixture, row};
use crate::requests::answer;
use crate::tests::{last, polls};

const OF_TASKS: &str = r#"{"checks": [
    {"name": "task", "http": {"url": "http://${task.address}/", "json": {"$.status": "ok"}}}]}"#;
const OF_TARGETS: &str = r#"{"checks": [
    {"name": "target", "http": {"url": "http://${target.address}/", "json": {"$.status": "ok"}}}]}"#;
const OF_A_NAME: &str = r#"{"checks": [{"name": "name", "http": {"url": "http://users.shop/"}}]}"#;

const MANAGED: &[(&str, &str)] = &[("i-1", "10.0.0.1"), ("i-9", "10.0.0.9")];
const BAD: &[(&str, &str)] = &[("i-1", "10.0.0.2")];

fn with(pack: &'static str, managed: Option<&'static [(&'static str, &'static str)]>) -> Fixture {
    Fixture { pack: Some(pack), kept: Vec::leak(vec![pack]), managed, ..Fixture::good() }
}

async fn polled(fixture: &Fixture) -> Vec<(i64, Response)> {
    polls(fixture, Phase::After).await
}

/// Returns the calls that only an instance is worth.
fn extra(fixture: &Fixture) -> Vec<&'static str> {
    let is_extra = |call: &&str| ["instances", "addresses"].contains(call);
    fixture.calls.take().into_iter().filter(is_extra).collect()
}

#[tokio::test]
async fn a_task_is_asked_at_the_port_that_its_instance_gave_it_and_only_who_asks_looks_for_one() {
    for (pack, managed, verdict, calls) in [
        (OF_TASKS, Some(MANAGED), Healthy, &["instances", "addresses"][..]),
        (OF_TARGETS, Some(MANAGED), Healthy, &["addresses"]),
        (OF_A_NAME, Some(MANAGED), Healthy, &[]),
        (OF_TASKS, None, Healthy, &[]),
        (OF_TARGETS, None, Healthy, &[]),
    ] {
        let fixture = with(pack, managed);
        let polled = polled(&fixture).await;
        assert_eq!((last(&polled).1, polled.len()), (verdict, 1), "{pack}");
        assert_eq!(extra(&fixture), calls, "{pack} {managed:?}");
    }
    for (pack, of) in [(OF_TASKS, "task"), (OF_TARGETS, "target")] {
        let fixture = Fixture { body: r#"{"status":"down"}"#, ..with(pack, Some(BAD)) };
        let polled = polled(&fixture).await;
        let (_, verdict, why) = last(&polled);
        let said = format!("live test {of:?} failed 1 of 1 times: GET http://10.0.0.2:32768/");
        assert!(verdict == Unhealthy && why.starts_with(&said), "{why}");
        assert!(
            why.contains("; 1 address more did not pass either"),
            "two tasks of one instance are two: {why}"
        );
    }
}

#[tokio::test]
async fn an_instance_without_an_address_is_no_failure_of_the_image() {
    for pack in [OF_TASKS, OF_TARGETS] {
        let fixture = with(pack, Some(&[]));
        let polled = polled(&fixture).await;
        let (_, verdict, why) = last(&polled);
        assert_eq!(verdict, Inconclusive, "{why}");
        assert!(
            why.contains("the address of the instance i-1 is not known, since Systems Manager does not"),
            "{why}"
        );
        assert!(!fixture.calls.take().contains(&"http"));
    }
}

#[tokio::test]
async fn the_way_to_an_instance_is_tried_before_anything_is_touched() {
    let reach = async |fixture: &Fixture, pack: &str| {
        let tested = MoveRow { pack: Some(pack::hash(pack)), ..row() };
        let (release, packs) = (ReleaseId::parse("r-1").unwrap(), BTreeMap::new());
        let mut state = None;
        loop {
            let request = reach::Request {
                release: release.clone(),
                state,
                moves: Some(vec![tested.clone()]),
                packs: packs.clone(),
            };
            match answer(fixture, Request::Reach(request)).await.unwrap() {
                Answer::Reach(response) if response.next == Next::Pending => state = Some(response.state),
                Answer::Reach(response) => return (response.next, response.because),
                other => panic!("{other:?}"),
            }
        }
    };
    for (pack, of) in [(OF_TASKS, "task"), (OF_TARGETS, "target")] {
        let managed = with(pack, Some(MANAGED));
        assert_eq!(reach(&managed, pack).await.0, Next::Reached);
        let calls = managed.calls.take();
        assert_eq!(calls.iter().filter(|call| **call == "connect").count(), 1, "{calls:?}");
        let (next, why) = reach(&with(pack, Some(&[])), pack).await;
        let said = format!(
            "live test {of:?} of users cannot be asked: the address of the instance i-1 is not known"
        );
        assert!(next == Next::Unreachable && why.starts_with(&said), "{why}");
        let far = Fixture { far: &["10.0.0.1"], ..with(pack, Some(MANAGED)) };
        let (next, why) = reach(&far, pack).await;
        assert!(
            next == Next::Unreachable && why.contains("security group of the container instances"),
            "{why}"
        );
        let own = with(pack, None);
        assert_eq!(reach(&own, pack).await.0, Next::Reached);
        assert!(extra(&own).is_empty());
    }
}
