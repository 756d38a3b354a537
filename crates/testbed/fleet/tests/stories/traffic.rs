//! Services whose traffic ECS shifts: each way to the end of a gate, once.

use fleet::fake::End::{AnswersBadly, Completes, Never, OtherImage};
use fleet::fake::{End, Shifting};
use fleet::machine::Hand;
use serde_json::{Value, json};

use super::harness::{Story, ask, hand, push};

const MINUTE: i64 = 60_000;

/// A release of an image whose service shifts in some way, and has a live test.
async fn released(how: Shifting, end: End) -> Story {
    played(Story::of(&[("dev/a", "shop/a")], json!({})).at(0, push("next", "shop/a", end)), how).await
}

async fn played(story: Story, how: Shifting) -> Story {
    {
        let mut account = story.machine.fake.open();
        account.ecs.services.get_mut("dev/a").unwrap().shifting = Some(how);
        let pack = fleet::web::pack("dev", "a");
        account.parameters.insert("/tidegate/environments/dev/services/a/tests".to_owned(), pack);
    }
    story.play().await
}

fn slow(bake: i64) -> Shifting {
    Shifting { gate: 60 * MINUTE, bake, somebody: None, drain: None }
}

/// The same behind a load balancer, with a gate after the shift, and requests that still reach the old tasks.
fn draining(still: u64) -> Shifting {
    Shifting { drain: Some(still), ..slow(5 * MINUTE) }
}

fn calls(story: &Story, operation: &str) -> u64 {
    called(story, &format!("ecs.{operation}"))
}

fn called(story: &Story, operation: &str) -> u64 {
    story.machine.fake.open().calls.get(operation).copied().unwrap_or_default()
}

fn moved(story: &Story) -> Value {
    story.row("release#next", "move#0#0")
}

#[tokio::test(start_paused = true)]
async fn a_good_version_is_let_through_and_stays() {
    let story = released(slow(5 * MINUTE), Completes).await;
    assert_eq!(story.end("next"), "Deployed");
    assert!(story.runs("dev/a", "next"));
    let row = moved(&story);
    assert_eq!(
        (&row["gate"]["verdict"], &row["answered"]["action"]),
        (&json!("DarkHealthy"), &json!("CONTINUE"))
    );
    assert_eq!((calls(&story, "ContinueServiceDeployment"), calls(&story, "StopServiceDeployment")), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_version_that_is_bad_in_the_dark_never_gets_traffic() {
    let story = released(slow(5 * MINUTE), OtherImage).await;
    assert_eq!(story.end("next"), "RolledBack");
    let row = moved(&story);
    assert!(row["shifted"].is_null() && row["undoVerdict"] == "Healthy", "{row}");
    assert_eq!((calls(&story, "ContinueServiceDeployment"), calls(&story, "UpdateService")), (1, 1));
    assert_eq!(story.evidence("shop/a", "next", "dev")["quarantine"]["release"], "next");
}

#[tokio::test(start_paused = true)]
async fn a_version_that_is_bad_in_production_is_given_back_while_ecs_bakes() {
    let story = released(slow(5 * MINUTE), AnswersBadly).await;
    assert_eq!(story.end("next"), "RolledBack");
    assert_eq!((calls(&story, "StopServiceDeployment"), calls(&story, "UpdateService")), (1, 1));
    assert_eq!(moved(&story)["undoVerdict"], "Healthy");
}

#[tokio::test(start_paused = true)]
async fn an_alarm_that_goes_red_while_ecs_bakes_gives_the_traffic_back() {
    let alarms = json!({"dev": {"alarms": {"*": ["shop-5xx"]}}});
    let story = Story::of(&[("dev/a", "shop/a")], alarms)
        .at(0, hand(Hand::Alarm("shop-5xx".to_owned(), false)))
        .at(1, push("next", "shop/a", Completes))
        .at(200, hand(Hand::Alarm("shop-5xx".to_owned(), true)));
    let story = played(story, slow(5 * MINUTE)).await;
    assert_eq!(story.end("next"), "RolledBack");
    assert_eq!((calls(&story, "StopServiceDeployment"), calls(&story, "UpdateService")), (1, 1));
    assert_eq!(
        (&moved(&story)["alarm"], &moved(&story)["undoVerdict"]),
        (&json!("shop-5xx"), &json!("Healthy"))
    );
    assert!(story.evidence("shop/a", "next", "dev")["quarantine"].is_null());
}

#[tokio::test(start_paused = true)]
async fn a_version_that_is_bad_after_the_bake_goes_back_through_a_gate_of_its_own() {
    let story = released(slow(1_000), AnswersBadly).await;
    assert_eq!(story.end("next"), "RolledBack");
    assert_eq!((calls(&story, "StopServiceDeployment"), calls(&story, "UpdateService")), (0, 2));
    let row = moved(&story);
    assert_eq!(
        (&row["rollbackAnswered"]["action"], &row["undoVerdict"]),
        (&json!("CONTINUE"), &json!("Healthy"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_shift_of_our_revision_that_somebody_begins_anew_is_left_to_a_person() {
    // Before its gate, and while ECS bakes.
    for (seconds, end) in
        [(20, Completes), (150, Completes), (20, OtherImage), (20, AnswersBadly), (20, Never)]
    {
        let story = Story::of(&[("dev/a", "shop/a")], json!({"dev": {"healthTimeoutSeconds": 120}}))
            .at(0, push("next", "shop/a", end))
            .at(seconds, hand(Hand::Force("dev/a".to_owned())))
            .at(seconds + 120, ask("back", "dev", json!({"mode": "rollback", "release": "next"})));
        let story = played(story, slow(5 * MINUTE)).await;
        assert_eq!(story.end("next"), "NeedsHuman", "{end:?} after {seconds} s");
        // Whose shift is open has to be ended first, and the refusal says how.
        assert_eq!((story.end("back").as_str(), calls(&story, "UpdateService")), ("Refused", 1), "{end:?}");
        assert!(story.told("back").concat().contains("stop-service-deployment"), "{:?}", story.told("back"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_gate_that_gives_up_says_nothing_of_the_image() {
    let story = released(Shifting { gate: 1, ..slow(MINUTE) }, Completes).await;
    assert_eq!(story.end("next"), "RolledBack");
    let row = moved(&story);
    assert_eq!((&row["blameless"], &row["rolledBackByEcs"]), (&json!(true), &json!(true)), "{row}");
    assert!(story.evidence("shop/a", "next", "dev")["quarantine"].is_null());
    assert_eq!(calls(&story, "ContinueServiceDeployment"), 0);
}

#[tokio::test(start_paused = true)]
async fn what_somebody_answers_is_taken_as_it_is() {
    let back = released(Shifting { somebody: Some((1, "ROLLBACK")), ..slow(MINUTE) }, Completes).await;
    assert_eq!((back.end("next").as_str(), &moved(&back)["blameless"]), ("RolledBack", &json!(true)));
    let on = released(Shifting { somebody: Some((1, "CONTINUE")), ..slow(MINUTE) }, Completes).await;
    assert_eq!((on.end("next").as_str(), &moved(&on)["shiftedBy"]), ("Deployed", &json!("other")));
    for story in [&back, &on] {
        assert_eq!(calls(story, "ContinueServiceDeployment"), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_rollback_on_request_passes_the_gate_as_any_release() {
    let story = Story::of(&[("dev/a", "shop/a")], json!({}))
        .at(0, push("next", "shop/a", Completes))
        .at(1_200, ask("back", "dev", json!({"mode": "rollback"})));
    let story = played(story, slow(MINUTE)).await;
    assert_eq!((story.end("next").as_str(), story.end("back").as_str()), ("Deployed", "Deployed"));
    assert!(story.runs("dev/a", "0"));
    assert_eq!(calls(&story, "ContinueServiceDeployment"), 2);
}

/// A release of an image that answers badly to `a`, and to `b`, which has no tests and whose old tasks are still asked.
async fn bad_beside_a_slow_one(policy: Value) -> Story {
    let story = Story::of(&[("dev/a", "shop/a"), ("dev/b", "shop/a")], json!({ "dev": policy }));
    let story = story.at(0, push("next", "shop/a", AnswersBadly));
    let (how, other) = (slow(5 * MINUTE), draining(12));
    story.machine.fake.open().ecs.services.get_mut("dev/b").unwrap().shifting = Some(other);
    played(story, how).await
}

#[tokio::test(start_paused = true)]
async fn a_service_that_fails_in_production_is_given_back_before_the_others_of_its_wave_have_ended() {
    for (policy, ended) in [(json!({}), "Undone"), (json!({"onFailure": "undo-failed"}), "Deployed")] {
        let story = bad_beside_a_slow_one(policy).await;
        assert_eq!(story.end("next"), "RolledBack");
        let (a, b) = (moved(&story), story.row("release#next", "move#0#1"));
        assert_eq!((&a["verdict"], &b["verdict"]), (&json!("Unhealthy"), &json!("Healthy")));
        assert_eq!((&a["undoVerdict"], &a["undo"]), (&json!("Healthy"), &a["deployment"]), "{a}");
        assert!(a["rolledBackByEcs"].is_null(), "it was asked to: {a}");
        let at = |value: &Value| pipeline::clock::Timestamp::parse(value.as_str().unwrap()).unwrap();
        assert!(at(&a["givenBack"]).seconds_since(at(&a["decided"])) < 5, "{a}");
        assert!(at(&b["decided"]).seconds_since(at(&a["givenBack"])) > 600, "{a} {b}");
        assert_eq!(calls(&story, "StopServiceDeployment"), 1);
        assert_eq!(b["undoVerdict"] == "Healthy", ended == "Undone", "{b}");
        let said =
            format!("given back to the old tasks, which still ran, at {}", a["givenBack"].as_str().unwrap());
        assert!(told(&story).contains(&said), "{}", told(&story));
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_fails_where_nothing_is_rolled_back_keeps_its_traffic() {
    let story = bad_beside_a_slow_one(json!({"onFailure": "freeze"})).await;
    assert_eq!(story.end("next"), "NeedsHuman");
    let a = moved(&story);
    assert!(a["verdict"] == "Unhealthy" && a["givenBack"].is_null() && a["undo"].is_null(), "{a}");
    assert_eq!(calls(&story, "StopServiceDeployment"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_forced_version_that_is_bad_is_given_back_even_if_nobody_knows_what_was_there() {
    // What runs is no longer in the registry, so that no way back could be proven.
    let story = Story::of(&[("dev/a", "shop/a")], json!({}))
        .image("new", "shop/a", AnswersBadly)
        .at(0, hand(Hand::Expire("shop/a".to_owned(), 1)))
        .at(60, ask("next", "dev", json!({"images": {"shop/a": "main-new"}, "force": true})));
    let story = played(story, slow(5 * MINUTE)).await;
    assert_eq!(story.end("next"), "NeedsHuman");
    let row = moved(&story);
    assert!(row["restore"].is_null() && row["givenBack"].is_string(), "{row}");
    assert_eq!((calls(&story, "StopServiceDeployment"), calls(&story, "UpdateService")), (1, 1));
    assert!(story.revision("dev/a").ends_with("a:1"), "{}", story.revision("dev/a"));
}

/// Returns how many seconds after production traffic moved its last gate was judged.
fn held(row: &Value) -> i64 {
    let at = |value: &Value| pipeline::clock::Timestamp::parse(value.as_str().unwrap()).unwrap();
    at(&row["gate"]["at"]).seconds_since(at(&row["shifted"]))
}

fn told(story: &Story) -> String {
    story.machine.fake.open().published.last().unwrap().text.clone()
}

#[tokio::test(start_paused = true)]
async fn old_tasks_live_until_no_request_has_reached_them_for_some_minutes() {
    let story = released(draining(0), Completes).await;
    assert_eq!(story.end("next"), "Deployed");
    let row = moved(&story);
    let drain = row["drain"].as_str().unwrap();
    assert!(drain.starts_with("no request reached the old tasks from "), "{drain}");
    assert!(drain.ends_with("(new: 180)"), "{drain}");
    // Three whole minutes, after which two pass until their requests are counted.
    assert!((5 * 60..6 * 60 + 60).contains(&held(&row)), "{row}");
    assert!(told(&story).contains(&format!("  drain: {drain}")), "{}", told(&story));
    assert_eq!((calls(&story, "ContinueServiceDeployment"), calls(&story, "StopServiceDeployment")), (2, 0));
    assert_eq!(called(&story, "cloudwatch.GetMetricData"), 1);
}

#[tokio::test(start_paused = true)]
async fn old_tasks_that_are_still_asked_hold_a_gate_for_a_while_and_no_release() {
    let story = released(draining(12), Completes).await;
    assert_eq!(story.end("next"), "Deployed");
    assert!(story.runs("dev/a", "next"));
    let row = moved(&story);
    assert_eq!(row["drain"], "not drained: 12 requests a minute still reached the old tasks");
    assert!((15 * 60..16 * 60 + 30).contains(&held(&row)), "{row}");
    assert!(told(&story).contains("  drain: not drained: 12 requests a minute"), "{}", told(&story));
    // Once in 30 s at most, from the sixth minute on.
    let counted = called(&story, "cloudwatch.GetMetricData");
    assert!((15..=22).contains(&counted), "{counted}");
}

#[tokio::test(start_paused = true)]
async fn a_gate_that_gives_up_sooner_is_passed_before_that() {
    let story = released(Shifting { gate: 16 * MINUTE, ..draining(0) }, Completes).await;
    assert_eq!(story.end("next"), "Deployed");
    let short = released(Shifting { gate: 16 * MINUTE, ..draining(12) }, Completes).await;
    assert_eq!(short.end("next"), "Deployed");
    let row = moved(&short);
    assert!(row["drain"].as_str().unwrap().starts_with("not drained"), "{row}");
    assert!((13 * 60..15 * 60).contains(&held(&row)), "{row}");
    assert_eq!(calls(&short, "ContinueServiceDeployment"), 2);
}
