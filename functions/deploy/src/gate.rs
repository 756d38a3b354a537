//! Answers the gate at which the service deployment of a move waits.

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ids::DeploymentId;
use pipeline::ledger::MoveLedger;
use pipeline::payload::MoveKey;
use pipeline::rows::{Answered, GateVerdict, MoveEvent, MoveRow, Shift, Verdict};
use pipeline::service_deployment::{Action, ServiceDeployment, Stage};
use serde::Deserialize;

use crate::service::Port;
use crate::{Deploy, Response};

/// Which way a gate is on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// Forward.
    #[default]
    After,
    /// Back.
    Rollback,
}

/// Why a service that takes its traffic together with others is not let go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// Not all of its wave are ready for production traffic.
    Waits,
    /// One of them has failed: it goes back, too.
    GivenUp,
}

/// What to do about a gate.
#[derive(Debug, PartialEq)]
pub enum Plan<'a> {
    /// Answer its hook.
    Answer(&'a ServiceDeployment, String, Action),
    /// Nothing, and why; and whether to look at it again.
    Nothing(&'static str, bool),
}

/// The moves of a way, and what is known of it.
struct Known<'a> {
    shift: Shift<'a>,
    verdict: Option<Verdict>,
    deployment: Option<&'a DeploymentId>,
    started: Option<Timestamp>,
}

impl Way {
    fn known(self, row: &MoveRow) -> Known<'_> {
        let (attempt, shift) = match self {
            Way::After => (row.forward(), row.shift()),
            Way::Rollback => (row.rollback(), row.rollback_shift()),
        };
        let (verdict, deployment, started) = (attempt.verdict, attempt.deployment, attempt.touched);
        Known { shift, verdict, deployment, started }
    }
}

/// Decides what to answer: it follows from what health-test found at this very hook, and no hook gets two answers.
///
/// What is `held` gets no CONTINUE.
pub fn next<'a>(
    way: Way,
    shift: Shift<'_>,
    held: Option<Held>,
    seen: Option<&'a ServiceDeployment>,
) -> Plan<'a> {
    let Some(gate) = shift.gate else { return Plan::Nothing("no gate was judged", false) };
    let Some((seen, hook)) = seen.and_then(|seen| Some((seen, seen.gate()?))) else {
        return Plan::Nothing("no gate waits for an answer", true);
    };
    if hook.id != gate.hook {
        return Plan::Nothing("another gate waits, which was not judged yet", true);
    }
    let before = shift.answered.filter(|answered| answered.hook == gate.hook);
    let action = match (before, gate.verdict, way) {
        (Some(answered), ..) => answered.action,
        (None, GateVerdict::DarkHealthy, _) => Action::Continue,
        (None, GateVerdict::DarkUnhealthy, Way::After) => Action::Rollback,
        (None, GateVerdict::DarkUnhealthy, Way::Rollback) => {
            return Plan::Nothing("ROLLBACK would keep the version that is to go", false);
        }
    };
    match (action, held) {
        (Action::Continue, Some(Held::Waits)) => {
            Plan::Nothing("its traffic waits for the others of its wave", false)
        }
        (Action::Continue, Some(Held::GivenUp)) => {
            Plan::Nothing("another service of its release has failed", true)
        }
        _ => Plan::Answer(seen, gate.hook.clone(), action),
    }
}

impl<P: Port, L: MoveLedger> Deploy<P, L> {
    /// Answers the gate of a move as it was judged, if it still waits.
    pub(crate) async fn go_on(&self, key: &MoveKey, way: Way, now: Timestamp) -> Result<Response, Fault> {
        let loaded = self.moves.load_leased(key).await?;
        let (holds, given_up) = (loaded.holds(key), loaded.given_up().is_some());
        let row = if way == Way::After { loaded.forward()? } else { loaded.row };
        let Known { shift, verdict, deployment, started } = way.known(&row);
        let decided = verdict.is_some_and(|verdict| verdict != Verdict::Pending);
        let (Some(deployment), Some(started), false) = (deployment, started, decided) else {
            return Ok(Response::Nothing { nothing: "it is decided already, or was not begun", look: false });
        };
        let seen = self.port.shift(&row, deployment, started).await?;
        let lets_traffic = seen.as_ref().is_some_and(|seen| lets_traffic(&row, &seen.stage));
        let held = match way {
            Way::After if given_up => Some(Held::GivenUp),
            Way::After if holds && lets_traffic => Some(Held::Waits),
            Way::After | Way::Rollback => None,
        };
        let (at, hook, action) = match next(way, shift, held, seen.as_ref()) {
            Plan::Answer(at, hook, action) => (at, hook, action),
            Plan::Nothing(nothing, look) => return Ok(Response::Nothing { nothing, look }),
        };
        self.moves.note(key, &row, noted(way, &row, (&hook, action, &at.stage), now)).await?;
        match self.port.answer(&at.arn, &hook, action).await {
            Ok(()) => Ok(Response::Answered { answered: action, look: true }),
            // Which error a hook gives that waits no more is not written anywhere.
            Err(fault @ (Fault::Denied(_) | Fault::NotFound(_))) => {
                let again = self.port.shift(&row, deployment, started).await?;
                match again.as_ref().and_then(ServiceDeployment::gate) {
                    Some(waits) if waits.id == hook => Err(fault),
                    _ => Ok(Response::Nothing { nothing: "the gate waits no more", look: true }),
                }
            }
            Err(fault) => Err(fault),
        }
    }
}

/// Tells whether production traffic may move by going on from a stage: not from one that is known to come before the
/// last gate.
fn lets_traffic(row: &MoveRow, stage: &Stage) -> bool {
    !row.traffic.as_ref().is_some_and(|traffic| stage.is_before(&traffic.gate))
}

/// Says what is noted before an answer: that it is given, and that traffic may move by it.
fn noted(way: Way, row: &MoveRow, (hook, action, stage): (&str, Action, &Stage), at: Timestamp) -> MoveEvent {
    let answered = Answered { hook: hook.to_owned(), action, at };
    let moves = action == Action::Continue && lets_traffic(row, stage);
    match way {
        Way::After => {
            let shifted = row.shifted.or(Some(at)).filter(|_| moves || row.shifted.is_some());
            MoveEvent::GateAnswered { answered, shifted }
        }
        Way::Rollback => {
            let before = row.rollback_shifted;
            let rollback_shifted = before.or(Some(at)).filter(|_| moves || before.is_some());
            MoveEvent::RollbackGateAnswered { rollback_answered: answered, rollback_shifted }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pipeline::rows::{Gate, Traffic};
    use pipeline::service_deployment::{Hook, Status};

    fn at() -> Timestamp {
        Timestamp::from_millis(0)
    }

    fn gate(verdict: GateVerdict) -> Gate {
        let (hook, stage, reason) = ("h1".to_owned(), Stage::of("POST_TEST_TRAFFIC_SHIFT"), "why".to_owned());
        Gate { hook, stage, verdict, reason, expires: None, at: at(), poll: 1, deployment: String::new() }
    }

    fn seen(hooks: &[(&str, &str)], status: Status) -> ServiceDeployment {
        let hook = |(id, status): &(&str, &str)| Hook {
            id: (*id).to_owned(),
            is_pause: true,
            status: (*status).to_owned(),
            expires: None,
        };
        ServiceDeployment {
            arn: "arn:sd".to_owned(),
            status,
            reason: String::new(),
            stage: Stage::of("POST_TEST_TRAFFIC_SHIFT"),
            hooks: hooks.iter().map(hook).collect(),
            requested: 2,
            production: 0.0,
        }
    }

    #[test]
    fn the_answer_follows_from_what_was_found_at_this_very_hook() {
        use GateVerdict::{DarkHealthy, DarkUnhealthy};
        let waits = |id: &'static str| seen(&[(id, "AWAITING_ACTION")], Status::Open);
        let two = seen(&[("h1", "AWAITING_ACTION"), ("h2", "AWAITING_ACTION")], Status::Open);
        let answer = |action| Ok(("h1".to_owned(), action));
        let answered = |action| Answered { hook: "h1".to_owned(), action, at: at() };
        let other = Answered { hook: "h0".to_owned(), action: Action::Rollback, at: at() };
        for (way, found, before, shown, expected) in [
            (Way::After, None, None, Some(waits("h1")), Err(false)),
            (Way::After, Some(DarkHealthy), None, None, Err(true)),
            (
                Way::After,
                Some(DarkHealthy),
                None,
                Some(seen(&[("h1", "AWAITING_ACTION")], Status::RollingBack)),
                Err(true),
            ),
            (
                Way::After,
                Some(DarkHealthy),
                None,
                Some(seen(&[("h1", "SUCCEEDED")], Status::Open)),
                Err(true),
            ),
            (Way::After, Some(DarkHealthy), None, Some(waits("h2")), Err(true)),
            (Way::After, Some(DarkHealthy), None, Some(two), Err(true)),
            (Way::After, Some(DarkHealthy), None, Some(waits("h1")), answer(Action::Continue)),
            (Way::After, Some(DarkUnhealthy), None, Some(waits("h1")), answer(Action::Rollback)),
            (Way::After, Some(DarkUnhealthy), Some(other), Some(waits("h1")), answer(Action::Rollback)),
            // No hook gets two answers, whatever was found at it since.
            (
                Way::After,
                Some(DarkUnhealthy),
                Some(answered(Action::Continue)),
                Some(waits("h1")),
                answer(Action::Continue),
            ),
            (
                Way::After,
                Some(DarkHealthy),
                Some(answered(Action::Rollback)),
                Some(waits("h1")),
                answer(Action::Rollback),
            ),
            (Way::Rollback, Some(DarkHealthy), None, Some(waits("h1")), answer(Action::Continue)),
            (Way::Rollback, Some(DarkUnhealthy), None, Some(waits("h1")), Err(false)),
        ] {
            let gate = found.map(gate);
            let shift = Shift { gate: gate.as_ref(), answered: before.as_ref(), shifted: None };
            let plan = |held| match next(way, shift, held, shown.as_ref()) {
                Plan::Answer(_, hook, action) => Ok((hook, action)),
                Plan::Nothing(_, look) => Err(look),
            };
            assert_eq!(plan(None), expected, "{way:?} {found:?} {before:?} {shown:?}");
            // What is held is not let on, and gives back what has failed.
            for (held, look) in [(Held::Waits, false), (Held::GivenUp, true)] {
                let expected = expected.clone().and_then(|(hook, action)| match action {
                    Action::Continue => Err(look),
                    Action::Rollback => Ok((hook, action)),
                });
                assert_eq!(plan(Some(held)), expected, "{way:?} {found:?} {before:?} {shown:?}");
            }
        }
    }

    #[test]
    fn traffic_counts_as_moved_from_the_last_gate_on_and_from_one_that_nobody_knows() {
        let sample = include_str!("../../../events/deploy/update.json");
        let sample: serde_json::Value = serde_json::from_str(sample).unwrap();
        let row: MoveRow = serde_json::from_value(sample.get("move").unwrap().clone()).unwrap();
        let last = Stage::of("POST_TEST_TRAFFIC_SHIFT");
        let traffic = Traffic { strategy: "CANARY".to_owned(), gate: last, seconds: 60, drain_minutes: 0 };
        let row = MoveRow { traffic: Some(traffic), ..row };
        let early = at().plus_seconds(-60);
        for (stage, action, before, moved) in [
            ("POST_SCALE_UP", Action::Continue, None, None),
            ("POST_TEST_TRAFFIC_SHIFT", Action::Continue, None, Some(at())),
            ("A_NEW_STAGE", Action::Continue, None, Some(at())),
            ("POST_TEST_TRAFFIC_SHIFT", Action::Rollback, None, None),
            ("POST_PRODUCTION_TRAFFIC_SHIFT", Action::Continue, Some(early), Some(early)),
        ] {
            let row = MoveRow { shifted: before, rollback_shifted: before, ..row.clone() };
            for way in [Way::After, Way::Rollback] {
                let (MoveEvent::GateAnswered { shifted, .. }
                | MoveEvent::RollbackGateAnswered { rollback_shifted: shifted, .. }) =
                    noted(way, &row, ("h1", action, &Stage::of(stage)), at())
                else {
                    panic!("it is another event")
                };
                assert_eq!(shifted, moved, "{way:?} {stage} {action:?}");
            }
        }
    }
}
