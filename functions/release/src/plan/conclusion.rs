//! How a release ended, and what its moves have shown.  Pure.

use std::collections::BTreeMap;

use pipeline::clock::Timestamp;
use pipeline::fate::Fate;
use pipeline::ids::ReleaseId;
use pipeline::payload::MoveKey;
use pipeline::rows::{HeadRow, Known, MoveRow, Outcome, Undo, Verdict};
use serde_json::Value;

use super::spec::{ImageSelection, ReleaseSpec};
use super::words::sentence;
use crate::answer::{Closed, SHOWN, Story};

/// Tells whether a move has shown that its image is bad; an alarm that others share has not.
pub fn is_bad(row: &MoveRow) -> bool {
    row.touched.is_some() && row.verdict == Some(Verdict::Unhealthy) && row.alarm.is_none()
}

/// Describes what a deployed move runs now.
pub fn known(row: &MoveRow, release: &ReleaseId, now: Timestamp) -> Known {
    Known {
        repository: row.repository.clone(),
        digest: row.digest.clone(),
        commit: row.commit.clone(),
        task_definition: row.registered.clone().unwrap_or_else(|| row.running.clone()),
        since: row.decided.unwrap_or(now),
        release: Some(release.clone()),
    }
}

/// Tells whether a release went back on request, and not forward.
pub fn is_rollback(head: &HeadRow) -> bool {
    let spec: Result<ReleaseSpec, _> = serde_json::from_value(head.request.clone());
    spec.is_ok_and(|spec| spec.to == ImageSelection::Previous)
}

/// Tells the outcome: what ended the release before its first wave, or what its moves became.
pub fn conclude(outcome: &str, because: &str, moves: &[(MoveKey, MoveRow)], undo: Option<Undo>) -> Closed {
    let mut fates = BTreeMap::new();
    for (_, row) in moves {
        *fates.entry(Fate::of(row, undo)).or_insert(0) += 1;
    }
    let outcome = match outcome_named(outcome) {
        Some(named) => named,
        None if moves.is_empty() => Outcome::NeedsHuman,
        None => outcome_of(&fates),
    };
    let story = |row: &MoveRow| Story {
        service: row.service.clone(),
        fate: Fate::of(row, undo),
        from: row.restore.as_ref().map(|restore| restore.digest.clone()),
        to: row.digest.clone(),
        reason: row.reason.clone(),
    };
    let because = match (sentence(because), outcome) {
        (why, Outcome::Deployed) if why.is_empty() => {
            format!(
                "{} of {} deployed and tested live",
                fates.get(&Fate::Deployed).unwrap_or(&0),
                moves.len()
            )
        }
        (why, Outcome::Superseded) if why.is_empty() && !moves.is_empty() => {
            let told =
                moves.iter().find_map(|(_, row)| Some(format!("{}: {}", row.service, row.reason.as_ref()?)));
            told.unwrap_or_else(|| "other releases own all its services".to_owned())
        }
        (why, _) if why.is_empty() => "the ledger does not say why".to_owned(),
        (why, _) => why,
    };
    Closed { outcome, because, fates, moves: moves.iter().take(SHOWN).map(|(_, row)| story(row)).collect() }
}

/// Tells the outcome of a release whose waves ended.
fn outcome_of(fates: &BTreeMap<Fate, u32>) -> Outcome {
    let any = |fate| fates.contains_key(&fate);
    if any(Fate::NeedsHuman) {
        Outcome::NeedsHuman
    } else if any(Fate::Undone) || any(Fate::Failed) || any(Fate::Untouched) {
        // A move whose turn never came has not failed, and its release has not done what it was to do.
        Outcome::RolledBack
    } else if any(Fate::Deployed) {
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
    use crate::plan::tests::row;

    fn conclusion(outcome: &str, rows: Vec<MoveRow>) -> Outcome {
        let release = ReleaseId::parse("r1").unwrap();
        let keyed = (0..).zip(rows).map(|(n, row)| (MoveKey::new(release.clone(), 0, n), row));
        let moves: Vec<_> = keyed.collect();
        let closed = conclude(outcome, "", &moves, None);
        assert_eq!(closed.fates.values().sum::<u32>() as usize, moves.len());
        closed.outcome
    }

    fn seen(verdict: Verdict, undo: Option<Verdict>) -> MoveRow {
        let touched = Some(Timestamp::from_millis(0));
        MoveRow {
            touched,
            verdict: Some(verdict),
            undo_started: undo.and(touched),
            undo_verdict: undo,
            ..row("users")
        }
    }

    #[test]
    fn the_outcome_is_the_worst_fate_that_matters() {
        let healthy = || seen(Verdict::Healthy, None);
        let undone = || seen(Verdict::Unhealthy, Some(Verdict::Healthy));
        assert_eq!(conclusion("", vec![healthy(), seen(Verdict::Superseded, None)]), Outcome::Deployed);
        assert_eq!(conclusion("", vec![healthy(), undone()]), Outcome::RolledBack);
        assert_eq!(conclusion("", vec![undone(), seen(Verdict::Inconclusive, None)]), Outcome::NeedsHuman);
        assert_eq!(
            conclusion("", vec![seen(Verdict::Unhealthy, Some(Verdict::Unhealthy))]),
            Outcome::NeedsHuman
        );
        assert_eq!(conclusion("", vec![seen(Verdict::Superseded, None)]), Outcome::Superseded);
        assert_eq!(conclusion("", vec![healthy(), row("orders")]), Outcome::RolledBack);
    }

    #[test]
    fn what_ended_it_before_its_first_wave_is_the_outcome() {
        assert_eq!(conclusion("Expired", vec![]), Outcome::Expired);
        assert_eq!(conclusion("NeedsHuman", vec![seen(Verdict::Healthy, None)]), Outcome::NeedsHuman);
        assert_eq!(conclusion("Wave", vec![]), Outcome::NeedsHuman);
        assert_eq!(conclusion("", vec![]), Outcome::NeedsHuman);
    }
}
