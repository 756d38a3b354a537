//! An execution that ended before the machine could tell so: somebody stopped it, or a fault came that no state catches.

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ids::ReleaseId;
use serde::Deserialize;

use crate::kind::AlertKind;
use crate::port::{Execution, Port};
use crate::{Alert, AlertContext, Request, Response, readable};

/// The errors that the machine's own ends bear: they come after its alert, or after the queue in its place.
const OWN_ENDS: [&str; 3] = ["RolledBack", "NeedsHuman", REFUSED];

/// The one that comes before anything was changed.
const REFUSED: &str = "Refused";

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
    /// When, in milliseconds since 1970.
    #[serde(default)]
    pub stop_date: Option<i64>,
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

impl<P: Port> Alert<P> {
    /// Tells of a release whose execution ended before it had told so itself.
    pub async fn execution_ended(&self, event: Event, now: Timestamp) -> Result<Response, Fault> {
        let Kind::StatusChange = event.kind;
        let Detail { execution_arn: execution, name: release, status, stop_date, input } = event.detail;
        let (report, unread) = readable(self.port.report(&release).await);
        let opened = report.head.is_some();
        let closed = report.head.as_ref().and_then(|head| head.outcome);
        let ended = match self.port.execution(&execution).await {
            // Without a head it is the one that knows whether there is anything to tell.
            Err(fault) if !opened => return Err(fault),
            ended => ended.unwrap_or_default(),
        };
        let own_end = ended.error.as_deref().filter(|it| status == Status::Failed && OWN_ENDS.contains(it));
        // A call that was given up may have written the head of a release that was refused.
        let is_told = own_end.is_some_and(|end| end == REFUSED || !opened || closed.is_some());
        let goes_on = ended.redriven.is_some_and(|at| stop_date.is_none_or(|stop| at.millis() >= stop));
        if ended.runs && !goes_on {
            // Not all of Step Functions knows of its end yet: Lambda calls again.
            return Err(Fault::Unavailable(format!("{execution} has ended, and is still said to run")));
        }
        if ended.runs || is_told {
            return Ok(Response::default());
        }
        let told = opened || unread.is_some();
        let because = because(
            status,
            &ended,
            if closed.is_some() {
                Some("after the release was closed and before this message was sent")
            } else {
                (!told).then_some("before the release opened")
            },
        );
        let request = Request {
            release,
            execution,
            outcome: closed.map_or(AlertKind::NeedsHuman, AlertKind::from),
            because: Some(because),
            environment: None,
            input: if opened { None } else { input },
            at: None,
            channel: None,
            report: None,
        };
        let context = AlertContext { report, unread, input: request.input.clone() };
        let told = self.tell(request.clone(), &context, now).await;
        self.settle(&request, &context, now).await;
        told
    }
}

/// Says how an execution ended, as far as that is known, and when.
fn because(status: Status, ended: &Execution, moment: Option<&str>) -> String {
    let (verb, status) = match status {
        Status::Failed => ("failed", "FAILED"),
        Status::TimedOut => ("timed out", "TIMED_OUT"),
        Status::Aborted => ("was stopped", "ABORTED"),
    };
    let said = [Some(status), ended.error.as_deref(), ended.cause.as_deref()];
    let said = said.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ");
    let moment = moment.map_or_else(String::new, |moment| format!(" {moment}"));
    format!("its Step Functions execution {verb}{moment} ({said})")
}
