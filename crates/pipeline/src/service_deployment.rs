//! A service deployment: how ECS shifts the traffic of a service from one revision to the next.
//!
//! The one of a deployment id is the one whose target revision bears the number of that id.  Read leniently: ECS knows
//! stages that its own model lacks, and leaves out what has ended.

mod aws;

pub use aws::{Action, answer, find, open, read, stop};

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// A service deployment, as far as a decision needs it.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceDeployment {
    /// Its ARN.
    pub arn: String,
    /// How far it is.
    pub status: Status,
    /// What ECS says about that; what it says of the way back, if there is one.
    pub reason: String,
    /// Where it is.
    pub stage: Stage,
    /// The hooks of that stage, as long as ECS shows them.
    pub hooks: Vec<Hook>,
    /// How many new tasks it is to run.
    pub requested: i32,
    /// Which share of production traffic the new tasks are to have, in percent.
    pub production: f64,
}

/// How far a service deployment is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// It goes on, or is about to.
    Open,
    /// Another one takes its place, or has.
    Stopped,
    /// ECS goes back.
    RollingBack,
    /// ECS is back.
    RolledBack,
    /// ECS could not go back.
    RollbackFailed,
    /// It is complete.
    Successful,
    /// A word that this version does not know, or none.
    Unknown(String),
}

impl Status {
    /// Reads the word of ECS.
    pub fn of(word: &str) -> Self {
        match word {
            "PENDING" | "IN_PROGRESS" => Status::Open,
            "STOP_REQUESTED" | "STOPPED" => Status::Stopped,
            "ROLLBACK_REQUESTED" | "ROLLBACK_IN_PROGRESS" => Status::RollingBack,
            "ROLLBACK_SUCCESSFUL" => Status::RolledBack,
            "ROLLBACK_FAILED" => Status::RollbackFailed,
            "SUCCESSFUL" => Status::Successful,
            other => Status::Unknown(other.to_owned()),
        }
    }

    /// Tells whether ECS goes back, or has tried to.
    pub fn is_back(&self) -> bool {
        matches!(self, Status::RollingBack | Status::RolledBack | Status::RollbackFailed)
    }
}

/// A stage, in the word of ECS.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Stage(String);

/// The stages in their order.
const STAGES: [&str; 11] = [
    "RECONCILE_SERVICE",
    "PRE_SCALE_UP",
    "SCALE_UP",
    "POST_SCALE_UP",
    "TEST_TRAFFIC_SHIFT",
    "POST_TEST_TRAFFIC_SHIFT",
    Stage::LAST_BEFORE_PRODUCTION,
    "PRODUCTION_TRAFFIC_SHIFT",
    "POST_PRODUCTION_TRAFFIC_SHIFT",
    "BAKE_TIME",
    "CLEAN_UP",
];

impl Stage {
    /// The last stage in which production traffic has not moved yet; in steps, it comes before each of them.
    pub const LAST_BEFORE_PRODUCTION: &'static str = "PRE_PRODUCTION_TRAFFIC_SHIFT";

    /// Takes the word of ECS.
    pub fn of(word: impl Into<String>) -> Self {
        Stage(word.into())
    }

    /// Returns the word.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Tells whether it is known to come before another one.
    pub fn is_before(&self, other: &Stage) -> bool {
        matches!((self.place(), other.place()), (Some(one), Some(two)) if one < two)
    }

    /// Tells whether production traffic is known to move in it, or to have moved before it.
    pub fn has_shifted(&self) -> bool {
        Stage::of(Stage::LAST_BEFORE_PRODUCTION).is_before(self)
    }

    fn place(&self) -> Option<usize> {
        STAGES.iter().position(|stage| *stage == self.0)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "an unknown stage" } else { &self.0 })
    }
}

/// A hook of the present stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// Its id, a new one each time.
    pub id: String,
    /// Whether it waits for somebody's answer; other hooks are functions.
    pub is_pause: bool,
    /// Where it is, in the word of ECS.
    pub status: String,
    /// Until when it waits.
    pub expires: Option<Timestamp>,
}

impl Hook {
    fn waits(&self) -> bool {
        self.is_pause && self.status == "AWAITING_ACTION"
    }
}

impl ServiceDeployment {
    /// Returns the hooks that wait for an answer.
    pub fn waiting(&self) -> impl Iterator<Item = &Hook> {
        self.hooks.iter().filter(|hook| self.status == Status::Open && hook.waits())
    }

    /// Returns the one hook that waits for an answer; of several, nobody can tell which one is ours.
    pub fn gate(&self) -> Option<&Hook> {
        let mut waiting = self.waiting();
        waiting.next().filter(|_| waiting.next().is_none())
    }

    /// Tells whether production traffic may have reached the new tasks.
    pub fn has_shifted(&self) -> bool {
        self.production > 0.0 || self.stage.has_shifted() || self.status == Status::Successful
    }

    /// Tells whether production traffic has moved to the new tasks, and ECS neither goes back nor has stopped the shift.
    pub fn keeps_traffic(&self) -> bool {
        self.has_shifted() && !self.status.is_back() && self.status != Status::Stopped
    }

    /// Tells whether all production traffic goes to the new tasks.
    pub fn has_all_traffic(&self) -> bool {
        self.production >= 100.0 || self.status == Status::Successful
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_ecs_has_its_status() {
        for (words, status) in [
            (&["PENDING", "IN_PROGRESS"][..], Status::Open),
            (&["STOP_REQUESTED", "STOPPED"], Status::Stopped),
            (&["ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS"], Status::RollingBack),
            (&["ROLLBACK_SUCCESSFUL"], Status::RolledBack),
            (&["ROLLBACK_FAILED"], Status::RollbackFailed),
            (&["SUCCESSFUL"], Status::Successful),
            (&["PAUSED"], Status::Unknown("PAUSED".to_owned())),
        ] {
            for word in words {
                assert_eq!(Status::of(word), status, "{word}");
            }
        }
    }

    #[test]
    fn a_stage_that_nobody_knows_comes_neither_before_nor_after_another() {
        let (scale, test, new) =
            (Stage::of("POST_SCALE_UP"), Stage::of("POST_TEST_TRAFFIC_SHIFT"), Stage::of("NEW"));
        assert!(scale.is_before(&test) && !test.is_before(&scale) && !test.is_before(&test));
        assert!(!new.is_before(&test) && !test.is_before(&new) && !new.has_shifted());
        let last = Stage::of(Stage::LAST_BEFORE_PRODUCTION);
        assert!(!last.has_shifted() && Stage::of("PRODUCTION_TRAFFIC_SHIFT").has_shifted());
        assert_eq!(Stage::default().to_string(), "an unknown stage");
    }

    fn hook(id: &str, status: &str, is_pause: bool) -> Hook {
        Hook { id: id.to_owned(), is_pause, status: status.to_owned(), expires: None }
    }

    #[test]
    fn of_several_hooks_that_wait_none_is_the_gate() {
        let with = |hooks: Vec<Hook>| ServiceDeployment {
            arn: String::new(),
            status: Status::Open,
            reason: String::new(),
            stage: Stage::default(),
            hooks,
            requested: 1,
            production: 0.0,
        };
        let (one, two) = (hook("a", "AWAITING_ACTION", true), hook("b", "AWAITING_ACTION", true));
        let others = [hook("c", "SUCCEEDED", true), hook("d", "AWAITING_ACTION", false)];
        assert_eq!(with([vec![one.clone()], others.to_vec()].concat()).gate(), Some(&one));
        assert_eq!(with(vec![one.clone(), two.clone()]).gate(), None);
        assert_eq!(with(others.to_vec()).gate(), None);
        let back = ServiceDeployment { status: Status::RollingBack, ..with(vec![one]) };
        assert_eq!(back.gate(), None, "a deployment that goes back asks nobody");
    }
}
