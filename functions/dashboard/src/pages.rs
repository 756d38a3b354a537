//! The runs of all environments, page by page, the newest first.

use std::cmp::Reverse;
use std::collections::HashMap;

use futures_util::future::try_join_all;
use futures_util::try_join;
use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ids::{EnvironmentName, ReleaseId};
use pipeline::ledger::Listed;
use pipeline::rows::{HeadRow, ListedRun, Outcome};

use crate::board::in_order;
use crate::port::{Reads, Waiting};

/// How many runs a page has.
pub const RUNS: usize = 25;

/// How many are looked at in each environment for those that ended in one way.
const LOOKED_AT: usize = 100;

/// Which runs are wanted.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Those of one environment.
    pub environment: Option<EnvironmentName>,
    /// Those that ended so.
    pub outcome: Option<Outcome>,
}

/// A page.
#[derive(Debug, Default)]
pub struct Page {
    /// Which runs were wanted.
    pub filter: Filter,
    /// All environments.
    pub environments: Vec<EnvironmentName>,
    /// The releases that wait for a person, on the first page.
    pub waiting: Vec<(EnvironmentName, Waiting)>,
    /// The runs, those that are not over first.
    pub runs: Vec<Run>,
    /// Before which place the next page begins, if there are more.
    pub next: Option<String>,
}

/// A run.
#[derive(Debug)]
pub struct Run {
    /// Where.
    pub environment: EnvironmentName,
    /// Its name.
    pub id: ReleaseId,
    /// When it began.
    pub began: Option<Timestamp>,
    /// What is listed of it.
    pub row: ListedRun,
    /// The head of the release, if it is one that was let in.
    pub head: Option<HeadRow>,
}

impl Run {
    /// Tells whether it has not ended.
    pub fn is_open(&self) -> bool {
        self.row.outcome.is_none()
    }
}

/// Reads a page.
pub async fn read(port: &impl Reads, filter: Filter, before: Option<&str>) -> Result<Page, Fault> {
    let all: Vec<EnvironmentName> =
        in_order(&port.environments().await?).into_iter().map(|(name, _)| name).collect();
    let wanted = all.iter().filter(|name| filter.environment.as_ref().is_none_or(|wanted| wanted == *name));
    let most = if filter.outcome.is_some() { LOOKED_AT } else { RUNS };
    let read = try_join_all(wanted.map(|name| async move {
        let waits = async { if before.is_none() { port.waiting(name).await } else { Ok(Vec::new()) } };
        let (runs, waiting) = try_join!(port.runs(name, before, most + 1), waits)?;
        Ok::<_, Fault>((name.clone(), runs, waiting))
    }))
    .await?;
    let mut waiting = Vec::new();
    let mut runs: Vec<(EnvironmentName, Listed)> = Vec::new();
    for (name, listed, waits) in read {
        waiting.extend(waits.into_iter().map(|waits| (name.clone(), waits)));
        runs.extend(listed.into_iter().map(|listed| (name.clone(), listed)));
    }
    runs.sort_by(|(_, one), (_, other)| other.place.cmp(&one.place));
    let more = runs.len() > most;
    runs.truncate(most);
    let next = runs.last().filter(|_| more).map(|(_, last)| last.place.clone());
    let ended_so = |listed: &Listed| {
        filter.outcome.is_none_or(|outcome| listed.row.outcome.as_deref() == Some(&format!("{outcome:?}")))
    };
    runs.retain(|(_, listed)| ended_so(listed));
    let releases: Vec<ReleaseId> = runs.iter().filter_map(|(_, listed)| listed.run.clone()).collect();
    let mut heads: HashMap<ReleaseId, HeadRow> = port.heads(&releases).await?;
    let mut runs: Vec<Run> = runs
        .into_iter()
        .filter_map(|(environment, listed)| {
            let id = listed.run?;
            let head = heads.remove(&id);
            Some(Run { environment, began: listed.began, row: listed.row, head, id })
        })
        .collect();
    runs.sort_by_key(|run| Reverse(run.is_open()));
    Ok(Page { filter, environments: all, waiting, runs, next })
}
