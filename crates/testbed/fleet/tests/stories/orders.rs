//! Which of two releases is the newer one.

use fleet::cluster;
use fleet::fake::End::Completes;
use fleet::machine::Hand;
use serde_json::json;

use super::harness::{Story, ask, hand, push, push_late};

const A: [(&str, &str); 1] = [("dev/a", "shop/a")];

#[tokio::test(start_paused = true)]
async fn of_two_images_of_one_second_the_one_that_arrived_later_runs() {
    // Whatever their digests are: each is the later one once.
    for (earlier, later) in [("one", "two"), ("two", "one")] {
        let story = Story::of(&A, json!({}))
            .at(0, push(earlier, "shop/a", Completes))
            .at_ms(400, push(later, "shop/a", Completes));
        let story = story.play().await;
        assert!(story.runs("dev/a", later), "{:?}", story.end(later));
    }
}

#[tokio::test(start_paused = true)]
async fn a_rollback_that_finds_another_image_changed_last_is_newer_than_the_pushes_before_it() {
    let story = Story::of(&[], json!({}));
    cluster::place(&story.machine.fake, "dev", "e", &["shop/a", "shop/b"]);
    let story = story
        .at(0, push("app", "shop/a", Completes))
        .at(300, push("sidecar", "shop/b", Completes))
        .at(600, push("bad", "shop/a", Completes))
        .at(605, push_late("next", "shop/a", 120))
        // It waits for the push of the app; before that it was the sidecar that had changed last.
        .at(610, ask("back", "dev", json!({"mode": "rollback"})));
    let story = story.play().await;
    assert_eq!(
        ["bad", "back", "next"].map(|release| story.end(release)),
        ["Deployed", "Deployed", "Refused"].map(str::to_owned)
    );
    assert!(story.runs("dev/e", "app"));
}

#[tokio::test(start_paused = true)]
async fn what_soaks_is_not_promoted_once_the_environment_before_has_gone_on_to_what_runs_there() {
    let services = [("dev/a", "shop/a"), ("staging/a", "shop/a")];
    let documents = json!({"dev": {"promote": "auto"}, "staging": {"soakMinutes": 5}});
    let rebuilt = Hand::Tag("shop/a".to_owned(), "main-rebuilt".to_owned(), "main-first".to_owned());
    let story = Story::of(&services, documents)
        .at(0, push("first", "shop/a", Completes))
        .at(600, push("second", "shop/a", Completes))
        // While the second one soaks, a build makes the first one again.
        .at(700, hand(rebuilt));
    let story = story.play().await;
    assert_eq!((story.end("second").as_str(), story.end("staging-first").as_str()), ("Deployed", "Deployed"));
    assert_eq!(story.end("staging-second"), "Ignored");
    assert!(story.runs("dev/a", "first") && story.runs("staging/a", "first"));
}
