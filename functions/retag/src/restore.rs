//! Which tags go back when a release did not stay.  Pure.

use pipeline::ids::Digest;
use pipeline::rows::MoveOutcome;
use pipeline::rows::{Failure, MoveRow, RepositoryRow, RollbackScope};

use crate::snapshot::RepositorySnapshot;
use crate::tags::{self, Tagging};

/// What to put back.
#[derive(Debug, PartialEq)]
pub struct Plan {
    /// The tags, and what they name afterwards.
    pub tags: Vec<Tagging>,
    /// The services that stay on the new digest.
    pub stayed: Vec<String>,
}

/// Decides for one repository, of which the environment's tag would name `named`.
///
/// The environment's tag goes back only if no service stayed on the new digest; the keep-tags of every service that
/// did not stay go back in any case.
pub fn plan<'a>(
    repository: &RepositoryRow,
    named: Option<&Digest>,
    moves: impl Iterator<Item = &'a MoveRow>,
    rollback: Option<RollbackScope>,
) -> Plan {
    let mut plan = Plan { tags: Vec::new(), stayed: Vec::new() };
    for row in moves {
        match (MoveOutcome::of(row, rollback), &row.restore) {
            (MoveOutcome::Undone | MoveOutcome::Failed, Some(restore)) => {
                plan.tags.push(Tagging::keep(row, "live", &restore.digest));
                let before = restore.before.as_ref();
                plan.tags.extend(before.map(|before| Tagging::keep(row, "previous", before)));
            }
            (MoveOutcome::Deployed | MoveOutcome::NeedsHuman, _) => plan.stayed.push(row.service.to_string()),
            _ => {}
        }
    }
    if let (true, Some(named)) = (plan.stayed.is_empty(), named) {
        plan.tags.push(Tagging::environment(&repository.tag, named));
    }
    plan
}

impl Plan {
    /// Says why the environment's tag cannot go back, if its image is gone.
    pub fn failure(&self, seen: &RepositorySnapshot) -> Option<Failure> {
        let environment = self.tags.iter().find(|tagging| tagging.service.is_none())?;
        let gone = seen.image(&environment.digest).is_none().then(|| tags::gone(environment))?;
        Some(Failure { error: gone.name().to_owned(), cause: gone.to_string() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::tests::{digest, row};
    use pipeline::clock::Timestamp;
    use pipeline::rows::Verdict;

    fn repository() -> RepositoryRow {
        let row = row();
        RepositoryRow {
            registry: row.registry,
            repository: row.repository,
            tag: row.tag,
            before: Some(digest('a')),
            failure: None,
        }
    }

    fn with(verdict: Verdict, rollback_verdict: Option<Verdict>) -> MoveRow {
        let touched = Some(Timestamp::from_millis(0));
        MoveRow {
            touched,
            verdict: Some(verdict),
            rollback_started: rollback_verdict.and(touched),
            rollback_verdict,
            ..row()
        }
    }

    #[test]
    fn everything_goes_back_when_nothing_stayed() {
        let rolled_back = with(Verdict::Unhealthy, Some(Verdict::Healthy));
        let plan =
            plan(&repository(), Some(&digest('a')), [&rolled_back].into_iter(), Some(RollbackScope::All));
        let tags: Vec<_> = plan.tags.iter().map(|tagging| (tagging.tag.as_str(), &tagging.digest)).collect();
        assert_eq!(tags, [("tidegate.dev.users.live", &digest('a')), ("dev", &digest('a'))]);
        assert!(plan.stayed.is_empty());
    }

    #[test]
    fn what_was_verified_before_is_kept_again() {
        let mut rolled_back = with(Verdict::Unhealthy, Some(Verdict::Healthy));
        rolled_back.restore.as_mut().unwrap().before = Some(digest('c'));
        let plan =
            plan(&repository(), Some(&digest('a')), [&rolled_back].into_iter(), Some(RollbackScope::All));
        let tags: Vec<_> = plan.tags.iter().map(|tagging| (tagging.tag.as_str(), &tagging.digest)).collect();
        assert_eq!(tags[1], ("tidegate.dev.users.previous", &digest('c')));
    }

    #[test]
    fn the_environments_tag_stays_with_a_service_that_stayed() {
        let rolled_back = with(Verdict::Unhealthy, Some(Verdict::Healthy));
        let rows = [&rolled_back, &with(Verdict::Healthy, None)];
        let plan = plan(&repository(), Some(&digest('a')), rows.into_iter(), Some(RollbackScope::Failed));
        assert_eq!(plan.tags.len(), 1);
        assert_eq!(plan.stayed, ["users"]);
    }

    #[test]
    fn a_service_of_which_nobody_knows_keeps_the_tag_too() {
        let plan =
            plan(&repository(), Some(&digest('a')), [&with(Verdict::Inconclusive, None)].into_iter(), None);
        assert_eq!((plan.tags.len(), plan.stayed.len()), (0, 1));
    }
}
