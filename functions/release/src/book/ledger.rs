//! The adapter to the ledger's table.

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ids::{Digest, EnvironmentName, ReleaseId, Repository, ServiceName};
use pipeline::ledger::{Key, Ledger};
use pipeline::payload::MoveKey;
use pipeline::rows::{
    EventRow, Evidence, EvidenceRow, FrozenRow, HeadRow, Hold, Known, LeaseRow, MoveRow, OrderKey, Outcome,
    Quarantine, ServiceRow, Undo, WriteRow,
};
use serde_json::{Value, json};

use super::{Book, Taken};
use crate::Run;

/// How long an event is remembered: longer than it can be delivered again.
const REMEMBERED_SECONDS: i64 = 30 * 24 * 3600;

impl Book for Ledger {
    async fn service(
        &self,
        environment: &EnvironmentName,
        service: &ServiceName,
    ) -> Result<ServiceRow, Fault> {
        Ok(self.get(&Key::service(environment, service)).await?.unwrap_or_default())
    }

    async fn held(
        &self,
        environment: &EnvironmentName,
        service: &ServiceName,
        release: &ReleaseId,
    ) -> Result<bool, Fault> {
        let lease: Option<LeaseRow> = self.get(&Key::lease(environment, service)).await?;
        Ok(lease.and_then(|lease| lease.release).is_some_and(|holder| holder != *release))
    }

    async fn frozen(&self, environment: &EnvironmentName) -> Result<Option<FrozenRow>, Fault> {
        let row: Option<FrozenRow> = self.get(&Key::frozen(environment)).await?;
        Ok(row.filter(|row| row.frozen))
    }

    async fn freeze(&self, environment: &EnvironmentName, row: &FrozenRow) -> Result<(), Fault> {
        self.put(&Key::frozen(environment), row).await
    }

    async fn quarantine(
        &self,
        environment: &EnvironmentName,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Option<Quarantine>, Fault> {
        let row: Option<EvidenceRow> = self.get(&Key::evidence(repository, digest, environment)).await?;
        Ok(row.and_then(|row| row.quarantine))
    }

    async fn writes(
        &self,
        environment: &EnvironmentName,
        repository: &Repository,
    ) -> Result<Vec<WriteRow>, Fault> {
        let rows = self.list(&format!("env#{environment}"), &format!("write#{repository}#")).await?;
        Ok(rows.into_iter().map(|(_, row)| row).collect())
    }

    async fn claim(&self, event: &str, execution: &str, now: Timestamp) -> Result<Option<String>, Fault> {
        let expires = now.plus_seconds(REMEMBERED_SECONDS).millis() / 1000;
        let row = EventRow { execution: execution.to_owned(), expires };
        if self.put_new(&Key::event(event), &row).await? {
            return Ok(None);
        }
        let first: Option<EventRow> = self.get(&Key::event(event)).await?;
        Ok(first.map(|first| first.execution).filter(|first| first != execution))
    }

    async fn order(
        &self,
        environment: &EnvironmentName,
        service: &ServiceName,
        key: &OrderKey,
    ) -> Result<(), Fault> {
        let newer = "attribute_not_exists(#order) OR #order <= :order";
        self.set(&Key::service(environment, service), json!({"order": key}), Some((newer, json!({}))))
            .await?;
        Ok(())
    }

    async fn open(&self, release: &ReleaseId, head: &HeadRow) -> Result<(), Fault> {
        self.put_new(&Key::head(release), head).await?;
        Ok(())
    }

    async fn head(&self, release: &ReleaseId) -> Result<Option<HeadRow>, Fault> {
        self.get(&Key::head(release)).await
    }

    async fn ask(&self, release: &ReleaseId, token: &str) -> Result<(), Fault> {
        self.set_head(release, json!({"token": token})).await
    }

    async fn replan(
        &self,
        release: &ReleaseId,
        plan: &str,
        services: Vec<ServiceName>,
        now: Timestamp,
    ) -> Result<(), Fault> {
        self.set_head(release, json!({"plan": plan, "services": services, "opened": now})).await
    }

    async fn take(
        &self,
        environment: &EnvironmentName,
        service: &ServiceName,
        run: &Run,
        from: Option<&LeaseRow>,
        now: Timestamp,
    ) -> Result<Taken, Fault> {
        let key = Key::lease(environment, service);
        let seen: Option<LeaseRow> = match from {
            Some(lease) => Some(lease.clone()),
            None => self.get(&key).await?,
        };
        let fence = seen.as_ref().map_or(0, |lease| lease.fence);
        let theirs =
            seen.as_ref().and_then(|lease| lease.release.as_ref()).filter(|holder| **holder != run.release);
        if let (Some(_), None, Some(lease)) = (theirs, from, &seen) {
            return Ok(Taken::Held(lease.clone()));
        }
        // The number rises with every taking, so nobody else took it in between if it is still what we saw.
        let lease =
            json!({"holder": run.execution, "release": run.release, "fence": fence + 1, "since": now});
        let unchanged = ("attribute_not_exists(pk) OR #fence = :seen", json!({"seen": fence}));
        if self.set(&key, lease, Some(unchanged)).await? {
            return Ok(Taken::Yes(fence + 1));
        }
        let now_held: Option<LeaseRow> = self.get(&key).await?;
        now_held
            .map(Taken::Held)
            .ok_or_else(|| Fault::Unavailable(format!("the lease of {service} vanished")))
    }

    async fn free(
        &self,
        environment: &EnvironmentName,
        service: &ServiceName,
        run: &Run,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let free = json!({"holder": null, "release": null, "since": now});
        let ours = ("#release = :ours", json!({"ours": run.release}));
        self.set(&Key::lease(environment, service), free, Some(ours)).await?;
        Ok(())
    }

    async fn write(&self, release: &ReleaseId, wave: u32, ordinal: u32, row: &MoveRow) -> Result<(), Fault> {
        self.put(&Key::a_move(release, wave, ordinal), row).await
    }

    async fn moves(&self, release: &ReleaseId) -> Result<Vec<(MoveKey, MoveRow)>, Fault> {
        Ledger::moves(self, release).await
    }

    async fn undo(&self, release: &ReleaseId, undo: Undo) -> Result<(), Fault> {
        self.set_head(release, json!({"undo": undo})).await
    }

    async fn adopt(&self, release: &ReleaseId, row: &MoveRow, now: Timestamp) -> Result<(), Fault> {
        let key = Key::service(&row.environment, &row.service);
        self.set(&key, json!({"last": release}), None).await?;
        let Some(baseline) = restored(row, now).filter(|known| known.release.is_none()) else {
            return Ok(());
        };
        self.set(&key, json!({"verified": baseline}), Some(("attribute_not_exists(#verified)", json!({}))))
            .await?;
        Ok(())
    }

    async fn distrust(&self, row: &MoveRow, why: &Quarantine) -> Result<(), Fault> {
        let key = Key::evidence(&row.repository, &row.digest, &row.environment);
        self.set(&key, json!({"quarantine": why}), None).await?;
        Ok(())
    }

    async fn verified(&self, row: &MoveRow, known: &Known, hold: Option<&Hold>) -> Result<(), Fault> {
        let Some(release) = &known.release else { return Ok(()) };
        let mut fields = json!({"verified": known, "previous": restored(row, known.since)});
        if let (Some(hold), Some(fields)) = (hold, fields.as_object_mut()) {
            fields.extend([("previous".to_owned(), Value::Null), ("hold".to_owned(), json!(hold))]);
        }
        self.set(&Key::service(&row.environment, &row.service), fields, None).await?;
        let commit = known.commit.clone();
        let evidence = Evidence { release: release.clone(), since: known.since, commit };
        let key = Key::evidence(&row.repository, &row.digest, &row.environment);
        self.set(&key, json!({"verified": evidence, "quarantine": null}), None).await?;
        Ok(())
    }

    async fn close(&self, release: &ReleaseId, outcome: Outcome) -> Result<(), Fault> {
        self.set_head(release, json!({"outcome": outcome})).await
    }
}

/// Returns what a move's restore point knows.
fn restored(row: &MoveRow, since: Timestamp) -> Option<Known> {
    let restore = row.restore.as_ref()?;
    Some(Known {
        repository: row.repository.clone(),
        digest: restore.digest.clone(),
        task_definition: restore.task_definition.clone(),
        commit: restore.commit.clone(),
        since,
        release: restore.release.clone(),
    })
}

/// What only the head of a release has.
trait Head {
    async fn set_head(&self, release: &ReleaseId, fields: Value) -> Result<(), Fault>;
}

impl Head for Ledger {
    async fn set_head(&self, release: &ReleaseId, fields: Value) -> Result<(), Fault> {
        self.set(&Key::head(release), fields, None).await?;
        Ok(())
    }
}
