//! Takes the leases of a release, plans again under them, and writes the moves down with their way back.

use pipeline::Fault;
use std::collections::BTreeMap;

use pipeline::clock::Timestamp;
use pipeline::environment::Approval;
use pipeline::ids::{Repository, ServiceName};
use pipeline::rows::{HeadRow, LeaseRow, MoveRow};

use crate::answer::{Leased, Leasing};
use crate::book::{Book, Taken};
use crate::plan::{self, Wanted};
use crate::survey::{Survey, Target};
use crate::world::World;
use crate::{Release, Run};

/// How long an ended execution's last function may still write: the longest time-out in the template, and a margin.
const LAST_WRITE_SECONDS: i64 = 70;

/// The numbers of the leases that are held, by service.
type Fences = BTreeMap<ServiceName, u64>;

impl<W: World, B: Book> Release<W, B> {
    /// Takes the leases, or says who holds one.
    pub(crate) async fn lease(&self, run: Run, now: Timestamp) -> Result<Leased, Fault> {
        let head = self.book.head(&run.release).await?;
        let head = head.ok_or_else(|| Fault::NotFound(format!("the head of release {}", run.release)))?;
        let mut services = head.services.clone();
        services.sort();
        let mut fences = Fences::new();
        for service in &services {
            match self.take(&head, service, &run, now).await? {
                Ok(fence) => drop(fences.insert(service.clone(), fence)),
                Err(holder) => {
                    self.free(&head, &run, &fences, now).await?;
                    return Ok(waiting(&head, &holder, service, now));
                }
            }
        }
        let leased = self.plan_again(&head, &run, &fences, now).await?;
        if leased.next != Leasing::Wave {
            self.free(&head, &run, &fences, now).await?;
        }
        Ok(leased)
    }

    /// Takes one lease, from an ended holder too; otherwise returns the release that holds it.
    async fn take(
        &self,
        head: &HeadRow,
        service: &ServiceName,
        run: &Run,
        now: Timestamp,
    ) -> Result<Result<u64, String>, Fault> {
        let lease = match self.book.take(&head.environment, service, run, None, now).await? {
            Taken::Yes(fence) => return Ok(Ok(fence)),
            Taken::Held(lease) => lease,
        };
        let LeaseRow { holder: Some(holder), release: Some(release), .. } = &lease else {
            return Ok(Err("a release that just ended".to_owned()));
        };
        if !may_take_over(self.world.ended(holder).await?, now) {
            return Ok(Err(release.to_string()));
        }
        Ok(match self.book.take(&head.environment, service, run, Some(&lease), now).await? {
            Taken::Yes(fence) => Ok(fence),
            Taken::Held(_) => Err(release.to_string()),
        })
    }

    async fn free(&self, head: &HeadRow, run: &Run, taken: &Fences, now: Timestamp) -> Result<(), Fault> {
        for service in taken.keys() {
            self.book.free(&head.environment, service, run, now).await?;
        }
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
        let Some(environment) = environments.get(&head.environment) else {
            let why = format!("the environment {} is gone", head.environment);
            return Ok(Leased::nothing(Leasing::Refused, why, 0));
        };
        let target =
            Target { name: &head.environment, environment, order: &head.order, release: &run.release };
        let moves = match self.survey(target, &wanted, Some(&head.services)).await? {
            Survey::Refused(why) => return Ok(Leased::nothing(Leasing::Refused, why, 0)),
            Survey::Nothing(why) | Survey::There(why) | Survey::Superseded(why) => {
                return Ok(Leased::nothing(Leasing::Superseded, why, 0));
            }
            Survey::Moves(moves) => moves,
        };
        // A service that was not in the plan has no lease: it waits for the next release.
        let held =
            moves.into_iter().filter_map(|one| Some(MoveRow { fence: *fences.get(&one.service)?, ..one }));
        let moves: Vec<MoveRow> = held.collect();
        let hash = plan::hash(&moves);
        if hash != head.plan && environment.approval == Approval::Required {
            let kept = moves.iter().map(|one| one.service.clone()).collect();
            self.book.replan(&run.release, &hash, kept, now).await?;
            let why = "the plan changed while it waited".to_owned();
            return Ok(Leased::nothing(Leasing::AskApproval, why, 0));
        }
        let waves = plan::waves(moves, environment);
        let (counts, repositories) = self.write(run, waves, now).await?;
        let because = format!("holds {}", crate::open::plural(fences.len(), "lease"));
        let concurrency = environment.concurrency.max(1);
        Ok(Leased {
            next: Leasing::Wave,
            because,
            waves: counts,
            repositories,
            concurrency,
            pause_seconds: 0,
        })
    }

    /// Writes the moves, numbered without gaps; returns how many each wave has, and how many repositories there are.
    async fn write(
        &self,
        run: &Run,
        waves: Vec<Vec<MoveRow>>,
        now: Timestamp,
    ) -> Result<(Vec<u32>, u32), Fault> {
        let (mut counts, mut repositories): (_, Vec<Repository>) = (Vec::new(), Vec::new());
        for (wave, moves) in (0..).zip(waves) {
            let mut count = 0;
            for mut one in moves {
                let known = repositories.iter().position(|repository| *repository == one.repository);
                let ordinal = known.unwrap_or_else(|| {
                    repositories.push(one.repository.clone());
                    repositories.len() - 1
                });
                one.repository_row = u32::try_from(ordinal).unwrap_or(u32::MAX);
                self.book.write(&run.release, wave, count, &one).await?;
                self.book.adopt(&run.release, &one, now).await?;
                count += 1;
            }
            counts.push(count);
        }
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
    let waited = now.seconds_since(head.opened);
    let why = format!("{service} is held by release {holder}");
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
