//! Whether what the live tests of a release ask can be reached.

use std::collections::BTreeMap;

use health_test::reach::{Next, ReachState, Response};
use health_test::{Answer, Request};
use pipeline::document;
use pipeline::ids::ReleaseId;
use pipeline::rows::MoveRow;
use serde_json::json;

use crate::fixture::{Fixture, PACK, row};
use crate::requests::answer;

fn reach(moves: Vec<MoveRow>, state: Option<ReachState>) -> Request {
    Request::Reach(health_test::reach::Request {
        release: ReleaseId::parse("r-1").unwrap(),
        state,
        moves: Some(moves),
        packs: BTreeMap::new(),
    })
}

async fn reached(fixture: &Fixture, request: Request) -> Response {
    match answer(fixture, request).await.unwrap() {
        Answer::Reach(response) => response,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_release_without_live_tests_is_reached_without_a_call() {
    let fixture = Fixture::good();
    let request =
        json!({"phase": "reach", "release": "r-1", "execution": "arn:e", "machine": "arn:m", "state": {}});
    let response = reached(&fixture, document::read("the payload", request).unwrap()).await;
    assert_eq!((response.next, &*fixture.calls.borrow()), (Next::Reached, &vec!["moves"]));
}

#[tokio::test]
async fn every_address_is_connected_to_once_and_one_target_of_a_group_suffices() {
    let tested = MoveRow { pack: Some(pack::hash(PACK)), ..row() };
    let fixture = Fixture { far: &["10.0.0.1"], ..Fixture::good() };
    let response = reached(&fixture, reach(vec![tested.clone(), tested.clone()], None)).await;
    assert_eq!(response.next, Next::Reached, "{}", response.because);
    let calls = fixture.calls.take();
    assert_eq!(calls.iter().filter(|call| **call == "connect").count(), 2, "{calls:?}");
    assert_eq!(calls.iter().filter(|call| **call == "pinned").count(), 1, "{calls:?}");
    // More moves than fit into one call are looked at in several.
    let (fixture, mut state, mut calls) = (Fixture::good(), None, 0);
    let last = loop {
        let response = reached(&fixture, reach(vec![tested.clone(); 60], state)).await;
        calls += 1;
        if response.next != Next::Pending {
            break response;
        }
        state = Some(response.state);
    };
    assert_eq!((last.next, last.state.done, calls), (Next::Reached, 60, 3));
}

#[tokio::test]
async fn a_service_without_a_healthy_target_is_not_refused_for_it() {
    let fixture = Fixture { far: &["10.0.0.1", "10.0.0.2"], target: "unhealthy", ..Fixture::good() };
    let response =
        reached(&fixture, reach(vec![MoveRow { pack: Some(pack::hash(PACK)), ..row() }], None)).await;
    assert_eq!(response.next, Next::Reached);
    assert!(response.because.ends_with("1 service has nothing healthy to try"), "{}", response.because);
}

#[tokio::test]
async fn tasks_are_connected_to_at_their_own_ports_and_the_load_balancer_at_its_own() {
    const ASKED: &str = r#"{"checks": [
        {"name": "task", "http": {"url": "http://${task.address}/"}},
        {"name": "admin", "http": {"url": "http://${task.ip}:${task.port.admin}/"}},
        {"name": "public", "http": {"url": "https://users.shop.example/", "connect": "${target.dns}:443"}}]}"#;
    let tested = || reach(vec![MoveRow { pack: Some(pack::hash(ASKED)), ..row() }], None);
    let fixture = Fixture { kept: &[ASKED], ..Fixture::good() };
    assert_eq!(reached(&fixture, tested()).await.next, Next::Reached);
    let asked = |call: &str| fixture.calls.borrow().iter().filter(|one| **one == call).count();
    assert_eq!([asked("connect"), asked("ports"), asked("balancer")], [3, 2, 1]);
    for (far, shut) in [
        ([].as_slice(), None),
        (&["10.0.0.1"], None),
        (&["10.0.0.1", "10.0.0.2"], Some("10.0.0.2:8080")),
        (&["users-1.eu-west-1.elb.amazonaws.com"], Some("users-1.eu-west-1.elb.amazonaws.com:443")),
    ] {
        let fixture = Fixture { far, kept: &[ASKED], ..Fixture::good() };
        let response = reached(&fixture, tested()).await;
        assert_eq!(response.next == Next::Reached, shut.is_none(), "{}", response.because);
        assert!(response.because.contains(shut.unwrap_or_default()), "{}", response.because);
    }
}
