//! One call of a function by a state: what it is given, and what follows from how it ends.

use pipeline::Fault;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::mishap::Mishap;
use super::{LATENCY_MS, Late, Machine};
use crate::fake::{ACCOUNT, REGION};
use crate::functions::Function;

/// How often a state tries again, and after how long at the longest.
const RETRIES: u32 = 5;
const LONGEST_MS: i64 = 30_000;

/// What a state of the kind Task does.
#[derive(Debug)]
pub struct Task {
    /// The function that it calls.
    pub function: Function,
    /// What it adds to its input.
    pub keys: Value,
    /// Where its catch goes.
    pub caught: &'static str,
}

/// How a call ended.
#[derive(Debug)]
pub enum Called {
    /// The function answered.
    Answered(Value),
    /// It is retried, after so many milliseconds.
    Again(i64),
    /// It failed for good, by this error and for this cause.
    Failed(String, String),
    /// The execution ended with it, by an error that nothing catches.
    Died,
}

impl Machine {
    /// Calls the function of a state; `attempt` counts from 0.  Returns how many milliseconds that took, too.
    pub(super) async fn call(
        &mut self,
        state: &'static str,
        task: &Task,
        input: &Value,
        attempt: u32,
    ) -> (Called, i64) {
        let payload = merged(input, task.keys.clone());
        self.meter.sent(&payload);
        let mishap = self.mishap(state, input);
        let (answer, took) = match &mishap {
            Some(Mishap::Late(fault, after)) => {
                let (function, began) = (task.function, self.clock());
                self.late = Some(Late { function, payload, began, after: *after });
                (Err(fault.clone()), LATENCY_MS)
            }
            Some(Mishap::Dies) => return (Called::Died, 0),
            Some(Mishap::Fails(fault)) => (Err(fault.clone()), LATENCY_MS),
            _ => self.work(task.function, payload).await,
        };
        let called = self.ended(state, mishap, answer, attempt);
        if let Called::Answered(_) = called {
            self.come_late().await;
        }
        (called, took)
    }

    /// Lets a call that was given up do its work, if its time has come.  Nobody waits for what it answers.
    async fn come_late(&mut self) {
        if let Some(late) = self.late.take_if(|late| late.after <= 1) {
            drop(self.functions.call(late.function, late.payload, late.began).await);
        } else if let Some(late) = &mut self.late {
            late.after -= 1;
        }
    }

    /// Lets a function work; returns how long it did.
    async fn work(&mut self, function: Function, payload: Value) -> (Result<Value, Fault>, i64) {
        let now = self.clock();
        self.fake.open().working = Some(Instant::now());
        let answer = self.functions.call(function, payload, now).await;
        let took = self.fake.open().worked() + LATENCY_MS;
        self.fake.open().working = None;
        self.meter.worked(function, took);
        (answer, took)
    }

    fn ended(
        &mut self,
        state: &'static str,
        mishap: Option<Mishap>,
        answer: Result<Value, Fault>,
        attempt: u32,
    ) -> Called {
        match (mishap, answer) {
            (Some(Mishap::DiesAfter), _) => Called::Died,
            (Some(Mishap::FailsAfter(fault)), Ok(_)) => self.failed(state, &fault, attempt),
            (_, Ok(answer)) => {
                self.meter.sent(&answer);
                Called::Answered(answer)
            }
            (_, Err(fault)) => self.failed(state, &fault, attempt),
        }
    }

    fn failed(&mut self, state: &'static str, fault: &Fault, attempt: u32) -> Called {
        self.meter.failed(state, fault);
        if Fault::RETRIED.contains(&fault.name()) && attempt < RETRIES {
            self.meter.retried(state);
            return Called::Again((2_000 << attempt).min(LONGEST_MS));
        }
        // As Lambda words it.
        let cause = json!({"errorMessage": fault.to_string(), "errorType": fault.name()}).to_string();
        Called::Failed(fault.name().to_owned(), cause.chars().take(1024).collect())
    }

    /// Finds what is to go wrong with this call.
    fn mishap(&mut self, state: &'static str, input: &Value) -> Option<Mishap> {
        if self.mishaps.is_empty() {
            return None;
        }
        if input.get("move").or(input.get("repository")).is_none() {
            return self.mishaps.take("", state);
        }
        let (release, wave, n) = (&input["release"], &input["wave"], &input["move"]);
        let (pk, sk) = (format!("release#{}", release.as_str()?), format!("move#{wave}#{n}"));
        let row = self.fake.open().table.row(&pk, &sk)?;
        let mishap = self.mishaps.take(row["service"].as_str()?, state)?;
        if let Mishap::Overtaken(placed) = &mishap {
            crate::cluster::overtake(&self.fake, placed);
        }
        Some(mishap)
    }
}

/// Returns the ARN of the machine.
pub fn machine() -> String {
    format!("arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:tidegate")
}

/// Returns an object with more keys.
pub fn merged(input: &Value, keys: Value) -> Value {
    let mut merged = input.clone();
    if let (Some(merged), Value::Object(keys)) = (merged.as_object_mut(), keys) {
        merged.extend(keys);
    }
    merged
}

/// Gives up on a state that nobody plays.
#[expect(clippy::panic, reason = "this is how a test fails")]
pub fn unknown(state: &str) -> ! {
    panic!("the state {state} is not played")
}
