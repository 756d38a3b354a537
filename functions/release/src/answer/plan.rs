//! What a release would do, as it is answered.

use pipeline::ids::{Digest, Repository, ServiceName};
use pipeline::rows::Finding;
use serde::Serialize;

/// What would move, and what a person should know before.
#[derive(Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The moves, wave by wave; at most [`SHOWN`](super::SHOWN) of them.
    pub plan: Vec<Planned>,
    /// How many more there are.
    #[serde(skip_serializing_if = "is_zero")]
    pub more: usize,
    /// How many services each wave has, and how long it takes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waves: Vec<Wave>,
    /// How long the release takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eta_seconds: Option<u32>,
    /// The services that stay, and why; at most [`SHOWN`](super::SHOWN) of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub untouched: Vec<Untouched>,
    /// What refuses it, would go wrong, or be not as it was meant; the gravest first, and the others counted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
}

/// One wave of a plan.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Wave {
    /// How many services move.
    pub services: usize,
    /// How long it takes, its bake included.
    pub seconds: u32,
}

/// A service that stays.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Untouched {
    /// The service.
    pub service: ServiceName,
    /// Why.
    pub why: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// One planned move.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Planned {
    /// The wave.
    pub wave: usize,
    /// The service.
    pub service: ServiceName,
    /// Where the image is.
    pub repository: Repository,
    /// The digest that it goes back to; none if it was forced without one.
    pub from: Option<Digest>,
    /// The digest that it moves to.
    pub to: Digest,
    /// The commit that the image was built from, if its label says so.
    pub commit: Option<String>,
    /// What its task definition will have otherwise: nothing but these images.
    pub changes: Vec<Change>,
    /// How many live tests it has to pass in which phase, in words.
    pub tests: String,
}

/// A container whose image changes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// The container.
    pub container: String,
    /// The image as the running task definition names it.
    pub from: String,
    /// The image as the next one does.
    pub to: String,
}
