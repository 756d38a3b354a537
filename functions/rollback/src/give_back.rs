//! Has ECS give back a service whose traffic it shifts, as long as the old tasks run: nothing has to start.

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ledger::MoveLedger;
use pipeline::payload::MoveKey;
use pipeline::rows::{MoveEvent, MoveRow};
use pipeline::service::Deployment;

use crate::service::Port;
use crate::shift::Plan;
use crate::{Response, Rollback, Step, shift};

impl<P: Port, L: MoveLedger> Rollback<P, L> {
    /// Gives back a service that has failed, before its wave is judged: its users have the bad version until then.
    ///
    /// Whatever it leaves is for the rollback, which looks again.
    pub(crate) async fn give_back(
        &self,
        key: &MoveKey,
        row: &MoveRow,
        now: Timestamp,
    ) -> Result<Response, Fault> {
        let deployments = self.port.deployments(row).await?;
        let asks = MoveEvent::GivenBack { given_back: row.given_back.unwrap_or(now) };
        match self.shift_back(key, row, deployments, asks, now).await? {
            Step::Done(deployment, false) => Ok(Response::Started { deployment, already: false }),
            Step::Done(..) | Step::Start | Step::Superseded(_) => {
                Ok(Response::Nothing { nothing: "no service deployment of it is open" })
            }
        }
    }

    /// Asks ECS to go back, if our service deployment is open; or says what else there is to do.
    pub(crate) async fn shift_back(
        &self,
        key: &MoveKey,
        row: &MoveRow,
        mut deployments: Vec<Deployment>,
        asks: MoveEvent,
        now: Timestamp,
    ) -> Result<Step, Fault> {
        let mut refused: Option<(Plan, Fault)> = None;
        loop {
            let ours = shift::ours(&deployments, row);
            let seen = match &ours {
                Some(ours) => self.port.shift(row, ours, row.touched.unwrap_or(now)).await?,
                None => None,
            };
            let seen = ours.as_ref().zip(seen.as_ref());
            let plan = shift::next(&deployments, seen, row);
            let (Some((ours, seen)), Plan::Refuse(_) | Plan::Stop) = (seen, &plan) else {
                return Step::of_shift(plan);
            };
            match refused {
                Some((before, fault)) if before == plan => return Err(shift::again(&plan, row, now, fault)),
                _ => {}
            }
            if row.deployment.is_none() {
                self.moves.note(key, row, MoveEvent::DeployedAnew { deployment: ours.clone() }).await?;
            }
            self.moves.note(key, row, asks.clone()).await?;
            let asked = match &plan {
                Plan::Refuse(hook) => self.port.refuse(&seen.arn, hook).await,
                _ => self.port.stop(&seen.arn).await,
            };
            match asked {
                Ok(()) => return Ok(Step::Done(ours.clone(), false)),
                // It has gone on meanwhile, or waits no more.
                Err(fault @ (Fault::Denied(_) | Fault::NotFound(_))) => refused = Some((plan, fault)),
                Err(fault) => return Err(fault),
            }
            deployments = self.port.deployments(row).await?;
        }
    }
}
