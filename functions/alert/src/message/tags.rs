//! The tags that a release should have put back, and has not.

use pipeline::rows::RepositoryRow;

use super::{LONGEST_SENTENCE, TOLD, text};

/// Says which tags are not back, and what to do; nothing if all are.
pub(super) fn lines(repositories: &[RepositoryRow]) -> Vec<String> {
    let failed: Vec<String> = repositories.iter().filter_map(line).collect();
    if failed.is_empty() {
        return Vec::new();
    }
    let more = failed.len().saturating_sub(TOLD);
    let mut lines: Vec<String> = failed.into_iter().take(TOLD).collect();
    if more > 0 {
        lines.push(format!("and {more} more tags were not restored"));
    }
    lines.push("Check in ECR what these tags and the tidegate.* tags beside them name. The next deployed release sets them again.".to_owned());
    lines.push(String::new());
    lines
}

fn line(row: &RepositoryRow) -> Option<String> {
    let why = text::line(&text::failure(row.failure.as_ref()?), LONGEST_SENTENCE);
    Some(format!("The tag {} of repository {} was not restored: {why}", row.tag, row.repository))
}
