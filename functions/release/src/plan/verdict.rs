//! How a release goes on after a wave, by the rows of its moves and the alarms of those that are finished.  Pure.

use std::collections::BTreeSet;

use pipeline::clock::Timestamp;
use pipeline::environment::{Environment, OnFailure};
use pipeline::payload::MoveKey;
use pipeline::rows::{MoveRow, Verdict};

use super::words::sentence;
use crate::answer::{Judged, Next};
use crate::ports::{Alarm, AlarmStates, AlarmVerdict};

/// How often alarms are looked at during one bake, and how long the pauses are at least.
const LOOKS: i64 = 20;
const PAUSE_SECONDS: i64 = 15;

/// Returns the alarms of the moves that are healthy.
pub fn watched(moves: &[(MoveKey, MoveRow)]) -> BTreeSet<String> {
    moves.iter().filter(|(_, row)| is_healthy(row)).flat_map(|(_, row)| row.alarms.clone()).collect()
}

/// Returns the places of the moves that were healthy and of which an alarm says otherwise.
pub fn alarmed(
    moves: &[(MoveKey, MoveRow)],
    states: &AlarmStates,
    wave: u32,
    policy: &Environment,
    now: Timestamp,
) -> Vec<(usize, AlarmVerdict)> {
    let baked = left_to_bake(moves, wave, policy, now) <= 0;
    let healthy = moves.iter().enumerate().filter(|(_, (_, row))| is_healthy(row));
    healthy.filter_map(|(place, (_, row))| Some((place, alarm_verdict(row, states, baked)?))).collect()
}

fn is_healthy(row: &MoveRow) -> bool {
    row.verdict == Some(Verdict::Healthy)
}

/// Says what the alarms of a healthy move make of it, if they are not quiet.
///
/// One that cannot tell is waited for as long as the wave bakes.
fn alarm_verdict(row: &MoveRow, states: &AlarmStates, baked: bool) -> Option<AlarmVerdict> {
    let is = |wanted: Option<Alarm>| row.alarms.iter().find(move |name| states.get(*name).copied() == wanted);
    if let Some(name) = is(Some(Alarm::InAlarm)) {
        let reason = format!("the alarm {name} went red after it was healthy");
        return Some(AlarmVerdict { verdict: Verdict::Unhealthy, reason, alarm: name.clone() });
    }
    let silent = is(Some(Alarm::Unknown)).or_else(|| is(None)).filter(|_| baked)?;
    let reason = format!("the alarm {silent} cannot tell any more how it does");
    Some(AlarmVerdict { verdict: Verdict::Inconclusive, reason, alarm: silent.clone() })
}

/// Decides by the worst that happened: in the wave, or since to a move of a wave before it.
pub fn decide(moves: &[(MoveKey, MoveRow)], wave: u32, policy: &Environment, now: Timestamp) -> Judged {
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
    let healthy = moves.iter().filter(|(key, row)| key.wave == wave && is_healthy(row));
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
    let failure =
        row.failure.as_ref().map(|failure| format!("{}: {}", failure.error, sentence(&failure.cause)));
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
            alarm_verdict(&row, &states.collect(), baked).map(|said| said.verdict)
        };
        use Alarm::{InAlarm, Ok, Unknown};
        for baked in [false, true] {
            assert_eq!(heard(Some(Ok), Some(Ok), baked), None);
            assert_eq!(heard(Some(Unknown), Some(InAlarm), baked), Some(Verdict::Unhealthy));
        }
        for silent in [Some(Unknown), None] {
            assert_eq!(heard(Some(Ok), silent, false), None);
            assert_eq!(heard(Some(Ok), silent, true), Some(Verdict::Inconclusive));
        }
    }
}
