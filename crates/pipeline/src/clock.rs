//! Time, as a value that is handed in: no decision reads a clock by itself.

use std::fmt;
use std::time::SystemTime;

use aws_smithy_types::date_time::{DateTime, Format};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::{Fault, text};

/// The years 1 to 9999, in milliseconds since 1970: no other can be written.
const FIRST: i64 = -62_135_596_800_000;
const LAST: i64 = 253_402_300_799_999;

/// A moment in UTC, to the millisecond; RFC 3339 wherever it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(i64);

impl Timestamp {
    /// Reads the clock of the machine: only the Lambda shell does, and the ledger to say when a row expires.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    /// Returns the moment that many milliseconds after the start of 1970.
    pub fn from_millis(millis: i64) -> Self {
        Timestamp(millis)
    }

    /// Reads RFC 3339, as events and the ledger write it.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        DateTime::from_str(text, Format::DateTimeWithOffset)
            .ok()
            .and_then(|moment| moment.to_millis().ok())
            .filter(|millis| (FIRST..=LAST).contains(millis))
            .map(Timestamp)
            .ok_or_else(|| {
                Fault::InvalidInput(format!("{} is not a time: expected RFC 3339", text::shown(text)))
            })
    }

    /// Returns the milliseconds since the start of 1970.
    pub fn millis(self) -> i64 {
        self.0
    }

    /// Returns the moment that many seconds later (earlier, if negative).
    pub fn plus_seconds(self, seconds: i64) -> Self {
        Timestamp(self.0.saturating_add(seconds.saturating_mul(1000)))
    }

    /// Returns the whole seconds from `earlier` to this moment; negative if `earlier` is later.
    pub fn seconds_since(self, earlier: Timestamp) -> i64 {
        self.0.saturating_sub(earlier.0).div_euclid(1000)
    }
}

/// The time within a call, which goes on from the moment at which the call began.
#[derive(Clone, Copy, Debug)]
pub struct CallClock {
    began: Timestamp,
    since: Instant,
}

impl CallClock {
    /// Starts it.
    pub fn starting_at(began: Timestamp) -> Self {
        CallClock { began, since: Instant::now() }
    }

    /// Reads it.
    pub fn now(&self) -> Timestamp {
        let passed = i64::try_from(self.since.elapsed().as_millis()).unwrap_or(i64::MAX);
        Timestamp(self.began.0.saturating_add(passed))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A moment beyond is written as the last one: whoever writes text cannot be told that there is none.
        let moment = DateTime::from_millis(self.0.clamp(FIRST, LAST));
        f.write_str(&moment.fmt(Format::DateTime).map_err(|_| fmt::Error)?)
    }
}

impl TryFrom<String> for Timestamp {
    type Error = Fault;
    fn try_from(text: String) -> Result<Self, Fault> {
        Timestamp::parse(&text)
    }
}

impl From<Timestamp> for String {
    fn from(moment: Timestamp) -> String {
        moment.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes_to_the_millisecond() {
        let moment = Timestamp::parse("2026-11-23T10:00:00.250Z").unwrap();
        assert_eq!(moment.to_string(), "2026-11-23T10:00:00.25Z");
        assert_eq!(moment.plus_seconds(-1).to_string(), "2026-11-23T09:59:59.25Z");
        assert_eq!(moment.plus_seconds(90).seconds_since(moment), 90);
    }

    #[test]
    fn a_moment_that_cannot_be_written_is_none() {
        for text in ["9999-12-31T23:59:59-00:01", "0001-01-01T00:00:00+00:01", "0000-06-01T00:00:00Z"] {
            assert!(Timestamp::parse(text).is_err(), "{text}");
        }
        for text in ["9999-12-31T23:59:59.999Z", "0001-01-01T00:00:00Z"] {
            assert_eq!(Timestamp::parse(text).unwrap().to_string(), text);
        }
        let last = "9999-12-31T23:59:59.999Z";
        assert_eq!(Timestamp::parse(last).unwrap().plus_seconds(1).to_string(), last);
        assert_eq!(Timestamp::from_millis(i64::MIN).to_string(), "0001-01-01T00:00:00Z");
    }

    #[test]
    fn refuses_what_is_not_a_time() {
        assert_eq!(
            Timestamp::parse("yesterday").unwrap_err().to_string(),
            "\"yesterday\" is not a time: expected RFC 3339"
        );
    }
}
