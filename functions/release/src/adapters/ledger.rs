//! The adapter to the ledger's table.

use std::collections::{BTreeMap, BTreeSet};

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::fate::Fate;
use pipeline::ids::{EnvironmentName, PackHash, ReleaseId, Repository, ServiceName};
use pipeline::ledger::{Condition, Key, Ledger, MoveLedger, Write, placeholder};
use pipeline::payload::{MoveKey, MoveRef};
use pipeline::rows::{
    Answer, EventRow, Evidence, EvidenceRow, FrozenRow, HeadRow, LeaseRow, MoveEvent, MoveRow, OrderKey,
    Outcome, PlanRow, Quarantine, ServiceRow, Stop, Undo, VerifiedImage, WaitingRow, WriteRow, hold_key,
    order_key,
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::payload::Run;
use crate::plan::history;
use crate::plan::waves::Numbered;
use crate::ports::{AlarmVerdict, Approvals, Events, Freezes, History, ImageKey, Leases, Proven, Releases};

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
        repository: &Repository,
        key: &OrderKey,
    ) -> Result<(), Fault> {
        let name = order_key(repository);
        let placeholder = placeholder(&name);
        let newer = format!("attribute_not_exists(#{placeholder}) OR #{placeholder} <= :{placeholder}");
        let place = Key::service(environment, service);
        self.set(&place, json!({name: key}), Some((&newer, json!({})))).await?;
        Ok(())
    }

    async fn adopt(&self, row: &MoveRow, known: &ServiceRow, now: Timestamp) -> Result<(), Fault> {
        let Some(met) = history::met(row, known, now) else { return Ok(()) };
        let key = Key::service(&row.environment, &row.service);
        let fields = Value::Object(facts(known, &met, row.fence));
        self.set(&key, fields, Some((NO_LATER_LEASE, json!({})))).await?;
        Ok(())
    }

    async fn verified(&self, row: &MoveRow, known: &ServiceRow, proven: &Proven) -> Result<(), Fault> {
        let Proven { fact, hold, evidence, ends_quarantine } = proven;
        let Some(release) = &fact.release else { return Ok(()) };
        let took = row.touched.map(|touched| fact.since.seconds_since(touched).max(1));
        let mut fields = facts(known, fact, row.fence);
        fields.insert("seconds".to_owned(), json!(took));
        // A hold ends when its image is verified again.
        let ended = known.hold(&fact.repository).is_some_and(|hold| hold.digest == fact.digest);
        if hold.is_some() || ended {
            fields.insert(hold_key(&fact.repository), json!(hold));
            fields.insert("hold".to_owned(), json!(hold));
        }
        let mut shown = Map::new();
        if *evidence {
            let (release, commit) = (release.clone(), fact.commit.clone());
            let evidence = Evidence { release, since: fact.since, commit };
            shown.insert("verified".to_owned(), json!(evidence));
        }
        if *ends_quarantine {
            shown.insert("quarantine".to_owned(), Value::Null);
        }
        let service = Key::service(&row.environment, &row.service);
        let mut writes = vec![Write::set(service, Value::Object(fields)).when((NO_LATER_LEASE, json!({})))];
        if !shown.is_empty() {
            let evidence = Key::evidence(&row.repository, &row.digest, &row.environment);
            writes.push(Write::set(evidence, Value::Object(shown)));
        }
        if self.transact(writes).await?.is_some() {
            tracing::warn!(
                "{} was written under a later lease: what {release} has shown is not kept",
                row.service
            );
        }
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
        let key = Key::frozen(environment);
        if !row.automatic {
            return self.put(&key, row).await;
        }
        let no_person_has = "attribute_not_exists(pk) OR #frozen = :thawed OR #automatic = :automatic";
        self.set(&key, json!(row), Some((no_person_has, json!({"thawed": false})))).await?;
        Ok(())
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

    async fn holders(&self, environment: &EnvironmentName) -> Result<BTreeSet<ReleaseId>, Fault> {
        let leases: BTreeMap<ServiceName, LeaseRow> = self.of_services(environment, "lease#", None).await?;
        Ok(leases.into_values().filter_map(|lease| lease.release).collect())
    }

    async fn take(
        &self,
        environment: &EnvironmentName,
        leases: &[(ServiceName, u64)],
        run: &Run,
        now: Timestamp,
    ) -> Result<Option<ServiceName>, Fault> {
        let take = |(service, fence): &(ServiceName, u64)| {
            let lease =
                json!({"holder": run.execution, "release": run.release, "fence": fence, "since": now});
            // The number rises with every taking, so nobody else took it in between if it is still what we saw.
            let unchanged = ("attribute_not_exists(pk) OR #fence = :seen", json!({"seen": fence - 1}));
            Write::set(Key::lease(environment, service), lease).when(unchanged)
        };
        let refused = self.transact(leases.iter().map(take).collect()).await?;
        Ok(refused.and_then(|place| leases.get(place)).map(|(service, _)| service.clone()))
    }

    async fn free(
        &self,
        environment: &EnvironmentName,
        service: &ServiceName,
        release: &ReleaseId,
        fence: u64,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let free = json!({"holder": null, "release": null, "since": now});
        self.set(&Key::lease(environment, service), free, Some(held(release, fence))).await?;
        Ok(())
    }
}

/// Holds of a lease that a release has under a number.
fn held(release: &ReleaseId, fence: u64) -> Condition<'static> {
    ("#release = :ours AND #fence = :ourFence", json!({"ours": release, "ourFence": fence}))
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

    async fn write(&self, release: &ReleaseId, moves: &[Numbered]) -> Result<(), Fault> {
        let Some((.., first)) = moves.first() else { return Ok(()) };
        let names: Vec<ServiceName> = moves.iter().map(|(.., row)| row.service.clone()).collect();
        let known = self.services(&first.environment, Some(&names)).await?;
        let mut writes = Vec::new();
        for (wave, n, row) in moves {
            let lease = Key::lease(&row.environment, &row.service);
            writes.push(Write::check(lease, held(release, row.fence)));
            // Nothing of a move that is under way is ever wiped.
            let idle = ("attribute_not_exists(#started) OR #started = :none", json!({"none": null}));
            writes.push(Write::put(Key::a_move(release, *wave, *n), row)?.when(idle));
            let last = known.get(&row.service).and_then(|known| known.last.as_ref());
            if last != Some(release) {
                let service = Key::service(&row.environment, &row.service);
                writes.push(Write::set(service, json!({"last": release, "lastBefore": last})));
            }
        }
        match self.transact(writes).await? {
            None => Ok(()),
            Some(_) => Err(Fault::LeaseLost(format!(
                "another call of {release} has taken the leases of its services again"
            ))),
        }
    }

    async fn disown(&self, release: &ReleaseId, row: &MoveRow, fence: Option<u64>) -> Result<(), Fault> {
        let (environment, service) = (&row.environment, &row.service);
        let key = Key::service(environment, service);
        let known: Option<ServiceRow> = self.get(&key).await?;
        let Some(known) = known.filter(|known| known.last.as_ref() == Some(release)) else { return Ok(()) };
        let lease = Key::lease(environment, service);
        let mut writes: Vec<Write> =
            fence.map(|fence| Write::check(lease, held(release, fence))).into_iter().collect();
        let ours = ("#last = :ours", json!({"ours": release}));
        writes.push(Write::set(key, json!({"last": known.last_before})).when(ours));
        self.transact(writes).await?;
        Ok(())
    }

    async fn forget(&self, key: &MoveKey, service: &ServiceName, fence: u64) -> Result<(), Fault> {
        let MoveRef::Ordinal(n) = key.which else { return Ok(()) };
        let condition = "#service = :service AND #fence <= :fence";
        let old = (condition, json!({"service": service, "fence": fence}));
        self.delete(&Key::a_move(&key.release, key.wave, n), Some(old)).await
    }

    async fn moves(&self, release: &ReleaseId) -> Result<Vec<(MoveKey, MoveRow)>, Fault> {
        Ledger::moves(self, release).await
    }

    async fn decide(
        &self,
        key: &MoveKey,
        row: &MoveRow,
        said: &AlarmVerdict,
        decided: Timestamp,
    ) -> Result<(), Fault> {
        let AlarmVerdict { verdict, reason, alarm } = said.clone();
        let event = MoveEvent::Decided { verdict, reason, decided, alarm: Some(alarm), bundle: None };
        self.note(key, row, event).await
    }

    async fn supersede(
        &self,
        key: &MoveKey,
        row: &MoveRow,
        reason: &str,
        decided: Timestamp,
    ) -> Result<(), Fault> {
        self.note(key, row, MoveEvent::superseded(reason.to_owned(), decided)).await
    }

    async fn stop(&self, release: &ReleaseId, stop: &Stop) -> Result<bool, Fault> {
        let open = "attribute_exists(pk) AND (attribute_not_exists(outcome) OR outcome = :none) \
                    AND (attribute_not_exists(#stop) OR #stop = :none)";
        self.set(&Key::head(release), json!({"stop": stop}), Some((open, json!({"none": null})))).await
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
        let fields = json!({"outcome": outcome, "fates": fates});
        if outcome != Outcome::Deployed {
            return self.set_head(release, fields).await;
        }
        let not_stopped = ("attribute_not_exists(stop) OR stop = :none", json!({"none": null}));
        match self.set(&Key::head(release), fields, Some(not_stopped)).await? {
            true => Ok(()),
            false => {
                Err(Fault::Unavailable(format!("{release} was stopped while it closed: it is read again")))
            }
        }
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

    async fn record_answer(&self, release: &ReleaseId, answer: &Answer) -> Result<(), Fault> {
        self.set_head(release, json!({"answer": answer})).await
    }

    async fn answered(
        &self,
        environment: &EnvironmentName,
        release: &ReleaseId,
        row: Option<&WaitingRow>,
    ) -> Result<(), Fault> {
        let same = row.map(|row| ("#token = :token", json!({"token": row.token})));
        self.delete(&Key::waiting(environment, release), same).await
    }
}

/// Holds as long as no later holder of the lease has written the history of a service.
const NO_LATER_LEASE: &str = "attribute_not_exists(#fence) OR #fence <= :fence";

/// Returns the fields of a history with one more fact, those of older versions among them.
fn facts(known: &ServiceRow, fact: &VerifiedImage, fence: u64) -> Map<String, Value> {
    let history = known.with(fact);
    let next = ServiceRow { history, ..ServiceRow::default() };
    let (verified, previous) = (next.verified(&fact.repository), next.before(&fact.repository));
    Map::from_iter([
        ("verified".to_owned(), json!(verified)),
        ("previous".to_owned(), json!(previous)),
        ("history".to_owned(), json!(next.history)),
        ("fence".to_owned(), json!(fence)),
    ])
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
