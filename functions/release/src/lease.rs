//! Takes the leases of a release, plans again under them, and writes the moves down with their restore points.

mod record;
mod take;

use futures_util::future::try_join;
use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::environment::Approval;
use pipeline::ids::{PackHash, ReleaseId, ServiceName};
use pipeline::rows::{HeadRow, MoveRow, PlanRow};

use crate::answer::{Leased, Leasing};
use crate::intake::route::{Policy, policy};
use crate::payload::Run;
use crate::plan::findings::refusals;
use crate::plan::waves::{hash, proposal};
use crate::plan::{Admission, PlanContext, PlanDraft, ReleaseSpec, abort, alarms, approval};
use crate::ports::{
    Alarms, Approvals, Clusters, Documents, Executions, Freezes, Guards, History, Images, Leases, LiveTests,
    Releases,
};
use crate::{approve, at_once, guard, observe, planning};
use record::{forget_all_but, record};
use take::{Fences, Taken, free, take};

/// Takes the leases, or says who holds one.
pub async fn lease(
    aws: &(impl Documents + LiveTests + Clusters + Images + Alarms + Executions),
    ledger: &(impl History + Freezes + Leases + Releases + Approvals + Guards),
    run: Run,
    now: Timestamp,
) -> Result<Leased, Fault> {
    let head = observe::open_head(ledger, &run.release).await?;
    if let Some(stop) = &head.stop {
        not_begun(ledger, &run.release).await?;
        forget_all_but(ledger, &run.release, &[], &Fences::new()).await?;
        return Ok(Leased::nothing(Leasing::Rejected, abort::stopped(stop), 0));
    }
    let spec = ReleaseSpec::of(&head, &run.release)?;
    if let Some(why) = guard::outrun(ledger, &spec, &head.environment, &head.services, &run).await? {
        guard::withdraw(ledger, &spec, &run).await?;
        return Ok(Leased::nothing(Leasing::Superseded, why, 0));
    }
    let taken = match take(aws, ledger, &head, &run, now).await? {
        Ok(taken) => taken,
        Err(why) => return wait(ledger, &head, &why, &run, now).await,
    };
    let leased = match plan_again(aws, ledger, &head, &spec, &run, &taken, now).await {
        // A call that was given up runs on beside this one, or this one was given up.
        Err(Fault::LeaseLost(why)) => {
            forget_all_but(ledger, &run.release, &[], &taken.fences).await?;
            free(ledger, &head, &run, &taken.fences, now).await?;
            return wait(ledger, &head, &why, &run, now).await;
        }
        leased => leased?,
    };
    if leased.next == Leasing::Waiting && head.waits.is_none() {
        ledger.waits(&run.release, now).await?;
    }
    if leased.next != Leasing::Wave {
        if taken.again {
            forget_all_but(ledger, &run.release, &[], &taken.fences).await?;
        }
        free(ledger, &head, &run, &taken.fences, now).await?;
    }
    if !matches!(leased.next, Leasing::Wave | Leasing::Waiting) {
        guard::withdraw(ledger, &spec, &run).await?;
    }
    Ok(leased)
}

/// Ends a call that comes when the moves have begun: it neither takes their leases anew nor frees them.
async fn not_begun(ledger: &impl Releases, release: &ReleaseId) -> Result<(), Fault> {
    match ledger.moves(release).await?.iter().any(|(_, row)| row.started.is_some()) {
        true => Err(Fault::LeaseLost(format!("the moves of {release} have begun already"))),
        false => Ok(()),
    }
}

/// Waits, holding nothing; and not for ever.
async fn wait(
    ledger: &impl Releases,
    head: &HeadRow,
    why: &str,
    run: &Run,
    now: Timestamp,
) -> Result<Leased, Fault> {
    if head.waits.is_none() {
        ledger.waits(&run.release, now).await?;
    }
    Ok(waiting(head, why, now))
}

/// Plans what is wanted as things are now, and writes the moves.
async fn plan_again(
    aws: &(impl Documents + LiveTests + Clusters + Images + Alarms),
    ledger: &(impl History + Freezes + Leases + Releases + Approvals),
    head: &HeadRow,
    spec: &ReleaseSpec,
    run: &Run,
    taken: &Taken,
    now: Timestamp,
) -> Result<Leased, Fault> {
    let environments = aws.environments(&run.release, now).await?;
    // Nothing is touched yet, and the document may be mended at leisure.
    let environment = match policy(&head.environment, &environments, spec.to.goes_back()) {
        Ok(Policy { environment, findings }) => match refusals(&findings).next() {
            None => guard::policy(environment, spec),
            Some(why) => return Ok(Leased::nothing(Leasing::Refused, why.to_owned(), 0)),
        },
        Err(why) => return Ok(Leased::nothing(Leasing::Refused, why, 0)),
    };
    let environment = &environment;
    let (name, order, release) = (&head.environment, &head.order, &run.release);
    let since = head.waits.unwrap_or(now);
    let context = PlanContext { name, environment, order, release, since, now };
    let PlanDraft { mut moves, known, findings, packs, .. } =
        match draft(aws, ledger, head, context, spec).await? {
            Ok(draft) => draft,
            Err(leased) => return Ok(leased),
        };
    if let Some(why) = guard::keep(aws, ledger, spec, run, &mut moves, &known).await? {
        return Ok(Leased::nothing(Leasing::Superseded, why, 0));
    }
    // A service that was not in the plan has no lease: it waits for the next release.
    let held = moves.into_iter().filter_map(|one| {
        let fence = *taken.fences.get(&one.service)?;
        Some(MoveRow { fence, leased: Some(now), ..one })
    });
    let moves: Vec<MoveRow> = held.collect();
    if environment.approval == Approval::Required
        && let Some(leased) = ask_again(ledger, head, context, &moves).await?
    {
        return Ok(leased);
    }
    if let Some(why) = approval::lacking(&run.release, head) {
        return Ok(Leased::nothing(Leasing::Rejected, why, 0));
    }
    // Before the moves that name them.
    let packs: Vec<(PackHash, String)> = packs.into_iter().collect();
    at_once(&packs, async |(hash, text)| ledger.keep(hash, text).await).await?;
    let leased = record(aws, ledger, context, spec, moves, &known, taken).await?;
    let told = findings.into_iter().map(|finding| finding.text);
    Ok(Leased { because: [leased.because].into_iter().chain(told).collect::<Vec<_>>().join("; "), ..leased })
}

/// Returns the plan that a release has now; or where it goes if it has none.
async fn draft(
    aws: &(impl LiveTests + Clusters + Images + Alarms),
    ledger: &(impl History + Freezes + Leases + Releases),
    head: &HeadRow,
    context: PlanContext<'_>,
    spec: &ReleaseSpec,
) -> Result<Result<PlanDraft, Leased>, Fault> {
    let nothing = |next, why, seconds| Ok(Err(Leased::nothing(next, why, seconds)));
    let freeze = observe::freeze(ledger, context.name, context.environment.frozen);
    let (freeze, known) = try_join(freeze, observe::known(ledger, context, spec, &head.services)).await?;
    if let Some(why) = freeze.and_then(|freeze| freeze.refuses(context.name, spec)) {
        return nothing(Leasing::Refused, why, 0);
    }
    let seen = match observe::cluster(aws, context, Some(&head.services)).await? {
        Ok(seen) => seen,
        Err((seconds, why)) => return nothing(Leasing::Waiting, why, seconds),
    };
    let mut draft = planning::draft(aws, ledger, context, spec, (seen, known)).await?;
    match draft.admission(spec, context) {
        Admission::Go => {}
        Admission::Refused(why) => return nothing(Leasing::Refused, why, 0),
        Admission::Early(seconds, why) => return nothing(Leasing::Waiting, why, seconds),
        Admission::Nothing(why) | Admission::There(why) | Admission::Superseded(why) => {
            return nothing(Leasing::Superseded, why, 0);
        }
    }
    let states = observe::alarms(aws, &draft.moves).await?;
    alarms::watch_what_exists(&mut draft.moves, &states);
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
    let why = "the plan changed while the release waited".to_owned();
    Ok(Some(Leased::nothing(Leasing::AskApproval, why, 0)))
}

/// Answers that a lease is held, and how long to wait: 10 s at first, and up to a minute.
fn waiting(head: &HeadRow, why: &str, now: Timestamp) -> Leased {
    let waited = head.waits.map_or(0, |since| now.seconds_since(since));
    if waited >= i64::from(head.policy.max_wait_minutes) * 60 {
        let why = format!("{why}, for longer than {} minutes", head.policy.max_wait_minutes);
        return Leased::nothing(Leasing::Expired, why, 0);
    }
    Leased::nothing(Leasing::Waiting, why.to_owned(), (waited / 3).clamp(10, 60))
}
