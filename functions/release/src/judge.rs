//! Judges a wave by the rows of its moves, and by the alarms of all that are finished.

use std::collections::{BTreeMap, BTreeSet};

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::environment::{Environment, OnFailure};
use pipeline::payload::MoveKey;
use pipeline::rows::{FrozenRow, MoveRow, Undo, Verdict};

use crate::answer::{Judged, Next};
use crate::book::Book;
use crate::world::{Alarm, World};
use crate::{Judge, Release};

/// How often alarms are looked at during one bake, and how long the pauses are at least.
const LOOKS: i64 = 20;
const PAUSE_SECONDS: i64 = 15;

/// What an alarm makes of a move that was healthy.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    /// What it counts as now.
    pub verdict: Verdict,
    /// Why.
    pub reason: String,
    /// The alarm.
    pub alarm: String,
}

impl<W: World, B: Book> Release<W, B> {
    /// Decides how the release goes on after a wave.
    pub(crate) async fn judge(&self, judge: Judge, now: Timestamp) -> Result<Judged, Fault> {
        let head = self.book.head(&judge.run.release).await?;
        let head =
            head.ok_or_else(|| Fault::NotFound(format!("the head of release {}", judge.run.release)))?;
        let mut moves = self.book.moves(&judge.run.release).await?;
        let (wave, policy) = (judge.wave, &head.policy);
        self.hear(&mut moves, wave, policy, now).await?;
        let decision = decide(&moves, wave, policy, now);
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

    /// Changes the verdict of a healthy move whose alarm is not quiet any more.
    async fn hear(
        &self,
        moves: &mut [(MoveKey, MoveRow)],
        wave: u32,
        policy: &Environment,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let healthy = |row: &MoveRow| row.verdict == Some(Verdict::Healthy);
        let names: BTreeSet<String> =
            moves.iter().filter(|(_, row)| healthy(row)).flat_map(|(_, row)| row.alarms.clone()).collect();
        if names.is_empty() {
            return Ok(());
        }
        let states = self.world.alarms(&names).await?;
        let baked = left_to_bake(moves, wave, policy, now) <= 0;
        for (key, row) in moves.iter_mut().filter(|(_, row)| healthy(row)) {
            if let Some(heard) = heard(row, &states, baked) {
                self.book.decide(key, row, &heard, now).await?;
                (row.verdict, row.reason) = (Some(heard.verdict), Some(heard.reason));
            }
        }
        Ok(())
    }
}

/// Says what the alarms of a healthy move make of it, if they are not quiet.
///
/// One that cannot tell is waited for as long as the wave bakes.
fn heard(row: &MoveRow, states: &BTreeMap<String, Alarm>, baked: bool) -> Option<Heard> {
    let is = |wanted: Option<Alarm>| row.alarms.iter().find(move |name| states.get(*name).copied() == wanted);
    if let Some(name) = is(Some(Alarm::Red)) {
        let reason = format!("the alarm {name} went red after it was healthy");
        return Some(Heard { verdict: Verdict::Unhealthy, reason, alarm: name.clone() });
    }
    let silent = is(Some(Alarm::Unknown)).or_else(|| is(None)).filter(|_| baked)?;
    let reason = format!("the alarm {silent} cannot tell any more how it does");
    Some(Heard { verdict: Verdict::Inconclusive, reason, alarm: silent.clone() })
}

/// Decides by the worst that happened: in the wave, or since to a move of a wave before it.
fn decide(moves: &[(MoveKey, MoveRow)], wave: u32, policy: &Environment, now: Timestamp) -> Judged {
    let judged = |next, because: String, pause_seconds| Judged { next, because, wave, pause_seconds };
    let mut reached = moves.iter().filter(|(key, _)| key.wave <= wave).map(|(_, row)| row);
    if let Some(row) = reached.clone().find(|row| standing(row) == Verdict::Unhealthy) {
        let next = if policy.on_failure == OnFailure::Freeze { Next::Stop } else { Next::Undo };
        return judged(next, said(row), 0);
    }
    if let Some(row) = reached.clone().find(|row| standing(row) == Verdict::Inconclusive) {
        return judged(Next::Stop, said(row), 0);
    }
    let left = left_to_bake(moves, wave, policy, now);
    if left > 0 {
        let watched = reached.any(|row| !row.alarms.is_empty());
        let step = if watched { (i64::from(policy.bake_seconds) / LOOKS).max(PAUSE_SECONDS) } else { left };
        return judged(Next::Bake, format!("wave {wave} is healthy and bakes"), left.min(step));
    }
    if moves.iter().any(|(key, _)| key.wave > wave) {
        return Judged { wave: wave + 1, ..judged(Next::NextWave, format!("wave {wave} is healthy"), 0) };
    }
    judged(Next::Done, String::new(), 0)
}

/// Returns how many seconds a wave has left to bake, from its last verdict on.
fn left_to_bake(moves: &[(MoveKey, MoveRow)], wave: u32, policy: &Environment, now: Timestamp) -> i64 {
    let healthy = moves.iter().filter(|(key, row)| key.wave == wave && row.verdict == Some(Verdict::Healthy));
    let last = healthy.filter_map(|(_, row)| row.decided).max();
    last.map_or(0, |last| i64::from(policy.bake_seconds) - now.seconds_since(last))
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
    use crate::plan::tests::{environment, row};
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

    fn check(moves: &[(MoveKey, MoveRow)], on_failure: OnFailure, bake: u32, expected: (Next, u32, i64)) {
        let policy = Environment { on_failure, bake_seconds: bake, ..environment() };
        let judged = decide(moves, 0, &policy, Timestamp::from_millis(NOW));
        assert_eq!((judged.next, judged.wave, judged.pause_seconds), expected, "{on_failure:?}");
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

    #[test]
    fn a_wave_with_alarms_is_looked_at_again_and_again() {
        let alarms = vec!["shop-5xx".to_owned()];
        let moves = [at(0, MoveRow { alarms, ..seen(Verdict::Healthy) })];
        check(&moves, OnFailure::UndoAll, 60, (Next::Bake, 0, 15));
        check(&moves, OnFailure::UndoAll, 6000, (Next::Bake, 0, 300));
        check(&moves, OnFailure::UndoAll, 31, (Next::Bake, 0, 1));
    }

    #[test]
    fn a_move_of_an_earlier_wave_counts_as_long_as_the_release_goes_on() {
        let moves = [at(0, seen(Verdict::Unhealthy)), at(1, seen(Verdict::Healthy)), at(2, row("orders"))];
        let policy = Environment { bake_seconds: 0, ..environment() };
        let judged = decide(&moves, 1, &policy, Timestamp::from_millis(NOW));
        assert_eq!((judged.next, judged.wave), (Next::Undo, 1));
    }

    #[test]
    fn an_alarm_that_is_red_is_unhealthy_and_one_that_cannot_tell_is_waited_for() {
        let row = MoveRow { alarms: vec!["a".to_owned(), "b".to_owned()], ..seen(Verdict::Healthy) };
        let heard = |a: Option<Alarm>, b: Option<Alarm>, baked: bool| {
            let states = [("a", a), ("b", b)].into_iter().filter_map(|(name, s)| Some((name.to_owned(), s?)));
            heard(&row, &states.collect(), baked).map(|heard| heard.verdict)
        };
        use Alarm::{Ok, Red, Unknown};
        for baked in [false, true] {
            assert_eq!(heard(Some(Ok), Some(Ok), baked), None);
            assert_eq!(heard(Some(Unknown), Some(Red), baked), Some(Verdict::Unhealthy));
        }
        for silent in [Some(Unknown), None] {
            assert_eq!(heard(Some(Ok), silent, false), None);
            assert_eq!(heard(Some(Ok), silent, true), Some(Verdict::Inconclusive));
        }
    }
}
