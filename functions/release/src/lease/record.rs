//! The moves of a release, written down with what they go back to.

use std::collections::{BTreeMap, BTreeSet};

use pipeline::Fault;
use pipeline::ids::{ReleaseId, ServiceName};
use pipeline::rows::{MoveRow, ServiceRow};

use super::take::{Fences, Taken};
use crate::answer::{Leased, Leasing};
use crate::at_once;
use crate::plan::waves::{Numbered, numbered, waves};
use crate::plan::words::plural;
use crate::plan::{PlanContext, ReleaseSpec, packs};
use crate::ports::{Clusters, History, Releases};

/// How many moves are written together: each has up to three rows, and DynamoDB writes 100.
const MOVES_AT_ONCE: usize = 25;

/// Writes the moves, numbered without gaps, and what they go back to.
pub(super) async fn record(
    aws: &impl Clusters,
    ledger: &(impl History + Releases),
    context: PlanContext<'_>,
    spec: &ReleaseSpec,
    moves: Vec<MoveRow>,
    known: &BTreeMap<ServiceName, ServiceRow>,
    taken: &Taken,
) -> Result<Leased, Fault> {
    let because = format!("holds {}", plural(moves.len(), "lease"));
    let (numbered, counts, repositories) = numbered(waves(moves, context.environment));
    if taken.again {
        forget_all_but(ledger, context.release, &numbered, &taken.fences).await?;
    }
    let chunks: Vec<&[Numbered]> = numbered.chunks(MOVES_AT_ONCE).collect();
    at_once(&chunks, async |some| ledger.write(context.release, some, known).await).await?;
    let nothing = ServiceRow::default();
    at_once(&numbered, async |(.., one)| {
        // Of a service of several images it may be another one now that changes than when the release was opened.
        let known = known.get(&one.service).unwrap_or(&nothing);
        if known.order(&one.repository).is_none_or(|newest| newest < *context.order) {
            ledger.order(context.name, &[(&one.service, &one.repository)], context.order).await?;
        }
        // What a release has verified was kept when it was registered.
        if let Some(baseline) = one.restore.as_ref().filter(|restore| restore.release.is_none()) {
            aws.record(&baseline.task_definition).await?;
        }
        ledger.adopt(one, known, context.now).await
    })
    .await?;
    let concurrency = context.environment.concurrency.max(1);
    // What goes back is never held up by a test that cannot be asked.
    let reach = !spec.to.goes_back() && numbered.iter().any(|(_, _, one)| packs::asked(one).is_some());
    let (next, waves, pause_seconds) = (Leasing::Wave, counts, 0);
    Ok(Leased { next, because, waves, repositories, concurrency, pause_seconds, reach })
}

/// Takes away what an earlier call wrote, of a plan that was larger: it would count as moves that never began.
pub(super) async fn forget_all_but(
    ledger: &impl Releases,
    release: &ReleaseId,
    kept: &[Numbered],
    fences: &Fences,
) -> Result<(), Fault> {
    let written = ledger.moves(release).await?;
    let services: BTreeSet<&ServiceName> = kept.iter().map(|(.., row)| &row.service).collect();
    let dropped = written.iter().filter(|(_, row)| !services.contains(&row.service));
    let dropped: BTreeMap<&ServiceName, &MoveRow> = dropped.map(|(_, row)| (&row.service, row)).collect();
    let dropped: Vec<&MoveRow> = dropped.into_values().collect();
    // First of all: a row that is gone does not tell any more whose service this was.
    at_once(&dropped, async |row| ledger.disown(release, row, fences.get(&row.service).copied()).await)
        .await?;
    let places: BTreeSet<(u32, u32)> = kept.iter().map(|(wave, n, _)| (*wave, *n)).collect();
    let stale: Vec<_> = written.iter().filter(|(key, _)| !places.contains(&key.order())).collect();
    at_once(&stale, async |(key, row)| {
        let fence = fences.get(&row.service).copied().unwrap_or(row.fence);
        ledger.forget(key, &row.service, fence).await
    })
    .await?;
    Ok(())
}
