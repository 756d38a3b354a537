//! Starts what live tests run beside a service, and ends it.

mod aws;
mod call;

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ledger::MoveLedger;
use pipeline::payload::MoveKey;
use pipeline::rows::{MoveRow, RunRow, RunStarts, RunsTask};
use pipeline::signed::Answer;
use serde_json::{Value, json};

use crate::service::Port;
use crate::{Deploy, Response};

/// What became of a start.
#[derive(Clone, Debug, PartialEq)]
pub enum Started {
    /// This task runs, or will.
    Task(String),
    /// None does, and why.
    Not(String),
}

/// A task as it is started.
#[derive(Clone, Debug, PartialEq)]
pub struct Prepared {
    /// Its revision, or a family of which the latest one runs.
    pub definition: String,
    /// The container that is told something.
    pub container: String,
}

/// What the runs ask of the world.
pub trait Runner {
    /// Reads what is ordered for a move.
    async fn runs(&self, key: &MoveKey) -> Result<Vec<RunRow>, Fault>;
    /// Learns what a task runs; registers it first where it is to run the moved image.
    async fn prepare(&self, row: &MoveRow, task: &RunsTask) -> Result<Prepared, Fault>;
    /// Starts a task by the name of its order; the same one if that was done before.
    async fn start(
        &self,
        key: &MoveKey,
        row: &MoveRow,
        named: (&str, &RunsTask),
        prepared: &Prepared,
    ) -> Result<Started, Fault>;
    /// Ends a task; one that has ended is as good.
    async fn stop(&self, row: &MoveRow, task: &str) -> Result<(), Fault>;
    /// Calls a function; none if it did not answer in time.
    async fn call(&self, function: &str, payload: &Value) -> Result<Option<Answer>, Fault>;
    /// Writes down what was done about an order; where it is to go on, unless it is to end meanwhile, which is told.
    async fn note_run(
        &self,
        key: &MoveKey,
        order: &RunRow,
        fields: Value,
        goes_on: bool,
    ) -> Result<bool, Fault>;
}

impl<P: Port + Runner, L: MoveLedger> Deploy<P, L> {
    /// Does what is ordered, as long as the move is polled.  Otherwise, without the lease, or once the release goes
    /// back, nothing is started and all is ended.
    ///
    /// One order that cannot be carried out keeps no other from it.
    pub(crate) async fn run(
        &self,
        key: &MoveKey,
        is_polled: bool,
        now: Timestamp,
    ) -> Result<Response, Fault> {
        let (row, may_start) = match self.moves.load_leased(key).await {
            Ok(loaded) => (loaded.row.clone(), is_polled && loaded.forward().is_ok()),
            Err(Fault::LeaseLost(_)) => (self.moves.load(key).await?.row, false),
            Err(fault) => return Err(fault),
        };
        let (mut started, mut stopped, mut failed, mut may_call) = (0, 0, None, may_start);
        for order in self.port.runs(key).await? {
            let is_over = order.stop || !may_start;
            let done = match &order.starts {
                RunStarts::Task(task) if is_over && order.may_run() => {
                    self.end(key, &row, &order, task).await.map(|()| stopped += 1)
                }
                RunStarts::Task(task) if order.is_to_start() && may_start => {
                    self.begin(key, &row, &order, task).await.map(|()| started += 1)
                }
                // Only one in a call: it may take most of its time.
                RunStarts::Function(called) if order.is_due(now) && may_call => {
                    may_call = false;
                    self.call(key, &order, called, now).await.map(|()| started += 1)
                }
                _ => Ok(()),
            };
            failed = failed.or(done.err());
        }
        failed.map_or(Ok(Response::Ran { started, stopped }), Err)
    }

    /// Starts what is ordered; what is to end meanwhile is ended at once.
    async fn begin(
        &self,
        key: &MoveKey,
        row: &MoveRow,
        order: &RunRow,
        task: &RunsTask,
    ) -> Result<(), Fault> {
        // Whatever happens from here on, something may run.
        if !self.port.note_run(key, order, json!({"tried": true}), true).await? {
            return Ok(());
        }
        let (task, told) = match self.started(key, row, order, task).await? {
            (Started::Task(arn), told) => (arn, told),
            (Started::Not(why), _) => {
                return self.port.note_run(key, order, json!({"notStarted": why}), false).await.map(drop);
            }
        };
        let fields = json!({"task": task, "told": told});
        match self.port.note_run(key, order, fields, true).await? {
            true => Ok(()),
            false => self.ended(key, row, order, &task).await,
        }
    }

    /// Ends what runs; where nobody knows the task, its token does.
    async fn end(&self, key: &MoveKey, row: &MoveRow, order: &RunRow, task: &RunsTask) -> Result<(), Fault> {
        let task = match &order.task {
            Some(arn) => arn.clone(),
            None => match self.started(key, row, order, task).await? {
                (Started::Task(arn), _) => arn,
                (Started::Not(why), _) => {
                    return self.port.note_run(key, order, json!({"notStarted": why}), false).await.map(drop);
                }
            },
        };
        self.ended(key, row, order, &task).await
    }

    async fn started(
        &self,
        key: &MoveKey,
        row: &MoveRow,
        order: &RunRow,
        task: &RunsTask,
    ) -> Result<(Started, String), Fault> {
        let prepared = match self.port.prepare(row, task).await {
            Ok(prepared) => prepared,
            Err(fault @ (Fault::Throttled(_) | Fault::Unavailable(_))) => return Err(fault),
            Err(fault) => return Ok((Started::Not(fault.to_string()), String::new())),
        };
        let started = self.port.start(key, row, (&order.name, task), &prepared).await?;
        Ok((started, prepared.container))
    }

    async fn ended(&self, key: &MoveKey, row: &MoveRow, order: &RunRow, task: &str) -> Result<(), Fault> {
        self.port.stop(row, task).await?;
        self.port.note_run(key, order, json!({"task": task, "stopped": true}), false).await.map(drop)
    }
}
