//! The tests of an image before its service is touched.

use pack::Pack;
use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ledger::{Loaded, MoveLedger};
use pipeline::rows::{Bundle, MoveRow, Verdict};

use crate::look::Look;
use crate::packs::{self, Chosen};
use crate::poll;
use crate::probe::Web;
use crate::report::Report;
use crate::rollout::Port;
use crate::secrets::Secrets;
use crate::{HealthTest, Phase, PollRequest, Response, stopped};

/// How many seconds these tests may take, beside the runs among them.
const AT_MOST: i64 = 15 * 60;

impl<P: Port, W: Web, L: MoveLedger> HealthTest<P, W, L> {
    /// Tests an image once, so that a mistake in it, or in its tests, is found while nothing is touched.
    pub(crate) async fn before(&self, request: PollRequest, now: Timestamp) -> Result<Response, Fault> {
        let PollRequest { state, key } = request;
        let mut state = state.unwrap_or_default();
        let Loaded { row, stop, .. } = self.moves.load(&key).await?;
        if let Some(verdict) = row.verdict.filter(|verdict| *verdict != Verdict::Pending) {
            let answer = Response::of(verdict, row.reason.as_deref().unwrap_or_default(), state);
            return self.ended(&key, answer).await;
        }
        if row.touched.is_some() {
            return Ok(Response::of(Verdict::Healthy, "its service is touched already", state));
        }
        let note = async |answer, bundle| self.note(Phase::Before, &key, &row, answer, bundle, now).await;
        if let Some(stop) = stop {
            return note(Response::of(Verdict::Inconclusive, &stopped(&stop), state), None).await;
        }
        let pack = self.pack(&row).await?;
        let untested =
            || Response::of(Verdict::Healthy, "no tests before the rollout are configured", state.clone());
        let Some(pack) = pack else { return Ok(untested()) };
        if state.count == 0
            && let Some(why) = self.missing(&pack).await?
        {
            return note(Response::of(Verdict::Inconclusive, &why, state), None).await;
        }
        if pack.of(pack::Phase::Before).next().is_none() {
            return Ok(untested());
        }
        let deadline = now.plus_seconds(AT_MOST);
        let look = Look { phase: Phase::Before, key: &key, row: &row, deadline, now };
        let Report { finding, reason, lines, ordered: runs } =
            look.with(&pack, &self.port, &self.web, &[], &mut state).await?;
        let (verdict, reason) = finding.settle(reason, false, row.health_timeout_seconds);
        let pause_seconds = poll::pause(&mut state, verdict, finding, deadline, now);
        let bundle = (!lines.is_empty()).then(|| Bundle { tests: lines, ..Bundle::default() });
        note(Response { pause_seconds, runs, ..Response::of(verdict, &reason, state) }, bundle).await
    }

    /// Reads the tests: a mistake in them is a fault.
    async fn pack(&self, row: &MoveRow) -> Result<Option<Pack>, Fault> {
        match packs::of(&self.port, &self.web, Phase::Before, row).await? {
            Chosen::Pack(pack) => Ok(Some(pack)),
            Chosen::Nothing => Ok(None),
            Chosen::LeftOut(why) | Chosen::Unmeasured(why) => Err(Fault::Unavailable(why)),
        }
    }

    /// Says which secret of all tests cannot be had, if that will not change by itself.
    async fn missing(&self, pack: &Pack) -> Result<Option<String>, Fault> {
        let secrets = Secrets::of(&self.port, pack, &pack.checks).await;
        match secrets.missing() {
            None => Ok(None),
            Some((_, fault @ (Fault::Throttled(_) | Fault::Unavailable(_)))) => Err(fault.clone()),
            Some((name, fault)) => Ok(Some(format!(
                "its live tests use the secret {name:?}, which health-test cannot read: {fault}"
            ))),
        }
    }
}
