//! What a gate after the shift waits for beside its proof: that no request reaches the old tasks any more.

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ledger::MoveLedger;
use pipeline::payload::MoveKey;
use pipeline::rows::MoveRow;
use pipeline::service_deployment::ServiceDeployment;
use tokio::time::timeout;

use crate::finding::Finding;
use crate::poll::Poll;
use crate::probe::Web;
use crate::rollout::{CLOUDWATCH_PATIENCE, Port};
use crate::verdict::shift::drain::{Drain, Drained};
use crate::{Answer, HealthTest, Phase, Seen};

/// How many seconds are between two polls of a gate that waits for this alone.
const PAUSE: u32 = 30;

impl<P: Port, W: Web, L: MoveLedger> HealthTest<P, W, L> {
    /// Counts the requests to the old tasks, once; none if the gate is not to be passed yet, or has less than all traffic.
    pub(crate) async fn drained(
        &self,
        minutes: u32,
        seen: &Seen,
        full: Option<Timestamp>,
        shown: Option<&ServiceDeployment>,
        now: Timestamp,
    ) -> Option<Drained> {
        let (Finding::DarkHealthy, Some(routes), Some(full)) = (seen.finding, &seen.routes, full) else {
            return None;
        };
        let expires = shown.and_then(ServiceDeployment::gate).and_then(|gate| gate.expires);
        let drain = Drain { minutes, routes, full, expires, now };
        let span = match drain.span() {
            Ok(span) => span,
            Err(drained) => return Some(drained),
        };
        let late = |_| Err(Fault::Unavailable("CloudWatch did not answer in time".to_owned()));
        let counted =
            timeout(CLOUDWATCH_PATIENCE, self.port.requests(routes, span)).await.unwrap_or_else(late);
        Some(drain.judge(span, counted))
    }

    /// Lets a gate wait.
    pub(crate) async fn drains(
        &self,
        phase: Phase,
        of: (&MoveKey, &MoveRow),
        mut poll: Poll<'_>,
        (seen, why): (Seen, &str),
        now: Timestamp,
    ) -> Result<Answer, Fault> {
        poll.state.drains = Some(now);
        // The pause is not to end with a deadline that has passed meanwhile.
        poll.deadline = poll.deadline.max(now.plus_seconds(i64::from(PAUSE)));
        let reason = format!("{}, but {why}", seen.reason);
        let seen = Seen { finding: Finding::AgainIn(PAUSE), reason, ..seen };
        self.settled(phase, of, poll, seen, now).await.map(Answer::Poll)
    }
}
