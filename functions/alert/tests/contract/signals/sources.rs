//! Services in ECS, lines of logs, and documents: each is one alert until it is over.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{lines, packed, panics, prod, steady, task_died, with};
use crate::world::at;

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
async fn each_line_is_counted_once_by_a_rule_that_wants_several() {
    let mut document = panics();
    document["logs"][0]["count"] = 25.into();
    let panic = "thread 'main' panicked at src/main.rs:1:5";
    // Each batch has another length, so that one that is counted twice, or not, is seen.
    let batches: Vec<Value> = (0..12).map(|n| lines(n, &vec![panic; 1 << n.min(8)])).collect();
    let total: u64 = (0..12).map(|n| 1 << n.min(8)).sum();
    for seed in 0..100_u64 {
        let fixture = with(&document);
        fixture.world.seed.set((seed * 2 + 1) << 40);
        for heard in join_all(batches.iter().map(|batch| fixture.hear(batch, at("10:00:00")))).await {
            heard.unwrap();
        }
        let counts: Vec<u64> = fixture.world.rows.borrow().values().map(|row| row.count).collect();
        assert_eq!((counts, fixture.titles().len()), (vec![total], 1), "seed {seed}");
    }
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
