//! Which pushes were lost: images that nobody was told of.  Pure.

use pipeline::clock::Timestamp;
use pipeline::environment::{Environment, Environments};
use pipeline::ids::{Digest, EnvironmentName, Repository, ServiceName, Tag};
use pipeline::rows::{FoundKind, OrderKey, PushRow, ServiceRow};
use wildmatch::WildMatch;

use super::{Found, SAME_PUSH_SECONDS};
use crate::intake::home::Home;
use crate::intake::lost::{Lost, event};
use crate::intake::push::{Event, Push, read};
use crate::intake::route;
use crate::ports::StoredImage;

/// How long the event of a push may still come by itself.
const MAY_COME_SECONDS: i64 = 600;

/// After how long nobody waits for a push any more.
const OLDEST_SECONDS: i64 = 7 * 24 * 3600;

/// How many tags of one image are looked at.
const TAGS: usize = 10;

/// A repository, and what an environment knows of those of its services that run its images.
#[derive(Debug)]
pub struct Shelf<'a> {
    /// The environment.
    pub name: &'a EnvironmentName,
    /// Its policy.
    pub policy: &'a Environment,
    /// The repository.
    pub repository: &'a Repository,
    /// Its images.
    pub images: &'a [StoredImage],
    /// The services.
    pub services: Vec<(&'a ServiceName, &'a ServiceRow)>,
}

/// When a sweep looks, and from when on pushes count.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Now.
    pub now: Timestamp,
    /// What was pushed before is left alone.
    pub first: Timestamp,
    /// Whether a person asked for the sweep: then no event is waited for.
    pub asked: bool,
}

/// An image that may have been lost, by each of its tags that the environment takes.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// What its events would have said; at least one.
    pub pushes: Vec<(Push, Lost)>,
    /// When it was pushed.
    pub pushed: Timestamp,
    /// What it is.
    pub digest: Digest,
}

/// Finds the newest image that a build has pushed for an environment, and the one that its own tag names.
pub fn candidates(shelf: &Shelf<'_>, environments: &Environments, home: &Home) -> Vec<Candidate> {
    let own = shelf.policy.tag.as_str();
    let patterns: Vec<WildMatch> =
        shelf.policy.deploy_on.iter().map(|pattern| WildMatch::new(pattern)).collect();
    let built = |tag: &str| tag != own && patterns.iter().any(|pattern| pattern.matches(tag));
    let mut images: Vec<&StoredImage> = shelf.images.iter().filter(|image| image.pushed.is_some()).collect();
    images.sort_by_key(|image| std::cmp::Reverse((image.pushed, image.digest.clone())));
    let newest = images.iter().find_map(|image| candidate(shelf, image, environments, home, built));
    let named = images.iter().find_map(|image| candidate(shelf, image, environments, home, |tag| tag == own));
    let other = |named: &Candidate| newest.as_ref().is_none_or(|newest| newest.digest != named.digest);
    let named = named.filter(other);
    newest.into_iter().chain(named).collect()
}

fn candidate(
    shelf: &Shelf<'_>,
    image: &StoredImage,
    environments: &Environments,
    home: &Home,
    takes: impl Fn(&str) -> bool,
) -> Option<Candidate> {
    let pushed = image.pushed?;
    let tags = image.tags.iter().filter(|tag| takes(tag)).filter_map(|tag| Tag::parse(tag.as_str()).ok());
    let pushes: Vec<(Push, Lost)> = tags
        .take(TAGS)
        .filter_map(|tag| {
            let lost = event(shelf.name, home, shelf.repository, &tag, image, pushed);
            // What is no image, or is for nobody or for several, no event would start either.
            let Ok(Event::Push(push)) = read(lost.event.clone()) else { return None };
            let ours = route::taken_by(&push, environments).is_ok_and(|(name, _)| name == shelf.name);
            ours.then_some((*push, lost))
        })
        .collect();
    let digest = image.digest.clone();
    (!pushes.is_empty()).then_some(Candidate { pushes, pushed, digest })
}

/// Tells whether nobody was told of an image; `seen` is what was seen of its tags.
pub fn is_lost(candidate: &Candidate, seen: &[&PushRow], shelf: &Shelf<'_>, moment: Moment) -> bool {
    let Candidate { pushed, digest, .. } = candidate;
    let age = moment.now.seconds_since(*pushed);
    let may_come = age < MAY_COME_SECONDS && !moment.asked;
    if *pushed < moment.first || age > OLDEST_SECONDS || may_come {
        return false;
    }
    let from = pushed.plus_seconds(-SAME_PUSH_SECONDS);
    if seen.iter().any(|row| row.pushed >= from.millis()) {
        return false;
    }
    // What was accepted later stays, and what runs already need not come.
    let order = OrderKey::new(from, Timestamp::from_millis(0), None);
    let settled = |row: &ServiceRow| {
        let runs = row.verified(shelf.repository).is_some_and(|fact| fact.digest == *digest);
        runs || row.order(shelf.repository).is_some_and(|newest| newest >= order)
    };
    shelf.services.is_empty() || !shelf.services.iter().all(|(_, row)| settled(row))
}

/// Tells of a lost push that is started, or of why it is not.
pub fn found(candidate: &Candidate, frozen: Option<&str>) -> Option<(Found, Lost)> {
    let (push, lost) = candidate.pushes.first()?;
    let what = format!("the push of {} to {} at {} was lost", push.tag, push.repository, push.time);
    let (value, text) = match frozen {
        None => (lost.execution.clone(), format!("{what} and is started now, as {}", lost.execution)),
        Some(why) => (
            format!("{} frozen", lost.execution),
            format!("{what}, and is not started: {why}. The first sweep after the freeze starts it"),
        ),
    };
    let place = push.repository.as_str();
    let about = format!("{place}#{}", push.tag);
    Some((Found::of(FoundKind::Lost, place, &about, &value, &text), lost.clone()))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::plan::tests::{digest, known, repository};
    use pipeline::ids::Registry;
    use pipeline::rows::{SeenBy, order_key};
    use serde_json::json;

    const DAY: i64 = 24 * 3600;

    /// Returns an image that was pushed so many seconds after 1970.
    pub fn image(letter: char, tags: &[&str], pushed: i64) -> StoredImage {
        StoredImage {
            digest: digest(letter),
            tags: tags.iter().map(ToString::to_string).collect(),
            pushed: Some(Timestamp::from_millis(pushed * 1000)),
            manifest_type: None,
            artifact_type: None,
        }
    }

    fn environments() -> Environments {
        let dev = r#"{"cluster": "dev", "tag": "dev", "deployOn": ["main-*", "both-*"]}"#;
        let test = r#"{"cluster": "test", "tag": "test", "deployOn": ["both-*"]}"#;
        Environments::read([("/tidegate/environments/dev", dev), ("/tidegate/environments/test", test)])
    }

    fn home() -> Home {
        Home { account: Registry::parse("123456789012").unwrap(), region: "eu-west-1".to_owned() }
    }

    /// Plays a look at a repository: which digests were lost.
    fn lost(images: &[StoredImage], rows: &[ServiceRow], seen: &[PushRow], moment: Moment) -> Vec<String> {
        let (environments, dev) = (environments(), EnvironmentName::parse("dev").unwrap());
        let (service, repository) = (ServiceName::parse("users").unwrap(), repository());
        let policy = environments.get(&dev).unwrap().unwrap();
        let services = rows.iter().map(|row| (&service, row)).collect();
        let shelf = Shelf { name: &dev, policy, repository: &repository, images, services };
        let found = candidates(&shelf, &environments, &home());
        let seen: Vec<&PushRow> = seen.iter().collect();
        let lost = found.iter().filter(|one| is_lost(one, &seen, &shelf, moment));
        lost.map(|one| format!("{} {}", one.pushes[0].0.tag, &one.digest.short()[..1])).collect()
    }

    fn at(now: i64) -> Moment {
        Moment {
            now: Timestamp::from_millis(now * 1000),
            first: Timestamp::from_millis(DAY * 1000),
            asked: false,
        }
    }

    fn seen(pushed: i64) -> PushRow {
        PushRow { pushed: pushed * 1000, seen_by: SeenBy::Event, execution: "r1".to_owned(), expires: 0 }
    }

    fn ordered(pushed: i64) -> ServiceRow {
        let moment = Timestamp::from_millis(pushed * 1000);
        let order = OrderKey::new(moment, moment, Some(&digest('c')));
        let by_repository = [(order_key(&repository()), json!(order))].into();
        ServiceRow { by_repository, ..ServiceRow::default() }
    }

    /// What it is, what is known of the services, what was seen, when the sweep looks, and whether it was lost.
    type Case = (&'static str, Vec<ServiceRow>, Vec<PushRow>, Moment, bool);

    #[test]
    fn the_newest_build_that_nobody_saw_was_lost() {
        let pushed = 2 * DAY;
        let images = [image('a', &["main-1"], DAY + 5), image('b', &["main-2", "other"], pushed)];
        let runs = ServiceRow { verified: Some(known('b')), ..ServiceRow::default() };
        let all: [Case; 13] = [
            ("nobody saw it", vec![ordered(DAY)], vec![], at(pushed + 600), true),
            ("no service was ever released", vec![], vec![], at(pushed + 600), true),
            ("its event may still come", vec![ordered(DAY)], vec![], at(pushed + 599), false),
            (
                "somebody asks, and waits for no event",
                vec![ordered(DAY)],
                vec![],
                Moment { asked: true, ..at(pushed + 1) },
                true,
            ),
            ("it is a week old", vec![ordered(DAY)], vec![], at(pushed + 7 * DAY + 1), false),
            (
                "it was there before the first sweep",
                vec![ordered(DAY)],
                vec![],
                Moment { first: Timestamp::from_millis((pushed + 1) * 1000), ..at(pushed + 900) },
                false,
            ),
            ("its event was seen", vec![ordered(DAY)], vec![seen(pushed + 3)], at(pushed + 900), false),
            (
                "the clock of the event is behind",
                vec![ordered(DAY)],
                vec![seen(pushed - 120)],
                at(pushed + 900),
                false,
            ),
            ("the same image was seen long before", vec![], vec![seen(pushed - 121)], at(pushed + 900), true),
            ("the tag was seen later, too", vec![], vec![seen(pushed + DAY)], at(pushed + 900), false),
            ("something newer was accepted", vec![ordered(pushed + 60)], vec![], at(pushed + 900), false),
            ("of one service only", vec![ordered(pushed + 60), ordered(DAY)], vec![], at(pushed + 900), true),
            ("it runs", vec![runs], vec![], at(pushed + 900), false),
        ];
        for (case, rows, seen, moment, expected) in all {
            let found = lost(&images, &rows, &seen, moment);
            assert_eq!(found == ["main-2 b"], expected, "{case}: {found:?}");
            assert!(expected || found.is_empty(), "{case}: {found:?}");
        }
    }

    #[test]
    fn the_tag_of_the_environment_is_looked_at_too_and_once() {
        let now = at(3 * DAY);
        let own = [image('a', &["main-1"], 2 * DAY), image('b', &["dev"], 2 * DAY + 9)];
        assert_eq!(lost(&own, &[], &[], now), ["main-1 a", "dev b"]);
        assert_eq!(lost(&[image('b', &["dev", "main-2"], 2 * DAY)], &[], &[], now), ["main-2 b"]);
    }

    #[test]
    fn what_no_event_would_start_is_not_lost() {
        let now = at(3 * DAY);
        let chart = StoredImage {
            artifact_type: Some("application/vnd.cncf.helm.config.v1+json".to_owned()),
            ..image('c', &["main-3"], 2 * DAY)
        };
        let sleeping = StoredImage { pushed: None, ..image('d', &["main-4"], 0) };
        let all = [
            image('a', &["both-1"], 2 * DAY),
            image('b', &["feature-1", "test", "tidegate.dev.users.live"], 2 * DAY),
            chart,
            sleeping,
        ];
        assert_eq!(lost(&all, &[], &[], now), [""; 0]);
    }

    #[test]
    fn what_is_lost_is_started_or_told() {
        let (environments, dev) = (environments(), EnvironmentName::parse("dev").unwrap());
        let policy = environments.get(&dev).unwrap().unwrap();
        let images = [image('b', &["main-2"], 2 * DAY)];
        let repository = repository();
        let shelf = Shelf { name: &dev, policy, repository: &repository, images: &images, services: vec![] };
        let found = candidates(&shelf, &environments, &home());
        let (started, lost) = super::found(&found[0], None).unwrap();
        assert_eq!(
            started.text,
            format!(
                "the push of main-2 to shop/users at 1970-01-03T00:00:00Z was lost and is started now, as {}",
                lost.execution
            )
        );
        let (told, _) = super::found(&found[0], Some("dev is frozen since noon; by bob")).unwrap();
        assert_eq!(
            told.text,
            "the push of main-2 to shop/users at 1970-01-03T00:00:00Z was lost, and is not started: dev is frozen since noon, by bob. The first sweep after the freeze starts it"
        );
        assert_ne!(told.value, started.value);
    }
}
