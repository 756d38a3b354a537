//! An AWS in memory, met on the wire: what a function sends is read, and answered as AWS would.
//!
//! Its clock is virtual: it stands where somebody set it.  While a [machine](crate::machine) plays, that is the machine,
//! and it gives each call its turn; otherwise a call is answered when it comes.  A call that is not known here is noted
//! as strange, and so is one that is wrong in a way in which no function may be wrong.

mod alarms;
mod balancer;
mod bucket;
mod cbor;
mod ecr;
mod ecs;
mod expression;
mod table;
mod topic;
mod units;
mod wire;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_config::SdkConfig;
use serde_json::{Value, json};
use tokio::sync::oneshot;

pub use alarms::Alarms;
use bucket::Buckets;
use ecr::Ecr;
pub use ecs::{Ecs, End, Pointed, RunEnd, RunTask, Service, Shifting};
pub use table::Table;
pub use topic::Published;

/// The account that everything is in.
pub const ACCOUNT: &str = "123456789012";

/// The region that everything is in.
pub const REGION: &str = "eu-west-1";

/// The account; its copies share what is in it.
#[derive(Clone, Debug, Default)]
pub struct Fake(Arc<Mutex<State>>);

/// What is in the account.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// Milliseconds since 1970.
    pub now: i64,
    /// The calls that wait for their turn.
    pub(crate) turns: Turns,
    /// The ledger's table.
    pub table: Table,
    /// The clusters.
    pub ecs: Ecs,
    /// The repositories.
    pub ecr: Ecr,
    /// Parameter Store.
    pub parameters: BTreeMap<String, String>,
    /// The executions of the machine: since when they have ended.
    pub executions: BTreeMap<String, Option<i64>>,
    /// What the machine itself has put into the queue of messages that were not delivered.
    pub undelivered: Vec<Value>,
    /// How many milliseconds more the calls of an operation take, when a machine plays.
    pub slow: BTreeMap<String, i64>,
    /// How often each operation was called.
    pub calls: BTreeMap<String, u64>,
    /// How often each operation was refused for being called too fast.
    pub throttled: BTreeMap<String, u64>,
    /// What was published to the topic.
    pub published: Vec<Published>,
    /// CloudWatch's alarms.
    pub alarms: Alarms,
    /// By how many milliseconds the reads lag behind that AWS answers before all of it knows of a change.
    pub lag: i64,
    /// Whether a batch comes without its last row.
    pub partial: bool,
    /// What no function may do.
    pub strange: Vec<String>,
    buckets: Buckets,
}

/// The calls that wait for their turn, if a machine gives turns; a copy of the account has none.
#[derive(Debug, Default)]
pub(crate) struct Turns(pub Option<Vec<Asked>>);

impl Clone for Turns {
    fn clone(&self) -> Self {
        Turns::default()
    }
}

/// A call that waits for its turn.
#[derive(Debug)]
pub(crate) struct Asked {
    /// The service and its operation.
    pub operation: String,
    /// What was sent.
    pub input: Value,
    /// How many milliseconds the call takes.
    pub takes: i64,
    /// Who waits for it.
    pub answer: oneshot::Sender<Answer>,
}

/// Why a call failed.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// The name of the error.
    pub code: &'static str,
    /// The sentence with it.
    pub message: String,
    /// What became of each write of a transaction.
    pub reasons: Vec<&'static str>,
}

/// What stands for the code of a call that is never answered: its caller waits until it gives up.
const NO_ANSWER: &str = "NoAnswer";

impl Refusal {
    /// Answers nothing.
    pub fn no_answer() -> Self {
        Refusal::new(NO_ANSWER, "the attempt timed out")
    }

    /// Tells whether that is so.
    pub fn is_no_answer(&self) -> bool {
        self.code == NO_ANSWER
    }

    /// Refuses a call.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Refusal { code, message: message.into(), reasons: Vec::new() }
    }
}

/// What a call brings.
pub type Answer = Result<Value, Refusal>;

impl Fake {
    /// Opens the account.
    pub fn open(&self) -> MutexGuard<'_, State> {
        let mut account = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        account.ecr.now = account.now;
        account
    }

    /// Asks it for something, in a call that takes so many milliseconds.
    pub(crate) async fn ask(&self, operation: String, input: Value, takes: i64) -> Answer {
        let waiting = {
            let mut account = self.open();
            match &mut account.turns.0 {
                None => Err(account.answer(&operation, &input)),
                Some(asked) => {
                    let (answer, waiting) = oneshot::channel();
                    asked.push(Asked { operation, input, takes, answer });
                    Ok(waiting)
                }
            }
        };
        match waiting {
            Ok(waiting) => {
                waiting.await.unwrap_or_else(|_| Err(Refusal::new("ServerException", "nobody gives turns")))
            }
            Err(answer) => {
                wire::pass(takes).await;
                answer
            }
        }
    }

    /// Makes the configuration with which every client ends here.
    pub fn config(&self) -> SdkConfig {
        wire::config(self.clone())
    }
}

impl State {
    /// Answers one call; `operation` is the service and its operation, as in `ecs.UpdateService`.
    pub fn answer(&mut self, operation: &str, input: &Value) -> Answer {
        self.count(operation);
        let now = self.now;
        if !self.buckets.take(operation, now) {
            *self.throttled.entry(operation.to_owned()).or_default() += 1;
            return Err(Refusal::new("ThrottlingException", "Rate exceeded"));
        }
        let answer = match operation.split_once('.') {
            Some(("dynamodb", name)) => {
                // Where nobody gives turns there is no time, and nothing overlaps.
                self.table.now = self.turns.0.as_ref().map(|_| now);
                self.table.answer(name, input, self.partial)
            }
            Some(("ecs", name)) => self.ecs.answer(name, input, &self.ecr, now, self.lag),
            Some(("ecr", name)) => self.ecr.answer(name, input),
            Some(("ssm", name)) => self.parameter_store(name, input),
            Some(("states", name)) => self.step_functions(name, input),
            Some(("elasticloadbalancing", name)) => balancer::answer(&mut self.ecs, name, input, now),
            Some(("cloudwatch", "GetMetricData")) => balancer::counted(&mut self.ecs, input, now),
            Some(("cloudwatch", name)) => self.alarms.answer(name, input),
            Some(("sns", "Publish")) => {
                self.published.push(Published::of(input, now));
                Ok(json!({"MessageId": self.published.len().to_string()}))
            }
            _ => Err(unknown(operation)),
        };
        if let Err(refusal) = &answer
            && matches!(refusal.code, "ValidationException" | "UnknownOperationException")
        {
            self.strange.push(format!("{operation}: {}: {input}", refusal.message));
        }
        answer
    }

    /// Counts a call.
    pub(crate) fn count(&mut self, operation: &str) {
        match self.calls.get_mut(operation) {
            Some(count) => *count += 1,
            None => drop(self.calls.insert(operation.to_owned(), 1)),
        }
    }

    fn parameter_store(&self, name: &str, input: &Value) -> Answer {
        let text = |key: &str| input[key].as_str().unwrap_or_default();
        match name {
            "GetParametersByPath" => {
                let deep = input["Recursive"] == true;
                let below = |path: &str| {
                    path.strip_prefix(text("Path"))
                        .is_some_and(|rest| rest.starts_with('/') && (deep || !rest[1..].contains('/')))
                };
                let from = text("NextToken").parse().unwrap_or(0);
                let found: Vec<_> = self.parameters.iter().filter(|(path, _)| below(path)).collect();
                let some = found.iter().skip(from).take(PARAMETERS_PER_CALL);
                let some = some.map(|(path, value)| parameter(path, value)).collect::<Vec<_>>();
                let next = from + some.len();
                let more = (next < found.len()).then(|| next.to_string());
                Ok(json!({"Parameters": some, "NextToken": more}))
            }
            "GetParameters" => {
                let names: Vec<&str> =
                    input["Names"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
                if names.len() > PARAMETERS_PER_CALL {
                    return Err(Refusal::new("ValidationException", "more than 10 parameters in one call"));
                }
                let (found, missing): (Vec<_>, Vec<_>) = names
                    .into_iter()
                    .map(|name| (name, self.parameters.get(name)))
                    .partition(|(_, value)| value.is_some());
                let found = found.into_iter().filter_map(|(name, value)| Some(parameter(name, value?)));
                let missing = missing.into_iter().map(|(name, _)| name);
                Ok(
                    json!({"Parameters": found.collect::<Vec<_>>(), "InvalidParameters": missing.collect::<Vec<_>>()}),
                )
            }
            "GetParameter" => match self.parameters.get(text("Name")) {
                Some(value) => Ok(json!({"Parameter": {"Name": text("Name"), "Value": value}})),
                None => Err(Refusal::new("ParameterNotFound", text("Name"))),
            },
            _ => Err(unknown(name)),
        }
    }

    fn step_functions(&self, name: &str, input: &Value) -> Answer {
        let arn = input["executionArn"].as_str().unwrap_or_default();
        match (name, self.executions.get(arn)) {
            ("DescribeExecution", None) => Err(Refusal::new("ExecutionDoesNotExist", arn)),
            ("DescribeExecution", Some(None)) => Ok(json!({"executionArn": arn, "status": "RUNNING"})),
            ("DescribeExecution", Some(Some(ended))) => {
                Ok(json!({"executionArn": arn, "status": "FAILED", "stopDate": *ended as f64 / 1000.0}))
            }
            _ => Err(unknown(name)),
        }
    }
}

/// How many parameters one call returns at most.
const PARAMETERS_PER_CALL: usize = 10;

fn parameter(path: &str, value: &str) -> Value {
    json!({"Name": path, "Value": value, "Type": "String"})
}

/// Refuses an operation that this AWS does not have.
fn unknown(operation: &str) -> Refusal {
    Refusal::new("UnknownOperationException", format!("the fake has no {operation}"))
}
