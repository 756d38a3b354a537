//! What happens outside of releases: alarms, trouble in ECS, lines of logs and changed documents.
//!
//! A source is read into news; news open an alert, are counted in it, or clear it.  What an alert is at stands in one
//! row, which a small machine comes back to until the alert is resolved and every channel knows so.

pub mod alarm;
pub mod decide;
pub mod ecs;
mod hear;
pub mod logs;
pub mod place;
pub mod row;
pub mod rules;
pub mod settings;
mod storm;
mod tell;
pub mod watch;

use pipeline::clock::Timestamp;
use pipeline::ids::{EnvironmentName, ServiceName};
use serde::{Deserialize, Serialize};

use crate::kind::{Act, AlertKind, Severity};

/// What happened, as its source says it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Signal {
    /// What all news about the same thing share.
    pub id: String,
    /// What kind of thing it is.
    pub kind: AlertKind,
    /// How grave it is.
    pub severity: Severity,
    /// The environment, if it is one of one.
    #[serde(default)]
    pub environment: Option<EnvironmentName>,
    /// The service, if it is one of one.
    #[serde(default)]
    pub service: Option<ServiceName>,
    /// What it is about, where no service is known.
    #[serde(default)]
    pub about: String,
    /// What happened, in a sentence.
    pub because: String,
    /// What was logged, for those who may read that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<String>,
    /// Where to look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// After how many seconds without news it is over; none if only its source says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet_seconds: Option<u32>,
}

impl Signal {
    /// Returns whether somebody has to act.
    pub fn act(&self) -> Act {
        match self.severity {
            Severity::Info => Act::None,
            Severity::Warning => Act::Soon,
            Severity::Critical => Act::Now,
        }
    }
}

/// What a source says.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// Something happened.
    Raised(Box<Raised>),
    /// It is over.
    Cleared(Box<Cleared>),
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Raised {
    /// What.
    pub signal: Signal,
    /// When.
    pub at: Timestamp,
    /// How often.
    pub times: u64,
    /// Whether its source never says the same twice at one moment, so that a repeat is the same event again.
    pub once: bool,
    /// How often it has to happen, and within how many seconds, before it is told.
    pub from: Option<(u64, u32)>,
    /// The services whose release judges it, so that nobody has to be told beside.
    pub judged: Option<Judged>,
}

/// The services of an environment, one of which a release may be changing.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// The environment.
    pub environment: EnvironmentName,
    /// Names or patterns of the services.
    pub services: Vec<String>,
    /// Whether it is told later if it still holds once the release is over.
    pub later: bool,
}

/// Something that is over.
#[derive(Clone, Debug, PartialEq)]
pub struct Cleared {
    /// What.
    pub id: String,
    /// When.
    pub at: Timestamp,
    /// Why, in a few words.
    pub because: String,
    /// For how many seconds it has to stay so.
    pub holds_seconds: u32,
    /// What it ends, if that may be heard of later than of its end.
    pub early: Option<Signal>,
}
