//! A definition, as it is played: all that it means was found when it was built.

mod build;
mod fields;
mod reads;

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use crate::rules::Retrier;
use crate::template::Template;

/// A state machine.
#[derive(Debug)]
pub struct Machine {
    pub(crate) states: Arc<States>,
}

/// Why a definition is not played: which state, which field, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused(String);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

impl Machine {
    /// Reads a definition in which `substitutions` stand for the words in `${...}`.
    pub fn build(text: &str, substitutions: &[(&str, &str)]) -> Result<Self, Refused> {
        let text = fields::substituted(text, substitutions).map_err(Refused)?;
        let document: Value = serde_json::from_str(&text)
            .map_err(|error| Refused(format!("the definition is no JSON: {error}")))?;
        Ok(Machine { states: Arc::new(build::machine(&document).map_err(Refused)?) })
    }

    /// Returns the names of all states: those of a Map's items follow its own, with it in front.
    pub fn names(&self) -> Vec<String> {
        fn collect(states: &States, before: &str, names: &mut Vec<String>) {
            for state in &states.all {
                names.push(format!("{before}{}", state.name));
                if let Kind::Map(map) = &state.kind {
                    collect(&map.states, &format!("{before}{}.", state.name), names);
                }
            }
        }
        let mut names = Vec::new();
        collect(&self.states, "", &mut names);
        names
    }
}

/// The states of a machine, or of the items of a Map.
#[derive(Debug)]
pub(crate) struct States {
    pub start: usize,
    pub all: Vec<State>,
}

#[derive(Debug)]
pub(crate) struct State {
    pub name: Arc<str>,
    pub kind: Kind,
    /// What it assigns and hands on when it succeeds.
    pub keeps: Keeps,
    pub retry: Vec<Retrier>,
    pub catch: Vec<Catcher>,
}

#[derive(Debug)]
pub(crate) enum Kind {
    Task(Task),
    Choice { rules: Vec<Rule>, default: Option<usize> },
    Wait { until: Until, after: After },
    Pass { after: After },
    Map(Map),
    Succeed,
    Fail { error: Option<Template>, cause: Option<Template> },
}

/// What follows a state.
#[derive(Clone, Copy, Debug)]
pub(crate) enum After {
    Next(usize),
    End,
}

#[derive(Debug, Default)]
pub(crate) struct Keeps {
    pub assign: Vec<(String, Template)>,
    pub output: Option<Template>,
}

#[derive(Debug)]
pub(crate) struct Task {
    pub integration: Integration,
    pub arguments: Template,
    pub timeout: Option<Template>,
    pub after: After,
}

/// A service that a task calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Integration {
    /// Lambda's Invoke, whose answer is the result.
    Invoke,
    /// Lambda's Invoke, after which somebody hands the result over with the task's token.
    InvokeForToken,
    /// DynamoDB's UpdateItem.
    UpdateItem,
    /// SQS's SendMessage.
    SendMessage,
}

#[derive(Debug)]
pub(crate) enum Until {
    Seconds(Template),
    Timestamp(Template),
}

#[derive(Debug)]
pub(crate) struct Rule {
    pub condition: Template,
    pub keeps: Keeps,
    pub next: usize,
}

#[derive(Debug)]
pub(crate) struct Catcher {
    pub errors: Vec<String>,
    pub keeps: Keeps,
    pub next: usize,
}

#[derive(Debug)]
pub(crate) struct Map {
    pub items: Template,
    pub selector: Option<Template>,
    pub concurrency: Option<Template>,
    /// How many items of a hundred may fail.
    pub tolerated: f64,
    /// In the names of its items' executions; none if they run within the Map's own.
    pub label: Option<String>,
    pub states: Arc<States>,
    pub after: After,
}
