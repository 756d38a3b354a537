//! What goes forward, and what does not.

use fleet::cluster;
use fleet::fake::End::{Completes, GivenUp, SentBack};
use fleet::machine::mishap::Mishap;
use fleet::machine::{Action, Hand};
use serde_json::json;

use super::harness::{Story, ask, hand, push, push_late, stop};

const A: [(&str, &str); 1] = [("dev/a", "shop/a")];
const PAIR: [(&str, &str); 2] = [("dev/c", "shop/c"), ("dev/d", "shop/c")];

#[tokio::test(start_paused = true)]
async fn a_push_whose_event_comes_late_replaces_nothing_newer() {
    let story = Story::of(&A, json!({}))
        .at(0, push_late("older", "shop/a", 300))
        .at(10, push("newer", "shop/a", Completes));
    let story = story.play().await;
    assert_eq!((story.end("newer").as_str(), story.end("older").as_str()), ("Deployed", "Ignored"));
    assert!(story.runs("dev/a", "newer"));
}

#[tokio::test(start_paused = true)]
async fn a_newer_push_of_the_sidecar_supersedes_no_push_of_the_app() {
    let story = Story::of(&[], json!({}));
    cluster::place(&story.machine.fake, "dev", "e", &["shop/a", "shop/b"]);
    let story = story.at(0, push_late("app", "shop/a", 300)).at(10, push("sidecar", "shop/b", Completes));
    let story = story.play().await;
    assert_eq!((story.end("app").as_str(), story.end("sidecar").as_str()), ("Deployed", "Deployed"));
}

#[tokio::test(start_paused = true)]
async fn of_two_pushes_the_second_waits_until_the_first_has_ended() {
    let story = Story::of(&A, json!({}))
        .at(0, push("first", "shop/a", Completes))
        .at(5, push("second", "shop/a", Completes));
    let story = story.play().await;
    assert_eq!((story.end("first").as_str(), story.end("second").as_str()), ("Deployed", "Deployed"));
}

#[tokio::test(start_paused = true)]
async fn an_execution_that_is_not_told_of_yet_keeps_its_leases() {
    let mut story = Story::of(&A, json!({}))
        .at(0, push("first", "shop/a", Completes))
        .at(5, push("second", "shop/a", Completes));
    story.machine.lag = 30_000;
    let story = story.play().await;
    assert_eq!((story.end("first").as_str(), story.end("second").as_str()), ("Deployed", "Deployed"));
}

#[tokio::test(start_paused = true)]
async fn what_was_rolled_back_from_and_what_was_bad_has_to_be_forced() {
    let image = |name: &str| json!({"images": {"shop/a": name}});
    let story = Story::of(&A, json!({}))
        .at(0, push("first", "shop/a", Completes))
        .at(300, push("second", "shop/a", Completes))
        .at(600, ask("back", "dev", json!({"mode": "rollback"})))
        .at(900, ask("held", "dev", image("main-second")))
        .at(1_200, push("bad", "shop/a", GivenUp))
        .at(1_500, ask("in-quarantine", "dev", image("main-bad")));
    let story = story.play().await;
    assert_eq!((story.end("held").as_str(), story.end("in-quarantine").as_str()), ("Refused", "Refused"));
}

#[tokio::test(start_paused = true)]
async fn a_release_of_another_service_lifts_no_quarantine() {
    let image = |service: &str| json!({"images": {"shop/c": "main-both"}, "services": [service]});
    let story = Story::of(&PAIR, json!({"dev": {"bakeSeconds": 120}})).image("both", "shop/c", GivenUp);
    for (name, service) in &mut story.machine.fake.open().ecs.services {
        if name == "dev/d" {
            service.ends.clear();
        }
    }
    let story = story.at(0, ask("bad", "dev", image("c"))).at(20, ask("good", "dev", image("d")));
    let story = story.play().await;
    assert_eq!((story.end("bad").as_str(), story.end("good").as_str()), ("RolledBack", "Deployed"));
    assert_eq!(story.evidence("shop/c", "both", "dev")["quarantine"]["release"], "bad");
}

#[tokio::test(start_paused = true)]
async fn force_goes_on_where_what_runs_is_gone_from_the_registry() {
    let image = json!({"images": {"shop/a": "main-new"}});
    let mut forced = image.clone();
    forced["force"] = true.into();
    let story = Story::of(&A, json!({}))
        .image("new", "shop/a", Completes)
        .at(0, hand(Hand::Expire("shop/a".to_owned(), 1)))
        .at(10, ask("careful", "dev", image))
        .at(60, ask("forced", "dev", forced));
    let story = story.play().await;
    assert_eq!((story.end("careful").as_str(), story.end("forced").as_str()), ("Refused", "Deployed"));
}

#[tokio::test(start_paused = true)]
async fn an_answer_past_the_pipeline_counts_for_nothing() {
    let story = Story::of(&A, json!({"dev": {"approval": "required"}}))
        .at(0, push("asked", "shop/a", Completes))
        .at(60, Action::Bypass);
    let story = story.play().await;
    assert_eq!((story.end("asked").as_str(), story.pointed("dev/a")), ("Rejected", vec![]));
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_a_person_whom_nobody_asks_any_more_is_overtaken() {
    let document = json!({"cluster": "dev", "tag": "dev", "deployOn": ["main-*"]}).to_string();
    let approve = json!({"mode": "approve", "release": "older"});
    let story = Story::of(&A, json!({"dev": {"approval": "required"}}))
        .at(0, push("older", "shop/a", Completes))
        .at(60, hand(Hand::Store("/tidegate/environments/dev".to_owned(), document)))
        .at(120, push("newer", "shop/a", Completes))
        .at(600, ask("approves", "dev", approve));
    let story = story.play().await;
    assert_eq!((story.end("newer").as_str(), story.end("older").as_str()), ("Deployed", "Superseded"));
    assert!(story.runs("dev/a", "newer"));
}

#[tokio::test(start_paused = true)]
async fn what_ecs_has_put_back_already_is_proven() {
    let story = Story::of(&A, json!({}))
        .at(0, push("died", "shop/a", SentBack))
        .at(15, stop("died"))
        .at(300, ask("back", "dev", json!({"mode": "rollback", "release": "died"})));
    let story = story.play().await;
    assert_eq!(story.end("back"), "Deployed");
    assert!(story.runs("dev/a", "0"));
}

#[tokio::test(start_paused = true)]
async fn a_release_that_dies_between_its_close_and_its_alert_is_told() {
    let mut story = Story::of(&A, json!({})).at(0, push("r1", "shop/a", Completes));
    story.machine.mishaps.plan("", "Alert", Mishap::Dies);
    let story = story.play().await;
    let told: Vec<String> =
        story.machine.fake.open().published.iter().map(|one| one.outcome.clone()).collect();
    assert_eq!(told, ["Deployed"]);
}
