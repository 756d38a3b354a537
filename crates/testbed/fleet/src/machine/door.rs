//! Step Functions, as the functions call it about the executions that are played here.

use serde_json::{Value, json};
use states::Event;
use states::rules::Problem;

use super::{Machine, arn_of};
use crate::fake::{Answer, Refusal};

impl Machine {
    /// Answers a call of a function to AWS.
    pub(super) fn answer(&mut self, operation: &str, input: &Value) -> Answer {
        let text = |key: &str| input[key].as_str().unwrap_or_default().to_owned();
        let answer = match operation {
            "states.DescribeExecution" => match self.find(&text("executionArn")) {
                Some((_, running)) => Ok(json!({
                    "executionArn": running.arn, "status": running.status(),
                    "stopDate": running.ended.map(|ended| ended as f64 / 1000.0)
                })),
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

    fn hand_over(&mut self, token: &str, event: impl FnOnce(String) -> Event) -> Answer {
        let waiting = self.executions.iter().find(|(_, running)| running.execution.waits_for(token));
        let Some((id, _)) = waiting else {
            return Err(Refusal::new("TaskTimedOut", "the task does not wait any more"));
        };
        let id = *id;
        self.tell(id, event(token.to_owned()));
        Ok(json!({}))
    }
}
