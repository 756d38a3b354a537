//! Judges a wave by the rows of its moves, and by the alarms of all that are finished.

use futures_util::future::try_join;
use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::environment::OnFailure;
use pipeline::ids::ServiceName;
use pipeline::rows::{FrozenRow, Undo};

use crate::answer::{Judged, Next};
use crate::held::give_up_lost;
use crate::observe;
use crate::payload::Judge;
use crate::plan::verdict::{alarmed, decide, watched};
use crate::ports::{Alarms, Freezes, Leases, Releases};

/// Decides how the release goes on after a wave.
pub async fn judge(
    aws: &impl Alarms,
    ledger: &(impl Freezes + Leases + Releases),
    judge: Judge,
    now: Timestamp,
) -> Result<Judged, Fault> {
    let (release, wave) = (&judge.run.release, judge.wave);
    let (head, mut moves) = try_join(observe::head(ledger, release), ledger.moves(release)).await?;
    let services: Vec<ServiceName> = moves.iter().map(|(_, row)| row.service.clone()).collect();
    let leases = ledger.leases(&head.environment, &services).await?;
    give_up_lost(ledger, release, &mut moves, &leases, now).await?;
    let policy = &head.policy;
    let states = observe::states(aws, watched(&moves)).await?;
    for (place, said) in alarmed(&moves, &states, wave, policy, now) {
        let Some((key, row)) = moves.get_mut(place) else { continue };
        ledger.decide(key, row, &said, now).await?;
        (row.verdict, row.reason) = (Some(said.verdict), Some(said.reason));
    }
    let decision = decide(&moves, wave, policy, now);
    match decision.next {
        Next::Undo => {
            let undo = if policy.on_failure == OnFailure::UndoFailed { Undo::Failed } else { Undo::All };
            ledger.undo(release, undo).await?;
        }
        Next::Stop if policy.on_failure == OnFailure::Freeze => {
            let (by, because) = (release.clone(), decision.because.clone());
            let row = FrozenRow { frozen: true, by, because, since: now };
            ledger.freeze(&head.environment, &row).await?;
        }
        _ => {}
    }
    Ok(decision)
}
