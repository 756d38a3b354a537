//! One execution of a machine, with the executions of its Maps' items.
//!
//! It has no clock and does nothing by itself: [`Execution::step`] is told what happened and when, and returns what is
//! to be done now.  What comes too late, such as the answer to a call that had timed out, is told to it all the same and
//! changes nothing.

mod map;
mod states;
mod thread;

use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::sync::Arc;

use serde_json::Value;

use crate::definition::{Integration, Machine};
use crate::history::{Happening, Record};
use crate::random::Random;
use crate::rules::{Problem, TIMEOUT};
use thread::{Phase, Thread};

/// What an execution is called.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Its ARN.
    pub execution: String,
    /// Its name, which its ARN ends with.
    pub name: String,
    /// The ARN of the machine.
    pub machine: String,
}

/// How an execution ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// With this output.
    Succeeded(Value),
    /// By this error.
    Failed(Problem),
    /// Somebody stopped it.
    Aborted,
}

/// Whether an execution runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// It does.
    Running,
    /// It does not any more.
    Ended(End),
}

/// What happened, for an execution.
#[derive(Clone, Debug)]
pub enum Event {
    /// The moment of an [`Effect::Wake`] has come.
    Woken(u64),
    /// A call was answered, so that this is its result.
    Answered(u64, Value),
    /// A call failed.
    Failed(u64, Problem),
    /// Somebody handed over the result of a task with its token.
    TokenAnswered(String, Value),
    /// Somebody let a task fail with its token.
    TokenFailed(String, Problem),
    /// Somebody stops the execution.
    Stop,
    /// Somebody has the ended execution go on, from where it failed or was stopped.
    Redrive,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Call a service, and tell how that ended by the same ticket.
    Call(Box<Call>),
    /// Tell when this moment has come.
    Wake {
        /// By this ticket.
        ticket: u64,
        /// Milliseconds since 1970.
        at: i64,
    },
    /// Nothing any more: the execution ended.
    Ended(End),
}

/// A call of a service.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// By which its end is told.
    pub ticket: u64,
    /// The ARN of the execution that calls.
    pub execution: Arc<str>,
    /// The state.
    pub state: Arc<str>,
    /// How many attempts of the state came before.
    pub attempt: u32,
    /// Whom it calls.
    pub integration: Integration,
    /// With what.
    pub arguments: Value,
}

/// One execution.
#[derive(Debug)]
pub struct Execution {
    identity: Identity,
    /// What an expression sees of the machine.
    machine: Value,
    now: i64,
    status: Status,
    /// The execution itself is the first; each item of a Map is one.
    threads: BTreeMap<u32, Thread>,
    last_thread: u32,
    /// Whose calls and moments are waited for.
    tickets: BTreeMap<u64, u32>,
    last_ticket: u64,
    /// Those that go on now.
    ready: VecDeque<u32>,
    random: Random,
    effects: Vec<Effect>,
    records: Vec<Record>,
}

/// The execution itself.
const ROOT: u32 = 0;

impl Execution {
    /// Starts an execution; the seed draws its jitter.  Returns what is to be done, too.
    pub fn start(
        machine: &Machine,
        identity: Identity,
        input: Value,
        seed: u64,
        now: i64,
    ) -> (Self, Vec<Effect>) {
        let thread = Thread::of_execution(&machine.states, &identity, input, now);
        let mut execution = Execution {
            machine: serde_json::json!({"Id": identity.machine}),
            identity,
            now,
            status: Status::Running,
            threads: BTreeMap::from([(ROOT, thread)]),
            last_thread: ROOT,
            tickets: BTreeMap::new(),
            last_ticket: 0,
            ready: VecDeque::from([ROOT]),
            random: Random::new(seed),
            effects: Vec::new(),
            records: Vec::new(),
        };
        execution.note_of_execution(ROOT, Happening::ExecutionStarted);
        execution.run();
        let effects = mem::take(&mut execution.effects);
        (execution, effects)
    }

    /// Takes in what happened; returns what is to be done.
    pub fn step(&mut self, now: i64, event: Event) -> Vec<Effect> {
        self.now = now;
        match event {
            Event::Woken(ticket) => self.woken(ticket),
            Event::Answered(ticket, result) => self.answered(ticket, result),
            Event::Failed(ticket, problem) => {
                if let Some(id) = self.called(ticket) {
                    self.task_failed(id, problem);
                }
            }
            Event::TokenAnswered(token, result) => {
                if let Some(id) = self.with_token(&token) {
                    self.task_succeeded(id, &result);
                }
            }
            Event::TokenFailed(token, problem) => {
                if let Some(id) = self.with_token(&token) {
                    self.task_failed(id, problem);
                }
            }
            Event::Stop => self.stop(),
            Event::Redrive => self.redrive(),
        }
        self.run();
        mem::take(&mut self.effects)
    }

    /// Tells whether it runs, or how it ended.
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// Tells whether a task waits for a result that comes with this token.
    pub fn waits_for(&self, token: &str) -> bool {
        self.with_token(token).is_some()
    }

    /// Returns a variable of the execution itself.
    pub fn variable(&self, name: &str) -> Option<&Value> {
        self.threads.get(&ROOT)?.variables.get(name)
    }

    /// Returns the events that were recorded since the last time.
    pub fn take_records(&mut self) -> Vec<Record> {
        mem::take(&mut self.records)
    }

    fn run(&mut self) {
        while let Some(id) = self.ready.pop_front() {
            self.enter(id);
        }
    }

    fn woken(&mut self, ticket: u64) {
        let Some(id) = self.tickets.remove(&ticket) else { return };
        match self.threads.get(&id).map(|thread| &thread.phase) {
            Some(Phase::Waiting { .. }) => self.leave(id, None),
            Some(Phase::Pausing { .. }) => self.work(id),
            Some(Phase::Calling { .. }) => {
                self.note(id, Happening::TaskTimedOut);
                self.set(id, Phase::Idle);
                self.fail(id, Problem { error: TIMEOUT.to_owned(), cause: None });
            }
            _ => {}
        }
    }

    /// Returns the thread that waits for a call.
    fn called(&self, ticket: u64) -> Option<u32> {
        let id = *self.tickets.get(&ticket)?;
        let calling = matches!(self.threads.get(&id)?.phase, Phase::Calling { call, .. } if call == ticket);
        calling.then_some(id)
    }

    fn answered(&mut self, ticket: u64, result: Value) {
        let Some(id) = self.called(ticket) else { return };
        match self.threads.get(&id).map(|thread| &thread.phase) {
            // The answer says nothing: the result comes with the token.
            Some(Phase::Calling { token: Some(_), .. }) => {
                self.tickets.remove(&ticket);
                self.note(id, Happening::TaskSubmitted);
            }
            _ => self.task_succeeded(id, &result),
        }
    }

    fn with_token(&self, wanted: &str) -> Option<u32> {
        let waits = |thread: &Thread| matches!(&thread.phase, Phase::Calling { token: Some(token), .. } if token == wanted);
        self.threads.iter().find(|(_, thread)| waits(thread)).map(|(id, _)| *id)
    }

    fn task_succeeded(&mut self, id: u32, result: &Value) {
        self.note(id, Happening::TaskSucceeded);
        self.set(id, Phase::Idle);
        self.leave(id, Some(result));
    }

    fn task_failed(&mut self, id: u32, problem: Problem) {
        self.note(id, Happening::TaskFailed(problem.error.clone()));
        self.set(id, Phase::Idle);
        self.fail(id, problem);
    }

    fn stop(&mut self) {
        if self.status == Status::Running {
            self.abort(ROOT);
            self.status = Status::Ended(End::Aborted);
            self.effects.push(Effect::Ended(End::Aborted));
        }
    }

    fn redrive(&mut self) {
        if let Status::Ended(End::Failed(_) | End::Aborted) = self.status {
            self.status = Status::Running;
            self.revive(ROOT);
        }
    }

    /// Lets a thread go on where it failed or was stopped: a Map with those of its items that did not succeed.
    fn revive(&mut self, id: u32) {
        let Some(thread) = self.threads.get_mut(&id) else { return };
        thread.ended = false;
        thread.redriven();
        let children = match &mut thread.phase {
            Phase::Mapping(run) => Some(run.revive()),
            _ => None,
        };
        if thread.owner == id {
            self.note_of_execution(id, Happening::ExecutionRedriven);
        }
        match children {
            Some(children) => {
                children.into_iter().for_each(|child| self.revive(child));
                self.start_items(id);
            }
            None => self.ready.push_back(id),
        }
    }

    /// Stops a thread and its items, so that they can go on later.
    fn abort(&mut self, id: u32) {
        let Some(thread) = self.threads.get_mut(&id) else { return };
        if mem::replace(&mut thread.ended, true) {
            return;
        }
        let own = thread.owner == id;
        if !matches!(thread.phase, Phase::Mapping(_)) {
            self.set(id, Phase::Idle);
        }
        self.children(id).into_iter().for_each(|child| self.abort(child));
        if own {
            self.note_of_execution(id, Happening::ExecutionAborted);
        }
    }

    fn children(&self, id: u32) -> Vec<u32> {
        match self.threads.get(&id).map(|thread| &thread.phase) {
            Some(Phase::Mapping(run)) => run.children(),
            _ => Vec::new(),
        }
    }

    /// Puts a thread into another phase; what it waited for before is not waited for any more.
    fn set(&mut self, id: u32, phase: Phase) {
        for child in self.children(id) {
            self.set(child, Phase::Idle);
            self.threads.remove(&child);
        }
        let Some(thread) = self.threads.get_mut(&id) else { return };
        for ticket in mem::replace(&mut thread.phase, phase).tickets() {
            self.tickets.remove(&ticket);
        }
    }

    fn ticket(&mut self, id: u32) -> u64 {
        self.last_ticket += 1;
        self.tickets.insert(self.last_ticket, id);
        self.last_ticket
    }

    fn wake(&mut self, id: u32, at: i64) -> u64 {
        let ticket = self.ticket(id);
        self.effects.push(Effect::Wake { ticket, at });
        ticket
    }

    /// Records an event of the state that a thread is in.
    fn note(&mut self, id: u32, what: Happening) {
        let state = self.threads.get(&id).and_then(Thread::state).map(|state| Arc::clone(&state.name));
        self.record(id, state, what);
    }

    fn note_of_execution(&mut self, id: u32, what: Happening) {
        self.record(id, None, what);
    }

    fn record(&mut self, id: u32, state: Option<Arc<str>>, what: Happening) {
        let Some(owner) = self.threads.get(&id).map(|thread| thread.owner) else { return };
        if let Some(owner) = self.threads.get_mut(&owner) {
            owner.events += 1;
            let execution = Arc::clone(&owner.execution);
            self.records.push(Record { at: self.now, execution, state, what });
        }
    }
}
