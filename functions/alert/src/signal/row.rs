//! The row of an alert that is of no release.

use pipeline::clock::Timestamp;
use pipeline::ids::ReleaseId;
use serde::{Deserialize, Serialize};

use super::Signal;
use crate::kind::Severity;

/// For how many seconds nobody may come back before that is known to be so.
const LATE: i64 = 600;

/// `alert#<id>` / `state`: what has happened, and how far it is told.
///
/// Whoever changes it has read it, and names its version; how often it has happened is counted beside, without.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignalRow {
    /// Rises with every change but that of the count.
    pub version: u64,
    /// What happened when it was opened.
    pub signal: Signal,
    /// When it was opened.
    pub opened: Timestamp,
    /// When it happened last.
    pub seen: Timestamp,
    /// How often it has happened.
    pub count: u64,
    /// How often it had happened when it was opened: whoever counted until then is in the count already.
    #[serde(default)]
    pub covered: u64,
    /// What the last message says.
    #[serde(default)]
    pub edition: Edition,
    /// Which message that is; 0 if nothing is told.
    #[serde(default)]
    pub seq: u32,
    /// When it was due.
    #[serde(default)]
    pub told: Option<Timestamp>,
    /// The last message that every channel has, as far as it will.
    #[serde(default)]
    pub sent: u32,
    /// How often the one after it was tried.
    #[serde(default)]
    pub tries: u32,
    /// Since when it is over, if that holds.
    #[serde(default)]
    pub clear: Option<Timestamp>,
    /// For how many seconds that has to hold, and why it is over.
    #[serde(default)]
    pub clears: Option<(u32, String)>,
    /// When that was taken for the end.
    #[serde(default)]
    pub resolved: Option<Timestamp>,
    /// The release that judges it, as long as nobody is told for that.
    #[serde(default)]
    pub held: Option<ReleaseId>,
    /// The last message that is kept in the queue, since a channel will not have it.
    #[serde(default)]
    pub kept: u32,
    /// When the execution was started that comes back to it; those that were started at other times end.
    pub watch: Timestamp,
}

/// What a message says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Edition {
    /// It has happened.
    #[default]
    Opened,
    /// It is still so.
    Repeated,
    /// It is over.
    Resolved,
}

impl SignalRow {
    /// Makes the row of what has just happened, in the place of what is over; nobody is told yet.
    pub fn open(signal: Signal, at: Timestamp, times: u64, over: Option<&SignalRow>, now: Timestamp) -> Self {
        SignalRow {
            version: over.map_or(0, |over| over.version) + 1,
            signal,
            opened: now,
            seen: at,
            count: times,
            covered: times,
            edition: Edition::Opened,
            seq: 0,
            told: None,
            sent: 0,
            tries: 0,
            clear: None,
            clears: None,
            resolved: None,
            held: None,
            kept: 0,
            watch: now,
        }
    }

    /// Makes the row of what is over before it was heard of.
    pub fn over(signal: Signal, at: Timestamp, over: Option<&SignalRow>, now: Timestamp) -> Self {
        let row = SignalRow::open(signal, at, 0, over, now);
        SignalRow { clear: Some(at), resolved: Some(now), ..row }
    }

    /// Makes the row with one more message that is due.
    #[must_use]
    pub fn telling(self, edition: Edition, now: Timestamp) -> Self {
        SignalRow { edition, seq: self.seq + 1, told: Some(now), tries: 0, held: None, ..self }
    }

    /// Makes the row of what is over; who was told that it began is told so.
    #[must_use]
    pub fn resolving(self, why: &str, now: Timestamp) -> Self {
        let clears = Some((0, why.to_owned()));
        let row = SignalRow { resolved: Some(now), clears, held: None, ..self };
        // What is only good to know has no end that anybody waits for.
        let is_told = row.seq > 0 && row.signal.severity != Severity::Info;
        if is_told { row.telling(Edition::Resolved, now) } else { row }
    }

    /// Tells whether a message is due that not every channel has.
    pub fn is_due(&self) -> bool {
        self.sent < self.seq
    }

    /// Tells whether it is over, or has been quiet for so long that it is.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.resolved.is_some() || self.quiet_at().is_some_and(|at| at <= now)
    }

    /// Tells whether it was over by some moment, and nobody came back to say so.
    pub fn has_cleared_by(&self, moment: Timestamp) -> bool {
        let clears = self.clear.zip(self.clears.as_ref());
        clears.is_some_and(|(clear, (seconds, _))| clear.plus_seconds(i64::from(*seconds) + LATE) <= moment)
    }

    /// Returns when it has been quiet for long enough.
    pub fn quiet_at(&self) -> Option<Timestamp> {
        self.signal.quiet_seconds.map(|seconds| self.seen.plus_seconds(seconds.into()))
    }
}
