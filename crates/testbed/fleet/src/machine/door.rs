//! Step Functions, as the functions call it about the executions that are played here.

use serde_json::{Value, json};
use states::rules::Problem;
use states::{End, Event, Status};

use super::{Machine, Running, arn_of};
use crate::fake::{Answer, Refusal};

impl Machine {
    /// Answers a call of a function to AWS.
    pub(super) fn answer(&mut self, operation: &str, input: &Value) -> Answer {
        let text = |key: &str| input[key].as_str().unwrap_or_default().to_owned();
        let by = self.now() - self.fake.open().lag.max(self.lag);
        let answer = match operation {
            "states.DescribeExecution" => match self.find(&text("executionArn")) {
                // It is answered before all of Step Functions knows.
                Some((_, running)) if running.started > by => {
                    Err(Refusal::new("ExecutionDoesNotExist", running.arn.clone()))
                }
                Some((_, running)) => Ok(running.described(by)),
                // It was taken away after its end, or never existed.
                None => return self.fake.open().answer(operation, input),
            },
            "states.StartExecution" => self.start_by_call(&text("name"), &text("input")),
            "states.SendTaskSuccess" => {
                let output = serde_json::from_str(&text("output")).unwrap_or_default();
                self.hand_over(&text("taskToken"), |token| Event::TokenAnswered(token, output))
            }
            "states.SendTaskFailure" => {
                let problem = Problem::new(text("error"), text("cause"));
                self.hand_over(&text("taskToken"), |token| Event::TokenFailed(token, problem))
            }
            _ => return self.fake.open().answer(operation, input),
        };
        self.fake.open().count(operation);
        answer
    }

    /// Starts an execution; with the name and the input of one that runs, it is that one.
    fn start_by_call(&mut self, name: &str, input: &str) -> Answer {
        let arn = arn_of(name);
        let input: Value = serde_json::from_str(input).unwrap_or_default();
        let started = json!({"executionArn": arn, "startDate": self.now() as f64 / 1000.0});
        if let Some((_, running)) = self.find(&arn)
            && running.runs()
            && running.input == input
        {
            return Ok(started);
        }
        if self.fake.open().executions.contains_key(&arn) {
            return Err(Refusal::new("ExecutionAlreadyExists", arn));
        }
        self.start(name.to_owned(), input);
        Ok(started)
    }

    pub(super) fn hand_over(&mut self, token: &str, event: impl FnOnce(String) -> Event) -> Answer {
        let waiting = self.executions.iter().find(|(_, running)| running.execution.waits_for(token));
        let Some((id, _)) = waiting else {
            return Err(Refusal::new("TaskTimedOut", "the task does not wait any more"));
        };
        let id = *id;
        self.tell(id, event(token.to_owned()));
        Ok(json!({}))
    }
}

impl Running {
    /// Describes it as it was at a moment.
    fn described(&self, by: i64) -> Value {
        let ended = self.ended.filter(|ended| *ended <= by);
        let status = if ended.is_some() { self.status() } else { "RUNNING" };
        let problem = match self.execution.status() {
            Status::Ended(End::Failed(problem)) if ended.is_some() => Some(problem),
            _ => None,
        };
        json!({
            "executionArn": self.arn, "status": status, "stopDate": ended.map(|ended| ended as f64 / 1000.0),
            "redriveDate": self.redriven.map(|at| at as f64 / 1000.0),
            "error": problem.map(|problem| &problem.error), "cause": problem.map(|problem| &problem.cause)
        })
    }
}
