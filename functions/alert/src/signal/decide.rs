//! What becomes of an alert by news, and by time.  Pure.

use pipeline::clock::Timestamp;
use sha2::{Digest, Sha256};

use super::row::{Edition, SignalRow};
use super::{Cleared, Raised};
use crate::delivery::{MOST_LATER, later};

/// How soon an alert is looked at again at the earliest, and after which time without anything to do.
const SOONEST: i64 = 60;
const SELDOM: i64 = 6 * 3600;

/// How often what is still open is told again: whoever did not end it until then knows of it.
const MOST_REPEATS: u32 = 6;

/// How often a release is looked at that judges an alarm, and how long nobody is told for that.
const HELD_SECONDS: i64 = 120;
const HELD_AT_MOST: i64 = 3600;

/// Returns since when a lease has to be held at the latest to hold back what is told of its service: a release that died
/// keeps its leases.
pub fn holds_since(now: Timestamp) -> Timestamp {
    now.plus_seconds(-HELD_AT_MOST)
}

/// What news come to.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// A new alert, in place of one that is over.
    Open,
    /// The row changes.
    Change(Box<SignalRow>),
    /// It has happened again.
    Count,
    /// Nothing, and why.
    Nothing(&'static str),
}

/// Decides what becomes of something that has happened.
pub fn raised(row: Option<&SignalRow>, raised: &Raised, now: Timestamp) -> Step {
    let Some(row) = row else { return Step::Open };
    let came_late = row.clear.is_some_and(|clear| raised.at < clear);
    match row.clear {
        _ if row.resolved.is_some() && came_late => Step::Nothing("it is over by now"),
        _ if raised.once && raised.at <= row.seen => Step::Nothing("it was heard before"),
        _ if row.is_over(now) || row.has_cleared_by(raised.at) => Step::Open,
        // It was no end: neither that nor the new beginning is told.
        Some(_) if !came_late => {
            let version = row.version + 1;
            Step::Change(Box::new(SignalRow { version, clear: None, clears: None, ..row.clone() }))
        }
        _ => Step::Count,
    }
}

/// Decides what becomes of the end of something.
pub fn cleared(row: Option<&SignalRow>, cleared: &Cleared, now: Timestamp) -> Step {
    let is_open = row.is_some_and(|row| row.resolved.is_none());
    let Some(row) = row.filter(|_| is_open) else {
        let is_newer = row.is_none_or(|row| row.clear.is_none_or(|clear| clear < cleared.at));
        // Its beginning may come later, and is over by then.
        return if is_newer && cleared.early.is_some() {
            Step::Open
        } else {
            Step::Nothing("nothing is open")
        };
    };
    if cleared.at < row.seen {
        return Step::Nothing("it has happened again since");
    }
    // A later one follows a beginning that is still on its way, which has to be known as over when it comes.
    if row.clear.is_some_and(|clear| clear >= cleared.at) {
        return Step::Nothing("it was heard before");
    }
    let row = SignalRow { version: row.version + 1, clear: Some(cleared.at), watch: now, ..row.clone() };
    if cleared.holds_seconds == 0 {
        return Step::Change(Box::new(row.resolving(&cleared.because, now)));
    }
    let clears = Some((cleared.holds_seconds, cleared.because.clone()));
    Step::Change(Box::new(SignalRow { clears, ..row }))
}

/// What time comes to.
#[derive(Clone, Debug, PartialEq)]
pub enum Look {
    /// The row changes, and is looked at once more; a message of it may be due.
    Change(Box<SignalRow>),
    /// The message that is due is told again.
    Tell,
    /// It is looked at again after so many seconds.
    Again(u32),
    /// There is nothing more to do.
    Done,
}

/// Decides what becomes of an alert as time goes on; `is_held` says whether its release still has the services.
pub fn look(row: &SignalRow, is_held: bool, repeat_minutes: u32, now: Timestamp) -> Look {
    let change = |row: SignalRow| Look::Change(Box::new(SignalRow { version: row.version + 1, ..row }));
    if row.resolved.is_some() {
        return if row.is_due() { Look::Tell } else { Look::Done };
    }
    // What has happened since is no end.
    let ends = row.clear.filter(|clear| *clear >= row.seen).zip(row.clears.as_ref());
    let over = ends.map(|(clear, (seconds, why))| (clear.plus_seconds((*seconds).into()), why.as_str()));
    let quiet = row.quiet_at().map(|at| (at, "it has not happened since"));
    if let Some((_, why)) = [over, quiet].into_iter().flatten().find(|(at, _)| *at <= now) {
        return change(row.clone().resolving(why, now));
    }
    if row.held.is_some() && is_held && now < row.opened.plus_seconds(HELD_AT_MOST) {
        return Look::Again(seconds(HELD_SECONDS));
    }
    if row.held.is_some() && row.clear.is_none() {
        return change(row.clone().telling(Edition::Opened, now));
    }
    if row.is_due() {
        return Look::Tell;
    }
    let repeat = (row.seq <= MOST_REPEATS).then(|| repeats_at(row, repeat_minutes));
    if repeat.is_some_and(|at| at <= now) {
        // What a storm has hidden is told for the first time.
        let edition = if row.seq == 0 { Edition::Opened } else { Edition::Repeated };
        return change(row.clone().telling(edition, now));
    }
    let ends = [over, quiet].into_iter().flatten().map(|(at, _)| at);
    let next = ends.chain(repeat).min().unwrap_or(now.plus_seconds(SELDOM));
    Look::Again(seconds(next.seconds_since(now) + 1))
}

/// Returns when it is told again, if it is still open; those that a storm has hidden not all at once.
fn repeats_at(row: &SignalRow, repeat_minutes: u32) -> Timestamp {
    let repeat = i64::from(repeat_minutes) * 60;
    let hash = Sha256::digest(&row.signal.id);
    let spread = hash.iter().take(4).fold(0_i64, |sum, byte| sum * 256 + i64::from(*byte));
    match row.told {
        Some(told) => told.plus_seconds(repeat),
        None => row.opened.plus_seconds(repeat + spread % repeat.max(1)),
    }
}

/// Returns after how many seconds a message is tried again that not every channel has; none if there were enough tries.
pub fn tried(row: &SignalRow, asked: impl Iterator<Item = Option<u32>>) -> Option<u32> {
    if row.tries >= MOST_LATER { None } else { later(row.tries, asked) }
}

fn seconds(seconds: i64) -> u32 {
    u32::try_from(seconds.clamp(SOONEST, SELDOM)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
