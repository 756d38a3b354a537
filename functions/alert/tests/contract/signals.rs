//! What is told of what happens outside of releases: stories in virtual time.

use std::io::Write;

use aws_smithy_types::base64;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::future::join_all;
use pipeline::clock::Timestamp;
use serde_json::{Value, json};

use crate::channels::everywhere;
use crate::fixture::Fixture;
use crate::world::at;

const PROD: &str =
    r#"{"cluster": "prod", "tag": "prod", "alarms": {"users": ["users-5xx"], "*": ["prod-5xx"]}}"#;

/// The topic alone, and one environment.
pub fn prod() -> Fixture {
    let environments = vec![("/tidegate/environments/prod".to_owned(), PROD.to_owned())];
    Fixture { environments, ..Fixture::default() }
}

fn with(document: &Value) -> Fixture {
    Fixture { settings: Some(document.to_string()), ..prod() }
}

fn alarm(name: &str, state: &str, time: &str) -> Value {
    json!({
        "detail-type": "CloudWatch Alarm State Change", "source": "aws.cloudwatch", "region": "eu-west-1",
        "detail": {"alarmName": name, "state": {
            "value": state, "reason": "Threshold Crossed: 1 datapoint [9.0] was greater than the threshold (1.0)",
            "timestamp": format!("2026-11-23T{time}.000+0000")}}
    })
}

/// The alarm that `prod` names, at a moment.
pub fn alarm_at(state: &str, time: Timestamp) -> Value {
    let mut event = alarm("users-5xx", state, "00:00:00");
    event["detail"]["state"]["timestamp"] = time.to_string().into();
    event
}

fn task_died(service: &str, time: &str) -> Value {
    json!({
        "detail-type": "ECS Task State Change", "source": "aws.ecs", "time": format!("2026-11-23T{time}Z"),
        "detail": {
            "clusterArn": "arn:aws:ecs:eu-west-1:123456789012:cluster/prod", "group": format!("service:{service}"),
            "lastStatus": "STOPPED", "stopCode": "EssentialContainerExited",
            "stoppedReason": "Essential container in task exited", "containers": [{"name": "app", "exitCode": 1}]
        }
    })
}

fn steady(service: &str, time: &str) -> Value {
    json!({
        "detail-type": "ECS Service Action", "source": "aws.ecs", "time": format!("2026-11-23T{time}Z"),
        "resources": [format!("arn:aws:ecs:eu-west-1:123456789012:service/prod/{service}")],
        "detail": {"eventType": "INFO", "eventName": "SERVICE_STEADY_STATE"}
    })
}

/// A batch of lines, as a subscription hands it over.
fn lines(from: usize, messages: &[&str]) -> Value {
    let events: Vec<Value> = messages
        .iter()
        .enumerate()
        .map(|(n, text)| json!({"id": format!("{from}-{n}"), "timestamp": 0, "message": text}))
        .collect();
    let batch = json!({
        "messageType": "DATA_MESSAGE", "logGroup": "/ecs/prod/users", "logStream": "app/users/0123456789abcdef",
        "logEvents": events
    });
    packed(&batch)
}

fn packed(batch: &Value) -> Value {
    let mut zip = GzEncoder::new(Vec::new(), Compression::fast());
    zip.write_all(batch.to_string().as_bytes()).unwrap();
    json!({"awslogs": {"data": base64::encode(zip.finish().unwrap())}})
}

pub fn panics() -> Value {
    json!({"logs": [{
        "name": "panic", "group": "/ecs/prod/*", "match": "*panicked at*", "not": "*probe*", "environment": "prod",
        "service": "{container}", "quietMinutes": 15
    }]})
}

#[tokio::test]
async fn an_alarm_is_told_once_and_its_end_once_that_holds() {
    let fixture = prod();
    let red = alarm("users-5xx", "ALARM", "10:00:00");
    assert_eq!(fixture.hear(&red, at("10:00:01")).await.unwrap().said, Some("told"));
    // EventBridge may deliver an event twice, and late.
    assert_eq!(fixture.hear(&red, at("10:00:09")).await.unwrap().said, Some("it was heard before"));
    fixture.hear(&alarm("users-5xx", "OK", "10:05:00"), at("10:05:01")).await.unwrap();
    fixture.until(at("10:06:59")).await;
    assert_eq!(fixture.titles().len(), 1);
    fixture.until(at("10:07:10")).await;
    assert_eq!(
        fixture.titles(),
        [
            "ALARM users in prod: alarm users-5xx: Threshold Crossed: 1 datapoint [9.0] was greater than the threshold \
             (1.0). Look when you can.",
            "RESOLVED ALARM users in prod: the alarm users-5xx is OK again; it has lasted 7 min 1 s. Nothing to do now."
        ]
    );
    fixture.until(at("23:00:00")).await;
    assert_eq!((fixture.titles().len(), fixture.coming_back()), (2, 0), "nobody comes back for nothing");
}

#[tokio::test]
async fn an_alarm_that_flaps_is_told_twice_in_all() {
    let fixture = prod();
    for minute in 0..30 {
        fixture.until(at(&format!("10:{minute:02}:00"))).await;
        let (red, ok) = (format!("10:{minute:02}:00"), format!("10:{minute:02}:30"));
        fixture.hear(&alarm("users-5xx", "ALARM", &red), at(&red)).await.unwrap();
        fixture.until(at(&ok)).await;
        fixture.hear(&alarm("users-5xx", "OK", &ok), at(&ok)).await.unwrap();
    }
    fixture.until(at("12:00:00")).await;
    let titles = fixture.titles();
    assert_eq!(titles.len(), 2, "{titles:#?}");
    assert!(titles[1].starts_with("RESOLVED ALARM users in prod: "), "{titles:#?}");
    assert_eq!(fixture.coming_back(), 0);
}

#[tokio::test]
async fn events_that_come_in_another_order_tell_no_more() {
    let fixture = prod();
    let (red, ok) = (alarm("users-5xx", "ALARM", "10:00:00"), alarm("users-5xx", "OK", "10:01:00"));
    // The end comes first, since the beginning was tried again: it is over by then.
    assert_eq!(fixture.hear(&ok, at("10:01:01")).await.unwrap().said, Some("nothing is open"));
    assert_eq!(fixture.hear(&red, at("10:01:02")).await.unwrap().said, Some("it is over by now"));
    assert!(fixture.titles().is_empty() && fixture.coming_back() == 0);
    let again = alarm("users-5xx", "ALARM", "10:02:00");
    assert_eq!(fixture.hear(&again, at("10:02:00")).await.unwrap().said, Some("told"));
    // The end of an earlier beginning says nothing of a later one.
    fixture.hear(&alarm("users-5xx", "OK", "10:01:30"), at("10:03:00")).await.unwrap();
    fixture.until(at("11:00:00")).await;
    assert_eq!(fixture.titles().len(), 1);
    fixture.hear(&alarm("users-5xx", "OK", "11:00:00"), at("11:00:00")).await.unwrap();
    fixture.until(at("11:03:00")).await;
    // A beginning from before the end, which comes after it.
    let late = alarm("users-5xx", "ALARM", "10:59:00");
    assert_eq!(fixture.hear(&late, at("11:04:00")).await.unwrap().said, Some("it is over by now"));
    assert_eq!(fixture.titles().len(), 2);
}

#[tokio::test]
async fn what_stays_open_is_told_again_after_four_hours() {
    let fixture = prod();
    fixture.hear(&alarm("users-5xx", "ALARM", "10:00:00"), at("10:00:00")).await.unwrap();
    fixture.until(at("13:59:00")).await;
    assert_eq!(fixture.titles().len(), 1);
    fixture.until(at("14:05:00")).await;
    let titles = fixture.titles();
    assert_eq!(titles.len(), 2);
    assert!(titles[1].starts_with("STILL ALARM users in prod: alarm users-5xx: "), "{titles:#?}");
    assert!(titles[1].ends_with("it has lasted 4 h 0 min. Look when you can."), "{titles:#?}");
}

#[tokio::test]
async fn an_alarm_that_nobody_names_or_that_is_muted_is_not_told() {
    let fixture = prod();
    let mut muted = alarm("users-5xx", "ALARM", "10:00:00");
    muted["detail"]["state"]["actionsSuppressedBy"] = "Alarm".into();
    let unknown = alarm("users-5xx", "INSUFFICIENT_DATA", "10:00:00");
    for event in [alarm("somebody-elses", "ALARM", "10:00:00"), muted, unknown] {
        assert_eq!(fixture.hear(&event, at("10:00:00")).await.unwrap().said, Some("none of ours"));
    }
    assert!(fixture.titles().is_empty());
    let named =
        with(&json!({"alarms": [{"name": "somebody-*", "environment": "prod", "severity": "critical"}]}));
    named.hear(&alarm("somebody-elses", "ALARM", "10:00:00"), at("10:00:00")).await.unwrap();
    assert!(named.titles()[0].starts_with("ALARM alarm somebody-elses in prod: "), "{:?}", named.titles());
    assert!(named.titles()[0].ends_with("Act now."));
}

#[tokio::test]
async fn while_a_release_judges_an_alarm_nobody_is_told_beside_it() {
    let fixture = prod();
    fixture.lease("users", "r1", "09:55:00");
    let red = alarm("users-5xx", "ALARM", "10:00:00");
    assert_eq!(fixture.hear(&red, at("10:00:00")).await.unwrap().said, Some("a release sees to it"));
    fixture.until(at("10:20:00")).await;
    assert!(fixture.titles().is_empty());
    // The release rolled back, and the alarm is quiet again: that was it.
    fixture.world.leases.borrow_mut().clear();
    fixture.hear(&alarm("users-5xx", "OK", "10:20:00"), at("10:20:00")).await.unwrap();
    fixture.until(at("12:00:00")).await;
    assert!(fixture.titles().is_empty());
    assert_eq!(fixture.coming_back(), 0);
}

#[tokio::test]
async fn an_alarm_that_is_still_red_after_the_release_is_told_then() {
    for (ends, told) in [(Some("10:20:00"), "10:23:00"), (None, "11:03:00")] {
        let fixture = prod();
        fixture.lease("users", "r1", "09:55:00");
        fixture.hear(&alarm("users-5xx", "ALARM", "10:00:00"), at("10:00:00")).await.unwrap();
        if let Some(ends) = ends {
            fixture.until(at(ends)).await;
            fixture.world.leases.borrow_mut().clear();
        }
        // A release that died holds its leases until somebody sees to that: after an hour it is told nevertheless.
        fixture.until(at(told)).await;
        assert_eq!(fixture.titles().len(), 1, "{ends:?}");
        assert!(fixture.titles()[0].starts_with("ALARM users in prod: "));
    }
}

#[tokio::test]
async fn an_alarm_that_no_move_watches_is_told_although_a_release_runs() {
    let fixture = with(&json!({"alarms": [{"name": "disk", "environment": "prod", "service": "users"}]}));
    fixture.lease("users", "r1", "09:55:00");
    fixture.hear(&alarm("disk", "ALARM", "10:00:00"), at("10:00:00")).await.unwrap();
    assert_eq!(fixture.titles().len(), 1);
}

#[tokio::test]
async fn a_service_in_trouble_is_one_alert_until_it_is_steady() {
    let fixture = prod();
    for n in 0..5 {
        let time = format!("10:00:{:02}", n * 10);
        fixture.hear(&task_died("users", &time), at(&time)).await.unwrap();
    }
    fixture.hear(&steady("users", "10:02:00"), at("10:02:00")).await.unwrap();
    fixture.hear(&task_died("users", "10:03:00"), at("10:03:00")).await.unwrap();
    fixture.hear(&steady("users", "10:05:00"), at("10:05:00")).await.unwrap();
    fixture.until(at("10:30:00")).await;
    assert_eq!(
        fixture.titles(),
        [
            "TASK DIED users in prod: app exited with 1: Essential container in task exited. Look when you can.",
            "RESOLVED TASK DIED users in prod: the service is steady again; 6 times in 7 min 1 s. Nothing to do now."
        ]
    );
    assert_eq!(fixture.coming_back(), 0);
    // Of a cluster that is no environment nobody hears, and of a release that runs only the release tells.
    let mut other = task_died("users", "10:40:00");
    other["detail"]["clusterArn"] = "arn:aws:ecs:eu-west-1:123456789012:cluster/other".into();
    assert_eq!(fixture.hear(&other, at("10:40:00")).await.unwrap().said, Some("none of ours"));
    fixture.lease("users", "r1", "09:55:00");
    let judged = fixture.hear(&task_died("users", "10:41:00"), at("10:41:00")).await.unwrap();
    assert_eq!((judged.said, fixture.titles().len()), (Some("a release sees to it"), 2));
}

#[tokio::test]
async fn trouble_that_nobody_ends_is_over_after_a_quiet_hour() {
    let fixture = prod();
    fixture.hear(&task_died("users", "10:00:00"), at("10:00:00")).await.unwrap();
    fixture.hear(&task_died("users", "10:30:00"), at("10:30:00")).await.unwrap();
    fixture.until(at("11:29:00")).await;
    assert_eq!(fixture.titles().len(), 1);
    fixture.until(at("11:32:00")).await;
    assert!(
        fixture.titles()[1].contains("it has not happened since; 2 times in 1 h 30 min"),
        "{:?}",
        fixture.titles()
    );
    // The next time is another alert.
    fixture.hear(&task_died("users", "12:00:00"), at("12:00:00")).await.unwrap();
    assert_eq!(fixture.titles().len(), 3);
}

#[tokio::test]
async fn ten_thousand_equal_lines_at_once_are_one_alert_with_a_count() {
    let fixture = with(&panics());
    let texts: Vec<String> =
        (0..50).map(|n| format!("thread 'main' panicked at src/main.rs:{n}:5: order {n}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let batches: Vec<Value> = (0..200).map(|from| lines(from, &texts)).collect();
    let heard = join_all(batches.iter().map(|batch| fixture.hear(batch, at("10:00:00")))).await;
    assert!(heard.iter().all(Result::is_ok), "{:?}", heard.iter().find(|one| one.is_err()));
    assert_eq!(fixture.titles().len(), 1, "{:#?}", fixture.titles());
    // A batch that comes again is not counted again.
    fixture.hear(&batches[7], at("10:00:30")).await.unwrap();
    fixture.until(at("10:20:00")).await;
    assert_eq!(
        fixture.titles()[1],
        "RESOLVED LOG users in prod: it has not happened since; 10000 times in 15 min 1 s. Nothing to do now."
    );
    assert!(fixture.titles()[0].starts_with("LOG users in prod: thread 'main' panicked at src/main.rs:"));
}

#[tokio::test]
async fn a_rule_that_wants_several_lines_tells_none_before() {
    let mut document = panics();
    document["logs"][0]["count"] = 5.into();
    document["logs"][0]["withinSeconds"] = 60.into();
    let fixture = with(&document);
    let panic = ["thread 'main' panicked at src/main.rs:1:5"];
    for (n, time) in
        ["10:00:00", "10:00:10", "10:02:00", "10:02:20", "10:02:30", "10:02:35"].iter().enumerate()
    {
        fixture.hear(&lines(n, &panic), at(time)).await.unwrap();
        assert!(fixture.titles().is_empty(), "{time}");
    }
    fixture.hear(&lines(9, &panic), at("10:02:45")).await.unwrap();
    assert!(fixture.titles()[0].contains("; 5 times. "), "{:?}", fixture.titles());
    // What a rule leaves out, and the function's own log, is nothing to tell.
    let probe = lines(10, &["probe panicked at nothing"]);
    assert_eq!(fixture.hear(&probe, at("10:03:00")).await.unwrap().said, Some("nothing to tell"));
    let own = packed(&json!({"messageType": "DATA_MESSAGE", "logGroup": "/aws/lambda/own", "logEvents": []}));
    assert_eq!(fixture.hear(&own, at("10:03:00")).await.unwrap().said, Some("its own log"));
    let control = packed(&json!({"messageType": "CONTROL_MESSAGE", "logGroup": "", "logEvents": []}));
    assert_eq!(fixture.hear(&control, at("10:03:00")).await.unwrap().said, Some("nothing to tell"));
}

#[tokio::test]
async fn when_too_much_happens_at_once_it_is_told_as_one() {
    let fixture = prod();
    let died: Vec<Value> = (0..100).map(|n| task_died(&format!("s{n}"), "10:00:00")).collect();
    for heard in join_all(died.iter().map(|event| fixture.hear(event, at("10:00:00")))).await {
        heard.unwrap();
    }
    let titles = fixture.titles();
    let stormy = titles.iter().filter(|title| title.starts_with("MANY ALERTS in prod: ")).count();
    assert_eq!((titles.len(), stormy), (21, 1), "{titles:#?}");
    // Who was not told that it began is not told that it is over.
    fixture.until(at("11:30:00")).await;
    let ends = fixture.titles().iter().filter(|title| title.starts_with("RESOLVED ")).count();
    assert_eq!(ends, 21, "{:#?}", fixture.titles());
    assert!(fixture.titles().iter().any(|title| title.starts_with("RESOLVED MANY ALERTS in prod: ")));
}

#[tokio::test]
async fn a_storm_hides_neither_what_is_graver_nor_what_is_of_another_source() {
    let fixture = with(&json!({"alarms": [
        {"name": "disk-*", "environment": "prod", "severity": "critical"},
        {"name": "cpu-*", "environment": "prod"},
    ]}));
    for n in 0..30 {
        fixture.hear(&task_died(&format!("s{n}"), "10:00:00"), at("10:00:00")).await.unwrap();
        fixture.hear(&alarm(&format!("cpu-{n}"), "ALARM", "10:00:00"), at("10:00:00")).await.unwrap();
    }
    fixture.hear(&alarm("disk-1", "ALARM", "10:00:10"), at("10:00:10")).await.unwrap();
    let titles = fixture.titles();
    let begin = |words: &str| titles.iter().filter(|title| title.starts_with(words)).count();
    assert_eq!(
        (begin("TASK DIED"), begin("ALARM alarm cpu-"), begin("MANY ALERTS")),
        (20, 20, 2),
        "{titles:#?}"
    );
    assert_eq!(begin("ALARM alarm disk-1"), 1);
    assert!(
        titles
            .iter()
            .filter(|title| title.starts_with("MANY"))
            .all(|title| title.ends_with("Look when you can."))
    );
    // Those that it has hidden are told later if they are still open, and not all at once.
    fixture.until(at("14:00:00")).await;
    let hidden = |fixture: &Fixture| {
        fixture.titles().iter().filter(|title| title.starts_with("ALARM alarm cpu-")).count()
    };
    assert_eq!(hidden(&fixture), 20);
    fixture.until(at("16:00:00")).await;
    assert!((21..30).contains(&hidden(&fixture)), "{}", hidden(&fixture));
    fixture.until(at("18:10:00")).await;
    assert_eq!(hidden(&fixture), 30);
}

#[tokio::test]
async fn what_nothing_ends_any_more_somebody_closes() {
    let fixture = prod();
    fixture.hear(&alarm("users-5xx", "ALARM", "10:00:00"), at("10:00:00")).await.unwrap();
    let close = json!({"close": "alarm/users-5xx"});
    assert_eq!(fixture.hear(&close, at("10:30:00")).await.unwrap().said, Some("told"));
    assert_eq!(fixture.hear(&close, at("10:31:00")).await.unwrap().said, Some("nothing is open"));
    assert!(
        fixture.titles()[1].starts_with("RESOLVED ALARM users in prod: somebody closed it"),
        "{:?}",
        fixture.titles()
    );
    fixture.until(at("15:00:00")).await;
    assert_eq!((fixture.titles().len(), fixture.coming_back()), (2, 0));
}

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
async fn a_release_that_died_hides_no_trouble_for_longer_than_an_hour() {
    let fixture = prod();
    fixture.lease("users", "r1", "08:00:00");
    fixture.hear(&task_died("users", "10:00:00"), at("10:00:00")).await.unwrap();
    assert_eq!(fixture.titles().len(), 1);
    // An alarm that goes red again and again under it is told after an hour all the same.
    let fixture = prod();
    fixture.lease("users", "r1", "10:00:00");
    for minute in [0, 20, 40, 59] {
        let (red, ok) = (format!("10:{minute:02}:00"), format!("10:{minute:02}:30"));
        fixture.until(at(&red)).await;
        fixture.hear(&alarm("users-5xx", "ALARM", &red), at(&red)).await.unwrap();
        if minute < 59 {
            fixture.hear(&alarm("users-5xx", "OK", &ok), at(&ok)).await.unwrap();
        }
    }
    fixture.until(at("12:02:00")).await;
    assert_eq!(fixture.titles().len(), 1, "{:?}", fixture.titles());
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
async fn a_document_that_cannot_be_read_any_more_is_told_until_it_can() {
    let changed = |name: &str, time: &str| {
        json!({
            "detail-type": "Parameter Store Change", "source": "aws.ssm", "time": format!("2026-11-23T{time}Z"),
            "detail": {"name": name, "operation": "Update"}
        })
    };
    let path = "/tidegate/environments/prod";
    let mut fixture = prod();
    fixture.environments = vec![(path.to_owned(), r#"{"cluster": "prod", "tg": "prod"}"#.to_owned())];
    fixture.hear(&changed(path, "10:00:00"), at("10:00:00")).await.unwrap();
    fixture.hear(&changed(path, "10:01:00"), at("10:01:00")).await.unwrap();
    fixture.environments = prod().environments;
    fixture.hear(&changed(path, "10:02:00"), at("10:02:00")).await.unwrap();
    fixture.until(at("12:00:00")).await;
    let titles = fixture.titles();
    assert!(titles[0].starts_with("SETTINGS INVALID /tidegate/environments/prod: "), "{titles:#?}");
    assert!(
        titles[1].starts_with("RESOLVED SETTINGS INVALID /tidegate/environments/prod: somebody changed"),
        "{titles:#?}"
    );
    assert_eq!(titles.len(), 2, "that something was changed hears who has a route for it");
    let routes = json!({"routes": [{"severity": "info", "kind": "settings.*", "to": ["sns"]}]});
    fixture.settings = Some(routes.to_string());
    fixture.hear(&changed(path, "12:00:30"), at("12:00:30")).await.unwrap();
    let title = fixture.titles().pop().unwrap();
    assert!(title.starts_with("SETTINGS CHANGED /tidegate/environments/prod: "), "{title}");
    fixture.settings = Some(r#"{"chanels": {}}"#.to_owned());
    fixture.hear(&changed("/tidegate/alerts", "12:01:00"), at("12:01:00")).await.unwrap();
    let title = fixture.titles().pop().unwrap();
    assert!(title.starts_with("SETTINGS INVALID /tidegate/alerts: unknown key \"chanels\": "), "{title}");
    fixture.until(at("13:00:00")).await;
    assert_eq!(fixture.titles().len(), 4, "that something was changed has no end");
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
