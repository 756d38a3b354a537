//! What is asked for, and the environment that it is asked of.

use std::collections::BTreeMap;

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::environment::Environment;
use pipeline::ids::{Digest, EnvironmentName, Registry, ReleaseId, Repository, ServiceName};
use pipeline::rows::{HeadRow, OrderKey};
use serde::{Deserialize, Serialize};

use super::words::plural;

/// What a release wants: a push or a request, once its images are known.  The head of the release keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReleaseSpec {
    /// The account that holds the repository.
    pub registry: Registry,
    /// The region of the registry.
    pub region: String,
    /// The repository; all that services run if absent.
    pub repository: Option<Repository>,
    /// What its services are to run.
    pub to: ImageSelection,
    /// The services; all that run the repository if absent.
    pub services: Option<Vec<ServiceName>>,
    /// Whether a service stays that runs something newer, by what the environment before this one has verified.
    #[serde(default)]
    pub only_newer: bool,
    /// The release of another environment that has led to this one by itself.
    #[serde(default)]
    pub promoted_by: Option<ReleaseId>,
    /// The alarm for which the guard rolls a release back; none if somebody asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alarm: Option<String>,
    /// Whether rules that may be overridden are.
    pub force: bool,
    /// Why.
    pub reason: Option<String>,
}

/// What services are to run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ImageSelection {
    /// These images.
    Images(BTreeMap<Repository, Digest>),
    /// What was verified before the present image.
    Previous,
    /// What a release that died wrote down as its restore points.
    RestorePointsOf(ReleaseId),
    /// What they run: nothing moves, and it only shows what could.
    Present,
}

/// The environment that a release moves, and the release's place among the others.
#[derive(Clone, Copy, Debug)]
pub struct PlanContext<'a> {
    /// The environment's name.
    pub name: &'a EnvironmentName,
    /// Its policy.
    pub environment: &'a Environment,
    /// The release's order key.
    pub order: &'a OrderKey,
    /// The release.
    pub release: &'a ReleaseId,
    /// Since when the release has waited for what would be waited for now.
    pub since: Timestamp,
    /// The present moment.
    pub now: Timestamp,
}

impl ReleaseSpec {
    /// Tells whether it takes what the environment before has verified, and nobody named the images.
    pub fn takes_what_is_verified_before(&self) -> bool {
        self.only_newer || (self.promoted_by.is_some() && !self.force)
    }

    /// Reads what the head of a release says that it wants.
    pub fn of(head: &HeadRow, release: &ReleaseId) -> Result<Self, Fault> {
        serde_json::from_value(head.request.clone())
            .map_err(|error| Fault::Defect(format!("the head of {release} is unreadable: {error}")))
    }
}

impl ImageSelection {
    /// Tells whether services go back to what ran here before: what is wrong elsewhere does not stop that.
    pub fn goes_back(&self) -> bool {
        matches!(self, ImageSelection::Previous | ImageSelection::RestorePointsOf(_))
    }

    /// Says what is done with it.
    pub fn action(&self) -> String {
        match self {
            ImageSelection::Images(_) => format!("deploy {}", self.words()),
            ImageSelection::Present => "deploy once more what runs".to_owned(),
            ImageSelection::Previous | ImageSelection::RestorePointsOf(_) => {
                format!("roll back to {}", self.words())
            }
        }
    }

    /// Says it in a word or two.
    pub fn words(&self) -> String {
        match self {
            ImageSelection::Images(images) => match images.values().next() {
                Some(digest) if images.len() == 1 => digest.short().to_owned(),
                _ => plural(images.len(), "image"),
            },
            ImageSelection::Previous => "what was verified before".to_owned(),
            ImageSelection::RestorePointsOf(release) => format!("the restore points of {release}"),
            ImageSelection::Present => "what runs".to_owned(),
        }
    }
}
