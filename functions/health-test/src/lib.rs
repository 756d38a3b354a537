//! Takes one look at a rollout and says what it saw.
//!
//! Proves, in this order: our deployment is complete, its tasks run our digest and no others run, their targets are
//! healthy, and the service's live tests pass.  "Could not be measured" is never called unhealthy.  Writes to no
//! service, and never waits: the state machine pauses between two looks.

pub mod bundle;
pub mod check;
pub mod collect;
pub mod live;
pub mod look;
pub mod pack;
pub mod policy;
pub mod probe;
pub mod rollout;
pub mod verdict;

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ledger::MoveLedger;
use pipeline::payload::MoveKey;
use pipeline::rows::{Bundle, MoveEvent, MoveRow, Verdict};
use serde::{Deserialize, Serialize};

use look::{Look, Looks};
use pack::Pack;
use probe::Web;
use rollout::{Measured, Port};
use verdict::{Finding, Judgement, Missing, Observed, Wanted};

/// How much of a reason is kept: it goes into the ledger, and through the state machine.
const LONGEST_REASON: usize = 1000;

/// What the state machine asks for.
#[derive(Debug, Deserialize)]
pub struct Request {
    /// Which test of the move.
    pub phase: Phase,
    /// What the look before handed back.
    #[serde(default)]
    pub looks: Option<Looks>,
    /// The move.
    #[serde(flatten)]
    pub key: MoveKey,
}

/// When a move is tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Before its service is touched.
    Before,
    /// While its service rolls out, and then live.
    After,
    /// The same, on the way back.
    Rollback,
}

/// What one look saw.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    /// What it means; `Pending` asks for another look.
    pub verdict: Verdict,
    /// Why, as a sentence for the alert.
    pub reason: String,
    /// How long to wait before another look.
    pub pause_seconds: u32,
    /// What that look is to be given.
    pub looks: Looks,
}

/// The function.
#[derive(Debug)]
pub struct HealthTest<P, W, L> {
    /// ECS, the load balancers, Parameter Store and CloudWatch Logs.
    pub port: P,
    /// What is asked over HTTP.
    pub web: W,
    /// The moves.
    pub moves: L,
}

impl<P: Port, W: Web, L: MoveLedger> HealthTest<P, W, L> {
    /// Answers one request.
    pub async fn handle(&self, request: Request, now: Timestamp) -> Result<Response, Fault> {
        let Request { phase, looks, key } = request;
        let row = self.moves.load(&key).await?.row;
        let looks = looks.unwrap_or_default();
        if phase == Phase::Before {
            return self.before(&row, looks).await;
        }
        let look = Look::of(phase, &row, looks)?;
        if let Some((verdict, reason)) = look.decided {
            return Ok(Response { verdict, reason, pause_seconds: 0, looks: look.looks });
        }
        let deployment = look.wanted.deployment;
        let answer = self.look(look, &row, now).await?;
        let bundle = match answer.verdict {
            Verdict::Unhealthy => Some(collect::bundle(&self.port, phase, &row, deployment).await),
            _ => None,
        };
        if let Some(event) = decided(phase, &answer, bundle, now) {
            self.moves.note(&key, &row, event).await?;
        }
        Ok(answer)
    }

    /// Reads the pack while nothing is touched yet, so that a mistake in it is found in time.
    async fn before(&self, row: &MoveRow, looks: Looks) -> Result<Response, Fault> {
        if let Some(text) = self.port.pack(row).await? {
            self.web.check(&Pack::read(row, &text)?)?;
        }
        let reason = "no tests before the rollout are configured".to_owned();
        Ok(Response { verdict: Verdict::Healthy, reason, pause_seconds: 0, looks })
    }

    async fn look(&self, mut look: Look<'_>, row: &MoveRow, now: Timestamp) -> Result<Response, Fault> {
        let (finding, reason) = self.observe(&look.wanted, row, &mut look.looks).await?;
        let (verdict, reason) = finding.settle(reason, now > look.deadline, row.health_timeout_seconds);
        let reason = reason.chars().take(LONGEST_REASON).collect();
        let pause_seconds = look.pause(verdict, finding, now);
        Ok(Response { verdict, reason, pause_seconds, looks: look.looks })
    }

    /// Looks at one thing after the other, as long as the judgement asks for more.
    async fn observe(
        &self,
        wanted: &Wanted<'_>,
        row: &MoveRow,
        looks: &mut Looks,
    ) -> Result<(Finding, String), Fault> {
        let mut seen = Observed { listed_before: looks.seen, ..Observed::default() };
        seen.service = Measured::of(self.port.service(row).await);
        looks.seen |= seen.lists(wanted.deployment);
        loop {
            match verdict::judge(wanted, &seen) {
                Judgement::Say(finding, reason) => return Ok((finding, reason)),
                Judgement::Look(Missing::Tasks) => seen.tasks = Measured::of(self.port.tasks(row).await),
                Judgement::Look(Missing::Targets(groups)) => {
                    seen.targets = Measured::of(self.port.targets(&groups).await);
                }
                Judgement::Look(Missing::Tests(addresses)) => {
                    seen.tests = self.live_tests(row, &addresses, looks).await?;
                }
            }
        }
    }

    async fn live_tests(
        &self,
        row: &MoveRow,
        addresses: &[String],
        looks: &mut Looks,
    ) -> Result<Measured<live::Report>, Fault> {
        let text = match self.port.pack(row).await {
            Ok(Some(text)) => text,
            Ok(None) => return Ok(Measured::Is(live::Report::default())),
            Err(fault) => return Ok(Measured::Not(fault.to_string())),
        };
        let pack = Pack::read(row, &text)?;
        Ok(Measured::Is(live::run(&pack, addresses, &self.web, &mut looks.failed).await))
    }
}

/// Says what to record of a look; nothing as long as another one follows.
fn decided(phase: Phase, answer: &Response, bundle: Option<Bundle>, now: Timestamp) -> Option<MoveEvent> {
    let (verdict, reason) = (answer.verdict, answer.reason.clone());
    if verdict == Verdict::Pending {
        return None;
    }
    Some(match phase {
        Phase::Rollback => MoveEvent::RollbackDecided { undo_verdict: verdict, undo_reason: reason, bundle },
        _ => MoveEvent::Decided { verdict, reason, decided: now, alarm: None, bundle },
    })
}
