//! The adapter to the ledger's table.

use std::collections::BTreeMap;

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::fate::Fate;
use pipeline::ids::{EnvironmentName, PackHash, ReleaseId, Repository, ServiceName};
use pipeline::ledger::{Key, Ledger};
use pipeline::payload::{MoveKey, MoveRef};
use pipeline::rows::{
    EventRow, Evidence, EvidenceRow, FrozenRow, HeadRow, Hold, Known, LeaseRow, MoveRow, OrderKey, Outcome,
    PlanRow, Quarantine, ServiceRow, Undo, WaitingRow, WriteRow,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::payload::Run;
use crate::ports::{AlarmVerdict, Approvals, Events, Freezes, History, ImageKey, Leases, Releases};

/// Up to how many services are read by their keys; of more, all of the environment are read.
const FEW_SERVICES: usize = 100;

/// How long an event is remembered: longer than it can be delivered again.
const REMEMBERED_SECONDS: i64 = 30 * 24 * 3600;

impl Events for Ledger {
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
}

impl History for Ledger {
    async fn services(
        &self,
        environment: &EnvironmentName,
        named: Option<&[ServiceName]>,
    ) -> Result<BTreeMap<ServiceName, ServiceRow>, Fault> {
        self.of_services(environment, "service#", named).await
    }

    async fn evidence(
        &self,
        environment: &EnvironmentName,
        images: &[ImageKey],
    ) -> Result<BTreeMap<ImageKey, EvidenceRow>, Fault> {
        let key = |(repository, digest): &ImageKey| Key::evidence(repository, digest, environment);
        let keys: Vec<Key> = images.iter().map(key).collect();
        let mut rows = self.get_all(&keys).await?;
        let mut found = BTreeMap::new();
        for image in images {
            found.extend(rows.remove(&key(image)).map(|row| (image.clone(), row)));
        }
        Ok(found)
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

    async fn verified(&self, row: &MoveRow, known: &Known, hold: Option<&Hold>) -> Result<(), Fault> {
        let Some(release) = &known.release else { return Ok(()) };
        let took = row.touched.map(|touched| known.since.seconds_since(touched).max(1));
        let mut fields = json!({"verified": known, "seconds": took});
        let previous = match (hold, restored(row, known.since)) {
            (Some(_), _) => Some(Value::Null),
            // The same image once more: what was before it is before it still.
            (None, Some(before)) if before.digest == known.digest => None,
            (None, before) => Some(json!(before)),
        };
        if let Some(fields) = fields.as_object_mut() {
            fields.extend(previous.map(|previous| ("previous".to_owned(), previous)));
            fields.extend(hold.map(|hold| ("hold".to_owned(), json!(hold))));
        }
        self.set(&Key::service(&row.environment, &row.service), fields, None).await?;
        let commit = known.commit.clone();
        let evidence = Evidence { release: release.clone(), since: known.since, commit };
        let key = Key::evidence(&row.repository, &row.digest, &row.environment);
        self.set(&key, json!({"verified": evidence, "quarantine": null}), None).await?;
        Ok(())
    }

    async fn quarantine(&self, row: &MoveRow, why: &Quarantine) -> Result<(), Fault> {
        let key = Key::evidence(&row.repository, &row.digest, &row.environment);
        self.set(&key, json!({"quarantine": why}), None).await?;
        Ok(())
    }

    async fn revoke(
        &self,
        environment: &EnvironmentName,
        (repository, digest): &ImageKey,
    ) -> Result<(), Fault> {
        self.set(&Key::evidence(repository, digest, environment), json!({"verified": null}), None).await?;
        Ok(())
    }
}

impl Freezes for Ledger {
    async fn frozen(&self, environment: &EnvironmentName) -> Result<Option<FrozenRow>, Fault> {
        let row: Option<FrozenRow> = self.get(&Key::frozen(environment)).await?;
        Ok(row.filter(|row| row.frozen))
    }

    async fn freeze(&self, environment: &EnvironmentName, row: &FrozenRow) -> Result<(), Fault> {
        self.put(&Key::frozen(environment), row).await
    }
}

impl Leases for Ledger {
    async fn leases(
        &self,
        environment: &EnvironmentName,
        services: &[ServiceName],
    ) -> Result<BTreeMap<ServiceName, LeaseRow>, Fault> {
        self.of_services(environment, "lease#", Some(services)).await
    }

    async fn take(
        &self,
        environment: &EnvironmentName,
        service: &ServiceName,
        run: &Run,
        seen: Option<&LeaseRow>,
        now: Timestamp,
    ) -> Result<Option<u64>, Fault> {
        let seen = seen.map_or(0, |lease| lease.fence);
        let fence = seen + 1;
        let lease = json!({"holder": run.execution, "release": run.release, "fence": fence, "since": now});
        // The number rises with every taking, so nobody else took it in between if it is still what we saw.
        let unchanged = ("attribute_not_exists(pk) OR #fence = :seen", json!({"seen": seen}));
        let taken = self.set(&Key::lease(environment, service), lease, Some(unchanged)).await?;
        Ok(taken.then_some(fence))
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
}

impl Releases for Ledger {
    async fn open(&self, release: &ReleaseId, head: &HeadRow) -> Result<(), Fault> {
        self.put_new(&Key::head(release), head).await?;
        Ok(())
    }

    async fn head(&self, release: &ReleaseId) -> Result<Option<HeadRow>, Fault> {
        self.get(&Key::head(release)).await
    }

    async fn waits(&self, release: &ReleaseId, since: Timestamp) -> Result<(), Fault> {
        self.set_head(release, json!({"waits": since})).await
    }

    async fn keep(&self, hash: &PackHash, text: &str) -> Result<(), Fault> {
        self.pin(hash, text.to_owned()).await
    }

    async fn write(&self, release: &ReleaseId, wave: u32, ordinal: u32, row: &MoveRow) -> Result<(), Fault> {
        self.put(&Key::a_move(release, wave, ordinal), row).await
    }

    async fn forget(&self, key: &MoveKey) -> Result<(), Fault> {
        match key.which {
            MoveRef::Ordinal(n) => self.delete(&Key::a_move(&key.release, key.wave, n), None).await,
            MoveRef::Inline(_) => Ok(()),
        }
    }

    async fn moves(&self, release: &ReleaseId) -> Result<Vec<(MoveKey, MoveRow)>, Fault> {
        Ledger::moves(self, release).await
    }

    async fn decide(&self, key: &MoveKey, alarm: &AlarmVerdict, now: Timestamp) -> Result<(), Fault> {
        let AlarmVerdict { verdict, reason, alarm } = alarm;
        self.note(key, json!({"verdict": verdict, "reason": reason, "alarm": alarm, "decided": now})).await
    }

    async fn undo(&self, release: &ReleaseId, undo: Undo) -> Result<(), Fault> {
        self.set_head(release, json!({"undo": undo})).await
    }

    async fn close(
        &self,
        release: &ReleaseId,
        outcome: Outcome,
        fates: &BTreeMap<Fate, u32>,
    ) -> Result<(), Fault> {
        self.set_head(release, json!({"outcome": outcome, "fates": fates})).await
    }
}

impl Approvals for Ledger {
    async fn propose(&self, release: &ReleaseId, row: &PlanRow) -> Result<(), Fault> {
        self.put(&Key::plan(release, &row.service), row).await
    }

    async fn proposed(&self, release: &ReleaseId) -> Result<Vec<PlanRow>, Fault> {
        let rows = self.list(&format!("release#{release}"), "plan#").await?;
        Ok(rows.into_iter().map(|(_, row)| row).collect())
    }

    async fn replan(&self, release: &ReleaseId, plan: &str, services: &[ServiceName]) -> Result<(), Fault> {
        // What it waited for before says nothing of how long it will wait for its leases then.
        self.set_head(release, json!({"plan": plan, "services": services, "waits": null})).await
    }

    async fn wait(
        &self,
        environment: &EnvironmentName,
        release: &ReleaseId,
        row: &WaitingRow,
        plan: &str,
    ) -> Result<(), Fault> {
        self.set_head(release, json!({"asked": plan})).await?;
        self.put(&Key::waiting(environment, release), row).await
    }

    async fn waiting(&self, environment: &EnvironmentName) -> Result<Vec<(ReleaseId, WaitingRow)>, Fault> {
        let rows = self.list(&format!("env#{environment}"), "waiting#").await?;
        let named = rows.into_iter().map(|(sk, row)| Ok((ReleaseId::parse(last_part(&sk))?, row)));
        named.collect()
    }

    async fn answer(
        &self,
        environment: &EnvironmentName,
        release: &ReleaseId,
        row: &WaitingRow,
        by: &ReleaseId,
    ) -> Result<bool, Fault> {
        let same = ("#token = :token", json!({"token": row.token}));
        let key = Key::waiting(environment, release);
        self.set(&key, json!({"answeredBy": by, "token": row.token}), Some(same)).await
    }

    async fn answered(
        &self,
        environment: &EnvironmentName,
        release: &ReleaseId,
        row: Option<&WaitingRow>,
    ) -> Result<(), Fault> {
        let token = row.map(|row| ("token", row.token.as_str()));
        self.delete(&Key::waiting(environment, release), token).await
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

/// What only this function does with the table.
trait Rows {
    async fn of_services<Row: DeserializeOwned>(
        &self,
        environment: &EnvironmentName,
        prefix: &str,
        named: Option<&[ServiceName]>,
    ) -> Result<BTreeMap<ServiceName, Row>, Fault>;
    async fn set_head(&self, release: &ReleaseId, fields: Value) -> Result<(), Fault>;
}

impl Rows for Ledger {
    /// Reads one kind of row of services: by their keys, or all of the environment where that is less to ask.
    async fn of_services<Row: DeserializeOwned>(
        &self,
        environment: &EnvironmentName,
        prefix: &str,
        named: Option<&[ServiceName]>,
    ) -> Result<BTreeMap<ServiceName, Row>, Fault> {
        let rows = match named {
            Some(named) if named.len() <= FEW_SERVICES => {
                let key = |service: &ServiceName| Key::of_service(environment, prefix, service);
                let mut rows = self.get_all(&named.iter().map(key).collect::<Vec<_>>()).await?;
                let found = named.iter().filter_map(|name| Some((name.clone(), rows.remove(&key(name))?)));
                return Ok(found.collect());
            }
            _ => self.list(&format!("env#{environment}"), prefix).await?,
        };
        rows.into_iter().map(|(sk, row)| Ok((ServiceName::parse(last_part(&sk))?, row))).collect()
    }

    async fn set_head(&self, release: &ReleaseId, fields: Value) -> Result<(), Fault> {
        self.set(&Key::head(release), fields, None).await?;
        Ok(())
    }
}

/// Returns what stands behind the kind of a row.
fn last_part(sk: &str) -> &str {
    sk.split_once('#').map_or(sk, |(_, rest)| rest)
}
