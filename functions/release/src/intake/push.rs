//! An image that was pushed: what an event of ECR says.  Pure.

use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use pipeline::clock::Timestamp;
use pipeline::ids::{Digest, Registry, Repository, Tag};
use pipeline::rows::WriteRow;
use pipeline::{Fault, document};
use serde::Deserialize;
use serde_json::Value;

/// Every keep-tag starts so.
const KEEP: &str = "tidegate.";

/// An event of our own tag write bears a time from this many seconds before the write was written down...
const OWN_BEFORE_SECONDS: i64 = 2;
/// ... to this many after it.
const OWN_AFTER_SECONDS: i64 = 15;

/// What an event is about.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// An image was pushed under a tag.
    Push(Box<Push>),
    /// Nothing for us, and why.
    Nothing(String),
}

/// An image that was pushed under a tag.
#[derive(Clone, Debug, PartialEq)]
pub struct Push {
    /// The event's id: the same for every delivery of one event.
    pub event: String,
    /// The moment of the push, not of the delivery.
    pub time: Timestamp,
    /// The account that holds the repository.
    pub registry: Registry,
    /// The repository.
    pub repository: Repository,
    /// The image.
    pub digest: Digest,
    /// The tag.
    pub tag: Tag,
}

/// The detail of an `ECR Image Action`; whatever else it has is none of our business.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct ImageAction {
    action_type: String,
    result: String,
    repository_name: Repository,
    image_digest: Digest,
    #[serde(default)]
    image_tag: Option<String>,
}

/// Reads an event.
pub fn read(input: Value) -> Result<Event, Fault> {
    let event: EventBridgeEvent<Value> = document::read("the event", input)?;
    if (event.source.as_str(), event.detail_type.as_str()) != ("aws.ecr", "ECR Image Action") {
        return Err(Fault::NotSupported(format!("the event {:?} of {}", event.detail_type, event.source)));
    }
    let action: ImageAction = document::read("the event's detail", event.detail)?;
    if (action.action_type.as_str(), action.result.as_str()) != ("PUSH", "SUCCESS") {
        return Ok(Event::Nothing(format!("{} of an image, {}", action.action_type, action.result)));
    }
    // It is not documented whether a push without a tag has no such key or an empty one.
    let Some(tag) = action.image_tag.filter(|tag| !tag.is_empty()) else {
        return Ok(Event::Nothing(format!("{} was pushed without a tag", action.image_digest)));
    };
    if tag.starts_with(KEEP) {
        return Ok(Event::Nothing(format!("{tag} is one of our own keep-tags")));
    }
    let required = |what: &str| Fault::InvalidInput(format!("the event has no {what:?}"));
    Ok(Event::Push(Box::new(Push {
        event: event.id.ok_or_else(|| required("id"))?,
        time: Timestamp::from_millis(event.time.ok_or_else(|| required("time"))?.timestamp_millis()),
        registry: Registry::parse(event.account.ok_or_else(|| required("account"))?)?,
        repository: action.repository_name,
        digest: action.image_digest,
        tag: Tag::parse(tag)?,
    })))
}

impl Push {
    /// Tells whether it is the event of a tag that we wrote.
    pub fn is_own(&self, write: &WriteRow) -> bool {
        let after = self.time.millis() - write.time.millis();
        write.digest == self.digest
            && (-OWN_BEFORE_SECONDS * 1000..=OWN_AFTER_SECONDS * 1000).contains(&after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn push(detail: Value) -> Value {
        let mut event = json!({
            "version": "0", "id": "e1", "detail-type": "ECR Image Action", "source": "aws.ecr",
            "account": "123456789012", "time": "2026-11-23T10:00:00Z", "region": "eu-west-1", "resources": [],
            "detail": {"result": "SUCCESS", "repository-name": "shop/users", "action-type": "PUSH",
                       "image-digest": format!("sha256:{}", "b".repeat(64)), "image-tag": "main-1"}
        });
        event["detail"].as_object_mut().unwrap().extend(detail.as_object().unwrap().clone());
        event
    }

    fn nothing(detail: Value) -> String {
        match read(push(detail)).unwrap() {
            Event::Nothing(why) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_tagged_push_is_read_with_the_moment_of_the_push() {
        let Event::Push(push) = read(push(json!({}))).unwrap() else { panic!("not a push") };
        assert_eq!(push.time.to_string(), "2026-11-23T10:00:00Z");
        assert_eq!((push.repository.as_str(), push.tag.as_str()), ("shop/users", "main-1"));
    }

    #[test]
    fn what_is_not_a_push_of_a_tag_is_nothing_for_us() {
        assert!(nothing(json!({"image-tag": null})).contains("without a tag"));
        assert!(nothing(json!({"image-tag": ""})).contains("without a tag"));
        assert!(nothing(json!({"action-type": "DELETE"})).contains("DELETE"));
        assert!(nothing(json!({"result": "FAILURE"})).contains("FAILURE"));
        assert!(nothing(json!({"image-tag": "tidegate.dev.users.live"})).contains("keep-tags"));
    }

    #[test]
    fn a_poisoned_event_is_a_named_fault() {
        for detail in
            [json!({"image-digest": 7}), json!({"repository-name": "../x"}), json!({"image-tag": "a b"})]
        {
            assert_eq!(read(push(detail.clone())).unwrap_err().name(), "InvalidInput", "{detail}");
        }
    }

    #[test]
    fn other_events_are_not_supported() {
        let mut event = push(json!({}));
        event["source"] = "aws.cloudwatch".into();
        assert_eq!(read(event).unwrap_err().name(), "NotSupported");
    }
}
