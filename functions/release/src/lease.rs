//! Takes the leases of a release, plans again under them, and writes the moves down with their way back.

use std::collections::BTreeMap;

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::environment::{Approval, Environment};
use pipeline::ids::{PackHash, ReleaseId, ServiceName};
use pipeline::payload::MoveKey;
use pipeline::rows::{HeadRow, LeaseRow, MoveRow, PlanRow};

use crate::answer::{Leased, Leasing};
use crate::intake::route::{Policy, policy};
use crate::payload::Run;
use crate::plan::findings::refusals;
use crate::plan::waves::{hash, numbered, proposal, waves};
use crate::plan::words::plural;
use crate::plan::{Admission, PlanContext, PlanDraft, ReleaseSpec, gates};
use crate::ports::{
    Alarms, Approvals, Clusters, Documents, Executions, Freezes, History, Images, Leases, LiveTests, Releases,
};
use crate::{approve, at_once, observe, planning};

/// How long an ended execution's last function may still write: the longest time-out in the template, and a margin.
const LAST_WRITE_SECONDS: i64 = 70;

/// The numbers of the leases that are held, by service.
type Fences = BTreeMap<ServiceName, u64>;

/// A service that somebody else holds, and who.
type Holder = (ServiceName, String);

/// Takes the leases, or says who holds one.
pub async fn lease(
    aws: &(impl Documents + LiveTests + Clusters + Images + Alarms + Executions),
    ledger: &(impl History + Freezes + Leases + Releases + Approvals),
    run: Run,
    now: Timestamp,
) -> Result<Leased, Fault> {
    let head = observe::head(ledger, &run.release).await?;
    let fences = match take(aws, ledger, &head, &run, now).await? {
        Ok(fences) => fences,
        Err(holder) => return wait(ledger, &head, holder, &run, now).await,
    };
    let leased = plan_again(aws, ledger, &head, &run, &fences, now).await?;
    if leased.next != Leasing::Wave {
        forget_all_but(ledger, &run.release, &[]).await?;
        free(ledger, &head, &run, &fences, now).await?;
    }
    Ok(leased)
}

/// Takes the leases of all services of a release, or of none.
async fn take(
    aws: &impl Executions,
    ledger: &impl Leases,
    head: &HeadRow,
    run: &Run,
    now: Timestamp,
) -> Result<Result<Fences, Holder>, Fault> {
    let mut services = head.services.clone();
    services.sort();
    let seen = ledger.leases(&head.environment, &services).await?;
    if let Some(holder) = holder(aws, &services, &seen, run, now).await? {
        return Ok(Err(holder));
    }
    let mut fences = Fences::new();
    for service in services {
        match ledger.take(&head.environment, &service, run, seen.get(&service), now).await? {
            Some(fence) => drop(fences.insert(service, fence)),
            None => {
                free(ledger, head, run, &fences, now).await?;
                return Ok(Err((service, "a release that was quicker".to_owned())));
            }
        }
    }
    Ok(Ok(fences))
}

/// Returns the first service that is held by a release which may still write.
async fn holder(
    aws: &impl Executions,
    services: &[ServiceName],
    seen: &BTreeMap<ServiceName, LeaseRow>,
    run: &Run,
    now: Timestamp,
) -> Result<Option<Holder>, Fault> {
    let mut ended: BTreeMap<&ReleaseId, bool> = BTreeMap::new();
    for service in services {
        let Some(LeaseRow { holder: Some(holder), release: Some(release), .. }) = seen.get(service) else {
            continue;
        };
        if *release != run.release && !ended.contains_key(release) {
            ended.insert(release, may_take_over(aws.ended(holder).await?, now));
        }
        if ended.get(release) == Some(&false) {
            return Ok(Some((service.clone(), format!("release {release}"))));
        }
    }
    Ok(None)
}

/// Waits, holding nothing; and not for ever.
async fn wait(
    ledger: &impl Releases,
    head: &HeadRow,
    (service, release): Holder,
    run: &Run,
    now: Timestamp,
) -> Result<Leased, Fault> {
    if head.waits.is_none() {
        ledger.waits(&run.release, now).await?;
    }
    Ok(waiting(head, &release, &service, now))
}

async fn free(
    ledger: &impl Leases,
    head: &HeadRow,
    run: &Run,
    taken: &Fences,
    now: Timestamp,
) -> Result<(), Fault> {
    let services: Vec<&ServiceName> = taken.keys().collect();
    at_once(&services, async |service| ledger.free(&head.environment, service, run, now).await).await?;
    Ok(())
}

/// Plans what is wanted as things are now, and writes the moves.
async fn plan_again(
    aws: &(impl Documents + LiveTests + Clusters + Images + Alarms),
    ledger: &(impl History + Freezes + Leases + Releases + Approvals),
    head: &HeadRow,
    run: &Run,
    fences: &Fences,
    now: Timestamp,
) -> Result<Leased, Fault> {
    let spec = ReleaseSpec::of(head, &run.release)?;
    let environments = aws.environments().await?;
    // Nothing is touched yet, and the document may be mended at leisure.
    let environment = match policy(&head.environment, &environments, spec.to.is_back()) {
        Ok(Policy { environment, findings }) => match refusals(&findings).next() {
            None => environment,
            Some(why) => return Ok(Leased::nothing(Leasing::Refused, why.to_owned(), 0)),
        },
        Err(why) => return Ok(Leased::nothing(Leasing::Refused, why, 0)),
    };
    let environment = &environment;
    let (name, order, release) = (&head.environment, &head.order, &run.release);
    let context = PlanContext { name, environment, order, release, now };
    let PlanDraft { moves, findings, packs, .. } = match planned(aws, ledger, head, context, &spec).await? {
        Ok(draft) => draft,
        Err(leased) => return Ok(leased),
    };
    // A service that was not in the plan has no lease: it waits for the next release.
    let held = moves.into_iter().filter_map(|one| {
        let fence = *fences.get(&one.service)?;
        Some(MoveRow { fence, ..one })
    });
    let moves: Vec<MoveRow> = held.collect();
    if environment.approval == Approval::Required
        && let Some(leased) = ask_again(ledger, head, context, &moves).await?
    {
        return Ok(leased);
    }
    // Before the moves that name them.
    let packs: Vec<(PackHash, String)> = packs.into_iter().collect();
    at_once(&packs, async |(hash, text)| ledger.keep(hash, text).await).await?;
    let told: Vec<String> = findings.into_iter().map(|finding| finding.text).collect();
    let leased = record(aws, ledger, run, moves, environment, now).await?;
    Ok(Leased { because: [vec![leased.because], told].concat().join("; "), ..leased })
}

/// Plans what a release does now; or tells where it goes if that is nothing.
async fn planned(
    aws: &(impl LiveTests + Clusters + Images + Alarms),
    ledger: &(impl History + Freezes + Leases + Releases),
    head: &HeadRow,
    context: PlanContext<'_>,
    spec: &ReleaseSpec,
) -> Result<Result<PlanDraft, Leased>, Fault> {
    let nothing = |next, why, seconds| Ok(Err(Leased::nothing(next, why, seconds)));
    if let Some(why) = observe::frozen(ledger, context).await? {
        return nothing(Leasing::Refused, why, 0);
    }
    let seen = match observe::cluster(aws, context, Some(&head.services)).await? {
        Ok(seen) => seen,
        Err((seconds, why)) => return nothing(Leasing::Waiting, why, seconds),
    };
    let mut draft = planning::draft(aws, ledger, context, spec, seen.services).await?;
    match draft.admission(spec, context) {
        Admission::Go => {}
        Admission::Refused(why) => return nothing(Leasing::Refused, why, 0),
        Admission::Early(seconds, why) => return nothing(Leasing::Waiting, why, seconds),
        Admission::Nothing(why) | Admission::There(why) | Admission::Superseded(why) => {
            return nothing(Leasing::Superseded, why, 0);
        }
    }
    let states = observe::alarms(aws, &draft.moves).await?;
    gates::watch_what_is_quiet(&mut draft.moves, &states);
    Ok(Ok(draft))
}

/// Asks a person again if the plan is not the one that was agreed to.
async fn ask_again(
    ledger: &impl Approvals,
    head: &HeadRow,
    context: PlanContext<'_>,
    moves: &[MoveRow],
) -> Result<Option<Leased>, Fault> {
    let proposals: Vec<PlanRow> = moves.iter().map(proposal).collect();
    let hash = hash(&proposals);
    if head.asked.as_ref() == Some(&hash) {
        return Ok(None);
    }
    approve::propose(ledger, context.release, &proposals).await?;
    let kept: Vec<ServiceName> = proposals.into_iter().map(|one| one.service).collect();
    ledger.replan(context.release, &hash, &kept).await?;
    let why = "the plan changed while it waited".to_owned();
    Ok(Some(Leased::nothing(Leasing::AskApproval, why, 0)))
}

/// Writes the moves, numbered without gaps, and what they go back to.
async fn record(
    aws: &impl Clusters,
    ledger: &(impl History + Releases),
    run: &Run,
    moves: Vec<MoveRow>,
    environment: &Environment,
    now: Timestamp,
) -> Result<Leased, Fault> {
    let because = format!("holds {}", plural(moves.len(), "lease"));
    let (numbered, counts, repositories) = numbered(waves(moves, environment));
    forget_all_but(ledger, &run.release, &counts).await?;
    at_once(&numbered, async |(wave, n, one)| {
        ledger.write(&run.release, *wave, *n, one).await?;
        // What a release has verified was kept when it was registered.
        if let Some(baseline) = one.restore.as_ref().filter(|restore| restore.release.is_none()) {
            aws.record(&baseline.task_definition).await?;
        }
        ledger.adopt(&run.release, one, now).await
    })
    .await?;
    let concurrency = environment.concurrency.max(1);
    Ok(Leased { next: Leasing::Wave, because, waves: counts, repositories, concurrency, pause_seconds: 0 })
}

/// Takes away what an earlier call wrote, of a plan that was larger: it would count as moves that never began.
async fn forget_all_but(ledger: &impl Releases, release: &ReleaseId, counts: &[u32]) -> Result<(), Fault> {
    let written = ledger.moves(release).await?;
    let is_of_the_plan = |key: &MoveKey| {
        let (wave, n) = key.order();
        counts.get(wave as usize).is_some_and(|count| n < *count)
    };
    let stale: Vec<_> = written.into_iter().filter(|(key, _)| !is_of_the_plan(key)).collect();
    at_once(&stale, async |(key, _)| ledger.forget(key).await).await?;
    Ok(())
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
