//! Plays the real state machine with the real functions, any number of executions side by side.
//!
//! Everything that is due waits in one agenda: what an execution is told, a function that can go on, a call to AWS that
//! has its turn.  Of what is due at the same moment, a seed draws what comes first, so that the same seed repeats
//! everything.  There is one clock, which is virtual: it goes on when nothing is left to do at a moment.

mod act;
mod agenda;
mod ask;
mod call;
mod clock;
mod door;
pub mod faults;
pub mod hands;
pub mod meter;
pub mod mishap;
pub mod planned;
mod words;
mod working;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use pipeline::Fault;
use serde_json::Value;
use states::{Effect, End, Event, Execution, Happening, Identity, Random, Status};
use tokio::task;

use crate::fake::{ACCOUNT, Fake, REGION};
use crate::functions::Functions;
use crate::simulation::oracle::Oracle;
pub use act::{Action, Pushed};
use agenda::{Agenda, Due};
use call::Late;
use clock::Clock;
use faults::Faults;
pub use hands::Hand;
use meter::Meter;
use mishap::Mishaps;
use planned::Planned;
use working::Working;

/// How long a call of a function takes beside its own calls, and a call by the state machine itself.
pub const LATENCY_MS: i64 = 50;

/// How long an event takes to whom it concerns.
pub const EVENT_MS: i64 = 500;

/// What stands for the words in the definition; a function is called by its name.
const WORDS: [(&str, &str); 9] = [
    ("Partition", "aws"),
    ("ReleaseFunctionArn", "release"),
    ("RetagFunctionArn", "retag"),
    ("DeployFunctionArn", "deploy"),
    ("HealthTestFunctionArn", "health-test"),
    ("RollbackFunctionArn", "rollback"),
    ("AlertFunctionArn", "alert"),
    ("LedgerTableName", "ledger"),
    ("UndeliveredQueueUrl", "undelivered"),
];

/// The state machine, its functions and the account that they work in.
pub struct Machine {
    /// The account.
    pub fake: Fake,
    /// What goes wrong, apart from what goes wrong in the account.
    pub mishaps: Mishaps,
    /// For how many milliseconds after its start or its end Step Functions does not tell of it, unless asked again later.
    pub lag: i64,
    /// When it is left as it is, if it has not come to rest by then.
    pub until: Option<i64>,
    /// What was measured since the last release began.
    pub meter: Meter,
    /// Whether ECR's events of the pipeline's own tags start executions, as they do on AWS.
    pub echoes: bool,
    /// Whether the events of executions that have ended are lost.
    pub deaf: bool,
    /// What goes wrong by chance, if anything does.
    pub faults: Option<Faults>,
    /// What goes wrong at one place, and the calls so far.
    pub planned: Planned,
    /// Who looks on, if somebody does.
    pub oracle: Option<Oracle>,
    /// All that happened, line by line, if it is kept.
    pub history: Option<Vec<String>>,
    functions: Rc<Functions>,
    definition: Rc<states::Machine>,
    executions: BTreeMap<u64, Running>,
    last_execution: u64,
    agenda: Agenda,
    /// How many of the actions of people and of AWS are still to come.
    actions: usize,
    /// How many tags ECR has told of beside those of pushes.
    tags: usize,
    /// How many alarms CloudWatch has told of.
    alarms: usize,
    working: Working,
    /// The release for which each call of a function works, also after Lambda has ended it.
    writers: BTreeMap<u64, String>,
    late: Option<Late>,
    random: Random,
}

/// One execution.
struct Running {
    arn: String,
    input: Value,
    execution: Execution,
    started: i64,
    ended: Option<i64>,
    /// When somebody last had it go on after its end.
    redriven: Option<i64>,
    /// The last state that it entered.
    last: Option<Arc<str>>,
    /// What was answered of its end.
    closed: Value,
}

/// How an execution ended.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// Its last state.
    pub end: String,
    /// Why.
    pub because: String,
    /// What was answered of its end; null if it never was.
    pub closed: Value,
    /// How many moves each wave had.
    pub waves: Vec<u64>,
    /// Milliseconds from its start to its end.
    pub took: i64,
}

fn defined(text: &str) -> Result<Rc<states::Machine>, Fault> {
    let built = states::Machine::build(text, &WORDS);
    built.map(Rc::new).map_err(|refused| Fault::Defect(refused.to_string()))
}

impl Machine {
    /// Makes a machine of an account, in which nothing goes wrong.
    pub fn new(fake: Fake) -> Result<Self, Fault> {
        Ok(Machine::of(fake, defined(include_str!("../../../../statemachine/release.asl.json"))?))
    }

    /// Has all executions go by another definition: one keeps the definition that it began with when the stack is updated.
    pub fn redefine(&mut self, definition: &str) -> Result<(), Fault> {
        self.definition = defined(definition)?;
        Ok(())
    }

    /// Makes a machine of the same account and definition, which has played nothing yet, and whose functions are cold.
    #[must_use]
    pub fn anew(&self) -> Self {
        Machine::of(self.fake.clone(), Rc::clone(&self.definition))
    }

    fn of(fake: Fake, definition: Rc<states::Machine>) -> Self {
        Machine {
            functions: Rc::new(Functions::new(&fake)),
            fake,
            definition,
            mishaps: Mishaps::default(),
            until: None,
            lag: 0,
            meter: Meter::default(),
            echoes: false,
            deaf: false,
            faults: None,
            planned: Planned::default(),
            oracle: None,
            history: None,
            executions: BTreeMap::new(),
            last_execution: 0,
            agenda: Agenda::default(),
            actions: 0,
            tags: 0,
            alarms: 0,
            working: Working::default(),
            writers: BTreeMap::new(),
            late: None,
            random: Random::new(1),
        }
    }

    /// Has a seed draw what comes first of what is due at the same moment, and the jitter of retries.
    ///
    /// Without one, what was due first comes first, as it mostly does, and the jitter is always the same.
    pub fn seed(&mut self, seed: u64) {
        self.agenda.seed(seed);
        self.random = Random::new(seed);
    }

    /// Plans an action for a moment.
    pub fn plan(&mut self, at: i64, action: Action) {
        self.actions += 1;
        self.agenda.add(at, Due::Act(action));
    }

    /// Runs one execution to its end, and all others that were begun.
    pub async fn run(&mut self, release: &str, input: &Value) -> Run {
        self.meter = Meter::default();
        self.plan(self.now(), Action::Start(release.to_owned(), input.clone()));
        self.play().await;
        self.ended(release).unwrap_or_default()
    }

    /// Plays until nothing is left to come: no action, no execution that runs, and no function that works.
    pub async fn play(&mut self) {
        self.fake.open().turns.0 = Some(Vec::new());
        // Whatever happens at one moment is one long turn for the runtime.
        task::unconstrained(self.go_on()).await;
        self.fake.open().turns.0 = None;
    }

    /// Takes an execution that has ended.
    pub fn ended(&mut self, release: &str) -> Option<Run> {
        let id =
            self.find(&arn_of(release)).filter(|(_, running)| running.ended.is_some()).map(|(id, _)| id)?;
        let Running { execution, started, ended, last, closed, .. } = self.executions.remove(&id)?;
        let numbers =
            |value: &Value| value.as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
        Some(Run {
            end: last.as_deref().unwrap_or_default().to_owned(),
            because: execution.variable("because").and_then(Value::as_str).unwrap_or_default().to_owned(),
            closed,
            waves: execution.variable("waves").map(numbers).unwrap_or_default(),
            took: ended.unwrap_or(started) - started,
        })
    }

    async fn go_on(&mut self) {
        let clock = Clock::starting_at(self.now());
        while self.goes_on() || self.begins_again() {
            let now = self.now();
            if self.until.is_some_and(|until| now > until) {
                return;
            }
            for id in self.working.take_awake() {
                self.agenda.add(now, Due::Poll(id));
            }
            match self.agenda.draw(now) {
                Some(due) => self.happen(due),
                None => {
                    self.working.wait(self.agenda.next().map(|at| clock.instant(at))).await;
                    self.fake.open().now = clock.now();
                }
            }
        }
    }

    /// Tells whether something is left to come.
    fn goes_on(&self) -> bool {
        self.actions > 0 || !self.working.is_empty() || self.executions.values().any(Running::runs)
    }

    fn happen(&mut self, due: Due) {
        match due {
            Due::Act(action) => {
                self.actions -= 1;
                self.act(action);
            }
            Due::Tell(id, event) => self.tell(id, event),
            Due::Begin(call) => self.begin(*call),
            Due::Poll(id) => self.poll(id),
            Due::Kill(id) => self.kill(id),
            Due::Ask(id, asked) => self.asks(id, *asked),
            Due::Late(id, operation, input) => self.comes_late(id, &operation, &input),
            // Whoever asked may have been ended meanwhile.
            Due::Reply(asker, answer) => drop(asker.send(answer)),
            Due::Write { execution, ticket, input } => self.write(execution, ticket, &input),
        }
    }

    /// Returns the status and the last state of every execution, by its name.
    pub fn statuses(&self) -> BTreeMap<String, (String, String)> {
        let status = |running: &Running| {
            let name = running.arn.rsplit(':').next().unwrap_or_default().to_owned();
            let last = running.last.as_deref().unwrap_or_default().to_owned();
            (name, (running.status().to_owned(), last))
        };
        self.executions.values().map(status).collect()
    }

    fn start(&mut self, name: String, input: Value) {
        let now = self.now();
        let arn = arn_of(&name);
        if let Some(oracle) = &mut self.oracle {
            oracle.inputs.insert(name.clone(), input.clone());
        }
        self.fake.open().executions.insert(arn.clone(), None);
        let identity = Identity { execution: arn.clone(), name, machine: machine_arn() };
        let seed = self.random.draw();
        let (execution, effects) = Execution::start(&self.definition, identity, input.clone(), seed, now);
        self.last_execution += 1;
        let (closed, id) = (Value::Null, self.last_execution);
        let running =
            Running { arn, input, execution, started: now, ended: None, redriven: None, last: None, closed };
        self.executions.insert(id, running);
        self.take(id, effects);
    }

    fn tell_by_name(&mut self, name: &str, event: Event) {
        if let Some((id, _)) = self.find(&arn_of(name)) {
            self.tell(id, event);
        }
    }

    fn tell(&mut self, id: u64, event: Event) {
        let now = self.now();
        let Some(running) = self.executions.get_mut(&id) else { return };
        let effects = running.execution.step(now, event);
        self.take(id, effects);
    }

    /// Does what an execution asks for.
    fn take(&mut self, id: u64, effects: Vec<Effect>) {
        let now = self.now();
        let Some(running) = self.executions.get_mut(&id) else { return };
        for record in running.execution.take_records() {
            if record.what == Happening::StateEntered && *record.execution == *running.arn {
                running.last.clone_from(&record.state);
            }
            if record.what == Happening::StateEntered {
                self.meter.entered();
            }
            self.meter.noted(&record.execution);
            if let Some(history) = &mut self.history {
                history.push(record.to_string());
            }
        }
        for effect in effects {
            match effect {
                Effect::Wake { ticket, at } => self.agenda.add(at, Due::Tell(id, Event::Woken(ticket))),
                Effect::Call(call) => self.serve(id, *call),
                Effect::Ended(_) => {
                    let Some(running) = self.executions.get_mut(&id) else { return };
                    running.ended = Some(now);
                    self.fake.open().executions.insert(running.arn.clone(), Some(now));
                    if let Some(event) = act::ended(running).filter(|_| !self.deaf) {
                        self.plan(now + EVENT_MS, Action::Notify { event, again: 2 });
                    }
                }
            }
        }
    }

    fn find(&self, arn: &str) -> Option<(u64, &Running)> {
        // A name may be used again: the last one counts.
        self.executions
            .iter()
            .rev()
            .find(|(_, running)| running.arn == arn)
            .map(|(id, running)| (*id, running))
    }

    /// Writes a line of the history, if it is kept.
    fn note(&mut self, line: impl FnOnce() -> String) {
        let now = self.now();
        if let Some(history) = &mut self.history {
            history.push(format!("{} {}", states::moment::text(now), line()));
        }
    }

    fn now(&self) -> i64 {
        self.fake.open().now
    }
}

impl Running {
    fn runs(&self) -> bool {
        *self.execution.status() == Status::Running
    }

    /// Returns how it ended, as AWS calls it.
    fn status(&self) -> &'static str {
        match self.execution.status() {
            Status::Running => "RUNNING",
            Status::Ended(End::Succeeded(_)) => "SUCCEEDED",
            Status::Ended(End::Failed(_)) => "FAILED",
            Status::Ended(End::Aborted) => "ABORTED",
        }
    }
}

/// Returns the ARN of the execution of a release.
fn arn_of(release: &str) -> String {
    format!("arn:aws:states:{REGION}:{ACCOUNT}:execution:tidegate:{release}")
}

/// Returns the ARN of the machine.
fn machine_arn() -> String {
    format!("arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:tidegate")
}
