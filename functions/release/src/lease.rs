//! Takes the leases of a release, plans again under them, and writes the moves down with their way back.

use std::collections::BTreeMap;

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::environment::Approval;
use pipeline::ids::{ReleaseId, Repository, ServiceName};
use pipeline::payload::MoveKey;
use pipeline::rows::{HeadRow, LeaseRow, MoveRow, PlanRow};

use crate::answer::{Leased, Leasing};
use crate::book::Book;
use crate::plan::{self, To, Wanted};
use crate::survey::{Target, Way};
use crate::world::World;
use crate::{Release, Run, at_once};

/// How long an ended execution's last function may still write: the longest time-out in the template, and a margin.
const LAST_WRITE_SECONDS: i64 = 70;

/// The numbers of the leases that are held, by service.
type Fences = BTreeMap<ServiceName, u64>;

/// A service that somebody else holds, and who.
type Holder = (ServiceName, String);

impl<W: World, B: Book> Release<W, B> {
    /// Takes the leases, or says who holds one.
    pub(crate) async fn lease(&self, run: Run, now: Timestamp) -> Result<Leased, Fault> {
        let head = self.book.head(&run.release).await?;
        let head = head.ok_or_else(|| Fault::NotFound(format!("the head of release {}", run.release)))?;
        let mut services = head.services.clone();
        services.sort();
        let seen = self.book.leases(&head.environment, &services).await?;
        if let Some(holder) = self.holder(&services, &seen, &run, now).await? {
            return self.wait(&head, holder, &run, now).await;
        }
        let mut fences = Fences::new();
        for service in &services {
            match self.book.take(&head.environment, service, &run, seen.get(service), now).await? {
                Some(fence) => drop(fences.insert(service.clone(), fence)),
                None => {
                    self.free(&head, &run, &fences, now).await?;
                    let other = "a release that was quicker".to_owned();
                    return self.wait(&head, (service.clone(), other), &run, now).await;
                }
            }
        }
        let leased = self.plan_again(&head, &run, &fences, now).await?;
        if leased.next != Leasing::Wave {
            self.forget_all_but(&run.release, &[]).await?;
            self.free(&head, &run, &fences, now).await?;
        }
        Ok(leased)
    }

    /// Returns the first service that is held by a release which may still write.
    async fn holder(
        &self,
        services: &[ServiceName],
        seen: &BTreeMap<ServiceName, LeaseRow>,
        run: &Run,
        now: Timestamp,
    ) -> Result<Option<Holder>, Fault> {
        let mut ended: BTreeMap<&ReleaseId, bool> = BTreeMap::new();
        for service in services {
            let Some(LeaseRow { holder: Some(holder), release: Some(release), .. }) = seen.get(service)
            else {
                continue;
            };
            if *release != run.release && !ended.contains_key(release) {
                ended.insert(release, may_take_over(self.world.ended(holder).await?, now));
            }
            if ended.get(release) == Some(&false) {
                return Ok(Some((service.clone(), format!("release {release}"))));
            }
        }
        Ok(None)
    }

    /// Waits, holding nothing; and not for ever.
    async fn wait(
        &self,
        head: &HeadRow,
        (service, release): Holder,
        run: &Run,
        now: Timestamp,
    ) -> Result<Leased, Fault> {
        if head.waits.is_none() {
            self.book.waits(&run.release, now).await?;
        }
        Ok(waiting(head, &release, &service, now))
    }

    async fn free(&self, head: &HeadRow, run: &Run, taken: &Fences, now: Timestamp) -> Result<(), Fault> {
        let services: Vec<&ServiceName> = taken.keys().collect();
        at_once(&services, async |service| self.book.free(&head.environment, service, run, now).await)
            .await?;
        Ok(())
    }

    /// Plans what is wanted as things are now, and writes the moves.
    async fn plan_again(
        &self,
        head: &HeadRow,
        run: &Run,
        fences: &Fences,
        now: Timestamp,
    ) -> Result<Leased, Fault> {
        let wanted: Wanted = serde_json::from_value(head.request.clone())
            .map_err(|error| Fault::Defect(format!("the head of {} is unreadable: {error}", run.release)))?;
        let environments = self.world.environments().await?;
        let found = match wanted.to {
            To::Previous | To::RestorePointsOf(_) => environments.get_for_rollback(&head.environment),
            To::Images(_) | To::Present => environments.get(&head.environment),
        };
        let environment = match found {
            Ok(Some(environment)) => environment,
            Ok(None) => {
                let why = format!("the environment {} is gone", head.environment);
                return Ok(Leased::nothing(Leasing::Refused, why, 0));
            }
            // Nothing is touched yet, and the document may be mended at leisure.
            Err(fault) => return Ok(Leased::nothing(Leasing::Refused, fault.to_string(), 0)),
        };
        let (name, order, release) = (&head.environment, &head.order, &run.release);
        let target = Target { name, environment, order, release, now };
        if let Some(why) = self.frozen(target).await? {
            return Ok(Leased::nothing(Leasing::Refused, why, 0));
        }
        let seen = self.look(target, Some(&head.services)).await?;
        let mut survey = self.survey(seen, target, &wanted).await?;
        self.check_alarms(&mut survey).await?;
        match survey.way(target, &wanted) {
            Way::Go => {}
            Way::Refused(why) => return Ok(Leased::nothing(Leasing::Refused, why, 0)),
            Way::Early(seconds, why) => return Ok(Leased::nothing(Leasing::Waiting, why, seconds)),
            Way::Nothing(why) | Way::There(why) | Way::Superseded(why) => {
                return Ok(Leased::nothing(Leasing::Superseded, why, 0));
            }
        }
        // A service that was not in the plan has no lease: it waits for the next release.
        let held = survey
            .moves
            .into_iter()
            .filter_map(|one| Some(MoveRow { fence: *fences.get(&one.service)?, ..one }));
        let moves: Vec<MoveRow> = held.collect();
        if environment.approval == Approval::Required
            && let Some(leased) = self.ask_again(head, target, &moves).await?
        {
            return Ok(leased);
        }
        let (waves, repositories) = self.write(run, plan::waves(moves, environment), now).await?;
        let because = format!("holds {}", crate::open::plural(fences.len(), "lease"));
        let concurrency = environment.concurrency.max(1);
        Ok(Leased { next: Leasing::Wave, because, waves, repositories, concurrency, pause_seconds: 0 })
    }

    /// Asks a person again if the plan is not the one that was agreed to.
    async fn ask_again(
        &self,
        head: &HeadRow,
        target: Target<'_>,
        moves: &[MoveRow],
    ) -> Result<Option<Leased>, Fault> {
        let proposals: Vec<PlanRow> = moves.iter().map(plan::proposal).collect();
        let hash = plan::hash(&proposals);
        if head.asked.as_ref() == Some(&hash) {
            return Ok(None);
        }
        self.propose(target, &proposals).await?;
        let kept: Vec<ServiceName> = proposals.into_iter().map(|one| one.service).collect();
        self.book.replan(target.release, &hash, &kept).await?;
        let why = "the plan changed while it waited".to_owned();
        Ok(Some(Leased::nothing(Leasing::AskApproval, why, 0)))
    }

    /// Takes away what an earlier call wrote, of a plan that was larger: it would count as moves that never began.
    async fn forget_all_but(&self, release: &ReleaseId, counts: &[u32]) -> Result<(), Fault> {
        let written = self.book.moves(release).await?;
        let is_of_the_plan = |key: &MoveKey| {
            let (wave, n) = key.order();
            counts.get(wave as usize).is_some_and(|count| n < *count)
        };
        let stale: Vec<_> = written.into_iter().filter(|(key, _)| !is_of_the_plan(key)).collect();
        at_once(&stale, async |(key, _)| self.book.forget(key).await).await?;
        Ok(())
    }

    /// Writes the moves, numbered without gaps; returns how many each wave has, and how many repositories there are.
    async fn write(
        &self,
        run: &Run,
        waves: Vec<Vec<MoveRow>>,
        now: Timestamp,
    ) -> Result<(Vec<u32>, u32), Fault> {
        let (mut counts, mut repositories): (_, Vec<Repository>) = (Vec::new(), Vec::new());
        let mut numbered = Vec::new();
        for (wave, moves) in (0..).zip(waves) {
            let mut count = 0;
            for mut one in moves {
                let known = repositories.iter().position(|repository| *repository == one.repository);
                let ordinal = known.unwrap_or_else(|| {
                    repositories.push(one.repository.clone());
                    repositories.len() - 1
                });
                one.repository_row = u32::try_from(ordinal).unwrap_or(u32::MAX);
                numbered.push((wave, count, one));
                count += 1;
            }
            counts.push(count);
        }
        self.forget_all_but(&run.release, &counts).await?;
        at_once(&numbered, async |(wave, n, one)| {
            self.book.write(&run.release, *wave, *n, one).await?;
            // What a release has verified was kept when it was registered.
            if let Some(baseline) = one.restore.as_ref().filter(|restore| restore.release.is_none()) {
                self.world.record(&baseline.task_definition).await?;
            }
            self.book.adopt(&run.release, one, now).await
        })
        .await?;
        Ok((counts, u32::try_from(repositories.len()).unwrap_or(u32::MAX)))
    }
}

/// Tells whether the lease of an execution that ended then may be taken over.
///
/// An execution can be stopped while one of its functions runs on, so that function's time-out is waited out.
fn may_take_over(ended: Option<Timestamp>, now: Timestamp) -> bool {
    ended.is_some_and(|ended| now.seconds_since(ended) >= LAST_WRITE_SECONDS)
}

/// Answers that a lease is held, and how long to wait: 10 s at first, and up to a minute.
fn waiting(head: &HeadRow, holder: &str, service: &ServiceName, now: Timestamp) -> Leased {
    let waited = head.waits.map_or(0, |since| now.seconds_since(since));
    let why = format!("{service} is held by {holder}");
    if waited >= i64::from(head.policy.max_wait_minutes) * 60 {
        let why = format!("{why}, for longer than {} minutes", head.policy.max_wait_minutes);
        return Leased::nothing(Leasing::Expired, why, 0);
    }
    Leased::nothing(Leasing::Waiting, why, (waited / 3).clamp(10, 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_never_taken_from_one_who_may_still_write() {
        let now = Timestamp::from_millis(1_000_000);
        assert!(!may_take_over(None, now));
        assert!(!may_take_over(Some(now.plus_seconds(-69)), now));
        assert!(may_take_over(Some(now.plus_seconds(-70)), now));
    }
}
