//! What the function reads from the ledger and writes to it, cut to what its steps need.

use std::collections::{BTreeMap, BTreeSet};

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ids::{Digest, EnvironmentName, PackHash, ReleaseId, Repository, ServiceName, Tag};
use pipeline::payload::MoveKey;
use pipeline::rows::{
    Answer, EvidenceRow, FoundRow, FrozenRow, HeadRow, Hold, LeaseRow, ListedRun, MoveRow, OrderKey, PlanRow,
    PushRow, Quarantine, RollbackScope, ServiceRow, Stop, SweepRow, Verdict, VerifiedImage, WaitingRow,
    WriteRow,
};

use crate::answer::Closed;
use crate::intake::push::Push;
use crate::payload::Run;
use crate::plan::sweep::told::Change;
use crate::plan::waves::Numbered;

/// An image: its repository and its digest.
pub type ImageKey = (Repository, Digest);

/// What a service has shown: a fact for its history, and what follows from it.
#[derive(Clone, Debug, PartialEq)]
pub struct Proven {
    /// What it runs now, verified.
    pub fact: VerifiedImage,
    /// What it is kept from now: the image that somebody rolled back from.
    pub hold: Option<Hold>,
    /// Whether the image has shown anything new to the environments that follow; a rollback shows nothing.
    pub evidence: bool,
    /// Whether a quarantine of the image ends: only a forced release says so, by naming it.
    pub ends_quarantine: bool,
}

/// What a move has shown of its service.
#[derive(Clone, Debug)]
pub struct Proof<'a> {
    /// What names the move.
    pub key: &'a MoveKey,
    /// The move.
    pub row: &'a MoveRow,
    /// What the ledger has of the service.
    pub known: ServiceRow,
    /// What is to be written down.
    pub proven: Proven,
}

/// The end of a release.
#[derive(Clone, Debug)]
pub struct Ending<'a> {
    /// The release.
    pub release: &'a ReleaseId,
    /// Its head.
    pub head: &'a HeadRow,
    /// How it ended.
    pub closed: &'a Closed,
    /// The leases that it holds, with their numbers.
    pub leases: &'a [(&'a ServiceName, u64)],
    /// The present moment.
    pub now: Timestamp,
}

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
    /// Claims a push, and its event, for an execution.
    async fn claim(
        &self,
        environment: &EnvironmentName,
        push: &Push,
        execution: &str,
        now: Timestamp,
    ) -> Result<Claim, Fault>;
}

/// Who has a push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The execution that claimed it.
    Ours,
    /// This one: the same event was delivered to it before.
    Delivered(String),
    /// This one: a sweep had found the push before its event came, or the other way round.
    Found(String),
}

/// What sweeps have found, and how far they are.
pub trait Sweeps {
    /// Reads how far the last sweep of an environment is.
    async fn progress(&self, environment: &EnvironmentName) -> Result<Option<SweepRow>, Fault>;
    /// Writes down how far a sweep is.
    async fn note_progress(&self, environment: &EnvironmentName, row: &SweepRow) -> Result<(), Fault>;
    /// Reads what was found in an environment, by the keys of the rows.
    async fn found(&self, environment: &EnvironmentName) -> Result<Vec<(String, FoundRow)>, Fault>;
    /// Writes down what changed of it; what another sweep has changed meanwhile stays.
    async fn note_found(&self, environment: &EnvironmentName, changes: &[Change]) -> Result<(), Fault>;
    /// Reads which of some pushes were seen.
    async fn seen(
        &self,
        environment: &EnvironmentName,
        pushes: &[Push],
    ) -> Result<BTreeMap<PushKey, PushRow>, Fault>;
    /// Tells whether somebody was told of the end of a release.
    async fn is_end_told(&self, release: &ReleaseId) -> Result<bool, Fault>;
    /// Reads the leases of an environment that are held.
    async fn held(&self, environment: &EnvironmentName) -> Result<BTreeMap<ServiceName, LeaseRow>, Fault>;
}

/// What names a push that was seen.
pub type PushKey = (Repository, Tag, Digest);

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
    /// Notes the newest push of a repository that was accepted for each service; a newer one stays.
    async fn order(
        &self,
        environment: &EnvironmentName,
        places: &[(&ServiceName, &Repository)],
        key: &OrderKey,
    ) -> Result<(), Fault>;
    /// Writes down what a release met when it took a service, if nobody knew; `known` is what the ledger has.
    async fn adopt(&self, row: &MoveRow, known: &ServiceRow, now: Timestamp) -> Result<(), Fault>;
    /// Writes down what services run, verified, and what their images have shown.
    ///
    /// What was written under a later lease stays.
    async fn verified(&self, proofs: &[Proof<'_>]) -> Result<(), Fault>;
    /// Writes down that the image of a move was bad, live.
    async fn quarantine(&self, row: &MoveRow, why: &Quarantine) -> Result<(), Fault>;
    /// Writes down that an image proves nothing any more to the environments that follow.
    async fn revoke(&self, environment: &EnvironmentName, image: &ImageKey) -> Result<(), Fault>;
}

/// Whether environments let releases in.
pub trait Freezes {
    /// Reads who froze an environment, if somebody did.
    async fn frozen(&self, environment: &EnvironmentName) -> Result<Option<FrozenRow>, Fault>;
    /// Freezes an environment, or lets releases in again; a release's own freeze leaves a person's as it is.
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
    /// Reads which releases hold leases of an environment.
    async fn holders(&self, environment: &EnvironmentName) -> Result<BTreeSet<ReleaseId>, Fault>;
    /// Takes leases under new numbers, all or none; returns the first one whose number was raised meanwhile.
    async fn take(
        &self,
        environment: &EnvironmentName,
        leases: &[(ServiceName, u64)],
        run: &Run,
        now: Timestamp,
    ) -> Result<Option<ServiceName>, Fault>;
    /// Frees leases: those that are ours and have these numbers still.
    async fn free(
        &self,
        environment: &EnvironmentName,
        leases: &[(&ServiceName, u64)],
        release: &ReleaseId,
        now: Timestamp,
    ) -> Result<(), Fault>;
}

/// The releases and their moves.
pub trait Releases {
    /// Writes the head of a release, once, its place in the list of runs, and where its push stands among those that
    /// were accepted for its services: a newer one stays.
    async fn open(
        &self,
        release: &ReleaseId,
        head: &HeadRow,
        listed: &ListedRun,
        places: &[(&ServiceName, &Repository)],
    ) -> Result<(), Fault>;
    /// Reads the head of a release.
    async fn head(&self, release: &ReleaseId) -> Result<Option<HeadRow>, Fault>;
    /// Writes down since when a release waits for a lease.
    async fn waits(&self, release: &ReleaseId, since: Timestamp) -> Result<(), Fault>;
    /// Keeps the text of live tests under their hash.
    async fn keep(&self, hash: &PackHash, text: &str) -> Result<(), Fault>;
    /// Writes moves, and that the release holds their services last: all, or none if a lease is lost by now.
    async fn write(
        &self,
        release: &ReleaseId,
        moves: &[Numbered],
        known: &BTreeMap<ServiceName, ServiceRow>,
    ) -> Result<(), Fault>;
    /// Writes down that a release does not hold a service after all, unless its lease has another number by now.
    async fn disown(&self, release: &ReleaseId, row: &MoveRow, fence: Option<u64>) -> Result<(), Fault>;
    /// Takes a move away that is none of the plan any more, unless it was written under a higher number than this.
    async fn forget(&self, key: &MoveKey, service: &ServiceName, fence: u64) -> Result<(), Fault>;
    /// Reads the head of a release and its moves.
    async fn head_and_moves(
        &self,
        release: &ReleaseId,
    ) -> Result<(Option<HeadRow>, Vec<(MoveKey, MoveRow)>), Fault>;
    /// Reads the moves of a release.
    async fn moves(&self, release: &ReleaseId) -> Result<Vec<(MoveKey, MoveRow)>, Fault>;
    /// Writes down what an alarm says of a move after the health test.
    async fn decide(
        &self,
        key: &MoveKey,
        row: &MoveRow,
        said: &AlarmVerdict,
        decided: Timestamp,
    ) -> Result<(), Fault>;
    /// Writes down what becomes of a move that has lost its service.
    async fn give_up(
        &self,
        key: &MoveKey,
        row: &MoveRow,
        verdict: Verdict,
        reason: &str,
        decided: Timestamp,
    ) -> Result<(), Fault>;
    /// Writes down that an open release is to end, unless that was written before; tells whether it was written.
    async fn stop(&self, release: &ReleaseId, stop: &Stop) -> Result<bool, Fault>;
    /// Writes down what is rolled back.
    async fn roll_back(&self, release: &ReleaseId, rollback: RollbackScope) -> Result<(), Fault>;
    /// Writes down the last wave that may take production traffic.
    async fn shift_through(&self, release: &ReleaseId, wave: u32) -> Result<(), Fault>;
    /// Writes down in one call that a release is deployed, what it has shown, and that its leases are free; does nothing,
    /// and says so, where that is too much for one call, or something has changed: somebody stopped it, a call beside this
    /// one has judged otherwise, or a move is healthy no more.
    async fn end(&self, ending: &Ending<'_>, proofs: &[Proof<'_>]) -> Result<bool, Fault>;
    /// Writes down how a release ended, in the list of runs, too; a stop that was written meanwhile is a fault, and is
    /// read by the next call.
    async fn close(
        &self,
        release: &ReleaseId,
        head: &HeadRow,
        closed: &Closed,
        now: Timestamp,
    ) -> Result<(), Fault>;
}

/// The list of the runs that were accepted or refused.
pub trait Runs {
    /// Adds a run that is no release, or was refused before it was one.
    async fn list_run(
        &self,
        environment: &EnvironmentName,
        started: Timestamp,
        run: &ReleaseId,
        row: &ListedRun,
    ) -> Result<(), Fault>;
    /// Reads the runs that stand there from a moment on, oldest first.
    async fn listed_runs(
        &self,
        environment: &EnvironmentName,
        from: Timestamp,
    ) -> Result<Vec<ListedRun>, Fault>;
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
    /// Writes down what a person answered: without it an answer counts for nothing.
    async fn record_answer(&self, release: &ReleaseId, answer: &Answer) -> Result<(), Fault>;
    /// Writes down that a release waits no more for this answer; for any, if none is named.
    async fn answered(
        &self,
        environment: &EnvironmentName,
        release: &ReleaseId,
        row: Option<&WaitingRow>,
    ) -> Result<(), Fault>;
}
