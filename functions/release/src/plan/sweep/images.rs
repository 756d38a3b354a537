//! Images that are gone, and environment tags that disagree with what runs.  Pure.

use std::collections::{BTreeMap, BTreeSet};

use pipeline::ids::Digest;
use pipeline::rows::{FoundKind, WriteRow};
use serde_json::json;

use super::Found;
use super::lost::Shelf;
use crate::ports::StoredImage;

/// How many services a sentence names.
const NAMED: usize = 3;

/// Which services need an image, and for what.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Need<'a> {
    /// Those that run it.
    pub run: BTreeSet<&'a str>,
    /// Those that would go back to it.
    pub go_back: BTreeSet<&'a str>,
}

/// Returns the images of a repository that services need.
pub fn needed<'a>(shelf: &Shelf<'a>) -> BTreeMap<&'a Digest, Need<'a>> {
    let mut needed: BTreeMap<&Digest, Need<'_>> = BTreeMap::new();
    for (service, row) in &shelf.services {
        if let Some(fact) = row.verified(shelf.repository) {
            needed.entry(&fact.digest).or_default().run.insert(service.as_str());
        }
        if let Some(fact) = row.before(shelf.repository) {
            needed.entry(&fact.digest).or_default().go_back.insert(service.as_str());
        }
    }
    needed
}

/// Returns those of them that are not among the images that have a tag: somebody has to look once more.
pub fn unlisted(needed: &BTreeMap<&Digest, Need<'_>>, images: &[StoredImage]) -> Vec<Digest> {
    let listed: BTreeSet<&Digest> = images.iter().map(|image| &image.digest).collect();
    needed.keys().filter(|digest| !listed.contains(**digest)).map(|digest| (*digest).clone()).collect()
}

/// Tells of images that are gone and needed.
pub fn gone(shelf: &Shelf<'_>, needed: &BTreeMap<&Digest, Need<'_>>, gone: &BTreeSet<Digest>) -> Vec<Found> {
    let mut found = Vec::new();
    for (digest, need) in needed.iter().filter(|(digest, _)| gone.contains(**digest)) {
        let (repository, short) = (shelf.repository.as_str(), digest.short());
        let about = format!("{repository}#{short}");
        if !need.run.is_empty() {
            let text = format!(
                "the image {repository}@{short} is gone from ECR, and {}: no new task can start. Push it again, or deploy \
                 another image",
                who(&need.run, "runs it", "run it")
            );
            found.push(Found::of(FoundKind::Image, repository, &about, digest.as_str(), &text));
        } else {
            let text = format!(
                "the image {repository}@{short} is gone from ECR, and {}: push it again, or there is no way back until \
                 the next release",
                who(&need.go_back, "would be rolled back to it", "would be rolled back to it")
            );
            found.push(Found::of(FoundKind::WayBack, repository, &about, digest.as_str(), &text));
        }
    }
    found
}

/// Names services with what they do.
fn who(services: &BTreeSet<&str>, one: &str, several: &str) -> String {
    let names: Vec<&str> = services.iter().take(NAMED).copied().collect();
    match services.len().saturating_sub(NAMED) {
        0 if names.len() == 1 => format!("{} {one}", names.join("")),
        0 => format!("{} {several}", names.join(" and ")),
        more => format!("{} and {more} more {several}", names.join(", ")),
    }
}

/// Returns the image that the environment's tag names, where that is none that was verified last; nothing is known
/// where nothing was verified.
pub fn other_than_verified<'a>(shelf: &Shelf<'a>) -> Option<(&'a Digest, &'a Digest)> {
    let tag = shelf.policy.tag.as_str();
    let named = shelf.images.iter().find(|image| image.tags.iter().any(|one| one == tag))?;
    let facts = shelf.services.iter().filter_map(|(_, row)| row.verified(shelf.repository));
    let newest = facts.clone().max_by_key(|fact| fact.since)?;
    let agrees = facts.into_iter().any(|fact| fact.digest == named.digest);
    (!agrees).then_some((&named.digest, &newest.digest))
}

/// Tells that the environment's tag names another image than what was verified; `writes` is what the pipeline wrote.
pub fn tag(shelf: &Shelf<'_>, named: &Digest, verified: &Digest, writes: &[WriteRow]) -> Found {
    let (name, repository, tag) = (shelf.name, shelf.repository, &shelf.policy.tag);
    let ours = writes.iter().max_by_key(|write| write.time).is_some_and(|write| write.digest == *named);
    let whose = match ours {
        true => "a release put it there and has not put it back",
        false => "the pipeline did not put it there",
    };
    let request = |image: &Digest, more: serde_json::Value| {
        let mut request = json!({"environment": name, "repository": repository, "image": image});
        if let (Some(request), Some(more)) = (request.as_object_mut(), more.as_object()) {
            request.extend(more.clone());
        }
        request
    };
    let back = request(verified, json!({"force": true, "reason": "its tag named another image"}));
    let text = format!(
        "the tag {tag} of {repository} names {}, and {} is what was verified: {whose}. To deploy what it names: {}. To keep what \
         was verified: {back}",
        named.short(),
        verified.short(),
        request(named, json!({}))
    );
    let place = repository.as_str();
    Found::of(FoundKind::Tag, place, place, named.as_str(), &text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::sweep::lost::tests::image;
    use crate::plan::tests::{digest, environment, known, repository};
    use pipeline::clock::Timestamp;
    use pipeline::ids::{EnvironmentName, ServiceName};
    use pipeline::rows::{ServiceRow, VerifiedImage};

    /// Looks at a repository with these images, of which two services run the image a and would go back to c.
    fn with<Answer>(images: &[StoredImage], look: impl FnOnce(&Shelf<'_>) -> Answer) -> Answer {
        let later = VerifiedImage { since: Timestamp::from_millis(9), ..known('a') };
        let row = ServiceRow { history: vec![later, known('c')], ..ServiceRow::default() };
        let names = ["a", "b"].map(|name| ServiceName::parse(name).unwrap());
        let (dev, policy) = (EnvironmentName::parse("dev").unwrap(), environment());
        let services = names.iter().map(|name| (name, &row)).collect();
        look(&Shelf { name: &dev, policy: &policy, repository: &repository(), images, services })
    }

    #[test]
    fn an_image_that_is_needed_and_gone_is_told_by_what_it_is_needed_for() {
        let there = [image('a', &["tidegate.dev.a.live"], 1)];
        with(&there, |shelf| {
            let needed = needed(shelf);
            assert_eq!(unlisted(&needed, shelf.images), [digest('c')]);
            let told = |letters: &[char]| {
                let gone_ones = letters.iter().map(|letter| digest(*letter)).collect();
                let found = gone(shelf, &needed, &gone_ones);
                found.into_iter().map(|one| (one.kind, one.text)).collect::<Vec<_>>()
            };
            assert_eq!(told(&[]), []);
            assert_eq!(
                told(&['a', 'c', 'f']),
                [
                    (
                        FoundKind::Image,
                        "the image shop/users@aaaaaaaaaaaa is gone from ECR, and a and b run it: no new task can start. \
                         Push it again, or deploy another image"
                            .to_owned()
                    ),
                    (
                        FoundKind::WayBack,
                        "the image shop/users@cccccccccccc is gone from ECR, and a and b would be rolled back to it: push \
                         it again, or there is no way back until the next release"
                            .to_owned()
                    ),
                ]
            );
        });
        assert_eq!(who(&["a"].into(), "runs it", "run it"), "a runs it");
        assert_eq!(who(&["a", "b", "c", "d", "e"].into(), "", "run it"), "a, b, c and 2 more run it");
    }

    #[test]
    fn the_tag_agrees_with_what_was_verified_or_both_requests_are_told() {
        let other =
            |tagged: char| with(&[image(tagged, &["dev"], 1)], |shelf| other_than_verified(shelf).is_some());
        assert!(!other('a') && other('c') && other('b'));
        assert!(with(&[image('b', &["main-1"], 1)], |shelf| other_than_verified(shelf).is_none()), "no tag");
        let write = |letter| WriteRow { digest: digest(letter), time: Timestamp::from_millis(1), expires: 0 };
        let told = |writes: &[WriteRow]| {
            with(&[image('b', &["dev"], 1)], |shelf| tag(shelf, &digest('b'), &digest('a'), writes).text)
        };
        let [a, b] = ['a', 'b'].map(digest);
        assert_eq!(
            told(&[]),
            format!(
                "the tag dev of shop/users names bbbbbbbbbbbb, and aaaaaaaaaaaa is what was verified: the pipeline did not \
                 put it there. To deploy what it names: {{\"environment\":\"dev\",\"image\":\"{b}\",\"repository\":\"shop/users\"}}. \
                 To keep what was verified: {{\"environment\":\"dev\",\"force\":true,\"image\":\"{a}\",\"reason\":\"its tag named \
                 another image\",\"repository\":\"shop/users\"}}"
            )
        );
        assert!(told(&[write('b')]).contains("a release put it there and has not put it back"));
        assert!(told(&[write('a')]).contains("the pipeline did not put it there"));
    }
}
