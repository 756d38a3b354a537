//! What live tests run beside a service: one row for each start.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// `release#<id>` / `run#<wave>#<n>#<name>`: something to start once, and what became of that.
///
/// health-test writes the order, whether it is to end, and whether it has; deploy writes what it has done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunRow {
    /// The check, its attempt and its start.
    pub name: String,
    /// The task definition: a revision by its ARN, or a family of the team with or without one.
    pub definition: String,
    /// The container that is told something; none means the first of the task definition.
    #[serde(default)]
    pub container: Option<String>,
    /// What it is told instead of its own command, if anything.
    #[serde(default)]
    pub command: Vec<String>,
    /// What is added to its environment.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Where it runs; none means where the service does.
    #[serde(default)]
    pub network: Option<RunNetwork>,
    /// When it was ordered.
    pub ordered: Timestamp,

    /// Whether it is to end.
    #[serde(default)]
    pub stop: bool,
    /// Whether it was seen to have ended.
    #[serde(default)]
    pub over: bool,

    /// Whether a task is about to be started, or was.
    #[serde(default)]
    pub tried: bool,
    /// The container that was told something.
    #[serde(default)]
    pub told: Option<String>,
    /// The task that was started.
    #[serde(default)]
    pub task: Option<String>,
    /// Why none could be.
    #[serde(default)]
    pub not_started: Option<String>,
    /// Whether it was told to end.
    #[serde(default)]
    pub stopped: bool,
}

/// Where a run is placed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunNetwork {
    /// The subnets.
    pub subnets: Vec<String>,
    /// The security groups.
    #[serde(default)]
    pub security_groups: Vec<String>,
    /// Whether it gets a public address.
    #[serde(default)]
    pub public_ip: bool,
}

impl RunRow {
    /// Tells whether it is still to be started.
    pub fn is_to_start(&self) -> bool {
        self.task.is_none() && self.not_started.is_none() && !self.stop
    }

    /// Tells whether something may run of it that nobody has ended.
    pub fn may_run(&self) -> bool {
        let started = self.task.is_some() || (self.tried && self.not_started.is_none());
        started && !self.over && !self.stopped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ordered_is_started_once_and_ended_once() {
        let ordered: RunRow = serde_json::from_str(
            r#"{"name":"self test/1/1","definition":"users:7","ordered":"2026-11-23T10:00:00Z"}"#,
        )
        .unwrap();
        let (task, why) = (Some("arn".to_owned()), Some("no capacity".to_owned()));
        let tried = RunRow { tried: true, ..ordered.clone() };
        let started = RunRow { task, ..tried.clone() };
        for (row, to_start, may_run) in [
            (ordered.clone(), true, false),
            (RunRow { stop: true, ..ordered.clone() }, false, false),
            // Whoever was about to start it may have died in between.
            (tried.clone(), true, true),
            (RunRow { stop: true, ..tried.clone() }, false, true),
            (RunRow { not_started: why, ..tried }, false, false),
            (started.clone(), false, true),
            (RunRow { over: true, ..started.clone() }, false, false),
            (RunRow { stop: true, ..started.clone() }, false, true),
            (RunRow { stop: true, stopped: true, ..started }, false, false),
        ] {
            assert_eq!((row.is_to_start(), row.may_run()), (to_start, may_run), "{row:?}");
        }
    }
}
