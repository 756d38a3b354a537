//! One look at the live tests of one part of a move: what is kept of them, and one round more.

use pack::judge;
use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ledger::Key;
use pipeline::payload::{MoveKey, MoveRef};
use pipeline::rows::MoveRow;

use crate::Phase;
use crate::packs::{self, Chosen};
use crate::poll_state::PollState;
use crate::probe::Web;
use crate::report::{self, Report};
use crate::rollout::{Measured, Port};
use crate::round::Round;
use crate::secrets::Secrets;
use crate::tests_row::TestsRow;
use crate::values;

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
        let begun = || TestsRow::begun(phase.of_pack(), now, deadline);
        let kept = self.kept(port, state).await?;
        let mut row = kept.clone().unwrap_or_else(begun);
        let mut judgement = row.judge(&pack, now);
        if row.standing.look < state.number() {
            let due = judge::due(&pack, &row.standing, now);
            let secrets = Secrets::of(port, &pack, due.iter().copied()).await;
            let known = values::of(phase, &key.release, of);
            let round = Round { pack: &pack, known: &known, addresses, secrets: &secrets };
            let mut asked = row.clone();
            round.ask(&due, web, &mut asked, state.number(), now).await;
            judgement = asked.judge(&pack, now);
            if !due.is_empty() || kept.as_ref().is_none_or(|kept| kept.standing.phase != asked.standing.phase)
            {
                row = self.keep(port, state, asked).await?;
                judgement = row.judge(&pack, now);
            }
        }
        state.until = report::watched_until(&row.standing);
        Ok(Measured::Is(Report::of(&pack, &row, &judgement, now)))
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
