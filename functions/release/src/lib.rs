//! Opens, judges and closes a release.
//!
//! The one door: an ECR push or a typed request comes in, moves or a named refusal come out.  Takes the leases,
//! writes down the way back, judges each wave by what the ledger says, and closes with an outcome.  Reads ECS and
//! ECR, and never writes to them.

pub mod answer;
mod approval;
mod asks;
pub mod book;
mod case;
pub mod close;
pub mod eta;
pub mod findings;
mod fitness;
mod gather;
pub mod judge;
pub mod lease;
pub mod lifecycle;
pub mod open;
pub mod plan;
mod preview;
mod promotion;
pub mod request;
pub mod survey;
pub mod trigger;
pub mod world;

use futures_util::{StreamExt, TryStreamExt, stream};
use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ids::ReleaseId;
use serde::Deserialize;
use serde_json::Value;

use book::Book;
use world::World;

/// What the state machine asks for.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "camelCase")]
pub enum Request {
    /// Decide what an execution's input means.
    Open(Open),
    /// Take the leases and write the moves.
    Lease(Run),
    /// Keep the token of the state that waits for an answer.
    Ask(Ask),
    /// Decide how the release goes on.
    Judge(Judge),
    /// Write the outcome.
    Close(Close),
}

/// One execution of the machine.
#[derive(Clone, Debug, Deserialize)]
pub struct Run {
    /// The release: the execution's name.
    pub release: ReleaseId,
    /// The execution's ARN.
    pub execution: String,
    /// The machine's ARN.
    #[serde(default)]
    pub machine: String,
}

/// The payload of `open`.
#[derive(Debug, Deserialize)]
pub struct Open {
    /// The execution.
    #[serde(flatten)]
    pub run: Run,
    /// Its raw input.
    pub input: Value,
    /// When it was started: its place among the releases, however often it has to ask.
    #[serde(default)]
    pub started: Option<Timestamp>,
}

/// The payload of `ask`.
#[derive(Debug, Deserialize)]
pub struct Ask {
    /// The execution.
    #[serde(flatten)]
    pub run: Run,
    /// What answers the waiting state.
    pub token: String,
}

/// The payload of `judge`.
#[derive(Debug, Deserialize)]
pub struct Judge {
    /// The execution.
    #[serde(flatten)]
    pub run: Run,
    /// The wave that ended.
    pub wave: u32,
}

/// The payload of `close`.
#[derive(Debug, Deserialize)]
pub struct Close {
    /// The execution.
    #[serde(flatten)]
    pub run: Run,
    /// How the release ended before its first wave, or by a fault; empty if the ledger knows.
    #[serde(default)]
    pub outcome: String,
    /// Why.
    #[serde(default)]
    pub because: String,
}

/// The function.
#[derive(Debug)]
pub struct Release<W, B> {
    /// What there is: environments, services, images, executions.
    pub world: W,
    /// What we wrote down about it.
    pub book: B,
}

impl<W: World, B: Book> Release<W, B> {
    /// Answers one request.
    pub async fn handle(&self, request: Request, now: Timestamp) -> Result<Value, Fault> {
        let answer = match request {
            Request::Open(open) => serde_json::to_value(self.open(open, now).await?),
            Request::Lease(run) => serde_json::to_value(self.lease(run, now).await?),
            Request::Ask(ask) => serde_json::to_value(self.ask(ask, now).await?),
            Request::Judge(judge) => serde_json::to_value(self.judge(judge, now).await?),
            Request::Close(close) => serde_json::to_value(self.close(close, now).await?),
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
