//! People who stop what goes forward.

use fleet::fake::End::{Completes, GivenUp};
use serde_json::json;

use super::harness::{Story, ask, push};

const A: [(&str, &str); 1] = [("dev/a", "shop/a")];
const PAIR: [(&str, &str); 2] = [("dev/c", "shop/c"), ("dev/d", "shop/c")];

#[tokio::test(start_paused = true)]
async fn a_freeze_holds_a_release_before_its_next_wave() {
    let story = Story::of(&PAIR, json!({"dev": {"waves": [["c"], ["d"]]}}))
        .at(0, push("held", "shop/c", Completes))
        .at(20, ask("freeze", "dev", json!({"mode": "freeze"})))
        .at(1_000, ask("resume", "dev", json!({"mode": "resume"})));
    let story = story.play().await;
    assert_eq!(story.end("held"), "Deployed");
    assert!(story.pointed("dev/c").iter().all(|at| *at < 1_000));
    assert!(story.pointed("dev/d").iter().all(|at| *at > 1_000));
}

#[tokio::test(start_paused = true)]
async fn the_freeze_of_a_release_leaves_a_persons_as_it_is() {
    let story = Story::of(&A, json!({"dev": {"onFailure": "freeze"}}))
        .at(0, push("failed", "shop/a", GivenUp))
        .at(10, ask("person", "dev", json!({"mode": "freeze"})));
    let story = story.play().await;
    assert_eq!(
        (story.end("failed").as_str(), &story.row("env#dev", "frozen")["by"]),
        ("NeedsHuman", &json!("person"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_release_that_bakes_for_hours_ends_soon_after_it_is_aborted() {
    let story = Story::of(&A, json!({"dev": {"bakeSeconds": 7_200}}))
        .at(0, push("baking", "shop/a", Completes))
        .at(600, ask("abort", "dev", json!({"mode": "abort", "release": "baking"})));
    let story = story.play().await;
    assert_eq!(story.end("baking"), "RolledBack");
    assert!(story.runs("dev/a", "0") && story.pointed("dev/a").iter().all(|at| *at < 700));
}
