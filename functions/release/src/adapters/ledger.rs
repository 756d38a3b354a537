//! The adapter to the ledger's table.

mod approvals;
mod guards;
mod history;
mod sweeps;

use std::collections::{BTreeMap, BTreeSet};

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ids::{EnvironmentName, PackHash, ReleaseId, Repository, ServiceName};
use pipeline::ledger::{Key, Ledger, MoveLedger, Write, held};
use pipeline::payload::{MoveKey, MoveRef};
use pipeline::rows::{
    FrozenRow, HeadRow, LeaseRow, ListedRun, MoveEvent, MoveRow, Outcome, RollbackScope, ServiceRow, Stop,
    Verdict, WriteRow,
};
use pipeline::text::{LONGEST_SENTENCE, line};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::answer::Closed;
use crate::intake::push::Push;
use crate::payload::Run;
use crate::plan::waves::Numbered;
use crate::ports::{AlarmVerdict, Claim, Ending, Events, Freezes, Leases, Proof, Releases, Runs};

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

    async fn claim(
        &self,
        environment: &EnvironmentName,
        push: &Push,
        execution: &str,
        now: Timestamp,
    ) -> Result<Claim, Fault> {
        sweeps::claim(self, environment, push, execution, now).await
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
        leases: &[(&ServiceName, u64)],
        release: &ReleaseId,
        now: Timestamp,
    ) -> Result<(), Fault> {
        self.write_each(leases.iter().map(|lease| free(environment, lease, release, now)).collect()).await
    }
}

/// Frees a lease that a release has under a number.
fn free(
    environment: &EnvironmentName,
    (service, fence): &(&ServiceName, u64),
    release: &ReleaseId,
    now: Timestamp,
) -> Write {
    let nobody = json!({"holder": null, "release": null, "since": now});
    Write::set(Key::lease(environment, service), nobody).when(held(release, *fence))
}

/// Ends a release, in the list of runs, too.
fn end(release: &ReleaseId, head: &HeadRow, closed: &Closed, now: Timestamp) -> [Write; 2] {
    let Closed { outcome, because, fates, .. } = closed;
    let key = Key::listed(&head.environment, head.opened, release);
    // A head that an older version wrote has no row there yet.
    let (because, expires) = (line(because, LONGEST_SENTENCE), key.expires());
    let listed = json!({"outcome": outcome, "because": because, "ended": now, "expires": expires});
    [Write::set(Key::head(release), json!({"outcome": outcome, "fates": fates})), Write::set(key, listed)]
}

impl Releases for Ledger {
    async fn open(
        &self,
        release: &ReleaseId,
        head: &HeadRow,
        listed: &ListedRun,
        places: &[(&ServiceName, &Repository)],
    ) -> Result<(), Fault> {
        let once = ("attribute_not_exists(pk)", json!({}));
        let head_row = Write::put(Key::head(release), head)?.when(once);
        let listed = Write::put(Key::listed(&head.environment, head.opened, release), listed)?;
        let (places, rows) =
            (history::places(&head.environment, places, &head.order), vec![head_row, listed]);
        if !self.write_at_once(&[places.clone(), rows.clone()].concat()).await? {
            self.write_each(places).await?;
            self.transact(rows).await?;
        }
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

    async fn write(
        &self,
        release: &ReleaseId,
        moves: &[Numbered],
        known: &BTreeMap<ServiceName, ServiceRow>,
    ) -> Result<(), Fault> {
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

    async fn head_and_moves(
        &self,
        release: &ReleaseId,
    ) -> Result<(Option<HeadRow>, Vec<(MoveKey, MoveRow)>), Fault> {
        Ledger::head_and_moves(self, release).await
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
        let event = MoveEvent::Decided {
            verdict,
            reason,
            decided,
            alarm: Some(alarm),
            bundle: None,
            blameless: None,
        };
        self.note(key, row, event).await
    }

    async fn give_up(
        &self,
        key: &MoveKey,
        row: &MoveRow,
        verdict: Verdict,
        reason: &str,
        decided: Timestamp,
    ) -> Result<(), Fault> {
        let reason = reason.to_owned();
        let (alarm, bundle, blameless) = (None, None, None);
        let event = MoveEvent::Decided { verdict, reason, decided, alarm, bundle, blameless };
        self.note(key, row, event).await
    }

    async fn stop(&self, release: &ReleaseId, stop: &Stop) -> Result<bool, Fault> {
        let open = "attribute_exists(pk) AND (attribute_not_exists(outcome) OR outcome = :none) \
                    AND (attribute_not_exists(#stop) OR #stop = :none)";
        self.set(&Key::head(release), json!({"stop": stop}), Some((open, json!({"none": null})))).await
    }

    async fn roll_back(&self, release: &ReleaseId, rollback: RollbackScope) -> Result<(), Fault> {
        let open = ("attribute_not_exists(outcome) OR outcome = :none", json!({"none": null}));
        match self.set(&Key::head(release), json!({"undo": rollback}), Some(open)).await? {
            true => Ok(()),
            false => {
                Err(Fault::Unavailable(format!("{release} was closed by another call: it is read again")))
            }
        }
    }

    async fn shift_through(&self, release: &ReleaseId, wave: u32) -> Result<(), Fault> {
        self.set_head(release, json!({"shiftThrough": wave})).await
    }

    async fn end(&self, ending: &Ending<'_>, proofs: &[Proof<'_>]) -> Result<bool, Fault> {
        let Ending { release, head, closed, leases, now } = *ending;
        if proofs.iter().any(history::is_carried) {
            return Ok(false);
        }
        let [end, listed] = end(release, head, closed, now);
        let goes_on = "(attribute_not_exists(stop) OR stop = :none) AND (attribute_not_exists(#undo) OR #undo = :none) AND \
                       (attribute_not_exists(outcome) OR outcome = :none)";
        let mut writes = vec![end.when((goes_on, json!({"none": null}))), listed];
        for Proof { key, row, .. } in proofs {
            let MoveRef::Ordinal(n) = key.which else { return Ok(false) };
            let healthy = json!({"fence": row.fence, "healthy": Verdict::Healthy});
            let is_healthy = ("#fence = :fence AND #verdict = :healthy", healthy);
            writes.push(Write::check(Key::a_move(release, key.wave, n), is_healthy));
        }
        writes.extend(proofs.iter().flat_map(history::verified));
        writes.extend(history::shown(proofs));
        writes.extend(leases.iter().map(|lease| free(&head.environment, lease, release, now)));
        self.write_at_once(&writes).await
    }

    async fn close(
        &self,
        release: &ReleaseId,
        head: &HeadRow,
        closed: &Closed,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let [mut end, listed] = end(release, head, closed, now);
        if closed.outcome == Outcome::Deployed {
            let not_stopped = "attribute_not_exists(stop) OR stop = :none";
            end = end.when((not_stopped, json!({"none": null})));
        }
        match self.transact(vec![end, listed]).await? {
            None => Ok(()),
            Some(_) => {
                Err(Fault::Unavailable(format!("{release} was stopped while it closed: it is read again")))
            }
        }
    }
}

impl Runs for Ledger {
    async fn list_run(
        &self,
        environment: &EnvironmentName,
        started: Timestamp,
        run: &ReleaseId,
        row: &ListedRun,
    ) -> Result<(), Fault> {
        // What a call that comes again says of a run that stands there is no news.
        self.put_new(&Key::listed(environment, started, run), row).await.map(drop)
    }

    async fn listed_runs(
        &self,
        environment: &EnvironmentName,
        from: Timestamp,
    ) -> Result<Vec<ListedRun>, Fault> {
        let rows = self.runs_since(environment, from).await?;
        Ok(rows.into_iter().map(|(_, row)| row).collect())
    }
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
