//! The alarms that guard releases after their end, and the runs that they have led to.

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ids::{EnvironmentName, ReleaseId};
use pipeline::ledger::{Key, Ledger, Write};
use pipeline::rows::{EventRow, GuardRollbackRow, GuardRow};
use serde_json::json;

use super::REMEMBERED_SECONDS;
use super::last_part;
use crate::ports::Guards;

/// How many rows DynamoDB writes together.
const ROWS_AT_ONCE: usize = 100;

/// For how long a row is kept after its last minute, for whoever asks why an alarm did nothing.
const KEPT_SECONDS: i64 = 24 * 3600;

impl Guards for Ledger {
    async fn claim_alarm(
        &self,
        event: &str,
        execution: &str,
        now: Timestamp,
    ) -> Result<Option<String>, Fault> {
        let expires = now.plus_seconds(REMEMBERED_SECONDS).millis() / 1000;
        let row = EventRow { execution: execution.to_owned(), expires };
        if self.put_new(&Key::event(event), &row).await? {
            return Ok(None);
        }
        let first: Option<EventRow> = self.get(&Key::event(event)).await?;
        Ok(first.map(|first| first.execution).filter(|first| first != execution))
    }

    async fn guard(
        &self,
        release: &ReleaseId,
        environment: &EnvironmentName,
        alarms: &[String],
        since: Timestamp,
        until: Timestamp,
    ) -> Result<(), Fault> {
        let expires = until.plus_seconds(KEPT_SECONDS).millis() / 1000;
        let row = GuardRow { environment: environment.clone(), since, until, expires };
        for some in alarms.chunks(ROWS_AT_ONCE) {
            let writes = some.iter().map(|alarm| Write::put(Key::guard(alarm, release), &row));
            // None of them has a condition.
            self.transact(writes.collect::<Result<_, _>>()?).await?;
        }
        Ok(())
    }

    async fn guarded_by(&self, alarm: &str) -> Result<Vec<(ReleaseId, GuardRow)>, Fault> {
        let rows = self.list(&format!("guard#{alarm}"), "release#").await?;
        rows.into_iter().map(|(sk, row)| Ok((ReleaseId::parse(last_part(&sk))?, row))).collect()
    }

    async fn guard_rollback(&self, release: &ReleaseId) -> Result<Option<GuardRollbackRow>, Fault> {
        self.get(&Key::guard_rollback(release)).await
    }

    async fn begin_rollback(
        &self,
        release: &ReleaseId,
        row: &GuardRollbackRow,
    ) -> Result<Option<GuardRollbackRow>, Fault> {
        if self.put_new(&Key::guard_rollback(release), row).await? {
            return Ok(None);
        }
        // A call of the same run before may have written it.
        Ok(self.guard_rollback(release).await?.filter(|there| there.by != row.by))
    }

    async fn withdraw_rollback(&self, release: &ReleaseId, by: &ReleaseId) -> Result<(), Fault> {
        let ours = ("#by = :by", json!({"by": by}));
        self.delete(&Key::guard_rollback(release), Some(ours)).await
    }
}
