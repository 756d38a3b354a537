//! A ledger in memory, which remembers every write by a word.

mod approvals;
mod guards;
mod sweeps;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ids::{EnvironmentName, PackHash, ReleaseId, Repository, ServiceName};
use pipeline::payload::MoveKey;
use pipeline::rows::{
    Evidence, EvidenceRow, FoundRow, FrozenRow, GuardRollbackRow, GuardRow, HeadRow, LeaseRow, ListedRun,
    MoveRow, OrderKey, PlanRow, Quarantine, RestorePoint, RollbackScope, ServiceRow, Stop, SweepRow, Verdict,
    VerifiedImage, WaitingRow, WriteRow,
};
use release::Run;
use release::answer::Closed;
use release::intake::push::Push;
use release::plan::waves::Numbered;
use release::ports::{
    AlarmVerdict, Claim, Ending, Events, Freezes, History, ImageKey, Leases, Proof, Releases,
};

use crate::shop::{arn, digest};

/// Returns an image that was verified once.
pub fn known(letter: char) -> VerifiedImage {
    VerifiedImage {
        repository: Repository::parse("shop/users").unwrap(),
        digest: digest(letter),
        commit: None,
        task_definition: arn("users"),
        since: Timestamp::from_millis(0),
        release: Some(ReleaseId::parse("r0").unwrap()),
        how: None,
        pack: None,
    }
}

/// Returns a move of a release that died, with `c` as its restore point.
pub fn dead_move() -> (MoveKey, MoveRow) {
    let sample: serde_json::Value =
        serde_json::from_str(include_str!("../../../../events/rollback/good.json")).unwrap();
    let mut row: MoveRow = serde_json::from_value(sample.get("move").unwrap().clone()).unwrap();
    row.restore = row.restore.map(|restore| RestorePoint { digest: digest('c'), ..restore });
    (MoveKey::new(ReleaseId::parse("dead").unwrap(), 0, 0), row)
}

/// The ledger.
#[derive(Default)]
pub struct Notebook {
    pub written: RefCell<Vec<String>>,
    pub head: RefCell<Option<HeadRow>>,
    /// The release that it is the head of; `r1` if nothing else is said.
    pub head_of: RefCell<Option<ReleaseId>>,
    pub moves: RefCell<Vec<(MoveKey, MoveRow)>>,
    /// Who holds what.
    pub leases: RefCell<BTreeMap<ServiceName, LeaseRow>>,
    /// What is known of services, by environment; the rest is unknown.
    pub services: RefCell<BTreeMap<(String, String), ServiceRow>>,
    /// The releases that wait, and what they asked.
    pub waiting: RefCell<Vec<(ReleaseId, WaitingRow)>>,
    pub proposed: RefCell<Vec<PlanRow>>,
    pub frozen: RefCell<Option<FrozenRow>>,
    /// The releases that alarms guard, by alarm.
    pub guards: RefCell<BTreeMap<String, Vec<(ReleaseId, GuardRow)>>>,
    /// The run by which the guard rolls a release back.
    pub guard_rollback: RefCell<Option<GuardRollbackRow>>,
    /// The list of runs.
    pub listed: RefCell<Vec<ListedRun>>,
    /// How far the last sweep is, and what was found.
    pub progress: RefCell<BTreeMap<String, SweepRow>>,
    pub found: RefCell<BTreeMap<String, FoundRow>>,
    /// Somebody stops a release while it is closed.
    pub stopped_meanwhile: RefCell<Option<Stop>>,
}

impl Notebook {
    pub fn know(&self, environment: &str, service: &str, row: ServiceRow) {
        self.services.borrow_mut().insert((environment.to_owned(), service.to_owned()), row);
    }

    fn service(
        &self,
        environment: &EnvironmentName,
        service: &ServiceName,
        change: impl FnOnce(&mut ServiceRow),
    ) {
        let key = (environment.to_string(), service.to_string());
        change(self.services.borrow_mut().entry(key).or_default());
    }

    fn write(&self, what: impl Into<String>) -> Result<(), Fault> {
        self.written.borrow_mut().push(what.into());
        Ok(())
    }
}

impl Events for Notebook {
    async fn writes(&self, _: &EnvironmentName, _: &Repository) -> Result<Vec<WriteRow>, Fault> {
        let time = Timestamp::parse("2026-11-23T09:30:00Z")?;
        Ok(vec![WriteRow { digest: digest('b'), time, expires: 0 }])
    }
    async fn claim(&self, _: &EnvironmentName, push: &Push, _: &str, _: Timestamp) -> Result<Claim, Fault> {
        let first = "arn:aws:states:eu-west-1:123456789012:execution:tidegate:first".to_owned();
        match push.event.as_str() {
            "delivered-before" => Ok(Claim::Delivered(first)),
            "found-before" => Ok(Claim::Found(first)),
            _ => self.write("claim").map(|()| Claim::Ours),
        }
    }
}

impl History for Notebook {
    async fn services(
        &self,
        environment: &EnvironmentName,
        named: Option<&[ServiceName]>,
    ) -> Result<BTreeMap<ServiceName, ServiceRow>, Fault> {
        let known = self.services.borrow();
        let ours = known.iter().filter(|((place, _), _)| place == environment.as_str());
        let rows = ours.map(|((_, name), row)| (ServiceName::parse(name).unwrap(), row.clone()));
        Ok(rows.filter(|(name, _)| named.is_none_or(|named| named.contains(name))).collect())
    }
    async fn evidence(
        &self,
        environment: &EnvironmentName,
        images: &[ImageKey],
    ) -> Result<BTreeMap<ImageKey, EvidenceRow>, Fault> {
        let (release, since) = (ReleaseId::parse("r0")?, Timestamp::parse("2026-11-23T09:00:00Z")?);
        let verified = Evidence { release: release.clone(), since, commit: None };
        let reason = "GET /version answered 500, expected 200".to_owned();
        let bad = Quarantine { release, since, reason };
        let of = |image: &ImageKey| EvidenceRow {
            verified: (environment.as_str() == "dev" && image.1 != digest('c')).then(|| verified.clone()),
            quarantine: (image.1 == digest('d')).then(|| bad.clone()),
        };
        Ok(images.iter().map(|image| (image.clone(), of(image))).collect())
    }
    async fn order(
        &self,
        _: &EnvironmentName,
        places: &[(&ServiceName, &Repository)],
        _: &OrderKey,
    ) -> Result<(), Fault> {
        places.iter().try_for_each(|_| self.write("order"))
    }
    async fn adopt(&self, row: &MoveRow, _: &ServiceRow, _: Timestamp) -> Result<(), Fault> {
        Notebook::write(self, format!("adopt {}", row.service))
    }
    async fn verified(&self, proofs: &[Proof<'_>]) -> Result<(), Fault> {
        proofs.iter().try_for_each(|Proof { row, proven, .. }| {
            let hold = if proven.hold.is_some() { ", hold" } else { "" };
            Notebook::write(self, format!("verified {} {}{hold}", row.service, proven.fact.digest.short()))
        })
    }
    async fn quarantine(&self, row: &MoveRow, _: &Quarantine) -> Result<(), Fault> {
        Notebook::write(self, format!("quarantine {}", row.digest.short()))
    }
    async fn revoke(&self, _: &EnvironmentName, (_, digest): &ImageKey) -> Result<(), Fault> {
        Notebook::write(self, format!("revoke {}", digest.short()))
    }
}

impl Freezes for Notebook {
    async fn frozen(&self, _: &EnvironmentName) -> Result<Option<FrozenRow>, Fault> {
        Ok(self.frozen.borrow().clone())
    }
    async fn freeze(&self, environment: &EnvironmentName, row: &FrozenRow) -> Result<(), Fault> {
        let by_a_person = self.frozen.borrow().as_ref().is_some_and(|seen| !seen.automatic);
        if !(row.automatic && by_a_person) {
            *self.frozen.borrow_mut() = Some(row.clone()).filter(|row| row.frozen);
        }
        Notebook::write(self, format!("{} {environment}", if row.frozen { "freeze" } else { "resume" }))
    }
}

impl Leases for Notebook {
    async fn leases(
        &self,
        _: &EnvironmentName,
        _: &[ServiceName],
    ) -> Result<BTreeMap<ServiceName, LeaseRow>, Fault> {
        Ok(self.leases.borrow().clone())
    }
    async fn holders(&self, _: &EnvironmentName) -> Result<BTreeSet<ReleaseId>, Fault> {
        Ok(self.leases.borrow().values().filter_map(|lease| lease.release.clone()).collect())
    }
    async fn take(
        &self,
        _: &EnvironmentName,
        leases: &[(ServiceName, u64)],
        run: &Run,
        now: Timestamp,
    ) -> Result<Option<ServiceName>, Fault> {
        let mut known = self.leases.borrow_mut();
        for (service, fence) in leases {
            // Somebody may have been quicker than what was seen.
            let quicker = service.as_str() == "zebra" && *fence == 1;
            if quicker || known.get(service).map_or(0, |lease| lease.fence) + 1 != *fence {
                return Ok(Some(service.clone()));
            }
        }
        for (service, fence) in leases {
            let (holder, release) = (Some(run.execution.clone()), Some(run.release.clone()));
            known.insert(service.clone(), LeaseRow { holder, release, fence: *fence, since: now });
        }
        Notebook::write(self, format!("take {}", leases.len())).map(|()| None)
    }
    async fn free(
        &self,
        _: &EnvironmentName,
        leases: &[(&ServiceName, u64)],
        release: &ReleaseId,
        since: Timestamp,
    ) -> Result<(), Fault> {
        for (service, fence) in leases {
            let mut known = self.leases.borrow_mut();
            let held = known.get_mut(*service).filter(|lease| lease.is_held_by(release, *fence));
            if let Some(lease) = held {
                *lease = LeaseRow { holder: None, release: None, fence: *fence, since };
                Notebook::write(self, "free")?;
            }
        }
        Ok(())
    }
}

impl Releases for Notebook {
    async fn open(
        &self,
        release: &ReleaseId,
        head: &HeadRow,
        listed: &ListedRun,
        places: &[(&ServiceName, &Repository)],
    ) -> Result<(), Fault> {
        self.order(&head.environment, places, &head.order).await?;
        self.listed.borrow_mut().push(listed.clone());
        self.head_of.borrow_mut().get_or_insert_with(|| release.clone());
        self.head.borrow_mut().get_or_insert_with(|| head.clone());
        self.write("open")
    }
    async fn head(&self, release: &ReleaseId) -> Result<Option<HeadRow>, Fault> {
        let of = self.head_of.borrow();
        let ours = of.as_ref().map_or("r1", ReleaseId::as_str) == release.as_str();
        Ok(self.head.borrow().clone().filter(|_| ours))
    }
    async fn waits(&self, _: &ReleaseId, since: Timestamp) -> Result<(), Fault> {
        if let Some(head) = self.head.borrow_mut().as_mut() {
            head.waits = Some(since);
        }
        self.write("waits")
    }
    async fn keep(&self, _: &PackHash, text: &str) -> Result<(), Fault> {
        Notebook::write(self, format!("keep {text}"))
    }
    async fn write(
        &self,
        release: &ReleaseId,
        moves: &[Numbered],
        _: &BTreeMap<ServiceName, ServiceRow>,
    ) -> Result<(), Fault> {
        for (wave, n, row) in moves {
            let key = MoveKey::new(release.clone(), *wave, *n);
            let leased =
                self.leases.borrow().get(&row.service).is_some_and(|l| l.is_held_by(release, row.fence));
            let begun = |(known, row): &(MoveKey, MoveRow)| *known == key && row.started.is_some();
            if !leased || self.moves.borrow().iter().any(begun) {
                return Err(Fault::LeaseLost("another call has taken the leases again".to_owned()));
            }
            self.moves.borrow_mut().retain(|(known, _)| *known != key);
            self.moves.borrow_mut().push((key, row.clone()));
            self.service(&row.environment, &row.service, |known| {
                if known.last.as_ref() != Some(release) {
                    known.last_before = known.last.replace(release.clone());
                }
            });
            Notebook::write(self, "move")?;
        }
        Ok(())
    }
    async fn disown(&self, release: &ReleaseId, row: &MoveRow, fence: Option<u64>) -> Result<(), Fault> {
        let leased = |fence| {
            self.leases.borrow().get(&row.service).is_some_and(|lease| lease.is_held_by(release, fence))
        };
        if fence.is_none_or(leased) {
            self.service(&row.environment, &row.service, |known| {
                if known.last.as_ref() == Some(release) {
                    known.last = known.last_before.clone();
                }
            });
        }
        Ok(())
    }
    async fn forget(&self, key: &MoveKey, service: &ServiceName, fence: u64) -> Result<(), Fault> {
        let old = |row: &MoveRow| row.service == *service && row.fence <= fence;
        let before = self.moves.borrow().len();
        self.moves.borrow_mut().retain(|(known, row)| known != key || !old(row));
        match self.moves.borrow().len() < before {
            true => self.write("forget"),
            false => Ok(()),
        }
    }
    async fn head_and_moves(
        &self,
        release: &ReleaseId,
    ) -> Result<(Option<HeadRow>, Vec<(MoveKey, MoveRow)>), Fault> {
        Ok((self.head(release).await?, self.moves(release).await?))
    }
    async fn moves(&self, _: &ReleaseId) -> Result<Vec<(MoveKey, MoveRow)>, Fault> {
        Ok(self.moves.borrow().clone())
    }
    async fn decide(
        &self,
        key: &MoveKey,
        _: &MoveRow,
        said: &AlarmVerdict,
        _: Timestamp,
    ) -> Result<(), Fault> {
        let mut moves = self.moves.borrow_mut();
        for (_, row) in moves.iter_mut().filter(|(known, _)| known == key) {
            (row.verdict, row.alarm) = (Some(said.verdict), Some(said.alarm.clone()));
        }
        drop(moves);
        Notebook::write(self, format!("{:?}: {}", said.verdict, said.reason))
    }
    async fn give_up(
        &self,
        key: &MoveKey,
        row: &MoveRow,
        verdict: Verdict,
        reason: &str,
        _: Timestamp,
    ) -> Result<(), Fault> {
        let mut moves = self.moves.borrow_mut();
        for (_, row) in moves.iter_mut().filter(|(known, _)| known == key) {
            (row.verdict, row.reason) = (Some(verdict), Some(reason.to_owned()));
        }
        drop(moves);
        Notebook::write(self, format!("{verdict:?} {}: {reason}", row.service))
    }
    async fn stop(&self, _: &ReleaseId, stop: &Stop) -> Result<bool, Fault> {
        let mut head = self.head.borrow_mut();
        let Some(head) = head.as_mut().filter(|head| head.outcome.is_none() && head.stop.is_none()) else {
            return Ok(false);
        };
        head.stop = Some(stop.clone());
        Notebook::write(self, "stop").map(|()| true)
    }
    async fn roll_back(&self, _: &ReleaseId, rollback: RollbackScope) -> Result<(), Fault> {
        if let Some(head) = self.head.borrow_mut().as_mut() {
            head.rollback = Some(rollback);
        }
        Notebook::write(self, "undo")
    }
    async fn shift_through(&self, _: &ReleaseId, wave: u32) -> Result<(), Fault> {
        if let Some(head) = self.head.borrow_mut().as_mut() {
            head.shift_through = Some(wave);
        }
        Notebook::write(self, "shift")
    }
    async fn end(&self, end: &Ending<'_>, proofs: &[Proof<'_>]) -> Result<bool, Fault> {
        if let Some(stop) = self.stopped_meanwhile.take() {
            self.stop(end.release, &stop).await?;
            return Ok(false);
        }
        self.verified(proofs).await?;
        self.close(end.release, end.head, end.closed, end.now).await?;
        self.free(&end.head.environment, end.leases, end.release, end.now).await?;
        Ok(true)
    }
    async fn close(&self, _: &ReleaseId, _: &HeadRow, closed: &Closed, now: Timestamp) -> Result<(), Fault> {
        let outcome = closed.outcome;
        if let Some(head) = self.head.borrow_mut().as_mut() {
            head.outcome = Some(outcome);
        }
        if let Some(listed) = self.listed.borrow_mut().last_mut() {
            (listed.outcome, listed.ended) = (Some(format!("{outcome:?}")), Some(now));
        }
        Notebook::write(self, format!("close {outcome:?}"))
    }
}
