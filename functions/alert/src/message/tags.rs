//! The tags that a release should have put back, and has not.

use pipeline::rows::RepositoryRow;
use pipeline::text::{LONGEST_SENTENCE, line};

use super::{OTHERS_BYTES, TOLD, text};

/// How long a tag is at most.
const LONGEST_TAG: usize = 128;

/// Says which tags are not back, and what to do; nothing if all are.
pub(super) fn lines(repositories: &[RepositoryRow]) -> Vec<String> {
    let failed = repositories.iter().filter_map(told).count();
    if failed == 0 {
        return Vec::new();
    }
    let mut lines = text::first(repositories.iter().filter_map(told), TOLD, OTHERS_BYTES);
    let more = failed - lines.len();
    if more > 0 {
        lines.push(format!("and {more} more tags were not restored"));
    }
    lines.push("Check in ECR what these tags and the tidegate.* tags beside them name. The next deployed release sets them again.".to_owned());
    lines
}

fn told(row: &RepositoryRow) -> Option<String> {
    let why = line(&text::failure(row.failure.as_ref()?), LONGEST_SENTENCE);
    let tag = line(&row.tag, LONGEST_TAG);
    Some(format!("The tag {tag} of repository {} was not restored: {why}", row.repository))
}
