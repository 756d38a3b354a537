//! Who is told: whatever is broken on the way, in the documents, the channels, the ledger or a call.

use serde_json::{Value, json};

use super::{PROD, alarm, lines, prod, task_died, with};
use crate::channels::everywhere;
use crate::fixture::Fixture;
use crate::world::at;

#[tokio::test]
async fn a_mistake_in_a_document_hides_nothing() {
    let mut fixture = prod();
    let path = "/tidegate/environments/prod".to_owned();
    let wrong = PROD.replace(r#""tag": "prod""#, r#""tag": "prod", "frozn": true"#);
    fixture.environments = vec![(path, wrong)];
    fixture.hear(&alarm("users-5xx", "ALARM", "10:00:00"), at("10:00:00")).await.unwrap();
    fixture.hear(&task_died("orders", "10:00:00"), at("10:00:00")).await.unwrap();
    assert_eq!(fixture.titles().len(), 2);
    // A rule that is wrong is told with every alert, and leaves the routes as they are.
    let mut everywhere = everywhere();
    let mut document: Value = serde_json::from_str(everywhere.settings.as_ref().unwrap()).unwrap();
    document["routes"] = json!([{"to": ["chat"]}]);
    document["logs"] = json!([{"name": "panic"}]);
    everywhere.settings = Some(document.to_string());
    everywhere.environments = prod().environments;
    everywhere.hear(&alarm("users-5xx", "ALARM", "10:00:00"), at("10:00:00")).await.unwrap();
    let posted = everywhere.posted.borrow();
    assert_eq!(posted.len(), 1);
    assert!(posted[0].body.contains("logs[0]: missing field `match`"), "{}", posted[0].body);
    assert!(everywhere.published.borrow().is_empty());
}

#[tokio::test]
async fn where_the_rules_cannot_be_read_what_only_they_name_comes_again() {
    let named = with(&json!({"alarms": [{"name": "disk", "environment": "prod", "severity": "critical"}]}));
    named.unread.set(true);
    let red = alarm("disk", "ALARM", "10:00:00");
    assert_eq!(named.hear(&red, at("10:00:00")).await.unwrap_err().name(), "Unavailable");
    assert!(named.hear(&lines(0, &["x"]), at("10:00:00")).await.is_err());
    // What needs no rule is told.
    named.hear(&task_died("users", "10:00:00"), at("10:00:00")).await.unwrap();
    assert!(named.titles()[0].starts_with("TASK DIED users in prod"), "{:?}", named.titles());
    named.unread.set(false);
    named.hear(&red, at("10:01:00")).await.unwrap();
    assert!(named.titles()[1].ends_with("Act now."), "{:?}", named.titles());
}

#[tokio::test]
async fn a_channel_that_is_down_hears_later_and_one_that_refuses_is_kept() {
    let mut fixture = Fixture { sns_down: true, ..prod() };
    fixture.hear(&alarm("users-5xx", "ALARM", "10:00:00"), at("10:00:00")).await.unwrap();
    fixture.until(at("10:05:00")).await;
    assert!(fixture.titles().is_empty());
    fixture.sns_down = false;
    fixture.until(at("10:12:00")).await;
    assert_eq!(fixture.titles().len(), 1);
    assert!(fixture.world.kept.borrow().is_empty());
    let mut chat = everywhere();
    chat.environments = prod().environments;
    chat.answers.insert(
        "slack.com".to_owned(),
        alert::port::http::Answer {
            status: 200,
            body: r#"{"ok":false,"error":"invalid_auth"}"#.to_owned(),
            retry_after: None,
        },
    );
    chat.hear(&alarm("users-5xx", "ALARM", "10:00:00"), at("10:00:00")).await.unwrap();
    chat.until(at("12:00:00")).await;
    let kept = chat.world.kept.borrow();
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert_eq!(kept[0]["notDeliveredBy"], "chat (Slack answered invalid_auth)");
    assert_eq!(chat.titles().len(), 1, "the topic has it once");
}

#[tokio::test]
async fn the_end_goes_to_who_was_told_the_beginning_and_wakes_nobody() {
    let mut fixture = everywhere();
    fixture.environments = prod().environments;
    let mut document: Value = serde_json::from_str(fixture.settings.as_ref().unwrap()).unwrap();
    document["alarms"] =
        json!([{"name": "users-5xx", "environment": "prod", "service": "users", "severity": "critical"}]);
    document["channels"]["phone"]["pages"] = "severity".into();
    fixture.settings = Some(document.to_string());
    fixture.hear(&alarm("users-5xx", "ALARM", "10:00:00"), at("10:00:00")).await.unwrap();
    fixture.hear(&alarm("users-5xx", "OK", "10:05:00"), at("10:05:00")).await.unwrap();
    fixture.until(at("10:10:00")).await;
    assert_eq!(fixture.rung.borrow().len(), 1);
    let posted = fixture.posted.borrow();
    let paged: Vec<Value> =
        posted.iter().filter(|one| one.path == "v2/enqueue").map(|one| one.json()).collect();
    let actions: Vec<&Value> = paged.iter().map(|event| &event["event_action"]).collect();
    assert_eq!(actions, ["trigger", "resolve"]);
    assert_eq!(paged[0]["dedup_key"], "tidegate/123456789012/eu-west-1/tidegate/alarm/users-5xx");
    assert_eq!(paged[0]["dedup_key"], paged[1]["dedup_key"]);
    let slack: Vec<&str> =
        posted.iter().filter(|one| one.host == "slack.com").map(|one| one.path.as_str()).collect();
    assert_eq!(slack, ["api/chat.postMessage", "api/chat.postMessage", "api/chat.update"]);
    let ids: Vec<&String> = posted
        .iter()
        .filter(|one| one.host == "api.example.org")
        .map(|one| &one.headers["webhook-id"])
        .collect();
    assert!(ids.len() == 2 && ids[0] != ids[1], "{ids:?}");
}

#[tokio::test]
async fn whatever_ends_a_call_in_its_middle_the_alert_is_told_and_resolved() {
    // The row stands, and nobody has been told: the one that comes back does.
    for lost in 1..4 {
        let fixture = Fixture { sns_down: false, ..prod() };
        fixture.world.lost.set(lost);
        fixture.hear(&alarm("users-5xx", "ALARM", "10:00:00"), at("10:00:00")).await.unwrap();
        fixture.world.lost.set(0);
        fixture.until(at("10:20:00")).await;
        assert_eq!(fixture.titles().len(), 1, "each channel knows that it has it");
        fixture.hear(&alarm("users-5xx", "OK", "10:20:00"), at("10:20:00")).await.unwrap();
        fixture.until(at("15:00:00")).await;
        assert_eq!((fixture.titles().len(), fixture.coming_back()), (2, 0));
    }
    // Nobody can be started who comes back: the event is an error, and comes again.
    let mut fixture = Fixture { no_follower: true, ..prod() };
    let red = alarm("users-5xx", "ALARM", "10:00:00");
    assert!(fixture.hear(&red, at("10:00:00")).await.is_err());
    fixture.no_follower = false;
    fixture.hear(&red, at("10:01:00")).await.unwrap();
    assert_eq!(fixture.titles().len(), 1);
}

#[tokio::test]
async fn an_alert_that_stays_open_for_days_is_handed_from_one_execution_to_the_next() {
    let fixture = prod();
    fixture.hear(&alarm("users-5xx", "ALARM", "10:00:00"), at("10:00:00")).await.unwrap();
    fixture.until(at("10:00:00").plus_seconds(3 * 24 * 3600)).await;
    let names: Vec<String> = fixture.followed.borrow().iter().map(|(name, _)| name.clone()).collect();
    assert!((3..=4).contains(&names.len()), "{names:?}");
    assert_eq!(fixture.coming_back(), 1);
    assert_eq!(fixture.titles().len(), 1 + 6, "{:#?}", fixture.titles());
}
