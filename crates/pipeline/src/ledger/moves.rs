//! The moves in the ledger: each call of a function reads one once, and records each of its steps.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::item::row_of;
use super::{Condition, Key, Ledger, Write};
use crate::Fault;
use crate::ids::{ReleaseId, ServiceName};
use crate::payload::{MoveKey, MoveRef};
use crate::rows::{LeaseRow, MoveEvent, MoveRow, RollbackScope, Stop};

/// A move, and what its release's head says of all its moves.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// Its row.
    pub row: MoveRow,
    /// What is rolled back of its release; none while that goes forward.
    pub rollback: Option<RollbackScope>,
    /// Who ended the release early.
    pub stop: Option<Stop>,
    /// How far its waves are; none if each service takes its traffic as soon as it is ready.
    pub together: Option<Together>,
    /// Whether nothing of it is rolled back when it fails.
    pub freezes: bool,
}

/// How far a release is whose services take their traffic together, wave by wave.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Together {
    /// The last wave that may take production traffic.
    pub through: Option<u32>,
    /// The service that failed first: the others are given up with it.
    pub failed: Option<ServiceName>,
}

impl Together {
    /// Tells whether a wave may take production traffic.
    pub fn may_shift(&self, wave: u32) -> bool {
        self.through.is_some_and(|through| wave <= through)
    }
}

impl Loaded {
    /// Takes a move that is given whole; nothing else is known of its release.
    pub fn given(row: &MoveRow) -> Self {
        let (rollback, stop, together) = (Some(RollbackScope::All), None, None);
        Loaded { row: row.clone(), rollback, stop, together, freezes: false }
    }

    /// Says why a move is given up whatever it would come to: its release was stopped, or a service that it is to take
    /// its traffic with has failed.
    pub fn given_up(&self) -> Option<String> {
        let stopped =
            self.stop.as_ref().map(|Stop { by, because, .. }| format!("stopped by {by}: {because}"));
        let failed = self.together.as_ref().and_then(|together| together.failed.as_ref());
        let failed = failed.filter(|failed| **failed != self.row.service);
        stopped.or(failed.map(|failed| format!("given up with {failed}, which failed")))
    }

    /// Tells whether production traffic has to wait for the other services of its wave.
    pub fn holds(&self, key: &MoveKey) -> bool {
        self.together.as_ref().is_some_and(|together| !together.may_shift(key.wave))
    }

    /// Returns the row of a move that may go forward.
    ///
    /// A call that comes again when its service is on the way back would take the rollback for somebody else's work.
    pub fn forward(self) -> Result<MoveRow, Fault> {
        match self.stop {
            Some(Stop { by, because, .. }) => Err(Fault::Stopped(format!("stopped by {by}: {because}"))),
            None if self.row.goes_back_since().is_some() => {
                Err(Fault::Stopped(format!("the rollback of {} has begun", self.row.service)))
            }
            None => Ok(self.row),
        }
    }
}

/// What the steps of a move ask of the ledger.
///
/// A move that is given whole reads and writes nothing, and holds no lease.
pub trait MoveLedger {
    /// Reads a move, and its release's head.
    async fn load(&self, key: &MoveKey) -> Result<Loaded, Fault>;
    /// Reads them for a call that is to write, if the release still holds the service.
    ///
    /// Once a call is enough: a lease passes on only when no call of its holder can still be running.
    async fn load_leased(&self, key: &MoveKey) -> Result<Loaded, Fault> {
        let loaded = self.load(key).await?;
        self.check_lease(key, &loaded.row).await?;
        Ok(loaded)
    }
    /// Makes sure that the release of a move still holds its service.
    async fn check_lease(&self, key: &MoveKey, row: &MoveRow) -> Result<(), Fault>;
    /// Notes a step of a move, unless the move was leased anew since it was read.
    async fn note(&self, key: &MoveKey, row: &MoveRow, event: MoveEvent) -> Result<(), Fault>;
    /// Notes it together with other writes, or does nothing; tells whether the conditions of those held, and whether no
    /// other call has registered a revision, if that is what it notes.
    async fn note_with(
        &self,
        key: &MoveKey,
        row: &MoveRow,
        event: MoveEvent,
        others: Vec<Write>,
    ) -> Result<bool, Fault>;
    /// Notes that a service has failed which takes its traffic together with others; the first one stays.
    async fn fail(&self, key: &MoveKey, service: &ServiceName) -> Result<(), Fault>;
}

impl<L: MoveLedger> MoveLedger for &L {
    async fn load(&self, key: &MoveKey) -> Result<Loaded, Fault> {
        (**self).load(key).await
    }
    async fn load_leased(&self, key: &MoveKey) -> Result<Loaded, Fault> {
        (**self).load_leased(key).await
    }
    async fn check_lease(&self, key: &MoveKey, row: &MoveRow) -> Result<(), Fault> {
        (**self).check_lease(key, row).await
    }
    async fn note(&self, key: &MoveKey, row: &MoveRow, event: MoveEvent) -> Result<(), Fault> {
        (**self).note(key, row, event).await
    }
    async fn note_with(
        &self,
        key: &MoveKey,
        row: &MoveRow,
        event: MoveEvent,
        others: Vec<Write>,
    ) -> Result<bool, Fault> {
        (**self).note_with(key, row, event, others).await
    }
    async fn fail(&self, key: &MoveKey, service: &ServiceName) -> Result<(), Fault> {
        (**self).fail(key, service).await
    }
}

/// What a move needs of the head; a head that is otherwise unreadable must not stop a rollback.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    #[serde(default, rename = "undo")]
    rollback: Option<RollbackScope>,
    #[serde(default)]
    stop: Option<Stop>,
    #[serde(default)]
    policy: Policy,
    #[serde(default)]
    shift_through: Option<u32>,
    #[serde(default)]
    failed: Option<ServiceName>,
}

/// What a move needs of the policy of its release.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Policy {
    // In the words that were written: one of a later version is no reason to stop a rollback.
    #[serde(default)]
    shift: String,
    #[serde(default)]
    on_failure: String,
}

impl MoveLedger for Ledger {
    async fn load(&self, key: &MoveKey) -> Result<Loaded, Fault> {
        let n = match &key.which {
            MoveRef::Inline(row) => return Ok(Loaded::given(row)),
            MoveRef::Ordinal(n) => *n,
        };
        let (own, head) = (Key::a_move(&key.release, key.wave, n), Key::head(&key.release));
        let mut items = self.items(&[own.clone(), head.clone()]).await?;
        let Some(item) = items.remove(&own) else {
            return Err(Fault::NotFound(format!("move {n} of wave {} of {}", key.wave, key.release)));
        };
        let row = row_of(&own, item)?;
        let found: Option<Head> = items.remove(&head).map(|item| row_of(&head, item)).transpose()?;
        let Head { rollback, stop, policy, shift_through: through, failed } = found.unwrap_or_default();
        let together = (policy.shift == "together").then_some(Together { through, failed });
        Ok(Loaded { row, rollback, stop, together, freezes: policy.on_failure == "freeze" })
    }

    async fn check_lease(&self, key: &MoveKey, row: &MoveRow) -> Result<(), Fault> {
        match key.which {
            MoveRef::Inline(_) => Ok(()),
            MoveRef::Ordinal(_) => self.check_leases(&key.release, [row]).await,
        }
    }

    async fn note(&self, key: &MoveKey, row: &MoveRow, event: MoveEvent) -> Result<(), Fault> {
        let MoveRef::Ordinal(n) = key.which else { return Ok(()) };
        let (fields, same) = (fields_of(event)?, same_lease(row));
        match self.set(&Key::a_move(&key.release, key.wave, n), fields, Some(same)).await? {
            true => Ok(()),
            false => Err(leased_anew(row)),
        }
    }

    async fn note_with(
        &self,
        key: &MoveKey,
        row: &MoveRow,
        event: MoveEvent,
        others: Vec<Write>,
    ) -> Result<bool, Fault> {
        let MoveRef::Ordinal(n) = key.which else { return Ok(true) };
        let once = matches!(event, MoveEvent::Registered { .. });
        let note = Write::set(Key::a_move(&key.release, key.wave, n), fields_of(event)?);
        let holds = if once { first_registered(row) } else { same_lease(row) };
        let writes = [note.when(holds)].into_iter().chain(others).collect();
        match self.transact(writes).await? {
            None => Ok(true),
            Some(0) if !once => Err(leased_anew(row)),
            Some(_) => Ok(false),
        }
    }

    async fn fail(&self, key: &MoveKey, service: &ServiceName) -> Result<(), Fault> {
        let MoveRef::Ordinal(_) = key.which else { return Ok(()) };
        let first = ("attribute_exists(pk) AND attribute_not_exists(failed)", json!({}));
        self.set(&Key::head(&key.release), json!({"failed": service}), Some(first)).await?;
        Ok(())
    }
}

impl Ledger {
    /// Reads what is rolled back of a release; none while it goes forward.
    pub async fn rollback_scope(&self, release: &ReleaseId) -> Result<Option<RollbackScope>, Fault> {
        let head: Option<Head> = self.get(&Key::head(release)).await?;
        Ok(head.and_then(|head| head.rollback))
    }

    /// Makes sure that a release still holds the services of some of its moves.
    pub async fn check_leases(
        &self,
        release: &ReleaseId,
        moves: impl IntoIterator<Item = &MoveRow>,
    ) -> Result<(), Fault> {
        let moves: Vec<(Key, &MoveRow)> =
            moves.into_iter().map(|row| (Key::lease(&row.environment, &row.service), row)).collect();
        let keys: Vec<Key> = moves.iter().map(|(key, _)| key.clone()).collect();
        let leases: HashMap<Key, LeaseRow> = self.get_all(&keys).await?;
        moves.iter().try_for_each(|(key, row)| is_held(release, row, leases.get(key)))
    }
}

impl MoveKey {
    /// Holds as long as nothing of the release of a move is given up.
    pub fn goes_on(&self) -> Write {
        let none = "(attribute_not_exists(#stop) OR #stop = :none) AND attribute_not_exists(#failed)";
        Write::check(Key::head(&self.release), (none, json!({"none": null})))
    }

    /// Holds as long as the release of a move holds its service.
    pub fn held(&self, row: &MoveRow) -> Write {
        Write::check(Key::lease(&row.environment, &row.service), held(&self.release, row.fence))
    }
}

/// Holds of a lease that a release has under a number.
pub fn held(release: &ReleaseId, fence: u64) -> Condition<'static> {
    ("#release = :ours AND #fence = :ourFence", json!({"ours": release, "ourFence": fence}))
}

/// Returns the fields that an event sets.
fn fields_of(event: MoveEvent) -> Result<Value, Fault> {
    serde_json::to_value(event)
        .map_err(|error| Fault::Defect(format!("the step of a move cannot be written: {error}")))
}

/// What holds of a move's row as long as it is not leased anew.
fn same_lease(row: &MoveRow) -> Condition<'static> {
    ("#fence = :fence", json!({"fence": row.fence}))
}

/// What holds, too, as long as no revision is registered for it: of two calls at once one finds what the other has made.
fn first_registered(row: &MoveRow) -> Condition<'static> {
    let holds = "#fence = :fence AND (attribute_not_exists(#registered) OR #registered = :none)";
    (holds, json!({"fence": row.fence, "none": null}))
}

/// Says that a move was leased anew, so that what a call has read of it counts no more.
pub fn leased_anew(row: &MoveRow) -> Fault {
    Fault::LeaseLost(format!("the move of {} was leased anew since this step read it", row.service))
}

/// Refuses a move whose service another release holds, or nobody.
fn is_held(release: &ReleaseId, row: &MoveRow, lease: Option<&LeaseRow>) -> Result<(), Fault> {
    match lease {
        Some(lease) if lease.is_held_by(release, row.fence) => Ok(()),
        Some(LeaseRow { release: Some(other), .. }) if other != release => {
            Err(Fault::LeaseLost(format!("{} is held by release {other} now", row.service)))
        }
        _ => Err(Fault::LeaseLost(format!("the lease of {} is no longer held", row.service))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    fn row(fence: u64) -> MoveRow {
        let sample = include_str!("../../../../events/deploy/register.json");
        let sample: serde_json::Value = serde_json::from_str(sample).unwrap();
        let row: MoveRow = serde_json::from_value(sample["move"].clone()).unwrap();
        MoveRow { fence, ..row }
    }

    fn check(held_by: Option<&str>, fence: u64, expected: Result<(), &str>) {
        let since = Timestamp::from_millis(0);
        let release = held_by.map(|name| ReleaseId::parse(name).unwrap());
        let lease = LeaseRow { holder: held_by.map(str::to_owned), release, fence, since };
        let checked = is_held(&ReleaseId::parse("r1").unwrap(), &row(3), Some(&lease));
        let expected = expected.map_err(|why| Fault::LeaseLost(why.to_owned()));
        assert_eq!(checked, expected, "{held_by:?} {fence}");
    }

    #[test]
    fn only_the_lease_of_this_very_move_counts() {
        check(Some("r1"), 3, Ok(()));
        check(Some("r2"), 4, Err("users is held by release r2 now"));
        check(Some("r1"), 5, Err("the lease of users is no longer held"));
        check(None, 3, Err("the lease of users is no longer held"));
        let none = is_held(&ReleaseId::parse("r1").unwrap(), &row(3), None);
        assert_eq!(none.unwrap_err().name(), "LeaseLost");
    }
}
