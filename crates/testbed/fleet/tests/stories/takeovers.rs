//! One release takes over what another one has begun.

use fleet::fake::End::{Completes, Never};
use fleet::machine::Hand;
use fleet::machine::mishap::{Mishap, problem};
use pipeline::Fault;
use serde_json::json;

use super::harness::{Story, ask, hand, push, redrive, stop};

const A: [(&str, &str); 1] = [("dev/a", "shop/a")];

#[tokio::test(start_paused = true)]
async fn a_stopped_release_that_goes_on_after_a_newer_one_proves_nothing() {
    let story = Story::of(&A, json!({"dev": {"bakeSeconds": 300}}))
        .at(0, push("old", "shop/a", Completes))
        .at(150, stop("old"))
        .at(230, push("new", "shop/a", Completes))
        .at(1_000, redrive("old"));
    let story = story.play().await;
    assert_eq!((story.end("old").as_str(), story.end("new").as_str()), ("Superseded", "Deployed"));
    assert!(story.runs("dev/a", "new"));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_given_up_wipes_no_move_that_has_begun() {
    let mut story = Story::of(&A, json!({})).at(0, push("r1", "shop/a", Completes));
    // Lambda does its work when the service is updated already.
    let lost = Fault::Unavailable("the connection was lost".to_owned());
    story.machine.mishaps.plan("", "TakeLeases", Mishap::Late(problem(&lost), 6));
    let story = story.play().await;
    assert_eq!(story.end("r1"), "Deployed");
    assert!(story.runs("dev/a", "r1"));
}

#[tokio::test(start_paused = true)]
async fn what_a_dead_release_left_is_taken_over_even_after_one_that_touched_nothing() {
    let story = Story::of(&A, json!({}))
        .at(0, push("died", "shop/a", Never))
        .at(60, stop("died"))
        .at(200, push("failed", "shop/a", Completes))
        .at(206, ask("abort", "dev", json!({"mode": "abort", "release": "failed"})))
        .at(500, push("third", "shop/a", Completes));
    // The second one is aborted while it registers its revision.
    story.machine.fake.open().slow.insert("ecs.RegisterTaskDefinition".to_owned(), 9_000);
    let story = story.play().await;
    assert_eq!(story.pointed("dev/a").len(), 2);
    assert_eq!(story.end("third"), "Deployed");
    assert!(story.runs("dev/a", "third"));
}

#[tokio::test(start_paused = true)]
async fn a_stopped_release_that_goes_on_tells_a_person_what_nobody_has_replaced() {
    let story = Story::of(&A, json!({}))
        .at(0, push("died", "shop/a", Never))
        .at(60, stop("died"))
        .at(200, push("failed", "shop/a", Completes))
        .at(206, ask("abort", "dev", json!({"mode": "abort", "release": "failed"})))
        .at(500, redrive("died"));
    story.machine.fake.open().slow.insert("ecs.RegisterTaskDefinition".to_owned(), 9_000);
    let story = story.play().await;
    assert_eq!((story.pointed("dev/a").len(), story.end("died").as_str()), (1, "NeedsHuman"));
}

#[tokio::test(start_paused = true)]
async fn what_a_stopped_release_left_is_tested_without_another_rollout() {
    let story = Story::of(&A, json!({}))
        .at(0, push("stopped", "shop/a", Completes))
        .at(30, stop("stopped"))
        .at(300, ask("once-more", "dev", json!({"repository": "shop/a", "image": "main-stopped"})));
    let story = story.play().await;
    assert_eq!((story.pointed("dev/a").len(), story.end("once-more").as_str()), (1, "Deployed"));
    assert!(story.runs("dev/a", "stopped"));
}

#[tokio::test(start_paused = true)]
async fn what_a_dead_release_of_an_older_version_left_is_taken_over() {
    let story = Story::of(&A, json!({}))
        .at(0, push("died", "shop/a", Never))
        .at(60, stop("died"))
        .at(100, hand(Hand::Older))
        .at(200, push("next", "shop/a", Completes));
    let story = story.play().await;
    assert_eq!(story.end("next"), "Deployed");
    assert!(story.runs("dev/a", "next"));
}

#[tokio::test(start_paused = true)]
async fn an_old_request_does_not_undo_what_was_verified_since() {
    let story = Story::of(&A, json!({}))
        .at(0, push("died", "shop/a", Never))
        .at(60, stop("died"))
        .at(200, push("new", "shop/a", Completes))
        .at(600, ask("pasted", "dev", json!({"mode": "rollback", "release": "died"})));
    let story = story.play().await;
    assert_eq!(story.end("pasted"), "Refused");
    assert!(story.runs("dev/a", "new"));
}

#[tokio::test(start_paused = true)]
async fn a_deployment_of_our_revision_that_somebody_forces_is_rolled_back_if_it_is_bad() {
    let story = Story::of(&A, json!({"dev": {"healthTimeoutSeconds": 120}}))
        .at(0, push("bad", "shop/a", Never))
        .at(40, hand(Hand::Force("dev/a".to_owned())));
    let story = story.play().await;
    assert_eq!(story.end("bad"), "RolledBack");
    assert!(story.runs("dev/a", "0"));
}
