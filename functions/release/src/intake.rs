//! What started an execution, and what it asks of which environment.

pub mod alarm;
pub mod home;
pub mod images;
pub mod lost;
pub mod push;
pub mod request;
pub mod route;

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::environment::Environments;
use pipeline::rows::{Finding, OrderKey};
use serde_json::Value;

use crate::answer::{Opened, Opening};
use crate::payload::Run;
use crate::ports::{Claim, Events};
use alarm::AlarmEvent;
use home::Home;
use images::ImageRequest;
use push::{Event, Push};
use request::{Mode, Request};
use route::ReleaseIntent;

/// What started an execution.
#[derive(Clone, Debug, PartialEq)]
pub enum Trigger {
    /// An event.
    Event(Event),
    /// An alarm went red, which may guard a release.
    Alarm(AlarmEvent),
    /// An engineer, or another release, asks for something.
    Request(Box<Request>),
}

/// Reads the raw input of an execution.
pub fn read(input: Value, run: &Run) -> Result<Trigger, Fault> {
    if alarm::is_one(&input) {
        let nothing = |why| Trigger::Event(Event::Nothing(why));
        return Ok(alarm::read(input, &Home::of(run)?)?.map_or_else(nothing, Trigger::Alarm));
    }
    if input.get("detail-type").is_none() {
        return Request::read(input).map(|request| Trigger::Request(Box::new(request)));
    }
    push::read(input).map(Trigger::Event)
}

/// Finds the environment that a push is for, unless the push is our own or was delivered before.
pub async fn of_push(
    ledger: &impl Events,
    push: Push,
    run: &Run,
    environments: &Environments,
    started: Timestamp,
    now: Timestamp,
) -> Result<Result<ReleaseIntent, Opened>, Fault> {
    let taken = route::taken_by(&push, environments);
    for name in route::may_have_written(&push, &taken, environments) {
        let writes = ledger.writes(&name, &push.repository).await?;
        if let Some(own) = writes.iter().find(|write| write.is_told_by(&push.digest, push.time)) {
            let image = push.digest.short();
            let why = format!(
                "this push is our own: a release moved the tag {} to {image} at {}",
                push.tag, own.time
            );
            return Ok(Err(Opened::without_plan(Opening::Ignored, Some(&name), why)));
        }
    }
    let (name, _) = match taken {
        Ok(taken) => taken,
        Err((next, why)) => return Ok(Err(Opened::without_plan(next, None, why))),
    };
    let ignored = |why: String| Ok(Err(Opened::without_plan(Opening::Ignored, Some(name), why)));
    match ledger.claim(name, &push, &run.execution, now).await? {
        Claim::Ours => {}
        Claim::Delivered(first) => {
            return ignored(format!("the event {} was delivered before, to {first}", push.event));
        }
        Claim::Found(first) => {
            let what = format!("the push of {} of {}", push.tag, push.repository);
            return ignored(format!("{what} was found before, by {first}"));
        }
    }
    let mut policy = match route::policy(name, environments, false) {
        Ok(policy) => policy,
        Err(why) => return Ok(Err(Opened::refused(false, Some(name), why))),
    };
    policy.findings.extend(route::unread(environments).map(Finding::warns));
    Ok(Ok(ReleaseIntent::of_push(name, policy, push, started)))
}

/// Finds what a request for a release, or for its plan, asks for.
pub fn of_request(
    request: Request,
    run: &Run,
    environments: &Environments,
    started: Timestamp,
) -> Result<Result<ReleaseIntent, String>, Fault> {
    let name = request.environment.clone();
    let policy = match route::policy(&name, environments, request.mode == Mode::Rollback) {
        Ok(policy) => policy,
        Err(why) => return Ok(Err(why)),
    };
    // What it has verified stands in the ledger: its document need not be readable.
    if let Some(from) = policy.environment.from.as_ref().filter(|from| !environments.has(from)) {
        let unknown = route::unknown_environment(from, environments);
        return Ok(Err(format!("\"from\" of {name}: {unknown}")));
    }
    let (plans, asked) = (request.plans(), request.promoted_by.is_none());
    let images = ImageRequest::of_request(request, &policy.environment, Home::of(run)?);
    let order = OrderKey::new(started, started, None);
    Ok(Ok(ReleaseIntent { name, policy, images, order, plans, asked }))
}
