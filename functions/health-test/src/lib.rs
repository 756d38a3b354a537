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
pub mod looks;
pub mod packs;
pub mod probe;
pub mod reach;
pub mod rollout;
pub mod verdict;

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ids::DeploymentId;
use pipeline::ledger::{Loaded, MoveLedger};
use pipeline::payload::MoveKey;
use pipeline::rows::{Bundle, MoveEvent, MoveRow, Verdict};
use serde::{Deserialize, Serialize};

use look::Look;
use looks::Looks;
use packs::Chosen;
use probe::Web;
use rollout::{Measured, Port, Service};
use verdict::{Finding, Judgement, Missing, Observed, Wanted};

/// How much of a reason is kept: it goes into the ledger, and through the state machine.
const LONGEST_REASON: usize = 1000;

/// What the state machine asks for.
#[derive(Debug, Deserialize)]
#[serde(tag = "phase", rename_all = "kebab-case")]
pub enum Request {
    /// Whether what the live tests of a release ask can be reached; once, before its first wave.
    Reach(reach::Request),
    /// A look at a move before its service is touched.
    Before(OneLook),
    /// A look at a move while its service rolls out, and then live.
    After(OneLook),
    /// The same, on the way back.
    Rollback(OneLook),
}

/// One look at a move.
#[derive(Debug, Deserialize)]
pub struct OneLook {
    /// What the look before handed back.
    #[serde(default)]
    pub looks: Option<Looks>,
    /// The move.
    #[serde(flatten)]
    pub key: MoveKey,
}

/// Which way a move goes while it is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Forward.
    After,
    /// Back.
    Rollback,
}

/// What is answered.
#[derive(Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// Whether all can be reached.
    Reach(reach::Response),
    /// What one look saw.
    Look(Response),
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
    pub async fn handle(&self, request: Request, now: Timestamp) -> Result<Answer, Fault> {
        match request {
            Request::Reach(request) => reach::answer(&self.port, &self.web, request).await.map(Answer::Reach),
            Request::Before(look) => self.before(look).await.map(Answer::Look),
            Request::After(look) => self.look(Phase::After, look, now).await.map(Answer::Look),
            Request::Rollback(look) => self.look(Phase::Rollback, look, now).await.map(Answer::Look),
        }
    }

    /// Reads the pack while nothing is touched yet, so that a mistake in it is found in time.
    async fn before(&self, OneLook { looks, key }: OneLook) -> Result<Response, Fault> {
        packs::check(&self.port, &self.web, &self.moves.load(&key).await?.row).await?;
        let reason = "no tests before the rollout are configured".to_owned();
        let looks = looks.unwrap_or_default();
        Ok(Response { verdict: Verdict::Healthy, reason, pause_seconds: 0, looks })
    }

    async fn look(&self, phase: Phase, request: OneLook, now: Timestamp) -> Result<Response, Fault> {
        let OneLook { looks, key } = request;
        let Loaded { row, stop, .. } = self.moves.load(&key).await?;
        let mut look = Look::of(phase, &row, looks.unwrap_or_default())?;
        if let Some((verdict, reason)) = look.decided {
            return Ok(Response { verdict, reason, pause_seconds: 0, looks: look.looks });
        }
        if let Some(stop) = stop.filter(|_| phase == Phase::After) {
            let reason = format!("stopped by {}: {}", stop.by, stop.because);
            let answer =
                Response { verdict: Verdict::Inconclusive, reason, pause_seconds: 0, looks: look.looks };
            return self.note(phase, &key, &row, answer, None, now).await;
        }
        let service = Measured::of(self.port.service(&row).await);
        if let Some(deployment) = verdict::forced_anew(&look.wanted, &service) {
            // Noted at once: a rollback has to know it as ours.
            self.moves.note(&key, &row, deployed_anew(phase, deployment.clone())).await?;
            look.wanted.deployment = deployment;
        }
        let (finding, reason) = self.observe(phase, service, &look.wanted, &row, &mut look.looks).await?;
        let (verdict, reason) = finding.settle(reason, now > look.deadline, row.health_timeout_seconds);
        let reason = reason.chars().take(LONGEST_REASON).collect();
        let pause_seconds = look.pause(verdict, finding, now);
        let bundle = match verdict {
            Verdict::Unhealthy => {
                Some(collect::bundle(&self.port, phase, &row, &look.wanted.deployment).await)
            }
            _ => None,
        };
        let answer = Response { verdict, reason, pause_seconds, looks: look.looks };
        self.note(phase, &key, &row, answer, bundle, now).await
    }

    /// Records what a look has decided, if it has.
    async fn note(
        &self,
        phase: Phase,
        key: &MoveKey,
        row: &MoveRow,
        answer: Response,
        bundle: Option<Bundle>,
        now: Timestamp,
    ) -> Result<Response, Fault> {
        if let Some(event) = decided(phase, &answer, bundle, now) {
            self.moves.note(key, row, event).await?;
        }
        Ok(answer)
    }

    /// Looks at one thing after the other, as long as the judgement asks for more.
    async fn observe(
        &self,
        phase: Phase,
        service: Measured<Option<Service>>,
        wanted: &Wanted<'_>,
        row: &MoveRow,
        looks: &mut Looks,
    ) -> Result<(Finding, String), Fault> {
        let mut seen = Observed { listed_before: looks.seen, service, ..Observed::default() };
        looks.seen |= seen.lists(&wanted.deployment);
        loop {
            match verdict::judge(wanted, &seen) {
                Judgement::Say(finding, reason) => return Ok((finding, reason)),
                Judgement::Look(Missing::Tasks) => seen.tasks = Measured::of(self.port.tasks(row).await),
                Judgement::Look(Missing::Targets(groups)) => {
                    seen.targets = Measured::of(self.port.targets(&groups).await);
                }
                Judgement::Look(Missing::Tests(addresses)) => {
                    seen.tests = self.live_tests(phase, row, &addresses, looks).await?;
                }
            }
        }
    }

    async fn live_tests(
        &self,
        phase: Phase,
        row: &MoveRow,
        addresses: &[String],
        looks: &mut Looks,
    ) -> Result<Measured<live::Report>, Fault> {
        Ok(match packs::of(&self.port, &self.web, phase, row).await? {
            Chosen::Pack(pack) => Measured::Is(live::run(&pack, addresses, &self.web, looks).await),
            Chosen::Nothing => Measured::Is(live::Report::default()),
            Chosen::LeftOut(why) => Measured::Is(live::Report::without(why)),
            Chosen::Unmeasured(why) => Measured::Not(why),
        })
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
        Phase::After => MoveEvent::Decided { verdict, reason, decided: now, alarm: None, bundle },
    })
}

/// Says that the deployment of this way is another one than it was.
fn deployed_anew(phase: Phase, deployment: DeploymentId) -> MoveEvent {
    match phase {
        Phase::After => MoveEvent::DeployedAnew { deployment },
        Phase::Rollback => MoveEvent::RollbackDeployedAnew { undo: deployment },
    }
}
