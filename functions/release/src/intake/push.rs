//! An image that was pushed: what an event of ECR says.  Pure.

use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use pipeline::clock::Timestamp;
use pipeline::ids::{Digest, Registry, Repository, Tag};
use pipeline::text::{line, shown};
use pipeline::{Fault, document};
use serde::Deserialize;
use serde_json::Value;

/// Every keep-tag starts so.
const KEEP: &str = "tidegate.";

/// How long a name in an event may be, and how much of a word is shown.
const LONGEST_WORD: usize = 128;

/// What a manifest describes that is an image: other configurations are those of signatures, charts and the like.
const IMAGE_CONFIGURATIONS: [&str; 2] =
    ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];

/// What an event is about.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// An image was pushed under a tag.
    Push(Box<Push>),
    /// Nothing for us, and why.
    Nothing(String),
    /// Something that nobody should have sent here, and what to do.
    Foreign(String),
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
    /// The region that it is in.
    pub region: String,
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
    // Neither of these is documented; where they are missing, the tag has to tell.
    #[serde(default, alias = "image-manifest-media-type")]
    manifest_media_type: Option<String>,
    #[serde(default)]
    artifact_media_type: Option<String>,
}

/// Reads an event.
pub fn read(input: Value) -> Result<Event, Fault> {
    let event: EventBridgeEvent<Value> = document::read("the event", input)?;
    match (event.source.as_str(), event.detail_type.as_str()) {
        ("aws.ecr", "ECR Image Action") => {}
        ("aws.ecr", "ECR Referrer Action") => {
            return Ok(Event::Nothing(
                "a signature or another description of an image was pushed".to_owned(),
            ));
        }
        (source, kind) => return Ok(Event::Foreign(foreign(source, kind))),
    }
    let action: ImageAction = document::read("the event's detail", event.detail)?;
    if (action.action_type.as_str(), action.result.as_str()) != ("PUSH", "SUCCESS") {
        let [kind, result] = [action.action_type, action.result].map(|word| line(&word, LONGEST_WORD));
        return Ok(Event::Nothing(format!("{kind} of an image, {result}")));
    }
    // It is not documented whether a push without a tag has no such key or an empty one.
    let Some(tag) = action.image_tag.filter(|tag| !tag.is_empty()) else {
        return Ok(Event::Nothing(format!("{} was pushed without a tag", action.image_digest)));
    };
    if tag.starts_with(KEEP) {
        let tag = line(&tag, LONGEST_WORD);
        return Ok(Event::Nothing(format!("{tag} is one of our own keep-tags")));
    }
    if is_referrer(&tag) {
        let tag = line(&tag, LONGEST_WORD);
        return Ok(Event::Nothing(format!(
            "{tag} is the tag of a signature or another description of an image, and no image itself"
        )));
    }
    if let Some(kind) = artifact(&action.manifest_media_type, &action.artifact_media_type) {
        let [tag, kind] = [&tag, kind].map(|word| line(word, LONGEST_WORD));
        return Ok(Event::Nothing(format!("{tag} is an artifact of the type {kind}, and no image")));
    }
    let time = event.time.ok_or_else(|| required("time"))?;
    Ok(Event::Push(Box::new(Push {
        event: name("id", event.id)?,
        time: Timestamp::parse(&time.to_rfc3339())?,
        registry: Registry::parse(event.account.ok_or_else(|| required("account"))?)?,
        region: name("region", event.region)?,
        repository: action.repository_name,
        digest: action.image_digest,
        tag: Tag::parse(tag)?,
    })))
}

/// Takes a name that the event must have: it becomes a part of a key, and of sentences.
pub(super) fn name(key: &str, value: Option<String>) -> Result<String, Fault> {
    let value = value.filter(|value| !value.is_empty()).ok_or_else(|| required(key))?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    if value.len() <= LONGEST_WORD && value.bytes().all(plain) {
        return Ok(value);
    }
    let value = shown(&value);
    Err(Fault::InvalidInput(format!(
        "the event at {key:?}: {value} is no name: expected 1 to {LONGEST_WORD} letters, digits, '-', '_', '.' or ':'"
    )))
}

pub(super) fn required(key: &str) -> Fault {
    Fault::InvalidInput(format!("the event: missing field `{key}`"))
}

/// Says that an event is none that starts a release.
fn foreign(source: &str, kind: &str) -> String {
    let (kind, source) = (shown(kind), line(source, LONGEST_WORD));
    format!(
        "the event {kind} of {source} starts no release: expected \"ECR Image Action\" of aws.ecr; correct the rule \
         that sends it here"
    )
}

/// Tells whether a tag names what describes an image: `sha256-<its digest>`, perhaps with `.sig`, `.att` or the like.
fn is_referrer(tag: &str) -> bool {
    let Some((digest, suffix)) = tag.strip_prefix("sha256-").and_then(|rest| rest.split_at_checked(64))
    else {
        return false;
    };
    let hexadecimal = digest.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    hexadecimal && !suffix.starts_with(|c: char| c.is_ascii_alphanumeric())
}

/// Returns the type of what was pushed, if that is told and is none of an image.
fn artifact<'a>(manifest: &'a Option<String>, configuration: &'a Option<String>) -> Option<&'a str> {
    let told = |kind: &'a Option<String>| kind.as_deref().filter(|kind| !kind.is_empty());
    let manifest = told(manifest).filter(|kind| !pipeline::image::MEDIA_TYPES.contains(kind));
    manifest.or_else(|| told(configuration).filter(|kind| !IMAGE_CONFIGURATIONS.contains(kind)))
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
    fn other_events_are_refused_by_their_name() {
        for (key, value) in [("source", "aws.cloudwatch"), ("detail-type", "ECR Image Scan")] {
            let mut event = push(json!({}));
            event[key] = value.into();
            let Event::Foreign(why) = read(event).unwrap() else { panic!("{value} is taken") };
            assert!(why.contains(value) && why.ends_with("correct the rule that sends it here"), "{why}");
        }
        let mut event = push(json!({}));
        event["detail-type"] = "ECR Referrer Action".into();
        assert!(matches!(read(event).unwrap(), Event::Nothing(_)));
    }

    #[test]
    fn what_describes_an_image_is_no_image() {
        let digest = "0a".repeat(32);
        for suffix in ["", ".sig", ".att", ".sbom", "-index"] {
            let tag = format!("sha256-{digest}{suffix}");
            assert!(nothing(json!({"image-tag": tag})).contains("no image itself"), "{tag}");
        }
        for kinds in [
            json!({"artifact-media-type": "application/vnd.cncf.helm.config.v1+json"}),
            json!({"artifact-media-type": "application/vnd.dev.cosign.artifact.sig.v1+json"}),
            json!({"manifest-media-type": "application/vnd.oci.artifact.manifest.v1+json"}),
            json!({"image-manifest-media-type": "application/vnd.oci.artifact.manifest.v1+json"}),
        ] {
            assert!(nothing(kinds.clone()).contains("is an artifact of the type"), "{kinds}");
        }
    }

    #[test]
    fn what_only_looks_like_it_is_an_image() {
        let hexadecimal = "0a".repeat(32);
        let [index, config] =
            ["index.v1", "config.v1"].map(|kind| format!("application/vnd.oci.image.{kind}+json"));
        for detail in [
            json!({"image-tag": "sha256-0a0a"}),
            json!({"image-tag": format!("sha256-{hexadecimal}0a")}),
            json!({"image-tag": format!("sha256-{}", "x".repeat(64))}),
            json!({"image-tag": format!("v{hexadecimal}")}),
            json!({"manifest-media-type": index, "artifact-media-type": config}),
            json!({"manifest-media-type": "", "artifact-media-type": ""}),
        ] {
            assert!(matches!(read(push(detail.clone())).unwrap(), Event::Push(_)), "{detail}");
        }
    }

    #[test]
    fn the_registry_is_where_the_event_is_from() {
        let mut event = push(json!({}));
        event["region"] = "us-east-1".into();
        let Event::Push(push) = read(event.clone()).unwrap() else { panic!("not a push") };
        assert_eq!(push.region, "us-east-1");
        event.as_object_mut().unwrap().remove("region");
        assert_eq!(read(event).unwrap_err().to_string(), "the event: missing field `region`");
    }

    #[test]
    fn a_name_that_would_become_no_key_and_a_time_that_cannot_be_written_are_refused_by_their_place() {
        for (key, value) in
            [("id", "a\nb".to_owned()), ("id", "e".repeat(3000)), ("region", "a b".to_owned())]
        {
            let mut event = push(json!({}));
            event[key] = value.into();
            let said = read(event).unwrap_err().to_string();
            assert!(said.starts_with(&format!("the event at {key:?}: ")) && said.len() < 400, "{said}");
        }
        let mut event = push(json!({}));
        event["time"] = "9999-12-31T23:59:59-23:59".into();
        assert_eq!(read(event).unwrap_err().name(), "InvalidInput");
    }

    #[test]
    fn whatever_an_event_says_the_answer_is_one_bounded_line() {
        let long = "x\n".repeat(50_000);
        for detail in [
            json!({"action-type": long}),
            json!({"result": long}),
            json!({"image-tag": format!("tidegate.{long}")}),
            json!({"artifact-media-type": long}),
        ] {
            let why = nothing(detail);
            assert!(why.len() < 400 && !why.contains('\n'), "{why}");
        }
        let mut event = push(json!({}));
        event["source"] = long.as_str().into();
        let Event::Foreign(why) = read(event).unwrap() else { panic!("it is taken") };
        assert!(why.len() < 600 && !why.contains('\n'), "{why}");
    }
}
