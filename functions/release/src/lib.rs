//! Opens, judges and closes a release.
//!
//! The one door: an ECR push or a typed request comes in, moves or a named refusal come out.  Takes the leases,
//! writes down the restore points, judges each wave by what the ledger says, and closes with an outcome.  Reads ECS and
//! ECR, and never writes to them.  The `sweep` looks for what no event has told.
//!
//! Each step (`open`, `approve`, `lease`, `judge`, `close`) observes, decides and records.  `intake` reads what an
//! execution was started with, `observe` reads the world, `plan` decides and is pure, `ports` says what the world is.

mod abort;
pub mod adapters;
pub mod answer;
mod approve;
mod close;
mod freeze;
mod guard;
mod held;
pub mod intake;
mod judge;
mod lease;
mod observe;
mod open;
mod payload;
pub mod plan;
mod planning;
pub mod ports;
mod runs;
mod sweep;

use futures_util::{StreamExt, TryStreamExt, stream};
use pipeline::Fault;
use pipeline::clock::Timestamp;
use serde_json::Value;

pub use payload::{Ask, Close, Judge, Open, Request, Run};
use ports::{
    Alarms, Approvals, Clusters, Documents, Events, Executions, Freezes, Guards, History, Images, Leases,
    LiveTests, Releases, Runs, Sweeps,
};

/// The function.
#[derive(Debug)]
pub struct Release<A, L> {
    /// AWS: environments, services, images, alarms, executions.
    pub aws: A,
    /// What the pipeline has written down.
    pub ledger: L,
}

impl<A, L> Release<A, L>
where
    A: Documents + LiveTests + Clusters + Images + Alarms + Executions,
    L: Events + History + Freezes + Leases + Releases + Approvals + Guards + Runs + Sweeps,
{
    /// Answers one request.
    pub async fn handle(&self, request: Request, now: Timestamp) -> Result<Value, Fault> {
        let Release { aws, ledger } = self;
        let answer = match request {
            Request::Open(open) => serde_json::to_value(open::open(aws, ledger, open, now).await?),
            Request::Lease(run) => serde_json::to_value(lease::lease(aws, ledger, run, now).await?),
            Request::Ask(ask) => serde_json::to_value(approve::ask(ledger, ask, now).await?),
            Request::Judge(judge) => serde_json::to_value(judge::judge(aws, ledger, judge, now).await?),
            Request::Close(close) => serde_json::to_value(close::close(aws, ledger, close, now).await?),
        };
        answer.map_err(|error| Fault::Defect(format!("unwritable answer: {error}")))
    }
}

/// How many calls for as many rows or images are under way at once.
const AT_ONCE: usize = 16;

/// Calls for each item, a few at once; the answers come in the order of the items.
pub(crate) async fn at_once<'a, Item, Answer>(
    items: &'a [Item],
    call: impl AsyncFn(&'a Item) -> Result<Answer, Fault>,
) -> Result<Vec<Answer>, Fault> {
    stream::iter(items).map(|item| call(item)).buffered(AT_ONCE).try_collect().await
}
