//! What a release adds to the history of a service, and what it takes away from the proof of an image.  Pure.

use pipeline::clock::Timestamp;
use pipeline::ids::ReleaseId;
use pipeline::rows::{Hold, How, MoveRow, ServiceRow, VerifiedImage};

use super::packs;
use super::spec::{ImageSelection, ReleaseSpec};
use crate::ports::{ImageKey, Proven};

/// Returns what a service was found to run when its lease was taken, if nobody has written that down.
pub fn met(row: &MoveRow, known: &ServiceRow, now: Timestamp) -> Option<VerifiedImage> {
    let restore = row.restore.as_ref().filter(|restore| restore.release.is_none())?;
    let newest = known.verified(&row.repository);
    let how = newest.map_or(How::Baseline, |_| How::Found);
    let is_known = |fact: &VerifiedImage| {
        fact.task_definition == restore.task_definition && fact.digest == restore.digest
    };
    // A revision that is known by another image of the service is where this one is put back into.
    let revision = known.of_revision(&restore.task_definition);
    if newest.is_some() && revision.is_some_and(|fact| fact.repository != row.repository) {
        return None;
    }
    (!newest.is_some_and(is_known)).then(|| VerifiedImage {
        repository: row.repository.clone(),
        digest: restore.digest.clone(),
        commit: restore.commit.clone(),
        task_definition: restore.task_definition.clone(),
        since: now,
        release: None,
        how: Some(how),
        pack: restore.pack.clone(),
    })
}

/// Returns what a deployed move has shown.
pub fn proven(
    row: &MoveRow,
    known: &ServiceRow,
    spec: &ReleaseSpec,
    release: &ReleaseId,
    now: Timestamp,
) -> Proven {
    let since = row.decided.unwrap_or(now);
    let back = spec.to.goes_back();
    let fact = VerifiedImage {
        repository: row.repository.clone(),
        digest: row.digest.clone(),
        commit: row.commit.clone(),
        task_definition: row.registered.clone().unwrap_or_else(|| row.running.clone()),
        since,
        release: Some(release.clone()),
        how: Some(if back { How::RolledBack } else { How::Released }),
        pack: packs::asked(row).cloned(),
    };
    let hold = left(row, known, spec).map(|(_, digest)| Hold { digest, release: release.clone(), since });
    Proven {
        fact,
        hold,
        evidence: !back || known.released(&row.repository, &row.digest).is_none(),
        ends_quarantine: spec.force && !back,
    }
}

/// Returns the image that somebody has rolled back from, if it was verified here.
///
/// A service that ran something else goes back to what was verified: nothing is wrong with that.
pub fn left(row: &MoveRow, known: &ServiceRow, spec: &ReleaseSpec) -> Option<ImageKey> {
    let restore = row.restore.as_ref().filter(|restore| restore.digest != row.digest)?;
    let verified = match &spec.to {
        ImageSelection::Previous => true,
        // One that died has verified nothing: it left what nobody knows.
        ImageSelection::RestorePointsOf(release) => {
            let mut facts = known.facts(&row.repository).into_iter();
            facts.any(|fact| fact.digest == restore.digest && fact.release.as_ref() == Some(release))
        }
        ImageSelection::Images(_) | ImageSelection::Present => false,
    };
    verified.then(|| (row.repository.clone(), restore.digest.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::{arn, digest, known, release, row, spec};
    use pipeline::ids::Repository;

    fn now() -> Timestamp {
        Timestamp::from_millis(9_000)
    }

    #[test]
    fn a_baseline_is_met_and_so_is_a_revision_that_somebody_else_deployed() {
        let row = row("users");
        let met_by = |service: &ServiceRow| met(&row, service, now()).and_then(|fact| fact.how);
        assert_eq!(met_by(&ServiceRow::default()), Some(How::Baseline));
        let restore = row.restore.clone().unwrap();
        let task_definition = restore.task_definition.clone();
        let same = VerifiedImage { task_definition, release: None, ..known('a') };
        assert_eq!(met_by(&ServiceRow { verified: Some(same), ..ServiceRow::default() }), None);
        let other = VerifiedImage { digest: digest('c'), ..known('c') };
        let found = ServiceRow { verified: Some(other), ..ServiceRow::default() };
        assert_eq!(met_by(&found), Some(How::Found));
        let (repository, task_definition) =
            (Repository::parse("shop/proxy").unwrap(), restore.task_definition);
        let proxy = VerifiedImage { repository, task_definition, release: None, ..known('e') };
        let own = VerifiedImage { task_definition: arn(7), ..known('a') };
        assert_eq!(met_by(&ServiceRow { history: vec![proxy, own], ..ServiceRow::default() }), None);
    }

    /// A service that a release has brought `b` to before.
    fn known_before() -> ServiceRow {
        ServiceRow { verified: Some(known('b')), ..ServiceRow::default() }
    }

    #[test]
    fn a_rollback_shows_nothing_and_holds_what_it_left() {
        let back = ReleaseSpec { to: ImageSelection::Previous, ..spec() };
        let shown = proven(&row("users"), &known_before(), &back, &release("r2"), now());
        assert_eq!((shown.fact.how, shown.evidence), (Some(How::RolledBack), false));
        assert_eq!(shown.hold.unwrap().digest, digest('a'));
        let first = proven(&row("users"), &ServiceRow::default(), &back, &release("r2"), now());
        assert!(first.evidence, "nobody had verified the baseline before");
        // Back to what was verified, from what somebody deployed by hand.
        let same = MoveRow { digest: digest('a'), ..row("users") };
        assert_eq!(proven(&same, &known_before(), &back, &release("r2"), now()).hold, None);
        let dead = ReleaseSpec { to: ImageSelection::RestorePointsOf(release("r0")), ..spec() };
        assert_eq!(proven(&row("users"), &known_before(), &dead, &release("r2"), now()).hold, None);
        // Whichever image of the service the revision was verified for last.
        let own = VerifiedImage { release: Some(release("r0")), ..known('a') };
        let closed = ServiceRow { history: vec![known('b'), own], ..ServiceRow::default() };
        let shown = proven(&row("users"), &closed, &dead, &release("r2"), now());
        assert_eq!(shown.hold.unwrap().digest, digest('a'));
    }

    #[test]
    fn only_force_ends_a_quarantine() {
        let ends = |spec: &ReleaseSpec| {
            proven(&row("users"), &known_before(), spec, &release("r2"), now()).ends_quarantine
        };
        assert!(!ends(&spec()));
        assert!(ends(&ReleaseSpec { force: true, ..spec() }));
    }
}
