//! What goes through the states one after the other: an execution, or an item of a Map.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::map::Run;
use super::{Identity, ROOT};
use crate::definition::{State, States};
use crate::jsonata::Scope;
use crate::moment;

#[derive(Debug)]
pub struct Thread {
    /// The thread whose Map it is an item of, and the place of the item.
    pub parent: Option<(u32, usize)>,
    /// The thread in whose history its events stand: its own, or that of the Map that it runs within.
    pub owner: u32,
    /// The ARN of its execution.
    pub execution: Arc<str>,
    /// What an expression sees of its execution.
    pub context: Value,
    pub states: Arc<States>,
    /// The state that it is in.
    pub at: usize,
    /// What an expression sees of that state: the moment at which it was entered, however often it is tried.
    pub entered: Value,
    /// What that state was given.
    pub input: Value,
    pub variables: BTreeMap<String, Value>,
    /// How often each rule of the state's `Retry` was used, and all of them.
    pub tries: BTreeMap<usize, u32>,
    pub phase: Phase,
    pub ended: bool,
    /// How many events its history has.
    pub events: u64,
}

#[derive(Debug)]
pub enum Phase {
    /// It is about to enter its state, or has ended in it.
    Idle,
    /// It waits for a service, so long at most.
    Calling { call: u64, limit: Option<u64>, token: Option<String> },
    /// It waits, since its state says so.
    Waiting { timer: u64 },
    /// It waits before it tries again.
    Pausing { timer: u64 },
    /// It waits for the items of its Map.
    Mapping(Box<Run>),
}

impl Phase {
    /// Returns what it waits for.
    pub fn tickets(&self) -> Vec<u64> {
        match self {
            Phase::Idle | Phase::Mapping(_) => Vec::new(),
            Phase::Calling { call, limit, .. } => [Some(*call), *limit].into_iter().flatten().collect(),
            Phase::Waiting { timer } | Phase::Pausing { timer } => vec![*timer],
        }
    }
}

impl Thread {
    pub fn of_execution(states: &Arc<States>, identity: &Identity, input: Value, now: i64) -> Self {
        let context = json!({
            "Id": identity.execution, "Name": identity.name, "Input": input, "RedriveCount": 0,
            "StartTime": moment::text(now)
        });
        Thread {
            parent: None,
            owner: ROOT,
            execution: Arc::from(identity.execution.as_str()),
            context,
            states: Arc::clone(states),
            at: states.start,
            entered: Value::Null,
            input,
            variables: BTreeMap::new(),
            tries: BTreeMap::new(),
            phase: Phase::Idle,
            ended: false,
            events: 0,
        }
    }

    pub fn state(&self) -> Option<&State> {
        self.states.all.get(self.at)
    }

    /// Counts one more redrive.
    pub fn redriven(&mut self) {
        if let Some(count) = self.context.get_mut("RedriveCount") {
            *count = (count.as_u64().unwrap_or_default() + 1).into();
        }
    }
}

/// What an expression of a state sees.
#[derive(Clone, Copy)]
pub struct View<'a> {
    pub thread: &'a Thread,
    pub machine: &'a Value,
    pub result: Option<&'a Value>,
    pub error: Option<&'a Value>,
    pub task: Option<&'a Value>,
    pub item: Option<&'a Value>,
}

impl Scope for View<'_> {
    fn find(&self, variable: &str, names: &[String]) -> (Option<&Value>, usize) {
        if variable != "states" {
            return (self.thread.variables.get(variable), 0);
        }
        let name = |place: usize| names.get(place).map_or("", String::as_str);
        match (name(0), name(1)) {
            ("input", _) => (Some(&self.thread.input), 1),
            ("result", _) => (self.result, 1),
            ("errorOutput", _) => (self.error, 1),
            ("context", "Execution") => (Some(&self.thread.context), 2),
            ("context", "StateMachine") => (Some(self.machine), 2),
            ("context", "State") => (Some(&self.thread.entered), 2),
            ("context", "Task") => (self.task, 2),
            ("context", "Map") => (self.item, 2),
            _ => (None, 0),
        }
    }
}
