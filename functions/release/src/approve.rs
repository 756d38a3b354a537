//! The answer of a person to a release that waits for one, and that of a newer release in its place.

use std::collections::BTreeSet;

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ids::{EnvironmentName, ReleaseId, ServiceName};
use pipeline::rows::{Answer, HeadRow, MoveRow, Outcome, PlanRow, Reply, Stop, WaitingRow};
use serde_json::{Value, json};

use crate::answer::{Opened, Opening};
use crate::intake::request::{Mode, Request};
use crate::payload::{Ask, Run};
use crate::plan::PlanContext;
use crate::plan::abort::stopped;
use crate::plan::waves::hash;
use crate::ports::{Approvals, Executions, Releases};
use crate::{at_once, observe};

/// Keeps the token of the state that waits for an answer.
pub async fn ask(ledger: &(impl Releases + Approvals), ask: Ask, now: Timestamp) -> Result<(), Fault> {
    let release = &ask.run.release;
    let head = observe::open_head(ledger, release).await?;
    let row = WaitingRow { token: ask.token, since: now, answered_by: None };
    ledger.wait(&head.environment, release, &row, &head.plan).await
}

/// Writes down what a person is asked to agree to.
pub async fn propose(
    ledger: &impl Approvals,
    release: &ReleaseId,
    proposals: &[PlanRow],
) -> Result<(), Fault> {
    at_once(proposals, async |one| ledger.propose(release, one).await).await?;
    Ok(())
}

/// Gives a waiting release the answer of a person.
pub async fn answer(
    aws: &impl Executions,
    ledger: &(impl Releases + Approvals),
    request: &Request,
    run: &Run,
    now: Timestamp,
) -> Result<Opened, Fault> {
    let Some(release) = &request.release else {
        return Err(Fault::InvalidInput("the request answers without \"release\"".to_owned()));
    };
    let name = &request.environment;
    let ended = |next, why: String| Ok(Opened::without_plan(next, Some(name), why));
    let head = match ledger.head(release).await? {
        Some(head) if head.environment == *name => head,
        Some(head) => {
            let place = head.environment;
            return ended(Opening::Refused, format!("{release} is a release of {place}: expected that"));
        }
        None => return ended(Opening::Refused, format!("there is no release {release} in {name}")),
    };
    let waiting = ledger.waiting(name).await?;
    let (reply, done) = match request.mode {
        Mode::Approve => (Reply::Approved, "goes on"),
        _ => (Reply::Rejected, "is rejected, and nothing was changed"),
    };
    let Some((_, row)) = waiting.into_iter().find(|(waiting, _)| waiting == release) else {
        return match has_answered(&head, &run.release, reply) {
            true => ended(Opening::Answered, format!("{release} {done}")),
            false => ended(Opening::Refused, not_waiting(release, &head)),
        };
    };
    let asked = head.asked.clone().unwrap_or_default();
    let answer = Answer { next: reply, by: run.release.clone(), since: now, asked };
    let reason = request.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    let next = format!("{reply:?}");
    let because = format!("{} by {}{reason}", next.to_lowercase(), run.release);
    // Before the token is used: what goes on without it is turned down under the leases.
    ledger.record_answer(release, &answer).await?;
    let question = Question { environment: name, release, row: &row };
    let taken = give(aws, ledger, question, &run.release, &output(&next, &because)).await?;
    // A call of this run before may have answered, and its own answer was lost.
    match taken || row.answered_by.as_ref() == Some(&run.release) {
        true => ended(Opening::Answered, format!("{release} {done}")),
        false => ended(Opening::Refused, not_waiting(release, &head)),
    }
}

/// Turns a release down that is to end, if it waits for a person.
pub async fn stop(
    aws: &impl Executions,
    ledger: &impl Approvals,
    environment: &EnvironmentName,
    release: &ReleaseId,
    stop: &Stop,
) -> Result<(), Fault> {
    let waiting = ledger.waiting(environment).await?;
    if let Some((_, row)) = waiting.iter().find(|(waiting, _)| waiting == release) {
        let question = Question { environment, release, row };
        give(aws, ledger, question, &stop.by, &output("Rejected", &stopped(stop))).await?;
    }
    Ok(())
}

/// A question that waits for an answer, as it was seen.
#[derive(Clone, Copy)]
struct Question<'a> {
    environment: &'a EnvironmentName,
    release: &'a ReleaseId,
    row: &'a WaitingRow,
}

/// Gives an answer to the question that was seen, and to none that came after it; tells whether it was taken.
async fn give(
    aws: &impl Executions,
    ledger: &impl Approvals,
    Question { environment, release, row }: Question<'_>,
    by: &ReleaseId,
    output: &Value,
) -> Result<bool, Fault> {
    if !ledger.answer(environment, release, row, by).await? {
        return Ok(false);
    }
    let taken = aws.answer(&row.token, output).await?;
    ledger.answered(environment, release, Some(row)).await?;
    Ok(taken)
}

/// Takes the services of a newer release out of the plans that wait for a person.
pub async fn overtake(
    aws: &impl Executions,
    ledger: &(impl Releases + Approvals),
    context: PlanContext<'_>,
    moves: &[MoveRow],
) -> Result<(), Fault> {
    let taken: BTreeSet<&ServiceName> = moves.iter().map(|row| &row.service).collect();
    for (older, row) in ledger.waiting(context.name).await? {
        let Some(head) = ledger.head(&older).await?.filter(|head| head.order < *context.order) else {
            continue;
        };
        let left: Vec<ServiceName> =
            head.services.iter().filter(|service| !taken.contains(service)).cloned().collect();
        if left.len() == head.services.len() {
            continue;
        }
        let because = format!("{} is newer, and deploys to its services", context.release);
        let next = if left.is_empty() { "Superseded" } else { "Changed" };
        if !left.is_empty() {
            let proposed = ledger.proposed(&older).await?;
            let kept: Vec<&PlanRow> = proposed.iter().filter(|one| left.contains(&one.service)).collect();
            ledger.replan(&older, &hash(kept), &left).await?;
        }
        let question = Question { environment: context.name, release: &older, row: &row };
        give(aws, ledger, question, context.release, &output(next, &because)).await?;
    }
    Ok(())
}

/// Tells whether a call of this run before has answered so, and the release went on by it.
fn has_answered(head: &HeadRow, by: &ReleaseId, reply: Reply) -> bool {
    let ours = head.answer.as_ref().is_some_and(|answer| answer.by == *by && answer.next == reply);
    // Somebody else can have been quicker.
    let rejected = head.outcome == Some(Outcome::Rejected);
    ours && (!rejected || reply == Reply::Rejected)
}

fn output(next: &str, because: &str) -> Value {
    json!({"next": next, "because": because})
}

fn not_waiting(release: &ReleaseId, head: &HeadRow) -> String {
    match head.outcome {
        Some(outcome) => format!("{release} does not wait for an answer: it ended {outcome:?}"),
        None => format!("{release} does not wait for an answer"),
    }
}
