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
pub mod kind;
pub mod message;
pub mod port;
mod progress;
pub mod report;
pub mod route;
pub mod secret;
mod send;

use std::time::Duration;

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::document::read;
use pipeline::ids::{EnvironmentName, ReleaseId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::timeout;

use kind::AlertKind;
use port::Port;
use report::Report;
use send::Sent;

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
    /// What is to come back to it, where this call was such a time.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub follow: Option<Follow>,
}

/// What the machine that comes back to a message hands on from time to time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Follow {
    /// What was to be told.
    pub request: Request,
    /// How often it was tried again.
    pub attempt: u32,
    /// After how many seconds it is tried again.
    pub seconds: u32,
}

/// The function.
#[derive(Debug)]
pub struct Alert<P> {
    /// The ledger, SNS, Parameter Store and HTTP.
    pub port: P,
}

impl<P: Port> Alert<P> {
    /// Answers one payload: the machine's request, the event of an execution that ended, or the time to try again.
    pub async fn handle(&self, payload: Value, now: Timestamp) -> Result<Response, Fault> {
        if payload.get("detail-type").is_some() {
            return self.execution_ended(read("the event", payload)?, now).await;
        }
        if payload.get("attempt").is_some() {
            let Follow { request, attempt, .. } = read("the payload", payload)?;
            return self.follow_up(request, attempt, now).await;
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
        self.tell(request, &context, now).await
    }

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
            report.plan = self.port.plan(&request.release, &head.services).await?;
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
        let Sent { delivered, later, failed } = self.send(&request, context, now).await;
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
                Ok(Response { delivered, later, follow: None })
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
