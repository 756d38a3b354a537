//! So much at once that it is told as one.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{alarm, prod, task_died, with};
use crate::fixture::Fixture;
use crate::world::at;

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
