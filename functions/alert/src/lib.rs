//! Tells the right people how a release ended.
//!
//! Renders one message from the ledger and hands it to every channel; a channel that fails stops no other.
//! The state machine asks for it; where its execution was ended before, Step Functions' own event does.  What was
//! delivered is recorded, so that one end is told once, and a retry sends only what is missing.  Never changes an
//! outcome, and never lets a secret out: not into a message, not into a log, not into an error.

pub mod channel;
pub mod delivery;
pub mod execution_ended;
pub mod kind;
pub mod message;
pub mod port;
pub mod report;
pub mod secret;

use pipeline::clock::Timestamp;
use pipeline::ids::{EnvironmentName, ReleaseId};
use pipeline::{Fault, document};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use channel::Channel;
use delivery::Delivery;
use kind::AlertKind;
use message::{Facts, Message};
use port::Port;
use report::Report;

/// What the state machine asks for.
#[derive(Debug, Deserialize)]
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
    /// What the ledger would say, given whole, as sample events do: then nothing is read or recorded.
    #[serde(default)]
    pub report: Option<Report>,
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
    pub delivered: Vec<&'static str>,
    /// The channels that do not.
    pub failed: Vec<&'static str>,
}

/// The function.
#[derive(Debug)]
pub struct Alert<P> {
    /// The ledger, SNS, Parameter Store and HTTP.
    pub port: P,
}

impl<P: Port> Alert<P> {
    /// Answers one payload: the machine's request, or the event of an execution that ended.
    pub async fn handle(&self, payload: Value, now: Timestamp) -> Result<Response, Fault> {
        if payload.get("detail-type").is_some() {
            return self.execution_ended(document::read("the event", payload)?, now).await;
        }
        let request: Request = document::read("the payload", payload)?;
        let (report, unread) = match &request.report {
            Some(report) => (report.clone(), None),
            None => readable(self.read(&request).await),
        };
        if request.outcome == AlertKind::WaitingForApproval && report.has_ended() {
            // The call came late: nobody can answer any more.
            return Ok(Response::default());
        }
        self.tell(&request, &AlertContext { report, unread, input: None }, now).await
    }

    /// Reads what an alert of this kind tells.
    async fn read(&self, request: &Request) -> Result<Report, Fault> {
        if request.outcome == AlertKind::Answered {
            let Some(name) = &request.environment else { return Ok(Report::default()) };
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

    /// Hands one message to every channel that does not have it yet.
    async fn tell(
        &self,
        request: &Request,
        context: &AlertContext,
        now: Timestamp,
    ) -> Result<Response, Fault> {
        let message = Message::of(&Facts { request, context, now });
        let delivery = Delivery::of(request, &context.report, now);
        let mut response = Response::default();
        let mut reasons = Vec::new();
        for channel in Channel::ALL {
            let recorded = request.report.is_none().then_some((&request.release, &delivery));
            match channel.deliver(&self.port, &message, recorded).await {
                Ok(true) => response.delivered.push(channel.name()),
                Ok(false) => {}
                Err(fault) => {
                    response.failed.push(channel.name());
                    reasons.push(format!("{} ({fault})", channel.name()));
                }
            }
        }
        if reasons.is_empty() {
            return Ok(response);
        }
        // The machine tries again, and at last keeps the message in a queue.
        Err(Fault::Unavailable(format!("the alert was not delivered by {}", reasons.join(" and "))))
    }
}

/// Returns what was read, or nothing and why: those on call rather hear little than nothing.
fn readable(read: Result<Report, Fault>) -> (Report, Option<String>) {
    match read {
        Ok(report) => (report, None),
        Err(fault) => (Report::default(), Some(fault.to_string())),
    }
}
