//! Judges a wave by the rows of its moves.

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::environment::OnFailure;
use pipeline::payload::MoveKey;
use pipeline::rows::{FrozenRow, MoveRow, Undo, Verdict};

use crate::answer::{Judged, Next};
use crate::book::Book;
use crate::world::World;
use crate::{Judge, Release};

impl<W: World, B: Book> Release<W, B> {
    /// Decides how the release goes on after a wave.
    pub(crate) async fn judge(&self, judge: Judge, now: Timestamp) -> Result<Judged, Fault> {
        let head = self.book.head(&judge.run.release).await?;
        let head =
            head.ok_or_else(|| Fault::NotFound(format!("the head of release {}", judge.run.release)))?;
        let moves = self.book.moves(&judge.run.release).await?;
        let (wave, policy) = (judge.wave, &head.policy);
        let decision = decide(&moves, wave, policy.on_failure, policy.bake_seconds, now);
        match decision.next {
            Next::Undo => {
                let undo = if policy.on_failure == OnFailure::UndoFailed { Undo::Failed } else { Undo::All };
                self.book.undo(&judge.run.release, undo).await?;
            }
            Next::Stop if policy.on_failure == OnFailure::Freeze => {
                let (by, because) = (judge.run.release.clone(), decision.because.clone());
                let row = FrozenRow { frozen: true, by, because, since: now };
                self.book.freeze(&head.environment, &row).await?;
            }
            _ => {}
        }
        Ok(decision)
    }
}

/// Decides by the worst that happened in the wave.
fn decide(
    moves: &[(MoveKey, MoveRow)],
    wave: u32,
    policy: OnFailure,
    bake_seconds: u32,
    now: Timestamp,
) -> Judged {
    let rows: Vec<&MoveRow> = moves.iter().filter(|(key, _)| key.wave == wave).map(|(_, row)| row).collect();
    let judged = |next, because: String, pause_seconds| Judged { next, because, wave, pause_seconds };
    if let Some(row) = rows.iter().find(|row| standing(row) == Verdict::Unhealthy) {
        let next = if policy == OnFailure::Freeze { Next::Stop } else { Next::Undo };
        return judged(next, said(row), 0);
    }
    if let Some(row) = rows.iter().find(|row| standing(row) == Verdict::Inconclusive) {
        return judged(Next::Stop, said(row), 0);
    }
    let healthy = rows.iter().filter(|row| row.verdict == Some(Verdict::Healthy));
    if let Some(last) = healthy.filter_map(|row| row.decided).max() {
        let left = i64::from(bake_seconds) - now.seconds_since(last);
        if left > 0 {
            return judged(Next::Bake, format!("wave {wave} is healthy and bakes"), left);
        }
    }
    if moves.iter().any(|(key, _)| key.wave > wave) {
        return Judged { wave: wave + 1, ..judged(Next::NextWave, format!("wave {wave} is healthy"), 0) };
    }
    judged(Next::Done, String::new(), 0)
}

/// Returns what a move counts as once its item has ended.
fn standing(row: &MoveRow) -> Verdict {
    match (row.verdict, row.touched) {
        (Some(verdict), _) if verdict != Verdict::Pending => verdict,
        // It failed before its service was changed.
        (_, None) => Verdict::Unhealthy,
        // It was changed, and nobody looked to the end.
        (_, Some(_)) => Verdict::Inconclusive,
    }
}

/// Says what happened to a move.
fn said(row: &MoveRow) -> String {
    let failure = row
        .failure
        .as_ref()
        .map(|failure| format!("{}: {}", failure.error, crate::close::sentence(&failure.cause)));
    let reason = row.reason.clone().or(failure).unwrap_or_else(|| "its move ended without a word".to_owned());
    format!("{}: {reason}", row.service)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::row;
    use pipeline::rows::Failure;

    const NOW: i64 = 100_000;

    fn at(wave: u32, row: MoveRow) -> (MoveKey, MoveRow) {
        (MoveKey::new(pipeline::ids::ReleaseId::parse("r1").unwrap(), wave, 0), row)
    }

    fn seen(verdict: Verdict) -> MoveRow {
        let (touched, decided) =
            (Some(Timestamp::from_millis(0)), Some(Timestamp::from_millis(NOW - 30_000)));
        MoveRow { touched, decided, verdict: Some(verdict), reason: Some("why".to_owned()), ..row("users") }
    }

    fn failed() -> MoveRow {
        let failure = Failure { error: "Denied".to_owned(), cause: "no".to_owned() };
        MoveRow { failure: Some(failure), ..row("users") }
    }

    fn check(moves: &[(MoveKey, MoveRow)], policy: OnFailure, bake: u32, expected: (Next, u32, i64)) {
        let judged = decide(moves, 0, policy, bake, Timestamp::from_millis(NOW));
        assert_eq!((judged.next, judged.wave, judged.pause_seconds), expected, "{policy:?}");
    }

    #[test]
    fn the_worst_of_a_wave_decides() {
        let (healthy, newer) = (at(0, seen(Verdict::Healthy)), at(0, seen(Verdict::Superseded)));
        let (bad, unknown, broken) = (seen(Verdict::Unhealthy), seen(Verdict::Inconclusive), failed());
        let (bad, unknown, broken) = (at(0, bad), at(0, unknown), at(0, broken));
        let unfinished = at(0, MoveRow { touched: Some(Timestamp::from_millis(0)), ..row("users") });
        use OnFailure::{Freeze, UndoAll, UndoFailed};
        for policy in [UndoAll, UndoFailed, Freeze] {
            let caught = if policy == Freeze { Next::Stop } else { Next::Undo };
            check(&[healthy.clone(), newer.clone()], policy, 0, (Next::Done, 0, 0));
            check(std::slice::from_ref(&newer), policy, 60, (Next::Done, 0, 0));
            check(&[healthy.clone(), bad.clone(), unknown.clone()], policy, 0, (caught, 0, 0));
            check(&[healthy.clone(), broken.clone()], policy, 0, (caught, 0, 0));
            check(&[healthy.clone(), unknown.clone()], policy, 0, (Next::Stop, 0, 0));
            check(std::slice::from_ref(&unfinished), policy, 0, (Next::Stop, 0, 0));
        }
    }

    #[test]
    fn a_healthy_wave_bakes_and_then_the_next_one_follows() {
        let moves = [at(0, seen(Verdict::Healthy)), at(1, row("orders"))];
        check(&moves, OnFailure::UndoAll, 60, (Next::Bake, 0, 30));
        check(&moves, OnFailure::UndoAll, 30, (Next::NextWave, 1, 0));
        check(&moves[..1], OnFailure::UndoAll, 30, (Next::Done, 0, 0));
    }
}
