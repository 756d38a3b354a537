//! Errors: their names, what matches them, and how often and when a state tries again.

use serde_json::{Value, json};

use crate::random::Random;

/// No time was left.
pub const TIMEOUT: &str = "States.Timeout";
/// An expression yielded nothing, or something of the wrong kind.
pub const QUERY: &str = "States.QueryEvaluationError";
/// A payload is too large.
pub const DATA_LIMIT: &str = "States.DataLimitExceeded";
/// The execution cannot go on.
pub const RUNTIME: &str = "States.Runtime";
/// No rule of a Choice holds, and it has no default.
pub const NO_CHOICE: &str = "States.NoChoiceMatched";
/// More items of a Map failed than it tolerates.
pub const TOLERATED: &str = "States.ExceedToleratedFailureThreshold";

const ALL: &str = "States.ALL";
const TASK_FAILED: &str = "States.TaskFailed";

/// All names that a definition may use and that begin like those of AWS.
const OF_STATES: [&str; 9] = [
    ALL,
    TASK_FAILED,
    TIMEOUT,
    QUERY,
    DATA_LIMIT,
    NO_CHOICE,
    TOLERATED,
    "States.Permissions",
    "States.ItemReaderFailed",
];

/// What went wrong in a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The name of the error.
    pub error: String,
    /// Why; AWS does not always say it.
    pub cause: Option<String>,
}

impl Problem {
    /// Names a problem.
    pub fn new(error: impl Into<String>, cause: impl Into<String>) -> Self {
        Problem { error: error.into(), cause: Some(cause.into()) }
    }

    /// Returns it as a Catch sees it.
    pub fn output(&self) -> Value {
        match &self.cause {
            Some(cause) => json!({"Error": self.error, "Cause": cause}),
            None => json!({"Error": self.error}),
        }
    }
}

/// One rule of `Retry`.
#[derive(Clone, Debug)]
pub struct Retrier {
    pub(crate) errors: Vec<String>,
    pub(crate) interval: f64,
    pub(crate) attempts: u32,
    pub(crate) backoff: f64,
    pub(crate) longest: Option<f64>,
    pub(crate) jitter: bool,
}

impl Retrier {
    /// Returns after how many milliseconds the attempt follows that has so many of the same rule before it.
    pub(crate) fn delay(&self, before: u32, random: &mut Random) -> i64 {
        let grown = self.interval * self.backoff.powi(i32::try_from(before).unwrap_or(i32::MAX));
        let delay = (grown.min(self.longest.unwrap_or(f64::MAX)) * 1000.0) as u64;
        let drawn = if self.jitter { random.below(delay + 1) } else { delay };
        i64::try_from(drawn).unwrap_or(i64::MAX)
    }
}

/// Tells whether one of the names of a rule means an error.
pub(crate) fn matches(names: &[String], error: &str) -> bool {
    names.iter().any(|name| match name.as_str() {
        _ if error == RUNTIME => false,
        ALL => error != DATA_LIMIT,
        TASK_FAILED => ![TIMEOUT, DATA_LIMIT].contains(&error),
        name => name == error,
    })
}

/// Says what is wrong with the names of a rule, which is the last of its list or not.
pub(crate) fn wrong_names(names: &[String], last: bool) -> Option<String> {
    if names.is_empty() {
        return Some("expected the name of an error".to_owned());
    }
    if names.iter().any(|name| name == ALL) && !(last && names.len() == 1) {
        return Some(format!("{ALL} must stand alone, in the last rule"));
    }
    let wrong = names.iter().find(|name| {
        let word = |part: &str| !part.is_empty() && part.bytes().all(|each| each.is_ascii_alphanumeric());
        let known = !name.starts_with("States.") || OF_STATES.contains(&name.as_str());
        !known || name.split('.').count() > 2 || !name.split('.').all(word)
    });
    wrong.map(|name| format!("{name:?} is no name of an error"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_names_of_a_rule_match_as_aws_says() {
        for (rule, error, expected) in [
            (&["Denied"][..], "Denied", true),
            (&["Denied"], "Unavailable", false),
            (&["Denied", "Unavailable"], "Unavailable", true),
            (&["States.ALL"], "Denied", true),
            (&["States.ALL"], TIMEOUT, true),
            (&["States.ALL"], QUERY, true),
            (&["States.ALL"], DATA_LIMIT, false),
            (&["States.ALL"], RUNTIME, false),
            (&["States.TaskFailed"], "Denied", true),
            (&["States.TaskFailed"], TIMEOUT, false),
            (&["States.TaskFailed"], RUNTIME, false),
            (&[DATA_LIMIT], DATA_LIMIT, true),
            (&[RUNTIME], RUNTIME, false),
            (&["Lambda"], "Lambda.Unknown", false),
        ] {
            assert_eq!(matches(&names(rule), error), expected, "{rule:?} {error}");
        }
    }

    #[test]
    fn wrong_names_are_found() {
        for (rule, last, expected) in [
            (&["Denied", "Lambda.Unknown"][..], false, None),
            (&["States.ALL"], true, None),
            (&["States.Timeout"], false, None),
            (&["States.ALL"], false, Some("States.ALL must stand alone, in the last rule")),
            (&["States.ALL", "Denied"], true, Some("States.ALL must stand alone, in the last rule")),
            (&[], true, Some("expected the name of an error")),
            (&["States.TimeOut"], true, Some("\"States.TimeOut\" is no name of an error")),
            (&["Lambda Unknown"], true, Some("\"Lambda Unknown\" is no name of an error")),
            (&["Lambda.A.B"], true, Some("\"Lambda.A.B\" is no name of an error")),
        ] {
            assert_eq!(wrong_names(&names(rule), last).as_deref(), expected, "{rule:?}");
        }
    }

    #[test]
    fn attempts_come_later_and_later() {
        let retrier = Retrier {
            errors: vec![],
            interval: 2.0,
            attempts: 5,
            backoff: 2.0,
            longest: Some(10.0),
            jitter: false,
        };
        let mut random = Random::new(1);
        let delays: Vec<i64> = (0..5).map(|before| retrier.delay(before, &mut random)).collect();
        assert_eq!(delays, [2_000, 4_000, 8_000, 10_000, 10_000]);
        let full = Retrier { jitter: true, ..retrier };
        let drawn: Vec<i64> = (0..200).map(|_| full.delay(1, &mut random)).collect();
        assert!(drawn.iter().all(|delay| (0..=4_000).contains(delay)));
        assert!(drawn.iter().any(|delay| *delay < 400) && drawn.iter().any(|delay| *delay > 3_600));
    }
}
