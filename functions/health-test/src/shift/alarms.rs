//! The alarms of a service that takes production traffic, while ECS still keeps the old tasks: the way back is short then.

use pipeline::Fault;
use pipeline::alarm::went_red;
use pipeline::clock::Timestamp;
use pipeline::ledger::MoveLedger;
use pipeline::payload::MoveKey;
use pipeline::rows::{MoveEvent, MoveRow, Shift, Verdict};
use pipeline::service_deployment::{Action, ServiceDeployment, Status};
use tokio::time::timeout;

use super::Course;
use crate::poll_state::PollState;
use crate::probe::Web;
use crate::rollout::{CLOUDWATCH_PATIENCE, Port};
use crate::{HealthTest, Response};

impl<P: Port, W: Web, L: MoveLedger> HealthTest<P, W, L> {
    /// Returns an alarm that speaks against tasks which have production traffic, while ECS still keeps the old ones.
    ///
    /// What CloudWatch does not say now, Judge asks once the shift is complete.
    pub(super) async fn alarmed(
        &self,
        course: Course,
        row: &MoveRow,
        shift: Shift<'_>,
        shown: Option<&ServiceDeployment>,
    ) -> Option<String> {
        let moves = course == Course::Forward
            && shift.shifted.is_some()
            && shown.is_some_and(|shown| shown.status == Status::Open);
        let rejected = row.answered.as_ref().is_some_and(|answered| answered.action == Action::Rollback);
        if !moves || rejected || row.alarms.is_empty() {
            return None;
        }
        let asked = timeout(CLOUDWATCH_PATIENCE, self.port.alarmed(row)).await;
        asked.ok().and_then(Result::ok).flatten()
    }

    /// Records that an alarm has decided.
    pub(super) async fn ends_by(
        &self,
        name: String,
        (key, row): (&MoveKey, &MoveRow),
        state: PollState,
        decided: Timestamp,
    ) -> Result<Response, Fault> {
        let answer = self.ended(key, Response::of(Verdict::Unhealthy, &went_red(&name), state)).await?;
        let (verdict, reason) = (answer.verdict, answer.reason.clone());
        let (alarm, bundle, blameless) = (Some(name), None, None);
        let event = MoveEvent::Decided { verdict, reason, decided, alarm, bundle, blameless };
        self.moves.note(key, row, event).await?;
        Ok(answer)
    }
}
