//! What a release that has ended says of how well releases go: the metrics of its environment.  Pure.
//!
//! The four figures of DORA and the rework rate are sums and percentiles of these: `docs/METRICS.md` has the formulas.

use std::collections::{BTreeMap, BTreeSet};

use pipeline::clock::Timestamp;
use pipeline::ids::{Digest, ReleaseId, ServiceName};
use pipeline::metrics::{Metrics, Unit};
use pipeline::rows::{HeadRow, How, MoveOutcome, MoveRow, Outcome, ServiceRow, Verdict};

use super::ReleaseSpec;
use crate::answer::Closed;

/// For how long what follows a rollback is a repair.
const REPAIR_SECONDS: i64 = 24 * 3600;

/// How many services a line names.
const NAMED: usize = 20;

/// Measures a release at its end; `known` is what was verified of its services before it.
pub fn of(
    (release, head, closed): (&ReleaseId, &HeadRow, &Closed),
    spec: &ReleaseSpec,
    moves: &[&MoveRow],
    known: &BTreeMap<ServiceName, ServiceRow>,
    now: Timestamp,
) -> Metrics {
    let outcome = closed.outcome;
    let touched = moves.iter().any(|row| row.touched.is_some());
    let goes_back = spec.to.goes_back();
    let is_change = touched && !goes_back;
    let has_failed = touched && matches!(outcome, Outcome::RolledBack | Outcome::NeedsHuman);
    let undoes = goes_back && touched && outcome == Outcome::Deployed;
    let once = |is: bool| if is { vec![1] } else { Vec::new() };
    let seconds = |from: Timestamp, to: Timestamp| to.seconds_since(from).max(0);
    let between = |from: fn(&MoveRow) -> Option<Timestamp>, to: fn(&MoveRow) -> Option<Timestamp>| {
        let lasted = moves.iter().filter_map(|row| Some(seconds(from(row)?, to(row)?)));
        lasted.collect::<Vec<i64>>()
    };
    let fate = |wanted: MoveOutcome| match closed.fates.get(&wanted) {
        Some(count) if *count > 0 => vec![i64::from(*count)],
        _ => Vec::new(),
    };
    let leased = moves.iter().filter_map(|row| row.leased).min();
    let names: Vec<&ServiceName> = moves.iter().map(|row| &row.service).take(NAMED).collect();
    let environment = head.environment.as_str();
    Metrics::default()
        .with("Environment", environment)
        .with("Outcome", format!("{outcome:?}"))
        .with("release", release)
        .with("services", names)
        .under(&["Environment", "Outcome"], &[("Releases", Unit::Count, vec![1])])
        .under(
            &["Environment"],
            &[
                ("ReleaseSeconds", Unit::Seconds, vec![seconds(head.opened, now)]),
                (
                    "WaitSeconds",
                    Unit::Seconds,
                    leased.map(|leased| seconds(head.opened, leased)).into_iter().collect(),
                ),
                ("PrepareSeconds", Unit::Seconds, between(|row| row.started, |row| row.touched)),
                ("RolloutSeconds", Unit::Seconds, between(|row| row.touched, |row| row.decided)),
                ("Changes", Unit::Count, once(is_change)),
                ("FailedChanges", Unit::Count, once((is_change && has_failed) || undoes)),
                ("RecoverySeconds", Unit::Seconds, recovery(head, moves, undoes, has_failed, now)),
                ("LeadSeconds", Unit::Seconds, lead(moves, outcome, goes_back, now)),
                ("Deployments", Unit::Count, once(is_change && outcome == Outcome::Deployed)),
                ("Rollbacks", Unit::Count, once(undoes)),
                (
                    "Rework",
                    Unit::Count,
                    once(outcome == Outcome::Deployed && (undoes || repairs(moves, known, now))),
                ),
                ("MovesDeployed", Unit::Count, fate(MoveOutcome::Deployed)),
                ("MovesUndone", Unit::Count, fate(MoveOutcome::Undone)),
                ("MovesFailed", Unit::Count, fate(MoveOutcome::Failed)),
                ("MovesSuperseded", Unit::Count, fate(MoveOutcome::Superseded)),
                ("MovesNeedsHuman", Unit::Count, fate(MoveOutcome::NeedsHuman)),
            ],
        )
}

/// Returns how long it took from the first sign of a failure until all was back.
fn recovery(head: &HeadRow, moves: &[&MoveRow], undoes: bool, has_failed: bool, now: Timestamp) -> Vec<i64> {
    let bad =
        moves.iter().filter(|row| row.verdict == Some(Verdict::Unhealthy)).filter_map(|row| row.decided);
    let went_back = moves.iter().filter_map(|row| row.goes_back_since());
    let since = match (undoes, has_failed) {
        // It is the answer to a failure that somebody has seen, or an alarm.
        (true, _) => Some(head.opened),
        (false, true) => bad.chain(went_back).min(),
        (false, false) => None,
    };
    let back = moves.iter().any(|row| row.rollback_verdict == Some(Verdict::Healthy));
    since.filter(|_| undoes || back).map(|since| now.seconds_since(since).max(0)).into_iter().collect()
}

/// Returns how long each image took from its build until it was proven here.
fn lead(moves: &[&MoveRow], outcome: Outcome, goes_back: bool, now: Timestamp) -> Vec<i64> {
    if outcome != Outcome::Deployed || goes_back {
        return Vec::new();
    }
    let built: BTreeSet<(&Digest, Timestamp)> =
        moves.iter().filter_map(|row| Some((&row.digest, row.built?))).collect();
    built.into_iter().map(|(_, built)| now.seconds_since(built).max(0)).collect()
}

/// Tells whether a service was rolled back a short while ago, so that what comes now makes good what was bad.
fn repairs(moves: &[&MoveRow], known: &BTreeMap<ServiceName, ServiceRow>, now: Timestamp) -> bool {
    moves.iter().any(|row| {
        let last = known.get(&row.service).and_then(|known| known.verified(&row.repository));
        last.is_some_and(|last| {
            last.how == Some(How::RolledBack) && now.seconds_since(last.since) < REPAIR_SECONDS
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::ImageSelection;
    use crate::plan::tests::{head, known, release, row, spec};
    use pipeline::rows::VerifiedImage;
    use serde_json::{Value, json};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::parse("2026-11-23T09:00:00Z").unwrap().plus_seconds(seconds)
    }

    /// A move whose image was built an hour before, and that was leased, started, updated and judged.
    fn moved(verdict: Verdict) -> MoveRow {
        MoveRow {
            built: Some(at(-3600)),
            leased: Some(at(10)),
            started: Some(at(20)),
            touched: Some(at(25)),
            verdict: Some(verdict),
            decided: Some(at(85)),
            ..row("users")
        }
    }

    fn back(row: MoveRow) -> MoveRow {
        MoveRow { rollback_started: Some(at(100)), rollback_verdict: Some(Verdict::Healthy), ..row }
    }

    fn measured(
        outcome: Outcome,
        row: &MoveRow,
        to: Option<ImageSelection>,
        last: Option<VerifiedImage>,
    ) -> Value {
        let spec = ReleaseSpec { to: to.unwrap_or(spec().to), ..spec() };
        let fates = [(MoveOutcome::of(row, None), 1)].into();
        let closed = Closed { outcome, because: String::new(), fates, moves: Vec::new() };
        let history: Vec<VerifiedImage> = last.into_iter().collect();
        let known = [(row.service.clone(), ServiceRow { history, ..ServiceRow::default() })].into();
        of((&release("r9"), &head(), &closed), &spec, &[row], &known, at(200)).line(at(200))
    }

    fn check(line: &Value, expected: &[(&str, i64)]) {
        let expected: BTreeMap<&str, i64> = expected.iter().copied().collect();
        for name in [
            "Changes",
            "FailedChanges",
            "Deployments",
            "Rollbacks",
            "Rework",
            "RecoverySeconds",
            "LeadSeconds",
        ] {
            assert_eq!(line[name].as_i64(), expected.get(name).copied(), "{name}: {line:#}");
        }
    }

    #[test]
    fn a_change_that_is_deployed_counts_once_with_its_way_from_the_build() {
        let line = measured(Outcome::Deployed, &moved(Verdict::Healthy), None, None);
        check(&line, &[("Changes", 1), ("Deployments", 1), ("LeadSeconds", 3800)]);
        assert_eq!((&line["WaitSeconds"], &line["PrepareSeconds"]), (&json!(10), &json!(5)));
        assert_eq!((&line["RolloutSeconds"], &line["ReleaseSeconds"]), (&json!(60), &json!(200)));
        assert_eq!((&line["MovesDeployed"], &line["MovesUndone"]), (&json!(1), &Value::Null));
        assert_eq!((&line["Outcome"], &line["Releases"]), (&json!("Deployed"), &json!(1)));
    }

    #[test]
    fn a_change_that_fails_is_one_and_recovers_from_the_first_bad_verdict_on() {
        let line = measured(Outcome::RolledBack, &back(moved(Verdict::Unhealthy)), None, None);
        check(&line, &[("Changes", 1), ("FailedChanges", 1), ("RecoverySeconds", 115)]);
        // What is left to a person has not recovered.
        let line = measured(Outcome::NeedsHuman, &moved(Verdict::Inconclusive), None, None);
        check(&line, &[("Changes", 1), ("FailedChanges", 1)]);
    }

    #[test]
    fn what_never_touched_a_service_is_no_change() {
        let failed = MoveRow { touched: None, decided: None, ..moved(Verdict::Unhealthy) };
        check(&measured(Outcome::RolledBack, &failed, None, None), &[]);
        check(&measured(Outcome::Superseded, &MoveRow { started: None, ..failed }, None, None), &[]);
    }

    #[test]
    fn a_rollback_that_somebody_asked_for_says_that_the_change_before_had_failed() {
        let to = Some(ImageSelection::Previous);
        let line = measured(Outcome::Deployed, &moved(Verdict::Healthy), to.clone(), None);
        check(&line, &[("FailedChanges", 1), ("Rollbacks", 1), ("Rework", 1), ("RecoverySeconds", 200)]);
        // One that failed itself has made nothing good.
        let line = measured(Outcome::RolledBack, &back(moved(Verdict::Unhealthy)), to, None);
        check(&line, &[("RecoverySeconds", 115)]);
    }

    #[test]
    fn what_follows_a_rollback_within_a_day_is_rework() {
        let rolled_back =
            |seconds| VerifiedImage { since: at(seconds), how: Some(How::RolledBack), ..known('a') };
        for (last, expected) in [
            (rolled_back(-3600), true),
            (rolled_back(-2 * 24 * 3600), false),
            (VerifiedImage { how: None, ..rolled_back(-3600) }, false),
        ] {
            let line = measured(Outcome::Deployed, &moved(Verdict::Healthy), None, Some(last.clone()));
            assert_eq!(line["Rework"] == 1, expected, "{last:?}");
        }
    }
}
