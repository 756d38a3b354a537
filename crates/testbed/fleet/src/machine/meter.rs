//! What is measured while releases run.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::Value;

use crate::functions::Function;

/// The measures.
#[derive(Debug, Default)]
pub struct Meter {
    /// The largest payload or answer, in bytes.
    pub largest: usize,
    /// The longest call of the function `release`, and of any other one, in milliseconds.
    pub longest: (i64, i64),
    /// How often calls failed, by state and error.
    pub faults: BTreeMap<(String, String), u64>,
    /// How many states were entered: a transition each.
    pub transitions: u64,
    /// How often functions were called, and for how many milliseconds, by function.
    pub worked: BTreeMap<&'static str, (u64, i64)>,
    /// How many events the history of each execution has; an item of a distributed Map is one, too.
    events: HashMap<Arc<str>, u64>,
}

impl Meter {
    /// Returns how many events the longest history of a release has.
    pub fn parent_events(&self) -> u64 {
        self.most(|execution| !is_item(execution))
    }

    /// Returns how many events the longest history of an item has.
    pub fn item_events(&self) -> u64 {
        self.most(is_item)
    }

    fn most(&self, wanted: impl Fn(&str) -> bool) -> u64 {
        self.events
            .iter()
            .filter(|(execution, _)| wanted(execution))
            .map(|(_, count)| *count)
            .max()
            .unwrap_or(0)
    }

    pub(super) fn sent(&mut self, payload: &Value) {
        self.largest = self.largest.max(payload.to_string().len());
    }

    pub(super) fn entered(&mut self) {
        self.transitions += 1;
    }

    pub(super) fn noted(&mut self, execution: &Arc<str>) {
        *self.events.entry(Arc::clone(execution)).or_default() += 1;
    }

    pub(super) fn worked(&mut self, function: Function, milliseconds: i64) {
        let (calls, took) = self.worked.entry(function.name()).or_default();
        (*calls, *took) = (*calls + 1, *took + milliseconds);
        let longest = match function {
            Function::Release => &mut self.longest.0,
            _ => &mut self.longest.1,
        };
        *longest = (*longest).max(milliseconds);
    }

    pub(super) fn failed(&mut self, state: &str, error: &str) {
        *self.faults.entry((state.to_owned(), error.to_owned())).or_default() += 1;
    }
}

/// The ARN of an item's execution names the Map behind the machine.
fn is_item(execution: &str) -> bool {
    execution.contains('/')
}
