//! Pushes that were seen, what sweeps have found, and how far they are.

use std::collections::BTreeMap;

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ids::{EnvironmentName, ReleaseId, ServiceName};
use pipeline::ledger::{Key, Ledger, Write};
use pipeline::rows::{EventRow, FoundRow, LeaseRow, PushRow, SeenBy, SweepRow};
use serde_json::{Value, json};

use super::{REMEMBERED_SECONDS, Rows};
use crate::at_once;
use crate::intake::push::Push;
use crate::plan::sweep::SAME_PUSH_SECONDS;
use crate::plan::sweep::told::Change;
use crate::ports::{Claim, PushKey, Sweeps};

/// Claims an event and its push, both or none.
pub(super) async fn claim(
    ledger: &Ledger,
    environment: &EnvironmentName,
    push: &Push,
    execution: &str,
    now: Timestamp,
) -> Result<Claim, Fault> {
    let expires = now.plus_seconds(REMEMBERED_SECONDS).millis() / 1000;
    let (event, seen) = (Key::event(&push.event), key_of(environment, push));
    let claim = EventRow { execution: execution.to_owned(), expires };
    let claim = Write::put(event.clone(), &claim)?.when(("attribute_not_exists(pk)", json!({})));
    let (pushed, seen_by) = (push.time.millis(), push.seen_by());
    let row = PushRow { pushed, seen_by, execution: execution.to_owned(), expires };
    let writes = vec![claim, unseen(Write::put(seen.clone(), &row)?, &row)];
    let ours = |first: &String| first == execution;
    let first = match ledger.transact(writes).await? {
        None => return Ok(Claim::Ours),
        Some(0) => ledger.get::<EventRow>(&event).await?.map(|row| row.execution).map(Claim::Delivered),
        Some(_) => ledger.get::<PushRow>(&seen).await?.map(|row| row.execution).map(Claim::Found),
    };
    Ok(match first {
        Some(Claim::Delivered(first) | Claim::Found(first)) if ours(&first) => Claim::Ours,
        first => first.unwrap_or(Claim::Ours),
    })
}

/// Lets a push be written unless it was seen the other way: by a sweep before its event, or by its event before a sweep.
///
/// Two events are told apart by their ids alone: a tag that goes forth and back within a minute means three pushes.
fn unseen(write: Write, row: &PushRow) -> Write {
    let within = SAME_PUSH_SECONDS * 1000;
    let (from, to) = (row.pushed - within, row.pushed + within);
    match row.seen_by {
        SeenBy::Event => write.when((
            "attribute_not_exists(pk) OR #seenBy = :event OR #pushed < :from OR #pushed > :to",
            json!({"event": row.seen_by, "from": from, "to": to}),
        )),
        // What was seen later is a tag that an older image got, and was seen all the same.
        SeenBy::Sweep => write.when(("attribute_not_exists(pk) OR #pushed < :from", json!({"from": from}))),
    }
}

fn key_of(environment: &EnvironmentName, push: &Push) -> Key {
    Key::push(environment, &push.repository, &push.tag, &push.digest)
}

impl Sweeps for Ledger {
    async fn progress(&self, environment: &EnvironmentName) -> Result<Option<SweepRow>, Fault> {
        // A row that a later version has changed beyond reading is as good as none.
        let row: Option<Value> = self.get(&Key::sweep(environment)).await?;
        Ok(row.and_then(|row| serde_json::from_value(row).ok()))
    }

    async fn note_progress(&self, environment: &EnvironmentName, row: &SweepRow) -> Result<(), Fault> {
        self.put(&Key::sweep(environment), row).await
    }

    async fn found(&self, environment: &EnvironmentName) -> Result<Vec<(String, FoundRow)>, Fault> {
        let rows: Vec<(String, Value)> = self.list(&format!("env#{environment}"), "found#").await?;
        let read = rows.into_iter().map(|(sk, row)| (sk, serde_json::from_value(row).ok()));
        Ok(read.filter_map(|(sk, row)| Some((sk, row?))).collect())
    }

    async fn note_found(&self, environment: &EnvironmentName, changes: &[Change]) -> Result<(), Fault> {
        at_once(changes, async |change| match change {
            Change::Write { what, row } => {
                let seen = json!({"seen": row.version.saturating_sub(1)});
                let unchanged = "attribute_not_exists(pk) OR #version = :seen";
                self.put_when(&Key::found(environment, row.kind, what), row, (unchanged, seen))
                    .await
                    .map(drop)
            }
            Change::Delete { what, row } => {
                let unchanged = ("#version = :seen", json!({"seen": row.version}));
                self.delete(&Key::found(environment, row.kind, what), Some(unchanged)).await
            }
        })
        .await?;
        Ok(())
    }

    async fn seen(
        &self,
        environment: &EnvironmentName,
        pushes: &[Push],
    ) -> Result<BTreeMap<PushKey, PushRow>, Fault> {
        let keys: Vec<Key> = pushes.iter().map(|push| key_of(environment, push)).collect();
        let mut rows = self.get_all(&keys).await?;
        let name = |push: &Push| (push.repository.clone(), push.tag.clone(), push.digest.clone());
        let found = pushes.iter().zip(&keys).filter_map(|(push, key)| Some((name(push), rows.remove(key)?)));
        Ok(found.collect())
    }

    async fn is_end_told(&self, release: &ReleaseId) -> Result<bool, Fault> {
        let rows: Vec<(String, Value)> = self.list(&Key::of_release(release), "alert#").await?;
        let asks = |row: &Value| row.get("outcome").is_some_and(|outcome| outcome == "WaitingForApproval");
        Ok(rows.iter().any(|(_, row)| !asks(row)))
    }

    async fn held(&self, environment: &EnvironmentName) -> Result<BTreeMap<ServiceName, LeaseRow>, Fault> {
        let leases: BTreeMap<ServiceName, LeaseRow> = self.of_services(environment, "lease#", None).await?;
        Ok(leases.into_iter().filter(|(_, lease)| lease.release.is_some()).collect())
    }
}
