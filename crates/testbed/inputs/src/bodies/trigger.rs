//! What starts an execution: the event of a push, and a typed request.

use std::collections::BTreeMap;

use pipeline::environment::Environments;
use release::intake::push::{self, Event, Push};
use release::intake::request::{Mode, Request, Scope};
use release::intake::route;
use release::ports::ImageId;
use serde_json::{Value, json};

use super::{Body, Outcome};
use crate::{World, promises, samples};

/// The event of a push, and the environment that takes it.
pub const EVENT: Body = Body { name: "event", share: 1000, samples: events, play: event };

/// A typed request.
pub const REQUEST: Body = Body { name: "request", share: 1000, samples: requests, play: request };

const REQUEST_KEYS: [&str; 12] = [
    "environment",
    "repository",
    "image",
    "images",
    "services",
    "scope",
    "mode",
    "release",
    "rollback",
    "force",
    "reason",
    "promotedBy",
];

fn inputs(is_event: bool) -> Vec<String> {
    let inputs = samples::parts("release", "input").into_iter();
    inputs.filter(|text| text.contains("\"detail-type\"") == is_event).collect()
}

fn events() -> Vec<String> {
    inputs(true)
}

fn requests() -> Vec<String> {
    inputs(false)
}

/// A push is what stands in the event, and one environment takes it or it is said why not.
fn event(_: &World, text: &str) -> Outcome {
    let Ok(input) = serde_json::from_str::<Value>(text) else { return Outcome::Refused };
    match push::read(input.clone()) {
        Ok(Event::Push(push)) => {
            let detail = &input["detail"];
            assert_eq!(detail["image-digest"], push.digest.as_str());
            assert_eq!(detail["image-tag"], push.tag.as_str());
            assert_eq!(detail["repository-name"], push.repository.as_str());
            assert_eq!(input["account"], push.registry.as_str());
            assert_eq!((&detail["action-type"], &detail["result"]), (&json!("PUSH"), &json!("SUCCESS")));
            assert!(!push.tag.as_str().starts_with("tidegate."), "a keep-tag deploys: {}", push.tag);
            promises::sentence(&push.event);
            promises::sentence(&push.region);
            assert!(push.event.len() <= 1024 && push.time.to_string().len() < 40);
            taken(&push);
            Outcome::Accepted
        }
        Ok(Event::Nothing(why) | Event::Foreign(why)) => {
            promises::sentence(&why);
            Outcome::Refused
        }
        Err(fault) => {
            assert_eq!(fault.name(), "InvalidInput");
            promises::fault(&fault);
            Outcome::Refused
        }
    }
}

fn taken(push: &Push) {
    let documents = samples::environments();
    let environments = Environments::read(documents.iter().map(|(name, text)| (*name, text.as_str())));
    let tag = push.tag.as_str();
    let dev = tag == "dev" || tag.starts_with("main-") || tag.starts_with("both-");
    let expected = dev.then_some("dev").or(["staging", "prod", "lost"].into_iter().find(|name| *name == tag));
    match route::taken_by(push, &environments) {
        Ok((name, _)) => assert_eq!(Some(name.as_str()), expected),
        Err((_, why)) => {
            assert_eq!(expected, None, "{why}");
            promises::sentence(&why);
        }
    }
}

/// A request says what stands in it and no key is left out; a mistake is refused by its key.
fn request(_: &World, text: &str) -> Outcome {
    let Ok(input) = serde_json::from_str::<Value>(text) else { return Outcome::Refused };
    match Request::read(input.clone()) {
        Ok(request) => {
            let said: BTreeMap<&str, &Value> =
                input.as_object().into_iter().flatten().map(|(key, value)| (key.as_str(), value)).collect();
            assert!(said.keys().all(|key| REQUEST_KEYS.contains(key)), "it takes an unknown key: {input}");
            assert_eq!(Request::read(written(&request)), Ok(request.clone()), "{input}");
            let mut more = input.clone();
            more["servces"] = json!([]);
            let refused = Request::read(more.clone());
            let told = refused.is_err_and(|fault| fault.to_string().contains("did you mean `services`?"));
            assert!(told, "a typing error is taken for a default: {more}");
            Outcome::Accepted
        }
        Err(fault) => {
            assert_eq!(fault.name(), "InvalidInput");
            promises::names(&fault, &input, &REQUEST_KEYS);
            Outcome::Refused
        }
    }
}

/// Writes a request with every key.
fn written(request: &Request) -> Value {
    let Request { environment, repository, image, images, services, scope, .. } = request;
    let image_of = |image: &ImageId| String::from(image.clone());
    let images = images.as_ref().map(|images| {
        images.iter().map(|(of, image)| (of.to_string(), image_of(image))).collect::<BTreeMap<_, _>>()
    });
    let scope = scope.map(|scope| match scope {
        Scope::Image => "image",
        Scope::Service => "service",
        Scope::Cluster => "cluster",
    });
    let mode = match request.mode {
        Mode::Deploy => "deploy",
        Mode::Plan => "plan",
        Mode::Rollback => "rollback",
        Mode::Approve => "approve",
        Mode::Reject => "reject",
        Mode::Freeze => "freeze",
        Mode::Resume => "resume",
        Mode::Abort => "abort",
        Mode::Reconcile => "reconcile",
    };
    let Request { release, rollback, force, reason, promoted_by, .. } = request;
    json!({"environment": environment, "repository": repository, "image": image.as_ref().map(image_of),
           "images": images, "services": services, "scope": scope, "mode": mode, "release": release,
           "rollback": rollback, "force": force, "reason": reason, "promotedBy": promoted_by})
}
