//! What live tests run beside a service: orders it once, looks until it has ended, and says what that means.
//!
//! Nothing is started here: the orders are rows, and deploy carries them out.

mod called;
mod order;
mod step;

use std::collections::BTreeMap;

use pack::kind::run::{Suite, Task};
use pack::standing::Outcome;
use pack::{Check, Kind, Values};
use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::payload::MoveKey;
use pipeline::rows::{RunRow, RunStarts};

use crate::bundle;
use crate::look::Look;
use crate::places::Proven;
use crate::rollout::{Port, RunNote, RunTask};
use crate::round::Rounds;
use crate::tests_row::TestsRow;
use step::Step;

/// How many runs of a move are under way at once.
const AT_ONCE: usize = 5;

/// How many of its last lines are looked through for what a run must say.
const LINES: i32 = 200;

/// How many seconds a line that a task must say may take to arrive.
const SAID_WITHIN: i64 = 30;

/// How many seconds lines that explain why a task failed may take to arrive.
const EXPLAINED_WITHIN: i64 = 5;

/// How many of its last lines are shown of a run that did not end well.
const SHOWN: usize = 5;

/// What came of the runs of one poll.
#[derive(Debug, Default)]
pub struct Runs {
    /// The rounds that are decided, and what they have shown.
    pub rounds: Rounds,
    /// Whether deploy has something to do.
    pub ordered: bool,
    /// Whether something is waited for.
    pub waits: bool,
}

/// Looks at the runs among the checks that are due.
pub async fn look(
    port: &impl Port,
    at: &Look<'_>,
    due: &[&Check],
    row: &TestsRow,
    (values, proven): (&Values, &Proven),
) -> Result<Runs, Fault> {
    let mut due: Vec<&Check> = due.iter().copied().filter(|check| check.kind.is_run()).collect();
    if due.is_empty() {
        return Ok(Runs::default());
    }
    let orders: BTreeMap<String, RunRow> =
        port.runs(at.key).await?.into_iter().map(|order| (order.name.clone(), order)).collect();
    // What is under way is looked at first: ECS forgets what has ended.
    due.sort_by_key(|check| orders.get(&name(at, check, row)).is_none_or(|order| order.over));
    due.truncate(AT_ONCE);
    let names: Vec<String> = due.iter().map(|check| name(at, check, row)).collect();
    let started: Vec<String> = names.iter().filter_map(|name| orders.get(name)?.task.clone()).collect();
    let mut runs = Runs::default();
    let tasks = match started.is_empty() {
        true => Vec::new(),
        false => match port.ran(at.row, &started).await {
            Ok(tasks) => tasks,
            // It runs on, and the next poll looks again.
            Err(Fault::Throttled(_) | Fault::Unavailable(_)) => {
                runs.waits = true;
                return Ok(runs);
            }
            Err(fault) => return Err(fault),
        },
    };
    for (check, name) in due.iter().zip(names) {
        let order = orders.get(&name);
        let task = order.and_then(|order| order.task.as_ref());
        let task = task.map(|arn| tasks.iter().find(|task| task.arn == *arn));
        let step = match order.map(|order| (order, &order.starts)) {
            None => Step::Order,
            Some((order, RunStarts::Function(called))) => called::next(check, order, called, at.now),
            Some((order, RunStarts::Task(_))) => step::next(check, order, task, at.now),
        };
        take(port, at, (check, name, order), step, (values, proven), &mut runs).await?;
    }
    Ok(runs)
}

/// Takes the next step of one run.
async fn take(
    port: &impl Port,
    at: &Look<'_>,
    (check, name, order): (&Check, String, Option<&RunRow>),
    step: Step<'_>,
    given: (&Values, &Proven),
    runs: &mut Runs,
) -> Result<(), Fault> {
    let is_started = order.is_some_and(|order| order.task.is_some());
    match step {
        Step::Order => match order::of(check, name, at, given) {
            Ok(order) => {
                port.order(at.key, &order).await?;
                (runs.ordered, runs.waits) = (true, true);
            }
            Err(why) => drop(runs.rounds.insert(check.name.clone(), (Outcome::Unmeasured, why))),
        },
        Step::Deploy => (runs.ordered, runs.waits) = (true, true),
        Step::Wait => runs.waits = true,
        Step::End(outcome, why) => {
            port.note_run(at.key, &name, RunNote::Stop).await?;
            runs.ordered |= is_started;
            runs.rounds.insert(check.name.clone(), (outcome, why));
        }
        Step::Lost(why) => {
            if is_started {
                // It may only be hidden.
                port.note_run(at.key, &name, RunNote::Stop).await?;
                runs.ordered = true;
            }
            runs.rounds.insert(check.name.clone(), (Outcome::Unmeasured, why));
        }
        Step::Ended(task) => match ended(port, at, check, order, task).await {
            Some(round) => {
                // The container that counts may have ended before the others.
                let runs_on = task.status != step::STOPPED;
                let note = if runs_on { RunNote::Stop } else { RunNote::Over };
                port.note_run(at.key, &name, note).await?;
                runs.ordered |= runs_on;
                runs.rounds.insert(check.name.clone(), round);
            }
            None => runs.waits = true,
        },
        Step::Said(outcome, why) => {
            port.note_run(at.key, &name, RunNote::Over).await?;
            runs.rounds.insert(check.name.clone(), (outcome, why));
        }
    }
    Ok(())
}

/// Orders that all which was started ends, and tells whether there is any.
pub async fn end_all(port: &impl Port, key: &MoveKey) -> Result<bool, Fault> {
    let mut any = false;
    for order in port.runs(key).await?.into_iter().filter(|order| order.is_to_start() || order.may_run()) {
        if !order.stop {
            port.note_run(key, &order.name, RunNote::Stop).await?;
        }
        any |= order.may_run();
    }
    Ok(any)
}

/// Names a start: the part of the move, the check, its attempt and its start.
fn name(at: &Look<'_>, check: &Check, row: &TestsRow) -> String {
    let asked = row.standing.checks.get(&check.name);
    let attempt = asked.map_or(0, |asked| asked.passed + asked.failed) + 1;
    let start = asked.map_or(0, |asked| asked.unmeasured) + 1;
    let part = if at.gate.is_some() { at.first().as_str() } else { at.phase.as_str() };
    format!("{part}/{}/{attempt}/{start}", check.name)
}

/// Says what the end of a task means; none as long as its last lines may still be on their way.
async fn ended(
    port: &impl Port,
    at: &Look<'_>,
    check: &Check,
    order: Option<&RunRow>,
    task: &RunTask,
) -> Option<(Outcome, String)> {
    let (Kind::Task(Task { run, .. }) | Kind::Suite(Suite { run, .. })) = &check.kind else {
        return Some((Outcome::Unmeasured, "it is no run".to_owned()));
    };
    let row = at.row;
    let container = order.and_then(step::counts);
    let log = match &task.definition {
        Some(definition) => port.logged(row, definition, std::slice::from_ref(&task.ended.id), LINES).await,
        None => Err(Fault::NotFound("its task definition".to_owned())),
    };
    let lines: Vec<String> = match &log {
        Ok(streams) if streams.is_empty() && run.says.is_some() => {
            return Some((
                Outcome::Unmeasured,
                "its task definition names no stream of CloudWatch Logs".to_owned(),
            ));
        }
        Ok(streams) => streams.iter().flatten().cloned().collect(),
        Err(fault) if run.says.is_some() => {
            return Some((Outcome::Unmeasured, format!("its log could not be read: {fault}")));
        }
        Err(_) => Vec::new(),
    };
    let says = run.says.as_ref().is_none_or(|text| lines.iter().any(|line| line.contains(text.as_str())));
    let judged = |says| step::judged(check, run, container, &task.ended, says);
    let (outcome, why) = judged(says);
    let patience = match outcome {
        Outcome::Passed => 0,
        // The line that is missing may be on its way; it makes good no other failure.
        _ if !says && judged(true).0 == Outcome::Passed => SAID_WITHIN,
        _ if lines.is_empty() && log.is_ok_and(|streams| !streams.is_empty()) => EXPLAINED_WITHIN,
        _ => 0,
    };
    if at.now.seconds_since(Timestamp::from_millis(task.ended.at)) < patience {
        return None;
    }
    let last: Vec<&str> = lines
        .get(lines.len().saturating_sub(SHOWN)..)
        .unwrap_or_default()
        .iter()
        .map(String::as_str)
        .collect();
    Some(match (outcome, last.is_empty()) {
        (Outcome::Passed, _) | (_, true) => (outcome, why),
        _ => (outcome, format!("{why}; it logged last: {}", bundle::plain(&last.join(" | ")))),
    })
}
