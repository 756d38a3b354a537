//! The kinds of checks.

pub mod http;
pub mod image;
pub mod journey;
pub mod logs;
pub mod metric;
pub mod run;

use serde::Deserialize;

use crate::phase::Phase::{self, Bake, Before, Dark, Live, Open};
use crate::span::Span;

/// What a check looks at.
#[derive(Debug, Clone)]
pub enum Kind {
    /// One request.
    Http(Box<http::Http>),
    /// Several requests, one after the other.
    Journey(Vec<http::Http>),
    /// The new image, run alone.
    Task(run::Task),
    /// A suite of tests of the team.
    Suite(run::Suite),
    /// The image itself.
    Image(image::Image),
    /// What the new tasks log.
    Logs(logs::Logs),
    /// A number of CloudWatch.
    Metric(metric::Metric),
    /// Alarms that watch the move, too.
    Alarms(Alarms),
    /// The targets of the new tasks.
    Targets(Targets),
}

/// Alarms that watch the move, beside those of the environment.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Alarms {
    /// Their names.
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub names: Vec<String>,
}

/// All targets of the new tasks are healthy.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Targets {}

impl Kind {
    /// Returns its key.
    pub fn as_str(&self) -> &'static str {
        match self {
            Kind::Http(_) => "http",
            Kind::Journey(_) => "journey",
            Kind::Task(_) => "task",
            Kind::Suite(_) => "suite",
            Kind::Image(_) => "image",
            Kind::Logs(_) => "logs",
            Kind::Metric(_) => "metric",
            Kind::Alarms(_) => "alarms",
            Kind::Targets(_) => "targets",
        }
    }

    /// Returns the phases that it can be asked in; the first of them is its own.
    pub fn phases(&self) -> &'static [Phase] {
        match self {
            Kind::Http(_) | Kind::Journey(_) => &[Live, Before, Dark, Bake],
            Kind::Task(_) => &[Before],
            Kind::Suite(_) => &[Live, Before, Dark],
            Kind::Image(_) => &[Open],
            Kind::Logs(_) | Kind::Metric(_) | Kind::Alarms(_) => &[Bake],
            Kind::Targets(_) => &[Live, Bake],
        }
    }

    /// Returns how long a run of it may take; none if it is no run.
    pub fn timeout(&self) -> Option<Span> {
        match self {
            Kind::Task(task) => Some(task.run.timeout()),
            Kind::Suite(suite) => Some(suite.run.timeout()),
            _ => None,
        }
    }

    /// Tells whether it is started once and looked at until it ends.
    pub fn is_run(&self) -> bool {
        self.timeout().is_some()
    }

    /// Tells whether CloudWatch is asked for it.
    pub fn is_of_cloudwatch(&self) -> bool {
        matches!(self, Kind::Logs(_) | Kind::Metric(_))
    }

    /// Returns the requests that it makes.
    pub fn requests(&self) -> &[http::Http] {
        match self {
            Kind::Http(http) => std::slice::from_ref(&**http),
            Kind::Journey(steps) => steps,
            _ => &[],
        }
    }
}
