//! What a release judges is told to nobody beside it, and not hidden by a release that died.

use serde_json::json;

use super::{alarm, prod, task_died, with};
use crate::world::at;

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
