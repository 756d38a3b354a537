//! How far a release is: told to whom a route names, and to nobody once it is old.

use alert::Response;
use alert::delivery::{Delivery, Status};
use alert::kind::AlertKind;
use alert::port::http::Answer;
use pipeline::clock::Timestamp;
use serde_json::{Value, json};

use crate::channels::everywhere;
use crate::fixture::{Fixture, SECRET, URL};
use crate::requests::{request, sample, tell};

/// A document of an API, which is told what a route for everything names.
pub fn asked_for(channel: &str) -> Value {
    json!({"channels": {"webhook": {"type": "http", "url": URL, "secrets": [SECRET]}},
           "routes": [{"severity": "info", "to": [channel]}]})
}

/// A release that goes on, as the ledger has it; `document` says who is told.
fn under_way(document: Option<Value>) -> Fixture {
    let mut fixture = Fixture { settings: document.map(|it| it.to_string()), ..everywhere() };
    request(&mut fixture, "Started");
    let head = fixture.report.as_mut().unwrap().head.as_mut().unwrap();
    (head.outcome, head.rollback) = (None, None);
    fixture
}

/// Every channel, with these routes.
fn routed(routes: Value) -> Fixture {
    let mut document: Value = serde_json::from_str(everywhere().settings.as_ref().unwrap()).unwrap();
    document["routes"] = routes;
    under_way(Some(document))
}

/// Begins to roll back, as the ledger has it.
fn goes_back(fixture: &mut Fixture) {
    let head = fixture.report.as_mut().unwrap().head.as_mut().unwrap();
    head.rollback = Some(pipeline::rows::RollbackScope::All);
}

/// Ends, as the ledger has it.
fn ends(fixture: &mut Fixture) {
    let head = fixture.report.as_mut().unwrap().head.as_mut().unwrap();
    head.outcome = Some(pipeline::rows::Outcome::RolledBack);
}

/// What the machine says that it has come to, at a moment of its own.
fn at(outcome: &str, time: &str) -> Value {
    let mut sample = sample("rolled-back");
    sample.as_object_mut().unwrap().remove("report");
    (sample["outcome"], sample["at"]) = (outcome.into(), time.into());
    sample
}

fn started() -> Value {
    at("Started", "2026-11-23T10:00:00Z")
}

fn rolling_back() -> Value {
    at("RollingBack", "2026-11-23T10:00:05Z")
}

/// The end, which is told at the moment of the call.
fn ended() -> Value {
    let mut sample = sample("rolled-back");
    sample.as_object_mut().unwrap().remove("report");
    sample
}

/// Returns what Slack was asked for: the method, the first line of the message, and whether it is a reply.
fn said_in_slack(fixture: &Fixture) -> Vec<(String, String, bool)> {
    let posted = fixture.posted.borrow();
    let slack = posted.iter().filter(|one| one.host == "slack.com").map(|one| {
        let body = one.json();
        let words = body["text"].as_str().unwrap().split(" payments").next().unwrap().to_owned();
        let words = words.split(" orders").next().unwrap().split(" users").next().unwrap().to_owned();
        (one.path.trim_start_matches("api/").to_owned(), words, !body["thread_ts"].is_null())
    });
    slack.collect()
}

#[tokio::test]
async fn nobody_who_has_not_asked_for_it_is_told_and_nothing_is_read_for_it() {
    for document in [
        None,
        Some(json!({})),
        Some(json!({"webhook": {"url": URL, "secret": SECRET}})),
        Some(json!({"channels": asked_for("webhook")["channels"]})),
        Some(json!({"routes": []})),
        Some(json!({"routes": [{"to": ["sns"]}]})),
        Some(json!({"routes": [{"severity": "info", "kind": "release.deployed", "to": ["sns"]}]})),
        Some(json!({"routes": [{"severity": "info", "environment": "prod", "to": ["sns"]}]})),
        Some(json!({"routes": [{"severity": "info", "to": ["sns"]}, {"severity": "info", "to": ["chat"]}]})),
        Some(json!([])),
    ] {
        for outcome in [started(), rolling_back()] {
            let fixture = under_way(document.clone());
            assert_eq!(tell(&fixture, outcome).await.unwrap(), Response::default(), "{document:?}");
            assert_eq!(fixture.sent(), (0, 0), "{document:?}");
            assert_eq!((fixture.asked_document.get(), fixture.asked_ledger.get()), (1, 0), "{document:?}");
        }
    }
    // Only the ledger knows which services it touches.
    let other = routed(json!([{"severity": "info", "service": "carts", "to": ["sns"]}]));
    assert_eq!(tell(&other, started()).await.unwrap(), Response::default());
    assert_eq!((other.sent(), other.asked_document.get()), ((0, 0), 1));
}

#[tokio::test]
async fn whom_a_route_names_is_told_the_topic_too_and_each_once() {
    let mut fixture = routed(json!([
        {"severity": "info", "kind": "release.*", "service": "users", "to": ["chat", "sns"]},
        {"severity": "info", "kind": "release.rolling_back", "to": ["api", "chat"]},
        {"severity": "warning", "to": ["old"]},
    ]));
    for _ in 0..2 {
        assert_eq!(tell(&fixture, started()).await.unwrap().delivered, ["chat", "sns"]);
        assert_eq!(fixture.sent(), (1, 1), "Lambda may call twice");
    }
    goes_back(&mut fixture);
    for _ in 0..2 {
        assert_eq!(tell(&fixture, rolling_back()).await.unwrap().delivered, ["api", "chat", "sns"]);
        assert_eq!(fixture.sent(), (2, 4), "Lambda may call twice");
    }
    let posted = fixture.posted.borrow();
    let api = posted.iter().find(|posted| posted.host == "api.example.org").unwrap().json();
    assert_eq!(
        (&api["type"], &api["timestamp"]),
        (&json!("release.rolling_back"), &json!("2026-11-23T10:00:05Z"))
    );
    let data = &api["data"];
    assert_eq!(
        (&data["severity"], &data["act"], &data["fates"]),
        (&json!("info"), &json!("none"), &json!({}))
    );
    assert!(
        data["moves"][0]["fate"].is_null() && data["request"].is_null(),
        "nothing has become of it yet: {data}"
    );
}

#[tokio::test]
async fn a_thread_is_opened_by_the_start_and_its_root_says_how_the_release_stands() {
    let mut fixture = routed(json!([{"severity": "info", "kind": "release.*", "to": ["chat"]}]));
    tell(&fixture, started()).await.unwrap();
    goes_back(&mut fixture);
    tell(&fixture, rolling_back()).await.unwrap();
    ends(&mut fixture);
    tell(&fixture, ended()).await.unwrap();
    let said = |method: &str, words: &str, reply| (method.to_owned(), words.to_owned(), reply);
    assert_eq!(
        said_in_slack(&fixture),
        [
            said("chat.postMessage", "STARTED", false),
            said("chat.postMessage", "ROLLING BACK", true),
            said("chat.update", "ROLLING BACK", false),
            said("chat.postMessage", "ROLLED BACK", true),
            said("chat.update", "ROLLED BACK", false),
        ]
    );
}

#[tokio::test]
async fn who_was_told_a_start_hears_the_end_only_in_its_thread() {
    let routes = json!([{"severity": "info", "kind": "release.started", "to": ["chat", "api", "pager", "office", "sns"]}]);
    let mut fixture = routed(routes);
    let everybody = ["api", "chat", "office", "pager", "sns"];
    assert_eq!(tell(&fixture, started()).await.unwrap().delivered, everybody);
    // The thread does not hear of what no route names it for; its end is told there, as that of any thread.
    goes_back(&mut fixture);
    assert_eq!(tell(&fixture, rolling_back()).await.unwrap(), Response::default());
    let head = fixture.report.as_mut().unwrap().head.as_mut().unwrap();
    (head.rollback, head.outcome) = (None, Some(pipeline::rows::Outcome::Deployed));
    let deployed = json!({"release": "sample", "outcome": "Deployed", "environment": "staging"});
    assert_eq!(tell(&fixture, deployed).await.unwrap().delivered, ["chat"]);
}

#[tokio::test]
async fn a_question_that_was_told_is_no_reason_to_tell_how_it_goes_on() {
    let mut fixture = routed(json!([
        {"severity": "warning", "to": ["chat", "pager"]},
        {"severity": "info", "kind": ["release.started", "release.rolling_back"], "to": ["api"]},
    ]));
    let asked = at("WaitingForApproval", "2026-11-23T09:59:00Z");
    assert_eq!(tell(&fixture, asked).await.unwrap().delivered, ["chat", "pager"]);
    assert_eq!(tell(&fixture, started()).await.unwrap().delivered, ["api"]);
    goes_back(&mut fixture);
    assert_eq!(tell(&fixture, rolling_back()).await.unwrap().delivered, ["api"]);
}

#[tokio::test]
async fn what_comes_after_the_end_is_told_to_nobody() {
    let everything = json!([{"severity": "info", "to": ["chat", "api", "sns"]}]);
    for late in [started(), rolling_back()] {
        let mut fixture = routed(everything.clone());
        ends(&mut fixture);
        assert_eq!(tell(&fixture, &late).await.unwrap(), Response::default(), "the head has an outcome");
        assert_eq!(fixture.sent(), (0, 0));
        // It could not be closed, and its end was told to others.
        let mut fixture = routed(json!([
            {"severity": "critical", "to": ["sns"]},
            {"severity": "info", "kind": ["release.started", "release.rolling_back"], "to": ["chat"]},
        ]));
        goes_back(&mut fixture);
        let mut end = ended();
        end["outcome"] = "NeedsHuman".into();
        assert_eq!(tell(&fixture, end).await.unwrap().delivered, ["sns"]);
        assert_eq!(tell(&fixture, &late).await.unwrap(), Response::default(), "its end was told");
        assert_eq!(fixture.sent(), (1, 0));
    }
    // Somebody has it go on after an end: what happens then is news.
    let mut fixture = routed(everything);
    let died = at("NeedsHuman", "2026-11-23T09:58:00Z");
    tell(&fixture, died).await.unwrap();
    assert_eq!(tell(&fixture, started()).await.unwrap().delivered, ["api", "chat", "sns"]);
    goes_back(&mut fixture);
    assert_eq!(tell(&fixture, rolling_back()).await.unwrap().delivered, ["api", "chat", "sns"]);
}

#[tokio::test]
async fn a_start_that_comes_when_it_goes_back_already_is_told_to_nobody() {
    let mut fixture = routed(json!([{"severity": "info", "to": ["chat", "sns"]}]));
    goes_back(&mut fixture);
    // Before that is told, and after it.
    assert_eq!(tell(&fixture, started()).await.unwrap(), Response::default());
    assert_eq!(tell(&fixture, rolling_back()).await.unwrap().delivered, ["chat", "sns"]);
    assert_eq!(tell(&fixture, started()).await.unwrap(), Response::default());
    assert_eq!(fixture.sent(), (1, 1));
    // What was told since is newer in any case.
    let head = fixture.report.as_mut().unwrap().head.as_mut().unwrap();
    head.rollback = None;
    assert_eq!(tell(&fixture, started()).await.unwrap(), Response::default());
    assert_eq!(fixture.sent(), (1, 1));
}

#[tokio::test]
async fn of_two_calls_at_the_same_moment_one_tells_it() {
    let mut fixture = routed(json!([{"severity": "info", "to": ["chat"]}]));
    let recorded = |outcome, time: &str| Delivery {
        outcome,
        plan: None,
        seq: None,
        time: Timestamp::parse(time).unwrap(),
        status: Status::Due,
        error: None,
        thread: None,
        open: None,
    };
    let same = recorded(AlertKind::Started, "2026-11-23T10:00:00Z");
    fixture.meanwhile.replace(Some(same.clone()));
    assert_eq!(tell(&fixture, started()).await.unwrap(), Response::default());
    assert_eq!((fixture.sent(), &fixture.deliveries.borrow()["chat"]), ((0, 0), &same));
    // The end is told beside it, and what is recorded of that stays.
    let end = recorded(AlertKind::NeedsHuman, "2026-11-23T10:00:06Z");
    fixture.deliveries.borrow_mut().clear();
    fixture.meanwhile.replace(Some(end.clone()));
    goes_back(&mut fixture);
    assert_eq!(tell(&fixture, rolling_back()).await.unwrap(), Response::default());
    assert_eq!((fixture.sent(), &fixture.deliveries.borrow()["chat"]), ((0, 0), &end));
}

#[tokio::test]
async fn a_channel_that_cannot_take_it_is_not_come_back_to_and_nobody_else_is_told() {
    let answer = |status, body: &str| Answer { status, body: body.to_owned(), retry_after: None };
    for answer in [answer(503, ""), answer(429, ""), answer(200, r#"{"ok":false,"error":"invalid_auth"}"#)] {
        let mut fixture = routed(json!([{"severity": "info", "to": ["chat", "api"]}]));
        fixture.answers.insert("slack.com".to_owned(), answer);
        assert_eq!(tell(&fixture, started()).await.unwrap().delivered, ["api"]);
        let sent = fixture.sent();
        assert_eq!((sent, fixture.followed.borrow().len()), ((0, 2), 0));
        // Lambda calls again: it was tried.
        tell(&fixture, started()).await.unwrap();
        assert_eq!(fixture.sent(), sent);
        // What follows is told there all the same, and opens the thread.
        fixture.answers.insert("slack.com".to_owned(), everywhere().answers["slack.com"].clone());
        ends(&mut fixture);
        assert_eq!(tell(&fixture, ended()).await.unwrap().delivered, ["api", "chat"]);
        assert_eq!(said_in_slack(&fixture).last().unwrap().0, "chat.postMessage");
    }
}

#[tokio::test]
async fn what_is_not_known_to_be_new_is_dropped_without_an_error() {
    let mut fixture = routed(json!([{"severity": "info", "to": ["chat", "sns"]}]));
    for (all, report) in [(true, false), (false, true)] {
        (fixture.ledger_down, fixture.report_down) = (all, report);
        for outcome in [started(), rolling_back()] {
            assert_eq!(tell(&fixture, outcome).await.unwrap(), Response::default());
        }
    }
    assert_eq!((fixture.sent(), fixture.followed.borrow().len()), ((0, 0), 0));
}

#[tokio::test]
async fn a_channel_that_is_switched_off_leaves_the_topic_alone() {
    let mut fixture = under_way(Some(json!({
        "channels": {"chat": {"type": "slack"}},
        "routes": [{"severity": "info", "to": ["chat"]}],
    })));
    assert_eq!(tell(&fixture, started()).await.unwrap(), Response::default());
    ends(&mut fixture);
    assert_eq!(
        tell(&fixture, ended()).await.unwrap().delivered,
        ["sns"],
        "the end is told there, and the mistake"
    );
    assert_eq!(fixture.sent(), (1, 0));
}

#[tokio::test]
async fn it_wakes_nobody_and_ends_a_question_and_nothing_else() {
    let events = |fixture: &Fixture| -> Vec<(Value, Value)> {
        let posted = fixture.posted.borrow();
        let pager = posted.iter().filter(|one| one.host == "events.eu.pagerduty.com").map(|one| one.json());
        pager.map(|event| (event["event_action"].clone(), event["dedup_key"].clone())).collect()
    };
    let mut fixture = routed(json!([{"severity": "info", "to": ["pager"]}]));
    let mut document: Value = serde_json::from_str(fixture.settings.as_ref().unwrap()).unwrap();
    document["channels"]["pager"]["pages"] = "severity".into();
    fixture.settings = Some(document.to_string());
    tell(&fixture, started()).await.unwrap();
    assert_eq!(events(&fixture), [], "not even where everything wakes somebody");
    assert_eq!(fixture.deliveries.borrow()["pager"].open, None);
    // A question is answered once it has started.
    fixture.deliveries.borrow_mut().clear();
    tell(&fixture, at("WaitingForApproval", "2026-11-23T09:59:00Z")).await.unwrap();
    tell(&fixture, started()).await.unwrap();
    let event = |action: &str, key: &str| (json!(action), json!(format!("tidegate/{key}/sample")));
    assert_eq!(events(&fixture), [event("trigger", "approval"), event("resolve", "approval")]);
    // Whoever has a dead release go on still has to see to it, until it ends.
    fixture.deliveries.borrow_mut().clear();
    fixture.posted.borrow_mut().clear();
    tell(&fixture, at("NeedsHuman", "2026-11-23T09:58:00Z")).await.unwrap();
    goes_back(&mut fixture);
    tell(&fixture, rolling_back()).await.unwrap();
    assert_eq!(events(&fixture), [event("trigger", "release")]);
    assert_eq!(fixture.deliveries.borrow()["pager"].open.as_deref(), Some("release/sample"));
}
