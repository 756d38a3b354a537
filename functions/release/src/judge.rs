//! Judges a wave by the rows of its moves, by the alarms of all that are finished, and by what people asked for; a release
//! whose last wave is good is closed at once.

use std::collections::BTreeMap;

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::environment::OnFailure;
use pipeline::ids::{ReleaseId, ServiceName};
use pipeline::payload::{MoveKey, Step};
use pipeline::rows::{FrozenRow, HeadRow, LeaseRow, MoveRow, RollbackScope};

use crate::answer::{Judged, Next};
use crate::held::give_up_lost;
use crate::payload::Judge;
use crate::plan::ReleaseSpec;
use crate::plan::alarms::{alarmed, watched};
use crate::plan::guard;
use crate::plan::verdict::{decide, has_baked, held, stopped};
use crate::ports::{Alarms, Documents, Executions, Freezes, Guards, History, Leases, Releases};
use crate::{close, observe};

/// Decides how the release goes on after a wave; closes one whose last wave is good, where that is one write.
pub async fn judge(
    aws: &(impl Alarms + Documents + Executions),
    ledger: &(impl Freezes + Leases + Releases + Guards + History),
    judge: Judge,
    now: Timestamp,
) -> Result<Judged, Fault> {
    let Judge { run, wave, step } = &judge;
    let (head, mut moves) = ledger.head_and_moves(&run.release).await?;
    // By a call whose answer was lost.
    if let Some(head) = &head
        && let Some(closed) = close::closed_before(aws, run, (head, &moves), now).await?
    {
        return Ok(Judged::closed(closed, *wave, *step));
    }
    let head = observe::opened(head, &run.release)?;
    let leases = close::leases(ledger, &head, &moves).await?;
    let place = (&run.release, *wave, *step);
    let decision = decided(aws, ledger, place, (&head, &mut moves, &leases), now).await?;
    if decision.next == Next::Done
        && let Some(closed) = close::close_good(aws, ledger, run, (&head, &moves), &leases, now).await?
    {
        return Ok(Judged::closed(closed, *wave, *step));
    }
    Ok(decision)
}

/// Decides how a release that is open goes on after a wave, and writes that down.
async fn decided(
    aws: &impl Alarms,
    ledger: &(impl Freezes + Leases + Releases + Guards),
    (release, wave, step): (&ReleaseId, u32, Step),
    (head, moves, leases): (&HeadRow, &mut [(MoveKey, MoveRow)], &BTreeMap<ServiceName, LeaseRow>),
    now: Timestamp,
) -> Result<Judged, Fault> {
    give_up_lost(ledger, release, moves, leases, now).await?;
    if let Some(stop) = &head.stop {
        if stop.rollback {
            ledger.roll_back(release, RollbackScope::All).await?;
        }
        return Ok(stopped(stop, wave, step));
    }
    let policy = &head.policy;
    let mut decision = look(aws, ledger, head, moves, (wave, step), now).await?;
    if decision.next == Next::Done {
        let alarms = guard::alarms(head, release, watched(moves));
        if !alarms.is_empty() {
            let until = now.plus_seconds(i64::from(policy.guard_minutes) * 60);
            ledger.guard(release, &head.environment, &alarms, now, until).await?;
            // What goes red from now on finds these rows, and what went red before is seen here: nothing is missed.
            decision = look(aws, ledger, head, moves, (wave, step), now).await?;
        }
    }
    match decision.next {
        Next::Rollback => {
            let rollback = if policy.on_failure == OnFailure::UndoFailed {
                RollbackScope::Failed
            } else {
                RollbackScope::All
            };
            ledger.roll_back(release, rollback).await?;
        }
        Next::Stop if policy.on_failure == OnFailure::Freeze => {
            let (by, because) = (release.clone(), decision.because.clone());
            let row = FrozenRow { frozen: true, by, because, since: now, automatic: true };
            ledger.freeze(&head.environment, &row).await?;
        }
        // Written first: what is let through is let through by this row, whichever way the machine goes.
        Next::Shift => ledger.shift_through(release, wave).await?,
        Next::NextWave => {
            if let Some(frozen) = freeze_of_another(ledger, release, head).await? {
                return Ok(held(moves, (wave, step), head, &frozen, now));
            }
        }
        _ => {}
    }
    Ok(decision)
}

/// Asks the alarms of what is healthy, and decides by what they and the moves say.
async fn look(
    aws: &impl Alarms,
    ledger: &impl Releases,
    head: &HeadRow,
    moves: &mut [(MoveKey, MoveRow)],
    (wave, step): (u32, Step),
    now: Timestamp,
) -> Result<Judged, Fault> {
    let policy = &head.policy;
    let states = observe::states(aws, watched(moves)).await?;
    for (place, said) in alarmed(moves, &states, has_baked(moves, wave, policy, now)) {
        let Some((key, row)) = moves.get_mut(place) else { continue };
        ledger.decide(key, row, &said, now).await?;
        (row.verdict, row.reason) = (Some(said.verdict), Some(said.reason));
    }
    Ok(decide(moves, (wave, step), (policy, head.failed.as_ref()), now))
}

/// Reads the freeze that holds a release, if one does: what goes back is never held.
async fn freeze_of_another(
    ledger: &impl Freezes,
    release: &ReleaseId,
    head: &HeadRow,
) -> Result<Option<FrozenRow>, Fault> {
    if ReleaseSpec::of(head, release)?.to.goes_back() {
        return Ok(None);
    }
    let frozen = ledger.frozen(&head.environment).await?;
    Ok(frozen.filter(|frozen| frozen.by != *release))
}
