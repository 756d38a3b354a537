//! The port to the world: the ledger, Step Functions, SNS, Parameter Store, HTTP and telephones.

mod aws;
pub mod http;
mod signals;

pub use aws::{Aws, Settings};

use std::collections::BTreeMap;

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::environment::Environments;
use pipeline::ids::{EnvironmentName, ReleaseId};
use pipeline::rows::{FrozenRow, PlanRow};

use crate::channel::Post;
use crate::channel::sns::Publication;
use crate::delivery::{Delivery, Place};
use crate::report::Report;
use crate::resolve::OpenRow;
use crate::secret::{Reference, Secret};
use crate::signal::row::SignalRow;
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
    /// Returns the address of the dashboard, if there is one.
    fn dashboard(&self) -> Option<&str> {
        None
    }
    /// Reads what the ledger says about a release: its head, its moves and its repositories.
    async fn report(&self, release: &ReleaseId) -> Result<Report, Fault>;
    /// Reads what a person is asked to agree to.
    async fn plan(&self, release: &ReleaseId) -> Result<Vec<PlanRow>, Fault>;
    /// Reads whether an environment lets releases in.
    async fn freeze(&self, environment: &EnvironmentName) -> Result<Option<FrozenRow>, Fault>;
    /// Reads how an execution ended.
    async fn execution(&self, arn: &str) -> Result<Execution, Fault>;
    /// Reads what the channels have been told about something, by their names.
    async fn deliveries(&self, place: &Place) -> Result<BTreeMap<String, Delivery>, Fault>;
    /// Records what a channel is told.
    async fn record(&self, place: &Place, channel: &str, delivery: &Delivery) -> Result<(), Fault>;
    /// Reads what releases have left to a person in an environment.
    async fn left(&self, environment: &EnvironmentName) -> Result<Vec<(ReleaseId, OpenRow)>, Fault>;
    /// Writes what a release has left, in place of the row of that version; tells whether nobody was faster.
    async fn leave(
        &self,
        environment: &EnvironmentName,
        release: &ReleaseId,
        row: &OpenRow,
        was: Option<u64>,
    ) -> Result<bool, Fault>;
    /// Records it if nothing else has been recorded since `before`; tells whether it has.
    async fn replace(
        &self,
        place: &Place,
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
    /// Starts what comes back to an alert; a second start of the same name is none.
    async fn follow(&self, name: &str, input: String) -> Result<(), Fault>;
}

/// All that what is of no release asks of the world beside.
pub trait Signals {
    /// The name of the document of the channels.
    fn parameter(&self) -> &str;
    /// What names this stack among all that use the same channels.
    fn origin(&self) -> &str;
    /// Tells whether a log group is the function's own.
    fn is_own_log(&self, group: &str) -> bool;
    /// Reads the environments; what was read a moment ago may do, if they are not asked for anew.
    async fn environments(&self, anew: bool) -> Result<Environments, Fault>;
    /// Reads the document of the channels and rules; one that was read a moment ago may do, if not asked for anew.
    async fn recent_settings(&self, anew: bool) -> Result<Option<(String, Secret)>, Fault>;
    /// Returns the release that holds the lease of a service of these names or patterns, since some moment or later.
    async fn holder(
        &self,
        environment: &EnvironmentName,
        services: &[String],
        since: Timestamp,
    ) -> Result<Option<ReleaseId>, Fault>;
    /// Tells whether a release has not ended.
    async fn is_open(&self, release: &ReleaseId) -> Result<bool, Fault>;
    /// Reads the row of an alert.
    async fn signal(&self, id: &str) -> Result<Option<SignalRow>, Fault>;
    /// Writes the row of a new alert, in place of one of that version; tells whether nobody was faster.
    async fn open(&self, row: &SignalRow, over: Option<u64>) -> Result<bool, Fault>;
    /// Writes a row in place of one of that version, but for its count; tells whether nobody was faster.
    async fn change(&self, row: &SignalRow, was: u64) -> Result<bool, Fault>;
    /// Adds to the count of an alert that is open; tells whether it still was.
    async fn count(&self, row: &SignalRow, times: u64, at: Timestamp) -> Result<bool, Fault>;
    /// Adds to what was seen from a moment on; returns how much that is since another moment.
    async fn seen(&self, id: &str, from: Timestamp, since: Timestamp, times: u64) -> Result<u64, Fault>;
    /// Tells whether a batch of lines was taken before.
    async fn was_taken(&self, hash: &str) -> Result<bool, Fault>;
    /// Remembers that a batch of lines was taken.
    async fn has_taken(&self, hash: &str) -> Result<(), Fault>;
    /// Keeps in the queue what reached nobody.
    async fn keep(&self, text: String) -> Result<(), Fault>;
}
