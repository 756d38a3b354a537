//! What live tests run beside a service: one row for each start.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::clock::Timestamp;

/// `release#<id>` / `run#<wave>#<n>#<name>`: something to start once, and what became of that.
///
/// health-test writes the order, whether it is to end, and whether it has; deploy writes what it has done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunRow {
    /// The check, its attempt and its start.
    pub name: String,
    /// What is started.
    #[serde(flatten)]
    pub starts: RunStarts,
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
    /// Why none could be, or why a function did not say what it has found.
    #[serde(default)]
    pub not_started: Option<String>,
    /// Whether it was told to end.
    #[serde(default)]
    pub stopped: bool,
    /// What a function has answered last.
    #[serde(default)]
    pub answered: Option<RunAnswer>,
}

/// What a run starts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RunStarts {
    /// A task.
    Task(RunsTask),
    /// A function, which is called until it says what it has found.
    Function(CallsFunction),
}

/// A task to start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunsTask {
    /// The task definition: a revision by its ARN, or a family of the team with or without one.
    pub definition: String,
    /// Whether those of its containers that run an image of the moved repository run the moved one.
    #[serde(default)]
    pub pins: bool,
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
}

/// A function to call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CallsFunction {
    /// Its name or its ARN.
    pub function: String,
    /// The stage of a deployment that it is told, in the word of ECS.
    pub stage: String,
    /// What else it is told.
    pub details: Map<String, Value>,
}

/// What a function has answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunAnswer {
    /// What it has found.
    pub status: HookStatus,
    /// When it is called again, if it is.
    #[serde(default)]
    pub again: Option<Timestamp>,
    /// What it wants to be told then.
    #[serde(default)]
    pub details: Map<String, Value>,
}

/// What a function has found, as it tells ECS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum HookStatus {
    /// It is good.
    Succeeded,
    /// It is not.
    Failed,
    /// It has to be asked again.
    InProgress,
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
        let is_decided = self.answered.as_ref().is_some_and(|answered| answered.again.is_none());
        self.task.is_none() && self.not_started.is_none() && !is_decided && !self.stop
    }

    /// Tells whether it is still to be started at this time: a function says when it is to be called again.
    pub fn is_due(&self, now: Timestamp) -> bool {
        let again = self.answered.as_ref().and_then(|answered| answered.again);
        self.is_to_start() && again.is_none_or(|again| again <= now)
    }

    /// Tells whether something may run of it that nobody has ended; a function ends by itself.
    pub fn may_run(&self) -> bool {
        let started = self.task.is_some() || (self.tried && self.not_started.is_none());
        started && !self.over && !self.stopped
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

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

    #[test]
    fn a_function_is_called_until_it_says_what_it_has_found() {
        let text = r#"{"name":"a/1/1","function":"users-acceptance","stage":"PRE_SCALE_UP","details":{"n":1.5},
            "ordered":"2026-11-23T10:00:00Z"}"#;
        let ordered: RunRow = serde_json::from_str(text).unwrap();
        let RunStarts::Function(call) = &ordered.starts else { panic!("{ordered:?}") };
        assert_eq!((call.function.as_str(), &call.details["n"]), ("users-acceptance", &json!(1.5)));
        let answered = |status, again: Option<&str>| {
            let again = again.map(|again| Timestamp::parse(again).unwrap());
            let details = Map::new();
            RunRow { answered: Some(RunAnswer { status, again, details }), ..ordered.clone() }
        };
        let later = Some("2026-11-23T10:00:30Z");
        for (row, to_start, due) in [
            (ordered.clone(), true, true),
            (RunRow { stop: true, ..ordered.clone() }, false, false),
            (answered(HookStatus::InProgress, later), true, false),
            (answered(HookStatus::InProgress, Some("2026-11-23T10:00:10Z")), true, true),
            (answered(HookStatus::Succeeded, None), false, false),
            (answered(HookStatus::Failed, None), false, false),
        ] {
            let now = Timestamp::parse("2026-11-23T10:00:10Z").unwrap();
            assert_eq!(
                (row.is_to_start(), row.is_due(now), row.may_run()),
                (to_start, due, false),
                "{row:?}"
            );
            // As it is kept in the ledger.
            let item: serde_dynamo::Item = serde_dynamo::to_item(&row).unwrap();
            assert_eq!(serde_dynamo::from_item::<_, RunRow>(item).unwrap(), row);
        }
    }
}
