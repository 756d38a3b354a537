//! One call of a function by a state: what it is given, and what follows from how it ends.

use pipeline::Fault;
use serde_json::{Value, json};

use super::Machine;
use super::mishap::Mishap;
use crate::crew::Function;
use crate::fake::{ACCOUNT, REGION};

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
    /// Calls the function of a state; `attempt` counts from 0.
    pub(super) async fn call(
        &mut self,
        state: &'static str,
        task: &Task,
        input: &Value,
        attempt: u32,
    ) -> Called {
        let payload = merged(input, task.keys.clone());
        self.meter.sent(&payload);
        let mishap = self.mishap(state, input);
        let now = self.clock();
        let answer = match &mishap {
            Some(Mishap::Dies) => return Called::Died,
            Some(Mishap::Fails(fault)) => Err(fault.clone()),
            _ => self.crew.call(task.function, payload, now).await,
        };
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
