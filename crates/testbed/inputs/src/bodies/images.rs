//! What ECR keeps: manifests and lifecycle policies; and how task definitions refer to images.

use pipeline::ids::Digest;
use pipeline::image::ImageReference;
use pipeline::rows::MoveRow;
use release::plan::lifecycle;
use retag::manifest::{self, Manifest};
use serde_json::{Value, json};

use super::{Body, Outcome, outcome};
use crate::{World, promises};

/// A manifest.
pub const MANIFEST: Body = Body { name: "manifest", share: 1000, samples: manifests, play: manifest };

/// A lifecycle policy.
pub const LIFECYCLE: Body = Body { name: "lifecycle-policy", share: 600, samples: policies, play: lifecycle };

/// A reference to an image.
pub const REFERENCE: Body =
    Body { name: "image-reference", share: 2000, samples: references, play: reference };

/// A move whose images a policy could take.
const MOVE: &str = include_str!("../../../../../events/deploy/register.json");

fn manifests() -> Vec<String> {
    let child = |letter: &str| json!({"digest": format!("sha256:{}", letter.repeat(64)), "size": 7, "mediaType": "x"});
    vec![
        json!({"schemaVersion": 2, "manifests": [child("a"), child("b")]}).to_string(),
        json!({"schemaVersion": 2, "config": child("c"), "layers": []}).to_string(),
    ]
}

/// The children are those that stand there, each a digest.
fn manifest(_: &World, text: &str) -> Outcome {
    let Some(digest) = Digest::any() else { return Outcome::Refused };
    assert!(
        Manifest::checked(digest.clone(), String::new(), text.to_owned()).is_err(),
        "any bytes pass for others"
    );
    let manifest = Manifest { digest, media_type: String::new(), bytes: text.to_owned() };
    let children = manifest::children(&manifest);
    match &children {
        Ok(children) => {
            // What nobody reads may be deeper than what can be read here.
            if let Ok(written) = serde_json::from_str::<Value>(text) {
                let written = written.get("manifests").and_then(Value::as_array).map_or(0, Vec::len);
                assert_eq!(children.len(), written, "{text}");
            }
        }
        Err(fault) => promises::fault(fault),
    }
    outcome(&children)
}

fn policies() -> Vec<String> {
    let rule = |priority: u32, selection: Value| json!({"rulePriority": priority, "selection": selection, "action": {"type": "expire"}});
    vec![
        json!({"rules": [
            rule(1, json!({"tagStatus": "tagged", "tagPatternList": ["tidegate.*"], "countType": "imageCountMoreThan", "countNumber": 100_000})),
            rule(5, json!({"tagStatus": "any", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 14})),
        ]})
        .to_string(),
        json!({"rules": [rule(2, json!({"tagStatus": "tagged", "tagPrefixList": ["main-", "dev"], "countType": "imageCountMoreThan", "countNumber": 3}))]}).to_string(),
    ]
}

/// A rule that is told of is one of the policy.
fn lifecycle(_: &World, text: &str) -> Outcome {
    let sample: Value = serde_json::from_str(MOVE).unwrap_or_default();
    let row: MoveRow =
        serde_json::from_value(sample["move"].clone()).unwrap_or_else(|error| panic!("{error}"));
    let found = lifecycle::finding(text, &row);
    match &found {
        Ok(Some(said)) => {
            promises::sentence(said);
            let policy: Value = serde_json::from_str(text).unwrap_or_default();
            let mut rules = policy["rules"].as_array().into_iter().flatten();
            assert!(rules.any(|rule| said.contains(&format!("rule {} of", rule["rulePriority"]))), "{said}");
        }
        Ok(None) => {}
        Err(fault) => {
            promises::fault(fault);
            promises::sentence(&lifecycle::unknown(&row, fault));
        }
    }
    outcome(&found)
}

fn references() -> Vec<String> {
    let digest = format!("sha256:{}", "b".repeat(64));
    let of = |host: &str, rest: &str| format!("123456789012.{host}/shop/users{rest}");
    vec![
        of("dkr.ecr.eu-west-1.amazonaws.com", ":main-1"),
        of("dkr.ecr.eu-west-1.amazonaws.com", &format!(":main-1@{digest}")),
        of("dkr-ecr.eu-west-1.on.aws", ""),
        "docker.io/library/nginx:1".to_owned(),
    ]
}

/// A reference is written as it was read, and what is pinned names one image.
fn reference(_: &World, text: &str) -> Outcome {
    let (Some(image), Some(digest)) = (ImageReference::parse(text), Digest::any()) else {
        return Outcome::Refused;
    };
    assert_eq!(image.written(), text);
    let pinned = ImageReference::parse(&image.pinned(&digest));
    let pinned = pinned.unwrap_or_else(|| panic!("what is pinned is no reference: {text}"));
    assert_eq!((pinned.digest, pinned.tag), (Some(digest), None));
    assert_eq!(
        (pinned.repository, pinned.registry, pinned.region),
        (image.repository, image.registry, image.region)
    );
    promises::readable(&image.host);
    Outcome::Accepted
}
