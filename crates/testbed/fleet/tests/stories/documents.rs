//! Documents that say something wrong, and rows and services that are not as the others.

use fleet::fake::End::Completes;
use fleet::machine::Hand;
use serde_json::json;

use super::harness::{Story, ask, hand, push};

const A: [(&str, &str); 1] = [("dev/a", "shop/a")];
const PAIR: [(&str, &str); 2] = [("dev/c", "shop/c"), ("dev/d", "shop/c")];

#[tokio::test(start_paused = true)]
async fn a_mistake_in_one_document_stops_no_other_environment() {
    let story = Story::of(&A, json!({"staging": {"cluster": ""}})).at(0, push("good", "shop/a", Completes));
    let story = story.play().await;
    assert_eq!(story.end("good"), "Deployed");
}

#[tokio::test(start_paused = true)]
async fn two_environments_on_one_cluster_move_nothing_forward() {
    let story = Story::of(&A, json!({"staging": {"cluster": "dev"}})).at(0, push("r1", "shop/a", Completes));
    let story = story.play().await;
    assert_eq!((story.end("r1").as_str(), story.pointed("dev/a")), ("Refused", vec![]));
}

#[tokio::test(start_paused = true)]
async fn what_a_later_version_has_written_is_read() {
    let story = Story::of(&A, json!({}))
        .at(0, push("first", "shop/a", Completes))
        .at(300, hand(Hand::Annotate))
        .at(310, push("second", "shop/a", Completes));
    let story = story.play().await;
    assert_eq!(story.end("second"), "Deployed");
}

#[tokio::test(start_paused = true)]
async fn a_mistake_in_live_tests_stops_no_rollback() {
    let tests = "/tidegate/environments/dev/services/a/tests";
    let story = Story::of(&A, json!({}))
        .at(0, push("first", "shop/a", Completes))
        .at(300, push("second", "shop/a", Completes))
        .at(600, hand(Hand::Store(tests.to_owned(), "{".to_owned())))
        .at(610, ask("back", "dev", json!({"mode": "rollback"})));
    let story = story.play().await;
    assert_eq!(story.end("back"), "Deployed");
    assert!(story.runs("dev/a", "first"));
}

#[tokio::test(start_paused = true)]
async fn a_service_that_wants_no_tasks_holds_up_no_other_one() {
    let story = Story::of(&PAIR, json!({}))
        .at(0, hand(Hand::Scale("dev/d".to_owned(), 0)))
        .at(5, push("r1", "shop/c", Completes));
    let story = story.play().await;
    assert_eq!((story.end("r1").as_str(), story.pointed("dev/d")), ("Deployed", vec![]));
    assert!(story.runs("dev/c", "r1"));
}
