//! What CloudWatch says of alarms.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{AlarmType, StateValue};

use super::{Alarm, AlarmState};
use crate::Fault;
use crate::aws::fault_of;
use crate::clock::Timestamp;

/// How many alarms CloudWatch describes in one call.
const ALARMS_PER_CALL: usize = 100;

/// Describes alarms by their names; those that do not exist are left out.
pub async fn describe(client: &Client, names: &BTreeSet<String>) -> Result<BTreeMap<String, Alarm>, Fault> {
    let names: Vec<String> = names.iter().cloned().collect();
    let mut states = BTreeMap::new();
    for some in names.chunks(ALARMS_PER_CALL) {
        let call = client.describe_alarms().set_alarm_names(Some(some.to_vec()));
        let call = call.alarm_types(AlarmType::MetricAlarm).alarm_types(AlarmType::CompositeAlarm);
        let answer = call.max_records(100).send().await;
        let answer = answer.map_err(|error| fault_of("describe alarms", &error))?;
        for one in answer.metric_alarms() {
            // A change of the reason alone updates a state, too.
            let since = one.state_transitioned_timestamp().or(one.state_updated_timestamp());
            states.extend(named(one.alarm_name(), one.state_value(), since));
        }
        for one in answer.composite_alarms() {
            let since = one.state_transitioned_timestamp().or(one.state_updated_timestamp());
            states.extend(named(one.alarm_name(), one.state_value(), since));
        }
    }
    Ok(states)
}

/// Returns an alarm by its name.
fn named(
    name: Option<&str>,
    state: Option<&StateValue>,
    since: Option<&DateTime>,
) -> Option<(String, Alarm)> {
    let state = match state {
        Some(StateValue::Ok) => AlarmState::Ok,
        Some(StateValue::Alarm) => AlarmState::InAlarm,
        _ => AlarmState::InsufficientData,
    };
    let since = since.and_then(|since| since.to_millis().ok()).map(Timestamp::from_millis);
    Some((name?.to_owned(), Alarm { state, since }))
}
