//! What a release has left to a person is over once every service that it names was deployed again, and proven.
//!
//! Whoever was told that it needs somebody is told so, and nobody else.

use std::collections::BTreeSet;

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ids::{EnvironmentName, ReleaseId, ServiceName};
use pipeline::rows::MoveOutcome;
use serde::{Deserialize, Serialize};

use crate::kind::AlertKind;
use crate::port::Port;
use crate::{Alert, AlertContext, Request};

/// `open#<environment>` / `release#<id>`: what a release has left to a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OpenRow {
    /// Rises with every change.
    pub version: u64,
    /// Its services that were not deployed since; none once that is so of all.
    pub services: BTreeSet<ServiceName>,
}

/// How often what is left open is read anew that somebody else has changed meanwhile.
const MOST_READS: usize = 4;

impl<P: Port> Alert<P> {
    /// Remembers what a release leaves to a person, and tells what a good one settles.
    pub(crate) async fn settle(&self, request: &Request, context: &AlertContext, now: Timestamp) {
        let Some(head) = context.report.head.as_ref().filter(|_| request.is_recorded()) else { return };
        let done = match request.outcome {
            AlertKind::NeedsHuman => {
                let services = head.services.iter().cloned().collect();
                let row = OpenRow { version: 1, services };
                self.port.leave(&head.environment, &request.release, &row, None).await.map(|_| ())
            }
            AlertKind::Deployed => self.resolve(&head.environment, request, context, now).await,
            _ => return,
        };
        if let Err(fault) = done {
            tracing::warn!(fault = fault.name(), "what is left to a person is not settled: {fault}");
        }
    }

    /// Takes what was deployed out of what is left open.
    async fn resolve(
        &self,
        environment: &EnvironmentName,
        request: &Request,
        context: &AlertContext,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let rollback = context.report.head.as_ref().and_then(|head| head.rollback);
        let moves = context.report.moves.iter();
        let deployed = moves.filter(|row| MoveOutcome::of(row, rollback) == MoveOutcome::Deployed);
        let deployed: BTreeSet<&ServiceName> = deployed.map(|row| &row.service).collect();
        for _ in 0..MOST_READS {
            let mut all_written = true;
            for (release, row) in self.port.left(environment).await? {
                let services: BTreeSet<ServiceName> =
                    row.services.iter().filter(|service| !deployed.contains(service)).cloned().collect();
                if services.len() == row.services.len() {
                    continue;
                }
                // Its own end is told as such.
                if services.is_empty() && release != request.release {
                    self.tell_resolved(&release, request, now).await;
                }
                let left = OpenRow { version: row.version + 1, services };
                all_written &= self.port.leave(environment, &release, &left, Some(row.version)).await?;
            }
            if all_written {
                return Ok(());
            }
        }
        Err(Fault::Unavailable("it is changed by too many at once".to_owned()))
    }

    /// Tells those who were told that a release needs somebody that this is over.
    async fn tell_resolved(&self, release: &ReleaseId, by: &Request, now: Timestamp) {
        let because = format!("{} deployed what it left open, tested live", by.release);
        let request = Request {
            release: release.clone(),
            execution: by.execution.clone(),
            outcome: AlertKind::Resolved,
            because: Some(because),
            environment: by.environment.clone(),
            input: None,
            at: None,
            channel: None,
            report: None,
        };
        let context = self.context(&request).await;
        if let Err(fault) = self.tell(request, &context, now).await {
            tracing::warn!(release = release.as_str(), fault = fault.name(), "its end was not told: {fault}");
        }
    }
}
