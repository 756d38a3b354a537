//! Opens a release: from the raw input of an execution to an accepted plan, or to the reason why there is none.

use std::collections::BTreeMap;

use futures_util::future::{join, try_join};
use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::environment::{Approval, Environments};
use pipeline::rows::{Finding, HeadRow, ListedRun, PlanRow};

use crate::answer::{Managed, Opened, Opening, Plan, SHOWN, TOLD};
use crate::intake::images::ImageRequest;
use crate::intake::push::Event;
use crate::intake::request::{Mode, Request};
use crate::intake::route::{Policy, ReleaseIntent};
use crate::intake::{self, Trigger};
use crate::payload::{Open, Run};
use crate::plan::candidates::possible;
use crate::plan::decision::blocker;
use crate::plan::draft::unknown_service;
use crate::plan::findings::refusals;
use crate::plan::waves::{hash, proposal};
use crate::plan::words::{TO_OVERRIDE, plural};
use crate::plan::{Admission, ImageSelection, PlanContext, PlanDraft, ReleaseSpec, preview};
use crate::ports::{
    Alarms, Approvals, ClusterSnapshot, Clusters, Documents, Events, Executions, Freezes, Guards, History,
    Images, Leases, LiveTests, Releases, Runs, Sweeps,
};
use crate::{abort, approve, freeze, guard, observe, planning, runs, sweep};

/// Decides what an execution's input means.
pub async fn open(
    aws: &(impl Documents + LiveTests + Clusters + Images + Alarms + Executions),
    ledger: &(impl Events + History + Freezes + Leases + Releases + Approvals + Guards + Runs + Sweeps),
    open: Open,
    now: Timestamp,
) -> Result<Opened, Fault> {
    let (head, environments) =
        join(ledger.head(&open.run.release), aws.environments(&open.run.release, now)).await;
    let head = head?;
    if let Some(head) = &head
        && let Some(answer) = abort::stopped_before(head).or_else(|| accepted_before(head))
    {
        return Ok(answer);
    }
    let environments = environments?;
    if sweep::is_asked(&open.input) {
        return sweep::sweep(aws, ledger, open, &environments, now).await;
    }
    let plans = open.input.get("mode") == Some(&"plan".into());
    let trigger = match intake::read(open.input.clone(), &open.run) {
        Err(Fault::InvalidInput(why)) => return Ok(Opened::refused(plans, None, why)),
        read => read?,
    };
    let (run, started) = (&open.run, open.started.unwrap_or(now));
    let listed = runs::asked(&trigger, open.input, run, started);
    let intent = match trigger {
        Trigger::Event(Event::Nothing(why)) => Err(Opened::without_plan(Opening::Ignored, None, why)),
        Trigger::Event(Event::Foreign(why)) => Err(Opened::without_plan(Opening::Refused, None, why)),
        Trigger::Event(Event::Push(push)) => {
            intake::of_push(ledger, *push, run, &environments, started, now).await?
        }
        Trigger::Alarm(event) => guard::open(aws, ledger, &event, run, &environments, (started, now)).await?,
        Trigger::Request(request) => {
            of_request(aws, ledger, *request, run, &environments, started, now).await?
        }
    };
    let answer = match intent {
        Ok(intent) => {
            let guarded = guard::Told::of(&intent);
            let opened = accept(aws, ledger, intent, &listed, run, started, now).await?;
            match guarded {
                Some(guarded) => guarded.unless_let_in(opened),
                None => opened,
            }
        }
        Err(answer) => answer,
    };
    // What a call says that comes again when its release has ended is no end of it.
    if head.is_none() {
        runs::list(ledger, &environments, &listed, &answer, run, started, now).await?;
    }
    Ok(answer)
}

/// Answers a call that comes again after one that let the release in: it stays in, and is planned anew under its leases.
fn accepted_before(head: &HeadRow) -> Option<Opened> {
    if head.outcome.is_some() {
        return None;
    }
    let next = match head.policy.approval {
        Approval::Required if head.answer.is_none() => Opening::AskApproval,
        _ => Opening::TakeLeases,
    };
    let because = format!("an earlier call has let it in, for {}", plural(head.services.len(), "service"));
    let approval_minutes = head.policy.approval_minutes;
    Some(Opened { approval_minutes, ..Opened::without_plan(next, Some(&head.environment), because) })
}

/// Finds what a request asks for; what needs no release is done at once.
async fn of_request(
    aws: &impl Executions,
    ledger: &(impl Freezes + Leases + Releases + Approvals + Runs),
    request: Request,
    run: &Run,
    environments: &Environments,
    started: Timestamp,
    now: Timestamp,
) -> Result<Result<ReleaseIntent, Opened>, Fault> {
    let (name, plans) = (request.environment.clone(), request.plans());
    let refused = |why| Opened::refused(plans, Some(&name), why);
    if !environments.has(&name) {
        return Ok(Err(refused(intake::route::unknown_environment(&name, environments))));
    };
    if request.mode == Mode::Rollback
        && let Some(why) = abort::still_runs(aws, ledger, &request, run).await?
    {
        return Ok(Err(refused(why)));
    }
    match request.mode {
        Mode::Deploy | Mode::Plan | Mode::Rollback => {
            Ok(intake::of_request(request, run, environments, started)?.map_err(refused))
        }
        Mode::Freeze => Ok(Err(freeze::freeze(aws, ledger, request, run, now).await?)),
        Mode::Resume => Ok(Err(freeze::resume(ledger, request, run, now).await?)),
        Mode::Abort => match intake::route::policy(&name, environments, true) {
            Ok(policy) => Ok(Err(abort::abort(aws, ledger, &request, run, &policy.environment, now).await?)),
            Err(why) => Ok(Err(refused(why))),
        },
        Mode::Approve | Mode::Reject => Ok(Err(approve::answer(aws, ledger, &request, run, now).await?)),
        // A sweep names no environment, or one: it is no request of this kind.
        Mode::Reconcile => Err(Fault::Defect("a sweep is read as a request".to_owned())),
    }
}

/// Plans what is asked of an environment, and writes an accepted plan down.
async fn accept(
    aws: &(impl LiveTests + Clusters + Images + Alarms + Executions),
    ledger: &(impl History + Freezes + Leases + Releases + Approvals + Guards),
    intent: ReleaseIntent,
    listed: &ListedRun,
    run: &Run,
    since: Timestamp,
    now: Timestamp,
) -> Result<Opened, Fault> {
    let ReleaseIntent { name, policy: Policy { environment, findings }, images, order, plans, asked } =
        intent;
    let (environment, release) = (&environment, &run.release);
    let context = PlanContext { name: &name, environment, order: &order, release, since, now };
    if environment.frozen
        && let Some(refused) = refused_by_freeze(ledger, context, &images, plans).await?
    {
        return Ok(refused);
    }
    let (seen, spec) = match look(aws, ledger, context, &images, plans).await {
        Ok(Ok(looked)) => looked,
        // Nobody has to see to what is wrong where nothing is let in.
        Ok(Err(answer)) => {
            return Ok(refused_by_freeze(ledger, context, &images, plans).await?.unwrap_or(answer));
        }
        Err(fault) => return refused_by_freeze(ledger, context, &images, plans).await?.ok_or(fault),
    };
    if spec.to == ImageSelection::Present {
        return manageable(aws, ledger, context, &spec, seen, findings).await;
    }
    let services = possible(&seen, &spec);
    let freeze = observe::freeze(ledger, &name, environment.frozen);
    let (freeze, known) = try_join(freeze, observe::known(ledger, context, &spec, &services)).await?;
    let frozen = freeze.as_ref().and_then(|freeze| freeze.refuses(&name, &spec));
    if let Some(why) = frozen.clone().filter(|_| !plans) {
        return Ok(Opened::without_plan(Opening::Refused, Some(&name), why));
    }
    let mut draft = planning::draft(aws, ledger, context, &spec, (seen, known)).await?;
    draft.findings.extend(findings);
    draft.refuse(frozen);
    planning::find(aws, context, &spec, &mut draft, plans).await?;
    if plans {
        return Ok(previewed(context, &spec, &draft));
    }
    if let Some(ended) = ended(draft.admission(&spec, context), context, asked) {
        return Ok(ended);
    }
    if let Some(answer) = guard::begin(ledger, &spec, run, context).await? {
        return Ok(answer);
    }
    record(aws, ledger, context, &spec, &draft, listed).await?;
    let mut opened = opened(&draft, context, &spec);
    if let Some(freeze) = freeze {
        opened.because = format!("{}; {}", opened.because, freeze.passed(&name));
    }
    Ok(opened)
}

/// Looks at the services that a release may be about, and finds its images; or answers why it goes no further.
async fn look(
    aws: &(impl Clusters + Images),
    ledger: &(impl History + Releases),
    context: PlanContext<'_>,
    images: &ImageRequest,
    plans: bool,
) -> Result<Result<(ClusterSnapshot, ReleaseSpec), Opened>, Fault> {
    let looks = services(aws, context, images, plans);
    let (seen, spec) = join(looks, images.clone().resolve(aws, ledger, context)).await;
    let seen = match seen? {
        Ok(seen) => seen,
        Err(answer) => return Ok(Err(answer)),
    };
    Ok(match spec? {
        Ok(spec) => Ok((seen, spec)),
        Err(why) => Err(Opened::refused(plans, Some(context.name), why)),
    })
}

/// Answers that an environment is frozen, if it is and what is wanted does not pass that.
async fn refused_by_freeze(
    ledger: &impl Freezes,
    context: PlanContext<'_>,
    images: &ImageRequest,
    plans: bool,
) -> Result<Option<Opened>, Fault> {
    if plans {
        return Ok(None);
    }
    let freeze = observe::freeze(ledger, context.name, context.environment.frozen).await?;
    let why = freeze.and_then(|freeze| freeze.refuses(context.name, images.spec()));
    Ok(why.map(|why| Opened::without_plan(Opening::Refused, Some(context.name), why)))
}

/// Looks at the services that a release may be about; or answers that it is too early, or that one is unknown.
async fn services(
    aws: &impl Clusters,
    context: PlanContext<'_>,
    images: &ImageRequest,
    plans: bool,
) -> Result<Result<ClusterSnapshot, Opened>, Fault> {
    // A plan tells of the others, too, and so does a name that the cluster does not have.
    let named = images.services().filter(|_| !plans);
    let mut seen = observe::cluster(aws, context, named).await?;
    let lacks = |seen: &ClusterSnapshot| named.is_some_and(|named| seen.names().count() < named.len());
    if seen.as_ref().is_ok_and(lacks) {
        seen = observe::cluster(aws, context, None).await?;
    }
    let seen = match seen {
        Ok(seen) => seen,
        Err((seconds, why)) => return Ok(Err(waiting(context, seconds, why))),
    };
    Ok(match unknown_service(&seen, images.services(), &context.environment.cluster) {
        Some(why) => Err(Opened::refused(plans, Some(context.name), why)),
        None => Ok(seen),
    })
}

/// Says which services of an environment could be moved at all.
async fn manageable(
    aws: &impl Clusters,
    ledger: &(impl History + Leases + Releases),
    context: PlanContext<'_>,
    spec: &ReleaseSpec,
    seen: ClusterSnapshot,
    findings: Vec<Finding>,
) -> Result<Opened, Fault> {
    let known = observe::known(ledger, context, spec, &possible(&seen, spec)).await?;
    let (candidates, _) =
        observe::candidates(aws, ledger, context, spec, (&seen.services, &known.services)).await?;
    let foreign = "none of its images is in an ECR repository of this account and region";
    let managed = seen.services.into_iter().map(|service| {
        let candidate = candidates.iter().find(|one| one.service.name == service.name);
        Managed {
            service: service.name,
            repository: candidate.map(|one| one.repository.clone()),
            blocked: candidate
                .map_or_else(|| Some(foreign.to_owned()), |one| blocker(one, context.environment)),
        }
    });
    let unreadable = seen.unreadable.into_iter().map(|(service, why)| {
        let blocked = Some(format!("it cannot be read: {why}"));
        Managed { service, repository: None, blocked }
    });
    let services: Vec<Managed> = managed.chain(unreadable).collect();
    let free = services.iter().filter(|one| one.blocked.is_none()).count();
    let because = format!("{free} of {} can be deployed", plural(services.len(), "service"));
    let planned = Opened::without_plan(Opening::Planned, Some(context.name), because);
    let plan = Plan { findings, ..Plan::default() };
    Ok(Opened { plan, services: services.into_iter().take(SHOWN).collect(), ..planned })
}

/// Answers what would happen.  A plan is never refused: what would refuse the release is the first to be told.
fn previewed(context: PlanContext<'_>, spec: &ReleaseSpec, draft: &PlanDraft) -> Opened {
    let because = match draft.admission(spec, context) {
        Admission::Go => preview::summary(&draft.moves, context, spec),
        Admission::Refused(_) => {
            format!("it would be refused, for {}", plural(refusals(&draft.findings).count(), "reason"))
        }
        Admission::Nothing(why)
        | Admission::There(why)
        | Admission::Superseded(why)
        | Admission::Early(_, why) => why,
    };
    let plan = preview::shown(draft, context.environment, SHOWN);
    Opened { plan, ..Opened::without_plan(Opening::Planned, Some(context.name), because) }
}

/// Writes an accepted plan down: its place among the pushes, what is asked of a person, and the head.
async fn record(
    aws: &impl Executions,
    ledger: &(impl History + Releases + Approvals),
    context: PlanContext<'_>,
    spec: &ReleaseSpec,
    draft: &PlanDraft,
    listed: &ListedRun,
) -> Result<(), Fault> {
    let moves = &draft.moves;
    // Where nobody is asked any more, one that waits from before finds under its leases that it was overtaken.  What an
    // alarm rolls back asks nobody, whatever its environment does.
    if context.environment.approval == Approval::Required || spec.alarm.is_some() {
        approve::overtake(aws, ledger, context, moves).await?;
    }
    let proposals: Vec<PlanRow> = moves.iter().map(proposal).collect();
    if context.environment.approval == Approval::Required {
        approve::propose(ledger, context.release, &proposals).await?;
    }
    let head = HeadRow {
        environment: context.name.clone(),
        policy: context.environment.clone(),
        request: serde_json::to_value(spec).map_err(|error| Fault::Defect(error.to_string()))?,
        order: context.order.clone(),
        opened: context.now,
        waits: None,
        plan: hash(&proposals),
        asked: None,
        answer: None,
        services: moves.iter().map(|one| one.service.clone()).collect(),
        findings: Finding::gravest(&draft.findings, TOLD),
        rollback: None,
        stop: None,
        shift_through: None,
        failed: None,
        outcome: None,
        fates: BTreeMap::new(),
    };
    let places: Vec<_> = moves.iter().map(|one| (&one.service, &one.repository)).collect();
    ledger.open(context.release, &head, &runs::of_environment(listed, context.name), &places).await
}

/// Answers what does not go on.  Whoever asked is refused where a push is ignored.
fn ended(admission: Admission, context: PlanContext<'_>, asked: bool) -> Option<Opened> {
    let (next, why) = match admission {
        Admission::Go => return None,
        Admission::Early(seconds, why) => return Some(waiting(context, seconds, why)),
        Admission::Refused(why) => (Opening::Refused, why),
        Admission::There(why) if asked => (Opening::Refused, format!("{why}; {TO_OVERRIDE}")),
        Admission::Nothing(why) if asked => (Opening::Refused, why),
        Admission::Nothing(why) | Admission::There(why) | Admission::Superseded(why) => {
            (Opening::Ignored, why)
        }
    };
    Some(Opened::without_plan(next, Some(context.name), why))
}

/// Answers that it is too early.
fn waiting(context: PlanContext<'_>, pause_seconds: i64, why: String) -> Opened {
    Opened { pause_seconds, ..Opened::without_plan(Opening::Waiting, Some(context.name), why) }
}

/// Says what would happen, and where an accepted release goes.
fn opened(draft: &PlanDraft, context: PlanContext<'_>, spec: &ReleaseSpec) -> Opened {
    let environment = context.environment;
    let because = preview::summary(&draft.moves, context, spec);
    let next = match environment.approval {
        Approval::Required => Opening::AskApproval,
        Approval::None => Opening::TakeLeases,
    };
    let plan = preview::shown(draft, environment, TOLD);
    let approval_minutes = environment.approval_minutes;
    Opened { approval_minutes, plan, ..Opened::without_plan(next, Some(context.name), because) }
}
