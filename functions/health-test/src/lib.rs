//! Polls a rollout once and says what it saw.
//!
//! Proves, in this order: our deployment is complete, its tasks run our digest and no others run, their targets are
//! healthy, and the service's live tests pass; before the service is touched, that the tests of the image itself do.
//! "Could not be measured" is never called unhealthy.  Writes to no service, and never waits: the state machine pauses
//! between two polls.

pub mod ask;
mod before;
pub mod bundle;
pub mod check;
pub mod collect;
mod drains;
pub mod finding;
pub mod instances;
pub mod look;
pub mod packs;
pub mod places;
pub mod poll;
pub mod poll_state;
pub mod probe;
pub mod reach;
pub mod report;
pub mod rollout;
pub mod round;
mod runs;
pub mod secrets;
pub mod shift;
pub mod tests_row;
pub mod values;
pub mod verdict;
pub mod watch;

use pack::blank::blank;
use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ids::{DeploymentId, TaskDefinitionArn};
use pipeline::ledger::{Loaded, MoveLedger};
use pipeline::payload::MoveKey;
use pipeline::rows::{Bundle, GateVerdict, MoveEvent, MoveRow, Verdict};
use pipeline::text::line;
use serde::{Deserialize, Serialize};

use finding::Finding;
use look::Look;
use packs::Chosen;
use poll::Poll;
use poll_state::PollState;
use probe::Web;
use report::Report;
use rollout::{Measured, Port, Route};
use secrets::Secrets;
use verdict::{Judgement, Missing, Observed};

/// How much of a reason is kept: it goes into the ledger, and through the state machine.
const LONGEST_REASON: usize = 1000;

/// What the state machine asks for.
#[derive(Debug, Deserialize)]
#[serde(tag = "phase", rename_all = "kebab-case")]
pub enum Request {
    /// Whether what the live tests of a release ask can be reached; once, before its first wave.
    Reach(reach::Request),
    /// A poll of a move before its service is touched.
    Before(PollRequest),
    /// A poll of a move while its service rolls out, and then live.
    After(PollRequest),
    /// The same, in a rollback.
    Rollback(PollRequest),
}

/// One poll of a move.
#[derive(Debug, Deserialize)]
pub struct PollRequest {
    /// What the poll before handed back.
    #[serde(default, rename = "looks")]
    pub state: Option<PollState>,
    /// The move.
    #[serde(flatten)]
    pub key: MoveKey,
}

/// Which part of a move is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Its service is not touched yet.
    Before,
    /// Forward.
    After,
    /// Back.
    Rollback,
}

impl Phase {
    /// Returns its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Before => "before",
            Phase::After => "after",
            Phase::Rollback => "rollback",
        }
    }

    /// Returns the revision that runs in it, if one was noted.
    pub fn revision(self, row: &MoveRow) -> Option<&TaskDefinitionArn> {
        match self {
            Phase::Before | Phase::After => row.registered.as_ref(),
            Phase::Rollback => row
                .rollback_revision
                .as_ref()
                .or(row.restore.as_ref().map(|restore| &restore.task_definition)),
        }
    }

    /// Returns the phase that its tests begin with.
    pub fn of_pack(self) -> pack::Phase {
        match self {
            Phase::Before => pack::Phase::Before,
            Phase::After | Phase::Rollback => pack::Phase::Live,
        }
    }
}

/// What is answered.
#[derive(Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// Whether all can be reached.
    Reach(reach::Response),
    /// What one poll saw.
    Poll(Response),
    /// What one poll found at a gate.
    Gate(shift::GateResponse),
}

impl Answer {
    /// Tells whether a move has failed.
    fn has_failed(&self) -> bool {
        match self {
            Answer::Reach(_) => false,
            Answer::Poll(response) => response.verdict == Verdict::Unhealthy,
            Answer::Gate(response) => response.verdict == GateVerdict::DarkUnhealthy,
        }
    }
}

/// What one poll saw.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    /// What it means; `Pending` asks for another poll.
    pub verdict: Verdict,
    /// Why, as a sentence for the alert.
    pub reason: String,
    /// How long to wait before another poll.
    pub pause_seconds: u32,
    /// Whether deploy has to start, or to end, what the live tests run.
    pub runs: bool,
    /// What that poll is to be given.
    #[serde(rename = "looks")]
    pub state: PollState,
}

/// The function.
#[derive(Debug)]
pub struct HealthTest<P, W, L> {
    /// ECS, the load balancers, Parameter Store and CloudWatch.
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
            Request::Before(poll) => self.poll(Phase::Before, poll, now).await,
            Request::After(poll) => self.poll(Phase::After, poll, now).await,
            Request::Rollback(poll) => self.poll(Phase::Rollback, poll, now).await,
        }
    }

    async fn poll(&self, phase: Phase, request: PollRequest, now: Timestamp) -> Result<Answer, Fault> {
        let PollRequest { state, key } = request;
        let (loaded, state) = (self.moves.load(&key).await?, state.unwrap_or_default());
        let answer = match phase {
            Phase::Before => self.before(&key, &loaded, state, now).await.map(Answer::Poll)?,
            Phase::After | Phase::Rollback => self.rollout(phase, &key, &loaded, state, now).await?,
        };
        let is_first = loaded.together.as_ref().is_some_and(|together| together.failed.is_none());
        if is_first && phase != Phase::Rollback && answer.has_failed() {
            self.moves.fail(&key, &loaded.row.service).await?;
        }
        Ok(answer)
    }

    /// Polls a service that was updated.
    async fn rollout(
        &self,
        phase: Phase,
        key: &MoveKey,
        loaded: &Loaded,
        state: PollState,
        now: Timestamp,
    ) -> Result<Answer, Fault> {
        let row = &loaded.row;
        let mut poll = Poll::of(phase, row, state)?;
        if let Some((verdict, reason)) = poll.decided {
            return self.ended(key, Response::of(verdict, &reason, poll.state)).await.map(Answer::Poll);
        }
        if let Some(why) = loaded.given_up().filter(|_| phase == Phase::After) {
            let answer = Response::of(Verdict::Inconclusive, &why, poll.state);
            return self.note(phase, key, row, answer, (None, false), now).await.map(Answer::Poll);
        }
        if let Some(traffic) = &row.traffic {
            return self.shift(phase, (key, loaded, traffic), poll, now).await;
        }
        let service = Measured::of(self.port.service(row).await);
        if let Some(deployment) = verdict::forced_anew(&poll.expected, &service) {
            // Noted at once: a rollback has to know it as ours.
            self.moves.note(key, row, deployed_anew(phase, deployment.clone())).await?;
            poll.expected.deployment = deployment;
        }
        let (deadline, gate) = (poll.deadline, None);
        let look = Look { phase, key, row, deadline, now, gate };
        let observed = Observed { listed_before: poll.state.seen, service, ..Observed::default() };
        poll.state.seen |= observed.lists(&poll.expected.deployment);
        let judge = |seen: &Observed| verdict::judge(&poll.expected, seen);
        let seen = self.look(look, observed, &poll.expected.deployment, judge, &mut poll.state).await?;
        self.settled(phase, (key, row), poll, seen, now).await.map(Answer::Poll)
    }

    /// Makes a verdict of what one poll comes to, and records it if it is one.
    async fn settled(
        &self,
        phase: Phase,
        (key, row): (&MoveKey, &MoveRow),
        mut poll: Poll<'_>,
        seen: Seen,
        now: Timestamp,
    ) -> Result<Response, Fault> {
        let Seen { finding, reason, lines, ordered: runs, .. } = seen;
        let proven = poll.state.proven.map(|at| at.plus_seconds(i64::from(row.health_timeout_seconds)));
        poll.deadline =
            [Some(poll.deadline), poll.state.until, proven].into_iter().flatten().max().unwrap_or(now);
        let (verdict, reason) = finding.settle(reason, now > poll.deadline, row.health_timeout_seconds);
        let lines = with_warnings(phase, row, lines);
        let pause_seconds = poll.pause(verdict, finding, now);
        let bundle = match verdict {
            Verdict::Unhealthy => {
                let left = collect::bundle(&self.port, phase, row, &poll.expected.deployment).await;
                Some(Bundle { tests: lines, ..self.without_secrets(phase, row, left).await })
            }
            _ => (!lines.is_empty()).then(|| Bundle { tests: lines, ..Bundle::default() }),
        };
        let answer = Response { pause_seconds, runs, ..Response::of(verdict, &reason, poll.state) };
        self.note(phase, key, row, answer, (bundle, finding.is_blameless()), now).await
    }

    /// Blanks in what tasks left behind what live tests have told them.
    async fn without_secrets(&self, phase: Phase, row: &MoveRow, left: Bundle) -> Bundle {
        let Ok(Chosen::Pack(pack)) = packs::of(&self.port, &self.web, phase, row).await else { return left };
        let secrets = Secrets::of(&self.port, &pack, &pack.checks).await;
        let Bundle { stopped, logs, tests } = left;
        if let Some((name, _)) = secrets.missing() {
            let why =
                format!("logs: not shown, since the secret {name:?} could not be read, which they may hold");
            return Bundle { stopped, logs: vec![why], tests };
        }
        let secrets = secrets.blanked();
        let blanked = |lines: Vec<String>| lines.iter().map(|line| blank(line, &secrets)).collect();
        Bundle { stopped: blanked(stopped), logs: blanked(logs), tests }
    }

    /// Records what a poll has decided, if it has.
    async fn note(
        &self,
        phase: Phase,
        key: &MoveKey,
        row: &MoveRow,
        answer: Response,
        (bundle, is_blameless): (Option<Bundle>, bool),
        now: Timestamp,
    ) -> Result<Response, Fault> {
        if answer.verdict == Verdict::Pending {
            return Ok(answer);
        }
        let answer = self.ended(key, answer).await?;
        if let Some(event) = decided(phase, &answer, (bundle, is_blameless), now) {
            self.moves.note(key, row, event).await?;
        }
        Ok(answer)
    }

    /// Orders the end of all that its live tests still run, since nothing is waited for any longer.
    async fn ended(&self, key: &MoveKey, answer: Response) -> Result<Response, Fault> {
        let runs = answer.state.ran && runs::end_all(&self.port, key).await?;
        Ok(Response { runs: answer.runs || runs, ..answer })
    }

    /// Reads one thing after the other, as long as the judgement needs more.
    async fn look(
        &self,
        look: Look<'_>,
        mut seen: Observed,
        deployment: &DeploymentId,
        judge: impl Fn(&Observed) -> Judgement,
        state: &mut PollState,
    ) -> Result<Seen, Fault> {
        let mut routes = None;
        loop {
            match judge(&seen) {
                Judgement::Say(finding, reason) => {
                    let (lines, ordered) = match seen.tests {
                        Measured::Is(Report { lines, ordered, .. }) => (lines, ordered),
                        Measured::Not(_) | Measured::NotYet => (Vec::new(), false),
                    };
                    return Ok(Seen { finding, reason, lines, ordered, routes });
                }
                Judgement::Need(Missing::Tasks) => seen.tasks = Measured::of(self.port.tasks(look.row).await),
                Judgement::Need(Missing::Targets(groups)) => {
                    seen.targets = Measured::of(self.port.targets(&groups).await);
                }
                Judgement::Need(Missing::Tests(proven)) => {
                    let ours = seen.ours(deployment, &proven);
                    seen.tests = look.at(&self.port, &self.web, ours, state).await?;
                    routes = Some(seen.routes(&proven.groups));
                }
            }
        }
    }
}

/// What one poll comes to.
struct Seen {
    finding: Finding,
    reason: String,
    /// What did not pass of the live tests.
    lines: Vec<String>,
    /// Whether deploy has something to do for them.
    ordered: bool,
    /// Where requests go, once that is proven.
    routes: Option<Vec<Route>>,
}

impl Response {
    /// Answers with what is decided: nothing is waited for.
    fn of(verdict: Verdict, reason: &str, state: PollState) -> Self {
        let reason = line(reason, LONGEST_REASON);
        Response { verdict, reason, pause_seconds: 0, runs: false, state }
    }
}

/// Adds what was told of the move before its service was touched.
fn with_warnings(phase: Phase, row: &MoveRow, lines: Vec<String>) -> Vec<String> {
    let warned = row.bundle.iter().filter(|_| phase == Phase::After).flat_map(|bundle| bundle.tests.clone());
    lines.into_iter().chain(warned).collect()
}

/// Says what to record of a poll; nothing as long as another one follows.
fn decided(
    phase: Phase,
    answer: &Response,
    (bundle, is_blameless): (Option<Bundle>, bool),
    now: Timestamp,
) -> Option<MoveEvent> {
    let (verdict, reason) = (answer.verdict, answer.reason.clone());
    // A service that may be touched is only about to be judged.
    if (phase, verdict) == (Phase::Before, Verdict::Healthy) {
        return bundle.map(|bundle| MoveEvent::Warned { bundle });
    }
    if verdict == Verdict::Pending {
        return None;
    }
    Some(match phase {
        Phase::Rollback => {
            MoveEvent::RollbackDecided { rollback_verdict: verdict, rollback_reason: reason, bundle }
        }
        Phase::Before | Phase::After => {
            let blameless = is_blameless.then_some(true);
            MoveEvent::Decided { verdict, reason, decided: now, alarm: None, bundle, blameless }
        }
    })
}

/// Says that the deployment of this way is another one than it was.
fn deployed_anew(phase: Phase, deployment: DeploymentId) -> MoveEvent {
    match phase {
        Phase::Before | Phase::After => MoveEvent::DeployedAnew { deployment },
        Phase::Rollback => MoveEvent::RollbackDeployedAnew { rollback_deployment: deployment },
    }
}
