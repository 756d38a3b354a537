//! What the dashboard reads.

mod aws;

pub use aws::Aws;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::environment::Environments;
use pipeline::ids::{Digest, EnvironmentName, ReleaseId, Repository, ServiceName};
use pipeline::ledger::{Listed, Standing, WholeRelease};
use pipeline::payload::MoveKey;
use pipeline::rows::{EvidenceRow, HeadRow, LeaseRow, ListedRun, PlanRow, ServiceRow, SweepRow};
use serde::Deserialize;

/// A service of an environment.
pub type Place = (EnvironmentName, ServiceName);

/// An image in an environment.
pub type Shown = (EnvironmentName, Repository, Digest);

/// The ledger, and the documents of the environments.
pub trait Reads {
    /// Returns all environments.
    async fn environments(&self) -> Result<Environments, Fault>;

    /// Returns what is said of an environment as a whole.
    async fn standing(&self, environment: &EnvironmentName) -> Result<Standing, Fault>;

    /// Returns how far the last sweep of an environment is; none if there was none.
    async fn swept(&self, environment: &EnvironmentName) -> Result<Option<SweepRow>, Fault>;

    /// Returns what releases have left to a person in an environment, and nobody has settled.
    async fn left(&self, environment: &EnvironmentName) -> Result<Vec<Left>, Fault>;

    /// Returns services of an environment, in the order of their names.
    async fn services(
        &self,
        environment: &EnvironmentName,
        after: Option<&ServiceName>,
        most: usize,
    ) -> Result<Vec<(ServiceName, ServiceRow)>, Fault>;

    /// Returns the leases of services, as far as there are any.
    async fn leases(&self, places: &[Place]) -> Result<HashMap<Place, LeaseRow>, Fault>;

    /// Returns what images have shown in environments, as far as they have.
    async fn evidence(&self, images: &[Shown]) -> Result<HashMap<Shown, EvidenceRow>, Fault>;

    /// Returns runs of an environment, the newest first: all, or those before a place in the list.
    async fn runs(
        &self,
        environment: &EnvironmentName,
        before: Option<&str>,
        most: usize,
    ) -> Result<Vec<Listed>, Fault>;

    /// Returns how a release is listed.
    async fn listed(
        &self,
        environment: &EnvironmentName,
        opened: Timestamp,
        release: &ReleaseId,
    ) -> Result<Option<ListedRun>, Fault>;

    /// Returns the releases of an environment that wait for a person.
    async fn waiting(&self, environment: &EnvironmentName) -> Result<Vec<Waiting>, Fault>;

    /// Returns the heads of releases that were let in.
    async fn heads(&self, releases: &[ReleaseId]) -> Result<HashMap<ReleaseId, HeadRow>, Fault>;

    /// Returns what is told of a release.
    async fn whole(&self, release: &ReleaseId) -> Result<WholeRelease, Fault>;

    /// Returns what a person is asked to agree to.
    async fn plan(&self, release: &ReleaseId) -> Result<Vec<PlanRow>, Fault>;

    /// Returns what channels were told of a release.
    async fn told(&self, release: &ReleaseId) -> Result<Vec<Told>, Fault>;

    /// Returns what live tests have shown of moves, each with its part.
    async fn tests(&self, moves: &[&MoveKey]) -> Result<Vec<Tested>, Fault>;
}

/// A release that waits for a person.
#[derive(Clone, Debug, PartialEq)]
pub struct Waiting {
    /// The release.
    pub release: ReleaseId,
    /// Since when.
    pub since: Option<Timestamp>,
    /// Whether somebody has answered it, and it is about to go on.
    pub answered: bool,
}

/// What a release has left to a person; `alert` writes it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Left {
    /// The release.
    #[serde(skip)]
    pub release: Option<ReleaseId>,
    /// Its services that were not deployed since.
    #[serde(default)]
    pub services: BTreeSet<ServiceName>,
}

/// What a channel has of a release; `alert` writes it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Told {
    /// The channel.
    #[serde(skip)]
    pub channel: String,
    /// What it was told.
    pub outcome: String,
    /// How far that is.
    #[serde(default = "sent")]
    pub status: String,
    /// When it was first told.
    pub time: Timestamp,
    /// Why it was not.
    #[serde(default)]
    pub error: Option<String>,
}

/// Rows of older versions were written once it was delivered.
fn sent() -> String {
    "sent".to_owned()
}

/// What live tests have shown in one part of a move; `health-test` writes it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Tested {
    /// The wave and the number of the move.
    #[serde(skip)]
    pub of: (u32, u32),
    /// What each check has shown.
    #[serde(default)]
    pub transcript: BTreeMap<String, Transcript>,
}

/// What a check has shown.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Transcript {
    /// The first round that failed.
    #[serde(default)]
    pub first_failure: Option<Round>,
    /// The last round.
    pub last: Round,
}

/// What one round of a check has shown.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Round {
    /// When it was asked.
    pub phase: String,
    /// The time of the look.
    pub at: Timestamp,
    /// What it says.
    pub outcome: String,
    /// What was asked, expected and got.
    pub text: String,
}
