//! The port to the ledger: what we wrote down, and what we write.

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ids::{Digest, EnvironmentName, ReleaseId, Repository, ServiceName};
use pipeline::payload::MoveKey;
use pipeline::rows::{
    FrozenRow, HeadRow, Hold, Known, LeaseRow, MoveRow, OrderKey, Outcome, Quarantine, ServiceRow, Undo,
    WriteRow,
};

use crate::Run;

mod ledger;

/// What became of an attempt at a lease.
#[derive(Clone, Debug, PartialEq)]
pub enum Taken {
    /// It is ours, with this number.
    Yes(u64),
    /// Somebody holds it.
    Held(LeaseRow),
}

/// All that the function asks of the ledger.
pub trait Book {
    /// Reads what is known of a service; nothing at first.
    async fn service(
        &self,
        environment: &EnvironmentName,
        service: &ServiceName,
    ) -> Result<ServiceRow, Fault>;
    /// Tells whether another release holds a service.
    async fn held(
        &self,
        environment: &EnvironmentName,
        service: &ServiceName,
        release: &ReleaseId,
    ) -> Result<bool, Fault>;
    /// Reads who froze an environment, if somebody did.
    async fn frozen(&self, environment: &EnvironmentName) -> Result<Option<FrozenRow>, Fault>;
    /// Freezes an environment, or lets releases in again.
    async fn freeze(&self, environment: &EnvironmentName, row: &FrozenRow) -> Result<(), Fault>;
    /// Reads why an image is in quarantine in an environment, if it is.
    async fn quarantine(
        &self,
        environment: &EnvironmentName,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Option<Quarantine>, Fault>;
    /// Reads our own writes of an environment's tag.
    async fn writes(
        &self,
        environment: &EnvironmentName,
        repository: &Repository,
    ) -> Result<Vec<WriteRow>, Fault>;
    /// Claims an event for an execution; returns the execution that has it, if it is another one.
    async fn claim(&self, event: &str, execution: &str, now: Timestamp) -> Result<Option<String>, Fault>;
    /// Notes the newest push that was accepted for a service; a newer one stays.
    async fn order(
        &self,
        environment: &EnvironmentName,
        service: &ServiceName,
        key: &OrderKey,
    ) -> Result<(), Fault>;
    /// Writes the head of a release, once.
    async fn open(&self, release: &ReleaseId, head: &HeadRow) -> Result<(), Fault>;
    /// Reads the head of a release.
    async fn head(&self, release: &ReleaseId) -> Result<Option<HeadRow>, Fault>;
    /// Keeps the token of a waiting state.
    async fn ask(&self, release: &ReleaseId, token: &str) -> Result<(), Fault>;
    /// Writes down that the plan became another one.
    async fn replan(
        &self,
        release: &ReleaseId,
        plan: &str,
        services: Vec<ServiceName>,
        now: Timestamp,
    ) -> Result<(), Fault>;
    /// Takes a lease that is free, our own, or still as `from` says.
    async fn take(
        &self,
        environment: &EnvironmentName,
        service: &ServiceName,
        run: &Run,
        from: Option<&LeaseRow>,
        now: Timestamp,
    ) -> Result<Taken, Fault>;
    /// Frees a lease, if it is ours.
    async fn free(
        &self,
        environment: &EnvironmentName,
        service: &ServiceName,
        run: &Run,
        now: Timestamp,
    ) -> Result<(), Fault>;
    /// Writes a move.
    async fn write(&self, release: &ReleaseId, wave: u32, ordinal: u32, row: &MoveRow) -> Result<(), Fault>;
    /// Reads the moves of a release.
    async fn moves(&self, release: &ReleaseId) -> Result<Vec<(MoveKey, MoveRow)>, Fault>;
    /// Writes down what is undone.
    async fn undo(&self, release: &ReleaseId, undo: Undo) -> Result<(), Fault>;
    /// Writes down that a release holds a service, and what it ran if nobody knew.
    async fn adopt(&self, release: &ReleaseId, row: &MoveRow, now: Timestamp) -> Result<(), Fault>;
    /// Writes down that the image of a move was bad, live.
    async fn distrust(&self, row: &MoveRow, why: &Quarantine) -> Result<(), Fault>;
    /// Writes down what a service runs, verified, and the evidence for its image.
    ///
    /// With a hold it was a rollback: what it rolled back from is no version to return to.
    async fn verified(&self, row: &MoveRow, known: &Known, hold: Option<&Hold>) -> Result<(), Fault>;
    /// Writes down how a release ended.
    async fn close(&self, release: &ReleaseId, outcome: Outcome) -> Result<(), Fault>;
}
