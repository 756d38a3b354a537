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
    /// Starts a task; the same one if that was done before.
    async fn start(&self, key: &MoveKey, row: &MoveRow, order: &RunRow) -> Result<Started, Fault>;
    /// Ends a task; one that has ended is as good.
    async fn stop(&self, row: &MoveRow, task: &str) -> Result<(), Fault>;
    /// Writes down what was done about an order.
    async fn note_run(&self, key: &MoveKey, order: &RunRow, fields: Value) -> Result<(), Fault>;
}

impl<P: Port + Runner, L: MoveLedger> Deploy<P, L> {
    /// Does what is ordered.  Without the lease, or once the release goes back, nothing is started and all is ended.
    pub(crate) async fn run(&self, key: &MoveKey) -> Result<Response, Fault> {
        let (row, may_start) = match self.moves.load_leased(key).await {
            Ok(loaded) => (loaded.row.clone(), loaded.forward().is_ok()),
            Err(Fault::LeaseLost(_)) => (self.moves.load(key).await?.row, false),
            Err(fault) => return Err(fault),
        };
        let (mut started, mut stopped) = (0, 0);
        for order in self.port.runs(key).await? {
            match &order.task {
                None if order.is_open() && may_start => {
                    let fields = match self.port.start(key, &row, &order).await? {
                        Started::Task(task) => json!({"task": task}),
                        Started::Not(why) => json!({"notStarted": why}),
                    };
                    self.port.note_run(key, &order, fields).await?;
                    started += 1;
                }
                Some(task) if !order.stopped && (order.stop || !may_start) => {
                    self.port.stop(&row, task).await?;
                    self.port.note_run(key, &order, json!({"stopped": true})).await?;
                    stopped += 1;
                }
                _ => {}
            }
        }
        Ok(Response::Ran { started, stopped })
    }
}
