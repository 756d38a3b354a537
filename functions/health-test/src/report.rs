//! What the live tests of one phase mean, in words.  Pure.

use pack::judge::{self, Judgement, State};
use pack::standing::Outcome;
use pack::{Check, Pack, Phase};
use pipeline::clock::Timestamp;

use crate::finding::Finding;
use crate::tests_row::TestsRow;

/// How many checks are told to people.
const TOLD: usize = 5;

/// What the live tests mean.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// For the poll.
    pub finding: Finding,
    /// Why, as a sentence.
    pub reason: String,
    /// What else did not pass, a line for each check.
    pub lines: Vec<String>,
    /// Whether deploy has something to do for them.
    pub ordered: bool,
}

impl Report {
    /// Says that there are none, or why they were left out.
    pub fn without(why: Option<String>) -> Self {
        let reason = match why {
            Some(why) => format!("its live tests were left out: {why}"),
            None => "no live tests are configured".to_owned(),
        };
        Report { finding: Finding::Healthy, reason, lines: Vec::new(), ordered: false }
    }

    /// Says what a row means that was judged.
    pub fn of(pack: &Pack, row: &TestsRow, judgement: &Judgement, now: Timestamp) -> Self {
        let standing = &row.standing;
        let because = |check: &str, because: &str| match row.transcript.get(check) {
            Some(shown) => format!("{because}: {}", shown.last.text),
            None => because.to_owned(),
        };
        let (finding, reason) = match judgement {
            Judgement::Healthy => (Finding::Healthy, passed(pack, row, now)),
            Judgement::Unhealthy { check, because: why } => (Finding::Unhealthy, because(check, why)),
            Judgement::Inconclusive { check, because: why } => (Finding::Inconclusive, because(check, why)),
            Judgement::Pending { until } => {
                let left = until.seconds_since(now).max(1);
                let waits = Finding::AgainIn(u32::try_from(left).unwrap_or(u32::MAX));
                (waits, pending(pack, row, now))
            }
        };
        let now_asked = pack.of(standing.phase).filter_map(|check| told(check, row, now));
        let lines = now_asked.chain(advice(pack, row));
        // The reason stands beside them.
        let lines = lines.filter(|line| *line != reason).take(TOLD).collect();
        Report { finding, reason, lines, ordered: false }
    }
}

/// Says how many passed, and which advisory ones did not.
fn passed(pack: &Pack, row: &TestsRow, now: Timestamp) -> String {
    let blocking = pack.of(row.standing.phase).filter(|check| !check.advisory).count();
    let passed = match blocking {
        0 => "none of its live tests blocks".to_owned(),
        1 => "its live test passed".to_owned(),
        n => format!("its {n} live tests passed"),
    };
    let advisory = pack.of(row.standing.phase).filter(|check| check.advisory);
    let advisory = advisory.filter_map(|check| told(check, row, now));
    let advisory: Vec<String> = advisory.chain(advice(pack, row)).collect();
    if advisory.is_empty() { passed } else { format!("{passed}; advisory {}", advisory.join("; ")) }
}

/// Tells what advisory checks have shown that were asked before what is asked now.
fn advice(pack: &Pack, row: &TestsRow) -> impl Iterator<Item = String> {
    let earlier =
        pack.checks.iter().filter(|check| check.advisory && !check.on.contains(&row.standing.phase));
    earlier.filter_map(|Check { name, .. }| {
        let shown = &row.transcript.get(name)?.last;
        (shown.outcome != Outcome::Passed).then(|| format!("live test {name:?} did not pass: {}", shown.text))
    })
}

/// Says what is waited for: first of all for what did not pass last time.
fn pending(pack: &Pack, row: &TestsRow, now: Timestamp) -> String {
    let standing = &row.standing;
    let all = || pack.of(standing.phase);
    if let Some(told) = all().filter(|check| !check.advisory).find_map(|check| told(check, row, now)) {
        return told;
    }
    if standing.phase == Phase::Bake {
        let left = standing.since.plus_seconds(pack.watched().whole_seconds()).seconds_since(now).max(0);
        return format!("its live tests passed, and it is watched for another {left} s");
    }
    let passed = all().filter(|check| judge::state(check, standing, now) == State::Passed).count();
    format!("{passed} of its {} live tests have passed", all().count())
}

/// Tells what a check has last shown, unless it passed.
fn told(check: &Check, row: &TestsRow, now: Timestamp) -> Option<String> {
    let Check { name, attempts, .. } = check;
    let shown = &row.transcript.get(name)?.last;
    let state = judge::state(check, &row.standing, now);
    let failed = row.standing.checks.get(name).map_or(0, |asked| asked.failed);
    match (state, shown.outcome) {
        (State::Passed, _) | (State::Open, Outcome::Passed) => None,
        (_, Outcome::Unmeasured) => Some(format!("live test {name:?} could not be measured: {}", shown.text)),
        (_, Outcome::Failed) => {
            Some(format!("live test {name:?} failed {failed} of {attempts} times: {}", shown.text))
        }
        (_, Outcome::Passed) => Some(format!("live test {name:?} did not pass often enough: {}", shown.text)),
    }
}
