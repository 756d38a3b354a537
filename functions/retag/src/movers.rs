//! Who moved the environment's tag of a repository: releases of other services may do so meanwhile.  Pure.

use pipeline::ids::{Digest, ReleaseId};
use pipeline::rows::{MoveRow, TagMove, TagRow};

/// How many releases are remembered; one of each service would do.
const REMEMBERED: usize = 50;

/// Returns what to write down before a release moves the tag; nothing if it is written down already.
pub fn moving(known: &TagRow, release: &ReleaseId, row: &MoveRow) -> Option<TagRow> {
    if known.moves.iter().any(|one| one.release == *release) {
        return None;
    }
    let (release, service, digest) = (release.clone(), row.service.clone(), row.digest.clone());
    let mut moves = known.moves.clone();
    moves.push(TagMove { release, service, digest });
    let outdated = moves.len().saturating_sub(REMEMBERED);
    Some(TagRow { version: known.version + 1, moves: moves.split_off(outdated) })
}

/// Tells whether a release may move the tag, given that it is written down: none may that came after it.
pub fn is_last(known: &TagRow, release: &ReleaseId) -> bool {
    known.moves.last().is_none_or(|last| last.release == *release)
}

/// Returns what to write down when a release puts the tag back, after which its service runs `before` again.
pub fn restoring(known: &TagRow, release: &ReleaseId, before: Option<&Digest>) -> Option<TagRow> {
    let at = known.moves.iter().position(|one| one.release == *release)?;
    let mut moves = known.moves.clone();
    let ours = moves.remove(at);
    if let Some(before) = before {
        // Whatever an earlier release of the same service left the tag on, the service is not on it any more.
        for older in moves.iter_mut().take(at).filter(|one| one.service == ours.service) {
            older.digest = before.clone();
        }
    }
    Some(TagRow { version: known.version + 1, moves })
}

/// Returns what the tag is to name.
pub fn named<'a>(known: &'a TagRow, before: Option<&'a Digest>) -> Option<&'a Digest> {
    known.moves.last().map(|last| &last.digest).or(before)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::tests::{digest, row};
    use pipeline::ids::ServiceName;

    fn release(name: &str) -> ReleaseId {
        ReleaseId::parse(name).unwrap()
    }

    /// Lets releases move the tag, each of a service and to a digest.
    fn moved(moves: &[(&str, &str, char)]) -> TagRow {
        moves.iter().fold(TagRow::default(), |known, (name, service, to)| {
            let row =
                MoveRow { service: ServiceName::parse(*service).unwrap(), digest: digest(*to), ..row() };
            moving(&known, &release(name), &row).unwrap()
        })
    }

    fn check(moves: &[(&str, &str, char)], back: &[(&str, char)], expected: char) {
        let mut known = moved(moves);
        let mut named_last = None;
        for (name, before) in back {
            known = restoring(&known, &release(name), Some(&digest(*before))).unwrap();
            named_last = named(&known, Some(&digest(*before))).cloned();
        }
        assert_eq!(named_last, Some(digest(expected)), "{moves:?} {back:?}");
    }

    #[test]
    fn a_release_alone_puts_back_what_its_service_ran() {
        check(&[("r1", "a", 'b')], &[("r1", 'a')], 'a');
        check(&[("r1", "a", 'b'), ("r2", "a", 'c')], &[("r2", 'b')], 'b');
        // The one before needed a human, and its service did not go back to it.
        check(&[("r1", "a", 'b'), ("r2", "a", 'c')], &[("r2", 'a')], 'a');
    }

    #[test]
    fn the_tag_never_goes_behind_a_release_of_another_service() {
        let both = [("r1", "a", 'b'), ("r2", "b", 'c')];
        check(&both, &[("r1", 'a')], 'c');
        check(&both, &[("r2", 'a')], 'b');
        check(&both, &[("r1", 'a'), ("r2", 'a')], 'a');
        check(&both, &[("r2", 'a'), ("r1", 'a')], 'a');
        check(&[("r0", "c", 'd'), ("r1", "a", 'b'), ("r2", "a", 'c')], &[("r2", 'b')], 'b');
    }

    #[test]
    fn a_repeat_changes_nothing_and_does_not_move_the_tag_past_a_later_release() {
        let known = moved(&[("r1", "a", 'b'), ("r2", "b", 'c')]);
        assert_eq!(moving(&known, &release("r1"), &row()), None);
        assert!(!is_last(&known, &release("r1")) && is_last(&known, &release("r2")));
        let back = restoring(&known, &release("r1"), None).unwrap();
        assert_eq!(restoring(&back, &release("r1"), None), None);
        // What an older version moved is in no row.
        assert!(is_last(&TagRow::default(), &release("r1")));
    }
}
