//! The tests of an image before its service is touched.

use pack::Pack;
use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ledger::{Loaded, MoveLedger};
use pipeline::payload::MoveKey;
use pipeline::rows::{Bundle, Verdict};

use crate::finding::Finding;
use crate::look::{Look, Ours};
use crate::packs::{self, Chosen};
use crate::places::Proven;
use crate::poll::{self, PAUSES_SOON};
use crate::poll_state::PollState;
use crate::probe::Web;
use crate::report::Report;
use crate::rollout::Port;
use crate::secrets::Secrets;
use crate::{HealthTest, Phase, Response};

/// How many seconds these tests may take, beside the runs among them.
const AT_MOST: i64 = 15 * 60;

/// In how many polls the tests and their secrets may be out of reach.
const READS: u32 = 10;

impl<P: Port, W: Web, L: MoveLedger> HealthTest<P, W, L> {
    /// Tests an image once, so that a mistake in it, or in its tests, is found while nothing is touched.
    pub(crate) async fn before(
        &self,
        key: &MoveKey,
        loaded: &Loaded,
        mut state: PollState,
        now: Timestamp,
    ) -> Result<Response, Fault> {
        let row = &loaded.row;
        if let Some(verdict) = row.verdict.filter(|verdict| *verdict != Verdict::Pending) {
            let answer = Response::of(verdict, row.reason.as_deref().unwrap_or_default(), state);
            return self.ended(key, answer).await;
        }
        if row.touched.is_some() {
            return Ok(Response::of(Verdict::Healthy, "its service is touched already", state));
        }
        let note =
            async |answer, bundle| self.note(Phase::Before, key, row, answer, (bundle, false), now).await;
        if let Some(why) = loaded.given_up() {
            return note(Response::of(Verdict::Inconclusive, &why, state), None).await;
        }
        let unread = |state: PollState, why: String| {
            let (mut state, deadline) = (state, now.plus_seconds(AT_MOST));
            let finding = if state.count < READS { Finding::Unmeasured } else { Finding::Inconclusive };
            let (verdict, reason) = finding.settle(why, false, row.health_timeout_seconds);
            let pause_seconds = poll::pause(&PAUSES_SOON, &mut state, verdict, finding, deadline, now);
            Response { pause_seconds, ..Response::of(verdict, &reason, state) }
        };
        let pack = match packs::of(&self.port, &self.web, Phase::Before, row).await? {
            Chosen::Pack(pack) => Some(pack),
            Chosen::Nothing => None,
            Chosen::LeftOut(why) | Chosen::Unmeasured(why) => return note(unread(state, why), None).await,
        };
        let untested =
            |state| Response::of(Verdict::Healthy, "no tests before the rollout are configured", state);
        let Some(pack) = pack else { return Ok(untested(state)) };
        if let Some((name, fault)) = self.secrets(&pack, &state).await.missing() {
            let why =
                format!("its live tests use the secret {name:?}, which health-test cannot read: {fault}");
            let answer = match fault {
                Fault::Throttled(_) | Fault::Unavailable(_) => unread(state, why),
                _ => Response::of(Verdict::Inconclusive, &why, state),
            };
            return note(answer, None).await;
        }
        state.ready = true;
        if pack.of(pack::Phase::Before).next().is_none() {
            return Ok(untested(state));
        }
        let deadline = now.plus_seconds(AT_MOST);
        let look = Look { phase: Phase::Before, key, row, deadline, now, gate: None };
        let Report { finding, reason, lines, ordered: runs } =
            look.with(&pack, &self.port, &self.web, Ours::none(&Proven::default()), &mut state).await?;
        let (verdict, reason) = finding.settle(reason, false, row.health_timeout_seconds);
        let pause_seconds = poll::pause(&PAUSES_SOON, &mut state, verdict, finding, deadline, now);
        let bundle = (!lines.is_empty()).then(|| Bundle { tests: lines, ..Bundle::default() });
        note(Response { pause_seconds, runs, ..Response::of(verdict, &reason, state) }, bundle).await
    }

    /// Reads all secrets of the tests, before anything is asked.
    async fn secrets(&self, pack: &Pack, state: &PollState) -> Secrets {
        match state.ready {
            true => Secrets::default(),
            false => Secrets::of(&self.port, pack, &pack.checks).await,
        }
    }
}
