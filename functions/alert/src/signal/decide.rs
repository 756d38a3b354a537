//! What becomes of an alert by news, and by time.  Pure.

use pipeline::clock::Timestamp;

use super::row::{Edition, SignalRow};
use super::{Cleared, Raised};
use crate::delivery::{MOST_LATER, later};

/// How soon an alert is looked at again at the earliest, and after which time without anything to do.
const SOONEST: i64 = 60;
const SELDOM: i64 = 6 * 3600;

/// How often a release is looked at that judges an alarm, and how long nobody is told for that.
const HELD_SECONDS: i64 = 120;
const HELD_AT_MOST: i64 = 3600;

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
    if raised.once && raised.at <= row.seen {
        return Step::Nothing("it was heard before");
    }
    if row.resolved.is_some_and(|resolved| raised.at < row.clear.unwrap_or(resolved)) {
        return Step::Nothing("it is over by now");
    }
    if row.is_over(now) {
        return Step::Open;
    }
    match row.clear {
        Some(clear) if raised.at < clear => Step::Count,
        // It was no end: neither that nor the new beginning is told.
        Some(_) => {
            let version = row.version + 1;
            let seen = raised.at;
            Step::Change(Box::new(SignalRow { version, seen, clear: None, clears: None, ..row.clone() }))
        }
        None => Step::Count,
    }
}

/// Decides what becomes of the end of something.
pub fn cleared(row: Option<&SignalRow>, cleared: &Cleared, now: Timestamp) -> Step {
    let Some(row) = row.filter(|row| row.resolved.is_none()) else { return Step::Nothing("nothing is open") };
    if cleared.at < row.seen {
        return Step::Nothing("it has happened again since");
    }
    if row.clear.is_some() {
        return Step::Nothing("it was heard before");
    }
    let row = SignalRow { version: row.version + 1, clear: Some(cleared.at), ..row.clone() };
    if cleared.holds_seconds == 0 {
        return Step::Change(Box::new(row.resolving(&cleared.because, now)));
    }
    let clears = Some((cleared.holds_seconds, cleared.because.clone()));
    Step::Change(Box::new(SignalRow { clears, watch: row.watch + 1, ..row }))
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
    let ends = row.clear.zip(row.clears.as_ref());
    let over = ends.map(|(clear, (seconds, why))| (clear.plus_seconds((*seconds).into()), why.as_str()));
    let quiet = row.quiet_at().map(|at| (at, "it has not happened since"));
    if let Some((_, why)) = [over, quiet].into_iter().flatten().find(|(at, _)| *at <= now) {
        return change(row.clone().resolving(why, now));
    }
    if row.held.is_some() && is_held && now < row.seen.plus_seconds(HELD_AT_MOST) {
        return Look::Again(seconds(HELD_SECONDS));
    }
    if row.held.is_some() && row.clear.is_none() {
        return change(row.clone().telling(Edition::Opened, now));
    }
    if row.is_due() {
        return Look::Tell;
    }
    let repeat = row.told.unwrap_or(row.opened).plus_seconds(i64::from(repeat_minutes) * 60);
    if repeat <= now {
        return change(row.clone().telling(Edition::Repeated, now));
    }
    let next = [over, quiet].into_iter().flatten().map(|(at, _)| at).chain([repeat]).min().unwrap_or(repeat);
    Look::Again(seconds(next.seconds_since(now) + 1))
}

/// Returns after how many seconds a message is tried again that not every channel has; none if there were enough tries.
pub fn tried(row: &SignalRow, asked: impl Iterator<Item = Option<u32>>) -> Option<u32> {
    if row.tries >= MOST_LATER { None } else { later(row.tries, asked) }
}

fn seconds(seconds: i64) -> u32 {
    u32::try_from(seconds.clamp(SOONEST, SELDOM)).unwrap_or(u32::MAX)
}
