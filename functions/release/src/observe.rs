//! What a decision about a release needs to know, read and never written.

mod candidates;
mod contents;
mod images;
mod known;

use std::collections::BTreeSet;

use pipeline::Fault;
use pipeline::ids::{EnvironmentName, ReleaseId, ServiceName};
use pipeline::rows::{HeadRow, MoveRow};

use crate::payload::Run;
use crate::plan::PlanContext;
use crate::plan::freeze::Freeze;
use crate::ports::{
    AlarmStates, Alarms, ClusterSnapshot, Clusters, Execution, Executions, Freezes, Releases,
};

pub use candidates::candidates;
pub use contents::contents;
pub use images::{endangered, immovable, indexes, missing, origins};
pub use known::{Known, known};

/// How long ECS needs until it answers as many questions as one look asks.
const BREATH_SECONDS: i64 = 2;

/// Looks at all services of an environment, or at those named; or says how long to wait before looking again, and why.
pub async fn cluster(
    aws: &impl Clusters,
    context: PlanContext<'_>,
    named: Option<&[ServiceName]>,
) -> Result<Result<ClusterSnapshot, (i64, String)>, Fault> {
    let seen = aws.services(&context.environment.cluster, named).await?;
    if seen.unread > 0 {
        let why = format!("{} task definitions of {} are still to be read", seen.unread, context.name);
        return Ok(Err((BREATH_SECONDS, why)));
    }
    Ok(Ok(seen))
}

/// Reads whether an environment is frozen, and by whom.
pub async fn freeze(
    ledger: &impl Freezes,
    name: &EnvironmentName,
    frozen_by_document: bool,
) -> Result<Option<Freeze>, Fault> {
    if frozen_by_document {
        return Ok(Some(Freeze::Document));
    }
    Ok(ledger.frozen(name).await?.map(Freeze::Row))
}

/// Tells whether the execution of a release of the same machine may still do something.
pub async fn still_runs(aws: &impl Executions, run: &Run, release: &ReleaseId) -> Result<bool, Fault> {
    Ok(execution(aws, run, release).await? == Execution::Running)
}

/// Reads what is known of the execution of a release of the same machine.
pub async fn execution(aws: &impl Executions, run: &Run, release: &ReleaseId) -> Result<Execution, Fault> {
    let machine = run.execution.rsplit_once(':').map_or(run.execution.as_str(), |(machine, _)| machine);
    aws.execution(&format!("{machine}:{release}")).await
}

/// Reads the head of a release that goes on.
///
/// A call that comes when it is closed may change nothing any more: others hold its services, or may at any time.
pub async fn open_head(ledger: &impl Releases, release: &ReleaseId) -> Result<HeadRow, Fault> {
    opened(ledger.head(release).await?, release)
}

/// Returns the head of a release that goes on, as it was read.
pub fn opened(head: Option<HeadRow>, release: &ReleaseId) -> Result<HeadRow, Fault> {
    let head = head.ok_or_else(|| Fault::NotFound(format!("the head of release {release}")))?;
    match head.outcome {
        None => Ok(head),
        Some(outcome) => Err(Fault::LeaseLost(format!("{release} has ended already: {outcome:?}"))),
    }
}

/// Reads the states of the alarms that speak of moves.
pub async fn alarms(aws: &impl Alarms, moves: &[MoveRow]) -> Result<AlarmStates, Fault> {
    let names = moves.iter().flat_map(|row| row.alarms.clone()).collect();
    states(aws, names).await
}

/// Reads the states of alarms; of none without asking.
pub async fn states(aws: &impl Alarms, names: BTreeSet<String>) -> Result<AlarmStates, Fault> {
    if names.is_empty() {
        return Ok(AlarmStates::new());
    }
    aws.alarms(&names).await
}
