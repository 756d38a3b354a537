//! Documents that say something wrong, and rows and services that are not as the others.

use fleet::cluster;
use fleet::fake::End::{Completes, GivenUp, OtherImage};
use fleet::machine::Hand;
use serde_json::{Value, json};

use super::harness::{Story, ask, hand, push, stop};

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
async fn what_an_older_version_has_verified_of_the_app_outlives_a_release_of_the_sidecar() {
    let story = Story::of(&[], json!({}));
    cluster::place(&story.machine.fake, "dev", "e", &["shop/a", "shop/b"]);
    let story = story
        .at(0, push("app", "shop/a", Completes))
        .at(300, push("bad", "shop/a", OtherImage))
        .at(320, stop("bad"))
        .at(500, hand(Hand::Older))
        .at(600, push("sidecar", "shop/b", Completes))
        .at(900, push("fails", "shop/a", GivenUp));
    let story = story.play().await;
    assert_eq!((story.end("sidecar").as_str(), story.end("fails").as_str()), ("Deployed", "RolledBack"));
    let row = story.row("env#dev", "service#e");
    let of_the_app = |fact: &&Value| fact["repository"] == "shop/a";
    let newest = row["history"].as_array().unwrap().iter().find(of_the_app).unwrap();
    assert_eq!(newest["release"], "app");
}

#[tokio::test(start_paused = true)]
async fn the_event_of_our_own_tag_is_ignored_though_nobody_can_read_whose_it_is() {
    // Its tag goes back while the document of its environment cannot be read.
    let story = Story::of(&A, json!({}))
        .at(0, push("bad", "shop/a", GivenUp))
        .at(18, hand(Hand::Store("/tidegate/environments/dev".to_owned(), "{".to_owned())));
    let story = story.play().await;
    assert_eq!(
        ["bad", "own-dev-1", "own-dev-2"].map(|name| story.end(name)),
        ["RolledBack", "Ignored", "Ignored"].map(str::to_owned)
    );
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
