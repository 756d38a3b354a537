//! What a release that has ended says of how well releases go: the metrics of its environment.  Pure.
//!
//! The four figures of DORA and the rework rate are sums and percentiles of these: `docs/METRICS.md` has the formulas.

use std::collections::{BTreeMap, BTreeSet};

use pipeline::clock::Timestamp;
use pipeline::ids::{Digest, ReleaseId, ServiceName};
use pipeline::metrics::{Metrics, Unit};
use pipeline::rows::{HeadRow, How, MoveOutcome, MoveRow, Outcome, ServiceRow, Verdict};

use super::ReleaseSpec;
use super::history::left;
use crate::answer::Closed;

/// For how long what follows a rollback is a repair.
const REPAIR_SECONDS: i64 = 24 * 3600;

/// How many services a line names.
const NAMED: usize = 20;

/// Some metrics, with their values.
type Measured = Vec<(&'static str, Unit, Vec<i64>)>;

/// What is measured.
#[derive(Clone, Copy)]
struct Ended<'a> {
    head: &'a HeadRow,
    closed: &'a Closed,
    spec: &'a ReleaseSpec,
    moves: &'a [&'a MoveRow],
    /// What was verified of its services before it.
    known: &'a BTreeMap<ServiceName, ServiceRow>,
    now: Timestamp,
}

/// Measures a release at its end; `known` is what was verified of its services before it.
pub fn of(
    (release, head, closed): (&ReleaseId, &HeadRow, &Closed),
    spec: &ReleaseSpec,
    moves: &[&MoveRow],
    known: &BTreeMap<ServiceName, ServiceRow>,
    now: Timestamp,
) -> Metrics {
    let ended = Ended { head, closed, spec, moves, known, now };
    let names: Vec<&ServiceName> = moves.iter().map(|row| &row.service).take(NAMED).collect();
    Metrics::default()
        .with("Environment", head.environment.as_str())
        .with("Outcome", format!("{:?}", closed.outcome))
        .with("release", release)
        .with("services", names)
        .under(&["Environment", "Outcome"], &[("Releases", Unit::Count, vec![1])])
        .under(&["Environment"], &[ended.counts(), ended.fates(), ended.times()].concat())
}

impl Ended<'_> {
    /// Counts what it was: a change, one that failed, a repair.
    fn counts(&self) -> Measured {
        let Ended { closed, spec, moves, known, .. } = self;
        let touched = moves.iter().any(|row| row.touched.is_some());
        let deployed = closed.outcome == Outcome::Deployed;
        let failed = matches!(closed.outcome, Outcome::RolledBack | Outcome::NeedsHuman);
        let is_change = touched && !spec.to.goes_back();
        let repairs = deployed && (self.undoes() || repairs(moves, known, self.now));
        // A sum of nothing is no number: what could have happened and did not is 0.
        let once = |is: bool| if touched { vec![i64::from(is)] } else { Vec::new() };
        vec![
            ("Changes", Unit::Count, once(is_change)),
            ("Deployments", Unit::Count, once(is_change && deployed)),
            ("FailedChanges", Unit::Count, once((is_change && failed) || self.undoes())),
            ("Rollbacks", Unit::Count, once(self.undoes())),
            ("Rework", Unit::Count, once(repairs)),
        ]
    }

    /// Counts what became of its moves.
    fn fates(&self) -> Measured {
        let named = [
            ("MovesDeployed", MoveOutcome::Deployed),
            ("MovesUndone", MoveOutcome::Undone),
            ("MovesFailed", MoveOutcome::Failed),
            ("MovesSuperseded", MoveOutcome::Superseded),
            ("MovesNeedsHuman", MoveOutcome::NeedsHuman),
        ];
        let counted = named.into_iter().map(|(name, fate)| {
            let count = self.closed.fates.get(&fate).filter(|count| **count > 0);
            (name, Unit::Count, count.map(|count| i64::from(*count)).into_iter().collect())
        });
        counted.collect()
    }

    /// Says how long it took, and its parts.
    fn times(&self) -> Measured {
        let Ended { head, moves, now, .. } = *self;
        let seconds = |from: Timestamp, to: Timestamp| to.seconds_since(from).max(0);
        let between = |from: fn(&MoveRow) -> Option<Timestamp>, to: fn(&MoveRow) -> Option<Timestamp>| {
            let lasted = moves.iter().filter_map(|row| Some(seconds(from(row)?, to(row)?)));
            lasted.collect::<Vec<i64>>()
        };
        let leased = moves.iter().filter_map(|row| row.leased).min();
        let waited = leased.map(|leased| seconds(head.opened, leased)).into_iter().collect();
        vec![
            ("ReleaseSeconds", Unit::Seconds, vec![seconds(head.opened, now)]),
            ("WaitSeconds", Unit::Seconds, waited),
            ("PrepareSeconds", Unit::Seconds, between(|row| row.started, |row| row.touched)),
            // What a release before has left there was updated long ago.
            ("RolloutSeconds", Unit::Seconds, between(|row| row.touched.max(row.started), |row| row.decided)),
            ("RecoverySeconds", Unit::Seconds, self.recovery()),
            ("LeadSeconds", Unit::Seconds, self.lead()),
        ]
    }

    /// Tells whether it has rolled back what a release had deployed: that change has failed.
    ///
    /// A rollback of what no release had verified says nothing of a change: that one has failed by itself.
    fn undoes(&self) -> bool {
        let leaves = |row: &&MoveRow| {
            let known = self.known.get(&row.service);
            row.touched.is_some() && known.is_some_and(|known| left(row, known, self.spec).is_some())
        };
        self.closed.outcome == Outcome::Deployed && self.moves.iter().any(leaves)
    }

    /// Returns how long it took from the first sign of a failure until all was back.
    fn recovery(&self) -> Vec<i64> {
        let bad = self.moves.iter().filter(|row| row.verdict == Some(Verdict::Unhealthy));
        let went_back = self.moves.iter().filter_map(|row| row.goes_back_since());
        let rolled_back = self.closed.outcome == Outcome::RolledBack && !self.spec.to.goes_back();
        let touched = self.moves.iter().any(|row| row.touched.is_some());
        let since = match (self.undoes(), rolled_back && touched) {
            // It is the answer to a failure that somebody has seen, or an alarm.
            (true, _) => Some(self.head.opened),
            (false, true) => bad.filter_map(|row| row.decided).chain(went_back).min(),
            (false, false) => None,
        };
        since.map(|since| self.now.seconds_since(since).max(0)).into_iter().collect()
    }

    /// Returns how long each image that is new here took from its build until it was proven.
    fn lead(&self) -> Vec<i64> {
        let had = |row: &MoveRow| {
            let known = self.known.get(&row.service);
            known.is_some_and(|known| {
                known.facts(&row.repository).iter().any(|fact| fact.digest == row.digest)
            })
        };
        let is_new = |row: &&&MoveRow| {
            let fate = MoveOutcome::of(row, self.head.rollback);
            fate == MoveOutcome::Deployed && !self.spec.to.goes_back() && !had(row)
        };
        let new = self.moves.iter().filter(is_new);
        let built: BTreeSet<(&Digest, Timestamp)> =
            new.filter_map(|row| Some((&row.digest, row.built?))).collect();
        built.into_iter().map(|(_, built)| self.now.seconds_since(built).max(0)).collect()
    }
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
            // Nothing that happened, and nothing that could, look alike here.
            let measured = line[name].as_i64().filter(|value| *value > 0);
            assert_eq!(measured, expected.get(name).copied(), "{name}: {line:#}");
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
        check(&line, &[]);
    }

    #[test]
    fn what_could_have_failed_and_did_not_is_counted_as_none() {
        let line = measured(Outcome::Deployed, &moved(Verdict::Healthy), None, None);
        for name in ["FailedChanges", "Rollbacks", "Rework"] {
            assert_eq!(line[name], 0, "{name}");
        }
        let untouched = MoveRow { touched: None, ..moved(Verdict::Unhealthy) };
        assert_eq!(measured(Outcome::RolledBack, &untouched, None, None)["FailedChanges"], Value::Null);
    }

    #[test]
    fn an_image_that_was_here_before_has_no_lead_time_and_what_was_left_there_no_rollout_of_days() {
        let again = VerifiedImage { digest: row("users").digest, ..known('a') };
        let left = MoveRow { touched: Some(at(-86_400)), ..moved(Verdict::Healthy) };
        let line = measured(Outcome::Deployed, &left, None, Some(again));
        assert_eq!((&line["LeadSeconds"], &line["RolloutSeconds"]), (&Value::Null, &json!(65)));
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
