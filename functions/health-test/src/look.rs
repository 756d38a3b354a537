//! One look at the live tests of one part of a move: what is kept of them, and one round more.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::join;
use pack::{Check, Pack, judge};
use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ids::DeploymentId;
use pipeline::ledger::Key;
use pipeline::payload::{MoveKey, MoveRef};
use pipeline::rows::MoveRow;
use tokio::time::timeout;

use crate::Phase;
use crate::finding::Finding;
use crate::packs::{self, Chosen};
use crate::places::{Behind, Places, Proven};
use crate::poll_state::PollState;
use crate::probe::Web;
use crate::report::Report;
use crate::rollout::{Ended, Measured, Port, Task};
use crate::round::{Round, Rounds};
use crate::runs::{self, Runs};
use crate::secrets::Secrets;
use crate::tests_row::TestsRow;
use crate::values;
use crate::watch::{self, Watch};

/// How many seconds are between two looks at something that runs.
const BETWEEN_LOOKS: u32 = 5;

/// How many seconds ago a task that ended by itself may have been asked.
const BY_ITSELF_OF_LATE: i64 = 60;

/// How long it may take to learn where to ask, and afterwards which tasks are gone; the function's own time-out is well
/// above that and the requests together.
const PATIENCE: Duration = Duration::from_secs(4);

/// What is looked at.
#[derive(Clone, Copy)]
pub struct Look<'a> {
    /// Which part of the move.
    pub phase: Phase,
    /// The move.
    pub key: &'a MoveKey,
    /// Its row.
    pub row: &'a MoveRow,
    /// When waiting ends.
    pub deadline: Timestamp,
    /// The time.
    pub now: Timestamp,
    /// The gate at which the live tests are asked, while production traffic does not reach the new tasks alone.
    pub gate: Option<AtGate<'a>>,
}

/// A gate that waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AtGate<'a> {
    /// Its hook.
    pub hook: &'a str,
    /// Whether a share of production traffic reaches the new tasks already.
    pub is_step: bool,
}

/// What live tests ask of: it is proven before they are asked.
#[derive(Clone, Copy, Debug)]
pub struct Ours<'a> {
    /// Our deployment; none before there is one.
    pub deployment: Option<&'a DeploymentId>,
    /// Where its tasks and targets are.
    pub proven: &'a Proven,
    /// The tasks of the service.
    pub tasks: &'a [Task],
}

impl<'a> Ours<'a> {
    /// Is of a service that runs nothing of ours yet.
    pub fn none(proven: &'a Proven) -> Self {
        Ours { deployment: None, proven, tasks: &[] }
    }
}

impl Look<'_> {
    /// Asks what is due, once: a poll that comes again is told what is kept.
    pub async fn at(
        self,
        port: &impl Port,
        web: &impl Web,
        ours: Ours<'_>,
        state: &mut PollState,
    ) -> Result<Measured<Report>, Fault> {
        Ok(match packs::of(port, web, self.phase, self.row).await? {
            Chosen::Pack(pack) => Measured::Is(self.with(&self.fitted(pack), port, web, ours, state).await?),
            Chosen::Nothing => Measured::Is(Report::without(None)),
            Chosen::LeftOut(why) => Measured::Is(Report::without(Some(why))),
            Chosen::Unmeasured(why) => Measured::Not(why),
        })
    }

    /// Returns the phase that its tests begin with.
    pub fn first(&self) -> pack::Phase {
        if self.gate.is_some() { pack::Phase::Dark } else { self.phase.of_pack() }
    }

    /// Fits a pack to a service that shifts: some of it is asked in the dark, too, and of that at each step what starts
    /// nothing.
    fn fitted(&self, pack: Pack) -> Pack {
        match (&self.row.traffic, self.gate) {
            (None, _) => pack,
            (Some(_), Some(AtGate { is_step: true, .. })) => pack.for_a_gate().requests_in(pack::Phase::Dark),
            (Some(_), _) => pack.for_a_gate(),
        }
    }

    /// Asks what is due of a pack, once.
    pub async fn with(
        self,
        pack: &Pack,
        port: &impl Port,
        web: &impl Web,
        ours: Ours<'_>,
        state: &mut PollState,
    ) -> Result<Report, Fault> {
        state.proven = (self.phase != Phase::Before).then_some(self.now);
        let first = self.first();
        let is_watched =
            self.phase == Phase::After && self.gate.is_none() && pack.of(pack::Phase::Bake).next().is_some();
        if pack.of(first).next().is_none() && !is_watched {
            return Ok(Report::without(None));
        }
        let runs = pack.run_budget(first).whole_seconds();
        let kept = self.kept(port, state).await?;
        let hook = self.gate.map(|gate| gate.hook.to_owned());
        let begun = TestsRow::begun(first, self.now, self.deadline.plus_seconds(runs));
        let mut row = match kept.clone() {
            None => TestsRow { gate: hook, ..begun },
            Some(kept) if kept.gate == hook => kept,
            // What was asked at another gate is told, and asked again.
            Some(TestsRow { answered, transcript, .. }) => {
                TestsRow { gate: hook, answered, transcript, ..begun }
            }
        };
        let mut under_way = Runs::default();
        if row.standing.look < state.number() {
            let mut asked = row.clone();
            let rounds;
            (rounds, under_way) = self.ask(pack, port, web, ours, (&mut asked, state)).await?;
            let is_news = !rounds.is_empty();
            asked.count(pack, state.number(), rounds, self.now);
            asked.judge(pack, self.now);
            if is_news || kept.is_none_or(|kept| kept.standing.phase != asked.standing.phase) {
                row = self.keep(port, state, asked).await?;
            }
        }
        let judgement = row.judge(pack, self.now);
        let is_longer = row.standing.phase == pack::Phase::Bake || runs > 0;
        state.until = is_longer.then_some(row.standing.deadline);
        let report = Report::of(pack, &row, &judgement, self.now);
        let finding = match report.finding {
            Finding::AgainIn(seconds) if under_way.waits => Finding::AgainIn(seconds.max(BETWEEN_LOOKS)),
            finding => finding,
        };
        Ok(Report { finding, ordered: under_way.ordered, ..report })
    }

    /// Asks the checks that are due, and looks at what runs.
    async fn ask(
        &self,
        pack: &Pack,
        port: &impl Port,
        web: &impl Web,
        ours: Ours<'_>,
        (row, state): (&mut TestsRow, &mut PollState),
    ) -> Result<(Rounds, Runs), Fault> {
        let due = judge::due(pack, &row.standing, self.now);
        let secrets = Secrets::of(port, pack, due.iter().copied()).await;
        let known = values::of(self.phase, &self.key.release, self.row);
        let given = &known.values.clone().or(pack.values());
        let mut runs = runs::look(port, self, &due, row, (given, ours.proven)).await?;
        state.ran |= runs.waits;
        let others = due.into_iter().filter(|check| !check.kind.is_run());
        let (watched, requests): (Vec<&Check>, Vec<&Check>) =
            others.partition(|check| check.kind.is_of_cloudwatch());
        let values = watch::with_group(known.values.clone().or(pack.values()), &ours.proven.groups);
        let watch = Watch { port, look: self, pack, ours, values };
        let revision = self.phase.revision(self.row);
        let places = Places::of(port, self.row, revision, ours.proven, &requests);
        let late = |_| Places::unread(ours.proven, "AWS did not say in time where to ask");
        let places = &timeout(PATIENCE, places).await.unwrap_or_else(late);
        let round = Round { pack, known: &known, places, secrets: &secrets };
        let asking = round.ask(&requests, web, state.number());
        let (asked, mut seen) = join(asking, watch.ask(&watched)).await;
        let gone = self.gone(port, ours, asked.doubtful()).await;
        let mut rounds = asked.rounds(&gone, row);
        rounds.append(&mut seen);
        rounds.append(&mut runs.rounds);
        Ok((rounds, runs))
    }

    /// Returns those of some tasks that the service no longer wants to run; none if one has ended by itself of late: what
    /// it did not answer is why.
    async fn gone(&self, port: &impl Port, ours: Ours<'_>, mut tasks: BTreeSet<Behind>) -> BTreeSet<Behind> {
        if tasks.is_empty() {
            return tasks;
        }
        let since = self.now.plus_seconds(-BY_ITSELF_OF_LATE).millis();
        let by_itself = |task: &Ended| {
            let is_ours = ours.deployment.is_some_and(|ours| task.started_by == ours.as_str());
            is_ours && task.code == "EssentialContainerExited" && (task.at == 0 || task.at >= since)
        };
        let reading = async {
            let (present, ended) = (port.tasks(self.row).await, port.ended(self.row).await);
            let ids = match &present {
                Ok(present) => self.instances(port, &tasks, present).await,
                Err(_) => BTreeMap::new(),
            };
            (present, ended, ids)
        };
        match timeout(PATIENCE, reading).await {
            Ok((Ok(present), Ok(ended), ids)) if !ended.iter().any(by_itself) => {
                tasks.retain(|behind| !present.iter().any(|task| behind.is(task, &ids)));
                tasks
            }
            _ => BTreeSet::new(),
        }
    }

    /// Reads which instances tasks are on, if it takes that to tell which of them is behind a target; as long as it is
    /// not known, each may be.
    async fn instances(
        &self,
        port: &impl Port,
        behind: &BTreeSet<Behind>,
        present: &[Task],
    ) -> BTreeMap<String, String> {
        let on = present.iter().filter_map(|task| task.on_instance.as_ref());
        let arns: BTreeSet<String> = on.map(|on| on.instance.clone()).collect();
        let is_port = |one: &Behind| matches!(one, Behind::Port(_));
        match arns.is_empty() || !behind.iter().any(is_port) {
            true => BTreeMap::new(),
            false => port.instances(self.row, &Vec::from_iter(arns)).await.unwrap_or_default(),
        }
    }

    /// Reads what is kept; of a move that is given whole, the poll before hands it on.
    async fn kept(&self, port: &impl Port, state: &PollState) -> Result<Option<TestsRow>, Fault> {
        match self.place() {
            Some(place) => port.kept(&place).await,
            None => Ok(state.tests.clone()),
        }
    }

    /// Keeps a row, and returns the one that is kept: another call of the same poll may have been quicker.
    async fn keep(&self, port: &impl Port, state: &mut PollState, row: TestsRow) -> Result<TestsRow, Fault> {
        let Some(place) = self.place() else {
            state.tests = Some(row.clone());
            return Ok(row);
        };
        match port.keep(&place, &row).await? {
            true => Ok(row),
            false => Ok(port.kept(&place).await?.unwrap_or(row)),
        }
    }

    fn place(&self) -> Option<Key> {
        let MoveRef::Ordinal(n) = self.key.which else { return None };
        Some(Key::tests(&self.key.release, self.key.wave, n, self.phase.as_str()))
    }
}
