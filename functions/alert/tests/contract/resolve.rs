//! What a release has left to a person, and the release that settles it.

use alert::port::http::Answer;
use pipeline::document;
use serde_json::{Value, json};

use crate::channels::everywhere;
use crate::fixture::Fixture;
use crate::requests::{closed_report, sample, tell};

/// Every channel, of which the pager and Slack hear what is critical.
fn critical() -> Fixture {
    let mut fixture = everywhere();
    let mut document: Value = serde_json::from_str(fixture.settings.as_ref().unwrap()).unwrap();
    document["routes"] = json!([{"severity": "critical", "to": ["chat", "pager"]}]);
    fixture.settings = Some(document.to_string());
    fixture
}

/// A release needs somebody.
async fn needs_human(fixture: &mut Fixture) {
    fixture.report = Some(closed_report());
    let asked = json!({"release": "sample", "outcome": "NeedsHuman", "because": "users cannot be put back"});
    tell(fixture, asked).await.unwrap();
}

/// Another one deploys some services.
async fn deployed(fixture: &mut Fixture, release: &str, services: &[&str]) {
    let mut report = sample("deployed")["report"].take();
    let first = report["moves"][0].clone();
    let moves = services.iter().map(|service| {
        let mut one = first.clone();
        one["service"] = (*service).into();
        one
    });
    report["moves"] = moves.collect();
    report["head"]["services"] = services.iter().map(|service| json!(service)).collect();
    fixture.report = Some(document::read("the report", report).unwrap());
    let asked = json!({"release": release, "outcome": "Deployed", "environment": "staging"});
    tell(fixture, asked).await.unwrap();
}

fn services() -> Vec<String> {
    closed_report().head.unwrap().services.iter().map(ToString::to_string).collect()
}

fn titles(fixture: &Fixture, host: &str) -> Vec<String> {
    let posted = fixture.posted.borrow();
    let ours = posted.iter().filter(|one| {
        one.host == host && !["api/chat.update", "v2/change/enqueue"].contains(&one.path.as_str())
    });
    ours.map(|one| {
        let body = one.json();
        body["text"].as_str().or(body["event_action"].as_str()).unwrap_or_default().to_owned()
    })
    .collect()
}

#[tokio::test]
async fn it_is_over_once_every_service_was_deployed_again_and_those_hear_it_who_heard_the_beginning() {
    let mut fixture = critical();
    needs_human(&mut fixture).await;
    let all = services();
    let (first, others) = all.split_first().unwrap();
    assert!(!others.is_empty());
    deployed(&mut fixture, "r2", &[first]).await;
    assert_eq!(titles(&fixture, "events.eu.pagerduty.com"), ["trigger"], "one service is not all");
    let others: Vec<&str> = others.iter().map(String::as_str).collect();
    deployed(&mut fixture, "r3", &others).await;
    assert_eq!(titles(&fixture, "events.eu.pagerduty.com"), ["trigger", "resolve"]);
    let slack = titles(&fixture, "slack.com");
    assert_eq!(slack.len(), 2, "{slack:#?}");
    assert!(
        slack[1].starts_with("RESOLVED ") && slack[1].contains(": r3 deployed what it left open"),
        "{slack:?}"
    );
    assert!(slack[1].ends_with(" Nothing to do now."), "{slack:?}");
    assert!(fixture.published.borrow().is_empty(), "the topic was told nothing, and hears nothing");
    // It is over once.
    deployed(&mut fixture, "r4", &all.iter().map(String::as_str).collect::<Vec<_>>()).await;
    assert_eq!(titles(&fixture, "events.eu.pagerduty.com").len(), 2);
}

#[tokio::test]
async fn its_own_good_end_is_told_as_such() {
    let mut fixture = critical();
    needs_human(&mut fixture).await;
    let all = services();
    deployed(&mut fixture, "sample", &all.iter().map(String::as_str).collect::<Vec<_>>()).await;
    assert_eq!(titles(&fixture, "events.eu.pagerduty.com"), ["trigger", "resolve"]);
    assert!(titles(&fixture, "slack.com")[1].starts_with("DEPLOYED "));
    assert!(fixture.left.borrow().values().all(|row| row.services.is_empty()));
}

#[tokio::test]
async fn a_channel_that_is_down_hears_later_that_it_is_over() {
    let mut fixture = critical();
    needs_human(&mut fixture).await;
    fixture.answers.insert("slack.com".to_owned(), Answer { status: 503, ..Answer::default() });
    let all = services();
    deployed(&mut fixture, "r2", &all.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let (_, input) = fixture.followed.borrow().last().unwrap().clone();
    let input: Value = serde_json::from_str(&input).unwrap();
    assert_eq!(
        (&input["request"]["release"], &input["request"]["outcome"]),
        (&json!("sample"), &json!("Resolved"))
    );
    fixture.answers.insert("slack.com".to_owned(), everywhere().answers["slack.com"].clone());
    fixture.report = Some(closed_report());
    assert_eq!(tell(&fixture, input).await.unwrap().delivered, ["chat", "pager"]);
    assert!(titles(&fixture, "slack.com").last().unwrap().starts_with("RESOLVED "));
}

#[tokio::test]
async fn what_is_rolled_back_or_refused_settles_nothing() {
    let mut fixture = critical();
    needs_human(&mut fixture).await;
    for outcome in ["RolledBack", "Refused", "Superseded"] {
        let asked = json!({"release": "r2", "outcome": outcome, "environment": "staging"});
        tell(&fixture, asked).await.unwrap();
    }
    assert!(fixture.left.borrow().values().any(|row| !row.services.is_empty()));
    let paged = titles(&fixture, "events.eu.pagerduty.com");
    assert!(!paged.contains(&"resolve".to_owned()), "{paged:?}");
}
