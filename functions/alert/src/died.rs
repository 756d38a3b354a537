//! A release that ended without a word: somebody stopped it, or a fault came that no state catches.

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ids::ReleaseId;
use serde::Deserialize;

use crate::occasion::Occasion;
use crate::port::Port;
use crate::{Alert, Request, Response, Story};

/// The errors that the machine's own ends bear: they come after its alert, or after the queue in its place.
const OWN_ENDS: [&str; 3] = ["RolledBack", "NeedsHuman", "Refused"];

/// The event of Step Functions; the rule picks this machine's executions, without the items of its Maps.
#[derive(Debug, Deserialize)]
pub struct Event {
    /// What kind of event it is.
    #[serde(rename = "detail-type")]
    pub kind: Kind,
    /// What it says.
    pub detail: Detail,
}

/// The one kind of event that there is something to tell of.
#[derive(Debug, Deserialize)]
pub enum Kind {
    /// An execution changed its status.
    #[serde(rename = "Step Functions Execution Status Change")]
    StatusChange,
}

/// An execution that ended.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Detail {
    /// Its ARN.
    pub execution_arn: String,
    /// Its name, which is the release's.
    pub name: ReleaseId,
    /// How it ended.
    pub status: Status,
    /// What it was started with; none if that is too long for an event.
    #[serde(default)]
    pub input: Option<String>,
}

/// The ends that are none of ours by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "they are the words of Step Functions")]
pub enum Status {
    Failed,
    TimedOut,
    Aborted,
}

/// What Step Functions says about an execution now; the event does not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Execution {
    /// Whether it goes on: it was redriven since.
    pub runs: bool,
    /// The name of what ended it.
    pub error: Option<String>,
    /// The sentence that came with it.
    pub cause: Option<String>,
}

impl<P: Port> Alert<P> {
    /// Tells of a release that died, unless it had told its end itself.
    pub async fn died(&self, event: Event, now: Timestamp) -> Result<Response, Fault> {
        let Kind::StatusChange = event.kind;
        let Detail { execution_arn: execution, name: release, status, input } = event.detail;
        let (report, unread) = self.read(&release).await;
        let opened = report.head.is_some();
        if report.head.as_ref().is_some_and(|head| head.outcome.is_some()) {
            return Ok(Response::default());
        }
        let ended = match self.port.execution(&execution).await {
            // Without a head it is the one that knows whether there is anything to tell.
            Err(fault) if !opened => return Err(fault),
            ended => ended.unwrap_or_default(),
        };
        let own_end =
            status == Status::Failed && ended.error.as_deref().is_some_and(|it| OWN_ENDS.contains(&it));
        if ended.runs || (!opened && own_end) {
            return Ok(Response::default());
        }
        let what = if opened || unread.is_some() {
            "its execution ended from outside"
        } else {
            "it died before it opened"
        };
        let request = Request {
            release,
            execution,
            outcome: Occasion::NeedsHuman,
            because: Some(format!("{what} ({})", how(status, &ended))),
            environment: None,
            report: None,
        };
        let input = if opened { None } else { input };
        self.tell(&request, &Story { report, unread, input }, now).await
    }
}

/// Says how an execution ended, as far as that is known.
fn how(status: Status, ended: &Execution) -> String {
    let status = match status {
        Status::Failed => "FAILED",
        Status::TimedOut => "TIMED_OUT",
        Status::Aborted => "ABORTED",
    };
    let said = [Some(status), ended.error.as_deref(), ended.cause.as_deref()];
    said.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ")
}
