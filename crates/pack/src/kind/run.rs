//! What is started once and looked at until it ends: the new image alone, or a suite of the team.

use std::collections::BTreeMap;

use pipeline::text::shown;
use serde::Deserialize;

use crate::mistake::{Mistake, ensure};
use crate::span::Span;
use crate::template::{Json, Template};
use crate::texts::{Keyed, Text};

/// How long a run may take unless it says so.
const TIMEOUT: Span = Span::seconds(600);

/// How long what a run is given may be together: ECS takes 8,192 characters, and the pipeline adds its own.
const LONGEST_OVERRIDES: usize = 6 * 1024;

/// The new image, run alone.
#[derive(Debug, Clone)]
pub struct Task {
    /// What is run, and how it ends well.
    pub run: Run,
    /// A task definition of the team in which the new image runs, instead of its own.
    pub stack: Option<String>,
}

/// A suite of tests of the team.
#[derive(Debug, Clone)]
pub struct Suite {
    /// What is started.
    pub starts: Starts,
    /// What is run, and how it ends well.
    pub run: Run,
    /// Where it runs instead of where the service does.
    pub network: Option<Network>,
}

/// What a suite starts.
#[derive(Debug, Clone)]
pub enum Starts {
    /// A task of this family, or of this revision of it.
    Task(String),
    /// A function, and what it is told.
    Function {
        /// Its name.
        name: String,
        /// What it is told beside what every suite is.
        details: Option<Json>,
    },
}

/// What is run, and how it ends well.
#[derive(Debug, Clone, Default)]
pub struct Run {
    /// The command; none means the one of the image.
    pub command: Vec<Template>,
    /// The container that is told it; none means the one with our image, or the only one.
    pub container: Option<String>,
    /// What is added to its environment.
    pub environment: BTreeMap<String, Template>,
    /// How long it may take.
    pub timeout: Option<Span>,
    /// The exit codes that say that nothing was measured.
    pub unmeasured: Vec<i32>,
    /// A text that must be in its last log lines.
    pub says: Option<String>,
}

/// Where a task runs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Network {
    /// The subnets.
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub subnets: Vec<String>,
    /// The security groups.
    #[serde(default)]
    pub security_groups: Vec<String>,
    /// Whether it gets a public address.
    #[serde(default)]
    pub public_ip: bool,
}

/// A `task` as it is written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Task"))]
pub(crate) struct TaskWritten {
    #[serde(default)]
    command: Vec<Template>,
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    container: Option<String>,
    #[serde(default)]
    environment: BTreeMap<String, Template>,
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Span"))]
    timeout: Option<Span>,
    #[serde(default)]
    unmeasured: Vec<i32>,
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    says: Option<String>,
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    stack: Option<String>,
}

/// A `suite` as it is written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Suite"))]
#[cfg_attr(feature = "schema", schemars(extend("oneOf" = [{"required": ["task"]}, {"required": ["function"]}])))]
pub(crate) struct SuiteWritten {
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    task: Option<String>,
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    function: Option<String>,
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Json"))]
    details: Option<Json>,
    #[serde(default)]
    command: Vec<Template>,
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    container: Option<String>,
    #[serde(default)]
    environment: BTreeMap<String, Template>,
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Network"))]
    network: Option<Network>,
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Span"))]
    timeout: Option<Span>,
    #[serde(default)]
    unmeasured: Vec<i32>,
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    says: Option<String>,
}

impl Run {
    /// Returns how long it may take.
    pub fn timeout(&self) -> Span {
        self.timeout.unwrap_or(TIMEOUT)
    }

    pub(crate) fn texts(&self) -> Vec<Keyed<'_>> {
        let command = self.command.iter().map(|text| ("command", Text::Told(text)));
        let environment = self.environment.values().map(|text| ("environment", Text::Told(text)));
        command.chain(environment).collect()
    }

    fn mistake(&self) -> Result<(), Mistake> {
        let names = self.environment.keys().map(String::len).sum::<usize>();
        let texts = self.command.iter().chain(self.environment.values()).map(Template::length).sum::<usize>();
        ensure(names + texts <= LONGEST_OVERRIDES, "environment", || {
            format!(
                "it is {} characters together with the command: expected at most {LONGEST_OVERRIDES}",
                names + texts
            )
        })?;
        ensure(!self.timeout().0.is_zero(), "timeout", || {
            "no run takes no time: expected one like 10m".to_owned()
        })?;
        ensure(!self.unmeasured.contains(&0), "unmeasured", || {
            "exit code 0 is success: expected other exit codes".to_owned()
        })?;
        ensure(self.says.as_ref().is_none_or(|text| !text.is_empty()), "says", || {
            "nothing is in every log: expected a text".to_owned()
        })
    }
}

impl Task {
    pub(crate) fn of(written: TaskWritten) -> Result<Self, Mistake> {
        let TaskWritten { command, container, environment, timeout, unmeasured, says, stack } = written;
        let run = Run { command, container, environment, timeout, unmeasured, says };
        run.mistake()?;
        ensure(stack.is_none() || run.container.is_some(), "container", || {
            "a stack has several: expected the name of the one that tests".to_owned()
        })?;
        Ok(Task { run, stack })
    }
}

impl Suite {
    pub(crate) fn of(written: SuiteWritten) -> Result<Self, Mistake> {
        let SuiteWritten { task, function, details, network, timeout, .. } = written;
        let SuiteWritten { command, container, environment, unmeasured, says, .. } = written;
        let run = Run { command, container, environment, timeout, unmeasured, says };
        run.mistake()?;
        let starts = match (task, function) {
            (Some(task), None) => {
                ensure(details.is_none(), "details", || only("a function is told", "command"))?;
                Starts::Task(task)
            }
            (None, Some(name)) => {
                let Run { command, container, environment, unmeasured, says, .. } = &run;
                for (key, is_there) in [
                    ("command", !command.is_empty()),
                    ("container", container.is_some()),
                    ("environment", !environment.is_empty()),
                    ("network", network.is_some()),
                    ("unmeasured", !unmeasured.is_empty()),
                    ("says", says.is_some()),
                ] {
                    ensure(!is_there, key, || only("a task has", "details"))?;
                }
                let plain = |c: char| c.is_ascii_alphanumeric() || "-_:$".contains(c);
                ensure(!name.is_empty() && name.chars().all(plain), "function", || {
                    format!("{} is no function: expected its name or its ARN", shown(&name))
                })?;
                ensure(matches!(details, None | Some(Json::Object(_))), "details", || {
                    "expected an object, whose keys are added to those that every suite is told".to_owned()
                })?;
                Starts::Function { name, details }
            }
            _ => return Err(Mistake::at("task", "a suite starts one thing: expected `task` or `function`")),
        };
        Ok(Suite { starts, run, network })
    }

    pub(crate) fn texts(&self) -> Vec<Keyed<'_>> {
        let mut texts = self.run.texts();
        if let Starts::Function { details: Some(details), .. } = &self.starts {
            texts.push(("details", Text::Details(details)));
        }
        texts
    }
}

fn only(what: &str, key: &str) -> String {
    format!("only {what} this: expected `{key}`")
}
