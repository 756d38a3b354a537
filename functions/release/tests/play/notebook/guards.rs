//! The alarms that guard releases.

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ids::{EnvironmentName, ReleaseId};
use pipeline::rows::{GuardRollbackRow, GuardRow};
use release::ports::Guards;

use super::Notebook;

impl Guards for Notebook {
    async fn claim_alarm(&self, _: &str, _: &str, _: Timestamp) -> Result<Option<String>, Fault> {
        self.write("claim").map(|()| None)
    }
    async fn guard(
        &self,
        release: &ReleaseId,
        environment: &EnvironmentName,
        alarms: &[String],
        since: Timestamp,
        until: Timestamp,
    ) -> Result<(), Fault> {
        let row = GuardRow { environment: environment.clone(), since, until, expires: 0 };
        let mut guards = self.guards.borrow_mut();
        for alarm in alarms {
            guards.entry(alarm.clone()).or_default().push((release.clone(), row.clone()));
        }
        drop(guards);
        self.write(format!("guard {}", alarms.join(" ")))
    }
    async fn guarded_by(&self, alarm: &str) -> Result<Vec<(ReleaseId, GuardRow)>, Fault> {
        Ok(self.guards.borrow().get(alarm).cloned().unwrap_or_default())
    }
    async fn guard_rollback(&self, _: &ReleaseId) -> Result<Option<GuardRollbackRow>, Fault> {
        Ok(self.guard_rollback.borrow().clone())
    }
    async fn begin_rollback(
        &self,
        _: &ReleaseId,
        row: &GuardRollbackRow,
    ) -> Result<Option<GuardRollbackRow>, Fault> {
        let there = self.guard_rollback.borrow_mut().get_or_insert_with(|| row.clone()).clone();
        Notebook::write(self, "begin rollback")?;
        Ok(Some(there).filter(|there| there.by != row.by))
    }
    async fn withdraw_rollback(&self, _: &ReleaseId, by: &ReleaseId) -> Result<(), Fault> {
        self.guard_rollback.replace_with(|there| there.take().filter(|there| there.by != *by));
        Notebook::write(self, "withdraw rollback")
    }
}
