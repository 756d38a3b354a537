//! CloudWatch's alarms: whether each is red, and since when.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Answer, unknown};

/// The alarms.
#[derive(Clone, Debug, Default)]
pub struct Alarms(BTreeMap<String, (&'static str, i64)>);

impl Alarms {
    /// Makes an alarm, or changes it; returns the state that it has left, if it has left one.
    pub fn set(&mut self, name: &str, red: bool, now: i64) -> Option<&'static str> {
        let state = if red { "ALARM" } else { "OK" };
        let before = self.0.get(name).map_or("INSUFFICIENT_DATA", |(before, _)| before);
        // What says the same once more changes nothing.
        if before == state {
            return None;
        }
        self.0.insert(name.to_owned(), (state, now));
        Some(before)
    }

    pub(super) fn answer(&self, name: &str, input: &Value) -> Answer {
        if name != "DescribeAlarms" {
            return Err(unknown(name));
        }
        let asked = input["AlarmNames"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let found = asked.filter_map(|name| self.0.get_key_value(name));
        let found = found.map(|(name, (state, since))| {
            json!({"AlarmName": name, "StateValue": state, "StateTransitionedTimestamp": *since as f64 / 1000.0})
        });
        Ok(json!({"MetricAlarms": found.collect::<Vec<_>>(), "CompositeAlarms": []}))
    }
}
