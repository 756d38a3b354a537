//! What is measured while a release runs.

use std::collections::BTreeMap;

use pipeline::Fault;
use serde_json::Value;

use super::item;
use crate::functions::Function;

/// The events of a history that one state makes: a task has five, a map about six, all others two.
fn events_of(state: &str) -> u64 {
    match state {
        "Wave" | "RollbackWave" | "RestoreTags" => 6,
        "OpenRelease" | "TakeLeases" | "Reach" | "Judge" | "CloseRelease" | "Alert" | "MoveFailed"
        | "RollbackFailed" | "RestoreTagFailed" => 5,
        state if item::task(state, &Value::Null).is_some() => 5,
        _ => 2,
    }
}

/// The events that a history has beside those of its states.
const OWN_EVENTS: u64 = 2;

/// The events of one more attempt.
const RETRY_EVENTS: u64 = 3;

/// The measures.
#[derive(Debug, Default)]
pub struct Meter {
    /// The largest payload or answer, in bytes.
    pub largest: usize,
    /// The events in the parent's history.
    pub parent_events: u64,
    /// The events in the longest history of an item.
    pub item_events: u64,
    /// The longest call of the function `release`, and of any other one, in milliseconds.
    pub longest: (i64, i64),
    /// How often calls failed, by state and fault.
    pub faults: BTreeMap<(&'static str, &'static str), u64>,
    /// How often each state of an item, and each other state, was entered.
    pub entered: BTreeMap<&'static str, u64>,
}

impl Meter {
    pub(super) fn sent(&mut self, payload: &Value) {
        self.largest = self.largest.max(payload.to_string().len());
    }

    pub(super) fn entered(&mut self, state: &'static str) {
        *self.entered.entry(state).or_default() += 1;
        self.parent_events = self.parent_events.max(OWN_EVENTS) + events_of(state);
    }

    pub(super) fn entered_by(&mut self, state: &'static str, events: &mut u64) {
        *self.entered.entry(state).or_default() += 1;
        *events = (*events).max(OWN_EVENTS) + events_of(state);
        self.item_events = self.item_events.max(*events);
    }

    pub(super) fn worked(&mut self, function: Function, milliseconds: i64) {
        let longest = match function {
            Function::Release => &mut self.longest.0,
            _ => &mut self.longest.1,
        };
        *longest = (*longest).max(milliseconds);
    }

    pub(super) fn retried(&mut self, state: &'static str) {
        match item::task(state, &Value::Null) {
            // Counted for the longest, whichever item it was.
            Some(_) => self.item_events += RETRY_EVENTS,
            None => self.parent_events += RETRY_EVENTS,
        }
    }

    pub(super) fn failed(&mut self, state: &'static str, fault: &Fault) {
        *self.faults.entry((state, fault.name())).or_default() += 1;
    }
}
