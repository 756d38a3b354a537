//! Looks for what no event has told: pushes that were lost, releases that died, what somebody did past the pipeline.
//!
//! Starts what was pushed and never seen, by the event that it would have been, and repairs nothing else.  Tells each
//! finding once.  A call does so much and no more; the state machine asks again until all environments are through.

mod repositories;
mod services;

use pipeline::clock::Timestamp;
use pipeline::environment::{Environment, Environments};
use pipeline::ids::EnvironmentName;
use pipeline::rows::SweepRow;
use pipeline::{Fault, document};
use serde::Deserialize;
use serde_json::Value;

use crate::answer::{Opened, Opening};
use crate::intake::home::Home;
use crate::intake::route::unknown_environment;
use crate::observe;
use crate::payload::{Open, Run};
use crate::plan::sweep::told::{News, changes};
use crate::plan::sweep::{DOCUMENT, Found};
use crate::plan::words::plural;
use crate::ports::{
    Approvals, Clusters, Events, Executions, Freezes, History, Images, Releases, Runs, Sweeps,
};

/// How much one call looks at: a repository counts as one, and so do ten services.
const WORK: u32 = 100;

/// After how long nobody waits for a sweep that is not through.
const LONGEST_SECONDS: i64 = 3600;

/// How long the next call waits, where AWS need not be waited for.
const BREATH_SECONDS: i64 = 1;

/// What a sweep is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(rename = "mode")]
    _mode: String,
    /// Which environment; all of them if absent.
    #[serde(default)]
    environment: Option<EnvironmentName>,
    #[serde(default, rename = "reason")]
    _reason: Option<String>,
}

/// What every step of a sweep goes by.
#[derive(Clone, Copy)]
struct Context<'a> {
    run: &'a Run,
    home: &'a Home,
    environments: &'a Environments,
    now: Timestamp,
    /// Whether a person asked for it, and waits for no event that may still come.
    asked: bool,
}

/// How far a sweep is with an environment.
enum Progress {
    /// Through.
    Done,
    /// It goes on in so many seconds.
    Later(i64),
    /// Another one is at it: this one.
    Other(String),
}

/// Tells whether the input of an execution asks for a sweep.
pub fn is_asked(input: &Value) -> bool {
    input.get("mode").is_some_and(|mode| mode == "reconcile")
}

/// Looks at one environment after the other, and tells what is new once all are through.
pub async fn sweep(
    aws: &(impl Clusters + Images + Executions),
    ledger: &(impl History + Freezes + Releases + Approvals + Events + Runs + Sweeps),
    open: Open,
    environments: &Environments,
    now: Timestamp,
) -> Result<Opened, Fault> {
    let asked: Asked = match document::read("the request", open.input) {
        Err(Fault::InvalidInput(why)) => return Ok(Opened::refused(false, None, why)),
        read => read?,
    };
    let named = asked.environment;
    if let Some(name) = named.as_ref().filter(|name| !environments.has(name)) {
        return Ok(Opened::refused(false, Some(name), unknown_environment(name, environments)));
    }
    let home = Home::of(&open.run)?;
    let context = Context { run: &open.run, home: &home, environments, now, asked: named.is_some() };
    let wanted = |name: &EnvironmentName| named.as_ref().is_none_or(|named| named == name);
    let (mut work, mut swept) = (WORK, Vec::new());
    for (name, policy) in environments.good().filter(|(name, _)| wanted(name)) {
        match environment(aws, ledger, context, name, policy, &mut work).await? {
            Progress::Done => swept.push(name.clone()),
            Progress::Later(pause_seconds) => {
                let why = format!("{name} is being swept");
                return Ok(Opened { pause_seconds, ..Opened::without_plan(Opening::Waiting, None, why) });
            }
            Progress::Other(run) if context.asked => {
                let why = format!("{name} is being swept already, by {run}: ask again when that has ended");
                return Ok(Opened::without_plan(Opening::Ignored, None, why));
            }
            Progress::Other(_) => {}
        }
    }
    for (name, fault) in environments.broken() {
        // What cannot even be named has no rows: releases tell of it.
        let Ok(name) = EnvironmentName::parse(name) else { continue };
        if wanted(&name) {
            let found = Found::unreadable(DOCUMENT, &format!("its document cannot be read: {fault}"), false);
            note(ledger, context, &name, &[found], |place| place == DOCUMENT).await?;
            swept.push(name);
        }
    }
    tell(ledger, context, &swept).await
}

/// Answers with what is new in some environments.
async fn tell(
    ledger: &impl Sweeps,
    context: Context<'_>,
    swept: &[EnvironmentName],
) -> Result<Opened, Fault> {
    let mut news = News::default();
    for name in swept {
        news.add(name, &ledger.found(name).await?, &context.run.release);
    }
    let outcome = if news.is_critical() { Opening::NeedsHuman } else { Opening::Answered };
    Ok(match news.sentence() {
        Some(because) => Opened { outcome, ..Opened::without_plan(Opening::Alert, None, because) },
        None => {
            let because = format!("the sweep found nothing new in {}", plural(swept.len(), "environment"));
            Opened::without_plan(Opening::Answered, None, because)
        }
    })
}

/// Goes on with one environment, as far as this call may.
async fn environment(
    aws: &(impl Clusters + Images + Executions),
    ledger: &(impl History + Freezes + Releases + Approvals + Events + Runs + Sweeps),
    context: Context<'_>,
    name: &EnvironmentName,
    policy: &Environment,
    work: &mut u32,
) -> Result<Progress, Fault> {
    let before = ledger.progress(name).await?;
    let begun = before.as_ref().filter(|row| row.run == context.run.release).cloned();
    let mut row = match begun {
        Some(row) => row,
        None if *work == 0 => return Ok(Progress::Later(BREATH_SECONDS)),
        None => {
            if let Some(other) = other(aws, context, before.as_ref()).await? {
                return Ok(Progress::Other(other));
            }
            match services::look(aws, ledger, context, name, policy, before, work).await? {
                Ok(row) => row,
                Err(pause_seconds) => return Ok(Progress::Later(pause_seconds)),
            }
        }
    };
    while row.left > 0 {
        let count = row.left.min(*work);
        if count == 0 {
            return Ok(Progress::Later(BREATH_SECONDS));
        }
        *work -= count;
        row = repositories::look(aws, ledger, context, name, policy, row, count).await?;
    }
    Ok(Progress::Done)
}

/// Returns the sweep that is at an environment, if one is: two would undo what the other has written of its progress.
async fn other(
    aws: &impl Executions,
    context: Context<'_>,
    before: Option<&SweepRow>,
) -> Result<Option<String>, Fault> {
    let unfinished = |row: &&SweepRow| row.left > 0 && context.now.seconds_since(row.since) < LONGEST_SECONDS;
    let Some(row) = before.filter(unfinished) else { return Ok(None) };
    Ok(observe::still_runs(aws, context.run, &row.run).await?.then(|| row.run.to_string()))
}

/// Writes down what was found where this look went, and what is no more there.
async fn note(
    ledger: &impl Sweeps,
    context: Context<'_>,
    name: &EnvironmentName,
    found: &[Found],
    looked: impl Fn(&str) -> bool,
) -> Result<(), Fault> {
    let known = ledger.found(name).await?;
    let changes = changes(&known, found, |row| looked(&row.place), &context.run.release, context.now);
    ledger.note_found(name, &changes).await
}
