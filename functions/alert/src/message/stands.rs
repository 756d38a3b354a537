//! What is so now, in a few words: what runs, or that nothing was changed.

use pipeline::rows::{MoveOutcome, MoveRow};

use super::{Facts, progress};
use crate::kind::AlertKind;

/// How many digits of a digest are shown where there is little room.
const SHORT: usize = 6;

/// Says it of a release; `of` counts what became of its moves.
pub(super) fn of(facts: &Facts<'_>, rows: &[&MoveRow], of: impl Fn(MoveOutcome) -> u32) -> String {
    if facts.context.unread.is_some() {
        return "the ledger could not be read".to_owned();
    }
    let only = match rows {
        [row] => Some(*row),
        _ => None,
    };
    match facts.request.outcome {
        AlertKind::Deployed => match only {
            Some(row) => format!("{} runs", short(row.digest.short())),
            None => String::new(),
        },
        AlertKind::RolledBack => match (of(MoveOutcome::Undone), only.and_then(|row| row.restore.as_ref())) {
            (0, _) => UNCHANGED.to_owned(),
            (_, Some(restore)) => format!("{} runs again, proven", short(restore.digest.short())),
            (count, None) => counted(count, "is back, proven", "are back, proven"),
        },
        AlertKind::NeedsHuman => match (of(MoveOutcome::NeedsHuman), of(MoveOutcome::Deployed)) {
            (0, 0) if rows.iter().any(|row| row.touched.is_some()) => {
                counted(of(MoveOutcome::Undone), "is back, proven", "are back, proven")
            }
            (0, 0) => UNCHANGED.to_owned(),
            (0, count) => counted(count, "stays on the new version", "stay on the new version"),
            (count, _) => counted(count, "is unverified", "are unverified"),
        },
        AlertKind::Refused | AlertKind::Rejected | AlertKind::Expired => UNCHANGED.to_owned(),
        AlertKind::Superseded => "somebody newer has its services".to_owned(),
        AlertKind::WaitingForApproval => "it waits for an answer".to_owned(),
        AlertKind::Started => only.map_or_else(String::new, change),
        AlertKind::RollingBack => {
            let rollback = facts.context.report.head.as_ref().and_then(|head| head.rollback);
            let back = rows.iter().filter(|row| progress::goes_back(row, rollback)).count();
            match (back, only.and_then(|row| row.restore.as_ref())) {
                (0, _) => String::new(),
                (_, Some(restore)) => format!("{} is being put back", short(restore.digest.short())),
                (count, None) => counted(count as u32, "is being put back", "are being put back"),
            }
        }
        AlertKind::Answered => String::new(),
        AlertKind::Test => "nothing has happened".to_owned(),
        _ => String::new(),
    }
}

/// What is said where nothing is another than before.
pub(super) const UNCHANGED: &str = "nothing was changed";

/// Says what a service ran, and what it is to run.
fn change(row: &MoveRow) -> String {
    let from = row.restore.as_ref().map(|restore| format!("{} -> ", short(restore.digest.short())));
    format!("{}{}", from.unwrap_or_default(), short(row.digest.short()))
}

fn short(digest: &str) -> &str {
    digest.get(..SHORT).unwrap_or(digest)
}

fn counted(count: u32, one: &str, many: &str) -> String {
    match count {
        1 => format!("1 service {one}"),
        count => format!("{count} services {many}"),
    }
}
