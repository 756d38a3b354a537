//! One look at the live tests of one part of a move: what is kept of them, and one round more.

use pack::{Check, judge};
use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ledger::Key;
use pipeline::payload::{MoveKey, MoveRef};
use pipeline::rows::MoveRow;

use crate::Phase;
use crate::finding::Finding;
use crate::packs::{self, Chosen};
use crate::poll_state::PollState;
use crate::probe::Web;
use crate::report::Report;
use crate::rollout::{Measured, Port};
use crate::round::Round;
use crate::runs;
use crate::secrets::Secrets;
use crate::tests_row::TestsRow;
use crate::values;

/// How many seconds are between two looks at something that runs.
const BETWEEN_LOOKS: u32 = 5;

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
}

impl Look<'_> {
    /// Asks what is due, once: a poll that comes again is told what is kept.
    pub async fn at(
        self,
        port: &impl Port,
        web: &impl Web,
        addresses: &[String],
        state: &mut PollState,
    ) -> Result<Measured<Report>, Fault> {
        let Look { phase, key, row: of, deadline, now } = self;
        let pack = match packs::of(port, web, phase, of).await? {
            Chosen::Pack(pack) => pack,
            Chosen::Nothing => return Ok(Measured::Is(Report::without(None))),
            Chosen::LeftOut(why) => return Ok(Measured::Is(Report::without(Some(why)))),
            Chosen::Unmeasured(why) => return Ok(Measured::Not(why)),
        };
        let is_watched = phase == Phase::After && pack.of(pack::Phase::Bake).next().is_some();
        if pack.of(phase.of_pack()).next().is_none() && !is_watched {
            return Ok(Measured::Is(Report::without(None)));
        }
        let runs = pack.run_budget(phase.of_pack()).whole_seconds();
        let begun = || TestsRow::begun(phase.of_pack(), now, deadline.plus_seconds(runs));
        let kept = self.kept(port, state).await?;
        let mut row = kept.clone().unwrap_or_else(begun);
        let (mut judgement, mut ordered, mut waits) = (row.judge(&pack, now), false, false);
        if row.standing.look < state.number() {
            let due = judge::due(&pack, &row.standing, now);
            let secrets = Secrets::of(port, &pack, due.iter().copied()).await;
            let known = values::of(phase, &key.release, of);
            let values = known.values.clone().or(pack.values());
            let runs = runs::look(port, &self, &due, &row, &values).await?;
            (ordered, waits) = (runs.ordered, runs.waits);
            state.ran |= waits;
            let asked_for: Vec<&Check> = due.iter().copied().filter(|check| !check.kind.is_run()).collect();
            let round = Round { pack: &pack, known: &known, addresses, secrets: &secrets };
            let mut asked = row.clone();
            let mut rounds = round.ask(&asked_for, web, &mut asked, state.number()).await;
            rounds.extend(runs.rounds);
            let is_news = !rounds.is_empty();
            asked.count(&pack, state.number(), rounds, now);
            judgement = asked.judge(&pack, now);
            if is_news || kept.as_ref().is_none_or(|kept| kept.standing.phase != asked.standing.phase) {
                row = self.keep(port, state, asked).await?;
                judgement = row.judge(&pack, now);
            }
        }
        let runs = pack.run_budget(row.standing.phase).whole_seconds();
        let is_longer = row.standing.phase == pack::Phase::Bake || runs > 0;
        state.until = is_longer.then_some(row.standing.deadline);
        let mut report = Report::of(&pack, &row, &judgement, now);
        if let (true, Finding::AgainIn(seconds)) = (waits, report.finding) {
            report.finding = Finding::AgainIn(seconds.max(BETWEEN_LOOKS));
        }
        Ok(Measured::Is(Report { ordered, ..report }))
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
