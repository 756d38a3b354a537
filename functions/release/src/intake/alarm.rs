//! An alarm that went to ALARM: what an event of CloudWatch says.  Pure.

use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use pipeline::alarm::StateChange;
use pipeline::clock::Timestamp;
use pipeline::text::{line, readable, shown};
use pipeline::{Fault, document};
use serde_json::Value;

use super::home::Home;
use super::push::{name, required};

/// What such an event is called.
const SOURCE: &str = "aws.cloudwatch";
const KIND: &str = "CloudWatch Alarm State Change";

/// How long the name of an alarm may be, and how much of a word is shown.
const LONGEST_NAME: usize = 255;

/// An alarm that went to ALARM.
#[derive(Clone, Debug, PartialEq)]
pub struct AlarmEvent {
    /// The event's id: the same for every delivery of one event.
    pub event: String,
    /// When the alarm changed, and not when that was delivered.
    pub time: Timestamp,
    /// The alarm.
    pub alarm: String,
    /// Why it is not to be acted on, if its owner has said so.
    pub silenced: Option<String>,
}

/// Tells whether an event is one of an alarm.
pub fn is_one(input: &Value) -> bool {
    input.get("source").and_then(Value::as_str) == Some(SOURCE)
        && input.get("detail-type").and_then(Value::as_str) == Some(KIND)
}

/// Reads an event of an alarm; or says why nothing follows from it.
pub fn read(input: Value, home: &Home) -> Result<Result<AlarmEvent, String>, Fault> {
    let event: EventBridgeEvent<Value> = document::read("the event", input)?;
    let change: StateChange = document::read("the event's detail", event.detail)?;
    let silenced = change.silenced();
    let alarm = change.alarm_name;
    // It becomes a part of a key, and of sentences.
    if alarm.is_empty() || alarm.chars().count() > LONGEST_NAME || alarm.chars().any(|c| readable(c) != c) {
        let alarm = shown(&alarm);
        return Err(Fault::InvalidInput(format!(
            "the event's detail at \"alarmName\": {alarm} is no alarm: expected 1 to {LONGEST_NAME} characters"
        )));
    }
    let account = event.account.ok_or_else(|| required("account"))?;
    let region = event.region.ok_or_else(|| required("region"))?;
    if (account.as_str(), &region) != (home.account.as_str(), &home.region) {
        let place = line(&format!("{account} in {region}"), LONGEST_NAME);
        return Ok(Err(format!(
            "the alarm {alarm} is one of the account {place}: nothing here is guarded by it"
        )));
    }
    if change.state.value != "ALARM" {
        let state = line(&change.state.value, LONGEST_NAME);
        return Ok(Err(format!("the alarm {alarm} went to {state}: only ALARM rolls a release back")));
    }
    let time = event.time.ok_or_else(|| required("time"))?;
    let time = Timestamp::parse(&time.to_rfc3339())?;
    Ok(Ok(AlarmEvent { event: name("id", event.id)?, time, alarm, silenced }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pipeline::ids::Registry;
    use serde_json::json;

    fn event(more: &Value) -> Value {
        let mut event = json!({
            "version": "0", "id": "c1", "source": SOURCE, "detail-type": KIND, "account": "123456789012",
            "region": "eu-west-1", "time": "2026-11-23T10:00:00Z", "resources": [],
            "detail": {"alarmName": "shop-5xx", "state": {"value": "ALARM"}, "previousState": {"value": "OK"}}
        });
        for (pointer, value) in more.as_object().unwrap() {
            let (place, key) = pointer.rsplit_once('/').unwrap();
            event.pointer_mut(place).unwrap()[key] = value.clone();
        }
        event
    }

    fn check(more: &Value, expected: &str) {
        let home = Home { account: Registry::parse("123456789012").unwrap(), region: "eu-west-1".to_owned() };
        assert!(is_one(&event(more)));
        let said = match read(event(more), &home) {
            Ok(Ok(alarm)) => alarm.silenced.unwrap_or(alarm.alarm),
            Ok(Err(why)) => why,
            Err(fault) => fault.to_string(),
        };
        assert_eq!(said, expected, "{more}");
    }

    #[test]
    fn an_alarm_of_this_account_that_went_red_is_read_and_a_mistake_is_named() {
        check(&json!({}), "shop-5xx");
        check(&json!({"/detail/alarmName": "Röte – 5xx / all"}), "Röte – 5xx / all");
        check(
            &json!({"/detail/state/value": "OK"}),
            "the alarm shop-5xx went to OK: only ALARM rolls a release back",
        );
        check(
            &json!({"/account": "210987654321"}),
            "the alarm shop-5xx is one of the account 210987654321 in eu-west-1: nothing here is guarded by it",
        );
        check(
            &json!({"/detail/alarmName": ""}),
            "the event's detail at \"alarmName\": \"\" is no alarm: expected 1 to 255 characters",
        );
        check(&json!({"/id": null}), "the event: missing field `id`");
        check(&json!({"/time": null}), "the event: missing field `time`");
    }

    #[test]
    fn an_alarm_that_its_owner_has_silenced_says_so() {
        let suppressed = "its actions are suppressed by WaitPeriod";
        check(&json!({"/detail/state/actionsSuppressedBy": "WaitPeriod"}), suppressed);
        let rule = json!({"mutedByArn": "arn:aws:cloudwatch:eu-west-1:123456789012:alarm-mute-rule:night"});
        check(&json!({"/detail/muteDetail": rule}), "a mute rule holds for it");
        check(&json!({"/detail/state/muteDetail": rule}), "a mute rule holds for it");
        check(&json!({"/detail/muteDetail": null}), "shop-5xx");
    }
}
