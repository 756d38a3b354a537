//! Which of two pushes is the newer one.

use fleet::fake::End::Completes;
use serde_json::json;

use super::harness::{Story, push};

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
