//! What live tests run beside a service.

use fleet::fake::RunEnd::{CannotPull, Fails, NeverEnds, NeverStarts, NoRoom, Passes};
use fleet::fake::{End, RunEnd};
use fleet::simulation::world;
use serde_json::json;

use super::harness::{Story, ask, push, push_tested};

const A: [(&str, &str); 1] = [("dev/a", "shop/a")];

/// Begins a story of one service, whose image is run alone before it is deployed.
fn tested() -> Story {
    let story = Story::of(&A, json!({"dev": {"healthTimeoutSeconds": 300}}));
    let name = "/tidegate/environments/dev/services/a/tests".to_owned();
    story.machine.fake.open().parameters.insert(name, world::run_alone().to_string());
    story
}

/// How a release ends whose run ends so, how often its service was pointed at something, and how many tasks were run.
async fn ends(run: RunEnd) -> (String, usize, usize) {
    let story = tested().at(0, push_tested("r1", "shop/a", run)).play().await;
    let runs = story.machine.fake.open().ecs.runs.len();
    (story.end("r1"), story.pointed("dev/a").len(), runs)
}

#[tokio::test(start_paused = true)]
async fn an_image_goes_forward_once_its_run_has_passed_and_its_failure_touches_nothing() {
    assert_eq!(ends(Passes).await, ("Deployed".to_owned(), 1, 1));
    assert_eq!(ends(Fails).await, ("RolledBack".to_owned(), 0, 1));
    assert_eq!(ends(NeverEnds).await, ("RolledBack".to_owned(), 0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_measures_nothing_is_started_again_and_then_a_person_is_asked() {
    assert_eq!(ends(NeverStarts).await, ("NeedsHuman".to_owned(), 0, 3));
    assert_eq!(ends(CannotPull).await, ("NeedsHuman".to_owned(), 0, 3));
    assert_eq!(ends(NoRoom).await, ("NeedsHuman".to_owned(), 0, 0));
}

#[tokio::test(start_paused = true)]
async fn what_an_aborted_release_runs_is_ended() {
    let story = tested()
        .at(0, push_tested("r1", "shop/a", NeverEnds))
        .at(40, ask("abort", "dev", json!({"mode": "abort", "release": "r1"})))
        .at(300, push("r2", "shop/a", End::Completes));
    let story = story.play().await;
    assert!(story.machine.fake.open().ecs.runs[0].stopped.is_some());
    assert_eq!((story.pointed("dev/a").len(), story.end("r2").as_str()), (1, "Deployed"));
}
