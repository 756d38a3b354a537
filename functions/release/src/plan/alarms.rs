//! What the alarms say of the moves that they speak of.  Pure.

use std::collections::BTreeSet;

use pipeline::alarm::{Alarm, AlarmState, first_against, went_red};
use pipeline::payload::MoveKey;
use pipeline::rows::{MoveRow, Verdict};

use crate::ports::{AlarmStates, AlarmVerdict};

/// Keeps of the alarms of each move those that exist, and tells what a person should know of them.
pub fn watch_what_exists(moves: &mut [MoveRow], states: &AlarmStates) -> Vec<String> {
    let mut findings = Vec::new();
    for row in moves {
        let service = row.service.clone();
        row.alarms.retain(|name| match states.get(name) {
            Some(Alarm { state: AlarmState::InAlarm, .. }) => {
                findings.push(format!(
                    "{service}: the alarm {name} is in ALARM already: it counts only after it has recovered and goes to ALARM again"
                ));
                true
            }
            Some(_) => true,
            None => {
                findings.push(format!("{service}: the alarm {name} does not exist, so it is not watched"));
                false
            }
        });
    }
    findings
}

/// Returns the alarms of the moves that are healthy.
pub fn watched(moves: &[(MoveKey, MoveRow)]) -> BTreeSet<String> {
    moves.iter().filter(|(_, row)| is_healthy(row)).flat_map(|(_, row)| row.alarms.clone()).collect()
}

/// Returns the places of the moves that were healthy and of which an alarm says otherwise.
pub fn alarmed(
    moves: &[(MoveKey, MoveRow)],
    states: &AlarmStates,
    baked: bool,
) -> Vec<(usize, AlarmVerdict)> {
    let healthy = moves.iter().enumerate().filter(|(_, (_, row))| is_healthy(row));
    healthy.filter_map(|(place, (_, row))| Some((place, verdict(row, states, baked)?))).collect()
}

/// Tells whether a move is healthy.
pub fn is_healthy(row: &MoveRow) -> bool {
    row.verdict == Some(Verdict::Healthy)
}

/// Says what the alarms of a healthy move make of it, if anything.
///
/// One that is gone may come back as long as the wave bakes, as when a stack replaces it.
fn verdict(row: &MoveRow, states: &AlarmStates, baked: bool) -> Option<AlarmVerdict> {
    if let Some(name) = first_against(row, states) {
        let (verdict, reason) = (Verdict::Unhealthy, went_red(name));
        return Some(AlarmVerdict { verdict, reason, alarm: name.clone() });
    }
    let gone = row.alarms.iter().find(|name| baked && !states.contains_key(*name))?;
    let reason =
        format!("the alarm {gone} was deleted during the release, so that it can no longer be watched");
    Some(AlarmVerdict { verdict: Verdict::Inconclusive, reason, alarm: gone.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::row;
    use pipeline::clock::Timestamp;

    const BEFORE: i64 = 1_000;
    const LEASED: i64 = 2_000;
    const AFTER: i64 = 3_000;

    fn alarm(state: AlarmState, since: i64) -> Option<Alarm> {
        Some(Alarm { state, since: Some(Timestamp::from_millis(since)) })
    }

    fn states(a: Option<Alarm>, b: Option<Alarm>) -> AlarmStates {
        [("a", a), ("b", b)].into_iter().filter_map(|(name, said)| Some((name.to_owned(), said?))).collect()
    }

    fn watching() -> MoveRow {
        let (leased, alarms) = (Some(Timestamp::from_millis(LEASED)), vec!["a".to_owned(), "b".to_owned()]);
        MoveRow { leased, alarms, verdict: Some(Verdict::Healthy), ..row("users") }
    }

    #[test]
    fn an_alarm_that_goes_red_again_is_unhealthy_and_one_that_is_deleted_is_waited_for() {
        use AlarmState::{InAlarm, InsufficientData, Ok};
        let quiet = alarm(Ok, BEFORE);
        let heard = |a, b, baked| verdict(&watching(), &states(a, b), baked).map(|said| said.verdict);
        for baked in [false, true] {
            for still in [quiet, alarm(Ok, AFTER), alarm(InAlarm, BEFORE), alarm(InsufficientData, AFTER)] {
                assert_eq!(heard(quiet, still, baked), None, "{still:?}");
            }
            assert_eq!(heard(None, alarm(InAlarm, AFTER), baked), Some(Verdict::Unhealthy));
        }
        assert_eq!(heard(quiet, None, false), None);
        assert_eq!(heard(quiet, None, true), Some(Verdict::Inconclusive));
    }

    #[test]
    fn every_alarm_that_exists_is_watched_and_what_a_person_should_know_is_told() {
        use AlarmState::{InAlarm, InsufficientData, Ok};
        let kept = |a, b| {
            let mut moves = [watching()];
            let told = watch_what_exists(&mut moves, &states(a, b));
            (moves[0].alarms.join(" "), told)
        };
        let quiet = alarm(Ok, BEFORE);
        assert_eq!(kept(quiet, alarm(InsufficientData, BEFORE)), ("a b".to_owned(), vec![]));
        let red = "users: the alarm b is in ALARM already: it counts only after it has recovered and goes to ALARM again";
        assert_eq!(kept(quiet, alarm(InAlarm, BEFORE)), ("a b".to_owned(), vec![red.to_owned()]));
        let missing = "users: the alarm b does not exist, so it is not watched";
        assert_eq!(kept(quiet, None), ("a".to_owned(), vec![missing.to_owned()]));
    }
}
