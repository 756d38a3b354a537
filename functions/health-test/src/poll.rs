//! One poll among many: what it has to prove, and until when.

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::rows::{MoveRow, Verdict};

use crate::Phase;
use crate::finding::Finding;
use crate::poll_state::PollState;
use crate::verdict::Expected;

/// The pauses after the first polls of a rollout, which the machine gives five seconds before; the last one stays.
const PAUSES: [u32; 2] = [10, 30];

/// The pauses where something may be seen at once: before a rollout, and after a gate, when production traffic may be on
/// its way.
pub const PAUSES_SOON: [u32; 4] = [2, 5, 10, 30];

/// One poll.
#[derive(Debug)]
pub struct Poll<'a> {
    /// What it has to prove.
    pub expected: Expected<'a>,
    /// When waiting ends.
    pub deadline: Timestamp,
    /// What an earlier poll decided for good.
    pub decided: Option<(Verdict, String)>,
    /// What is handed on.
    pub state: PollState,
}

impl<'a> Poll<'a> {
    /// Reads from the row of a move what this poll is about.
    pub fn of(phase: Phase, row: &'a MoveRow, state: PollState) -> Result<Self, Fault> {
        let attempt = match phase {
            Phase::Before | Phase::After => row.forward(),
            Phase::Rollback => row.rollback(),
        };
        let (Some(deployment), Some(started)) = (attempt.deployment, attempt.touched) else {
            return Err(Fault::InvalidInput(format!("nothing was started for {} yet", row.service)));
        };
        let expected = match (phase, &row.restore) {
            (Phase::Rollback, None) => {
                return Err(Fault::InvalidInput(format!("{} has no restore point", row.service)));
            }
            (Phase::Rollback, Some(restore)) => Expected::rollback(row, deployment, restore),
            _ => Expected::forward(row, deployment),
        };
        // What another release has left there is given its time from the lease on.
        let started =
            row.leased.filter(|_| phase != Phase::Rollback).map_or(started, |leased| leased.max(started));
        let decided = attempt.verdict.filter(|verdict| *verdict != Verdict::Pending);
        Ok(Poll {
            expected,
            deadline: started.plus_seconds(i64::from(row.health_timeout_seconds)),
            decided: decided.map(|verdict| (verdict, attempt.reason.unwrap_or_default().to_owned())),
            state,
        })
    }

    /// Counts this poll, and returns how many seconds to wait before the next one.
    pub fn pause(&mut self, verdict: Verdict, finding: Finding, now: Timestamp) -> u32 {
        let pauses = if self.state.at_gate == 0 { &PAUSES[..] } else { &PAUSES_SOON };
        pause(pauses, &mut self.state, verdict, finding, self.deadline, now)
    }
}

/// Counts a poll, and returns how many seconds to wait before the next one.
pub fn pause(
    pauses: &[u32],
    state: &mut PollState,
    verdict: Verdict,
    finding: Finding,
    deadline: Timestamp,
    now: Timestamp,
) -> u32 {
    if verdict != Verdict::Pending {
        return 0;
    }
    let since = state.count.saturating_sub(state.at_gate);
    let grown = pauses.get(since as usize).or(pauses.last()).copied();
    state.count = state.count.saturating_add(1);
    let pause = match finding {
        Finding::AgainIn(seconds) => seconds,
        _ => grown.unwrap_or_default(),
    };
    // A pause that ends long after the deadline would only delay the verdict.
    let left = deadline.seconds_since(now).saturating_add(1).max(1);
    pause.min(u32::try_from(left).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollout::samples::row;

    fn poll(row: &MoveRow, count: u32) -> Poll<'_> {
        Poll::of(Phase::After, row, PollState { count, ..PollState::default() }).unwrap()
    }

    #[test]
    fn pauses_grow_and_stay() {
        let row = row();
        let now = row.touched.unwrap();
        let pause = |count| poll(&row, count).pause(Verdict::Pending, Finding::NotYet, now);
        assert_eq!([0, 1, 2, 1000].map(pause), [10, 30, 30, 30]);
        let pause = |since: u32| {
            let state = PollState { count: 7 + since, at_gate: 7, ..PollState::default() };
            let mut poll = Poll::of(Phase::After, &row, state).unwrap();
            poll.pause(Verdict::Pending, Finding::NotYet, now)
        };
        assert_eq!([0, 1, 2, 3, 4, 1000].map(pause), [2, 5, 10, 30, 30, 30]);
    }

    #[test]
    fn a_pause_ends_with_the_deadline() {
        let row = row();
        let now = poll(&row, 3).deadline.plus_seconds(-7);
        assert_eq!(poll(&row, 3).pause(Verdict::Pending, Finding::NotYet, now), 8);
        assert_eq!(poll(&row, 3).pause(Verdict::Pending, Finding::NotYet, now.plus_seconds(7)), 1);
    }

    #[test]
    fn a_failed_check_asks_for_its_own_interval() {
        let row = row();
        let now = row.touched.unwrap();
        assert_eq!(poll(&row, 3).pause(Verdict::Pending, Finding::AgainIn(4), now), 4);
        assert_eq!(poll(&row, 3).pause(Verdict::Healthy, Finding::Healthy, now), 0);
    }

    #[test]
    fn the_rollback_has_its_own_deployment_deadline_and_verdict() {
        let row =
            MoveRow { rollback_verdict: Some(Verdict::Healthy), verdict: Some(Verdict::Unhealthy), ..row() };
        let poll = Poll::of(Phase::Rollback, &row, PollState::default()).unwrap();
        assert_eq!(Some(&poll.expected.deployment), row.rollback_deployment.as_ref());
        assert_eq!(poll.deadline, row.rollback_started.unwrap().plus_seconds(900));
        assert_eq!(poll.decided.unwrap().0, Verdict::Healthy);
    }

    #[test]
    fn what_was_never_started_cannot_be_looked_at() {
        let row = MoveRow { deployment: None, ..row() };
        let fault = Poll::of(Phase::After, &row, PollState::default()).unwrap_err();
        assert_eq!(fault.to_string(), "nothing was started for users yet");
        let row = MoveRow { restore: None, ..self::row() };
        let fault = Poll::of(Phase::Rollback, &row, PollState::default()).unwrap_err();
        assert_eq!(fault.to_string(), "users has no restore point");
    }
}
