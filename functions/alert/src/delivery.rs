//! What a channel has of a release: written down before it is told, and after.

use pipeline::clock::Timestamp;
use pipeline::ids::ReleaseId;
use serde::{Deserialize, Serialize};

use crate::kind::AlertKind;

/// After how many seconds what was not delivered is tried again; the last one stays.
const LATER: [u32; 4] = [60, 300, 900, 3600];

/// How long a channel may ask for at most.
const LONGEST_ASKED: u32 = 3600;

/// How often it is tried again: for a day.
pub const MOST_LATER: u32 = 27;

/// What an alert is about, by which it is kept what each channel was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A release.
    Release(ReleaseId),
    /// Something else, by its id and the moment at which it was opened.
    Signal(String, Timestamp),
}

/// The last message that a channel was to tell about a release, or about something else since it was opened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// What it told.
    pub outcome: AlertKind,
    /// The plan that it told it of: one that became smaller is asked about again.
    pub plan: Option<String>,
    /// Which of the messages about what is of no release it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u32>,
    /// When it was first told.
    pub time: Timestamp,
    /// How far it is; rows of older versions were written once it was delivered.
    #[serde(default)]
    pub status: Status,
    /// Why it was not delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What names the first message there, which later ones edit and answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<String>,
    /// What it has woken somebody for, as long as nothing has ended that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<String>,
}

/// How far a delivery is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It is delivered.
    #[default]
    Sent,
    /// It is to be; it may be, if a call ended in the middle.
    Due,
    /// It cannot be.
    Failed,
}

impl Delivery {
    /// Makes the record of a message that nobody has been told yet.
    pub fn due(outcome: AlertKind, time: Timestamp) -> Self {
        Delivery {
            outcome,
            plan: None,
            seq: None,
            time,
            status: Status::Due,
            error: None,
            thread: None,
            open: None,
        }
    }

    /// Makes the record for a channel, after what it was told before.
    #[must_use]
    pub fn after(&self, before: Option<&Delivery>) -> Self {
        Delivery {
            thread: before.and_then(|before| before.thread.clone()),
            open: before.and_then(|before| before.open.clone()),
            ..self.clone()
        }
    }

    /// Tells whether another message says the same.
    pub fn is_of_the_same(&self, other: &Delivery) -> bool {
        let asks = other.outcome == AlertKind::WaitingForApproval;
        self.outcome == other.outcome && self.seq == other.seq && (!asks || self.plan == other.plan)
    }
}

/// Returns after how many seconds an attempt is made; longer if every channel that is missing asked for that, up to an
/// hour; none if there were enough.
pub fn later(attempt: u32, asked: impl Iterator<Item = Option<u32>>) -> Option<u32> {
    let usual = LATER.get(attempt as usize).or(LATER.last()).copied()?;
    let soonest = asked.map(Option::unwrap_or_default).min().unwrap_or_default();
    (attempt < MOST_LATER).then(|| usual.max(soonest.min(LONGEST_ASKED)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_delivered_is_tried_for_a_day_ever_more_seldom() {
        let after = |attempt, asked: &[Option<u32>]| later(attempt, asked.iter().copied());
        assert_eq!([0, 1, 2, 3, 4].map(|n| after(n, &[None])), [60, 300, 900, 3600, 3600].map(Some));
        assert_eq!((after(0, &[Some(90)]), after(3, &[Some(90)])), (Some(90), Some(3600)));
        // One that asks for a day makes no other wait, and itself not longer than an hour.
        assert_eq!((after(0, &[Some(86_400), None]), after(0, &[Some(86_400)])), (Some(60), Some(3600)));
        let seconds: u32 = (0..MOST_LATER).filter_map(|n| after(n, &[None])).sum();
        assert!((24 * 3600..26 * 3600).contains(&seconds), "{seconds}");
        assert_eq!(after(MOST_LATER, &[None]), None);
    }

    #[test]
    fn a_row_of_an_older_version_was_written_once_it_was_delivered() {
        let row = r#"{"outcome":"Deployed","plan":null,"time":"2026-11-23T10:00:00Z"}"#;
        let row: Delivery = serde_json::from_str(row).unwrap();
        assert_eq!((row.status, row.open), (Status::Sent, None));
    }
}
