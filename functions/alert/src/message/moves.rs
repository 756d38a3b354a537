//! What became of each move, in words.

use pipeline::rows::MoveOutcome;
use pipeline::rows::{Bundle, MoveRow, RollbackScope, Verdict};
use pipeline::text::{LONGEST_SENTENCE, line};
use serde::Serialize;

use super::approval::commit;
use super::{progress, text, traffic};
use crate::kind::AlertKind;

/// How many live tests are shown that did not pass.
const TESTS: usize = 5;

/// How much is shown of what failed tasks left behind: ends, last lines, and characters of each.
const STOPPED: usize = 5;
const LOGS: usize = 10;
const LONGEST_LINE: usize = 200;

/// A move, for programs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MoveSummary {
    /// The service.
    pub service: String,
    /// The digest that it ran.
    pub from: Option<String>,
    /// The digest that it was to run.
    pub to: String,
    /// What was decided about the new digest.
    pub verdict: Option<Verdict>,
    /// What became of it in the end; none as long as its release goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fate: Option<MoveOutcome>,
    /// Why.
    pub reason: String,
    /// What its tasks left behind, if they failed.
    pub bundle: Option<Bundle>,
}

impl MoveSummary {
    /// Tells of a move.
    pub fn of(row: &MoveRow, rollback: Option<RollbackScope>, outcome: AlertKind) -> Self {
        MoveSummary {
            service: row.service.to_string(),
            from: row.restore.as_ref().map(|restore| restore.digest.to_string()),
            to: row.digest.to_string(),
            verdict: row.verdict,
            fate: (!outcome.is_progress()).then(|| MoveOutcome::of(row, rollback)),
            reason: sentences(row).into_iter().map(|(_, sentence)| sentence).collect::<Vec<_>>().join("; "),
            bundle: row.bundle.as_ref().map(short),
        }
    }
}

/// Returns the place of a move in a message: what needs somebody comes first, and then what is to blame.
pub(super) fn urgency(row: &MoveRow, rollback: Option<RollbackScope>) -> (u8, bool) {
    let fate = match MoveOutcome::of(row, rollback) {
        MoveOutcome::NeedsHuman => 0,
        MoveOutcome::Failed => 1,
        MoveOutcome::Undone => 2,
        MoveOutcome::Superseded => 3,
        MoveOutcome::Deployed => 4,
        MoveOutcome::Untouched => 5,
    };
    (fate, row.verdict != Some(Verdict::Unhealthy))
}

/// Tells whether a request for a rollback would put a move back.
pub(super) fn can_go_back(row: &MoveRow, rollback: Option<RollbackScope>) -> bool {
    row.restore.is_some() && stays(MoveOutcome::of(row, rollback))
}

/// Tells whether a move has changed its service and left it so.
fn stays(fate: MoveOutcome) -> bool {
    matches!(fate, MoveOutcome::NeedsHuman | MoveOutcome::Deployed)
}

/// Tells of a move: what it was to become, what became of it, and what a person needs to go on.
pub(super) fn paragraph(row: &MoveRow, rollback: Option<RollbackScope>, outcome: AlertKind) -> String {
    let from = row.restore.as_ref().map_or("unknown", |restore| restore.digest.short());
    let fate = MoveOutcome::of(row, rollback);
    let to = format!("{}{}", row.digest.short(), commit(row.commit.as_deref()));
    let words = match outcome {
        AlertKind::Started => String::new(),
        AlertKind::RollingBack => format!(", {}", progress::words(row, rollback)),
        _ => format!(", {}", words(fate, row)),
    };
    let mut lines = vec![format!("{}: {from} -> {to}{words}", row.service)];
    lines.extend(sentences(row).into_iter().map(|(label, sentence)| format!("  {label}: {sentence}")));
    lines.extend(traffic::story(row).map(|story| format!("  traffic: {story}")));
    if let Some(Bundle { stopped, logs, tests }) = row.bundle.as_ref().map(short) {
        lines.extend(tests.iter().map(|line| format!("  test: {line}")));
        lines.extend(stopped.iter().map(|line| format!("  stopped: {line}")));
        lines.extend(logs.iter().map(|line| format!("  log: {line}")));
    }
    let stands_open = fate == MoveOutcome::NeedsHuman && !outcome.is_progress();
    if stands_open || (outcome == AlertKind::NeedsHuman && stays(fate)) {
        lines.extend(what_stands(row));
        lines.extend(traffic::open_gate(row).map(|gate| format!("  gate: {gate}")));
    }
    lines.join("\n")
}

/// Says what became of so many moves.
pub(super) fn counted(outcome: MoveOutcome) -> &'static str {
    match outcome {
        MoveOutcome::NeedsHuman => "unverified",
        MoveOutcome::Failed => "failed before a change",
        MoveOutcome::Undone => "rolled back",
        MoveOutcome::Superseded => "superseded",
        MoveOutcome::Deployed => "deployed",
        MoveOutcome::Untouched => "not started",
    }
}

/// Says what became of a move, and so what its service runs now.
fn words(fate: MoveOutcome, row: &MoveRow) -> String {
    let restored = row.restore.as_ref().map_or("unknown", |restore| restore.digest.short());
    match fate {
        MoveOutcome::NeedsHuman => "needs a human: the running version is unverified".to_owned(),
        MoveOutcome::Failed => "failed before the service was changed".to_owned(),
        MoveOutcome::Undone if row.rolled_back_by_ecs == Some(true) => {
            format!("rolled back to {restored} by ECS itself, and verified")
        }
        MoveOutcome::Undone => format!("rolled back to {restored} and verified"),
        MoveOutcome::Superseded => "superseded: somebody else has deployed the service since".to_owned(),
        MoveOutcome::Deployed => format!("deployed: it runs {}, verified", row.digest.short()),
        MoveOutcome::Untouched => "not started".to_owned(),
    }
}

/// Returns why, for the rollout and the rollback, under its label.
fn sentences(row: &MoveRow) -> Vec<(&'static str, String)> {
    let parts = [
        ("rollout", row.reason.clone()),
        ("drain", row.drain.clone()),
        ("rollout failed", row.failure.as_ref().map(text::failure)),
        ("rollback", row.rollback_reason.clone()),
        ("rollback failed", row.rollback_failure.as_ref().map(text::failure)),
    ];
    let said = parts.into_iter().filter_map(|(label, sentence)| Some((label, sentence?)));
    said.map(|(label, sentence)| (label, line(&sentence, LONGEST_SENTENCE))).collect()
}

/// Cuts what failed tasks left behind to what people read.
fn short(bundle: &Bundle) -> Bundle {
    let cut = |lines: &[String]| lines.iter().map(|one| line(one, LONGEST_LINE)).collect();
    let Bundle { stopped, logs, tests } = bundle;
    Bundle {
        tests: cut(tests.get(..TESTS).unwrap_or(tests)),
        stopped: cut(stopped.get(..STOPPED).unwrap_or(stopped)),
        logs: cut(logs.get(logs.len().saturating_sub(LOGS)..).unwrap_or(logs)),
    }
}

/// Says what a service was left with, and what it would go back to.
fn what_stands(row: &MoveRow) -> [String; 2] {
    let revision = row.registered.as_ref().unwrap_or(&row.running);
    let deployment = match (&row.rollback_deployment, &row.deployment) {
        (Some(rollback), _) => format!("{rollback}, which was started to roll it back"),
        (None, Some(deployment)) => format!("{deployment}, {} on {revision}", row.digest),
        (None, None) => {
            format!("unknown: the service was about to be updated to {} on {revision}", row.digest)
        }
    };
    let restore = match &row.restore {
        Some(restore) => format!("{} on {}", restore.digest, restore.task_definition),
        None => "none is known, so a rollback is not possible".to_owned(),
    };
    [format!("  deployment: {deployment}"), format!("  restore point: {restore}")]
}
