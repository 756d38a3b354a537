//! What to do about a function that tests, given what it has answered.  Pure.

use pack::Check;
use pack::standing::Outcome;
use pipeline::clock::Timestamp;
use pipeline::rows::{CallsFunction, HookStatus, RunRow};

use super::step::{self, Step};

/// Decides about a call.
pub fn next<'a>(check: &Check, order: &RunRow, called: &CallsFunction, now: Timestamp) -> Step<'a> {
    let CallsFunction { function, .. } = called;
    if let Some(why) = &order.not_started {
        return Step::Lost(why.clone());
    }
    let waited = now.seconds_since(order.ordered);
    let Some(answered) = &order.answered else { return step::to_start(waited) };
    match answered.status {
        HookStatus::Succeeded => Step::Said(Outcome::Passed, format!("{function} answered SUCCEEDED")),
        HookStatus::Failed => Step::Said(Outcome::Failed, format!("{function} answered FAILED")),
        HookStatus::InProgress => {
            let timeout = check.kind.timeout().map_or(0, |timeout| timeout.whole_seconds());
            match (waited > timeout, order.is_due(now)) {
                (true, _) => Step::End(
                    Outcome::Unmeasured,
                    format!("{function} still answered IN_PROGRESS after {timeout} s"),
                ),
                (false, true) => Step::Deploy,
                (false, false) => Step::Wait,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pack::Pack;
    use pipeline::rows::{RunAnswer, RunStarts};

    #[test]
    fn a_function_is_called_until_it_says_what_it_has_found() {
        let text = r#"{"checks":[{"name":"a","suite":{"function":"accept","timeout":"5m"}}]}"#;
        let check = Pack::read("pack", text).unwrap().checks.remove(0);
        let text = r#"{"name":"live/a/1/1","function":"accept","stage":"PRE_SCALE_UP","details":{},"ordered":"1970-01-01T00:00:00Z"}"#;
        let ordered: RunRow = serde_json::from_str(text).unwrap();
        let RunStarts::Function(called) = &ordered.starts else { panic!("{ordered:?}") };
        let answered = |status, again: Option<i64>| {
            let again = again.map(|seconds| Timestamp::from_millis(seconds * 1000));
            let answered = Some(RunAnswer { status, again, details: serde_json::Map::new() });
            RunRow { answered, ..ordered.clone() }
        };
        let late = "nobody started it within 120 s".to_owned();
        let (progress, gone) =
            (HookStatus::InProgress, RunRow { not_started: Some("no".to_owned()), ..ordered.clone() });
        for (order, seconds, step) in [
            (ordered.clone(), 120, Step::Deploy),
            (ordered.clone(), 121, Step::End(Outcome::Unmeasured, late)),
            (gone, 1, Step::Lost("no".to_owned())),
            (
                answered(HookStatus::Succeeded, None),
                9,
                Step::Said(Outcome::Passed, "accept answered SUCCEEDED".to_owned()),
            ),
            (
                answered(HookStatus::Failed, None),
                9,
                Step::Said(Outcome::Failed, "accept answered FAILED".to_owned()),
            ),
            (answered(progress, Some(40)), 39, Step::Wait),
            (answered(progress, Some(40)), 40, Step::Deploy),
            (
                answered(progress, Some(40)),
                301,
                Step::End(Outcome::Unmeasured, "accept still answered IN_PROGRESS after 300 s".to_owned()),
            ),
        ] {
            assert_eq!(
                next(&check, &order, called, Timestamp::from_millis(seconds * 1000)),
                step,
                "{seconds}"
            );
        }
    }
}
