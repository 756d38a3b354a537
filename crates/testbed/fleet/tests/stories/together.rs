//! Waves that take their traffic together: no service before all of its wave are tested, and none without the others.

use fleet::fake::End::{AnswersBadly, Completes, OtherImage};
use fleet::fake::{End, Shifting};
use serde_json::{Value, json};

use super::harness::{Story, ask, push};

const MINUTE: i64 = 60_000;

const SLOW: Shifting = Shifting { gate: 60 * MINUTE, bake: 5 * MINUTE, somebody: None, drain: None };

/// A release of one image to services `a` and `b`, one after the other; some shift, and some have a test in some phase.
fn story(end: End, shifts: &[(&str, Shifting)], tests: &[(&str, &str)]) -> Story {
    let dev = json!({"shift": "together", "concurrency": 1});
    let story = Story::of(&[("dev/a", "shop/a"), ("dev/b", "shop/a")], json!({"dev": dev}));
    let story = story.at(0, push("next", "shop/a", end));
    {
        let mut account = story.machine.fake.open();
        for (service, how) in shifts {
            account.ecs.services.get_mut(&format!("dev/{service}")).unwrap().shifting = Some(*how);
        }
        for (service, phase) in tests {
            let mut pack: Value = serde_json::from_str(&fleet::web::pack("dev", service)).unwrap();
            pack["checks"][0]["on"] = json!([phase]);
            let path = format!("/tidegate/environments/dev/services/{service}/tests");
            account.parameters.insert(path, pack.to_string());
        }
    }
    story
}

fn moves(story: &Story) -> [Value; 2] {
    [0, 1].map(|n| story.row("release#next", &format!("move#0#{n}")))
}

/// Returns how often gates were answered, and deployments stopped and begun.
fn calls(story: &Story) -> [u64; 3] {
    ["ContinueServiceDeployment", "StopServiceDeployment", "UpdateService"].map(|operation| {
        story.machine.fake.open().calls.get(&format!("ecs.{operation}")).copied().unwrap_or_default()
    })
}

/// Checks that nothing is left of a release of which no service ever got production traffic.
fn is_back_from_the_dark(story: &Story) {
    assert_eq!(story.end("next"), "RolledBack");
    for row in moves(story) {
        assert!(row["shifted"].is_null() && row["answered"]["action"] != "CONTINUE", "{row}");
        assert!(row["undo"].is_null() || row["undoVerdict"] == "Healthy", "{row}");
    }
    assert!(story.row("release#next", "head")["shiftThrough"].is_null());
}

#[tokio::test(start_paused = true)]
async fn no_service_takes_its_traffic_before_all_of_its_wave_are_tested() {
    let story = story(Completes, &[("a", SLOW), ("b", SLOW)], &[("a", "dark"), ("b", "live")]).play().await;
    assert_eq!(story.end("next"), "Deployed");
    let rows = moves(&story);
    let judged = rows.iter().map(|row| row["gate"]["at"].as_str().unwrap()).max();
    for row in &rows {
        assert!(row["answered"]["at"].as_str() >= judged && row["shifted"] == row["answered"]["at"], "{row}");
    }
    assert_eq!(calls(&story), [2, 0, 2]);
    assert_eq!(story.row("release#next", "head")["shiftThrough"], 0);
    assert!(story.runs("dev/a", "next") && story.runs("dev/b", "next"));
}

#[tokio::test(start_paused = true)]
async fn of_a_wave_of_which_one_is_given_back_in_the_dark_no_service_gets_traffic() {
    let given_back = Shifting { somebody: Some((1, "ROLLBACK")), ..SLOW };
    // The first one fails before the second is touched; of the second, the gate of the first is answered with ROLLBACK.
    for (bad, shifts, asked) in
        [(0, [("a", given_back), ("b", SLOW)], [0, 0, 1]), (1, [("a", SLOW), ("b", given_back)], [1, 0, 2])]
    {
        let story = story(Completes, &shifts, &[]).play().await;
        is_back_from_the_dark(&story);
        let rows = moves(&story);
        assert_eq!((&rows[bad]["verdict"], &rows[bad]["blameless"]), (&json!("Unhealthy"), &json!(true)));
        assert_ne!(rows[1 - bad]["verdict"], "Unhealthy");
        assert_eq!(calls(&story), asked);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_bad_in_the_dark_ends_the_looks_at_its_wave() {
    let story = story(OtherImage, &[("a", SLOW), ("b", SLOW)], &[]).play().await;
    is_back_from_the_dark(&story);
    let [a, b] = moves(&story);
    assert_eq!((&a["verdict"], &a["gate"]["verdict"]), (&json!("Unhealthy"), &json!("DarkUnhealthy")));
    assert_eq!(
        (&b["verdict"], &b["reason"]),
        (&json!("Inconclusive"), &json!("given up with a, which failed"))
    );
    assert_eq!(story.row("release#next", "head")["failed"], "a");
}

#[tokio::test(start_paused = true)]
async fn what_is_bad_in_production_takes_the_others_back_while_their_old_tasks_run() {
    let story = story(AnswersBadly, &[("a", SLOW), ("b", SLOW)], &[("b", "live")]).play().await;
    assert_eq!(story.end("next"), "RolledBack");
    let [a, b] = moves(&story);
    assert_eq!(
        (&a["verdict"], &a["reason"]),
        (&json!("Inconclusive"), &json!("given up with b, which failed"))
    );
    assert_eq!(b["verdict"], "Unhealthy");
    assert!(a["undoVerdict"] == "Healthy" && b["undoVerdict"] == "Healthy");
    assert_eq!(calls(&story), [2, 2, 2], "nothing had to start anew");
}

#[tokio::test(start_paused = true)]
async fn a_gate_that_is_about_to_give_up_takes_its_wave_back() {
    let brief = Shifting { gate: 100_000, ..SLOW };
    let story = story(Completes, &[("a", SLOW), ("b", brief)], &[]).play().await;
    is_back_from_the_dark(&story);
    assert!(story.evidence("shop/a", "next", "dev")["quarantine"].is_null());
}

#[tokio::test(start_paused = true)]
async fn traffic_that_somebody_lets_on_too_early_takes_the_wave_back() {
    let helped = Shifting { somebody: Some((1, "CONTINUE")), ..SLOW };
    let story = story(Completes, &[("a", helped), ("b", SLOW)], &[]).play().await;
    assert_eq!(story.end("next"), "RolledBack");
    let [a, b] = moves(&story);
    assert_eq!((&a["shiftedBy"], &a["blameless"]), (&json!("other"), &json!(true)), "{a}");
    assert!(b["shifted"].is_null() && a["undoVerdict"] == "Healthy", "{a} {b}");
    assert!(story.evidence("shop/a", "next", "dev")["quarantine"].is_null());
}

#[tokio::test(start_paused = true)]
async fn a_service_that_rolls_is_done_before_the_others_take_their_traffic() {
    for shifting in ["a", "b"] {
        let story = story(Completes, &[(shifting, SLOW)], &[]).play().await;
        assert_eq!((story.end("next").as_str(), calls(&story)), ("Deployed", [1, 0, 2]));
    }
}

#[tokio::test(start_paused = true)]
async fn a_release_that_is_stopped_while_it_waits_at_a_gate_gives_it_back() {
    let stop = ask("stop", "dev", json!({"mode": "abort", "release": "next"}));
    let story = story(Completes, &[("a", SLOW), ("b", SLOW)], &[]).at(90, stop).play().await;
    is_back_from_the_dark(&story);
    let [a, _] = moves(&story);
    assert_eq!((&a["gate"]["verdict"], &a["undoVerdict"]), (&json!("DarkHealthy"), &json!("Healthy")), "{a}");
}
