//! Plays a map: its items side by side, each at its own time, and one call after the other.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use serde_json::{Value, json};

use super::call::Called;
use super::item::{self, Step, Variables};
use super::{LATENCY_MS, Machine};

/// One item.
#[derive(Debug)]
struct Item {
    input: Value,
    state: &'static str,
    variables: Variables,
    attempt: u32,
    events: u64,
    error: (String, String),
}

impl Machine {
    /// Plays the items of a map to their ends, so many at a time.
    pub(super) async fn map(&mut self, map: &'static str, inputs: Vec<Value>, concurrency: u64) {
        let first = item::STATES.iter().find(|(name, _)| *name == map);
        let Some(state) = first.and_then(|(_, states)| states.first()).copied() else { return };
        let mut waiting: VecDeque<Item> = inputs.into_iter().map(|input| Item::new(input, state)).collect();
        let (mut running, mut due, mut turn) = (Vec::new(), BinaryHeap::new(), 0_u64);
        for item in waiting.drain(..waiting.len().min(usize::try_from(concurrency).unwrap_or(usize::MAX))) {
            due.push(Reverse((self.now(), turn, running.len())));
            running.push(item);
            turn += 1;
        }
        while let Some(Reverse((at, _, place))) = due.pop() {
            self.fake.open().now = at;
            let Some(item) = running.get_mut(place) else { continue };
            let next = match (self.advance(item).await, waiting.is_empty()) {
                (Some(milliseconds), _) => at + milliseconds,
                (None, true) => continue,
                (None, false) => {
                    // Its place is the next one's.
                    if let Some(next) = waiting.pop_front() {
                        *item = next;
                    }
                    at
                }
            };
            due.push(Reverse((next, turn, place)));
            turn += 1;
        }
    }

    /// Plays one state of an item; returns in how many milliseconds the next one follows, or that the item ended.
    async fn advance(&mut self, item: &mut Item) -> Option<i64> {
        let state = item.state;
        if item.attempt == 0 {
            self.meter.entered_by(state, &mut item.events);
        }
        if let Some(task) = item::task(state, item.variables.looks()) {
            let (called, took) = self.call(state, &task, &item.input, item.attempt).await;
            return match called {
                Called::Answered(answer) => {
                    let next = item.variables.keep(state, &answer);
                    item.go(next);
                    Some(took)
                }
                Called::Again(milliseconds) => {
                    item.attempt += 1;
                    Some(took + milliseconds)
                }
                Called::Failed(error, cause) => {
                    item.error = (error, cause);
                    item.go(task.caught);
                    Some(took)
                }
                Called::Died => None,
            };
        }
        let (next, milliseconds) = match item.variables.step(state) {
            Step::Until(moment, next) => {
                (next, moment.map_or(0, |moment| moment.millis() - self.now()).max(0))
            }
            Step::For(seconds, next) => (next, seconds * 1000),
            Step::Go(next) => (next, 0),
            Step::Write(field, next) => {
                self.write(field, item);
                (next, LATENCY_MS)
            }
            Step::End => return None,
        };
        item.go(next);
        Some(milliseconds)
    }

    /// Writes the error of an item into the row of its move or its repository, as the state machine does by itself.
    fn write(&self, field: &str, Item { input, error: (error, cause), .. }: &Item) {
        let text = |key: &str| input[key].as_str().unwrap_or_default().to_owned();
        let failure = json!({"M": {"error": {"S": error}, "cause": {"S": cause}}});
        let sort = match input.get("repository") {
            Some(repository) => format!("repo#{repository}"),
            None => format!("move#{}#{}", input["wave"], input["move"]),
        };
        let update = json!({
            "Key": {"pk": {"S": format!("release#{}", text("release"))}, "sk": {"S": sort}},
            "UpdateExpression": "SET #failure = :failure", "ConditionExpression": "attribute_exists(pk)",
            "ExpressionAttributeNames": {"#failure": field}, "ExpressionAttributeValues": {":failure": failure},
        });
        // Whatever comes of it, the item goes on.
        let _ = self.fake.open().answer("dynamodb.UpdateItem", &update);
    }
}

impl Item {
    fn new(input: Value, state: &'static str) -> Self {
        let (variables, error) = (Variables::default(), Default::default());
        Item { input, state, variables, attempt: 0, events: 0, error }
    }

    fn go(&mut self, state: &'static str) {
        (self.state, self.attempt) = (state, 0);
    }
}
