//! What to do about a task that tests, given what is ordered and what ECS says.  Pure.

use pack::Check;
use pack::ended::End;
use pack::kind::run::Run;
use pack::standing::Outcome;
use pipeline::clock::Timestamp;
use pipeline::rows::{RunRow, RunStarts};

use crate::rollout::{Ended, RunTask};

/// How many seconds an order may wait for deploy, and a task for its place and its image.
const TO_START: i64 = 120;

/// After how many seconds ECS shows a task for certain.
const TO_SHOW: i64 = 60;

/// Where a task is that has ended, in the word of ECS.
pub const STOPPED: &str = "STOPPED";

/// The next step.
#[derive(Debug, PartialEq)]
pub enum Step<'a> {
    /// Nothing is ordered yet.
    Order,
    /// It is ordered, and deploy has still to start it.
    Deploy,
    /// It runs, or will.
    Wait,
    /// It took too long: it is to end, and this is what that says.
    End(Outcome, String),
    /// Nothing was measured by it.
    Lost(String),
    /// It has ended, or its container that counts has.
    Ended(&'a RunTask),
    /// It has said what it has found.
    Said(Outcome, String),
}

/// Decides about a start; `task` is what ECS says of the one that it started, none if ECS no longer knows it.
pub fn next<'a>(
    check: &Check,
    order: &RunRow,
    task: Option<Option<&'a RunTask>>,
    now: Timestamp,
) -> Step<'a> {
    if let Some(why) = &order.not_started {
        return Step::Lost(why.clone());
    }
    let waited = now.seconds_since(order.ordered);
    let Some(task) = task else { return to_start(waited) };
    let Some(task) = task else {
        if waited < TO_SHOW {
            return Step::Wait;
        }
        return Step::Lost("ECS no longer knows the task that it started".to_owned());
    };
    let timeout = check.kind.timeout().map_or(0, |timeout| timeout.whole_seconds());
    match task.status.as_str() {
        STOPPED => Step::Ended(task),
        "RUNNING" if has_exited(order, task) => Step::Ended(task),
        // Its time counts from its own start; to be placed and to pull its image it has some beside.
        "RUNNING" if task.started.is_none_or(|at| now.seconds_since(at) <= timeout) => Step::Wait,
        status if status != "RUNNING" && waited <= timeout.saturating_add(TO_START) => Step::Wait,
        "RUNNING" => {
            let end = End::Overran.outcome(false, &[]);
            Step::End(end, format!("task {} still ran after {timeout} s", task.ended.id))
        }
        status => {
            let end = End::NeverRan.outcome(false, &[]);
            Step::End(end, format!("task {} was still {status} after {waited} s", task.ended.id))
        }
    }
}

/// Decides about an order that deploy has not carried out so long.
pub fn to_start<'a>(waited: i64) -> Step<'a> {
    match waited > TO_START {
        true => Step::End(Outcome::Unmeasured, format!("nobody started it within {TO_START} s")),
        false => Step::Deploy,
    }
}

/// Returns the container whose end counts; none means the first that went wrong.
pub fn counts(order: &RunRow) -> Option<&str> {
    let RunStarts::Task(task) = &order.starts else { return None };
    task.container.as_deref().or(order.told.as_deref())
}

/// Tells whether the container that counts has ended while others run on.
fn has_exited(order: &RunRow, task: &RunTask) -> bool {
    let exits = || task.ended.exits.iter();
    counts(order).is_some_and(|counts| exits().any(|exit| exit.container == counts && exit.code.is_some()))
}

/// Says what the end of a task means, and how it ended.
pub fn judged(
    check: &Check,
    run: &Run,
    container: Option<&str>,
    ended: &Ended,
    says: bool,
) -> (Outcome, String) {
    let counts = |name: &str| container.is_none_or(|container| container == name);
    let exits: Vec<_> = ended.exits.iter().filter(|exit| counts(&exit.container)).collect();
    // Where no container is named, the first that went wrong counts.
    let bad = exits.iter().find(|exit| exit.code != Some(0)).or(exits.first());
    let (code, reason) = bad.map_or((None, ""), |exit| (exit.code, exit.reason.as_str()));
    let end = End::of(&ended.code, [&ended.reason, reason], code, says);
    let is_suite = matches!(check.kind, pack::Kind::Suite(_));
    let outcome = end.outcome(is_suite, &run.unmeasured);
    let how = match (&end, code) {
        (End::Exited { says: false, .. }, Some(0)) => {
            let text = run.says.as_deref().unwrap_or_default();
            format!("exit code 0, and its log does not say {text:?}")
        }
        (End::Exited { .. }, Some(code)) => format!("exit code {code}"),
        _ if reason.is_empty() => format!("{} ({})", ended.reason, ended.code),
        _ => format!("{} ({}): {reason}", ended.reason, ended.code),
    };
    (outcome, format!("task {} ended: {how}", ended.id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollout::Exit;
    use pack::{Kind, Pack};

    fn check() -> Check {
        let text = r#"{"checks":[{"name":"self test","task":{"command":["check"],"timeout":"5m","says":"passed"}}]}"#;
        Pack::read("pack", text).unwrap().checks.remove(0)
    }

    fn ordered() -> RunRow {
        let text =
            r#"{"name":"before/self test/1/1","definition":"users:2","ordered":"1970-01-01T00:00:00Z"}"#;
        serde_json::from_str(text).unwrap()
    }

    fn task(status: &str, code: Option<i32>, reason: &str) -> RunTask {
        let exit = Exit { container: "app".to_owned(), code, reason: reason.to_owned() };
        let ended = Ended {
            id: "t1".to_owned(),
            started_by: String::new(),
            code: "EssentialContainerExited".to_owned(),
            reason: "Essential container in task exited".to_owned(),
            exits: vec![exit],
            at: 0,
        };
        RunTask {
            arn: "arn".to_owned(),
            definition: None,
            status: status.to_owned(),
            started: Some(Timestamp::from_millis(10_000)),
            ended,
        }
    }

    #[test]
    fn a_run_is_ordered_started_waited_for_and_ended() {
        let (check, at) = (check(), |seconds: i64| Timestamp::from_millis(seconds * 1000));
        let started = RunRow { task: Some("arn".to_owned()), ..ordered() };
        assert_eq!(next(&check, &ordered(), None, at(120)), Step::Deploy);
        let late = "nobody started it within 120 s".to_owned();
        assert_eq!(next(&check, &ordered(), None, at(121)), Step::End(Outcome::Unmeasured, late));
        let refused = RunRow { not_started: Some("no capacity".to_owned()), ..ordered() };
        assert_eq!(next(&check, &refused, None, at(1)), Step::Lost("no capacity".to_owned()));
        assert_eq!(next(&check, &started, Some(None), at(59)), Step::Wait);
        let gone = next(&check, &started, Some(None), at(60));
        assert_eq!(gone, Step::Lost("ECS no longer knows the task that it started".to_owned()));
        for (status, seconds, step) in [
            ("PENDING", 420, Step::Wait),
            ("RUNNING", 310, Step::Wait),
            ("RUNNING", 311, Step::End(Outcome::Failed, "task t1 still ran after 300 s".to_owned())),
            (
                "PENDING",
                421,
                Step::End(Outcome::Unmeasured, "task t1 was still PENDING after 421 s".to_owned()),
            ),
        ] {
            let task = task(status, None, "");
            assert_eq!(next(&check, &started, Some(Some(&task)), at(seconds)), step);
        }
        // The container that counts has ended, and another one runs on.
        let named = RunRow { told: Some("app".to_owned()), ..started.clone() };
        let half = task("RUNNING", Some(0), "");
        assert_eq!(next(&check, &named, Some(Some(&half)), at(1)), Step::Ended(&half));
        let over = task("STOPPED", Some(0), "");
        assert_eq!(next(&check, &started, Some(Some(&over)), at(999)), Step::Ended(&over));
    }

    #[test]
    fn the_end_of_a_run_is_told_as_it_was() {
        let check = check();
        let Kind::Task(pack::kind::run::Task { run, .. }) = &check.kind else { panic!("{check:?}") };
        for (code, reason, says, outcome, told) in [
            (Some(0), "", true, Outcome::Passed, "task t1 ended: exit code 0"),
            (
                Some(0),
                "",
                false,
                Outcome::Failed,
                "task t1 ended: exit code 0, and its log does not say \"passed\"",
            ),
            (Some(3), "", true, Outcome::Failed, "task t1 ended: exit code 3"),
            (
                None,
                "CannotPullContainerError: not found",
                true,
                Outcome::Unmeasured,
                "task t1 ended: Essential container in task exited (EssentialContainerExited): CannotPullContainerError: \
                 not found",
            ),
        ] {
            let ended = task("STOPPED", code, reason).ended;
            assert_eq!(judged(&check, run, Some("app"), &ended, says), (outcome, told.to_owned()));
        }
        // Of several containers the one that is named counts, and without a name the first that went wrong.
        let mut two = task("STOPPED", Some(0), "").ended;
        two.exits.push(Exit { container: "db".to_owned(), code: Some(137), reason: String::new() });
        assert_eq!(judged(&check, run, Some("app"), &two, true).0, Outcome::Passed);
        assert_eq!(judged(&check, run, None, &two, true).0, Outcome::Failed);
    }
}
