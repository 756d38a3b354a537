//! Where a service goes back to.

use fleet::cluster;
use fleet::fake::End::{Completes, GivenUp, OtherImage};
use fleet::machine::Hand;
use serde_json::json;

use super::harness::{Story, ask, hand, push, stop};

const A: [(&str, &str); 1] = [("dev/a", "shop/a")];

#[tokio::test(start_paused = true)]
async fn a_rollback_from_what_somebody_has_deployed_goes_to_what_was_verified() {
    let story = Story::of(&A, json!({}))
        .at(0, push("first", "shop/a", Completes))
        .at(300, push("second", "shop/a", Completes))
        .at(600, hand(Hand::Deploy("dev/a".to_owned(), "shop/a".to_owned())))
        .at(900, ask("back", "dev", json!({"mode": "rollback"})));
    let story = story.play().await;
    assert_eq!(story.end("back"), "Deployed");
    assert!(story.runs("dev/a", "second"));
    assert!(story.row("env#dev", "service#a")["hold:shop/a"].is_null());
}

#[tokio::test(start_paused = true)]
async fn an_image_that_is_good_again_is_a_version_to_go_back_to() {
    let again = json!({"images": {"shop/a": "main-second"}, "force": true});
    let story = Story::of(&A, json!({}))
        .at(0, push("first", "shop/a", Completes))
        .at(300, push("second", "shop/a", Completes))
        .at(600, ask("back", "dev", json!({"mode": "rollback"})))
        .at(900, ask("again", "dev", again))
        .at(1_200, push("third", "shop/a", Completes))
        .at(1_500, ask("back-again", "dev", json!({"mode": "rollback"})));
    let story = story.play().await;
    assert_eq!((story.end("back").as_str(), story.end("back-again").as_str()), ("Deployed", "Deployed"));
    assert!(story.runs("dev/a", "second"));
}

#[tokio::test(start_paused = true)]
async fn whoever_goes_back_twice_wants_none_of_the_two_again() {
    let story = Story::of(&A, json!({}))
        .at(0, push("first", "shop/a", Completes))
        .at(300, push("second", "shop/a", Completes))
        .at(600, push("third", "shop/a", Completes))
        .at(900, ask("back", "dev", json!({"mode": "rollback"})))
        .at(1_200, ask("further", "dev", json!({"mode": "rollback"})))
        .at(1_500, ask("third-again", "dev", json!({"images": {"shop/a": "main-third"}})))
        .at(1_600, ask("second-again", "dev", json!({"images": {"shop/a": "main-second"}})))
        .at(1_700, push("fourth", "shop/a", Completes));
    let story = story.play().await;
    for (release, end) in [
        ("back", "Deployed"),
        ("further", "Deployed"),
        ("third-again", "Refused"),
        ("second-again", "Refused"),
        ("fourth", "Deployed"),
    ] {
        assert_eq!(story.end(release), end, "{release}");
    }
    assert!(story.runs("dev/a", "fourth"));
}

#[tokio::test(start_paused = true)]
async fn a_release_that_fails_goes_back_to_the_revision_that_ran() {
    let story = Story::of(&A, json!({}))
        .at(0, push("good", "shop/a", Completes))
        .at(300, hand(Hand::Infrastructure("dev/a".to_owned())))
        .at(600, push("bad", "shop/a", GivenUp));
    let story = story.play().await;
    assert_eq!(story.end("bad"), "RolledBack");
    // The first one is what ran before, the second one that of the good image, and the third one the infrastructure's.
    assert!(story.revision("dev/a").ends_with("a:3"), "{}", story.revision("dev/a"));
}

#[tokio::test(start_paused = true)]
async fn a_rollback_passes_the_freeze_of_the_release_that_failed() {
    let story = Story::of(&A, json!({"dev": {"onFailure": "freeze"}}))
        .at(0, push("failed", "shop/a", GivenUp))
        .at(300, ask("back", "dev", json!({"mode": "rollback", "release": "failed"})));
    let story = story.play().await;
    assert_eq!((story.end("failed").as_str(), story.end("back").as_str()), ("NeedsHuman", "Deployed"));
    assert!(story.runs("dev/a", "0"));
}

#[tokio::test(start_paused = true)]
async fn a_service_that_was_rolled_back_takes_no_other_one_with_it() {
    let services =
        [("dev/c", "shop/c"), ("dev/d", "shop/c"), ("staging/c", "shop/c"), ("staging/d", "shop/c")];
    let story = Story::of(&services, json!({"dev": {"promote": "auto"}}))
        .at(0, push("first", "shop/c", Completes))
        .at(600, push("second", "shop/c", Completes))
        .at(1_200, ask("back", "dev", json!({"mode": "rollback", "services": ["c"]})))
        .at(1_800, ask("promote", "staging", json!({})));
    let story = story.play().await;
    assert_eq!(story.end("back"), "Deployed");
    assert!(story.runs("dev/c", "first") && story.runs("dev/d", "second"));
    assert!(
        story.runs("staging/c", "second") && story.runs("staging/d", "second"),
        "{}",
        story.end("promote")
    );
}

#[tokio::test(start_paused = true)]
async fn a_rollback_out_of_a_rollout_that_is_stuck_goes_to_what_is_verified_and_not_past_it() {
    let story = Story::of(&A, json!({}))
        .at(0, push("good", "shop/a", Completes))
        .at(400, push("bad", "shop/a", GivenUp))
        .at(430, stop("bad"))
        .at(800, ask("back", "dev", json!({"mode": "rollback", "reason": "it is bad"})));
    let story = story.play().await;
    // The tasks of the release before still run, beside what was deployed over them.
    assert_eq!((story.end("good").as_str(), story.end("back").as_str()), ("Deployed", "Deployed"));
    assert!(story.runs("dev/a", "good"));
}

#[tokio::test(start_paused = true)]
async fn a_revision_that_a_dead_release_left_is_never_what_is_returned_to() {
    let story = Story::of(&[], json!({}));
    cluster::place(&story.machine.fake, "dev", "e", &["shop/a", "shop/b"]);
    let story = story
        .at(0, push("app", "shop/a", Completes))
        .at(300, push("sidecar", "shop/b", OtherImage))
        .at(320, stop("sidecar"))
        .at(600, push("next", "shop/a", GivenUp));
    let first = story.machine.fake.open().ecs.at("dev/e", 0).unwrap().primary().2.to_owned();
    let story = story.play().await;
    assert_eq!((story.end("app").as_str(), story.end("next").as_str()), ("Deployed", "RolledBack"));
    let (revision, row) = (story.revision("dev/e"), story.row("env#dev", "service#e"));
    let facts = row["history"].as_array().unwrap();
    assert!(!facts.iter().any(|fact| fact["how"] == "found"), "{facts:?}");
    assert!(facts.iter().any(|fact| fact["how"] == "released" && fact["taskDefinition"] == *revision));
    assert_ne!(revision, first);
}
