//! Plays the states of `statemachine/release.asl.json` in virtual time, one call at a time.
//!
//! What a state hands to a function, what it keeps of the answer, and where it goes, is written here again in Rust;
//! a test compares the names, the functions and the ways with the file.

pub mod call;
pub mod item;
mod map;
pub mod meter;
pub mod mishap;
pub mod parent;

use pipeline::clock::Timestamp;
use serde_json::{Value, json};

use crate::fake::{ACCOUNT, Fake, REGION};
use crate::functions::{Function, Functions};
use call::{Called, Task};
use meter::Meter;
use mishap::Mishaps;
use parent::Variables;

/// How long a call of a function takes beside its own calls.
pub const LATENCY_MS: i64 = 50;

/// One state machine, its functions and the account that they work in.
#[derive(Debug)]
pub struct Machine {
    /// The account.
    pub fake: Fake,
    /// The functions.
    pub functions: Functions,
    /// What goes wrong, apart from what goes wrong in the account.
    pub mishaps: Mishaps,
    /// What was measured since the last release began.
    pub meter: Meter,
    /// A call that was given up and has not done its work yet.
    late: Option<Late>,
}

/// A call that does its work when others have answered already.
#[derive(Debug)]
struct Late {
    function: Function,
    payload: Value,
    began: Timestamp,
    /// How many answers it waits for.
    after: usize,
}

/// How an execution ended.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// Its last state.
    pub end: String,
    /// Why.
    pub because: String,
    /// What CloseRelease answered; null if it never did.
    pub closed: Value,
    /// How many moves each wave had.
    pub waves: Vec<u64>,
    /// Milliseconds from its start to its end.
    pub took: i64,
}

impl Machine {
    /// Makes a machine of an account, in which nothing goes wrong.
    pub fn new(fake: Fake, functions: Functions) -> Self {
        Machine { fake, functions, mishaps: Mishaps::default(), meter: Meter::default(), late: None }
    }

    /// Runs one execution to its end.
    ///
    /// # Panics
    ///
    /// If it goes to a state that is not played.
    pub async fn run(&mut self, release: &str, input: &Value) -> Run {
        let execution = format!("arn:aws:states:{REGION}:{ACCOUNT}:execution:tidegate:{release}");
        let context = json!({"release": release, "execution": execution, "machine": call::machine()});
        let started = self.now();
        self.fake.open().executions.insert(execution.clone(), None);
        self.meter = Meter::default();
        let mut variables = Variables { started: self.clock().to_string(), ..Variables::default() };
        let mut state = "OpenRelease";
        while !parent::is_end(state) {
            self.meter.entered(state);
            state = self.step(state, &context, input, &mut variables).await;
        }
        let now = self.now();
        self.fake.open().executions.insert(execution, Some(now));
        let Variables { because, closed, waves, .. } = variables;
        Run { end: state.to_owned(), because, closed, waves, took: now - started }
    }

    /// Plays one state, and returns the next.
    async fn step(
        &mut self,
        state: &'static str,
        context: &Value,
        input: &Value,
        variables: &mut Variables,
    ) -> &'static str {
        if let Some((task, next)) = variables.task(state, input) {
            return match self.task(state, &task, context).await {
                Ok(answer) => {
                    variables.keep(state, &answer);
                    next
                }
                Err(why) => {
                    variables.outcome = "NeedsHuman".to_owned();
                    variables.because = why;
                    task.caught
                }
            };
        }
        match state {
            "WaitToOpen" | "WaitForLeases" | "WaitToReach" | "Bake" => self.wait(variables.pause * 1000),
            "Wave" | "RollbackWave" | "RestoreTags" => {
                self.map(state, variables.items(state, context), variables.concurrency).await;
            }
            _ => {}
        }
        variables.go(state)
    }

    /// Plays a task and its retries; returns its answer, or why it failed.
    async fn task(&mut self, state: &'static str, task: &Task, context: &Value) -> Result<Value, String> {
        let mut attempt = 0;
        loop {
            let (called, took) = self.call(state, task, context, attempt).await;
            self.wait(took);
            match called {
                Called::Answered(answer) => return Ok(answer),
                Called::Failed(error, cause) => return Err(format!("{error}: {cause}")),
                Called::Died => return Err("it died".to_owned()),
                Called::Again(milliseconds) => {
                    attempt += 1;
                    self.wait(milliseconds);
                }
            }
        }
    }

    fn now(&self) -> i64 {
        self.fake.open().now
    }

    fn wait(&self, milliseconds: i64) {
        self.fake.open().now += milliseconds;
    }

    fn clock(&self) -> Timestamp {
        Timestamp::from_millis(self.now())
    }
}
