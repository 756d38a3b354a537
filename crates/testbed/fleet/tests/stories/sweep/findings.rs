//! What is told, and never repaired.

use fleet::fake::End::Completes;
use fleet::machine::Hand;
use serde_json::{Value, json};

use super::super::harness::{Story, ask, hand, push, stop, sweep};
use super::{A, TWO, findings, is_silent, unheard};

#[tokio::test(start_paused = true)]
async fn while_a_release_is_open_its_services_are_its_own() {
    let story = Story::of(&A, json!({"dev": {"bakeSeconds": 3_000}}))
        .at(0, sweep("s1"))
        .at(100, push("baking", "shop/a", Completes))
        .at(700, sweep("s2"))
        .at(1_400, sweep("s3"))
        .at(2_100, sweep("s4"));
    let story = story.play().await;
    assert_eq!(story.end("baking"), "Deployed");
    for silent in ["s2", "s3", "s4"] {
        assert!(is_silent(&story, silent), "{silent}: {:?}", story.told(silent));
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_was_deployed_past_the_pipeline_is_told_once_and_never_put_back() {
    let verified = json!({"images": {"shop/a": "main-good"}, "force": true});
    let theirs = || hand(Hand::Deploy("dev/a".to_owned(), "shop/a".to_owned()));
    let story = Story::of(&A, json!({}))
        .at(0, push("good", "shop/a", Completes))
        .at(1_000, theirs())
        .at(1_100, sweep("s1"))
        .at(2_000, sweep("s2"))
        .at(3_000, sweep("s3"))
        .at(4_000, ask("again", "dev", verified))
        .at(5_000, sweep("s4"))
        .at(6_000, sweep("s5"));
    let story = story.play().await;
    assert!(is_silent(&story, "s1") && is_silent(&story, "s3") && is_silent(&story, "s5"));
    let told = findings(&story, "s2");
    assert!(told.len() == 1 && told[0].contains("deployed past the pipeline: verified is"), "{told:?}");
    // It went where it is on request, and not before.
    assert!(story.pointed("dev/a").iter().all(|at| !(1_001..4_000).contains(at)));
    let settled = findings(&story, "s4");
    assert!(settled.len() == 1 && settled[0].starts_with("settled: dev: a runs"), "{settled:?}");
}

#[tokio::test(start_paused = true)]
async fn a_release_that_died_is_told_where_the_event_of_its_end_was_lost() {
    let dies = |deaf| {
        let mut story = Story::of(&A, json!({"dev": {"bakeSeconds": 7_200}}))
            .at(0, push("dead", "shop/a", Completes))
            .at(600, stop("dead"))
            .at(640, sweep("early"))
            .at(700, sweep("s1"))
            .at(1_000, sweep("s2"))
            .at(2_000, ask("back", "dev", json!({"mode": "rollback", "release": "dead"})))
            .at(20_000, sweep("s3"));
        story.machine.deaf = deaf;
        story
    };
    let story = dies(true).play_with_a_loss().await;
    assert_eq!((story.end("s1").as_str(), is_silent(&story, "s2")), ("NeedsHuman", true));
    let told = findings(&story, "s1");
    assert!(
        told.len() == 1 && told[0].contains("the release dead has died") && told[0].contains("it holds a."),
        "{told:?}"
    );
    assert!(
        told[0].ends_with(r#"{"environment":"dev","mode":"rollback","reason":"it died","release":"dead"}"#)
    );
    assert!(is_silent(&story, "early"), "its last functions may still work");
    assert_eq!(story.end("back"), "Deployed");
    let settled = findings(&story, "s3");
    assert!(settled.len() == 1 && settled[0].starts_with("settled: dev: the release dead"), "{settled:?}");
    // Somebody was told of it by the event: nobody is told once more.
    let story = dies(false).play().await;
    assert!(["s1", "s2", "s3"].iter().all(|run| is_silent(&story, run)));
}

#[tokio::test(start_paused = true)]
async fn an_image_that_vanished_is_told_before_it_is_needed() {
    let forget = |tag: &str| hand(Hand::Forget(tag.to_owned()));
    let story = Story::of(&A, json!({}))
        .at(0, push("good", "shop/a", Completes))
        .at(1_000, sweep("s1"))
        .at(1_100, forget("tidegate.dev.a.previous"))
        .at(1_101, forget("main-0"))
        .at(2_000, sweep("s2"))
        .at(2_100, forget("tidegate.dev.a.live"))
        .at(2_101, forget("main-good"))
        .at(2_102, forget("dev"))
        .at(3_000, sweep("s3"))
        .at(4_000, sweep("s4"));
    let story = story.play_with_a_loss().await;
    assert!(is_silent(&story, "s1") && is_silent(&story, "s4"));
    let told = findings(&story, "s2");
    assert!(told.len() == 1 && told[0].contains("a would be rolled back to it"), "{told:?}");
    let told = findings(&story, "s3");
    assert!(told.len() == 1 && told[0].contains("a runs it: no new task can start"), "{told:?}");
    assert_eq!((story.end("s2").as_str(), story.end("s3").as_str()), ("Answered", "NeedsHuman"));
}

#[tokio::test(start_paused = true)]
async fn a_tag_that_disagrees_with_what_runs_is_told_with_both_requests() {
    let moved = Hand::TagUnheard("shop/a".to_owned(), "dev".to_owned(), "main-0".to_owned());
    let story = Story::of(&A, json!({}))
        .at(0, sweep("s0"))
        .at(10, push("good", "shop/a", Completes))
        .at(1_000, hand(moved))
        .at(1_100, sweep("s1"))
        .at(2_000, sweep("s2"))
        .at(3_000, sweep("s3"));
    let story = story.play().await;
    assert!(is_silent(&story, "s1") && is_silent(&story, "s3"));
    let told = findings(&story, "s2");
    assert!(told.len() == 1 && told[0].contains("the pipeline did not put it there"), "{told:?}");
    assert!(story.runs("dev/a", "good") && story.named("lost-").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_broken_document_is_told_and_the_other_environments_are_swept() {
    let store = |text: &Value| {
        let text = if text.is_null() { "{".to_owned() } else { text.to_string() };
        hand(Hand::Store("/tidegate/environments/staging".to_owned(), text))
    };
    let good = json!({"cluster": "staging", "tag": "staging", "bakeSeconds": 0, "from": "dev"});
    let story = Story::of(&TWO, json!({}))
        .at(0, sweep("s1"))
        .at(100, unheard("lost"))
        .at(200, store(&Value::Null))
        .at(1_000, sweep("s2"))
        .at(2_000, sweep("s3"))
        .at(2_500, store(&good))
        .at(3_000, sweep("s4"));
    let story = story.play().await;
    let told = findings(&story, "s2");
    assert!(
        told.len() == 2 && told[0].contains("main-lost") && told[1].contains("its document cannot be read"),
        "{told:?}"
    );
    assert!(story.runs("dev/a", "lost") && is_silent(&story, "s3"));
    let settled = findings(&story, "s4");
    assert!(settled.len() == 1 && settled[0].starts_with("settled: staging: its document"), "{settled:?}");
}
