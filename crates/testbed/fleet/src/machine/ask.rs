//! Calls of functions to AWS: what goes wrong with each, and who looks on.

use serde_json::Value;

use super::Machine;
use super::agenda::Due;
use super::faults::Trouble;
use crate::fake::{Answer, Asked};

impl Machine {
    /// Has a call that a function has made reach AWS.
    pub(super) fn ask(&mut self, id: u64, asked: Asked) {
        let Asked { operation, input, takes, answer } = asked;
        self.note(|| format!("call {id} asks {operation}"));
        let now = self.now();
        let trouble = self.faults.as_mut().and_then(|faults| faults.of_request(now));
        let late = match &trouble {
            Some(Trouble::Slow(milliseconds)) => *milliseconds,
            _ => 0,
        };
        let answered = self.troubled(id, &operation, &input, trouble);
        let slow = self.fake.open().slow.get(&operation).copied().unwrap_or_default() + late;
        self.agenda.add(self.now() + takes + slow, Due::Reply(answer, answered));
    }

    /// Answers a call that something may go wrong with.
    fn troubled(&mut self, call: u64, operation: &str, input: &Value, trouble: Option<Trouble>) -> Answer {
        let refusal = match trouble {
            Some(Trouble::Before(refusal)) => return Err(refusal),
            Some(Trouble::After(refusal)) => Some(refusal),
            Some(Trouble::Stale(lag)) => {
                self.fake.open().lag = lag;
                None
            }
            Some(Trouble::Partial) => {
                self.fake.open().partial = true;
                None
            }
            Some(Trouble::Slow(_)) | None => None,
        };
        let suspected = self.suspect(call, operation, input);
        let answered = self.answer(operation, input);
        let mut account = self.fake.open();
        (account.lag, account.partial) = (0, false);
        drop(account);
        if answered.is_ok() {
            self.see(call, operation, input, suspected);
        }
        refusal.map_or(answered, Err)
    }

    /// Asks who looks on what would be wrong with a call if it had its effect now.
    fn suspect(&mut self, call: u64, operation: &str, input: &Value) -> Option<String> {
        let (oracle, release) = (self.oracle.as_mut()?, self.writers.get(&call)?);
        oracle.suspects(&mut self.fake.open(), release, operation, input)
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
