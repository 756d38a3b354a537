//! Alarms that go red after a release has ended: what goes back, what does not, and who hears of it.

use std::collections::BTreeSet;

use fleet::fake::End::Completes;
use fleet::machine::{Action, Hand};
use serde_json::{Value, json};

use super::harness::{START, Story, ask, hand, push};

const A: [(&str, &str); 1] = [("dev/a", "shop/a")];
const PAIR: [(&str, &str); 2] = [("dev/c", "shop/c"), ("dev/d", "shop/c")];

/// What a document of an environment says that is guarded.
fn guarded(more: Value) -> Value {
    let mut document = json!({"guardMinutes": 15, "alarms": {"*": ["red"]}});
    document.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({ "dev": document })
}

fn alarm(name: &str, red: bool) -> Action {
    hand(Hand::Alarm(name.to_owned(), red))
}

/// A release that ends as Deployed before five minutes have passed, all of whose alarms are quiet.
fn released(services: &[(&str, &str)], document: Value) -> Story {
    let repository = services[0].1;
    let quiet = ["red", "blue"];
    let story =
        quiet.iter().fold(Story::of(services, document), |story, name| story.at(0, alarm(name, false)));
    story.at(1, push("next", repository, Completes))
}

/// The event of an alarm that went red so many seconds after the beginning.
fn event(id: &str, seconds: i64) -> Value {
    json!({
        "version": "0", "id": id, "detail-type": "CloudWatch Alarm State Change", "source": "aws.cloudwatch",
        "account": "123456789012", "region": "eu-west-1", "resources": [],
        "time": states::moment::text(START + seconds * 1000),
        "detail": {"alarmName": "red", "previousState": {"value": "OK"}, "state": {"value": "ALARM"}}
    })
}

fn told(story: &Story, release: &str) -> Vec<String> {
    let account = story.machine.fake.open();
    let of = account.published.iter().filter(|one| one.release == release);
    let text = |message: &str| serde_json::from_str::<Value>(message).unwrap()["default"].clone();
    of.map(|one| text(&one.text).as_str().unwrap().to_owned()).collect()
}

/// Tells whether all services are as they were before the release.
fn is_back(story: &Story, services: &[&str]) -> bool {
    services.iter().all(|service| story.runs(service, "0"))
}

#[tokio::test(start_paused = true)]
async fn an_alarm_after_a_release_rolls_it_back_and_tells_by_what() {
    let story = released(&PAIR, guarded(json!({}))).at(300, alarm("red", true)).play().await;
    assert_eq!((story.end("next").as_str(), story.end("alarm-1").as_str()), ("Deployed", "Deployed"));
    assert!(is_back(&story, &["dev/c", "dev/d"]));
    assert!(story.pointed("dev/c").last().is_some_and(|at| (300..310).contains(at)));
    let [text] = &told(&story, "alarm-1")[..] else { panic!("it is told once") };
    assert!(
        text.starts_with("ROLLED BACK BY AN ALARM c and d in dev: the alarm red went to ALARM after next"),
        "{text}"
    );
    assert!(text.contains("went to ALARM after next was deployed"), "{text}");
    assert!(text.contains("Nothing to do now.") && text.contains("To go forward: "), "{text}");
    // As after a rollback on request: a hold, and no proof for others; the image itself is not known to be bad.
    assert_eq!(story.row("env#dev", "service#c")["hold:shop/c"]["release"], "alarm-1");
    let evidence = story.evidence("shop/c", "next", "dev");
    assert!(evidence["verified"].is_null() && evidence["quarantine"].is_null(), "{evidence}");
    assert_eq!(story.row("release#next", "guard")["by"], "alarm-1");
    let account = story.machine.fake.open();
    assert_eq!(account.published.last().unwrap().severity, "critical");
}

#[tokio::test(start_paused = true)]
async fn without_guard_minutes_and_after_them_an_alarm_does_nothing() {
    for (document, at) in [(json!({"guardMinutes": 0}), 300), (json!({"guardMinutes": 5}), 700)] {
        let story = released(&A, guarded(document)).at(at, alarm("red", true)).play().await;
        assert_eq!(story.end("alarm-1"), "Ignored");
        assert!(story.runs("dev/a", "next") && told(&story, "alarm-1").is_empty());
    }
    let off = released(&A, guarded(json!({"guardMinutes": 0}))).at(300, alarm("red", true)).play().await;
    assert_eq!(
        off.row("guard#red", "release#next"),
        Value::Null,
        "nothing is written where nothing is guarded"
    );
    // Whoever switches it off does so for what has ended, too.
    let document = json!({"cluster": "dev", "tag": "dev", "alarms": {"*": ["red"]}}).to_string();
    let store = hand(Hand::Store("/tidegate/environments/dev".to_owned(), document));
    let story = released(&A, guarded(json!({}))).at(200, store).at(300, alarm("red", true)).play().await;
    assert_eq!(story.end("alarm-1"), "Ignored");
    // And an alarm that nobody has named for a service is none of its guards.
    let other = released(&A, guarded(json!({}))).at(300, alarm("blue", true)).play().await;
    assert_eq!(other.end("alarm-1"), "Ignored");
}

#[tokio::test(start_paused = true)]
async fn an_alarm_around_the_close_is_never_missed() {
    // With slow answers an alarm may go red after it was seen, and its event come before it is a guard.
    for slow in [0, 2_500] {
        let begin =
            || released(&A, guarded(json!({}))).at(0, hand(Hand::Slow("cloudwatch.DescribeAlarms", slow)));
        let (mut by_judge, mut by_guard) = (0, 0);
        let quiet = begin().play().await;
        let since = quiet.row("guard#red", "release#next")["since"].as_str().unwrap().to_owned();
        let judged = pipeline::clock::Timestamp::parse(&since).unwrap().millis() - START;
        let close = (judged - 1_500..judged + 2_500 + 3 * slow).step_by(400);
        for at in (15_000..judged).step_by(20_000).chain(close) {
            let story = begin().at_ms(at, alarm("red", true)).play().await;
            assert!(is_back(&story, &["dev/a"]), "red at {at} ms: {:?}", story.machine.statuses());
            match (story.end("next").as_str(), story.end("alarm-1").as_str()) {
                ("RolledBack", "Ignored") => by_judge += 1,
                ("Deployed", "Deployed") => by_guard += 1,
                ends => panic!("red at {at} ms: {ends:?}"),
            }
        }
        assert!(by_judge > 3 && by_guard > 3, "{by_judge} {by_guard}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_alarm_that_recovers_before_anything_is_touched_rolls_nothing_back() {
    let mut ends = BTreeSet::new();
    for at in (300_250..304_000).step_by(250) {
        let story = released(&A, guarded(json!({}))).at(300, alarm("red", true));
        let story = story.at_ms(at, alarm("red", false)).play().await;
        let end = story.end("alarm-1");
        assert_eq!(is_back(&story, &["dev/a"]), end == "Deployed", "quiet at {at} ms: {end}");
        if end == "Superseded" {
            assert!(told(&story, "alarm-1")[0].contains("has recovered before anything was touched"));
            assert_eq!(story.row("release#next", "guard"), Value::Null, "another alarm may still act");
        }
        ends.insert(end);
    }
    assert_eq!(ends, ["Deployed", "Ignored", "Superseded"].map(str::to_owned).into());
}

#[tokio::test(start_paused = true)]
async fn of_two_alarms_at_once_one_rolls_back() {
    let documents = [
        json!({"alarms": {"*": ["red", "blue"]}}),
        json!({"alarms": {"c": ["red"], "d": ["blue"]}, "onFailure": "undo-failed"}),
    ];
    for document in documents {
        for later in [0, 300, 900, 1_890, 2_500] {
            let story = released(&PAIR, guarded(document.clone())).at(300, alarm("red", true));
            let story = story.at_ms(300_000 + later, alarm("blue", true)).play().await;
            let mut ends = [story.end("alarm-1"), story.end("alarm-2")];
            ends.sort();
            assert_eq!(ends, ["Deployed", "Superseded"], "{later} ms later: {document}");
            let all = document.get("onFailure").is_none();
            let back = ["dev/c", "dev/d"].into_iter().filter(|one| story.runs(one, "0")).count();
            assert_eq!(back, if all { 2 } else { 1 });
            assert!(story.pointed("dev/c").len() <= 2 && story.pointed("dev/d").len() <= 2);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_somebody_has_deployed_since_stays() {
    let theirs = || hand(Hand::Deploy("dev/a".to_owned(), "shop/a".to_owned()));
    for at in (250_000..250_001).chain((300_200..303_000).step_by(400)) {
        let story = released(&A, guarded(json!({}))).at(300, alarm("red", true));
        let story = story.at_ms(at, theirs()).play().await;
        let end = story.end("alarm-1");
        // Whoever comes after the first touch is told of as after any release.
        let right = ["Superseded", "NeedsHuman", "Refused"].contains(&end.as_str());
        assert!(right || (end == "Deployed" && at > 301_000), "theirs at {at} ms: {end}");
        assert!(!told(&story, "alarm-1").is_empty());
    }
    let story = released(&A, guarded(json!({}))).at(250, theirs()).at(300, alarm("red", true)).play().await;
    assert_eq!(story.end("alarm-1"), "Superseded");
    assert!(told(&story, "alarm-1")[0].contains("somebody has deployed a since"));
    assert_eq!(story.pointed("dev/a").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_newest_of_two_guarded_releases_goes_back() {
    let second = push("second", "shop/a", Completes);
    let story = released(&A, guarded(json!({}))).at(200, second).at(450, alarm("red", true)).play().await;
    assert_eq!((story.end("second").as_str(), story.end("alarm-1").as_str()), ("Deployed", "Deployed"));
    assert!(story.runs("dev/a", "next"), "the one before it is what ran, verified");
    assert_eq!(story.row("release#next", "guard"), Value::Null);
    // Of releases of different services one goes back, and the other one is named.
    let pair = [("dev/a", "shop/a"), ("dev/b", "shop/b")];
    let story = released(&pair, guarded(json!({}))).at(200, push("other", "shop/b", Completes));
    let story = story.at(450, alarm("red", true)).play().await;
    assert!(story.runs("dev/a", "next") && story.runs("dev/b", "0"));
    let text = &told(&story, "alarm-1")[0];
    assert!(text.contains("guards next, too") && text.contains(" runs. Act now.\n"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn an_event_that_comes_twice_or_an_hour_late_does_nothing_more() {
    let story = released(&A, guarded(json!({}))).at(300, alarm("red", true));
    let story = story.at_ms(300_600, Action::Start("twice".to_owned(), event("event-alarm-1", 300)));
    let story = story.at(900, Action::Start("again".to_owned(), event("event-alarm-1", 300)));
    let story = story.at(3_900, Action::Start("late".to_owned(), event("late", 300))).play().await;
    assert_eq!(story.pointed("dev/a").len(), 2);
    let ends = ["alarm-1", "twice", "again", "late"].map(|name| story.end(name));
    assert_eq!(ends.iter().filter(|end| *end == "Deployed").count(), 1, "{ends:?}");
    assert_eq!([&ends[2], &ends[3]], ["Ignored", "Ignored"]);
    let late = released(&A, guarded(json!({"guardMinutes": 120}))).at(300, alarm("blue", true));
    let late = late.at(301, alarm("red", true)).at(302, alarm("red", false));
    let late = late.at(303, hand(Hand::Alarm("red".to_owned(), false)));
    let late = late.at(3_900, Action::Start("late".to_owned(), event("late", 300))).play().await;
    assert_eq!(late.end("late"), "Ignored");
}

#[tokio::test(start_paused = true)]
async fn a_rollback_by_the_guard_is_not_undone_and_what_comes_after_it_is_guarded() {
    let flaps = |story: Story, at: i64| story.at(at, alarm("red", false)).at(at + 60, alarm("red", true));
    let story = released(&A, guarded(json!({}))).at(300, alarm("red", true));
    // Once more, while the rows of the release that was rolled back still stand.
    let story = flaps(story, 440).at(520, push("third", "shop/a", Completes));
    let story = flaps(flaps(story, 740), 900).play().await;
    let ends = ["next", "alarm-1", "alarm-2", "third", "alarm-3", "alarm-4"].map(|name| story.end(name));
    assert_eq!(ends, ["Deployed", "Deployed", "Superseded", "Deployed", "Deployed", "Superseded"]);
    assert!(is_back(&story, &["dev/a"]) && story.pointed("dev/a").len() == 4);
    assert!(told(&story, "alarm-2")[0].contains("next was rolled back by alarm-1 already"));
}

#[tokio::test(start_paused = true)]
async fn a_rollback_on_request_is_not_guarded() {
    let story = released(&A, guarded(json!({}))).at(200, ask("back", "dev", json!({"mode": "rollback"})));
    let story = story.at(400, alarm("red", true)).play().await;
    assert_eq!((story.end("back").as_str(), story.end("alarm-1").as_str()), ("Deployed", "Superseded"));
    assert!(is_back(&story, &["dev/a"]) && story.pointed("dev/a").len() == 2);
}

#[tokio::test(start_paused = true)]
async fn a_freeze_stops_the_guard_and_a_person_is_asked() {
    let story = released(&A, guarded(json!({}))).at(200, ask("frozen", "dev", json!({"mode": "freeze"})));
    let story = story.at(300, alarm("red", true)).play().await;
    assert_eq!(story.end("alarm-1"), "NeedsHuman");
    let text = &told(&story, "alarm-1")[0];
    assert!(text.starts_with("GUARD DECLINED in dev: ") && text.contains("dev is frozen"), "{text}");
    assert!(text.contains(r#"{"environment":"dev","mode":"rollback","reason":"#), "{text}");
    assert!(story.runs("dev/a", "next"));
    // Where nothing is rolled back by itself, the guard freezes the environment.
    let story =
        released(&A, guarded(json!({"onFailure": "freeze"}))).at(300, alarm("red", true)).play().await;
    assert_eq!(
        (story.end("alarm-1").as_str(), &story.row("env#dev", "frozen")["by"]),
        ("NeedsHuman", &json!("alarm-1"))
    );
    assert!(story.runs("dev/a", "next"));
}

#[tokio::test(start_paused = true)]
async fn what_goes_back_is_what_on_failure_and_forward_only_say() {
    let failed = json!({"onFailure": "undo-failed", "alarms": {"c": ["red"]}});
    let story = released(&PAIR, guarded(failed)).at(300, alarm("red", true)).play().await;
    assert!(story.runs("dev/c", "0") && story.runs("dev/d", "next"));
    let all = json!({"alarms": {"c": ["red"]}});
    let story = released(&PAIR, guarded(all)).at(300, alarm("red", true)).play().await;
    assert!(is_back(&story, &["dev/c", "dev/d"]));
    let story =
        released(&PAIR, guarded(json!({"forwardOnly": ["d"]}))).at(300, alarm("red", true)).play().await;
    assert!(story.runs("dev/c", "0") && story.runs("dev/d", "next"));
    let text = &told(&story, "alarm-1")[0];
    assert!(text.contains(" runs. Act now.\n") && text.contains("d is in \"forwardOnly\""), "{text}");
    let story =
        released(&PAIR, guarded(json!({"forwardOnly": ["*"]}))).at(300, alarm("red", true)).play().await;
    assert_eq!(story.end("alarm-1"), "NeedsHuman");
    assert!(story.runs("dev/c", "next"));
}

#[tokio::test(start_paused = true)]
async fn whoever_switches_the_guard_on_has_agreed_to_its_rollbacks() {
    let approve = Action::Answer { name: "yes".to_owned(), mode: "approve", back: 0 };
    let story = released(&A, guarded(json!({"approval": "required"}))).at(60, approve);
    let story = story.at(400, alarm("red", true)).play().await;
    assert_eq!((story.end("next").as_str(), story.end("alarm-1").as_str()), ("Deployed", "Deployed"));
    assert!(is_back(&story, &["dev/a"]));
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_a_person_is_overtaken_by_a_rollback_that_asks_nobody() {
    let approve = Action::Answer { name: "yes".to_owned(), mode: "approve", back: 0 };
    let story = released(&A, guarded(json!({"approval": "required"}))).at(60, approve);
    let story = story.at(350, push("waits", "shop/a", Completes)).at(400, alarm("red", true)).play().await;
    assert_eq!((story.end("alarm-1").as_str(), story.end("waits").as_str()), ("Deployed", "Superseded"));
}

#[tokio::test(start_paused = true)]
async fn an_environment_that_has_taken_the_image_is_named_and_stays() {
    let services = [("dev/a", "shop/a"), ("staging/a", "shop/a")];
    let promoted = guarded(json!({"promote": "auto"}));
    let story = released(&services, promoted.clone()).at(500, alarm("red", true)).play().await;
    assert!(story.runs("dev/a", "0") && story.runs("staging/a", "next"), "there is no cascade");
    let text = &told(&story, "alarm-1")[0];
    assert!(
        text.contains("staging runs the same image in 1 service") && text.contains("Act now: "),
        "{text}"
    );
    // While it is on its way there, it can be ended.
    let mut named = 0;
    for at in [90, 100, 110, 120, 130] {
        let story = released(&services, promoted.clone()).at(at, alarm("red", true)).play().await;
        let told = told(&story, "alarm-1").concat();
        named += u32::from(told.contains("is deploying the same image to staging"));
    }
    assert!(named > 0);
}
