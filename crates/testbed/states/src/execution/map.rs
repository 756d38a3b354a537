//! A Map: its items side by side, so many at a time.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::states::within_limit;
use super::thread::{Phase, Thread, View};
use super::{End, Execution, Identity};
use crate::definition::{Kind, Map};
use crate::history::Happening;
use crate::rules::{Problem, TOLERATED};

/// How many items may run side by side, whatever a Map says.
const MOST_INLINE: usize = 40;
const MOST_DISTRIBUTED: usize = 10_000;

/// One run of a Map.
#[derive(Debug)]
pub struct Run {
    /// What each item is given; taken out when it starts.
    inputs: Vec<Value>,
    next: usize,
    most: usize,
    running: usize,
    failed: usize,
    results: Vec<Value>,
    /// The threads of the items that started and did not succeed.
    children: BTreeMap<usize, u32>,
}

impl Run {
    pub fn children(&self) -> Vec<u32> {
        self.children.values().copied().collect()
    }

    /// Lets it go on with those items that did not succeed; returns their threads.
    pub fn revive(&mut self) -> Vec<u32> {
        (self.failed, self.running) = (0, self.children.len());
        self.children()
    }

    fn take_next(&mut self) -> Option<(usize, Value)> {
        let free = self.running < self.most;
        let input = self.inputs.get_mut(self.next).filter(|_| free)?;
        let (index, input) = (self.next, std::mem::take(input));
        (self.next, self.running) = (self.next + 1, self.running + 1);
        Some((index, input))
    }
}

impl Execution {
    pub(super) fn begin_map(&mut self, id: u32, map: &Map) -> Result<(), Problem> {
        let Some(view) = self.view(id) else { return Ok(()) };
        let items = map.items.fill_as(&view, "a list", |value| value.as_array().cloned())?;
        let count = |value: &Value| value.as_u64().and_then(|count| usize::try_from(count).ok());
        let most = match &map.concurrency {
            Some(template) => template.fill_as(&view, "a number of items", count)?,
            None => 0,
        };
        let limit = if map.label.is_some() { MOST_DISTRIBUTED } else { MOST_INLINE };
        let most = if most == 0 { limit } else { most.min(limit) };
        let mut inputs = Vec::new();
        for (index, item) in items.into_iter().enumerate() {
            let Some(selector) = &map.selector else {
                inputs.push(item);
                continue;
            };
            let item = json!({"Item": {"Index": index, "Value": item}});
            let input = selector.fill(&View { item: Some(&item), ..view })?.into_owned();
            within_limit("an item", &input)?;
            inputs.push(input);
        }
        self.note(id, Happening::MapStateStarted);
        if map.label.is_some() {
            self.note(id, Happening::MapRunStarted);
        }
        let results = vec![Value::Null; inputs.len()];
        let run = Run { inputs, next: 0, most, running: 0, failed: 0, results, children: BTreeMap::new() };
        self.set(id, Phase::Mapping(Box::new(run)));
        self.start_items(id);
        Ok(())
    }

    /// Starts as many items as may run, and ends the Map when all have ended.
    pub(super) fn start_items(&mut self, id: u32) {
        while let Some((index, input)) = self.run_of(id).and_then(Run::take_next) {
            self.start_item(id, index, input);
        }
        let done = |run: &mut Run| (run.running == 0).then(|| run.results.clone());
        if let Some(results) = self.run_of(id).and_then(done) {
            if self.map_of(id).is_some_and(|(_, distributed)| distributed) {
                self.note(id, Happening::MapRunSucceeded);
            }
            self.note(id, Happening::MapStateSucceeded);
            self.leave(id, Some(&Value::Array(results)));
        }
    }

    fn start_item(&mut self, id: u32, index: usize, input: Value) {
        let Some(parent) = self.threads.get(&id) else { return };
        let Some(Kind::Map(map)) = parent.state().map(|state| &state.kind) else { return };
        self.last_thread += 1;
        let child = self.last_thread;
        let mut thread = match &map.label {
            Some(label) => {
                let Identity { name, machine, .. } = &self.identity;
                let before =
                    parent.execution.strip_suffix(name.as_str()).and_then(|arn| arn.strip_suffix(':'));
                let identity = Identity {
                    execution: format!("{}/{label}:{name}-{child}", before.unwrap_or(&parent.execution)),
                    name: format!("{name}-{child}"),
                    machine: machine.clone(),
                };
                Thread::of_execution(&map.states, &identity, input, self.now)
            }
            // An item that runs within the execution sees the variables of the execution.
            None => Thread {
                context: parent.context.clone(),
                execution: Arc::clone(&parent.execution),
                variables: parent.variables.clone(),
                ..Thread::of_execution(&map.states, &self.identity, input, self.now)
            },
        };
        (thread.parent, thread.owner) =
            (Some((id, index)), if map.label.is_some() { child } else { parent.owner });
        let distributed = map.label.is_some();
        self.threads.insert(child, thread);
        if let Some(run) = self.run_of(id) {
            run.children.insert(index, child);
        }
        if distributed {
            self.note_of_execution(child, Happening::ExecutionStarted);
        } else {
            self.note(id, Happening::MapIterationStarted);
        }
        self.ready.push_back(child);
    }

    /// Takes in how an item ended.
    pub(super) fn item_ended(&mut self, id: u32, index: usize, end: End) {
        let Some((tolerated, distributed)) = self.map_of(id) else { return };
        if !distributed {
            let succeeded = matches!(end, End::Succeeded(_));
            self.note(
                id,
                if succeeded { Happening::MapIterationSucceeded } else { Happening::MapIterationFailed },
            );
        }
        let Some(run) = self.run_of(id) else { return };
        run.running = run.running.saturating_sub(1);
        let failure = match end {
            End::Succeeded(output) => {
                run.results.iter_mut().skip(index).take(1).for_each(|result| *result = output.clone());
                let child = run.children.remove(&index);
                child.and_then(|child| self.threads.remove(&child));
                None
            }
            End::Failed(problem) if !distributed => Some(problem),
            End::Failed(_) | End::Aborted => {
                run.failed += 1;
                let share = run.failed as f64 * 100.0 / run.results.len() as f64;
                let cause = "more items failed than the Map tolerates";
                (share > tolerated).then(|| Problem::new(TOLERATED, cause))
            }
        };
        let Some(problem) = failure else { return self.start_items(id) };
        self.children(id).into_iter().for_each(|child| self.abort(child));
        if distributed {
            self.note(id, Happening::MapRunFailed);
        }
        self.note(id, Happening::MapStateFailed);
        self.fail(id, problem);
    }

    fn run_of(&mut self, id: u32) -> Option<&mut Run> {
        match &mut self.threads.get_mut(&id)?.phase {
            Phase::Mapping(run) => Some(run),
            _ => None,
        }
    }

    /// Returns how many items of a hundred may fail, and whether they run as executions of their own.
    fn map_of(&self, id: u32) -> Option<(f64, bool)> {
        match &self.threads.get(&id)?.state()?.kind {
            Kind::Map(map) => Some((map.tolerated, map.label.is_some())),
            _ => None,
        }
    }
}
