//! One look among many: what it has to prove, and until when.

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::rows::{MoveRow, Verdict};

use crate::Phase;
use crate::looks::Looks;
use crate::verdict::{Finding, Wanted};

/// The pauses after the first looks; the last one stays.
const PAUSES: [u32; 4] = [2, 5, 10, 30];

/// One look.
#[derive(Debug)]
pub struct Look<'a> {
    /// What it has to prove.
    pub wanted: Wanted<'a>,
    /// When waiting ends.
    pub deadline: Timestamp,
    /// What an earlier look decided for good.
    pub decided: Option<(Verdict, String)>,
    /// What is handed on.
    pub looks: Looks,
}

impl<'a> Look<'a> {
    /// Reads from the row of a move what this look is about.
    pub fn of(phase: Phase, row: &'a MoveRow, looks: Looks) -> Result<Self, Fault> {
        let (deployment, started, verdict, reason) = match phase {
            Phase::Rollback => (&row.undo, row.undo_started, row.undo_verdict, &row.undo_reason),
            _ => (&row.deployment, row.touched, row.verdict, &row.reason),
        };
        let (Some(deployment), Some(started)) = (deployment, started) else {
            return Err(Fault::InvalidInput(format!("nothing was started for {} yet", row.service)));
        };
        let wanted = match (phase, &row.restore) {
            (Phase::Rollback, None) => {
                return Err(Fault::InvalidInput(format!("{} has no restore point", row.service)));
            }
            (Phase::Rollback, Some(restore)) => Wanted::way_back(row, deployment, restore),
            _ => Wanted::forward(row, deployment),
        };
        let decided = verdict.filter(|verdict| *verdict != Verdict::Pending);
        Ok(Look {
            wanted,
            deadline: started.plus_seconds(i64::from(row.health_timeout_seconds)),
            decided: decided.map(|verdict| (verdict, reason.clone().unwrap_or_default())),
            looks,
        })
    }

    /// Counts this look, and returns how many seconds to wait before the next one.
    pub fn pause(&mut self, verdict: Verdict, finding: Finding, now: Timestamp) -> u32 {
        if verdict != Verdict::Pending {
            return 0;
        }
        let grown = PAUSES.get(self.looks.count as usize).or(PAUSES.last()).copied();
        self.looks.count = self.looks.count.saturating_add(1);
        let wanted = match finding {
            Finding::AgainIn(seconds) => seconds,
            _ => grown.unwrap_or_default(),
        };
        // A pause that ends long after the deadline would only delay the verdict.
        let left = self.deadline.seconds_since(now).saturating_add(1).max(1);
        wanted.min(u32::try_from(left).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollout::samples::row;

    fn look(row: &MoveRow, count: u32) -> Look<'_> {
        Look::of(Phase::After, row, Looks { count, ..Looks::default() }).unwrap()
    }

    #[test]
    fn pauses_grow_and_stay() {
        let row = row();
        let now = row.touched.unwrap();
        let pause = |count| look(&row, count).pause(Verdict::Pending, Finding::NotYet, now);
        assert_eq!([0, 1, 2, 3, 4, 1000].map(pause), [2, 5, 10, 30, 30, 30]);
    }

    #[test]
    fn a_pause_ends_with_the_deadline() {
        let row = row();
        let now = look(&row, 3).deadline.plus_seconds(-7);
        assert_eq!(look(&row, 3).pause(Verdict::Pending, Finding::NotYet, now), 8);
        assert_eq!(look(&row, 3).pause(Verdict::Pending, Finding::NotYet, now.plus_seconds(7)), 1);
    }

    #[test]
    fn a_failed_check_asks_for_its_own_interval() {
        let row = row();
        let now = row.touched.unwrap();
        assert_eq!(look(&row, 3).pause(Verdict::Pending, Finding::AgainIn(4), now), 4);
        assert_eq!(look(&row, 3).pause(Verdict::Healthy, Finding::Healthy, now), 0);
    }

    #[test]
    fn the_way_back_has_its_own_deployment_deadline_and_verdict() {
        let row =
            MoveRow { undo_verdict: Some(Verdict::Healthy), verdict: Some(Verdict::Unhealthy), ..row() };
        let look = Look::of(Phase::Rollback, &row, Looks::default()).unwrap();
        assert_eq!(Some(&look.wanted.deployment), row.undo.as_ref());
        assert_eq!(look.deadline, row.undo_started.unwrap().plus_seconds(900));
        assert_eq!(look.decided.unwrap().0, Verdict::Healthy);
    }

    #[test]
    fn what_was_never_started_cannot_be_looked_at() {
        let row = MoveRow { deployment: None, ..row() };
        let fault = Look::of(Phase::After, &row, Looks::default()).unwrap_err();
        assert_eq!(fault.to_string(), "nothing was started for users yet");
    }
}
