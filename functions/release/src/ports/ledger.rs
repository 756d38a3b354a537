//! What the function reads from the ledger and writes to it, cut to what its steps need.

use std::collections::BTreeMap;

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::fate::Fate;
use pipeline::ids::{Digest, EnvironmentName, PackHash, ReleaseId, Repository, ServiceName};
use pipeline::payload::MoveKey;
use pipeline::rows::{
    EvidenceRow, FrozenRow, HeadRow, Hold, Known, LeaseRow, MoveRow, OrderKey, Outcome, PlanRow, Quarantine,
    ServiceRow, Undo, Verdict, WaitingRow, WriteRow,
};

use crate::payload::Run;

/// An image: its repository and its digest.
pub type ImageKey = (Repository, Digest);

/// What an alarm makes of a move that was healthy.
#[derive(Clone, Debug, PartialEq)]
pub struct AlarmVerdict {
    /// What it counts as now.
    pub verdict: Verdict,
    /// Why.
    pub reason: String,
    /// The alarm.
    pub alarm: String,
}

/// The events that started executions, and the pushes that were our own.
pub trait Events {
    /// Reads our own writes of an environment's tag.
    async fn writes(
        &self,
        environment: &EnvironmentName,
        repository: &Repository,
    ) -> Result<Vec<WriteRow>, Fault>;
    /// Claims an event for an execution; returns the execution that has it, if it is another one.
    async fn claim(&self, event: &str, execution: &str, now: Timestamp) -> Result<Option<String>, Fault>;
}

/// What services run and have run, verified, and what images have shown.
pub trait History {
    /// Reads what is known of services: of those named, or of all; nothing of a service at first.
    async fn services(
        &self,
        environment: &EnvironmentName,
        named: Option<&[ServiceName]>,
    ) -> Result<BTreeMap<ServiceName, ServiceRow>, Fault>;
    /// Reads what images have shown in an environment; nothing of an image is left out.
    async fn evidence(
        &self,
        environment: &EnvironmentName,
        images: &[ImageKey],
    ) -> Result<BTreeMap<ImageKey, EvidenceRow>, Fault>;
    /// Notes the newest push that was accepted for a service; a newer one stays.
    async fn order(
        &self,
        environment: &EnvironmentName,
        service: &ServiceName,
        key: &OrderKey,
    ) -> Result<(), Fault>;
    /// Writes down that a release holds a service, and what it ran if nobody knew.
    async fn adopt(&self, release: &ReleaseId, row: &MoveRow, now: Timestamp) -> Result<(), Fault>;
    /// Writes down what a service runs, verified, and the evidence for its image.
    ///
    /// With a hold it was a rollback: what it rolled back from is no version to return to.
    async fn verified(&self, row: &MoveRow, known: &Known, hold: Option<&Hold>) -> Result<(), Fault>;
    /// Writes down that the image of a move was bad, live.
    async fn quarantine(&self, row: &MoveRow, why: &Quarantine) -> Result<(), Fault>;
    /// Writes down that an image proves nothing any more to the environments that follow.
    async fn revoke(&self, environment: &EnvironmentName, image: &ImageKey) -> Result<(), Fault>;
}

/// Whether environments let releases in.
pub trait Freezes {
    /// Reads who froze an environment, if somebody did.
    async fn frozen(&self, environment: &EnvironmentName) -> Result<Option<FrozenRow>, Fault>;
    /// Freezes an environment, or lets releases in again.
    async fn freeze(&self, environment: &EnvironmentName, row: &FrozenRow) -> Result<(), Fault>;
}

/// Who alone may write to a service.
pub trait Leases {
    /// Reads the leases of services; one that was never taken is left out.
    async fn leases(
        &self,
        environment: &EnvironmentName,
        services: &[ServiceName],
    ) -> Result<BTreeMap<ServiceName, LeaseRow>, Fault>;
    /// Takes a lease that is still as it was seen, and returns its number; none if somebody else was quicker.
    async fn take(
        &self,
        environment: &EnvironmentName,
        service: &ServiceName,
        run: &Run,
        seen: Option<&LeaseRow>,
        now: Timestamp,
    ) -> Result<Option<u64>, Fault>;
    /// Frees a lease, if it is ours.
    async fn free(
        &self,
        environment: &EnvironmentName,
        service: &ServiceName,
        run: &Run,
        now: Timestamp,
    ) -> Result<(), Fault>;
}

/// The releases and their moves.
pub trait Releases {
    /// Writes the head of a release, once.
    async fn open(&self, release: &ReleaseId, head: &HeadRow) -> Result<(), Fault>;
    /// Reads the head of a release.
    async fn head(&self, release: &ReleaseId) -> Result<Option<HeadRow>, Fault>;
    /// Writes down since when a release waits for a lease.
    async fn waits(&self, release: &ReleaseId, since: Timestamp) -> Result<(), Fault>;
    /// Keeps the text of live tests under their hash.
    async fn keep(&self, hash: &PackHash, text: &str) -> Result<(), Fault>;
    /// Writes a move.
    async fn write(&self, release: &ReleaseId, wave: u32, ordinal: u32, row: &MoveRow) -> Result<(), Fault>;
    /// Takes a move away that is none of the plan any more.
    async fn forget(&self, key: &MoveKey) -> Result<(), Fault>;
    /// Reads the moves of a release.
    async fn moves(&self, release: &ReleaseId) -> Result<Vec<(MoveKey, MoveRow)>, Fault>;
    /// Writes down what an alarm says of a move after the health test.
    async fn decide(&self, key: &MoveKey, alarm: &AlarmVerdict, now: Timestamp) -> Result<(), Fault>;
    /// Writes down what is undone.
    async fn undo(&self, release: &ReleaseId, undo: Undo) -> Result<(), Fault>;
    /// Writes down how a release ended.
    async fn close(
        &self,
        release: &ReleaseId,
        outcome: Outcome,
        fates: &BTreeMap<Fate, u32>,
    ) -> Result<(), Fault>;
}

/// The plans that a person is asked to agree to.
pub trait Approvals {
    /// Writes down what a person is asked to agree to about one service.
    async fn propose(&self, release: &ReleaseId, row: &PlanRow) -> Result<(), Fault>;
    /// Reads all that was ever proposed; the head says of which services it still holds.
    async fn proposed(&self, release: &ReleaseId) -> Result<Vec<PlanRow>, Fault>;
    /// Writes down that the plan became another one.
    async fn replan(&self, release: &ReleaseId, plan: &str, services: &[ServiceName]) -> Result<(), Fault>;
    /// Writes down that a release waits for a person, and which plan it is about.
    async fn wait(
        &self,
        environment: &EnvironmentName,
        release: &ReleaseId,
        row: &WaitingRow,
        plan: &str,
    ) -> Result<(), Fault>;
    /// Reads the releases of an environment that wait for a person.
    async fn waiting(&self, environment: &EnvironmentName) -> Result<Vec<(ReleaseId, WaitingRow)>, Fault>;
    /// Writes down who is about to answer what waits, as long as it is what was seen; tells whether it is.
    async fn answer(
        &self,
        environment: &EnvironmentName,
        release: &ReleaseId,
        row: &WaitingRow,
        by: &ReleaseId,
    ) -> Result<bool, Fault>;
    /// Writes down that a release waits no more for this answer; for any, if none is named.
    async fn answered(
        &self,
        environment: &EnvironmentName,
        release: &ReleaseId,
        row: Option<&WaitingRow>,
    ) -> Result<(), Fault>;
}
