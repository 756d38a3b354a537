//! What an alarm of CloudWatch says about a move, the same wherever it is asked.

mod aws;
mod change;

pub use aws::describe;
pub use change::{State, StateChange};

use std::collections::BTreeMap;

use crate::clock::Timestamp;
use crate::rows::MoveRow;

/// The state of an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlarmState {
    /// All is well.
    Ok,
    /// It is not.
    InAlarm,
    /// There is too little data; usual for an error count without traffic.
    InsufficientData,
}

/// An alarm, as CloudWatch describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// Its state.
    pub state: AlarmState,
    /// When it came to this state, if CloudWatch says so.
    pub since: Option<Timestamp>,
}

impl Alarm {
    /// Tells whether it speaks against a move: it has gone red since the lease was taken.
    ///
    /// One that was red before says nothing of the move until it has been quiet, and one that lacks data says nothing
    /// at all: whoever treats missing data as breaching has told CloudWatch to make it red.
    pub fn speaks_against(&self, row: &MoveRow) -> bool {
        let before = row.leased.or(row.started).zip(self.since);
        self.state == AlarmState::InAlarm && before.is_none_or(|(leased, since)| since > leased)
    }
}

/// Returns the first alarm of a move that speaks against it.
pub fn first_against<'a>(row: &'a MoveRow, states: &BTreeMap<String, Alarm>) -> Option<&'a String> {
    row.alarms.iter().find(|name| states.get(*name).is_some_and(|alarm| alarm.speaks_against(row)))
}

/// Says that an alarm speaks against a move.
pub fn went_red(name: &str) -> String {
    format!("the alarm {name} went to ALARM after the release began")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const BEFORE: &str = "2026-11-23T09:59:59.999Z";
    const LEASED: &str = "2026-11-23T10:00:00Z";
    const AFTER: &str = "2026-11-23T10:00:00.001Z";

    fn speaks(state: AlarmState, since: Option<&str>, fields: &Value) -> bool {
        let mut row = json!({
            "environment": "dev", "tag": "dev", "cluster": "dev", "service": "users", "registry": "123456789012",
            "repository": "shop/users", "digest": format!("sha256:{}", "a".repeat(64)), "containers": ["app"],
            "running": "arn:aws:ecs:eu-west-1:123456789012:task-definition/users:1", "replaces": "ecs-svc/1",
            "restore": null, "healthTimeoutSeconds": 900
        });
        row.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let row: MoveRow = serde_json::from_value(row).unwrap();
        Alarm { state, since: since.map(|since| Timestamp::parse(since).unwrap()) }.speaks_against(&row)
    }

    #[test]
    fn only_an_alarm_that_went_red_after_the_lease_speaks_against_a_move() {
        use AlarmState::{InAlarm, InsufficientData, Ok};
        let new = json!({"leased": LEASED, "started": AFTER});
        let old = json!({"started": LEASED});
        for (state, since, row, expected) in [
            (InAlarm, Some(AFTER), &new, true),
            (InAlarm, Some(LEASED), &new, false),
            (InAlarm, Some(BEFORE), &new, false),
            (InAlarm, None, &new, true),
            (InAlarm, Some(AFTER), &old, true),
            (InAlarm, Some(BEFORE), &old, false),
            (InAlarm, Some(BEFORE), &json!({}), true),
            (InsufficientData, Some(AFTER), &new, false),
            (Ok, Some(AFTER), &new, false),
        ] {
            assert_eq!(speaks(state, since, row), expected, "{state:?} since {since:?}: {row}");
        }
    }
}
