//! Calls of functions to AWS: each has its turn, and what is to go wrong with it.

use serde_json::Value;

use super::Machine;
use super::agenda::Due;
use super::faults::Trouble;
use crate::fake::{Answer, Asked, Refusal};

/// After how long a function gives a call to AWS up that is not answered.
const GIVEN_UP_MS: i64 = 5_000;

impl Machine {
    /// Lets a call of a function reach AWS, with what is to go wrong with it.
    pub(super) fn asks(&mut self, id: u64, Asked { operation, input, takes, answer }: Asked) {
        self.note(|| format!("call {id} asks {operation}"));
        let now = self.now();
        let planned = self.planned.of_request(id, &operation);
        let trouble = planned.or_else(|| self.faults.as_mut()?.of_request(now));
        let mut slow = self.fake.open().slow.get(&operation).copied().unwrap_or_default();
        if let Some(Trouble::Slow(milliseconds)) = &trouble {
            slow += milliseconds;
        }
        let answered = self.troubled(id, &operation, &input, trouble);
        if answered.as_ref().is_err_and(Refusal::is_no_answer) {
            slow += GIVEN_UP_MS;
        }
        self.agenda.add(now + takes + slow, Due::Reply(answer, answered));
    }

    /// Lets a call reach AWS that its function has given up.
    pub(super) fn comes_late(&mut self, id: u64, operation: &str, input: &Value) {
        self.actions -= 1;
        self.note(|| format!("call {id} has asked {operation}"));
        drop(self.answered(id, operation, input));
    }

    /// Answers a call that something may go wrong with.
    fn troubled(&mut self, call: u64, operation: &str, input: &Value, trouble: Option<Trouble>) -> Answer {
        match trouble {
            Some(Trouble::Before(refusal)) => return Err(refusal),
            Some(Trouble::After(refusal)) => return self.answered(call, operation, input).and(Err(refusal)),
            Some(Trouble::Late(milliseconds)) => {
                self.actions += 1;
                let late = Due::Late(call, operation.to_owned(), input.clone());
                self.agenda.add(self.now() + milliseconds, late);
                return Err(Refusal::no_answer());
            }
            Some(Trouble::Again) => drop(self.answered(call, operation, input)),
            Some(Trouble::Stale(lag)) => self.fake.open().lag = lag,
            Some(Trouble::Partial) => self.fake.open().partial = true,
            Some(Trouble::Slow(_)) | None => {}
        }
        self.answered(call, operation, input)
    }

    /// Answers a call, before the eyes of who looks on.
    fn answered(&mut self, call: u64, operation: &str, input: &Value) -> Answer {
        let suspected = self.suspect(call, operation, input);
        let answered = self.answer(operation, input);
        let mut account = self.fake.open();
        (account.lag, account.partial) = (0, false);
        drop(account);
        if answered.is_ok() {
            self.see(call, operation, input, suspected);
        }
        answered
    }

    /// Asks who looks on what would be wrong with a call if it had its effect now.
    fn suspect(&mut self, call: u64, operation: &str, input: &Value) -> Option<String> {
        let (oracle, release) = (self.oracle.as_mut()?, self.writers.get(&call)?);
        oracle.suspects(&mut self.fake.open(), call, release, operation, input)
    }

    /// Lets who looks on see a call that has had its effect, and others hear of it.
    fn see(&mut self, call: u64, operation: &str, input: &Value, suspected: Option<String>) {
        if let (Some(oracle), Some(release)) = (&mut self.oracle, self.writers.get(&call)) {
            oracle.broken.extend(suspected);
            match operation {
                "sns.Publish" => oracle.hears(&mut self.fake.open()),
                _ => oracle.sees(&mut self.fake.open(), release, operation, input),
            }
        }
        if self.echoes && operation == "ecr.PutImage" {
            self.echo(input);
        }
    }
}
