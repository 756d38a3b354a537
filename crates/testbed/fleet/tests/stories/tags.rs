//! The tags by which an image is kept, and by which an environment names what it runs.

use fleet::fake::End::{Completes, GivenUp};
use fleet::machine::Hand;
use fleet::machine::mishap::Mishap;
use serde_json::json;

use super::harness::{Story, ask, hand, push};

const A: [(&str, &str); 1] = [("dev/a", "shop/a")];
const PAIR: [(&str, &str); 2] = [("dev/c", "shop/c"), ("dev/d", "shop/c")];

#[tokio::test(start_paused = true)]
async fn the_same_image_once_more_leaves_the_version_before_it_kept() {
    let story = Story::of(&A, json!({}))
        .at(0, push("first", "shop/a", Completes))
        .at(300, push("second", "shop/a", Completes))
        .at(600, ask("again", "dev", json!({"images": {"shop/a": "main-second"}, "force": true})));
    let story = story.play().await;
    assert_eq!(story.end("again"), "Deployed");
    assert!(story.is_tagged("shop/a", "tidegate.dev.a.previous", "first"));
}

#[tokio::test(start_paused = true)]
async fn a_tag_does_not_go_back_behind_a_release_of_another_service() {
    let image = |name: &str, service: &str| json!({"images": {"shop/c": name}, "services": [service]});
    let story = Story::of(&PAIR, json!({}))
        .image("bad", "shop/c", GivenUp)
        .image("good", "shop/c", Completes)
        .at(0, ask("fails", "dev", image("main-bad", "c")))
        .at(10, ask("follows", "dev", image("main-good", "d")));
    let story = story.play().await;
    assert_eq!((story.end("fails").as_str(), story.end("follows").as_str()), ("RolledBack", "Deployed"));
    assert!(story.runs("dev/d", "good") && story.is_tagged("shop/c", "dev", "good"));
}

#[tokio::test(start_paused = true)]
async fn a_move_that_failed_beside_one_that_stays_gives_its_tags_back() {
    let mut story =
        Story::of(&PAIR, json!({"dev": {"onFailure": "freeze"}})).at(0, push("half", "shop/c", Completes));
    story.machine.mishaps.plan("d", "Register", Mishap::Dies);
    let story = story.play().await;
    assert!(story.runs("dev/c", "half") && story.is_tagged("shop/c", "tidegate.dev.d.live", "0"));
    // Two versions run: nobody is told that all is as it was.
    assert_eq!(story.end("half"), "NeedsHuman");
}

#[tokio::test(start_paused = true)]
async fn the_event_of_our_own_tag_starts_nothing_however_late_it_is_written() {
    let story = Story::of(&A, json!({})).at(0, push("r1", "shop/a", Completes));
    story
        .machine
        .fake
        .open()
        .slow
        .extend(["ecr.BatchGetImage", "ecr.PutImage"].map(|operation| (operation.to_owned(), 9_000)));
    let story = story.play().await;
    assert!(story.runs("dev/a", "r1") && story.is_tagged("shop/a", "dev", "r1"));
    assert_eq!(story.end("own-dev-1"), "Ignored");
}

#[tokio::test(start_paused = true)]
async fn an_image_that_is_gone_holds_up_no_other_tag() {
    let image = |name: &str, service: &str| json!({"images": {"shop/c": name}, "services": [service]});
    let mut story = Story::of(&PAIR, json!({}))
        .image("one", "shop/c", Completes)
        .image("two", "shop/c", Completes)
        .image("bad", "shop/c", GivenUp)
        .at(0, ask("first", "dev", image("main-one", "c")))
        .at(300, ask("second", "dev", image("main-two", "d")));
    // The environment's tag is to go back to the second image, which nobody has any more.
    for tag in ["main-two", "tidegate.dev.d.live", "dev"] {
        story = story.at(600, hand(Hand::Forget(tag.to_owned())));
    }
    let story = story.at(610, ask("third", "dev", image("main-bad", "c"))).play().await;
    assert_eq!(story.end("third"), "RolledBack");
    assert!(story.is_tagged("shop/c", "tidegate.dev.c.live", "one"));
}
