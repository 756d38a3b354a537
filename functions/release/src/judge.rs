//! Judges a wave by the rows of its moves, and by the alarms of all that are finished.

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::environment::OnFailure;
use pipeline::rows::{FrozenRow, Undo};

use crate::answer::{Judged, Next};
use crate::observe;
use crate::payload::Judge;
use crate::plan::verdict::{alarmed, decide, watched};
use crate::ports::{Alarms, Freezes, Releases};

/// Decides how the release goes on after a wave.
pub async fn judge(
    aws: &impl Alarms,
    ledger: &(impl Freezes + Releases),
    judge: Judge,
    now: Timestamp,
) -> Result<Judged, Fault> {
    let (release, wave) = (&judge.run.release, judge.wave);
    let head = observe::head(ledger, release).await?;
    let mut moves = ledger.moves(release).await?;
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
