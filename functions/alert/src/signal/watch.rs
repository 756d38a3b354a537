//! Comes back to an alert until it is resolved and every channel knows so.
//!
//! One execution of a small machine waits and calls, as for what a channel could not take.  The row names the one that
//! goes on: a newer one, which has to come back sooner, ends the older.

use pipeline::Fault;
use pipeline::clock::Timestamp;
use serde::{Deserialize, Serialize};

use super::decide::{self, Look};
use super::row::SignalRow;
use crate::hash;
use crate::port::{Port, Signals};
use crate::{About, Alert, Follow, Response};

/// After how many seconds a new alert is looked at for the first time.
const FIRST: u32 = 60;

/// How often a row is read anew in one look.
const MOST_LOOKS: usize = 8;

/// After how many seconds an execution hands over to another: its history has an end.
const LONGEST: i64 = 24 * 3600;

/// What such an execution hands on from time to time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Watch {
    /// The id of the alert.
    pub id: String,
    /// When that was opened.
    pub opened: Timestamp,
    /// When the execution was started.
    pub since: Timestamp,
}

impl Watch {
    /// Makes the one that the row names.
    pub fn of(row: &SignalRow) -> Self {
        Watch { id: row.signal.id.clone(), opened: row.opened, since: row.watch }
    }

    fn name(&self) -> String {
        format!("watch-{}", hash::of(format!("{}\n{}\n{}", self.id, self.opened, self.since)))
    }
}

impl<P: Port + Signals> Alert<P> {
    /// Starts the execution that comes back after so many seconds, and not sooner than after a minute if none are said.
    pub(super) async fn come_back(&self, watch: &Watch, seconds: Option<u32>) -> Result<(), Fault> {
        let (name, seconds) = (watch.name(), seconds.unwrap_or(FIRST));
        let follow = Follow { about: About::Watch(watch.clone()), attempt: 1, seconds };
        let input = serde_json::to_string(&follow);
        let input = input.map_err(|error| Fault::Defect(format!("unwritable watch: {error}")))?;
        self.port.follow(&name, input).await
    }

    /// Looks at an alert: does what is due, and says when to come back.
    pub(crate) async fn look(&self, watch: Watch, attempt: u32, now: Timestamp) -> Result<Response, Fault> {
        let (document, _) = self.rules(false).await;
        for _ in 0..MOST_LOOKS {
            let row = self.port.signal(&watch.id).await?;
            let ours = |row: &SignalRow| row.opened == watch.opened && row.watch == watch.since;
            let Some(row) = row.filter(ours) else { return Ok(Response::said("somebody else comes back")) };
            let again =
                match decide::look(&row, self.is_held(&row).await?, document.rules.repeat_minutes, now) {
                    Look::Done => return Ok(Response::said("it is over")),
                    Look::Again(seconds) => Some(seconds),
                    Look::Tell => self.tell_signal(row, now).await,
                    Look::Change(changed) => {
                        let is_due = changed.is_due();
                        let was_changed = self.port.change(&changed, row.version).await?;
                        if was_changed && is_due { self.tell_signal(*changed, now).await } else { None }
                    }
                };
            if let Some(seconds) = again {
                return self.go_on(watch, (attempt, seconds), now).await;
            }
        }
        Err(Fault::Unavailable(format!("the alert {} is changed by too many at once", watch.id)))
    }

    /// Comes back later, after a day by another execution.
    async fn go_on(
        &self,
        watch: Watch,
        (attempt, seconds): (u32, u32),
        now: Timestamp,
    ) -> Result<Response, Fault> {
        if now.seconds_since(watch.since) < LONGEST {
            let follow = Follow { about: About::Watch(watch), attempt: attempt + 1, seconds };
            return Ok(Response { follow: Some(follow), ..Response::said("it goes on") });
        }
        let Some(row) = self.port.signal(&watch.id).await? else { return Ok(Response::said("it is over")) };
        let next = SignalRow { version: row.version + 1, watch: now, ..row.clone() };
        self.come_back(&Watch::of(&next), Some(seconds)).await?;
        match self.port.change(&next, row.version).await? {
            true => Ok(Response::said("another execution comes back")),
            // Somebody else has gone on with it: this one looks again.
            false => {
                let follow = Follow { about: About::Watch(watch), attempt: attempt + 1, seconds: FIRST };
                Ok(Response { follow: Some(follow), ..Response::said("it goes on") })
            }
        }
    }

    /// Tells whether the release still has the services that it judges.
    async fn is_held(&self, row: &SignalRow) -> Result<bool, Fault> {
        match &row.held {
            Some(release) => self.port.is_open(release).await,
            None => Ok(false),
        }
    }
}
