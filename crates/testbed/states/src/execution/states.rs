//! What the states do: how each is entered, worked through, left, and failed.

use std::borrow::Cow;
use std::io;
use std::sync::Arc;

use serde_json::{Value, json};

use super::thread::{Phase, View};
use super::{Call, Effect, End, Execution, Status};
use crate::definition::{After, Integration, Keeps, Kind, Rule, State, Task, Until};
use crate::history::Happening;
use crate::moment;
use crate::rules::{DATA_LIMIT, NO_CHOICE, Problem, RUNTIME, matches};
use crate::template::Template;

/// How many events a history may have.
const MOST_EVENTS: u64 = 25_000;

/// How large a payload may be.
const MOST_BYTES: usize = 256 * 1024;

/// How many seconds a state may wait, for a moment or for a task.
const MOST_SECONDS: i64 = 99_999_999;

impl Execution {
    /// Enters the state that a thread has come to.
    pub(super) fn enter(&mut self, id: u32) {
        let Some(thread) = self.threads.get_mut(&id).filter(|thread| !thread.ended) else { return };
        thread.tries.clear();
        thread.entered = json!({"EnteredTime": moment::text(self.now)});
        let (states, at, owner) = (Arc::clone(&thread.states), thread.at, thread.owner);
        let Some(state) = states.all.get(at) else { return };
        if self.threads.get(&owner).is_some_and(|owner| owner.events >= MOST_EVENTS) {
            let cause = format!("the execution reached the maximum number of history events ({MOST_EVENTS})");
            return self.end(owner, End::Failed(Problem::new(RUNTIME, cause)));
        }
        self.note(id, Happening::StateEntered);
        let done = match &state.kind {
            Kind::Task(_) | Kind::Map(_) => return self.work(id),
            Kind::Pass { .. } | Kind::Succeed => return self.leave(id, None),
            Kind::Choice { rules, default } => self.choose(id, state, rules, *default),
            Kind::Wait { until, .. } => self.wait(id, until),
            Kind::Fail { error, cause } => {
                let text = |template: &Option<Template>| {
                    let text = template.as_ref().map(|template| self.fill_text(id, template));
                    text.transpose()
                };
                text(error).and_then(|error| {
                    let problem = Problem { error: error.unwrap_or_default(), cause: text(cause)? };
                    Err(problem)
                })
            }
        };
        if let Err(problem) = done {
            self.end(id, End::Failed(problem));
        }
    }

    /// Does the work of a Task or a Map, for the first time or again.
    pub(super) fn work(&mut self, id: u32) {
        let Some(thread) = self.threads.get(&id) else { return };
        let (states, at) = (Arc::clone(&thread.states), thread.at);
        let Some(state) = states.all.get(at) else { return };
        let begun = match &state.kind {
            Kind::Task(task) => self.call(id, state, task),
            Kind::Map(map) => self.begin_map(id, map),
            _ => Ok(()),
        };
        if let Err(problem) = begun {
            self.fail(id, problem);
        }
    }

    fn call(&mut self, id: u32, state: &State, task: &Task) -> Result<(), Problem> {
        let call = self.ticket(id);
        let Some(thread) = self.threads.get(&id) else { return Ok(()) };
        let (execution, attempt) = (Arc::clone(&thread.execution), thread.tries.values().sum());
        let token =
            (task.integration == Integration::InvokeForToken).then(|| format!("{execution}/{id}/{call}"));
        let context = json!({"Token": token});
        let filled = self.view(id).map(|view| {
            let view = View { task: Some(&context), ..view };
            let arguments = task.arguments.fill(&view).map(Cow::into_owned)?;
            let seconds =
                |value: &Value| value.as_i64().filter(|seconds| (1..=MOST_SECONDS).contains(seconds));
            let limit =
                task.timeout.as_ref().map(|limit| limit.fill_as(&view, "seconds", seconds)).transpose()?;
            within_limit("the arguments", &arguments).map(|()| (arguments, limit))
        });
        let (arguments, limit) = match filled {
            Some(Ok(filled)) => filled,
            Some(Err(problem)) => {
                self.tickets.remove(&call);
                return Err(problem);
            }
            None => return Ok(()),
        };
        self.note(id, Happening::TaskScheduled);
        self.note(id, Happening::TaskStarted);
        let limit = limit.map(|seconds| self.wake(id, self.now + seconds * 1000));
        if let Some(thread) = self.threads.get_mut(&id) {
            thread.phase = Phase::Calling { call, limit, token };
        }
        let (state, integration) = (Arc::clone(&state.name), task.integration);
        self.effects.push(Effect::Call(Box::new(Call {
            ticket: call,
            execution,
            state,
            attempt,
            integration,
            arguments,
        })));
        Ok(())
    }

    fn choose(
        &mut self,
        id: u32,
        state: &State,
        rules: &[Rule],
        default: Option<usize>,
    ) -> Result<(), Problem> {
        for rule in rules {
            let Some(view) = self.view(id) else { return Ok(()) };
            if rule.condition.fill_as(&view, "true or false", Value::as_bool)? {
                return self.go(id, &rule.keeps, None, None, After::Next(rule.next));
            }
        }
        let Some(next) = default else {
            return Err(Problem::new(NO_CHOICE, "no rule holds, and there is no default"));
        };
        self.go(id, &state.keeps, None, None, After::Next(next))
    }

    fn wait(&mut self, id: u32, until: &Until) -> Result<(), Problem> {
        let Some(view) = self.view(id) else { return Ok(()) };
        let at = match until {
            Until::Seconds(template) => {
                let seconds =
                    |value: &Value| value.as_i64().filter(|seconds| (0..=MOST_SECONDS).contains(seconds));
                self.now + template.fill_as(&view, "seconds", seconds)? * 1000
            }
            Until::Timestamp(template) => {
                let read = |value: &Value| value.as_str().and_then(moment::parse);
                template.fill_as(&view, "a moment as in RFC 3339", read)?
            }
        };
        let timer = self.wake(id, at.max(self.now));
        self.set(id, Phase::Waiting { timer });
        Ok(())
    }

    /// Leaves a state that succeeded, with its result if it has one.
    pub(super) fn leave(&mut self, id: u32, result: Option<&Value>) {
        let Some(thread) = self.threads.get(&id) else { return };
        let (states, at) = (Arc::clone(&thread.states), thread.at);
        let Some(state) = states.all.get(at) else { return };
        let after = match &state.kind {
            Kind::Task(Task { after, .. }) | Kind::Wait { after, .. } | Kind::Pass { after } => *after,
            Kind::Map(map) => map.after,
            Kind::Succeed | Kind::Choice { .. } | Kind::Fail { .. } => After::End,
        };
        let sized = result.map_or(Ok(()), |result| within_limit("the result", result));
        if let Err(problem) = sized.and_then(|()| self.go(id, &state.keeps, result, None, after)) {
            self.fail(id, problem);
        }
    }

    /// Assigns and hands on what a state keeps, and goes to what follows.
    fn go(
        &mut self,
        id: u32,
        keeps: &Keeps,
        result: Option<&Value>,
        error: Option<&Value>,
        after: After,
    ) -> Result<(), Problem> {
        let Some(view) = self.view(id) else { return Ok(()) };
        let view = View { result, error, ..view };
        let mut assigned = Vec::new();
        for (name, template) in &keeps.assign {
            let value = template.fill(&view)?.into_owned();
            within_limit(name, &value)?;
            assigned.push((name.clone(), value));
        }
        let output = match (&keeps.output, error.or(result)) {
            (Some(template), _) => template.fill(&view)?.into_owned(),
            (None, Some(value)) => value.clone(),
            (None, None) => view.thread.input.clone(),
        };
        within_limit("the output", &output)?;
        self.note(id, Happening::StateExited);
        self.set(id, Phase::Idle);
        let Some(thread) = self.threads.get_mut(&id) else { return Ok(()) };
        thread.variables.extend(assigned);
        match after {
            After::Next(next) => {
                (thread.at, thread.input) = (next, output);
                self.ready.push_back(id);
            }
            After::End => self.end(id, End::Succeeded(output)),
        }
        Ok(())
    }

    /// Tries again, goes where a Catch leads, or ends, after an error in a state.
    pub(super) fn fail(&mut self, id: u32, problem: Problem) {
        let Some(thread) = self.threads.get_mut(&id) else { return };
        let states = Arc::clone(&thread.states);
        let Some(state) = states.all.get(thread.at) else { return };
        let mut retriers = state.retry.iter().enumerate();
        if let Some((n, retrier)) = retriers.find(|(_, retrier)| matches(&retrier.errors, &problem.error)) {
            let tries = thread.tries.entry(n).or_default();
            if *tries < retrier.attempts {
                let delay = retrier.delay(*tries, &mut self.random);
                *tries += 1;
                let timer = self.wake(id, self.now.saturating_add(delay));
                return self.set(id, Phase::Pausing { timer });
            }
        }
        let end = match state.catch.iter().find(|catcher| matches(&catcher.errors, &problem.error)) {
            None => Err(problem),
            Some(catcher) => {
                let error = problem.output();
                self.go(id, &catcher.keeps, None, Some(&error), After::Next(catcher.next))
            }
        };
        if let Err(problem) = end {
            self.end(id, End::Failed(problem));
        }
    }

    pub(super) fn end(&mut self, id: u32, end: End) {
        let Some(thread) = self.threads.get_mut(&id).filter(|thread| !thread.ended) else { return };
        let (own, parent) = (thread.owner == id, thread.parent);
        // Items that still run end with it; for a redrive it is kept where they were.
        self.children(id).into_iter().for_each(|child| self.abort(child));
        if let Some(thread) = self.threads.get_mut(&id) {
            thread.ended = true;
            if !matches!(thread.phase, Phase::Mapping(_)) {
                self.set(id, Phase::Idle);
            }
        }
        let failed = match &end {
            End::Failed(problem) => Some(problem.error.clone()),
            End::Succeeded(_) | End::Aborted => None,
        };
        if own {
            self.note_of_execution(
                id,
                failed.map_or(Happening::ExecutionSucceeded, Happening::ExecutionFailed),
            );
        }
        match parent {
            Some((parent, index)) => self.item_ended(parent, index, end),
            None => {
                self.status = Status::Ended(end.clone());
                self.effects.push(Effect::Ended(end));
            }
        }
    }

    /// Returns what the expressions of a thread's state see.
    pub(super) fn view(&self, id: u32) -> Option<View<'_>> {
        let thread = self.threads.get(&id)?;
        Some(View { thread, machine: &self.machine, result: None, error: None, task: None, item: None })
    }

    fn fill_text(&self, id: u32, template: &Template) -> Result<String, Problem> {
        let Some(view) = self.view(id) else { return Ok(String::new()) };
        template.fill_as(&view, "a text", |value| value.as_str().map(str::to_owned))
    }
}

/// Refuses what is too large.
pub fn within_limit(what: &str, value: &Value) -> Result<(), Problem> {
    let mut counter = Counter(0);
    // A counter never fails.
    let _ = serde_json::to_writer(&mut counter, value);
    if counter.0 <= MOST_BYTES {
        return Ok(());
    }
    Err(Problem::new(DATA_LIMIT, format!("{what}: {} bytes, of {MOST_BYTES} at most", counter.0)))
}

/// Counts what is written.
struct Counter(usize);

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
