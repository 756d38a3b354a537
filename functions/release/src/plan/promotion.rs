//! The way from one environment to the next: what was verified there, and whether that is enough.  Pure.

use std::collections::BTreeMap;

use pipeline::clock::Timestamp;
use pipeline::environment::{Environment, Environments};
use pipeline::ids::{Digest, EnvironmentName, ReleaseId, Repository};
use pipeline::rows::{Evidence, EvidenceRow, ServiceRow};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::Candidate;
use crate::ports::ImageKey;

/// The longest name of an execution.
const LONGEST_NAME: usize = 80;

/// What one image has to show.
#[derive(Debug, PartialEq)]
pub enum Shown {
    /// Enough.
    Enough,
    /// Not yet: for so many seconds.
    Young(i64, String),
    /// Not enough.
    Lacking(String),
}

/// Returns the image of each repository that a release has brought last to one of these services, and that one still
/// runs; what was only adopted proves nothing, and a rollback brings nothing anew.
pub fn newest<'a>(services: impl Iterator<Item = &'a ServiceRow>) -> BTreeMap<Repository, Digest> {
    let mut newest: BTreeMap<&Repository, (Timestamp, &Digest)> = BTreeMap::new();
    for row in services {
        for repository in row.repositories() {
            let Some(digest) = row.verified(repository).map(|fact| &fact.digest) else { continue };
            let Some(since) = row.released(repository, digest) else { continue };
            if newest.get(repository).is_none_or(|(other, _)| *other < since) {
                newest.insert(repository, (since, digest));
            }
        }
    }
    newest.into_iter().map(|(repository, (_, digest))| (repository.clone(), digest.clone())).collect()
}

/// Tells whether an image may come here, by what it has shown in the environment before.
pub fn shown(
    image: &ImageKey,
    row: Option<&EvidenceRow>,
    from: &EnvironmentName,
    soak_minutes: u32,
    now: Timestamp,
) -> Shown {
    let what = format!("{}@{}", image.0, image.1.short());
    let Some(row) = row else {
        return Shown::Lacking(format!("{from} has not verified {what}: expected a release there first"));
    };
    if let Some(bad) = &row.quarantine {
        let (by, since) = (&bad.release, bad.since);
        return Shown::Lacking(format!(
            "{what} is in quarantine in {from} since {since}, by {by}: {}",
            bad.reason
        ));
    }
    let Some(verified) = &row.verified else {
        return Shown::Lacking(format!("{from} has not verified {what}: expected a release there first"));
    };
    let left = i64::from(soak_minutes) * 60 - now.seconds_since(verified.since);
    if left > 0 {
        return Shown::Young(
            left,
            format!(
                "{what} is verified in {from} since {}: it needs {soak_minutes} minutes of soak; {left} s left",
                verified.since
            ),
        );
    }
    Shown::Enough
}

/// Tells why a service stays with what it runs, if that is not older than what is on offer.
pub fn older(
    candidate: &Candidate,
    offered: Option<&Evidence>,
    present: Option<&Evidence>,
) -> Option<String> {
    let known = candidate.verified().filter(|known| known.release.is_some())?;
    if known.digest == candidate.digest {
        return None;
    }
    // What came here past the environment before is compared by when it was verified here.
    let since = present.map_or(known.since, |evidence| evidence.since);
    let newer = offered.is_none_or(|evidence| evidence.since > since);
    let (runs, offer) = (known.digest.short(), candidate.digest.short());
    (!newer).then(|| format!("it runs {runs}, which is newer than {offer}"))
}

/// Tells why a service stays with what it runs, if the environment before has rolled its own back from what is offered.
pub fn held(candidate: &Candidate, from: &EnvironmentName, there: Option<&ServiceRow>) -> Option<String> {
    let hold = there?.hold(&candidate.repository, &candidate.digest)?;
    let (image, by, since) = (hold.digest.short(), &hold.release, hold.since);
    Some(format!("{from} has rolled it back from {image}, by {by} at {since}"))
}

/// Returns the environments that take from another one.
pub fn followers<'a>(
    environments: &'a Environments,
    from: &'a EnvironmentName,
) -> impl Iterator<Item = &'a EnvironmentName> {
    let takes = move |environment: &Environment| environment.from.as_ref() == Some(from);
    environments.good().filter(move |(_, environment)| takes(environment)).map(|(name, _)| name)
}

/// Returns the environments that take from another one, at whatever remove.
pub fn downstream<'a>(environments: &'a Environments, from: &'a EnvironmentName) -> Vec<&'a EnvironmentName> {
    let mut found = vec![from];
    let mut next = 0;
    while let Some(one) = found.get(next).copied() {
        // Two may take from one another.
        let more: Vec<_> = followers(environments, one).filter(|name| !found.contains(name)).collect();
        found.extend(more);
        next += 1;
    }
    found.split_off(1)
}

/// Returns the request for the release that follows.
pub fn following(
    next: &EnvironmentName,
    release: &ReleaseId,
    images: &BTreeMap<&Repository, &Digest>,
) -> Value {
    json!({"environment": next, "scope": "cluster", "images": images, "promotedBy": release})
}

/// Returns its name: the same for the same release, so that it starts once.
pub fn name(next: &EnvironmentName, release: &ReleaseId) -> String {
    let name = format!("{next}-{release}");
    if name.len() <= LONGEST_NAME {
        return name;
    }
    let hash: String =
        Sha256::digest(release.as_str()).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("{next}-{hash}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::{candidate, digest, known, release, repository};
    use pipeline::rows::{Hold, How, Quarantine, VerifiedImage, hold_key};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn evidence(seconds: i64) -> Evidence {
        Evidence { release: release("r1"), since: at(seconds), commit: None }
    }

    #[test]
    fn the_newest_of_each_repository_is_on_offer_and_a_baseline_is_not() {
        let of = |fact: VerifiedImage| ServiceRow { verified: Some(fact), ..ServiceRow::default() };
        let old = of(VerifiedImage { since: at(1), ..known('a') });
        let new = of(VerifiedImage { since: at(2), ..known('b') });
        let adopted = of(VerifiedImage { since: at(3), release: None, ..known('c') });
        let other = of(VerifiedImage { repository: Repository::parse("shop/orders").unwrap(), ..known('d') });
        let offered = newest([old, new, adopted, other].iter());
        assert_eq!(offered.into_values().collect::<Vec<_>>(), [digest('d'), digest('b')]);
    }

    #[test]
    fn a_service_that_was_rolled_back_offers_nothing_newer_than_before() {
        let fact = |seconds, letter, how| {
            let how = Some(how);
            VerifiedImage { since: at(seconds), how, ..known(letter) }
        };
        let (a, b) = (fact(1, 'a', How::Released), fact(2, 'b', How::Released));
        let history = vec![fact(9, 'a', How::RolledBack), b.clone(), a];
        let rolled_back = ServiceRow { history, ..ServiceRow::default() };
        let other = ServiceRow { history: vec![b], ..ServiceRow::default() };
        let offered = newest([rolled_back, other].iter());
        assert_eq!(offered.into_values().collect::<Vec<_>>(), [digest('b')]);
    }

    #[test]
    fn what_was_not_verified_or_is_too_young_or_was_bad_is_named() {
        let (image, dev) = ((repository(), digest('b')), EnvironmentName::parse("dev").unwrap());
        let shown = |row: Option<&EvidenceRow>, soak| super::shown(&image, row, &dev, soak, at(600));
        let good = EvidenceRow { verified: Some(evidence(0)), quarantine: None };
        assert_eq!(shown(Some(&good), 10), Shown::Enough);
        assert!(matches!(shown(Some(&good), 11), Shown::Young(60, why) if why.contains("60 s left")));
        for nothing in [None, Some(&EvidenceRow::default())] {
            assert_eq!(
                shown(nothing, 0),
                Shown::Lacking(
                    "dev has not verified shop/users@bbbbbbbbbbbb: expected a release there first".to_owned()
                )
            );
        }
        let bad = Quarantine { release: release("r1"), since: at(1), reason: "it answered 500".to_owned() };
        let bad = EvidenceRow { quarantine: Some(bad), ..good };
        assert!(matches!(shown(Some(&bad), 0), Shown::Lacking(why) if why.ends_with("it answered 500")));
    }

    #[test]
    fn a_service_stays_that_runs_something_newer() {
        let mut service = candidate(":main-1");
        assert_eq!(older(&service, Some(&evidence(5)), None), None, "nobody verified what it runs");
        service.row.verified = Some(VerifiedImage { since: at(9), ..known('a') });
        let stays = |present: Option<i64>| {
            older(&service, Some(&evidence(5)), present.map(evidence).as_ref()).is_some()
        };
        assert!(stays(None), "a hotfix of after the verification");
        assert!(stays(Some(6)) && stays(Some(5)) && !stays(Some(4)), "both were verified there");
        service.digest = digest('a');
        assert_eq!(older(&service, Some(&evidence(5)), None), None, "it is the same image");
    }

    #[test]
    fn a_service_stays_that_the_environment_before_has_rolled_back() {
        let (service, dev) = (candidate(":main-1"), EnvironmentName::parse("dev").unwrap());
        let row = |letter| {
            let hold = Hold { digest: digest(letter), release: release("r1"), since: at(7) };
            let by_repository = [(hold_key(&repository()), json!(hold))].into();
            ServiceRow { by_repository, ..ServiceRow::default() }
        };
        assert_eq!(held(&service, &dev, None), None);
        assert_eq!(held(&service, &dev, Some(&row('c'))), None, "it is another image");
        assert_eq!(
            held(&service, &dev, Some(&row('b'))).unwrap(),
            "dev has rolled it back from bbbbbbbbbbbb, by r1 at 1970-01-01T00:00:07Z"
        );
    }

    #[test]
    fn a_following_release_has_one_name() {
        let (next, long) = (EnvironmentName::parse("prod").unwrap(), release(&"r".repeat(80)));
        assert_eq!(name(&next, &release("r1")), "prod-r1");
        assert!(name(&next, &long).len() < LONGEST_NAME && name(&next, &long).starts_with("prod-"));
    }
}
