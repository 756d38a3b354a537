//! How far a release is, in words: what is about to change, and what is being put back.

use pipeline::rows::{HeadRow, MoveRow, RollbackScope, Verdict};
use serde_json::Value;

use super::{Facts, How, is_rollback};

/// Says that a release has started, and why if somebody gave a reason; of one that goes back, that first of all.
pub(super) fn started(facts: &Facts<'_>, plain: How) -> How {
    let Some(head) = &facts.context.report.head else { return plain };
    let because = reason(head);
    if !is_rollback(head) {
        return How { because, ..plain };
    }
    let because = because.or_else(|| Some("on request".to_owned()));
    How { words: "Rollback started".to_owned(), because, ..plain }
}

fn reason(head: &HeadRow) -> Option<String> {
    let said = |key: &str| head.request.get(key).and_then(Value::as_str);
    let alarm = said("alarm").map(|alarm| format!("the alarm {alarm} went to ALARM"));
    alarm.or_else(|| said("reason").map(str::to_owned))
}

/// Tells whether a move is put back, as the rollback will find.
pub(super) fn goes_back(row: &MoveRow, rollback: Option<RollbackScope>) -> bool {
    let stays = row.forward_only && (row.traffic.is_none() || row.shifted.is_some());
    let spared = rollback == Some(RollbackScope::Failed) && row.verdict != Some(Verdict::Unhealthy);
    row.touched.is_some()
        && row.restore.is_some()
        && row.verdict != Some(Verdict::Superseded)
        && !stays
        && !spared
}

/// Says of a move what becomes of it while its release goes back.
pub(super) fn words(row: &MoveRow, rollback: Option<RollbackScope>) -> String {
    match (&row.restore, row.touched, row.verdict) {
        (Some(restore), ..) if goes_back(row, rollback) => format!("goes back to {}", restore.digest.short()),
        (.., Some(Verdict::Superseded)) => {
            "superseded: somebody else has deployed the service since".to_owned()
        }
        (_, None, _) if row.started.is_none() && row.failure.is_none() => "not started".to_owned(),
        (_, None, _) => "failed before the service was changed".to_owned(),
        (None, Some(_), _) => "cannot go back: no restore point is known".to_owned(),
        (Some(_), Some(_), _) => format!("stays on {}", row.digest.short()),
    }
}
