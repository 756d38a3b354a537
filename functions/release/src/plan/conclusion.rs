//! How a release ended, and what its moves have shown.  Pure.

use std::collections::BTreeMap;

use pipeline::ids::ReleaseId;
use pipeline::payload::MoveKey;
use pipeline::rows::MoveOutcome;
use pipeline::rows::{HeadRow, MoveRow, Outcome, RollbackScope, Verdict};
use serde_json::Value;

use super::abort;
use super::traffic::is_blameless;
use super::words::sentence;
use crate::answer::{Closed, MoveSummary, SHOWN};

/// Tells whether a move has shown that its image is bad; neither an alarm that others share has, nor what people did.
pub fn is_bad(row: &MoveRow) -> bool {
    let shown = row.alarm.is_none() && !is_blameless(row);
    row.touched.is_some() && row.verdict == Some(Verdict::Unhealthy) && shown
}

/// Tells the outcome: what ended the release before its first wave, or what its moves became.
pub fn conclude(
    outcome: &str,
    because: &str,
    moves: &[(MoveKey, MoveRow)],
    rollback: Option<RollbackScope>,
) -> Closed {
    let mut fates = BTreeMap::new();
    for (_, row) in moves {
        *fates.entry(MoveOutcome::of(row, rollback)).or_insert(0) += 1;
    }
    let outcome = match outcome_named(outcome) {
        Some(named) => named,
        None if moves.is_empty() => Outcome::NeedsHuman,
        None => outcome_of(&fates, rollback),
    };
    let summary = |row: &MoveRow| MoveSummary {
        service: row.service.clone(),
        fate: MoveOutcome::of(row, rollback),
        from: row.restore.as_ref().map(|restore| restore.digest.clone()),
        to: row.digest.clone(),
        reason: row.reason.clone(),
    };
    let because = match (sentence(because), outcome) {
        (why, Outcome::Deployed) if why.is_empty() => {
            format!(
                "{} of {} deployed and tested live",
                fates.get(&MoveOutcome::Deployed).unwrap_or(&0),
                moves.len()
            )
        }
        (why, Outcome::Superseded) if why.is_empty() && !moves.is_empty() => {
            let told =
                moves.iter().find_map(|(_, row)| Some(format!("{}: {}", row.service, row.reason.as_ref()?)));
            told.unwrap_or_else(|| "other releases have taken over all its services".to_owned())
        }
        (why, _) if why.is_empty() => "the ledger holds no reason".to_owned(),
        (why, _) => why,
    };
    Closed { outcome, because, fates, moves: moves.iter().take(SHOWN).map(|(_, row)| summary(row)).collect() }
}

/// Tells that a release was stopped after its last wave was judged: what it did stays, and is not what was asked for.
pub fn stopped_too_late(release: &ReleaseId, head: &HeadRow, closed: &Closed) -> Option<(Outcome, String)> {
    let stop = head.stop.as_ref().filter(|_| closed.outcome == Outcome::Deployed)?;
    let request = abort::rollback(&head.environment, release, &stop.because);
    let because = format!(
        "{}, after its last wave was judged: its services run what it deployed; to roll back, ask for {request}",
        abort::stopped(stop)
    );
    Some((Outcome::NeedsHuman, because))
}

/// Tells that a release ended by itself since an image could not be tested: its service was left alone, and a person
/// has to hear of it.
pub fn is_untested(head: &HeadRow, closed: &Closed, moves: &[(MoveKey, MoveRow)]) -> bool {
    let by_itself = head.stop.is_none() && head.rollback.is_none();
    let unmeasured = |row: &MoveRow| row.touched.is_none() && row.verdict == Some(Verdict::Inconclusive);
    by_itself && closed.outcome == Outcome::RolledBack && moves.iter().any(|(_, row)| unmeasured(row))
}

/// Tells the outcome of a release whose waves ended.
fn outcome_of(fates: &BTreeMap<MoveOutcome, u32>, rollback: Option<RollbackScope>) -> Outcome {
    let any = |fate| fates.contains_key(&fate);
    let unfinished = any(MoveOutcome::Failed) || any(MoveOutcome::Untouched);
    if any(MoveOutcome::NeedsHuman) || (rollback.is_none() && unfinished && any(MoveOutcome::Deployed)) {
        // It may also have stopped half-way, with nothing put back: services of two versions are left.
        Outcome::NeedsHuman
    } else if any(MoveOutcome::Undone) || unfinished {
        // A move whose turn never came has not failed, and its release has not done what it was to do.
        Outcome::RolledBack
    } else if any(MoveOutcome::Deployed) {
        Outcome::Deployed
    } else {
        Outcome::Superseded
    }
}

/// Reads the name of an outcome that the state machine knows already.
fn outcome_named(name: &str) -> Option<Outcome> {
    if name.is_empty() {
        return None;
    }
    // A name that is no outcome is a way in which the machine was not meant to come here.
    Some(serde_json::from_value(Value::String(name.to_owned())).unwrap_or(Outcome::NeedsHuman))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::{head, row};
    use pipeline::clock::Timestamp;
    use pipeline::rows::Stop;

    fn conclusion(outcome: &str, rows: Vec<MoveRow>) -> Outcome {
        concluded(outcome, rows, None)
    }

    fn keyed(rows: Vec<MoveRow>) -> Vec<(MoveKey, MoveRow)> {
        let release = ReleaseId::parse("r1").unwrap();
        (0..).zip(rows).map(|(n, row)| (MoveKey::new(release.clone(), 0, n), row)).collect()
    }

    fn concluded(outcome: &str, rows: Vec<MoveRow>, rollback: Option<RollbackScope>) -> Outcome {
        let moves = keyed(rows);
        let closed = conclude(outcome, "", &moves, rollback);
        assert_eq!(closed.fates.values().sum::<u32>() as usize, moves.len());
        closed.outcome
    }

    fn seen(verdict: Verdict, rollback: Option<Verdict>) -> MoveRow {
        let touched = Some(Timestamp::from_millis(0));
        MoveRow {
            touched,
            verdict: Some(verdict),
            rollback_started: rollback.and(touched),
            rollback_verdict: rollback,
            ..row("users")
        }
    }

    #[test]
    fn the_outcome_is_the_worst_fate_that_matters() {
        let healthy = || seen(Verdict::Healthy, None);
        let rolled_back = || seen(Verdict::Unhealthy, Some(Verdict::Healthy));
        assert_eq!(conclusion("", vec![healthy(), seen(Verdict::Superseded, None)]), Outcome::Deployed);
        assert_eq!(
            concluded("", vec![healthy(), rolled_back()], Some(RollbackScope::Failed)),
            Outcome::RolledBack
        );
        assert_eq!(
            conclusion("", vec![rolled_back(), seen(Verdict::Inconclusive, None)]),
            Outcome::NeedsHuman
        );
        assert_eq!(
            conclusion("", vec![seen(Verdict::Unhealthy, Some(Verdict::Unhealthy))]),
            Outcome::NeedsHuman
        );
        assert_eq!(conclusion("", vec![seen(Verdict::Superseded, None)]), Outcome::Superseded);
    }

    #[test]
    fn a_release_that_stops_half_way_needs_a_human_unless_what_it_touched_is_back() {
        let healthy = || seen(Verdict::Healthy, None);
        let rolled_back = || seen(Verdict::Healthy, Some(Verdict::Healthy));
        let failed = || MoveRow { started: Some(Timestamp::from_millis(0)), ..row("orders") };
        // Stopped, held for too long, or frozen: one service runs the new version, the other the old one.
        assert_eq!(conclusion("", vec![healthy(), row("orders")]), Outcome::NeedsHuman);
        assert_eq!(conclusion("", vec![healthy(), failed()]), Outcome::NeedsHuman);
        assert_eq!(conclusion("", vec![failed(), row("carts")]), Outcome::RolledBack);
        let rollback = Some(RollbackScope::Failed);
        assert_eq!(concluded("", vec![healthy(), failed()], rollback), Outcome::RolledBack);
        assert_eq!(
            concluded("", vec![rolled_back(), row("orders")], Some(RollbackScope::All)),
            Outcome::RolledBack
        );
    }

    #[test]
    fn only_what_an_image_is_to_blame_for_is_bad() {
        let unhealthy = || seen(Verdict::Unhealthy, None);
        assert!(is_bad(&unhealthy()));
        assert!(!is_bad(&MoveRow { alarm: Some("shop-5xx".to_owned()), ..unhealthy() }));
        assert!(!is_bad(&MoveRow { blameless: Some(true), ..unhealthy() }));
        assert!(!is_bad(&MoveRow { touched: None, ..unhealthy() }));
    }

    #[test]
    fn an_image_that_could_not_be_tested_needs_a_human_unless_somebody_has_ended_the_release() {
        let untested = MoveRow { verdict: Some(Verdict::Inconclusive), ..row("users") };
        let bad = MoveRow { verdict: Some(Verdict::Unhealthy), ..row("users") };
        let check = |head: HeadRow, row: MoveRow, expected: bool| {
            let moves = keyed(vec![row]);
            let closed = conclude("", "", &moves, head.rollback);
            assert_eq!(
                (closed.outcome, is_untested(&head, &closed, &moves)),
                (Outcome::RolledBack, expected)
            );
        };
        check(head(), untested.clone(), true);
        check(head(), bad, false);
        let stop = Stop {
            by: ReleaseId::parse("abort").unwrap(),
            since: Timestamp::from_millis(0),
            because: "it is late".to_owned(),
            rollback: false,
        };
        check(HeadRow { stop: Some(stop), ..head() }, untested.clone(), false);
        check(HeadRow { rollback: Some(RollbackScope::All), ..head() }, untested, false);
    }

    #[test]
    fn the_reason_is_the_one_that_was_given_or_what_the_moves_say() {
        let (healthy, taken) = (seen(Verdict::Healthy, None), seen(Verdict::Superseded, None));
        let told = MoveRow { reason: Some("r9 has it".to_owned()), ..taken.clone() };
        for (outcome, because, rows, expected) in [
            ("", "", vec![healthy.clone(), taken.clone()], "1 of 2 deployed and tested live"),
            ("", "it runs", vec![healthy], "it runs"),
            ("", "", vec![taken.clone(), told], "users: r9 has it"),
            ("", "", vec![taken.clone()], "other releases have taken over all its services"),
            ("", "it is older", vec![taken], "it is older"),
            ("Superseded", "it is older", vec![], "it is older"),
            ("Superseded", "", vec![], "the ledger holds no reason"),
        ] {
            assert_eq!(conclude(outcome, because, &keyed(rows), None).because, expected);
        }
    }

    #[test]
    fn what_ended_it_before_its_first_wave_is_the_outcome() {
        assert_eq!(conclusion("Expired", vec![]), Outcome::Expired);
        assert_eq!(conclusion("NeedsHuman", vec![seen(Verdict::Healthy, None)]), Outcome::NeedsHuman);
        assert_eq!(conclusion("Wave", vec![]), Outcome::NeedsHuman);
        assert_eq!(conclusion("", vec![]), Outcome::NeedsHuman);
    }
}
