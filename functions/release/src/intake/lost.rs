//! A push whose event was lost, as the event that it would have been.  Pure.

use pipeline::clock::Timestamp;
use pipeline::ids::{EnvironmentName, Repository, Tag};
use pipeline::rows::SeenBy;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::home::Home;
use super::push::Push;
use crate::ports::StoredImage;

/// How the id of such an event begins: those of EventBridge are hexadecimal.
const ID: &str = "sweep-";

/// How much of the name of an environment stands in the name of an execution.
const LONGEST_NAME: usize = 40;

/// An execution that a lost push starts.
#[derive(Clone, Debug, PartialEq)]
pub struct Lost {
    /// Its name: the same whoever finds the push, and whenever.
    pub execution: String,
    /// Its input.
    pub event: Value,
}

/// Makes the event of a tag of an image.
pub fn event(
    name: &EnvironmentName,
    home: &Home,
    repository: &Repository,
    tag: &Tag,
    image: &StoredImage,
    pushed: Timestamp,
) -> Lost {
    let what = format!("{name}/{repository}/{tag}/{}/{}", image.digest, pushed.millis());
    let hash: String = Sha256::digest(what).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let short: String = name.as_str().chars().take(LONGEST_NAME).collect();
    let event = json!({
        "version": "0", "id": format!("{ID}{hash}"), "detail-type": "ECR Image Action", "source": "aws.ecr",
        "account": home.account, "time": pushed, "region": home.region, "resources": ["tidegate:sweep"],
        "detail": {
            "action-type": "PUSH", "result": "SUCCESS", "repository-name": repository,
            "image-digest": image.digest, "image-tag": tag,
            "manifest-media-type": image.manifest_type, "artifact-media-type": image.artifact_type,
        }
    });
    Lost { execution: format!("lost-{short}-{hash}"), event }
}

impl Push {
    /// Tells who saw it: its event, or a sweep.
    pub fn seen_by(&self) -> SeenBy {
        if self.event.starts_with(ID) { SeenBy::Sweep } else { SeenBy::Event }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::push::{Event, read};
    use pipeline::ids::{Registry, ReleaseId};

    #[test]
    fn it_is_read_as_the_push_that_it_was() {
        let home = Home { account: Registry::parse("123456789012").unwrap(), region: "eu-west-1".to_owned() };
        let image = crate::plan::sweep::lost::tests::image('b', &[], 0);
        let long = EnvironmentName::parse("e".repeat(32)).unwrap();
        let (repository, tag) = (Repository::parse("shop/users").unwrap(), Tag::parse("main-7").unwrap());
        let pushed = Timestamp::parse("2026-11-23T10:00:00Z").unwrap();
        let lost = event(&long, &home, &repository, &tag, &image, pushed);
        assert!(ReleaseId::parse(lost.execution.as_str()).is_ok(), "{}", lost.execution);
        let Event::Push(push) = read(lost.event.clone()).unwrap() else { panic!("{:?}", lost.event) };
        assert_eq!((push.seen_by(), push.time, &push.tag), (SeenBy::Sweep, pushed, &tag));
        assert_eq!(event(&long, &home, &repository, &tag, &image, pushed), lost);
        let later = event(&long, &home, &repository, &tag, &image, pushed.plus_seconds(1));
        assert_ne!(later.execution, lost.execution);
    }
}
