//! How far releases are, as people hear of it who have asked for that.

use fleet::cluster;
use fleet::fake::End::{Completes, GivenUp};
use fleet::machine::Action;
use fleet::machine::mishap::Mishap;
use serde_json::json;
use states::rules::Problem;

use super::harness::{START, Story, ask, push, redrive, stop};

const A: [(&str, &str); 1] = [("dev/a", "shop/a")];
/// How many seconds late a call comes that comes during the rollback.
const LATE: i64 = 90;

const PAIR: [(&str, &str); 2] = [("dev/c", "shop/c"), ("dev/d", "shop/c")];

impl Story {
    /// Has the topic hear of it.
    fn heard(self) -> Self {
        cluster::ask_for_progress(&self.machine.fake);
        self
    }

    /// Returns what people were told of a run, and how many seconds after the beginning.
    fn outcomes(&self, run: &str) -> Vec<(String, i64)> {
        let account = self.machine.fake.open();
        let told = account.published.iter().filter(|one| one.release == run);
        told.map(|one| (one.outcome.clone(), (one.at - START) / 1000)).collect()
    }

    fn words(&self, run: &str) -> Vec<String> {
        self.outcomes(run).into_iter().map(|(outcome, _)| outcome).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_is_told_before_the_first_service_changes_and_a_rollback_before_it_is_back() {
    let story = Story::of(&PAIR, json!({"dev": {"waves": [["c"], ["d"]]}}))
        .heard()
        .at(0, push("bad", "shop/c", GivenUp));
    let story = story.play().await;
    let told = story.outcomes("bad");
    let [(started, at), (rolling, back), (ended, end)] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!([started, rolling, ended], ["Started", "RollingBack", "RolledBack"]);
    let pointed = story.pointed("dev/c");
    assert!(
        *at <= pointed[0] && pointed[0] < *back && *back <= pointed[1] && pointed[1] < *end,
        "{told:?} {pointed:?}"
    );
    assert_eq!(story.row("release#bad", "alert#sns")["outcome"], "RolledBack");
}

#[tokio::test(start_paused = true)]
async fn each_wave_and_each_judgement_of_it_is_no_start() {
    let story = Story::of(&PAIR, json!({"dev": {"waves": [["c"], ["d"]], "bakeSeconds": 90}}))
        .heard()
        .at(0, push("good", "shop/c", Completes));
    assert_eq!(story.play().await.words("good"), ["Started", "Deployed"]);
}

#[tokio::test(start_paused = true)]
async fn who_has_not_asked_hears_of_ends_alone() {
    let story = Story::of(&A, json!({})).at(0, push("bad", "shop/a", GivenUp));
    assert_eq!(story.play().await.words("bad"), ["RolledBack"]);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_come_to_a_first_service_never_starts() {
    let story = Story::of(&A, json!({}))
        .heard()
        .at(0, push("good", "shop/a", Completes))
        .at(300, ask("plan", "dev", json!({"mode": "plan"})))
        .at(400, ask("freeze", "dev", json!({"mode": "freeze"})))
        .at(500, push("refused", "shop/a", Completes))
        .at(600, ask("resume", "dev", json!({"mode": "resume"})))
        .at(700, ask("back", "dev", json!({"mode": "rollback"})));
    let story = story.play().await;
    assert_eq!((story.end("plan"), story.words("plan")), ("Planned".to_owned(), Vec::new()));
    assert_eq!(story.words("refused"), ["Refused"]);
    // A rollback that somebody asks for is a release as any other, and says what it is.
    assert_eq!(story.words("back"), ["Started", "Deployed"]);
    assert!(
        story.told("back")[0].starts_with("ROLLBACK STARTED a in dev: as it is written; "),
        "{:?}",
        story.told("back")
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_that_comes_an_hour_late_tells_nobody_of_what_has_ended() {
    for state in ["TellStarted", "TellRollingBack"] {
        let story = Story::of(&A, json!({}))
            .heard()
            .at(0, Action::Lose(state, 3_600_000))
            .at(0, push("bad", "shop/a", GivenUp))
            .at(4_000, ask("plan", "dev", json!({"mode": "plan"})));
        let story = story.play().await;
        // The machine tried again when it did not hear of the first call.
        assert_eq!(story.words("bad"), ["Started", "RollingBack", "RolledBack"], "{state}");
        assert_eq!(story.row("release#bad", "alert#sns")["outcome"], "RolledBack", "{state}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_that_comes_twice_is_told_once() {
    let story = Story::of(&A, json!({}))
        .heard()
        .at(0, Action::Lose("TellStarted", 15_000))
        .at(0, push("good", "shop/a", Completes));
    let story = story.play().await;
    assert_eq!(story.words("good"), ["Started", "Deployed"]);
    assert!(story.outcomes("good")[1].1 > 20, "the second call comes after the end");
}

#[tokio::test(start_paused = true)]
async fn a_start_that_comes_during_the_rollback_is_told_once() {
    let story = Story::of(&A, json!({}))
        .heard()
        .at(0, Action::Lose("TellStarted", LATE * 1_000))
        .at(0, push("bad", "shop/a", GivenUp));
    let told = story.play().await.outcomes("bad");
    let [(started, _), (rolling, back), (ended, end)] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!([started, rolling, ended], ["Started", "RollingBack", "RolledBack"]);
    assert!(*back < LATE && LATE + 5 < *end, "the call does not come between them: {told:?}");
}

#[tokio::test(start_paused = true)]
async fn whatever_becomes_of_the_call_the_release_goes_on() {
    let refused = || Problem::new("Lambda.ResourceNotFoundException", "there is no such function");
    for (state, left) in
        [("TellStarted", ["RollingBack", "RolledBack"]), ("TellRollingBack", ["Started", "RolledBack"])]
    {
        let mut story = Story::of(&A, json!({})).heard().at(0, push("bad", "shop/a", GivenUp));
        story.machine.mishaps.plan("", state, Mishap::Fails(refused()));
        // The oracle misses what was not told.
        let story = story.play_with_a_loss().await;
        assert_eq!(
            (story.end("bad").as_str(), story.words("bad")),
            ("RolledBack", left.map(str::to_owned).to_vec())
        );
        assert!(story.runs("dev/a", "0"), "{state}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_release_that_is_stopped_and_goes_on_tells_its_start_once() {
    let story = Story::of(&A, json!({}))
        .heard()
        .at(0, push("stopped", "shop/a", Completes))
        .at(8, stop("stopped"))
        .at(60, redrive("stopped"));
    assert_eq!(story.play().await.words("stopped"), ["Started", "NeedsHuman", "Deployed"]);
}
