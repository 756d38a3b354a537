//! A release that runs while the stack is updated: its execution keeps its definition, and the functions are the new ones.
//!
//! `crates/testbed/machine` has the definitions of versions before, by the day on which they were replaced.

use fleet::fake::End::{Completes, GivenUp};
use serde_json::json;

use crate::harness::{Story, ask, push};

const A: [(&str, &str); 1] = [("dev/a", "shop/a")];

/// The definitions that were replaced.
const BEFORE: [(&str, &str); 2] = [
    ("2026-11-30", include_str!("../../../machine/2026-11-30.asl.json")),
    ("2026-11-30.2", include_str!("../../../machine/2026-11-30.2.asl.json")),
];

/// Plays a history by each of them.
async fn played_before(story: impl Fn() -> Story, check: impl Fn(&Story, &str)) {
    for (day, definition) in BEFORE {
        let mut story = story();
        story.machine.redefine(definition).unwrap();
        check(&story.play().await, day);
    }
}

#[tokio::test(start_paused = true)]
async fn a_release_of_the_version_before_is_deployed_by_the_new_functions() {
    let story = || Story::of(&A, json!({})).at(0, push("good", "shop/a", Completes));
    played_before(story, |story, day| {
        assert_eq!(story.end("good"), "Deployed", "{day}");
        assert!(story.runs("dev/a", "good") && story.pointed("dev/a").len() == 1, "{day}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_release_of_the_version_before_is_undone_by_the_new_functions() {
    let story = || {
        let story = Story::of(&A, json!({})).at(0, push("good", "shop/a", Completes));
        story.at(600, push("bad", "shop/a", GivenUp))
    };
    played_before(story, |story, day| {
        assert_eq!(
            (story.end("good").as_str(), story.end("bad").as_str()),
            ("Deployed", "RolledBack"),
            "{day}"
        );
        assert!(story.runs("dev/a", "good"), "{day}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_the_version_before_has_asked_a_person_is_answered_by_the_new_functions() {
    let story = || {
        Story::of(&A, json!({"dev": {"approval": "required"}}))
            .at(0, push("asks", "shop/a", Completes))
            .at(60, ask("answers", "dev", json!({"mode": "approve", "release": "asks"})))
    };
    played_before(story, |story, day| {
        assert_eq!(story.end("asks"), "Deployed", "{day}");
        assert!(story.runs("dev/a", "asks"), "{day}");
    })
    .await;
}
