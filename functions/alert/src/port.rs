//! The port to the world: the ledger, Step Functions, SNS, Parameter Store and HTTP.

mod aws;
pub mod http;

pub use aws::Aws;

use pipeline::Fault;
use pipeline::ids::ReleaseId;

use crate::Report;
use crate::channel::Delivery;
use crate::channel::sns::Publication;
use crate::channel::webhook::Post;
use crate::died::Execution;
use crate::secret::Secret;

/// All that the function asks of the world.
pub trait Port {
    /// Reads what the ledger says about a release.
    async fn report(&self, release: &ReleaseId) -> Result<Report, Fault>;
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
