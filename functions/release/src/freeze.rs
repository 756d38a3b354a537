//! Freezes an environment, or lets releases in again.

use std::collections::BTreeSet;

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ids::{EnvironmentName, ReleaseId};
use pipeline::rows::FrozenRow;

use crate::answer::Opened;
use crate::intake::request::Request;
use crate::observe;
use crate::payload::Run;
use crate::plan::abort;
use crate::plan::freeze::Freeze;
use crate::plan::refused::{listed_from, refused_since};
use crate::ports::{Approvals, Executions, Freezes, Leases, Runs};

/// How many open releases an answer names.
const NAMED: usize = 20;

/// Lets nothing in that goes forward, and names the releases that are open.
pub async fn freeze(
    aws: &impl Executions,
    ledger: &(impl Freezes + Leases + Approvals),
    request: Request,
    run: &Run,
    now: Timestamp,
) -> Result<Opened, Fault> {
    let (name, row) = (request.environment.clone(), row(request, run, now, true));
    ledger.freeze(&name, &row).await?;
    let mut lines =
        vec![format!("{name} is frozen: no release starts until it is resumed ({})", row.because)];
    let open = open(ledger, &name).await?;
    for release in open.iter().take(NAMED) {
        lines.push(match observe::still_runs(aws, run, release).await? {
            true => {
                let request = abort::request(&name, release, &row.because);
                format!(
                    "{release} is open, and starts no further wave until a resume; to abort it: {request}"
                )
            }
            false => {
                let request = abort::rollback(&name, release, &row.because);
                format!("{release} is open, and its execution has ended; to roll it back: {request}")
            }
        });
    }
    if open.len() > NAMED {
        lines.push(format!("{} more are open", open.len() - NAMED));
    }
    Ok(Opened::answered(&name, lines.join("; ")))
}

/// Lets releases in again, and names the freeze that ends so and the pushes that were refused meanwhile.
pub async fn resume(
    ledger: &(impl Freezes + Runs),
    request: Request,
    run: &Run,
    now: Timestamp,
) -> Result<Opened, Fault> {
    let (name, row) = (request.environment.clone(), row(request, run, now, false));
    let before = ledger.frozen(&name).await?;
    ledger.freeze(&name, &row).await?;
    let mut lines = vec![format!("{name} is resumed: releases start again ({})", row.because)];
    if let Some(before) = before {
        let since = before.since;
        lines.push(format!("until now {}", Freeze::Row(before).named(&name)));
        lines.extend(refused_since(&ledger.listed_runs(&name, listed_from(since)).await?, since));
    }
    Ok(Opened::answered(&name, lines.join("; ")))
}

fn row(request: Request, run: &Run, since: Timestamp, frozen: bool) -> FrozenRow {
    let because = request.reason.unwrap_or_else(|| "on request".to_owned());
    FrozenRow { frozen, by: run.release.clone(), because, since, automatic: false }
}

/// Returns the releases that hold leases or wait for a person.  Others are refused at their next look.
async fn open(
    ledger: &(impl Leases + Approvals),
    name: &EnvironmentName,
) -> Result<BTreeSet<ReleaseId>, Fault> {
    let mut open = ledger.holders(name).await?;
    open.extend(ledger.waiting(name).await?.into_iter().map(|(release, _)| release));
    Ok(open)
}
