//! What the new tasks log.

use std::collections::{BTreeMap, BTreeSet};

use pack::blank::blank;
use pack::kind::logs::Logs;
use pack::standing::Outcome;
use pipeline::clock::Timestamp;
use pipeline::ids::{DeploymentId, TaskDefinitionArn};
use pipeline::text::{cut, readable, signature};

use super::{Watch, sentence};
use crate::rollout::{Ended, Found, Line, Port, Search};
use crate::secrets::Secrets;

/// How many streams one call searches at most.
const STREAMS: usize = 100;

/// How long a line is shown.
const WIDTH: usize = 300;

/// For how long ECS remembers a task that has ended, at least, in seconds.
const REMEMBERED: i64 = 3600;

/// What some tasks logged.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Logged {
    /// The lines that were looked for, the first one first, each with its log group.
    lines: Vec<(String, Line)>,
    /// How many streams were searched.
    streams: usize,
    /// How many were not, since they are too many.
    left_out: usize,
    /// Whether there may be more lines than were read.
    cut: bool,
}

/// What the lines of a check come to.
#[derive(Debug, PartialEq)]
struct Judged<'a> {
    outcome: Outcome,
    text: String,
    /// The first of too many.
    first: Option<&'a (String, Line)>,
}

impl<P: Port> Watch<'_, P> {
    /// Counts the lines that its tasks have logged since the service was touched.
    pub(super) async fn lines(&self, logs: &Logs) -> Result<(Outcome, String), String> {
        let (row, now, touched) = (self.look.row, self.look.now, self.touched()?);
        let ours = self.ours.deployment.ok_or("its deployment is not known")?;
        let ended = self.port.ended(row).await.map_err(sentence)?;
        let running = self.ours.tasks.iter().filter(|task| task.started_by == ours.as_str());
        let tasks = running.map(|task| task.id.clone()).chain(of(&ended, ours)).collect();
        let registered = self.look.phase.revision(row).ok_or("the revision that runs is not noted")?;
        let new = self.logged(logs, registered, tasks, (touched, now)).await?;
        // What the old tasks logged matters only where there are too many lines.
        let old = match logs.only_new && new.lines.len() > most(logs) {
            true => self.before(logs, &ended, touched).await?,
            false => Logged::default(),
        };
        let Judged { outcome, text, first } = judge(logs, &new, &old, touched)?;
        Ok(match first {
            Some((group, line)) if logs.quiet => {
                (outcome, format!("{text}; the first, in {} of {group}, is not shown", line.stream))
            }
            Some((group, line)) => (outcome, format!("{text}{}", self.shown(group, line).await)),
            None => (outcome, text),
        })
    }

    /// Searches what the old tasks logged, for as long before the service was touched as it is since.
    async fn before(&self, logs: &Logs, ended: &[Ended], touched: Timestamp) -> Result<Logged, String> {
        let (row, since) = (self.look.row, self.look.now.seconds_since(touched));
        let tasks: Vec<String> = of(ended, &row.replaces).collect();
        match tasks.is_empty() {
            false => {
                let until = Timestamp::from_millis(touched.millis().saturating_sub(1));
                self.logged(logs, &row.running, tasks, (touched.plus_seconds(-since), until)).await
            }
            true if since < REMEMBERED => Ok(Logged::default()),
            true => Err("ECS no longer remembers the tasks before it, whose lines do not count".to_owned()),
        }
    }

    async fn logged(
        &self,
        logs: &Logs,
        revision: &TaskDefinitionArn,
        tasks: Vec<String>,
        (from, until): (Timestamp, Timestamp),
    ) -> Result<Logged, String> {
        let wanted = |container: &String| match &logs.container {
            Some(named) => container == named,
            None => self.look.row.containers.contains(container),
        };
        let all = self.port.streams(revision, &tasks).await.map_err(sentence)?;
        let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for stream in all.into_iter().filter(|stream| wanted(&stream.container)) {
            groups.entry(stream.group).or_default().push(stream.name);
        }
        if groups.is_empty() {
            return Err(format!("{revision} names no stream of CloudWatch Logs for the lines that count"));
        }
        let mut logged = Logged::default();
        for (group, mut streams) in groups {
            logged.left_out += streams.len().saturating_sub(STREAMS);
            streams.truncate(STREAMS);
            let search = Search { group: group.clone(), streams, pattern: logs.pattern.clone(), from, until };
            let Found { lines, streams, cut } = self.port.search(&search).await.map_err(sentence)?;
            logged.lines.extend(lines.into_iter().map(|line| (group.clone(), line)));
            logged.streams += streams;
            logged.cut |= cut;
        }
        logged.lines.sort_by_key(|(_, line)| line.at);
        Ok(logged)
    }

    /// Shows a line, and where it was found, without the secrets that live tests have told the tasks.
    async fn shown(&self, group: &str, line: &Line) -> String {
        let secrets = Secrets::of(self.port, self.pack, &self.pack.checks).await;
        let place = format!("; the first, in {} of {group}", line.stream);
        match secrets.missing() {
            Some((name, _)) => {
                format!(
                    "{place}, is not shown, since the secret {name:?} could not be read, which it may hold"
                )
            }
            None => {
                let text = blank(line.text.trim(), &secrets.blanked());
                format!("{place}: {}", cut(text.chars().map(readable), WIDTH))
            }
        }
    }
}

/// Returns the tasks of a deployment that have ended, the last first.
fn of(ended: &[Ended], deployment: &DeploymentId) -> impl Iterator<Item = String> {
    let mut theirs: Vec<&Ended> =
        ended.iter().filter(|task| task.started_by == deployment.as_str()).collect();
    theirs.sort_by_key(|task| std::cmp::Reverse(task.at));
    theirs.into_iter().map(|task| task.id.clone()).collect::<Vec<_>>().into_iter()
}

fn most(logs: &Logs) -> usize {
    usize::try_from(logs.most).unwrap_or(usize::MAX)
}

/// Judges what the new tasks logged by what the old ones did; or says why that cannot be.
fn judge<'a>(logs: &Logs, new: &'a Logged, old: &Logged, since: Timestamp) -> Result<Judged<'a>, String> {
    if new.streams == 0 {
        return Err("none of its tasks has a log stream yet".to_owned());
    }
    let known: BTreeSet<String> = old.lines.iter().map(|(_, line)| signature(&line.text)).collect();
    let counted = || new.lines.iter().filter(|(_, line)| !known.contains(&signature(&line.text)));
    let (count, most) = (counted().count(), most(logs));
    if count > most && old.cut {
        return Err("the old tasks logged more of such lines than can be read".to_owned());
    }
    if count <= most && new.cut {
        return Err(format!("its tasks log more than can be searched: {count} lines were found until then"));
    }
    let is_new = if logs.only_new { ", which the old tasks did not log" } else { "" };
    let left_out = match new.left_out {
        0 => String::new(),
        more => format!("; {more} streams more were left out"),
    };
    let wanted = format!("at most {} like {:?} since {since}{is_new}", lines(most), logs.pattern);
    let seen = format!("{} in {}{left_out}", lines(count), streams(new.streams));
    Ok(match count > most {
        false => {
            Judged { outcome: Outcome::Passed, text: format!("{seen}, as expected: {wanted}"), first: None }
        }
        true => {
            let at_least = if new.cut { "at least " } else { "" };
            let text = format!("expected {wanted}, got {at_least}{seen}");
            Judged { outcome: Outcome::Failed, text, first: counted().next() }
        }
    })
}

fn lines(count: usize) -> String {
    if count == 1 { "1 line".to_owned() } else { format!("{count} lines") }
}

fn streams(count: usize) -> String {
    if count == 1 { "1 stream".to_owned() } else { format!("{count} streams") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logged(texts: &[&str]) -> Logged {
        let lines = texts.iter().zip(1..).map(|(text, at)| {
            let line = Line { at, stream: "app/app/t1".to_owned(), text: (*text).to_owned() };
            ("/ecs/users".to_owned(), line)
        });
        Logged { lines: lines.collect(), streams: 2, ..Logged::default() }
    }

    fn logs(most: u32, only_new: bool) -> Logs {
        Logs { pattern: "?ERROR".to_owned(), most, only_new, container: None, quiet: false }
    }

    fn judged(logs: &Logs, new: &Logged, old: &Logged) -> Result<(Outcome, String), String> {
        let judged = judge(logs, new, old, Timestamp::parse("2026-11-24T10:00:00Z").unwrap())?;
        assert_eq!(judged.first.is_some(), judged.outcome == Outcome::Failed);
        Ok((judged.outcome, judged.text))
    }

    #[test]
    fn more_lines_than_may_be_fail() {
        let none = Logged::default();
        let wanted = "at most 1 line like \"?ERROR\" since 2026-11-24T10:00:00Z";
        for (texts, outcome, text) in [
            (&[][..], Outcome::Passed, format!("0 lines in 2 streams, as expected: {wanted}")),
            (&["a"], Outcome::Passed, format!("1 line in 2 streams, as expected: {wanted}")),
            (&["a", "b"], Outcome::Failed, format!("expected {wanted}, got 2 lines in 2 streams")),
        ] {
            assert_eq!(judged(&logs(1, false), &logged(texts), &none), Ok((outcome, text)));
        }
        let many = Logged { left_out: 50, streams: 1, ..logged(&["a"]) };
        let (_, text) = judged(&logs(0, false), &many, &none).unwrap();
        assert!(text.ends_with("got 1 line in 1 stream; 50 streams more were left out"), "{text}");
    }

    #[test]
    fn lines_that_the_old_tasks_logged_do_not_count() {
        let (new, old) = (logged(&["lost 17", "lost 18", "panicked"]), logged(&["lost 3"]));
        let (outcome, text) = judged(&logs(0, true), &new, &old).unwrap();
        assert_eq!(outcome, Outcome::Failed);
        assert!(text.ends_with("which the old tasks did not log, got 1 line in 2 streams"), "{text}");
        let found = judge(&logs(0, true), &new, &old, Timestamp::from_millis(0)).unwrap();
        assert_eq!(found.first.unwrap().1.text, "panicked");
        assert_eq!(judged(&logs(1, true), &new, &old).unwrap().0, Outcome::Passed);
    }

    #[test]
    fn what_was_not_read_to_its_end_fails_if_it_is_enough_and_never_passes() {
        let cut = |texts: &[&str]| Logged { cut: true, ..logged(texts) };
        let none = Logged::default();
        let (outcome, text) = judged(&logs(0, false), &cut(&["a"]), &none).unwrap();
        assert!(outcome == Outcome::Failed && text.contains("got at least 1 line"), "{text}");
        let why = "its tasks log more than can be searched: 1 line";
        assert!(judged(&logs(1, false), &cut(&["a"]), &none).unwrap_err().starts_with(why));
        assert!(judged(&logs(0, true), &logged(&["a"]), &cut(&[])).unwrap_err().starts_with("the old tasks"));
        assert_eq!(judged(&logs(0, true), &logged(&["a"]), &cut(&["a"])).unwrap().0, Outcome::Passed);
        let nowhere = Logged { streams: 0, ..logged(&[]) };
        assert!(judged(&logs(0, false), &nowhere, &none).unwrap_err().starts_with("none of its tasks"));
    }
}
