//! Drives one execution in virtual time, with services that answer as they are told.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use states::execution::Call;
use states::rules::Problem;
use states::{Effect, End, Event, Execution, Identity, Machine, Record, Status};

/// The moment at which everything begins.
pub const START: i64 = 1_795_428_000_000;

/// How many milliseconds a service takes to answer.
pub const TAKES: i64 = 1_000;

/// What a service does with a call.
pub enum Reply {
    Answers(Value),
    Fails(&'static str),
    Never,
}

pub struct Play {
    pub execution: Execution,
    pub now: i64,
    pub records: Vec<Record>,
    pub calls: Vec<Call>,
    unasked: Vec<Call>,
    due: BTreeMap<(i64, u64), Event>,
    turn: u64,
}

/// Builds a machine of its states, of which one is the first.
pub fn machine(start: &str, states: Value) -> Machine {
    let document = json!({"QueryLanguage": "JSONata", "StartAt": start, "States": states});
    Machine::build(&document.to_string(), &[]).unwrap_or_else(|refused| panic!("{refused}"))
}

/// Makes a task with more fields.
pub fn task(more: Value) -> Value {
    let mut task = json!({"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke",
                          "Arguments": {"FunctionName": "f", "Payload": {}}});
    for (field, value) in more.as_object().expect("fields") {
        task[field] = value.clone();
    }
    task
}

/// Plays a machine to its end.
pub fn play(machine: &Machine, input: Value, reply: impl FnMut(&Call) -> Reply) -> Play {
    let mut play = Play::start(machine, input, 1);
    play.go_on(reply);
    play
}

impl Play {
    pub fn start(machine: &Machine, input: Value, seed: u64) -> Self {
        let identity = Identity {
            execution: "arn:aws:states:r:1:execution:m:run".to_owned(),
            name: "run".to_owned(),
            machine: "arn:aws:states:r:1:stateMachine:m".to_owned(),
        };
        let (execution, effects) = Execution::start(machine, identity, input, seed, START);
        let (records, calls, unasked, due) = Default::default();
        let mut play = Play { execution, now: START, records, calls, unasked, due, turn: 0 };
        play.take(effects);
        play
    }

    /// Goes on until nothing is due any more.
    pub fn go_on(&mut self, reply: impl FnMut(&Call) -> Reply) {
        self.go_on_until(i64::MAX, reply);
    }

    /// Goes on as long as something is due before a moment, in milliseconds from the start.
    pub fn go_on_until(&mut self, end: i64, mut reply: impl FnMut(&Call) -> Reply) {
        loop {
            for call in std::mem::take(&mut self.unasked) {
                match reply(&call) {
                    Reply::Answers(payload) => {
                        self.later(
                            self.now + TAKES,
                            Event::Answered(call.ticket, json!({"Payload": payload})),
                        );
                    }
                    Reply::Fails(error) => {
                        let problem = Problem::new(error, "it said so");
                        self.later(self.now + TAKES, Event::Failed(call.ticket, problem));
                    }
                    Reply::Never => {}
                }
                self.calls.push(call);
            }
            let next = self.due.first_key_value().map(|(key, _)| *key);
            let Some((at, turn)) = next.filter(|(at, _)| *at - START < end) else { return };
            let event = self.due.remove(&(at, turn)).expect("what is due");
            self.now = at;
            self.tell(event);
        }
    }

    pub fn tell(&mut self, event: Event) {
        let effects = self.execution.step(self.now, event);
        self.take(effects);
    }

    fn take(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Call(call) => self.unasked.push(*call),
                Effect::Wake { ticket, at } => self.later(at, Event::Woken(ticket)),
                Effect::Ended(_) => {}
            }
        }
        self.records.extend(self.execution.take_records());
    }

    fn later(&mut self, at: i64, event: Event) {
        self.turn += 1;
        self.due.insert((at, self.turn), event);
    }

    /// Returns how it ended: its output, or its error and its cause.
    pub fn end(&self) -> Result<&Value, String> {
        match self.execution.status() {
            Status::Running => Err("it runs".to_owned()),
            Status::Ended(End::Aborted) => Err("it was stopped".to_owned()),
            Status::Ended(End::Succeeded(output)) => Ok(output),
            Status::Ended(End::Failed(Problem { error, cause })) => {
                Err(format!("{error}: {}", cause.as_deref().unwrap_or("-")))
            }
        }
    }

    /// Returns when it called which state, in milliseconds from the start.
    pub fn called(&self, state: &str) -> Vec<i64> {
        let scheduled = self.records.iter().filter(|record| {
            record.what == states::Happening::TaskScheduled && record.state.as_deref() == Some(state)
        });
        scheduled.map(|record| record.at - START).collect()
    }

    /// Returns the states that were entered, in order.
    pub fn entered(&self) -> Vec<&str> {
        let entered = self.records.iter().filter(|record| record.what == states::Happening::StateEntered);
        entered.filter_map(|record| record.state.as_deref()).collect()
    }
}
