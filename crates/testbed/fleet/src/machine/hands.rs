//! What people, infrastructure code and AWS itself do in the account, past the pipeline.

use serde_json::json;

use crate::cluster::uri;
use crate::fake::State;

/// One such thing.  A service is named with its cluster, as in `fleet/users`.
#[derive(Clone, Debug)]
pub enum Hand {
    /// Somebody points a service at an image of their own, from a repository.
    Deploy(String, String),
    /// Somebody forces a new deployment of what a service is on.
    Force(String),
    /// Infrastructure code registers another revision with the same images, and deploys it.
    Infrastructure(String),
    /// Somebody changes how many tasks a service is to run.
    Scale(String, u32),
    /// Somebody deletes a service.
    Delete(String),
    /// Somebody stores a parameter; an empty one is deleted.
    Store(String, String),
    /// Somebody has a tag of a repository name what another tag names.
    Tag(String, String, String),
    /// A build pushes an image, named as pushes are, whose event is lost.
    PushUnheard(String, String),
    /// Somebody has a tag of a repository name what another tag names, and the event is lost.
    TagUnheard(String, String, String),
    /// A lifecycle rule takes the oldest images of a repository but so many; keep-tags spare theirs.
    Expire(String, usize),
    /// An alarm changes.
    Alarm(String, bool),
    /// Somebody takes a tag away, and all images that have none.
    Forget(String),
    /// The calls of an operation take so many milliseconds more from now on.
    Slow(&'static str, i64),
    /// The stack is updated: every row has keys from now on that this version does not know.
    Annotate,
    /// The stack is updated: what is known of services was written by an older version.
    Older,
}

/// What leads to an event.
pub enum Noticed {
    /// An image got a tag.
    Tagged(Tagged),
    /// An alarm went red, which it was not.
    Red {
        /// The alarm.
        alarm: String,
        /// Its state before.
        before: &'static str,
    },
}

/// An image that got a tag.
pub struct Tagged {
    /// The repository.
    pub repository: String,
    /// The tag.
    pub tag: String,
    /// What it names.
    pub digest: String,
}

impl Hand {
    /// Does it; a name that is not there any more changes nothing.
    pub(super) fn act(self, account: &mut State) -> Option<Noticed> {
        let now = account.now;
        match self {
            Hand::Deploy(service, repository) => {
                let what = format!("theirs, of {service}");
                let digest = account.ecr.push(&repository, &what, None);
                let image = format!("{}@{digest}", uri(&repository));
                let images = account.images_of(&service)?;
                let of = format!("{}@", uri(&repository));
                let images: Vec<String> = images
                    .into_iter()
                    .map(|other| if other.starts_with(&of) || other == image { image.clone() } else { other })
                    .collect();
                account.deploy(&service, &images);
            }
            Hand::Force(service) => {
                let revision = account.ecs.at(&service, now)?.primary().2.to_owned();
                drop(account.ecs.point(&service, &revision, &account.ecr, now));
            }
            Hand::Infrastructure(service) => {
                let images = account.images_of(&service)?;
                account.deploy(&service, &images);
            }
            Hand::Scale(service, tasks) => account.ecs.services.get_mut(&service)?.desired = tasks,
            Hand::Delete(service) => drop(account.ecs.services.remove(&service)),
            Hand::Store(name, text) if text.is_empty() => drop(account.parameters.remove(&name)),
            Hand::Store(name, text) => drop(account.parameters.insert(name, text)),
            Hand::Tag(repository, tag, other) => {
                let digest = account.ecr.tagged(&repository, &other)?.to_owned();
                account.ecr.tag(&repository, &tag, &digest);
                return Some(Noticed::Tagged(Tagged { repository, tag, digest }));
            }
            Hand::PushUnheard(repository, name) => {
                let (what, tag) = (format!("{repository} {name}"), format!("main-{name}"));
                account.ecr.push(&repository, &what, Some(&tag));
            }
            Hand::TagUnheard(repository, tag, other) => {
                let digest = account.ecr.tagged(&repository, &other)?.to_owned();
                account.ecr.tag(&repository, &tag, &digest);
            }
            Hand::Expire(repository, keep) => account.ecr.expire(&repository, keep),
            Hand::Alarm(alarm, red) => {
                let before = account.alarms.set(&alarm, red, now)?;
                return red.then_some(Noticed::Red { alarm, before });
            }
            Hand::Older => account.table.make_older(),
            Hand::Forget(tag) => account.ecr.forget(&tag),
            Hand::Slow(operation, milliseconds) => {
                account.slow.insert(operation.to_owned(), milliseconds);
            }
            Hand::Annotate => account.table.annotate(&json!({"M": {"by": {"S": "a later version"}}})),
        }
        None
    }
}

impl State {
    /// Returns the images that a service is to run, pinned to what it does run.
    fn images_of(&mut self, service: &str) -> Option<Vec<String>> {
        let now = self.now;
        let (_, _, revision, digests) = self.ecs.at(service, now)?.primary();
        let (revision, digests) = (revision.to_owned(), digests.to_vec());
        let pinned = self.ecs.images_of(&revision).into_iter().zip(digests).map(|(image, digest)| {
            let named = image.rsplit_once("/").map_or(image.as_str(), |(_, name)| name);
            let end = image.len() - named.len() + named.find(['@', ':']).unwrap_or(named.len());
            format!("{}@{digest}", image.get(..end).unwrap_or_default())
        });
        Some(pinned.collect())
    }

    fn deploy(&mut self, service: &str, images: &[String]) {
        let family = service.rsplit('/').next().unwrap_or_default();
        let revision = self.ecs.register(family, images);
        drop(self.ecs.point(service, &revision, &self.ecr, self.now));
    }
}
