//! Tells the right people how a release ended.
//!
//! Renders one message from the ledger and hands it to every channel; a channel that fails stops no other.
//! The state machine asks for it; where that has died, Step Functions' own event does.  What was delivered
//! is recorded, so that one end is told once, and a retry sends only what is missing.  Never changes an
//! outcome, and never lets a secret out: not into a message, not into a log, not into an error.

pub mod channel;
pub mod died;
pub mod message;
pub mod occasion;
pub mod port;
pub mod secret;

use pipeline::clock::Timestamp;
use pipeline::ids::ReleaseId;
use pipeline::rows::{HeadRow, MoveRow, PlanRow};
use pipeline::{Fault, document};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use channel::{Channel, Delivery};
use message::{Facts, Message};
use occasion::Occasion;
use port::Port;

/// What the state machine asks for.
#[derive(Debug, Deserialize)]
pub struct Request {
    /// The release.
    pub release: ReleaseId,
    /// Its execution.
    #[serde(default)]
    pub execution: String,
    /// What there is to tell.
    pub outcome: Occasion,
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

/// What the ledger says about a release.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// The release itself; none if it was never let in.
    #[serde(default)]
    pub head: Option<HeadRow>,
    /// Its moves.
    #[serde(default)]
    pub moves: Vec<MoveRow>,
    /// What a person is asked to agree to.
    #[serde(default)]
    pub plan: Vec<PlanRow>,
}

/// All that there is to tell beside the outcome.
#[derive(Debug, Default)]
struct Story {
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
            return self.died(document::read("the event", payload)?, now).await;
        }
        let request: Request = document::read("the payload", payload)?;
        let (report, unread) = match &request.report {
            Some(report) => (report.clone(), None),
            None => self.read(&request.release).await,
        };
        self.tell(&request, &Story { report, unread, input: None }, now).await
    }

    /// Hands one message to every channel that does not have it yet.
    async fn tell(&self, request: &Request, story: &Story, now: Timestamp) -> Result<Response, Fault> {
        let message = Message::of(&Facts { request, story, now });
        let delivery = Delivery::of(request, &story.report, now);
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

    /// Reads what the ledger says, and why it cannot be read.
    async fn read(&self, release: &ReleaseId) -> (Report, Option<String>) {
        match self.port.report(release).await {
            Ok(report) => (report, None),
            // Those on call rather hear little than nothing.
            Err(fault) => (Report::default(), Some(fault.to_string())),
        }
    }
}
