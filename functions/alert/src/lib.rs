//! Tells the right people how a release ended, and whoever asks for it how far it is.
//!
//! Renders one message from the ledger and hands it to every channel; a channel that fails stops no other.
//! The state machine asks for it; where its execution was ended before, Step Functions' own event does.  What was
//! delivered is recorded, so that one end is told once, and a retry sends only what is missing.  Never changes an
//! outcome, and never lets a secret out: not into a message, not into a log, not into an error.

pub mod channel;
pub mod delivery;
pub mod document;
pub mod execution_ended;
mod follow_up;
mod hash;
pub mod kind;
pub mod message;
pub mod port;
mod progress;
pub mod report;
pub mod resolve;
pub mod route;
pub mod secret;
mod send;
pub mod signal;

use std::time::Duration;

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::document::read;
use pipeline::ids::{EnvironmentName, ReleaseId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::timeout;

use kind::AlertKind;
use port::{Port, Signals};
use report::Report;
use send::{Sent, Told};
use signal::watch::Watch;

/// How long the ledger is waited for: those on call rather hear little than nothing.
const PATIENCE: Duration = Duration::from_secs(6);

/// What the state machine asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// The release.
    pub release: ReleaseId,
    /// Its execution.
    #[serde(default)]
    pub execution: String,
    /// What there is to tell.
    #[serde(deserialize_with = "kind::of_a_release")]
    pub outcome: AlertKind,
    /// Why, in a sentence.
    #[serde(default)]
    pub because: Option<String>,
    /// The environment, as far as the machine knows it.
    #[serde(default)]
    pub environment: Option<String>,
    /// What its execution was started with, where nothing else says what it was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// The moment of what it tells, if that is not now: it is told once more, or nobody waited for this call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// The one channel that is tested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// What the ledger would say, given whole, as sample events do: then nothing is read or recorded.
    #[serde(default, skip_serializing)]
    pub report: Option<Report>,
}

impl Request {
    /// Tells whether what it tells is in the ledger, and not given whole as in a sample: else nothing is read or written.
    pub fn is_recorded(&self) -> bool {
        self.report.is_none() && !self.is_test()
    }

    /// Tells whether somebody only tries the channels.
    pub fn is_test(&self) -> bool {
        self.outcome == AlertKind::Test
    }
}

/// All that there is to tell beside the outcome.
#[derive(Debug, Default)]
struct AlertContext {
    report: Report,
    /// Why the ledger could not be read, if it could not.
    unread: Option<String>,
    /// What the execution was started with, where nothing else says what it was about.
    input: Option<String>,
}

/// Where the message went.
#[derive(Debug, Default, PartialEq, Serialize)]
pub struct Response {
    /// The channels that have it, now or since an earlier call.
    pub delivered: Vec<String>,
    /// The channels that are tried again later, by somebody else.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub later: Vec<String>,
    /// What became of something that is of no release.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub said: Option<&'static str>,
    /// What is to come back to it, where this call was such a time.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub follow: Option<Follow>,
}

impl Response {
    fn said(said: &'static str) -> Self {
        Response { said: Some(said), ..Response::default() }
    }
}

/// What the machine that comes back to an alert hands on from time to time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Follow {
    /// What it comes back to.
    #[serde(flatten)]
    pub about: About,
    /// How often it came back.
    pub attempt: u32,
    /// After how many seconds it comes back.
    pub seconds: u32,
}

/// What somebody comes back to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum About {
    /// A message about a release that not every channel has.
    Request(Box<Request>),
    /// An alert of something else, until it is resolved.
    Watch(Watch),
}

/// How the end of an execution is called in its event.
const EXECUTION_ENDED: &str = "Step Functions Execution Status Change";

/// The function.
#[derive(Debug)]
pub struct Alert<P> {
    /// The ledger, SNS, Parameter Store and HTTP.
    pub port: P,
}

impl<P: Port + Signals> Alert<P> {
    /// Answers one payload: the machine's request, an event, lines of a log, or the time to come back.
    pub async fn handle(&self, payload: Value, now: Timestamp) -> Result<Response, Fault> {
        match payload.get("detail-type").and_then(Value::as_str) {
            Some(EXECUTION_ENDED) => return self.execution_ended(read("the event", payload)?, now).await,
            Some(_) => return self.hear_event(payload, now).await,
            None => {}
        }
        if let Some(id) = payload.get("close").and_then(Value::as_str) {
            return self.close(id.to_owned(), now).await;
        }
        if payload.get("awslogs").is_some() {
            return self.hear_logs(&payload, now).await;
        }
        if payload.get("attempt").is_some() {
            let Follow { about, attempt, .. } = read("the payload", payload)?;
            return match about {
                About::Request(request) => self.follow_up(*request, attempt, now).await,
                About::Watch(watch) => self.look(watch, attempt, now).await,
            };
        }
        let request: Request = read("the payload", payload)?;
        if request.outcome.is_progress() {
            return Ok(self.tell_progress(&request, now).await);
        }
        let context = self.context(&request).await;
        if request.outcome == AlertKind::WaitingForApproval && context.report.has_ended() {
            // The call came late: nobody can answer any more.
            return Ok(Response::default());
        }
        let told = self.tell(request.clone(), &context, now).await;
        self.settle(&request, &context, now).await;
        told
    }
}

impl<P: Port> Alert<P> {
    /// Reads what there is to tell beside the outcome.
    async fn context(&self, request: &Request) -> AlertContext {
        let (report, unread) = match &request.report {
            Some(report) => (report.clone(), None),
            None => readable(match timeout(PATIENCE, self.read(request)).await {
                Ok(read) => read,
                Err(_) => Err(Fault::Unavailable("the ledger did not answer in time".to_owned())),
            }),
        };
        AlertContext { report, unread, input: request.input.clone() }
    }

    /// Reads what an alert of this kind tells.
    async fn read(&self, request: &Request) -> Result<Report, Fault> {
        if request.is_test() {
            return Ok(Report::default());
        }
        if request.outcome == AlertKind::Answered {
            // What a sweep has found is of no single environment.
            let named = request.environment.as_ref().filter(|name| !name.is_empty());
            let Some(name) = named else { return Ok(Report::default()) };
            let freeze = self.port.freeze(&EnvironmentName::parse(name.as_str())?).await?;
            return Ok(Report { freeze, ..Report::default() });
        }
        let mut report = self.port.report(&request.release).await?;
        // Whether a person is asked is for the request to say: the environment may ask since this release began.
        if let (AlertKind::WaitingForApproval, Some(head)) = (request.outcome, &report.head) {
            let plan = self.port.plan(&request.release).await?.into_iter();
            report.plan = plan.filter(|row| head.services.contains(&row.service)).collect();
        }
        Ok(report)
    }

    /// Hands a message to every channel that does not have it yet; has somebody come back to those that cannot take it.
    async fn tell(
        &self,
        request: Request,
        context: &AlertContext,
        now: Timestamp,
    ) -> Result<Response, Fault> {
        let Sent { delivered, later, failed } = self.send(Told::of(&request, context, now), now).await;
        if later.is_empty() && failed.is_empty() {
            return Ok(Response { delivered, ..Response::default() });
        }
        let asked: Vec<Option<u32>> = later.iter().map(|(_, _, after)| *after).collect();
        let comes_back = !later.is_empty()
            && request.is_recorded()
            && self.comes_back(&request, &asked, now).await.is_ok();
        let fault = format!("the alert was not delivered by {}", named(&failed, &later));
        match (failed.is_empty(), comes_back) {
            (true, true) => {
                let later = later.into_iter().map(|(name, ..)| name).collect();
                Ok(Response { delivered, later, ..Response::default() })
            }
            // The machine tries again, and at last keeps the message in a queue.
            (true, false) => Err(Fault::Unavailable(fault)),
            (false, _) => Err(Fault::Denied(fault)),
        }
    }
}

/// Names the channels that do not have a message, and why.
fn named(failed: &[(String, String)], later: &[(String, String, Option<u32>)]) -> String {
    let later = later.iter().map(|(name, why, _)| (name, why));
    let all = failed.iter().map(|(name, why)| (name, why)).chain(later);
    all.map(|(name, why)| format!("{name} ({why})")).collect::<Vec<_>>().join(" and ")
}

/// Returns what was read, or nothing and why: those on call rather hear little than nothing.
fn readable(read: Result<Report, Fault>) -> (Report, Option<String>) {
    match read {
        Ok(report) => (report, None),
        Err(fault) => (Report::default(), Some(fault.to_string())),
    }
}
