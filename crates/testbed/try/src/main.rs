//! Tries live tests on a laptop: the same engine as in a release, against one URL.

mod call;
mod table;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;
use health_test::places::{Places, Proven};
use health_test::probe::{Probe, Web};
use health_test::round::Round;
use health_test::tests_row::TestsRow;
use pack::judge::{self, Judgement};
use pack::policy::Policy;
use pack::{Check, Phase};
use pipeline::Fault;
use pipeline::clock::Timestamp;
use tokio::time::sleep;

use call::Call;

/// How long a phase may take; a live phase has as long in a release.
const LONGEST: i64 = 15 * 60;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let call = match Call::try_parse() {
        Ok(call) => call,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 3 } else { 0 });
        }
    };
    match tried(&call).await {
        Ok(code) => ExitCode::from(code),
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::from(3)
        }
    }
}

/// Returns 0 if all passed, 1 if one failed, 2 if one could not be measured, 4 if nothing was run.
async fn tried(call: &Call) -> Result<u8, Fault> {
    let (pack, known, secrets) = (call.pack()?, call.known()?, call.secrets()?);
    let web = Probe::within(Policy { loopback: true }, health_test::probe::CONNECT)?;
    if let Some(mistake) = pack.nowhere(web.policy()).first() {
        return Err(Fault::InvalidInput(mistake.clone()));
    }
    // The variables of tasks stand for the same already.
    let (targets, tasks) = (vec![call.address()?], vec![IpAddr::from([127, 0, 0, 1])]);
    let places = &Places::at(Proven { targets, tasks, ..Proven::default() });
    let (mut lines, mut worst) = (Vec::new(), None);
    for phase in call.phases() {
        let (chosen, others): (Vec<&Check>, Vec<&Check>) = pack
            .of(phase)
            .filter(|check| call.wants(check))
            .partition(|check| !check.kind.requests().is_empty());
        lines.extend(others.iter().map(|check| table::not_here(check)));
        if chosen.is_empty() {
            continue;
        }
        let names: Vec<String> = chosen.iter().map(|check| check.name.clone()).collect();
        let part = pack.clone().requests_in(phase).named(&names);
        let round = Round { pack: &part, known: &known, places, secrets: &secrets };
        let (row, judgement) = asked(&round, phase, &web).await;
        lines.extend(part.of(phase).map(|check| table::line(check, &row)));
        worst = worst.max(Some(code(&judgement)));
        if judgement != Judgement::Healthy {
            break;
        }
    }
    print!("{}", table::text(&lines));
    Ok(match worst {
        None => 4,
        Some(Worst::Passed) => 0,
        Some(Worst::Unmeasured) => 2,
        Some(Worst::Failed) => 1,
    })
}

/// Asks the checks of a phase until that is decided.
#[expect(clippy::disallowed_methods, reason = "this is no Lambda: here somebody waits")]
async fn asked(round: &Round<'_>, phase: Phase, web: &Probe) -> (TestsRow, Judgement) {
    let since = Timestamp::now();
    let watched = round.pack.watched().whole_seconds();
    let longest = if phase == Phase::Bake { watched.saturating_add(LONGEST) } else { LONGEST };
    let mut row = TestsRow::begun(phase, since, since.plus_seconds(longest));
    loop {
        let now = Timestamp::now();
        let due = judge::due(round.pack, &row.standing, now);
        let poll = row.standing.look.saturating_add(1);
        let rounds = round.ask(&due, web, poll).await.rounds(&BTreeSet::new(), &mut row);
        row.count(round.pack, poll, rounds, now);
        let judgement = row.judge(round.pack, now);
        let Judgement::Pending { until } = judgement else { return (row, judgement) };
        let left = until.seconds_since(Timestamp::now()).max(1);
        sleep(Duration::from_secs(u64::try_from(left).unwrap_or(1))).await;
    }
}

/// What all phases come to; the worst is the last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Worst {
    Passed,
    Unmeasured,
    Failed,
}

fn code(judgement: &Judgement) -> Worst {
    match judgement {
        Judgement::Healthy => Worst::Passed,
        Judgement::Pending { .. } | Judgement::Inconclusive { .. } => Worst::Unmeasured,
        Judgement::Unhealthy { .. } => Worst::Failed,
    }
}
