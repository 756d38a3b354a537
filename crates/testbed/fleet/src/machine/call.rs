//! Calls by the state machine: what each is given, what goes wrong with it, and what follows from how it ends.

use std::rc::Rc;
use std::sync::Arc;

use pipeline::Fault;
use pipeline::clock::Timestamp;
use serde_json::{Value, json};
use states::execution::Call;
use states::rules::{Problem, RUNTIME};
use states::{Event, Integration};

use super::agenda::Due;
use super::mishap::{Mishap, problem};
use super::{Action, LATENCY_MS, Machine};
use crate::functions::Function;

/// After how long Lambda calls a function again that an event has called, and that has failed.
const AGAIN_MS: i64 = 60_000;

/// How often it does.
const TWICE: u32 = 2;

/// A call of a function.
#[derive(Clone, Debug)]
pub struct Begun {
    to: Caller,
    pub(super) state: Arc<str>,
    function: Function,
    payload: Value,
    began: i64,
    mishap: Option<Mishap>,
    /// Whether Lambda only takes it, and answers before the function has begun.
    handed_over: bool,
}

/// Who is told how a call ended.
#[derive(Clone, Copy, Debug)]
enum Caller {
    /// An execution, by a ticket.
    Machine { execution: u64, ticket: u64 },
    /// Lambda itself, which calls again so many times what an event has called.
    Event { again: u32 },
    /// Nobody any more.
    Nobody,
}

impl Begun {
    /// Returns the same call, whose answer nobody waits for.
    pub(super) fn unheard(&self) -> Self {
        Begun { to: Caller::Nobody, mishap: None, ..self.clone() }
    }
}

/// A call that does its work when others have answered already.
#[derive(Debug)]
pub struct Late {
    call: Begun,
    /// How many answers it waits for.
    after: usize,
}

impl Machine {
    /// Serves what an execution calls.
    pub(super) fn serve(&mut self, execution: u64, call: Call) {
        let Call { ticket, state, integration, mut arguments, .. } = call;
        let later = self.now() + LATENCY_MS;
        match integration {
            Integration::UpdateItem => {
                self.agenda.add(self.now(), Due::Write { execution, ticket, input: arguments });
            }
            Integration::SendMessage => {
                if let Some(oracle) = &mut self.oracle {
                    oracle.hears_of_undelivered(&arguments["MessageBody"]);
                }
                self.fake.open().undelivered.push(arguments);
                self.agenda.add(later, Due::Tell(execution, Event::Answered(ticket, json!({}))));
            }
            Integration::Invoke | Integration::InvokeForToken => {
                let payload = arguments["Payload"].take();
                self.meter.sent(&payload);
                let name = arguments["FunctionName"].as_str().unwrap_or_default();
                let Some(function) = Function::named(name) else {
                    let problem = Problem::new("Lambda.ResourceNotFoundException", name);
                    return self.agenda.add(later, Due::Tell(execution, Event::Failed(ticket, problem)));
                };
                let (to, began) = (Caller::Machine { execution, ticket }, self.now());
                let handed_over = arguments["InvocationType"] == "Event";
                let begun = Begun { to, state, function, payload, began, mishap: None, handed_over };
                self.agenda.add(began, Due::Begin(Box::new(begun)));
            }
        }
    }

    /// Begins a call of a function, with what is to go wrong with it.
    pub(super) fn begin(&mut self, mut begun: Begun) {
        let later = self.now() + LATENCY_MS;
        let now = self.now();
        let planned = self.planned.of_invocation(&begun);
        let drawn = self.faults.as_mut().and_then(|faults| faults.of_invocation(now));
        match self.mishap(&begun.state, &begun.payload).or(planned).or(drawn) {
            Some(Mishap::Fails(problem)) => self.fails(&begun, problem, later),
            Some(Mishap::Dies) => self.dies(&begun, self.now()),
            Some(Mishap::Late(problem, after)) => {
                self.fails(&begun, problem, later);
                self.late = Some(Late { call: begun.unheard(), after });
            }
            Some(Mishap::Delayed(problem, milliseconds)) => {
                self.fails(&begun, problem, later);
                self.agenda.add(now + milliseconds, Due::Begin(Box::new(begun.unheard())));
            }
            Some(Mishap::Unheard(problem)) => {
                self.fails(&begun, problem, later);
                self.work(begun.unheard());
            }
            mishap => {
                begun.mishap = mishap;
                self.work(begun);
            }
        }
        if let Some(again) = self.planned.take_again() {
            self.work(Begun { began: now, ..again });
        }
    }

    /// Begins the call that is to come again when everything has come to rest, if one is.
    pub(super) fn begins_again(&mut self) -> bool {
        let Some(again) = self.planned.take_at_rest() else { return false };
        self.work(Begun { began: self.now(), ..again });
        true
    }

    fn work(&mut self, begun: Begun) {
        let begun = if begun.handed_over { self.takes(begun) } else { begun };
        let (functions, function, payload) =
            (Rc::clone(&self.functions), begun.function, begun.payload.clone());
        let (began, seconds) = (Timestamp::from_millis(begun.began), function.timeout_seconds());
        let state = Arc::clone(&begun.state);
        let release = payload["release"].as_str().unwrap_or_default().to_owned();
        let id = self.working.begin(begun, async move { functions.call(function, payload, began).await });
        if let Some(oracle) = &mut self.oracle {
            oracle.begins(&self.fake.open(), id, &release);
        }
        self.writers.insert(id, release);
        self.planned.works(id, &state);
        self.note(|| format!("call {id} is {} for {state}", function.name()));
        self.agenda.add(self.now() + seconds * 1000, Due::Kill(id));
        self.poll(id);
    }

    /// Takes a call for which nobody waits: whoever made it goes on, and from now on Lambda calls.
    fn takes(&mut self, begun: Begun) -> Begun {
        let later = self.now() + LATENCY_MS;
        match (&begun.mishap, begun.to) {
            (Some(Mishap::DiesAfter), _) => self.dies(&begun, later),
            (Some(Mishap::FailsAfter(problem)), _) => self.fails(&begun, problem.clone(), later),
            (_, Caller::Machine { execution, ticket }) => {
                let taken = json!({"ExecutedVersion": "$LATEST", "Payload": "", "StatusCode": 202});
                self.agenda.add(later, Due::Tell(execution, Event::Answered(ticket, taken)));
            }
            _ => {}
        }
        Begun { to: Caller::Event { again: TWICE }, mishap: None, handed_over: false, ..begun }
    }

    /// Lets a function go on as far as it can.
    pub(super) fn poll(&mut self, id: u64) {
        let ended = self.working.poll(id);
        let now = self.now();
        let asked = self.fake.open().turns.0.as_mut().map(std::mem::take).unwrap_or_default();
        for asked in asked {
            self.agenda.add(now, Due::Ask(id, Box::new(asked)));
        }
        if let Some((begun, ended)) = ended {
            self.note(|| format!("call {id} ends"));
            self.done(&begun, ended);
        }
    }

    fn done(&mut self, begun: &Begun, ended: Result<Value, Fault>) {
        let later = self.now() + LATENCY_MS;
        self.meter.worked(begun.function, later - begun.began);
        match (&begun.mishap, ended) {
            (Some(Mishap::DiesAfter), _) => self.dies(begun, later),
            (Some(Mishap::FailsAfter(problem)), Ok(_)) => self.fails(begun, problem.clone(), later),
            (_, Err(fault)) => self.fails(begun, problem(&fault), later),
            (_, Ok(payload)) => {
                let Caller::Machine { execution, ticket } = begun.to else { return };
                self.meter.sent(&payload);
                let closed =
                    if &*begun.state == "CloseRelease" { Some(&payload) } else { payload.get("closed") };
                if let (Some(closed), Some(running)) = (closed, self.executions.get_mut(&execution)) {
                    running.closed = closed.clone();
                }
                self.agenda.add(later, answer(execution, ticket, payload));
                self.come_late();
            }
        }
    }

    /// Ends a function that takes too long; what it has asked AWS for happens all the same.
    pub(super) fn kill(&mut self, id: u64) {
        let Some(begun) = self.working.end(id) else { return };
        self.note(|| format!("call {id} is ended by Lambda"));
        let seconds = begun.function.timeout_seconds();
        let cause = format!("Error: Task timed out after {seconds}.00 seconds");
        let cause = json!({"errorMessage": cause, "errorType": "Sandbox.Timedout"}).to_string();
        self.fails(&begun, Problem::new("Sandbox.Timedout", cause), self.now());
    }

    /// Lets a call that was given up do its work, if its time has come.  Nobody waits for what it answers.
    fn come_late(&mut self) {
        if let Some(late) = self.late.take_if(|late| late.after <= 1) {
            self.work(late.call);
        } else if let Some(late) = &mut self.late {
            late.after -= 1;
        }
    }

    /// Ends a call by an error that nothing catches.
    fn dies(&mut self, begun: &Begun, at: i64) {
        if let (Some(oracle), Some(release)) = (&mut self.oracle, begun.payload["release"].as_str()) {
            oracle.died.insert(release.to_owned());
        }
        self.fails(begun, Problem::new(RUNTIME, "it died"), at);
    }

    fn fails(&mut self, begun: &Begun, problem: Problem, at: i64) {
        match begun.to {
            Caller::Machine { execution, ticket } => {
                self.meter.failed(&begun.state, &problem.error);
                self.agenda.add(at, Due::Tell(execution, Event::Failed(ticket, problem)));
            }
            Caller::Event { again: 0 } => self.fake.open().undelivered.push(begun.payload.clone()),
            Caller::Event { again } => {
                self.plan(at + AGAIN_MS, Action::Notify { event: begun.payload.clone(), again: again - 1 });
            }
            Caller::Nobody => {}
        }
    }

    /// Has an event call `alert`.
    pub(super) fn notify(&mut self, event: Value, again: u32) {
        let (state, began) = (Arc::from("EventBridge"), self.now());
        let (to, function) = (Caller::Event { again }, Function::Alert);
        self.begin(Begun { to, state, function, payload: event, began, mishap: None, handed_over: false });
    }

    /// Writes a row for an execution, as the state machine does by itself.
    pub(super) fn write(&mut self, execution: u64, ticket: u64, input: &Value) {
        let operation = "dynamodb.UpdateItem";
        self.note(|| format!("the machine: {operation}"));
        let answered = self.fake.open().answer(operation, input);
        let event = match answered {
            Ok(answer) => Event::Answered(ticket, answer),
            Err(refusal) => {
                Event::Failed(ticket, Problem::new(format!("DynamoDb.{}", refusal.code), refusal.message))
            }
        };
        self.agenda.add(self.now() + LATENCY_MS, Due::Tell(execution, event));
    }

    /// Finds what is to go wrong with a call.
    fn mishap(&mut self, state: &str, payload: &Value) -> Option<Mishap> {
        if self.mishaps.is_empty() {
            return None;
        }
        if payload.get("move").or(payload.get("repository")).is_none() {
            return self.mishaps.take("", state);
        }
        let (release, wave, n) = (&payload["release"], &payload["wave"], &payload["move"]);
        let (pk, sk) = (format!("release#{}", release.as_str()?), format!("move#{wave}#{n}"));
        let row = self.fake.open().table.row(&pk, &sk)?;
        let mishap = self.mishaps.take(row["service"].as_str()?, state)?;
        if let Mishap::Overtaken(placed) = &mishap {
            crate::cluster::overtake(&self.fake, placed);
        }
        Some(mishap)
    }
}

/// Hands what a function answered to an execution, as Lambda does.
fn answer(execution: u64, ticket: u64, payload: Value) -> Due {
    let result = json!({"ExecutedVersion": "$LATEST", "Payload": payload, "StatusCode": 200});
    Due::Tell(execution, Event::Answered(ticket, result))
}
