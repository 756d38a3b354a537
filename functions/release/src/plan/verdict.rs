//! How a release goes on after a wave, by the rows of its moves and by what people asked for meanwhile.  Pure.

use pipeline::clock::Timestamp;
use pipeline::environment::{Environment, OnFailure, Shift};
use pipeline::ids::ServiceName;
use pipeline::payload::{MoveKey, Step};
use pipeline::rows::{FrozenRow, HeadRow, MoveRow, Stop, Verdict};

use super::abort;
use super::alarms::is_healthy;
use super::freeze::Freeze;
use super::words::sentence;
use crate::answer::{Judged, Next};

/// How often alarms are looked at during one bake, and how long the pauses are at least.
const LOOKS: i64 = 20;
const PAUSE_SECONDS: i64 = 15;

/// How many seconds before its gate gives up a move has to be let go on.
const BEFORE_EXPIRY: i64 = 120;

/// How long a release is held before its next wave, and how often it looks: often at first, when a freeze is short.
const HELD_SECONDS: i64 = 24 * 3600;
const HOLD_SOON_SECONDS: i64 = 3600;
const HOLD_PAUSE_SECONDS: i64 = 60;
const LATER_PAUSE_SECONDS: i64 = 300;

/// Decides by the worst that happened: in the wave, or since to a move of a wave before it.
pub fn decide(
    moves: &[(MoveKey, MoveRow)],
    (wave, step): (u32, Step),
    (policy, failed): (&Environment, Option<&ServiceName>),
    now: Timestamp,
) -> Judged {
    let judged = |next, because: String, pause_seconds| Judged {
        next,
        because,
        wave,
        step,
        pause_seconds,
        closed: None,
    };
    let rows = moves.iter().filter(|(key, _)| key.wave <= wave).map(|(_, row)| row);
    let (waiting, reached): (Vec<&MoveRow>, Vec<&MoveRow>) =
        rows.partition(|row| policy.shift == Shift::Together && row.waits_for_others());
    let mut reached = reached.into_iter();
    let goes_back = if policy.on_failure == OnFailure::Freeze { Next::Stop } else { Next::Rollback };
    let unhealthy = reached.clone().find(|row| standing(row) == Verdict::Unhealthy).map(said);
    if let Some(why) = unhealthy.or_else(|| waiting.iter().find_map(|row| expired(row, now))) {
        return judged(goes_back, why, 0);
    }
    if let Some(row) = reached.clone().find(|row| standing(row) == Verdict::Inconclusive) {
        // The others were given up with it, whatever became of it since.
        let next = if failed.is_some() { goes_back } else { Next::Stop };
        return judged(next, said(row), 0);
    }
    match (waiting.first(), step) {
        (Some(_), Step::Move) => {
            let because = format!("wave {wave} is tested in the dark, and takes production traffic");
            return Judged { step: Step::Shift, ..judged(Next::Shift, because, 0) };
        }
        (Some(row), Step::Shift) => {
            let because = format!("{}: it was to take production traffic, and nobody let it", row.service);
            return judged(Next::Stop, because, 0);
        }
        (None, _) => {}
    }
    let left = left_to_bake(moves, wave, policy, now);
    if left > 0 {
        let watched = reached.any(|row| !row.alarms.is_empty());
        let step = if watched { (i64::from(policy.bake_seconds) / LOOKS).max(PAUSE_SECONDS) } else { left };
        // In every pause somebody may freeze the environment, or stop the release.
        let pause = left.min(step).min(policy.bake_pause_seconds());
        return judged(Next::Bake, format!("wave {wave} is healthy and bakes"), pause);
    }
    if moves.iter().any(|(key, _)| key.wave > wave) {
        let next = judged(Next::NextWave, format!("wave {wave} is healthy"), 0);
        return Judged { wave: wave + 1, step: Step::Move, ..next };
    }
    judged(Next::Done, String::new(), 0)
}

/// Ends a release that somebody stopped.
pub fn stopped(stop: &Stop, wave: u32, step: Step) -> Judged {
    let next = if stop.rollback { Next::Rollback } else { Next::Stop };
    Judged { next, because: abort::stopped(stop), wave, step, pause_seconds: 0, closed: None }
}

/// Holds a release before its next wave, while its environment is frozen by somebody else; a day at the longest.
pub fn held(
    moves: &[(MoveKey, MoveRow)],
    (wave, step): (u32, Step),
    head: &HeadRow,
    frozen: &FrozenRow,
    now: Timestamp,
) -> Judged {
    let decided = moves.iter().filter(|(key, _)| key.wave == wave).filter_map(|(_, row)| row.decided).max();
    let baked = decided.map(|decided| decided.plus_seconds(i64::from(head.policy.bake_seconds)));
    let held = now.seconds_since(baked.map_or(frozen.since, |baked| baked.max(frozen.since)));
    let waves = moves.iter().map(|(key, _)| key.wave + 1).max().unwrap_or_default();
    // People count waves from one.
    let (freeze, next) = (Freeze::Row(frozen.clone()).named(&head.environment), wave + 2);
    if held >= HELD_SECONDS {
        let because = format!("{freeze}: wave {next} of {waves} waited for a day, and did not start");
        return Judged { next: Next::Stop, because, wave, step, pause_seconds: 0, closed: None };
    }
    let because = format!("{freeze}: wave {next} of {waves} waits; resume to go on, or abort");
    let pause_seconds = if held < HOLD_SOON_SECONDS { HOLD_PAUSE_SECONDS } else { LATER_PAUSE_SECONDS };
    Judged { next: Next::Bake, because, wave, step, pause_seconds, closed: None }
}

/// Tells whether a wave has baked.
pub fn has_baked(moves: &[(MoveKey, MoveRow)], wave: u32, policy: &Environment, now: Timestamp) -> bool {
    left_to_bake(moves, wave, policy, now) <= 0
}

/// Returns how many seconds a wave has left to bake, from its last verdict on.
fn left_to_bake(moves: &[(MoveKey, MoveRow)], wave: u32, policy: &Environment, now: Timestamp) -> i64 {
    let healthy = moves.iter().filter(|(key, row)| key.wave == wave && is_healthy(row));
    let last = healthy.filter_map(|(_, row)| row.decided).max();
    last.map_or(0, |last| i64::from(policy.bake_seconds) - now.seconds_since(last))
}

/// Says that the gate of a move which waits for others gives up before it could be answered.
fn expired(row: &MoveRow, now: Timestamp) -> Option<String> {
    let until = row.gate.as_ref()?.expires?;
    (until.seconds_since(now) < BEFORE_EXPIRY)
        .then(|| format!("{}: its gate gives up at {until}, before all of its wave was tested", row.service))
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
    let reason =
        row.reason.clone().or(failure).unwrap_or_else(|| "the ledger holds no result of its move".to_owned());
    format!("{}: {reason}", row.service)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::{environment, head, release, row};
    use pipeline::rows::{Failure, Gate, GateVerdict, Traffic};
    use pipeline::service_deployment::Stage;

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
        let judged = decide(moves, (0, Step::Move), (&policy, None), Timestamp::from_millis(NOW));
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
            let caught = if policy == Freeze { Next::Stop } else { Next::Rollback };
            check(&[healthy.clone(), newer.clone()], policy, 0, (Next::Done, 0, 0));
            check(std::slice::from_ref(&newer), policy, 60, (Next::Done, 0, 0));
            check(&[healthy.clone(), bad.clone(), unknown.clone()], policy, 0, (caught, 0, 0));
            check(&[healthy.clone(), broken.clone()], policy, 0, (caught, 0, 0));
            check(&[healthy.clone(), unknown.clone()], policy, 0, (Next::Stop, 0, 0));
            check(std::slice::from_ref(&unfinished), policy, 0, (Next::Stop, 0, 0));
            check(&[at(0, seen(Verdict::Pending))], policy, 0, (Next::Stop, 0, 0));
        }
    }

    #[test]
    fn a_healthy_wave_bakes_and_then_the_next_one_follows() {
        let moves = [at(0, seen(Verdict::Healthy)), at(1, row("orders"))];
        check(&moves, OnFailure::UndoAll, 60, (Next::Bake, 0, 30));
        check(&moves, OnFailure::UndoAll, 30, (Next::NextWave, 1, 0));
        check(&moves[..1], OnFailure::UndoAll, 30, (Next::Done, 0, 0));
        let baked = |bake_seconds| {
            let policy = Environment { bake_seconds, ..environment() };
            has_baked(&moves, 0, &policy, Timestamp::from_millis(NOW))
        };
        assert!(!baked(31) && baked(30), "from then on an alarm that is gone counts");
    }

    #[test]
    fn a_wave_with_alarms_is_looked_at_again_and_again() {
        let alarms = vec!["shop-5xx".to_owned()];
        let moves = [at(0, MoveRow { alarms, ..seen(Verdict::Healthy) })];
        check(&moves, OnFailure::UndoAll, 60, (Next::Bake, 0, 15));
        check(&moves, OnFailure::UndoAll, 800, (Next::Bake, 0, 40));
        check(&moves, OnFailure::UndoAll, 31, (Next::Bake, 0, 1));
    }

    #[test]
    fn a_move_of_an_earlier_wave_counts_as_long_as_the_release_goes_on() {
        let moves = [at(0, seen(Verdict::Unhealthy)), at(1, seen(Verdict::Healthy)), at(2, row("orders"))];
        let policy = Environment { bake_seconds: 0, ..environment() };
        let judged = decide(&moves, (1, Step::Move), (&policy, None), Timestamp::from_millis(NOW));
        assert_eq!((judged.next, judged.wave), (Next::Rollback, 1));
    }

    /// A move that is proven in the dark, and whose gate waits for so many seconds more.
    fn waiting(left: i64) -> MoveRow {
        let at = Timestamp::from_millis(NOW);
        let (stage, reason) = (Stage::of("POST_TEST_TRAFFIC_SHIFT"), "why".to_owned());
        let traffic = Traffic {
            strategy: "BLUE_GREEN".to_owned(),
            gate: stage.clone(),
            seconds: 300,
            drain_minutes: 0,
        };
        let (hook, verdict, expires) =
            ("h1".to_owned(), GateVerdict::DarkHealthy, Some(at.plus_seconds(left)));
        let gate = Gate { hook, stage, verdict, reason, expires, at, poll: 3, deployment: String::new() };
        MoveRow { traffic: Some(traffic), gate: Some(gate), touched: Some(at), ..row("users") }
    }

    #[test]
    fn a_wave_takes_its_traffic_together_once_all_of_it_is_tested() {
        let judged = |moves: &[MoveRow], step, shift, on_failure| {
            let policy = Environment { shift, on_failure, bake_seconds: 0, ..environment() };
            let moves: Vec<_> =
                moves.iter().map(|row| at(0, row.clone())).chain([at(1, row("last"))]).collect();
            let judged = decide(&moves, (0, step), (&policy, None), Timestamp::from_millis(NOW));
            (judged.next, judged.step)
        };
        let (healthy, bad, unknown) =
            (seen(Verdict::Healthy), seen(Verdict::Unhealthy), seen(Verdict::Inconclusive));
        let shifted = MoveRow { shifted: Some(Timestamp::from_millis(NOW)), ..waiting(600) };
        let unanswered = MoveRow { failure: failed().failure, ..waiting(600) };
        use {Step::Move, Step::Shift as Shifts};
        for (moves, step, expected) in [
            (&[healthy.clone(), waiting(600)][..], Move, (Next::Shift, Shifts)),
            (&[waiting(600), waiting(120)], Move, (Next::Shift, Shifts)),
            (&[waiting(600), waiting(119)], Move, (Next::Rollback, Move)),
            (&[waiting(600), bad.clone()], Move, (Next::Rollback, Move)),
            (&[waiting(600), unknown.clone()], Move, (Next::Stop, Move)),
            (&[waiting(600), unanswered], Move, (Next::Stop, Move)),
            (&[waiting(600), shifted.clone()], Move, (Next::Stop, Move)),
            // Nobody lets them wait for ever.
            (&[healthy.clone(), waiting(600)], Shifts, (Next::Stop, Shifts)),
            (&[bad, unknown], Shifts, (Next::Rollback, Shifts)),
            (&[healthy.clone(), healthy], Shifts, (Next::NextWave, Move)),
        ] {
            assert_eq!(judged(moves, step, Shift::Together, OnFailure::UndoAll), expected, "{moves:?}");
        }
        assert_eq!(judged(&[waiting(60)], Move, Shift::Together, OnFailure::Freeze), (Next::Stop, Move));
        // They were given up with one that failed, and of which nobody knows the end.
        let given_up = [at(0, seen(Verdict::Inconclusive))];
        let failed = ServiceName::parse("carts").unwrap();
        for (on_failure, expected) in [(OnFailure::UndoAll, Next::Rollback), (OnFailure::Freeze, Next::Stop)]
        {
            let policy = Environment { shift: Shift::Together, on_failure, ..environment() };
            let of = (&policy, Some(&failed));
            assert_eq!(decide(&given_up, (0, Shifts), of, Timestamp::from_millis(NOW)).next, expected);
        }
        assert_eq!(judged(&[waiting(600)], Move, Shift::Each, OnFailure::UndoAll), (Next::Stop, Move));
    }

    #[test]
    fn no_bake_lasts_so_long_that_nobody_can_stop_it() {
        let moves = [at(0, seen(Verdict::Healthy))];
        check(&moves, OnFailure::UndoAll, 600, (Next::Bake, 0, 60));
        // Two waves and the rest: 24 hours in 1,500 pauses for all three.
        check(&moves, OnFailure::UndoAll, 24 * 3600, (Next::Bake, 0, 173));
        let alarms = vec!["shop-5xx".to_owned()];
        let watched = [at(0, MoveRow { alarms, ..seen(Verdict::Healthy) })];
        check(&watched, OnFailure::UndoAll, 24 * 3600, (Next::Bake, 0, 173));
    }

    #[test]
    fn a_stopped_release_goes_back_unless_somebody_asked_it_to_stay() {
        for (rollback, next) in [(true, Next::Rollback), (false, Next::Stop)] {
            let since = Timestamp::from_millis(NOW);
            let stop = Stop { by: release("r9"), because: "bad numbers".to_owned(), since, rollback };
            let judged = stopped(&stop, 2, Step::Move);
            assert_eq!((judged.next, judged.wave), (next, 2));
            assert_eq!(judged.because, "stopped by r9 (bad numbers)");
        }
    }

    #[test]
    fn a_frozen_release_is_held_before_its_next_wave_for_a_day() {
        let moves = [at(0, seen(Verdict::Healthy)), at(1, row("orders")), at(2, row("carts"))];
        let head = HeadRow { policy: Environment { bake_seconds: 30, ..environment() }, ..head() };
        let held_for = |frozen: i64, now: i64| {
            let (by, since) = (release("r9"), Timestamp::from_millis(NOW + frozen * 1000));
            let frozen =
                FrozenRow { frozen: true, by, because: "the sale".to_owned(), since, automatic: false };
            let judged =
                held(&moves, (0, Step::Move), &head, &frozen, Timestamp::from_millis(NOW + now * 1000));
            assert_eq!(judged.wave, 0, "it is judged again");
            (judged.next, judged.pause_seconds, judged.because)
        };
        let since = |frozen, now| {
            let (next, pause, _) = held_for(frozen, now);
            (next, pause)
        };
        // Its bake ended at NOW: before, there was nothing to hold.
        assert_eq!(since(-100_000, 3599), (Next::Bake, 60));
        assert_eq!(since(-100_000, 3600), (Next::Bake, 300));
        assert_eq!(since(600, 4199), (Next::Bake, 60));
        assert_eq!(since(600, 4200), (Next::Bake, 300));
        assert_eq!(since(0, 24 * 3600 - 1), (Next::Bake, 300));
        assert_eq!(since(0, 24 * 3600), (Next::Stop, 0));
        assert_eq!(
            held_for(-100, 0).2,
            "dev is frozen since 1970-01-01T00:00:00Z by r9 (the sale): wave 2 of 3 waits; resume to go on, or abort"
        );
    }
}
