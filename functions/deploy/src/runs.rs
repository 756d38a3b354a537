//! Starts what live tests run beside a service, and ends it.

mod aws;

use pipeline::Fault;
use pipeline::ledger::MoveLedger;
use pipeline::payload::MoveKey;
use pipeline::rows::{MoveRow, RunRow};
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

/// What the runs ask of the world.
pub trait Runner {
    /// Reads what is ordered for a move.
    async fn runs(&self, key: &MoveKey) -> Result<Vec<RunRow>, Fault>;
    /// Returns the container that an order tells something.
    async fn container(&self, order: &RunRow) -> Result<String, Fault>;
    /// Starts a task; the same one if that was done before.
    async fn start(
        &self,
        key: &MoveKey,
        row: &MoveRow,
        order: &RunRow,
        container: &str,
    ) -> Result<Started, Fault>;
    /// Ends a task; one that has ended is as good.
    async fn stop(&self, row: &MoveRow, task: &str) -> Result<(), Fault>;
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
    pub(crate) async fn run(&self, key: &MoveKey, is_polled: bool) -> Result<Response, Fault> {
        let (row, may_start) = match self.moves.load_leased(key).await {
            Ok(loaded) => (loaded.row.clone(), is_polled && loaded.forward().is_ok()),
            Err(Fault::LeaseLost(_)) => (self.moves.load(key).await?.row, false),
            Err(fault) => return Err(fault),
        };
        let (mut started, mut stopped, mut failed) = (0, 0, None);
        for order in self.port.runs(key).await? {
            let is_over = order.stop || !may_start;
            let done = match (is_over && order.may_run(), order.is_to_start() && may_start) {
                (true, _) => self.end(key, &row, &order).await.map(|()| stopped += 1),
                (false, true) => self.begin(key, &row, &order).await.map(|()| started += 1),
                (false, false) => Ok(()),
            };
            failed = failed.or(done.err());
        }
        failed.map_or(Ok(Response::Ran { started, stopped }), Err)
    }

    /// Starts what is ordered; what is to end meanwhile is ended at once.
    async fn begin(&self, key: &MoveKey, row: &MoveRow, order: &RunRow) -> Result<(), Fault> {
        // Whatever happens from here on, something may run.
        if !self.port.note_run(key, order, json!({"tried": true}), true).await? {
            return Ok(());
        }
        let (task, told) = match self.started(key, row, order).await? {
            (Started::Task(task), told) => (task, told),
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
    async fn end(&self, key: &MoveKey, row: &MoveRow, order: &RunRow) -> Result<(), Fault> {
        let task = match &order.task {
            Some(task) => task.clone(),
            None => match self.started(key, row, order).await? {
                (Started::Task(task), _) => task,
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
    ) -> Result<(Started, String), Fault> {
        let told = match self.port.container(order).await {
            Ok(told) => told,
            Err(fault @ (Fault::Throttled(_) | Fault::Unavailable(_))) => return Err(fault),
            Err(fault) => return Ok((Started::Not(fault.to_string()), String::new())),
        };
        Ok((self.port.start(key, row, order, &told).await?, told))
    }

    async fn ended(&self, key: &MoveKey, row: &MoveRow, order: &RunRow, task: &str) -> Result<(), Fault> {
        self.port.stop(row, task).await?;
        self.port.note_run(key, order, json!({"task": task, "stopped": true}), false).await.map(drop)
    }
}
