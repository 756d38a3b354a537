//! Services that were deployed past the pipeline, and releases that died.  Pure.

use std::collections::BTreeSet;

use pipeline::clock::Timestamp;
use pipeline::ids::{EnvironmentName, ReleaseId, ServiceName, TaskDefinitionArn};
use pipeline::rows::{FoundKind, HeadRow, MoveRow, ServiceRow, VerifiedImage};
use serde_json::json;

use super::{Found, SERVICES};
use crate::plan::abort;
use crate::ports::{Execution, Revision};

/// After how long the end of an execution should have been told: by then no function of it works any more.
const TOLD_AFTER_SECONDS: i64 = 70;

/// From when on an execution that Step Functions does not know of has ended: it does not know the youngest at once.
const UNKNOWN_AFTER_SECONDS: i64 = 3600;

/// How many services a sentence names.
const NAMED: usize = 5;

/// Returns what a service should run: what was verified last of each repository, and the revision that does.
pub fn expected(row: &ServiceRow) -> Option<(Vec<&VerifiedImage>, &TaskDefinitionArn)> {
    let facts: Vec<&VerifiedImage> =
        row.repositories().into_iter().filter_map(|repository| row.verified(repository)).collect();
    let revision = &facts.iter().max_by_key(|fact| fact.since)?.task_definition;
    Some((facts, revision))
}

/// Tells that a service runs another image than the one that was verified there last, and that no release left it so.
pub fn drift(
    name: &EnvironmentName,
    service: &ServiceName,
    row: &ServiceRow,
    pointed: &TaskDefinitionArn,
    revision: &Revision,
    last: Option<&MoveRow>,
) -> Option<Found> {
    let (facts, _) = expected(row)?;
    // What the pipeline itself left there, it has told of.
    if last.is_some_and(|last| is_ours(last, pointed)) {
        return None;
    }
    let runs = |fact: &VerifiedImage| {
        revision.images.iter().any(|(_, image)| {
            image.repository == fact.repository && image.digest.as_ref() == Some(&fact.digest)
        })
    };
    let fact = facts.into_iter().find(|fact| !runs(fact))?;
    let images = revision.images.iter().filter(|(_, image)| image.repository == fact.repository);
    let images: BTreeSet<String> =
        images.map(|(_, image)| shown(image.digest.as_ref(), image.tag.as_ref())).collect();
    let instead = match images.is_empty() {
        true => format!("no image of {}", fact.repository),
        false => format!("{} {}", fact.repository, images.into_iter().collect::<Vec<_>>().join(" and ")),
    };
    let by = fact.release.as_ref().map_or_else(|| "no release".to_owned(), ToString::to_string);
    let request = json!({"environment": name, "services": [service], "repository": fact.repository,
                         "image": fact.digest, "force": true, "reason": "back to what was verified"});
    let text = format!(
        "{service} runs {} with {instead}, deployed past the pipeline: verified is {}, by {by}. To deploy that again: {request}",
        pointed.revision(),
        fact.digest.short()
    );
    Some(Found::of(FoundKind::Drift, SERVICES, service.as_str(), pointed.as_str(), &text))
}

fn shown(digest: Option<&pipeline::ids::Digest>, tag: Option<&pipeline::ids::Tag>) -> String {
    match (digest, tag) {
        (Some(digest), _) => digest.short().to_owned(),
        (None, Some(tag)) => tag.to_string(),
        (None, None) => "latest".to_owned(),
    }
}

/// Tells whether a revision is one that a move registered, or that it went back to.
fn is_ours(last: &MoveRow, pointed: &TaskDefinitionArn) -> bool {
    let restore = last.restore.as_ref().map(|restore| &restore.task_definition);
    [last.registered.as_ref(), last.rollback_revision.as_ref(), restore].contains(&Some(pointed))
}

/// A release that was let in and may not have ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Open {
    /// Since when it is known, at the latest.
    pub since: Option<Timestamp>,
    /// The services whose leases it holds.
    pub holds: BTreeSet<ServiceName>,
}

/// Tells since when the execution of an open release is no more, if it is not.
pub fn ended(open: &Open, execution: Execution, now: Timestamp) -> Option<Timestamp> {
    let old = |since: &Timestamp, seconds| now.seconds_since(*since) >= seconds;
    match execution {
        Execution::Running => None,
        Execution::Ended(at) => Some(at).filter(|at| old(at, TOLD_AFTER_SECONDS)),
        Execution::Unknown => open.since.filter(|since| old(since, UNKNOWN_AFTER_SECONDS)),
    }
}

/// Tells of a release whose execution has ended while its head is open, and of whose end nobody was told.
pub fn died(release: &ReleaseId, head: Option<&HeadRow>, open: &Open, ended: Timestamp) -> Option<Found> {
    let head = head.filter(|head| head.outcome.is_none())?;
    let names: Vec<&str> = open.holds.iter().take(NAMED).map(ServiceName::as_str).collect();
    let more = open.holds.len().saturating_sub(NAMED);
    let holds = match (names.is_empty(), more) {
        (true, _) => "it holds no service".to_owned(),
        (false, 0) => format!("it holds {}", names.join(", ")),
        (false, more) => format!("it holds {} and {more} more", names.join(", ")),
    };
    let request = abort::rollback(&head.environment, release, "it died");
    let text = format!(
        "the release {release} has died: its execution has ended, at {ended} at the latest, {holds}. To roll back what it has \
         updated: {request}"
    );
    Some(Found::of(FoundKind::Died, SERVICES, release.as_str(), release.as_str(), &text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::{arn, candidate, digest, head, known, release};
    use pipeline::rows::Outcome;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn check(row: &ServiceRow, image: &str, last: Option<&MoveRow>) -> Option<String> {
        let (dev, users) = (EnvironmentName::parse("dev").unwrap(), ServiceName::parse("users").unwrap());
        let revision = candidate(image).service.revision;
        drift(&dev, &users, row, &arn(9), &revision, last).map(|found| found.text)
    }

    fn moved() -> MoveRow {
        let sample = include_str!("../../../../../events/deploy/register.json");
        let sample: serde_json::Value = serde_json::from_str(sample).unwrap();
        serde_json::from_value(sample["move"].clone()).unwrap()
    }

    #[test]
    fn another_image_is_drift_and_the_same_one_by_another_revision_is_not() {
        let row = ServiceRow { verified: Some(known('a')), ..ServiceRow::default() };
        let pinned = |letter| format!("@{}", digest(letter));
        let said = check(&row, &pinned('b'), None).unwrap();
        assert!(said.starts_with(
            "users runs users:9 with shop/users bbbbbbbbbbbb, deployed past the pipeline: verified is aaaaaaaaaaaa, by r1. \
             To deploy that again: {\"environment\":\"dev\",\"force\":true,"
        ), "{said}");
        assert!(check(&row, ":main-1", None).unwrap().contains("shop/users main-1"));
        assert_eq!(check(&row, &pinned('a'), None), None);
        assert_eq!(check(&ServiceRow::default(), &pinned('b'), None), None, "nothing was verified");
    }

    #[test]
    fn what_a_release_left_there_is_no_drift() {
        let row = ServiceRow { verified: Some(known('a')), ..ServiceRow::default() };
        let pinned = format!("@{}", digest('b'));
        let registered = MoveRow { registered: Some(arn(9)), ..moved() };
        let returned = MoveRow { rollback_revision: Some(arn(9)), ..moved() };
        let other = MoveRow { registered: Some(arn(8)), ..moved() };
        for (last, drifts) in [(registered, false), (returned, false), (other, true)] {
            assert_eq!(check(&row, &pinned, Some(&last)).is_some(), drifts, "{last:?}");
        }
    }

    #[test]
    fn an_execution_that_ended_a_while_ago_is_dead() {
        let open = Open { since: Some(at(1_000)), ..Open::default() };
        for (execution, now, expected) in [
            (Execution::Running, 9_000, None),
            (Execution::Ended(at(2_000)), 2_069, None),
            (Execution::Ended(at(2_000)), 2_070, Some(at(2_000))),
            (Execution::Unknown, 4_599, None),
            (Execution::Unknown, 4_600, Some(at(1_000))),
        ] {
            assert_eq!(ended(&open, execution, at(now)), expected, "{execution:?} {now}");
        }
        assert_eq!(
            ended(&Open::default(), Execution::Unknown, at(9_999)),
            None,
            "nobody knows how old it is"
        );
    }

    #[test]
    fn a_dead_release_is_told_with_what_it_holds_unless_it_is_closed() {
        let open = |count: usize| Open {
            since: None,
            holds: (0..count).map(|n| ServiceName::parse(format!("s{n}")).unwrap()).collect(),
        };
        let said = |count| died(&release("r7"), Some(&head()), &open(count), at(0)).unwrap().text;
        assert_eq!(
            said(1),
            "the release r7 has died: its execution has ended, at 1970-01-01T00:00:00Z at the latest, it holds s0. To roll \
             back what it has updated: {\"environment\":\"dev\",\"mode\":\"rollback\",\"reason\":\"it died\",\"release\":\"r7\"}"
        );
        assert!(said(0).contains("it holds no service") && said(7).contains("s4 and 2 more"));
        let closed = HeadRow { outcome: Some(Outcome::Deployed), ..head() };
        assert_eq!(died(&release("r7"), Some(&closed), &open(1), at(0)), None);
        assert_eq!(died(&release("r7"), None, &open(1), at(0)), None);
    }
}
