//! What each channel is given, and what it must not be.

use alert::Alert;
use expect_test::expect_file;
use pipeline::clock::Timestamp;
use pipeline::rows::{BETWEEN_FINDINGS, SWEEP_FOUND};
use serde_json::{Value, json};
use standardwebhooks::Webhook;

use crate::fixture::{Fixture, Posted, SECRET, URL};
use crate::requests::{request, sample, tell};

/// A document with one channel of each kind.
fn all() -> Value {
    json!({"channels": {
        "chat": {"type": "slack", "token": "/tidegate/secrets/slack", "channel": "C0123456789"},
        "old": {"type": "slack-webhook", "url": "/tidegate/secrets/slack-url"},
        "office": {"type": "teams", "url": "/tidegate/secrets/teams-url", "details": false},
        "pager": {"type": "pagerduty", "key": "/tidegate/secrets/pd", "region": "eu", "changes": true},
        "api": {"type": "http", "url": "/tidegate/secrets/api-url",
                "secrets": ["/tidegate/secrets/api", "/tidegate/secrets/api-old"]},
        "phone": {"type": "voice", "to": ["/tidegate/secrets/oncall"], "from": "phone-0123", "maxPricePerMinute": "0.50"},
    }})
}

pub fn secrets() -> Vec<(String, String)> {
    let secret = |name: &str, value: &str| (format!("/tidegate/secrets/{name}"), value.to_owned());
    vec![
        secret("slack", "xoxb-c4nary-slack"),
        secret("slack-url", "https://hooks.slack.com/services/c4nary"),
        secret("teams-url", "https://flows.example.org/c4nary?sig=c4nary"),
        secret("pd", "c4nary-pd"),
        secret("api-url", "https://api.example.org/c4nary"),
        secret("api", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"),
        secret("api-old", "c4nary-old-secret"),
        secret("oncall", "+4912345678"),
    ]
}

/// Every channel there is, each of which takes what it is given.
pub fn everywhere() -> Fixture {
    let answer =
        |status, body: &str| alert::port::http::Answer { status, body: body.to_owned(), retry_after: None };
    let answers = [
        ("slack.com", answer(200, r#"{"ok":true,"ts":"1795428000.000100","channel":"C0123456789"}"#)),
        ("hooks.slack.com", answer(200, "ok")),
        ("events.eu.pagerduty.com", answer(202, r#"{"status":"success"}"#)),
        ("sms-voice", answer(200, r#"{"MessageId":"1"}"#)),
    ];
    Fixture {
        settings: Some(all().to_string()),
        secrets: secrets().into_iter().collect(),
        answers: answers.into_iter().map(|(host, answer)| (host.to_owned(), answer)).collect(),
        webhook_status: 200,
        ..Fixture::default()
    }
}

#[tokio::test]
async fn sns_gets_one_message_by_protocol_with_what_subscriptions_filter_by() {
    let mut fixture = Fixture::default();
    let request = request(&mut fixture, "RolledBack");
    assert_eq!(tell(&fixture, request).await.unwrap().delivered, ["sns"]);
    let published = fixture.published.borrow();
    let [publication] = published.as_slice() else { panic!("{published:?}") };
    let mut attributes = publication.attributes.clone();
    attributes.sort();
    let attributes: Vec<(&str, &str)> =
        attributes.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(
        attributes,
        [
            ("environment", "staging"),
            ("outcome", "RolledBack"),
            ("release", "sample"),
            ("severity", "critical")
        ]
    );
    let message: Value = serde_json::from_str(&publication.message).unwrap();
    let protocols: Vec<&String> = message.as_object().unwrap().keys().collect();
    assert_eq!(protocols, ["default", "email", "sms"]);
    assert!(message.as_object().unwrap().values().all(Value::is_string));
}

/// Returns what is posted to each host, and told to a telephone, for one end of a release.
async fn given(case: &str) -> String {
    let mut document = all();
    // All that can be told how far a release is.
    if case == "rolling-back" {
        document["routes"] = json!([{"severity": "info", "to": ["chat", "old", "office", "pager", "api"]}]);
    }
    let fixture = Fixture { settings: Some(document.to_string()), ..everywhere() };
    tell(&fixture, sample(case)).await.unwrap();
    let posted = fixture.posted.borrow();
    let mut shown: Vec<String> = posted
        .iter()
        .map(|Posted { host, path, headers, body }| {
            let body: Value = serde_json::from_str(body).unwrap();
            let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
            format!("POST https://{host}/{path}\n{headers}{body:#}\n")
        })
        .chain(fixture.rung.borrow().iter().map(|call| format!("SendVoiceMessage {call}\n")))
        .collect();
    shown.sort();
    shown.join("\n")
}

#[tokio::test]
async fn each_channel_is_given_what_its_golden_file_says() {
    expect_file!["golden/rolled-back.txt"].assert_eq(&given("rolled-back-crashed").await);
    expect_file!["golden/needs-human.txt"].assert_eq(&given("needs-human").await);
    expect_file!["golden/waiting-for-approval.txt"].assert_eq(&given("waiting-for-approval").await);
    expect_file!["golden/deployed.txt"].assert_eq(&given("deployed").await);
    expect_file!["golden/rolling-back.txt"].assert_eq(&given("rolling-back").await);
}

#[tokio::test]
async fn a_signed_request_is_verified_by_the_library_of_the_specification() {
    let fixture = everywhere();
    // The library takes what is of these minutes alone.
    Alert { port: &fixture }.handle(sample("rolled-back"), Timestamp::now()).await.unwrap();
    let posted = fixture.posted.borrow();
    let api = posted.iter().find(|posted| posted.host == "api.example.org").unwrap();
    let mut headers = http::HeaderMap::new();
    for (name, value) in &api.headers {
        headers.insert(http::HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
    }
    for secret in ["whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "whsec_YzRuYXJ5LW9sZC1zZWNyZXQ="] {
        let webhook = Webhook::new(secret).unwrap();
        webhook.verify(api.body.as_bytes(), &headers).unwrap();
        assert!(webhook.verify(b"{}", &headers).is_err());
    }
}

#[tokio::test]
async fn what_older_documents_name_is_an_api_that_is_told_all() {
    let mut fixture = Fixture::with_webhook();
    let request = request(&mut fixture, "Deployed");
    assert_eq!(tell(&fixture, request).await.unwrap().delivered, ["sns", "webhook"]);
    let posted = fixture.posted.borrow();
    let body = posted[0].json();
    assert_eq!((&body["type"], &body["data"]["outcome"]), (&json!("release.deployed"), &json!("Deployed")));
    assert!(posted[0].headers["webhook-signature"].starts_with("v1,"), "{posted:?}");
}

#[tokio::test]
async fn those_who_may_not_see_details_get_none() {
    let fixture = everywhere();
    tell(&fixture, sample("rolled-back-crashed")).await.unwrap();
    for posted in fixture.posted.borrow().iter() {
        let shows = posted.body.contains("DATABASE_URL is not set");
        let reads = ["slack.com", "hooks.slack.com", "api.example.org"].contains(&posted.host.as_str());
        assert_eq!(shows, reads, "{}", posted.host);
    }
}

#[tokio::test]
async fn a_thread_is_answered_and_its_first_message_says_how_it_stands() {
    let mut fixture = everywhere();
    let asked = request(&mut fixture, "WaitingForApproval");
    fixture.report.as_mut().unwrap().head.as_mut().unwrap().outcome = None;
    tell(&fixture, &asked).await.unwrap();
    fixture.posted.borrow_mut().clear();
    let ended = request(&mut fixture, "RolledBack");
    tell(&fixture, ended).await.unwrap();
    let posted = fixture.posted.borrow();
    let slack: Vec<(&str, Value)> = posted
        .iter()
        .filter(|posted| posted.host == "slack.com")
        .map(|posted| (posted.path.as_str(), posted.json()))
        .collect();
    let [("api/chat.postMessage", reply), ("api/chat.update", root)] = slack.as_slice() else {
        panic!("{slack:?}")
    };
    assert_eq!(
        (&reply["thread_ts"], &root["ts"]),
        (&json!("1795428000.000100"), &json!("1795428000.000100"))
    );
    assert_eq!(reply["text"], root["text"]);
    // The question has woken somebody: its end says that nobody has to answer any more.
    let pager: Vec<Value> =
        posted.iter().filter(|posted| posted.path == "v2/enqueue").map(Posted::json).collect();
    assert_eq!(pager.len(), 1);
    assert_eq!(
        (&pager[0]["event_action"], &pager[0]["dedup_key"]),
        (&json!("resolve"), &json!("tidegate/approval/sample"))
    );
}

#[tokio::test]
async fn nobody_is_woken_when_there_is_nothing_to_do() {
    for (case, events, calls) in [("rolled-back", 0, 0), ("deployed", 0, 0), ("needs-human", 1, 1)] {
        let fixture = everywhere();
        tell(&fixture, sample(case)).await.unwrap();
        let posted = fixture.posted.borrow();
        let paged = posted.iter().filter(|posted| posted.path == "v2/enqueue").count();
        assert_eq!((paged, fixture.rung.borrow().len()), (events, calls), "{case}");
    }
}

#[tokio::test]
async fn a_test_reaches_one_channel_or_all_whatever_the_routes_say() {
    let mut document = all();
    document["routes"] = json!([{"severity": "critical", "environment": "prod", "to": ["pager"]}]);
    let fixture = Fixture { settings: Some(document.to_string()), ..everywhere() };
    let test = json!({"release": "alert-test", "outcome": "Test"});
    let all = tell(&fixture, &test).await.unwrap().delivered;
    assert_eq!(all, ["api", "chat", "office", "old", "pager", "phone", "sns"]);
    let mut one = test;
    one["channel"] = "chat".into();
    assert_eq!(tell(&fixture, one).await.unwrap().delivered, ["chat"]);
    assert!(fixture.deliveries.borrow().is_empty(), "it is no release");
    let posted = fixture.posted.borrow();
    let pager: Vec<Value> =
        posted.iter().filter(|posted| posted.path == "v2/enqueue").map(Posted::json).collect();
    assert_eq!(pager.iter().map(|event| &event["event_action"]).collect::<Vec<_>>(), ["trigger", "resolve"]);
}

#[tokio::test]
async fn whatever_a_release_has_to_tell_each_channel_takes_it() {
    let mut large = sample("needs-human");
    let one = large["report"]["moves"][0].clone();
    large["report"]["moves"] = (0..60).map(|_| one.clone()).collect();
    let lines: Vec<String> = (0..10).map(|_| "\u{1f600}".repeat(200)).collect();
    let mut long = large.clone();
    long["report"]["moves"][0]["bundle"] = json!({"stopped": lines, "logs": lines, "tests": lines});
    // Each finding is a paragraph: many that take no room, and so many characters that no card holds them.
    let short_findings = sweep(&vec!["dev: users has drifted".to_owned(); 100]);
    let long_findings = sweep(&vec!["\u{1f600}".repeat(200); 60]);
    let mut posted = Vec::new();
    for request in [large, long, short_findings, long_findings] {
        let fixture = everywhere();
        assert_eq!(tell(&fixture, request).await.unwrap().delivered.len(), 7);
        posted.append(&mut fixture.posted.borrow_mut());
    }
    for posted in posted {
        let body = posted.json();
        match posted.host.as_str() {
            "slack.com" | "hooks.slack.com" => {
                let blocks = body["blocks"].as_array().unwrap();
                let long = |block: &Value| {
                    block["text"]["text"].as_str().is_some_and(|text| text.chars().count() > 3_000)
                };
                assert!(blocks.len() <= 50 && !blocks.iter().any(long), "{}", blocks.len());
            }
            "flows.example.org" => assert!(posted.body.len() < 28 * 1024, "{}", posted.body.len()),
            "events.eu.pagerduty.com" => assert!(posted.body.len() < 512 * 1024, "{}", posted.body.len()),
            _ => {}
        }
    }
}

/// What a sweep that has found all this tells.
fn sweep(found: &[String]) -> Value {
    let because = format!("{SWEEP_FOUND}{}", found.join(BETWEEN_FINDINGS));
    json!({"release": "sample", "outcome": "NeedsHuman", "because": because, "report": {}})
}

#[tokio::test]
async fn no_secret_gets_out_whatever_happens() {
    let broken = json!({"webhook": {"url": [URL], "secret": SECRET}}).to_string();
    let typing_error = json!({"webhook": {"url": URL, "sekret": SECRET}}).to_string();
    let not_json = format!("{URL} {SECRET}");
    let good = Fixture::with_webhook().settings.unwrap();
    let written =
        json!({"channels": {"chat": {"type": "slack", "token": SECRET, "channel": "C1"}}}).to_string();
    for settings in [good, broken, typing_error, not_json, written, all().to_string()] {
        for webhook_status in [204, 404, 500] {
            let mut fixture = Fixture { settings: Some(settings.clone()), webhook_status, ..everywhere() };
            let request = request(&mut fixture, "NeedsHuman");
            let answer = match tell(&fixture, request).await {
                Ok(answer) => format!("{answer:?} {}", serde_json::to_string(&answer).unwrap()),
                Err(fault) => format!("{fault:?} {fault}"),
            };
            let bodies: Vec<String> = fixture
                .posted
                .borrow()
                .iter()
                .filter(|posted| posted.host != "events.eu.pagerduty.com")
                .map(|posted| posted.body.clone())
                .collect();
            let out = format!(
                "{answer} {:?} {bodies:?} {:?} {:?}",
                fixture.published, fixture.deliveries, fixture.followed
            );
            assert!(!out.contains("c4nary"), "{out}");
        }
    }
}
