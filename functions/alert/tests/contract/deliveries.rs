//! What was delivered already, and what is still to be.

use alert::delivery::{Delivery, Status};
use alert::port::http::Answer;
use serde_json::{Value, json};
use testbed::recorded;

use crate::channels::everywhere;
use crate::fixture::Fixture;
use crate::requests::{request, tell};

#[tokio::test]
async fn a_failing_channel_stops_no_other_and_is_come_back_to() {
    let mut fixture = Fixture { sns_down: true, ..Fixture::with_webhook() };
    let first = request(&mut fixture, "RolledBack");
    let response = tell(&fixture, &first).await.unwrap();
    assert_eq!((response.delivered, response.later), (vec!["webhook".to_owned()], vec!["sns".to_owned()]));
    assert_eq!(fixture.sent(), (0, 1));
    assert_eq!(fixture.deliveries.borrow()["sns"].status, Status::Due);
    let (name, input) = fixture.followed.borrow()[0].clone();
    assert!(name.starts_with("follow-") && name.len() == 39, "{name}");
    // The topic works again; the call that comes back tells what is missing, and nothing else.
    let input: Value = serde_json::from_str(&input).unwrap();
    assert_eq!((&input["attempt"], &input["seconds"]), (&json!(1), &json!(60)));
    let again = tell(&fixture, &input).await.unwrap().follow.unwrap();
    assert_eq!((again.attempt, again.seconds), (2, 300));
    fixture.sns_down = false;
    let last = tell(&fixture, serde_json::to_value(again).unwrap()).await.unwrap();
    assert_eq!((last.delivered, last.follow), (vec!["sns".to_owned(), "webhook".to_owned()], None));
    assert_eq!(fixture.sent(), (1, 1));
    tell(&fixture, first).await.unwrap();
    assert_eq!(fixture.sent(), (1, 1));
}

#[tokio::test]
async fn where_nobody_can_come_back_the_machine_tries_again() {
    let mut fixture = Fixture { sns_down: true, no_follower: true, ..Fixture::with_webhook() };
    let first = request(&mut fixture, "RolledBack");
    let fault = tell(&fixture, &first).await.unwrap_err();
    assert_eq!(fault.name(), "Unavailable");
    assert_eq!(fault.to_string(), "the alert was not delivered by sns (could not publish to the topic)");
    fixture.sns_down = false;
    assert_eq!(tell(&fixture, &first).await.unwrap().delivered, ["sns", "webhook"]);
    assert_eq!(fixture.sent(), (1, 1));
}

#[tokio::test]
async fn what_will_never_be_taken_is_told_once_and_kept_by_the_machine() {
    for status in [301, 400, 404] {
        let mut fixture = Fixture { webhook_status: status, ..Fixture::with_webhook() };
        let request = request(&mut fixture, "Deployed");
        for _ in 0..2 {
            let fault = tell(&fixture, &request).await.unwrap_err();
            let expected =
                format!("the alert was not delivered by webhook (it answered with status {status})");
            assert_eq!((fault.name(), fault.to_string()), ("Denied", expected));
        }
        assert_eq!(fixture.sent(), (1, 1));
        assert!(fixture.followed.borrow().is_empty());
        assert_eq!(fixture.deliveries.borrow()["webhook"].status, Status::Failed);
    }
}

#[tokio::test]
async fn each_channel_is_judged_by_its_own_answers() {
    let answer = |status, body: &str, after| Answer { status, body: body.to_owned(), retry_after: after };
    for (host, answer, later) in [
        ("slack.com", answer(200, r#"{"ok":false,"error":"ratelimited"}"#, Some(7)), true),
        ("slack.com", answer(429, "", Some(400)), true),
        ("slack.com", answer(503, "<html>", None), true),
        ("slack.com", answer(200, r#"{"ok":false,"error":"invalid_auth"}"#, None), false),
        ("slack.com", answer(200, "<html>a proxy</html>", None), false),
        ("hooks.slack.com", answer(200, "<html>a proxy</html>", None), false),
        ("hooks.slack.com", answer(404, "no_service", None), false),
        ("events.eu.pagerduty.com", answer(429, "", None), true),
        ("events.eu.pagerduty.com", answer(400, "", None), false),
        ("flows.example.org", answer(502, "", None), true),
        ("api.example.org", answer(410, "", None), false),
        ("sms-voice", answer(500, "", None), true),
        ("sms-voice", answer(400, "", None), false),
    ] {
        let mut fixture = everywhere();
        let request = request(&mut fixture, "NeedsHuman");
        let after = answer.retry_after;
        fixture.answers.insert(host.to_owned(), answer.clone());
        match tell(&fixture, request).await {
            Ok(response) => {
                assert!(later && response.later.len() == 1, "{host} {answer:?}: {response:?}");
                let input: Value = serde_json::from_str(&fixture.followed.borrow()[0].1).unwrap();
                assert_eq!(input["seconds"], after.unwrap_or(0).max(60), "{host} {answer:?}");
            }
            Err(fault) => assert!(!later && fault.name() == "Denied", "{host} {answer:?}: {fault}"),
        }
        let deliveries = fixture.deliveries.borrow();
        let sent = deliveries.values().filter(|delivery| delivery.status == Status::Sent).count();
        assert_eq!(sent, 6, "the others have it: {deliveries:?}");
    }
    let mut silent = everywhere();
    let request = request(&mut silent, "NeedsHuman");
    silent.answers.remove("sms-voice");
    let fault = tell(&silent, request).await.unwrap_err();
    assert!(fault.to_string().contains("the call may have been made"), "{fault}");
}

#[tokio::test]
async fn what_is_overtaken_is_not_told_after_what_is_newer() {
    let mut fixture = everywhere();
    fixture.answers.insert("slack.com".to_owned(), Answer { status: 503, ..Answer::default() });
    let asked = request(&mut fixture, "Refused");
    tell(&fixture, asked).await.unwrap();
    let (_, input) = fixture.followed.borrow()[0].clone();
    let mut input: Value = serde_json::from_str(&input).unwrap();
    // Meanwhile the release was told otherwise.
    let ended = request(&mut fixture, "NeedsHuman");
    fixture.answers.insert("slack.com".to_owned(), everywhere().answers["slack.com"].clone());
    tell(&fixture, ended).await.unwrap();
    input["request"]["at"] = "2026-11-23T09:59:00Z".into();
    let before = fixture.posted.borrow().len();
    let response = tell(&fixture, input).await.unwrap();
    assert_eq!((response.delivered, response.follow), (Vec::new(), None));
    assert_eq!(fixture.posted.borrow().len(), before);
}

#[tokio::test]
async fn each_end_is_told_although_an_earlier_message_was_delivered() {
    let mut fixture = Fixture::default();
    let asked = request(&mut fixture, "WaitingForApproval");
    fixture.report.as_mut().unwrap().head.as_mut().unwrap().outcome = None;
    tell(&fixture, &asked).await.unwrap();
    tell(&fixture, &asked).await.unwrap();
    assert_eq!(fixture.sent().0, 1);
    // The plan became smaller, and is asked about again.
    fixture.report.as_mut().unwrap().head.as_mut().unwrap().plan = "another".to_owned();
    tell(&fixture, asked).await.unwrap();
    assert_eq!(fixture.sent().0, 2);
    let ended = request(&mut fixture, "Deployed");
    tell(&fixture, ended).await.unwrap();
    assert_eq!(fixture.sent().0, 3);
}

#[tokio::test]
async fn nobody_is_asked_about_a_release_that_has_ended() {
    let mut fixture = Fixture::default();
    let asked = request(&mut fixture, "WaitingForApproval");
    assert!(tell(&fixture, &asked).await.unwrap().delivered.is_empty());
    assert_eq!(fixture.sent(), (0, 0));
}

#[test]
fn what_an_earlier_version_has_delivered_is_still_known() {
    for rows in recorded::recordings("release#", "alert#") {
        assert!(!rows.is_empty(), "no delivery is recorded");
        let deliveries: Vec<Delivery> = rows.iter().map(recorded::Row::read).collect();
        assert!(deliveries.iter().any(|delivery| delivery.plan.is_some()));
    }
}

/// Every channel, of which only a route for warnings names Slack and the pager.
fn warned() -> Fixture {
    let mut fixture = everywhere();
    let mut document: Value = serde_json::from_str(fixture.settings.as_ref().unwrap()).unwrap();
    document["routes"] = json!([{"severity": "warning", "to": ["chat", "pager"]}]);
    fixture.settings = Some(document.to_string());
    fixture
}

/// The events that the pager got, as their action and what they are about.
fn paged(fixture: &Fixture) -> Vec<(String, String)> {
    let posted = fixture.posted.borrow();
    let events = posted.iter().filter(|posted| posted.path == "v2/enqueue").map(|posted| posted.json());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    events.map(|event| (text(&event["event_action"]), text(&event["dedup_key"]))).collect()
}

#[tokio::test]
async fn who_was_told_a_beginning_hears_the_end_whatever_the_routes_say_of_that() {
    let mut fixture = warned();
    let asked = request(&mut fixture, "WaitingForApproval");
    fixture.report.as_mut().unwrap().head.as_mut().unwrap().outcome = None;
    assert_eq!(tell(&fixture, asked).await.unwrap().delivered, ["chat", "pager"]);
    // The pager is busy when the end is told, and what is open there is not forgotten.
    let ended = request(&mut fixture, "Deployed");
    fixture.answers.insert("events.eu.pagerduty.com".to_owned(), Answer { status: 429, ..Answer::default() });
    let first = tell(&fixture, &ended).await.unwrap();
    assert_eq!((first.delivered, first.later), (vec!["chat".to_owned()], vec!["pager".to_owned()]));
    fixture.answers.remove("events.eu.pagerduty.com");
    assert_eq!(tell(&fixture, &ended).await.unwrap().delivered, ["chat", "pager"]);
    let event = |action: &str| (action.to_owned(), "tidegate/approval/sample".to_owned());
    assert_eq!(paged(&fixture), [event("trigger"), event("resolve"), event("resolve")]);
    assert_eq!(fixture.deliveries.borrow()["pager"].open, None);
    tell(&fixture, &ended).await.unwrap();
    assert_eq!(paged(&fixture).len(), 3);
}

#[tokio::test]
async fn a_question_that_is_answered_meanwhile_is_not_asked_later() {
    let mut fixture = warned();
    fixture.answers.insert("slack.com".to_owned(), Answer { status: 503, ..Answer::default() });
    let asked = request(&mut fixture, "WaitingForApproval");
    let ended = std::mem::take(&mut fixture.report.as_mut().unwrap().head.as_mut().unwrap().outcome);
    assert_eq!(tell(&fixture, asked).await.unwrap().later, ["chat"]);
    let input: Value = serde_json::from_str(&fixture.followed.borrow()[0].1).unwrap();
    fixture.report.as_mut().unwrap().head.as_mut().unwrap().outcome = ended;
    let before = fixture.posted.borrow().len();
    assert_eq!(tell(&fixture, input).await.unwrap(), alert::Response::default());
    assert_eq!(fixture.posted.borrow().len(), before);
}

#[tokio::test]
async fn what_is_critical_and_nobody_knows_where_goes_to_every_place() {
    let mut fixture = everywhere();
    let mut document: Value = serde_json::from_str(fixture.settings.as_ref().unwrap()).unwrap();
    document["routes"] = json!([{"environment": "prod", "service": "payments", "to": ["pager"]}]);
    fixture.settings = Some(document.to_string());
    let unknown = json!({"release": "r1", "outcome": "NeedsHuman", "environment": "", "because": "it died"});
    assert_eq!(tell(&fixture, unknown).await.unwrap().delivered, ["pager"]);
    fixture.deliveries.borrow_mut().clear();
    let refused = json!({"release": "r2", "outcome": "Refused", "environment": "", "because": "no"});
    assert_eq!(tell(&fixture, refused).await.unwrap().delivered, ["sns"]);
}

#[tokio::test]
async fn where_nobody_else_can_be_told_the_topic_is_and_why() {
    let mut fixture = warned();
    let refuses = Answer { status: 400, ..Answer::default() };
    fixture.answers.insert("events.eu.pagerduty.com".to_owned(), refuses);
    let request = request(&mut fixture, "NeedsHuman");
    let fault = tell(&fixture, request).await.unwrap_err();
    assert!(fault.to_string().contains("pager (it answered with status 400)"), "{fault}");
    let told = fixture.published.borrow();
    assert!(told.len() == 1 && told[0].message.contains("This was not delivered by pager"), "{told:?}");
}
