//! The port to the world: the ledger, Step Functions, SNS, Parameter Store and HTTP.

mod aws;
pub mod http;

pub use aws::{Aws, Settings};

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ids::{EnvironmentName, ReleaseId, ServiceName};
use pipeline::rows::{FrozenRow, PlanRow};

use crate::delivery::{Delivery, Post, Publication};
use crate::report::Report;
use crate::secret::Secret;

/// What Step Functions says about an execution now; the event of its end does not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Execution {
    /// Whether it is said to run.
    pub runs: bool,
    /// When somebody last had it go on after its end.
    pub redriven: Option<Timestamp>,
    /// The name of what ended it.
    pub error: Option<String>,
    /// The sentence that came with it.
    pub cause: Option<String>,
}

/// All that the function asks of the world.
pub trait Port {
    /// Reads what the ledger says about a release: its head, its moves and its repositories.
    async fn report(&self, release: &ReleaseId) -> Result<Report, Fault>;
    /// Reads what was proposed about the services that a release still wants.
    async fn plan(&self, release: &ReleaseId, services: &[ServiceName]) -> Result<Vec<PlanRow>, Fault>;
    /// Reads whether an environment lets releases in.
    async fn freeze(&self, environment: &EnvironmentName) -> Result<Option<FrozenRow>, Fault>;
    /// Reads how an execution ended.
    async fn execution(&self, arn: &str) -> Result<Execution, Fault>;
    /// Reads what a channel has delivered about a release.
    async fn delivery(&self, release: &ReleaseId, channel: &str) -> Result<Option<Delivery>, Fault>;
    /// Records what a channel has delivered.
    async fn record(&self, release: &ReleaseId, channel: &str, delivery: &Delivery) -> Result<(), Fault>;
    /// Publishes to the topic.
    async fn publish(&self, publication: Publication) -> Result<(), Fault>;
    /// Reads the settings of the other channels; none if there are none.
    async fn settings(&self) -> Result<Option<Secret>, Fault>;
    /// Posts a request, and returns the status of the answer.
    async fn post(&self, post: Post) -> Result<u16, Fault>;
}
