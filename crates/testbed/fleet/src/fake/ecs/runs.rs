//! Tasks that somebody runs beside the services, and how each of them ends.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::ecr::Ecr;
use super::super::expression::wrong;
use super::super::{Answer, Refusal};
use super::{Ecs, strings, task_arn, within};

/// How long a task takes to start, to do its work, and to end once it is told to, in milliseconds.
const STARTS_MS: i64 = 8_000;
const WORKS_MS: i64 = 20_000;
const STOPS_MS: i64 = 3_000;

/// How long ECS remembers a task that has ended, in milliseconds.
const REMEMBERED_MS: i64 = 3_600_000;

/// How many characters ECS takes of who started a task.
const LONGEST_STARTED_BY: usize = 36;

/// How a run of an image ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RunEnd {
    /// With exit code 0.
    #[default]
    Passes,
    /// With another one.
    Fails,
    /// It is never placed.
    NeverStarts,
    /// It never ends by itself.
    NeverEnds,
    /// Its image cannot be pulled.
    CannotPull,
    /// ECS has no room for it, and says so at once.
    NoRoom,
}

/// A task that was run.
#[derive(Clone, Debug)]
pub struct RunTask {
    /// Its cluster.
    pub cluster: String,
    /// What makes two calls one.
    pub token: String,
    /// What it was started from.
    pub revision: String,
    /// The release by which it is tagged.
    pub release: String,
    /// What it was told, by the names of the environment of its first container.
    pub told: BTreeMap<String, String>,
    /// What its containers run.
    pub digests: Vec<String>,
    /// How it ends, if nobody ends it.
    pub end: RunEnd,
    /// When it was started.
    pub began: i64,
    /// When somebody ended it.
    pub stopped: Option<i64>,
    started_by: String,
}

impl RunTask {
    /// Returns when its end came, if it has by then.
    pub fn ended(&self, now: i64) -> Option<i64> {
        let own = match self.end {
            RunEnd::Passes | RunEnd::Fails => Some(self.began + STARTS_MS + WORKS_MS),
            RunEnd::CannotPull => Some(self.began + STARTS_MS),
            RunEnd::NeverStarts | RunEnd::NeverEnds | RunEnd::NoRoom => None,
        };
        own.into_iter().chain(self.stopped.map(|at| at + STOPS_MS)).min().filter(|at| *at <= now)
    }

    /// Returns the code with which its container has ended by itself, if it did.
    pub fn exit_code(&self, now: i64) -> Option<i32> {
        let by_itself = self.ended(now)? == self.began + STARTS_MS + WORKS_MS;
        match self.end {
            RunEnd::Passes if by_itself => Some(0),
            RunEnd::Fails if by_itself => Some(1),
            _ => None,
        }
    }

    fn started(&self) -> Option<i64> {
        let starts = !matches!(self.end, RunEnd::NeverStarts | RunEnd::CannotPull);
        starts.then_some(self.began + STARTS_MS)
    }

    fn described(&self, n: usize, names: &[String], now: i64) -> Value {
        let (ended, started) = (self.ended(now), self.started().filter(|at| *at <= now));
        let status = match (ended, started) {
            (Some(_), _) => "STOPPED",
            (None, Some(_)) => "RUNNING",
            (None, None) => "PENDING",
        };
        let by_itself = self.stopped.is_none() || self.exit_code(now).is_some();
        let (code, reason) = match (ended, by_itself, self.end) {
            (None, ..) => ("", ""),
            (_, true, RunEnd::CannotPull) => ("TaskFailedToStart", "CannotPullContainerError: not found"),
            (_, true, _) => ("EssentialContainerExited", "Essential container in task exited"),
            (_, false, _) => ("UserInitiated", "Task stopped by user"),
        };
        let exit = ended.and_then(|_| match by_itself {
            true => self.exit_code(now),
            false => started.map(|_| 143),
        });
        let containers = names.iter().zip(&self.digests).map(|(name, digest)| {
            json!({"name": name, "lastStatus": status, "imageDigest": digest, "exitCode": exit})
        });
        let seconds = |at: Option<i64>| at.map(|at| at as f64 / 1000.0);
        json!({
            "taskArn": self.arn(n), "lastStatus": status, "taskDefinitionArn": self.revision,
            "desiredStatus": if ended.is_some() || self.stopped.is_some() { "STOPPED" } else { "RUNNING" },
            "startedBy": self.started_by, "group": "family:run", "startedAt": seconds(started),
            "stoppedAt": seconds(ended), "stopCode": Some(code).filter(|code| !code.is_empty()),
            "stoppedReason": Some(reason).filter(|reason| !reason.is_empty()),
            "containers": containers.collect::<Vec<_>>(),
        })
    }

    fn arn(&self, n: usize) -> String {
        task_arn(&format!("{}/run-{n}", self.cluster))
    }
}

impl Ecs {
    /// Runs a task; the same one if its token is known.
    pub(super) fn run_task(&mut self, input: &Value, ecr: &Ecr, now: i64) -> Answer {
        let text = |key: &str| input[key].as_str().unwrap_or_default().to_owned();
        let (cluster, token, started_by) = (text("cluster"), text("clientToken"), text("startedBy"));
        let tags = input["tags"].as_array().into_iter().flatten();
        let release =
            tags.filter(|tag| tag["key"] == "tidegate:release").find_map(|tag| tag["value"].as_str());
        let Some(release) = release.map(str::to_owned).filter(|_| !token.is_empty()) else {
            return Err(wrong("a run that nobody knows again"));
        };
        if input["count"] != 1 || started_by.len() > LONGEST_STARTED_BY {
            return Err(wrong("more than one task, or started by a name that is too long"));
        }
        let revision = self.revision_of(&text("taskDefinition"));
        let Some(revision) = revision else {
            return Err(Refusal::new("ClientException", "TaskDefinition not found."));
        };
        let same = |task: &RunTask| task.cluster == cluster && task.token == token;
        if let Some(n) = self.runs.iter().position(same) {
            let again = self.runs.get(n).map(|task| task.described(n, &self.names_of(&revision), now));
            return Ok(json!({"tasks": again.into_iter().collect::<Vec<_>>(), "failures": []}));
        }
        let told =
            input["overrides"]["containerOverrides"][0]["environment"].as_array().into_iter().flatten();
        let told = told.filter_map(|one| Some((one["name"].as_str()?.into(), one["value"].as_str()?.into())));
        let told: BTreeMap<String, String> = told.collect();
        let digests: Vec<String> =
            self.images_of(&revision).iter().map(|image| ecr.resolve(image).unwrap_or_default()).collect();
        // A suite ends by what it tests.
        let tested = told.get("TIDEGATE_IMAGE_DIGEST");
        let ends = digests.iter().chain(tested).filter_map(|digest| self.run_ends.get(digest)).copied();
        let end = ends.into_iter().find(|end| *end != RunEnd::Passes).unwrap_or_default();
        if end == RunEnd::NoRoom {
            let failure = json!({"arn": cluster, "reason": "RESOURCE:MEMORY"});
            return Ok(json!({"tasks": [], "failures": [failure]}));
        }
        let task = RunTask {
            told,
            cluster,
            token,
            revision,
            release,
            digests,
            end,
            began: now,
            stopped: None,
            started_by,
        };
        let described = task.described(self.runs.len(), &self.names_of(&task.revision), now);
        self.runs.push(task);
        Ok(json!({"tasks": [described], "failures": []}))
    }

    /// Ends a task that was run; what has ended already is as good.
    pub(super) fn stop_task(&mut self, input: &Value, now: i64) -> Answer {
        let arn = input["task"].as_str().unwrap_or_default();
        let known = |(n, task): &(usize, &mut RunTask)| task.arn(*n) == arn && task.is_remembered(now);
        let Some((_, task)) = self.runs.iter_mut().enumerate().find(known) else {
            return Err(Refusal::new("InvalidParameterException", "The referenced task was not found."));
        };
        task.stopped.get_or_insert(now);
        Ok(json!({"task": {"taskArn": arn}}))
    }

    /// Describes a task that was run, as long as ECS remembers it.
    pub(super) fn run_described(&self, arn: &str, now: i64) -> Option<Value> {
        let known = |(n, task): &(usize, &RunTask)| task.arn(*n) == arn && task.is_remembered(now);
        let (n, task) = self.runs.iter().enumerate().find(known)?;
        Some(task.described(n, &self.names_of(&task.revision), now))
    }

    /// Returns the tasks of a cluster that were run, and that nobody has told to end.
    pub(super) fn runs_listed(&self, input: &Value, now: i64) -> Vec<String> {
        let within = within(input);
        let running = |task: &RunTask| task.ended(now).is_none() && task.stopped.is_none();
        let runs = self.runs.iter().enumerate();
        runs.filter(|(_, task)| format!("{}/", task.cluster) == within && running(task))
            .map(|(n, task)| task.arn(n))
            .collect()
    }

    /// Returns the revision that a call means: by its ARN, or the newest of a family.
    pub(super) fn revision_of(&self, named: &str) -> Option<String> {
        if self.revisions.contains_key(named) {
            return Some(named.to_owned());
        }
        self.newest.get(named).map(|number| self.arn(named, *number))
    }

    fn names_of(&self, revision: &str) -> Vec<String> {
        let definition =
            self.revisions.get(revision).map(|one| &one["taskDefinition"]["containerDefinitions"]);
        let containers = definition.and_then(Value::as_array).into_iter().flatten();
        strings(&containers.map(|one| one["name"].clone()).collect())
    }
}

impl RunTask {
    fn is_remembered(&self, now: i64) -> bool {
        self.ended(now).is_none_or(|ended| now - ended < REMEMBERED_MS)
    }
}
