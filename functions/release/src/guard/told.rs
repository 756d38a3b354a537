//! What people hear of a guard that does not act.

use pipeline::ids::{EnvironmentName, ReleaseId};

use super::asked_by;
use crate::answer::{Opened, Opening};
use crate::intake::route::ReleaseIntent;
use crate::plan::guard::{declined, request};

/// The rollback that did not come about.
pub struct Told {
    environment: EnvironmentName,
    alarm: String,
    release: ReleaseId,
}

impl Told {
    /// Names it.
    pub fn new(environment: &EnvironmentName, alarm: &str, release: &ReleaseId) -> Self {
        Told { environment: environment.clone(), alarm: alarm.to_owned(), release: release.clone() }
    }

    /// Names the one that is about to be planned, if the guard asks for one.
    pub fn of(intent: &ReleaseIntent) -> Option<Self> {
        let (alarm, release) = asked_by(intent.images.spec())?;
        Some(Told::new(&intent.name, alarm, release))
    }

    /// Answers that nothing is rolled back; whoever has to act gets the request.
    pub fn answer(&self, outcome: Opening, why: &str) -> Opened {
        let Told { environment, alarm, release } = self;
        let mut because = declined(alarm, release, why);
        if outcome == Opening::NeedsHuman {
            because = format!("{because}. {}", request(alarm, environment, release));
        }
        Opened { outcome, ..Opened::without_plan(Opening::Alert, Some(environment), because) }
    }

    /// Has people hear of it if it was planned, and not let in.
    pub fn unless_let_in(&self, opened: Opened) -> Opened {
        match opened.next {
            Opening::Refused => self.answer(Opening::NeedsHuman, &opened.because),
            Opening::Ignored => self.answer(Opening::Superseded, &opened.because),
            _ => opened,
        }
    }
}
