//! What the row of a move holds of a service whose traffic ECS shifts; absent where a service rolls.

use serde::{Deserialize, Serialize};

use super::{MoveRow, Verdict};
use crate::clock::Timestamp;
use crate::service_deployment::{Action, Stage};

/// How ECS shifts the traffic of a service, as it was when the lease was taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Traffic {
    /// `BLUE_GREEN`, `LINEAR` or `CANARY`.
    pub strategy: String,
    /// The last stage before production traffic moves in which the service waits for an answer.
    pub gate: Stage,
    /// How many seconds the steps and the bake are planned to take.
    pub seconds: u32,
    /// For how many minutes no request may reach the old tasks before a gate after the shift is passed; 0 asks nothing,
    /// and so do rows of older versions.
    #[serde(default)]
    pub drain_minutes: u32,
}

/// What a gate is found to let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GateVerdict {
    /// The new tasks are proven, as far as they can be at this gate.
    DarkHealthy,
    /// They are not, and will not be.
    DarkUnhealthy,
}

/// A gate that was judged: the answer to it follows from this.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// The hook that waits.
    pub hook: String,
    /// In which stage.
    pub stage: Stage,
    /// What was found.
    pub verdict: GateVerdict,
    /// Why.
    pub reason: String,
    /// Until when it waits, if ECS says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// When it was judged.
    pub at: Timestamp,
    /// By which poll.
    #[serde(default)]
    pub poll: u32,
    /// The service deployment that waits, by its ARN.
    #[serde(default)]
    pub deployment: String,
}

/// An answer to a gate, noted just before it is given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answered {
    /// The hook.
    pub hook: String,
    /// The answer.
    pub action: Action,
    /// When.
    pub at: Timestamp,
}

/// How far the shift of one way is.
#[derive(Clone, Copy, Debug)]
pub struct Shift<'a> {
    /// The last gate that was judged.
    pub gate: Option<&'a Gate>,
    /// The last answer to a gate.
    pub answered: Option<&'a Answered>,
    /// When production traffic was about to move.
    pub shifted: Option<Timestamp>,
}

impl MoveRow {
    /// Tells whether its new tasks are proven in the dark, and the gate is not answered that lets traffic to them.
    pub fn waits_for_others(&self) -> bool {
        let undecided =
            self.verdict.is_none_or(|verdict| verdict == Verdict::Pending) && self.failure.is_none();
        let (Some(gate), Some(traffic)) = (&self.gate, &self.traffic) else { return false };
        let is_last = gate.verdict == GateVerdict::DarkHealthy && !gate.stage.is_before(&traffic.gate);
        let answered = self.answered.as_ref().is_some_and(|answered| answered.hook == gate.hook);
        undecided && is_last && self.shifted.is_none() && !answered
    }

    /// Returns how far the shift of its way forward is.
    pub fn shift(&self) -> Shift<'_> {
        Shift { gate: self.gate.as_ref(), answered: self.answered.as_ref(), shifted: self.shifted }
    }

    /// Returns how far the shift of its way back is.
    pub fn rollback_shift(&self) -> Shift<'_> {
        Shift {
            gate: self.rollback_gate.as_ref(),
            answered: self.rollback_answered.as_ref(),
            shifted: self.rollback_shifted,
        }
    }
}
