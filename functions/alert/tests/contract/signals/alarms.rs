//! Alarms: told once, and their end once it holds, in whatever order the events come.

use serde_json::json;

use super::{alarm, prod, with};
use crate::world::at;

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
    // Where a mute rule stands is not documented in full.
    let rules = ["/detail", "/detail/state"].map(|place| {
        let mut event = alarm("users-5xx", "ALARM", "10:00:00");
        event.pointer_mut(place).unwrap()["muteDetail"] = json!({"mutedBy": ["night"]});
        event
    });
    let unknown = alarm("users-5xx", "INSUFFICIENT_DATA", "10:00:00");
    let silent = [alarm("somebody-elses", "ALARM", "10:00:00"), muted, unknown];
    for event in silent.into_iter().chain(rules) {
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
