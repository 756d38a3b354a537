//! What a person is asked to agree to, in words.

use pipeline::ids::Digest;
use pipeline::rows::PlanRow;

use super::{TOLD, text};

/// How much of a commit is enough for people.
const SHORT_COMMIT: usize = 12;

/// Says what would happen, a line for each service.
pub(super) fn lines(plan: &[PlanRow]) -> Vec<String> {
    let mut lines: Vec<String> = plan.iter().take(TOLD).map(line).collect();
    match plan.len().saturating_sub(TOLD) {
        0 => {}
        more => lines.push(format!("and {more} more")),
    }
    lines
}

fn line(row: &PlanRow) -> String {
    let from = row.from.as_ref().map_or("unknown, no rollback possible", Digest::short);
    format!("{}: {from} -> {}{}", row.service, row.to.short(), commit(row.commit.as_deref()))
}

/// Names the commit that an image was built from, if its label does.
pub(super) fn commit(commit: Option<&str>) -> String {
    let short = commit.map(|commit| text::ascii(commit, 64).chars().take(SHORT_COMMIT).collect::<String>());
    short.map_or_else(String::new, |commit| format!(" (commit {commit})"))
}
