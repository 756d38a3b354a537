//! What became of each move, in words.

use pipeline::fate::Fate;
use pipeline::rows::{Failure, MoveRow, RestorePoint, Verdict};
use serde::Serialize;

use super::{LONGEST_SENTENCE, text};

/// A move, for programs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Told {
    /// The service.
    pub service: String,
    /// The digest that it ran.
    pub from: Option<String>,
    /// The digest that it was to run.
    pub to: String,
    /// What was decided about the new digest.
    pub verdict: Option<Verdict>,
    /// What became of it in the end.
    pub fate: Fate,
    /// Why.
    pub reason: String,
}

impl Told {
    /// Tells of a move.
    pub fn of(row: &MoveRow) -> Self {
        Told {
            service: row.service.to_string(),
            from: row.restore.as_ref().map(|restore| restore.digest.to_string()),
            to: row.digest.to_string(),
            verdict: row.verdict,
            fate: Fate::of(row),
            reason: sentences(row).into_iter().map(|(_, sentence)| sentence).collect::<Vec<_>>().join("; "),
        }
    }
}

/// Returns the place of a move in a message: what needs somebody comes first, and then what is to blame.
pub(super) fn urgency(row: &MoveRow) -> (u8, bool) {
    let fate = match Fate::of(row) {
        Fate::NeedsHuman => 0,
        Fate::Failed => 1,
        Fate::Undone => 2,
        Fate::Superseded => 3,
        Fate::Deployed => 4,
        Fate::Untouched => 5,
    };
    (fate, row.verdict != Some(Verdict::Unhealthy))
}

/// Tells of a move: what it was to become, what became of it, and what is left to do.
pub(super) fn paragraph(row: &MoveRow) -> String {
    let from = row.restore.as_ref().map_or("unknown", |restore| restore.digest.short());
    let fate = Fate::of(row);
    let mut lines = vec![format!("{}: {from} -> {}, {}", row.service, row.digest.short(), words(fate, row))];
    lines.extend(sentences(row).into_iter().map(|(label, sentence)| format!("  {label}: {sentence}")));
    if fate == Fate::NeedsHuman {
        lines.extend(left_to_do(row));
    }
    lines.join("\n") + "\n"
}

/// Says what became of a move, and so what its service runs now.
fn words(fate: Fate, row: &MoveRow) -> String {
    let restored = row.restore.as_ref().map_or("unknown", |restore| restore.digest.short());
    match fate {
        Fate::NeedsHuman => "needs a human: nobody has proven what it runs".to_owned(),
        Fate::Failed => "failed before the service was touched".to_owned(),
        Fate::Undone => format!("undone: it runs {restored} again, proven"),
        Fate::Superseded => "superseded: somebody else deployed the service".to_owned(),
        Fate::Deployed => format!("deployed: it runs {}, proven", row.digest.short()),
        Fate::Untouched => "not started".to_owned(),
    }
}

/// Returns why, for each part of the way, under its label.
fn sentences(row: &MoveRow) -> Vec<(&'static str, String)> {
    let failure =
        |failure: &Option<Failure>| failure.as_ref().map(|it| format!("{}: {}", it.error, it.cause));
    let parts = [
        ("forward", row.reason.clone()),
        ("forward, ended early", failure(&row.failure)),
        ("way back", row.undo_reason.clone()),
        ("way back, ended early", failure(&row.undo_failure)),
    ];
    let said = parts.into_iter().filter_map(|(label, sentence)| Some((label, sentence?)));
    said.map(|(label, sentence)| (label, text::line(&sentence, LONGEST_SENTENCE))).collect()
}

/// Gives a person what is needed to put a service back by hand.
fn left_to_do(row: &MoveRow) -> Vec<String> {
    let revision = row.registered.as_ref().unwrap_or(&row.running);
    let deployment = match (&row.undo, &row.deployment) {
        (Some(undo), _) => format!("{undo}, which was to put it back"),
        (None, Some(deployment)) => format!("{deployment} on {revision}"),
        (None, None) => format!("not known; it was about to run {revision}"),
    };
    let mut lines = vec![format!("  deployment: {deployment}")];
    match &row.restore {
        Some(restore) => lines.extend([
            format!("  restore point: {} on {}", restore.digest, restore.task_definition),
            format!("  to put it back: {}", command(row, restore)),
        ]),
        None => lines.push("  restore point: none was known, there is no way back".to_owned()),
    }
    lines
}

fn command(row: &MoveRow, restore: &RestorePoint) -> String {
    let region = restore.task_definition.as_str().split(':').nth(3).unwrap_or_default();
    format!(
        "aws ecs update-service --region {region} --cluster {} --service {} --task-definition {}",
        row.cluster, row.service, restore.task_definition
    )
}
