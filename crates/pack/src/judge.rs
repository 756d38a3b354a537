//! What the standing of checks means.
//!
//! What measured nothing is never success, and what could not be measured is never failure.

use pipeline::clock::Timestamp;

use crate::check::Check;
use crate::pack::Pack;
use crate::phase::Phase;
use crate::span::Span;
use crate::standing::{Asked, Outcome, Standing};

/// How often a run is started for one attempt, if nothing can be measured of it.
pub const STARTS: u32 = 3;

/// How long to wait before a run is started again that measured nothing.
const BEFORE_ANOTHER_START: Span = Span::seconds(30);

/// Where a check is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It goes on.
    Open,
    /// It has passed.
    Passed,
    /// It has failed.
    Failed,
    /// It could not be measured.
    Inconclusive,
}

/// What the standing of all checks of a phase means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// Every blocking check has passed, and no other is waited for.
    Healthy,
    /// Something is waited for, until then at least.
    Pending {
        /// When the next round of a check may be, which can be past.
        until: Timestamp,
    },
    /// A blocking check has failed.
    Unhealthy {
        /// Its name.
        check: String,
        /// Why, as a sentence.
        because: String,
    },
    /// None has failed, and one could not be measured.
    Inconclusive {
        /// Its name.
        check: String,
        /// Why, as a sentence.
        because: String,
    },
}

/// Judges the checks of a phase by what came of them; advisory ones are waited for and never decide.
pub fn judge(pack: &Pack, standing: &Standing, now: Timestamp) -> Judgement {
    let blocking = |wanted: State| {
        let mut checks = pack.of(standing.phase).filter(|check| !check.advisory);
        checks.find(|check| state(check, standing, now) == wanted)
    };
    if let Some(check) = blocking(State::Failed) {
        return Judgement::Unhealthy { check: check.name.clone(), because: failed(check, standing) };
    }
    if let Some(check) = blocking(State::Inconclusive) {
        return Judgement::Inconclusive { check: check.name.clone(), because: unmeasured(check, standing) };
    }
    match waiting(pack, standing, now).into_iter().map(|check| next(check, standing)).min() {
        Some(until) => Judgement::Pending { until },
        None => Judgement::Healthy,
    }
}

/// Returns the checks to ask now; what has waited longest comes first.
pub fn due<'a>(pack: &'a Pack, standing: &Standing, now: Timestamp) -> Vec<&'a Check> {
    let mut due: Vec<&Check> =
        waiting(pack, standing, now).into_iter().filter(|check| next(check, standing) <= now).collect();
    due.sort_by_key(|check| next(check, standing));
    due
}

/// Returns the checks that go on; runs only after everything else, since they cost most.
fn waiting<'a>(pack: &'a Pack, standing: &Standing, now: Timestamp) -> Vec<&'a Check> {
    let open = |check: &&Check| state(check, standing, now) == State::Open;
    let only_runs = pack.of(standing.phase).filter(open).all(|check| check.kind.is_run());
    pack.of(standing.phase).filter(open).filter(|check| only_runs || !check.kind.is_run()).collect()
}

/// Tells where a check is.
pub fn state(check: &Check, standing: &Standing, now: Timestamp) -> State {
    let late = now >= standing.deadline;
    let Some(asked) = standing.checks.get(&check.name) else {
        return if late { State::Inconclusive } else { State::Open };
    };
    let watched = standing.since.plus_seconds(check.watched.whole_seconds());
    let is_over = standing.phase != Phase::Bake || now >= watched;
    if asked.failed >= check.failures() {
        State::Failed
    } else if asked.passed >= check.passes && is_over {
        State::Passed
    } else if is_out_of_patience(check, asked) {
        State::Inconclusive
    } else if !late {
        State::Open
    } else if asked.last == Outcome::Failed {
        State::Failed
    } else {
        State::Inconclusive
    }
}

/// Tells whether nothing has been measured for too long: by its rounds, since a late look says nothing.
fn is_out_of_patience(check: &Check, asked: &Asked) -> bool {
    let Some(since) = asked.unmeasured_since else { return false };
    match check.kind.is_run() {
        true => asked.unmeasured >= STARTS,
        false => asked.at >= since.plus_seconds(check.patience.whole_seconds()),
    }
}

/// Returns when the next round of a check may be.
fn next(check: &Check, standing: &Standing) -> Timestamp {
    let Some(asked) = standing.checks.get(&check.name) else { return standing.since };
    let pause = match asked.last {
        Outcome::Unmeasured if check.kind.is_run() => BEFORE_ANOTHER_START,
        _ => check.interval(standing.phase),
    };
    asked.at.plus_seconds(pause.whole_seconds())
}

fn failed(check: &Check, standing: &Standing) -> String {
    let times = standing.checks.get(&check.name).map_or(0, |asked| asked.failed);
    let Check { name, attempts, .. } = check;
    match times >= check.failures() {
        true => format!("live test {name:?} failed {times} of {attempts} times"),
        false => format!("live test {name:?} did not pass in time, and failed last"),
    }
}

fn unmeasured(check: &Check, standing: &Standing) -> String {
    let name = &check.name;
    match standing.checks.get(name) {
        None => format!("live test {name:?} was not asked in time"),
        Some(asked) if is_out_of_patience(check, asked) && check.kind.is_run() => {
            format!("live test {name:?} was started {STARTS} times, and nothing could be measured")
        }
        Some(asked) if is_out_of_patience(check, asked) => {
            format!("live test {name:?} could not be measured for {}", check.patience)
        }
        Some(_) => format!("live test {name:?} did not pass often enough in time, and did not fail last"),
    }
}

#[cfg(test)]
mod tests;
