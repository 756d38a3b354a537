//! The port to the world: the ledger, Step Functions, SNS, Parameter Store, HTTP and telephones.

mod aws;
pub mod http;

pub use aws::{Aws, Settings};

use std::collections::BTreeMap;

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ids::{EnvironmentName, ReleaseId, ServiceName};
use pipeline::rows::{FrozenRow, PlanRow};

use crate::channel::Post;
use crate::channel::sns::Publication;
use crate::delivery::Delivery;
use crate::report::Report;
use crate::secret::{Reference, Secret};
use http::Answer;

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
    /// Reads what the channels have been told about a release, by their names.
    async fn deliveries(&self, release: &ReleaseId) -> Result<BTreeMap<String, Delivery>, Fault>;
    /// Records what a channel is told.
    async fn record(&self, release: &ReleaseId, channel: &str, delivery: &Delivery) -> Result<(), Fault>;
    /// Records it if nothing else has been recorded since `before`; tells whether it has.
    async fn replace(
        &self,
        release: &ReleaseId,
        channel: &str,
        before: Option<&Delivery>,
        delivery: &Delivery,
    ) -> Result<bool, Fault>;
    /// Publishes to the topic.
    async fn publish(&self, publication: Publication) -> Result<(), Fault>;
    /// Reads the name and the text of the document of the channels; none if there is none.
    async fn settings(&self) -> Result<Option<(String, Secret)>, Fault>;
    /// Reads a secret.
    async fn secret(&self, reference: &Reference) -> Result<Secret, Fault>;
    /// Posts a request, and returns the answer, whatever its status.
    async fn post(&self, post: Post) -> Result<Answer, Fault>;
    /// Has a telephone called; nothing if no answer came in time.
    async fn ring(&self, call: String) -> Result<Option<Answer>, Fault>;
    /// Starts what comes back to an alert that is not delivered yet; a second start of the same name is none.
    async fn follow(&self, name: &str, input: String) -> Result<(), Fault>;
}
