//! What the ledger knows of the alarms that guard releases after their end.

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ids::{EnvironmentName, ReleaseId};
use pipeline::rows::{GuardRollbackRow, GuardRow};

/// The alarms that guard releases, and what they have led to.
pub trait Guards {
    /// Claims the event of an alarm for an execution; returns the one that has it already.
    async fn claim_alarm(
        &self,
        event: &str,
        execution: &str,
        now: Timestamp,
    ) -> Result<Option<String>, Fault>;
    /// Writes down that alarms guard a release from now on, until then.
    async fn guard(
        &self,
        release: &ReleaseId,
        environment: &EnvironmentName,
        alarms: &[String],
        since: Timestamp,
        until: Timestamp,
    ) -> Result<(), Fault>;
    /// Reads which releases an alarm guards, or has guarded of late.
    async fn guarded_by(&self, alarm: &str) -> Result<Vec<(ReleaseId, GuardRow)>, Fault>;
    /// Reads by which run the guard rolls a release back, if by one.
    async fn guard_rollback(&self, release: &ReleaseId) -> Result<Option<GuardRollbackRow>, Fault>;
    /// Writes down that a run rolls a release back, unless another one does; returns that one.
    async fn begin_rollback(
        &self,
        release: &ReleaseId,
        row: &GuardRollbackRow,
    ) -> Result<Option<GuardRollbackRow>, Fault>;
    /// Writes down that a run has not rolled a release back after all: another alarm may.
    async fn withdraw_rollback(&self, release: &ReleaseId, by: &ReleaseId) -> Result<(), Fault>;
}
