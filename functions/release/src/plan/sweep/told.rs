//! What is news: a finding is told once, and again if it changes; and when it is no more.  Pure.

use std::collections::BTreeMap;

use pipeline::clock::Timestamp;
use pipeline::ids::{EnvironmentName, ReleaseId};
use pipeline::rows::{BETWEEN_FINDINGS, FoundKind, FoundRow, SETTLED, SWEEP_FOUND};

use super::Found;

/// How many findings are told at once, and how much of a sentence they may take.
const TOLD: usize = 20;
const LONGEST: usize = 3_600;

/// How long what one sweep has written stays as it is for another, which may run beside it: by then it has been told.
const TOLD_WITHIN_SECONDS: i64 = 600;

/// What changes of the rows of an environment.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A row is written.
    Write {
        /// What it is about.
        what: String,
        /// The row.
        row: FoundRow,
    },
    /// A row is taken away.
    Delete {
        /// What it is about.
        what: String,
        /// The row as it was read.
        row: FoundRow,
    },
}

/// Compares what was found with what is known; `looked` tells whether the place of a row was looked at this time.
pub fn changes(
    known: &[(String, FoundRow)],
    found: &[Found],
    looked: impl Fn(&FoundRow) -> bool,
    run: &ReleaseId,
    now: Timestamp,
) -> Vec<Change> {
    let mut left: BTreeMap<(FoundKind, &str), &FoundRow> =
        known.iter().map(|(sk, row)| ((row.kind, about(sk)), row)).collect();
    let mut changes = Vec::new();
    for one in found {
        let row = left.remove(&(one.kind, one.what.as_str()));
        changes.extend(written(one, row, run, now).map(|row| Change::Write { what: one.what.clone(), row }));
    }
    // What a later version has found is for that to settle.
    let gone = left.into_iter().filter(|((kind, _), row)| *kind != FoundKind::Other && looked(row));
    changes.extend(gone.filter_map(|((_, what), row)| settled(what, row, run, now)));
    changes
}

/// Returns what a row is about, by its key.
fn about(sk: &str) -> &str {
    sk.splitn(3, '#').nth(2).unwrap_or_default()
}

/// Returns the row of a finding, if there is anything new to it.
fn written(one: &Found, row: Option<&FoundRow>, run: &ReleaseId, now: Timestamp) -> Option<FoundRow> {
    let same = row.filter(|row| !row.gone && row.value == one.value);
    let told = match same {
        Some(same) if same.told.is_some() || same.run == *run => return None,
        // It was seen before, by another sweep: it does not pass.
        Some(_) => Some(run.clone()),
        None => Some(run.clone()).filter(|_| !one.may_pass),
    };
    Some(FoundRow {
        kind: one.kind,
        place: one.place.clone(),
        value: one.value.clone(),
        text: one.text.clone(),
        since: same.map_or(now, |same| same.since),
        run: run.clone(),
        noted: now,
        told,
        gone: false,
        version: row.map_or(0, |row| row.version) + 1,
    })
}

/// Says what becomes of the row of a finding that is no more.
fn settled(what: &str, row: &FoundRow, run: &ReleaseId, now: Timestamp) -> Option<Change> {
    let (what, mut row) = (what.to_owned(), row.clone());
    // What a sweep tells has to stand there until it has told so: this one, or one that runs beside it.
    let young = now.seconds_since(row.noted) < TOLD_WITHIN_SECONDS;
    if row.told.as_ref() == Some(run) || (young && row.told.as_ref() == Some(&row.run)) {
        return None;
    }
    // A lost push is settled by the release that it started, which tells its own end.
    if row.gone || row.told.is_none() || row.kind == FoundKind::Lost {
        return Some(Change::Delete { what, row });
    }
    (row.gone, row.run, row.told, row.noted) = (true, run.clone(), Some(run.clone()), now);
    row.version += 1;
    Some(Change::Write { what, row })
}

/// What a sweep tells, and whether somebody has to look at once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct News {
    lines: Vec<(bool, String)>,
}

impl News {
    /// Adds what a sweep tells of an environment.
    pub fn add(&mut self, name: &EnvironmentName, rows: &[(String, FoundRow)], run: &ReleaseId) {
        for (_, row) in rows.iter().filter(|(_, row)| row.told.as_ref() == Some(run)) {
            let settled = if row.gone { SETTLED } else { "" };
            let critical = row.kind.is_critical() && !row.gone;
            self.lines.push((critical, format!("{settled}{name}: {}", row.text)));
        }
    }

    /// Tells whether somebody has to look at once.
    pub fn is_critical(&self) -> bool {
        self.lines.iter().any(|(critical, _)| *critical)
    }

    /// Returns it in one sentence, the gravest first; none if there is nothing to tell.
    pub fn sentence(mut self) -> Option<String> {
        self.lines.sort_by_key(|(critical, line)| (!critical, line.starts_with(SETTLED)));
        let (all, mut told, mut length) = (self.lines.len(), Vec::new(), 0);
        for (_, line) in self.lines {
            length += line.len() + BETWEEN_FINDINGS.len();
            if told.len() == TOLD || (length > LONGEST && !told.is_empty()) {
                break;
            }
            told.push(line);
        }
        let more = all - told.len();
        if more > 0 {
            told.push(format!("and {more} more, which `make where` prints"));
        }
        (all > 0).then(|| format!("{SWEEP_FOUND}{}", told.join(BETWEEN_FINDINGS)))
    }
}

#[cfg(test)]
mod tests;
