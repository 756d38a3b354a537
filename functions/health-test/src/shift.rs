//! One poll of a service whose traffic ECS shifts.

mod alarms;

use futures_util::future::join;
use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ids::DeploymentId;
use pipeline::ledger::{Loaded, MoveLedger};
use pipeline::payload::MoveKey;
use pipeline::rows::{Gate, GateVerdict, MoveEvent, MoveRow, Shift, Traffic, Verdict};
use pipeline::service_deployment::{Hook, ServiceDeployment};
use pipeline::text::line;
use serde::Serialize;

use crate::look::Look;
use crate::poll::Poll;
use crate::poll_state::PollState;
use crate::probe::Web;
use crate::rollout::{Measured, Port};
use crate::verdict::shift::drain::Drained;
use crate::verdict::shift::{self, Way};
use crate::verdict::{Judgement, Observed};
use crate::{Answer, HealthTest, LONGEST_REASON, Phase, Response, Seen};

/// How many seconds ECS is given to move on from a gate that was answered.
const AFTER_AN_ANSWER: u32 = 2;

/// Between which pauses polls are made once traffic moves: the longer it takes, the longer they are.
const PAUSES: (u32, u32) = (30, 300);

/// What is found at a gate.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GateResponse {
    /// The answer to it follows from this.
    pub verdict: GateVerdict,
    /// Why, as a sentence for the alert.
    pub reason: String,
    /// How long to wait before another poll, once it is answered.
    pub pause_seconds: u32,
    /// Whether deploy has to start, or to end, what the live tests run.
    pub runs: bool,
    /// What that poll is to be given.
    #[serde(rename = "looks")]
    pub state: PollState,
}

/// What has to be proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    /// Our deployment.
    Forward,
    /// The deployment that puts the service back.
    Back,
    /// That ECS has given the service back.
    GivenBack,
    /// That nothing came of the update.
    Untouched,
}

impl Course {
    fn of(phase: Phase, row: &MoveRow) -> Self {
        match (phase, &row.rollback_deployment) {
            (Phase::Rollback, Some(back)) if Some(back) == row.deployment.as_ref() => Course::GivenBack,
            (Phase::Rollback, Some(back)) if *back == row.replaces => Course::Untouched,
            (Phase::Rollback, _) => Course::Back,
            (Phase::Before | Phase::After, _) => Course::Forward,
        }
    }

    /// Tells whether it is proven by tasks that were there before.
    fn is_of_old_tasks(self) -> bool {
        matches!(self, Course::GivenBack | Course::Untouched)
    }

    /// Returns when waiting ends, before any gate gives up sooner; what a gate waited for the drain is not counted.
    fn deadline(
        self,
        row: &MoveRow,
        traffic: &Traffic,
        drains: Option<Timestamp>,
        start: Timestamp,
    ) -> Timestamp {
        let planned = i64::from(traffic.seconds);
        match (self, row.shifted.max(drains)) {
            (Course::Forward, Some(shifted)) => {
                shifted.plus_seconds(planned + i64::from(row.health_timeout_seconds))
            }
            (Course::Back, _) => start.plus_seconds(planned),
            _ => start,
        }
    }
}

impl<P: Port, W: Web, L: MoveLedger> HealthTest<P, W, L> {
    /// Polls once: finds what the gate is to be answered at which it waits, or how it ended.
    pub(crate) async fn shift(
        &self,
        phase: Phase,
        (key, loaded, traffic): (&MoveKey, &Loaded, &Traffic),
        mut poll: Poll<'_>,
        now: Timestamp,
    ) -> Result<Answer, Fault> {
        let row = &loaded.row;
        let course = Course::of(phase, row);
        if course == Course::Forward {
            // One that has waited for others goes on where it was.
            poll.state.go_on(row.gate.as_ref());
        }
        if let (true, Some(ours)) = (course.is_of_old_tasks(), &row.deployment) {
            poll.expected.deployment = ours.clone();
        }
        let (service, seen) = join(self.port.service(row), self.deployment(course, row, &poll, now)).await;
        let service = Measured::of(service);
        let shown = if let Measured::Is(shown) = &seen { shown.as_ref() } else { None };
        poll.state.see(shown, now);
        let shift = self.moved(course, key, row, shown, now).await?;
        if let Some(alarm) = self.alarmed(course, row, shift, shown).await {
            return self.ends_by(alarm, (key, row), poll.state, now).await.map(Answer::Poll);
        }
        let deadline = course.deadline(row, traffic, poll.state.drains, poll.deadline);
        poll.deadline = shift::deadline(deadline, shown);
        let way = Way {
            is_back: course == Course::Back,
            waits: course == Course::Forward && loaded.holds(key),
            shift,
            traffic,
            blameless: row.blameless == Some(true),
            full: poll.state.full,
            deadline: poll.deadline,
            now,
        };
        let gate = shift::gate(&way, shown);
        let look = Look { phase, key, row, deadline: poll.deadline, now, gate };
        let asked = row.rollback_started.unwrap_or(now);
        let judge = |seen: &Observed| -> Judgement {
            match course {
                Course::Forward | Course::Back => shift::judge(&poll.expected, &way, seen),
                Course::GivenBack => shift::judge_return(&poll.expected, true, asked, now, seen),
                Course::Untouched => shift::judge_return(&poll.expected, false, asked, now, seen),
            }
        };
        let observed = Observed { service, shift: seen.clone(), ..Observed::default() };
        let seen = self.look(look, observed, &poll.expected.deployment, judge, &mut poll.state).await?;
        let waits = shown.and_then(|shown| Some((shown.gate()?, shown)));
        let full = poll.state.full.filter(|_| course == Course::Forward);
        let drain = match self.drained(traffic.drain_minutes, &seen, full, shown, now).await {
            Some(Drained::NotYet(why)) => {
                return self.drains(phase, (key, row), poll, (seen, &why), now).await;
            }
            Some(Drained::Told(told)) => Some(told),
            None => None,
        };
        if let (Some(verdict), Some((hook, shown))) = (seen.finding.of_gate(), waits) {
            let gate = found(verdict, (hook, shown), &seen.reason, poll.state.number(), now);
            return self.judged(phase, (key, row), (gate, drain), seen, poll.state).await.map(Answer::Gate);
        }
        let seen = Seen { reason: told(row, seen.reason), ..seen };
        let response = self.settled(phase, (key, row), poll, seen, now).await?;
        let moves = shift.shifted.is_some();
        Ok(Answer::Poll(if moves { seldom(response, traffic) } else { response }))
    }

    /// Records what a gate is to be answered.
    async fn judged(
        &self,
        phase: Phase,
        (key, row): (&MoveKey, &MoveRow),
        (gate, drain): (Gate, Option<String>),
        seen: Seen,
        state: PollState,
    ) -> Result<GateResponse, Fault> {
        let count = state.number();
        let response = GateResponse {
            verdict: gate.verdict,
            reason: gate.reason.clone(),
            pause_seconds: AFTER_AN_ANSWER,
            runs: seen.ordered,
            state: PollState { at_gate: count, count, ..state },
        };
        let event = match phase {
            Phase::Rollback => MoveEvent::RollbackGateJudged { rollback_gate: gate },
            Phase::Before | Phase::After => {
                let blameless = seen.finding.is_blameless().then_some(true);
                MoveEvent::GateJudged { gate, blameless, drain }
            }
        };
        self.moves.note(key, row, event).await?;
        Ok(response)
    }

    /// Returns how far the shift is; records it if traffic has moved and nobody of ours let it.
    async fn moved<'a>(
        &self,
        course: Course,
        key: &MoveKey,
        row: &'a MoveRow,
        shown: Option<&ServiceDeployment>,
        now: Timestamp,
    ) -> Result<Shift<'a>, Fault> {
        let is_back = course == Course::Back;
        let shift = if is_back { row.rollback_shift() } else { row.shift() };
        if course.is_of_old_tasks()
            || shift.shifted.is_some()
            || !shown.is_some_and(ServiceDeployment::keeps_traffic)
        {
            return Ok(shift);
        }
        self.moves.note(key, row, by_other(is_back, now)).await?;
        Ok(Shift { shifted: Some(now), ..shift })
    }

    /// Reads the service deployment that is watched, if there is one to watch.
    async fn deployment(
        &self,
        course: Course,
        row: &MoveRow,
        poll: &Poll<'_>,
        now: Timestamp,
    ) -> Measured<Option<ServiceDeployment>> {
        let started = match course {
            Course::Untouched => return Measured::Is(None),
            Course::Back => row.rollback_started,
            Course::Forward | Course::GivenBack => row.touched,
        };
        let (of, known): (&DeploymentId, _) = (&poll.expected.deployment, poll.state.shift.as_deref());
        Measured::of(self.port.shift(row, of, started.unwrap_or(now), known).await)
    }
}

/// Makes the longest pause longer, as long as its traffic moves.
fn seldom(mut response: Response, traffic: &Traffic) -> Response {
    if response.verdict == Verdict::Pending && response.pause_seconds == PAUSES.0 {
        response.pause_seconds = (traffic.seconds / 100).clamp(PAUSES.0, PAUSES.1);
    }
    response
}

/// Says what is found at a gate.
fn found(
    verdict: GateVerdict,
    (hook, shown): (&Hook, &ServiceDeployment),
    reason: &str,
    poll: u32,
    at: Timestamp,
) -> Gate {
    let (stage, deployment) = (shown.stage.clone(), shown.arn.clone());
    let (hook, expires) = (hook.id.clone(), hook.expires);
    Gate { hook, stage, verdict, reason: line(reason, LONGEST_REASON), expires, at, poll, deployment }
}

/// Says that traffic has moved, and that nobody of ours let it.
fn by_other(is_back: bool, now: Timestamp) -> MoveEvent {
    match is_back {
        true => MoveEvent::RollbackShifted { rollback_shifted: now },
        false => MoveEvent::ShiftedByOther { shifted: now, shifted_by: "other".to_owned() },
    }
}

/// Adds to a reason that somebody else let the traffic move.
fn told(row: &MoveRow, reason: String) -> String {
    match &row.shifted_by {
        Some(_) => format!("{reason}; its production traffic moved without an answer of this release"),
        None => reason,
    }
}
