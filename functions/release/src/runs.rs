//! The list of runs: what a run says of itself when it is accepted or refused.

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::environment::Environments;
use pipeline::ids::EnvironmentName;
use pipeline::rows::{ListedRun, OrderKey, PUSH};
use pipeline::text::{LONGEST_SENTENCE, line};
use serde_json::{Value, json};

use crate::answer::{Opened, Opening};
use crate::intake::Trigger;
use crate::intake::push::Event;
use crate::payload::Run;
use crate::ports::Runs;

/// How long a request may be in the list; the execution has the whole of a longer one.
const LONGEST_REQUEST: usize = 4096;

/// Says what a run asks for, and who did; `input` is what its execution was started with.
pub fn asked(trigger: &Trigger, input: Value, run: &Run, started: Timestamp) -> ListedRun {
    let itself = Some(run.release.clone());
    match trigger {
        Trigger::Event(Event::Push(push)) => ListedRun {
            mode: PUSH.to_owned(),
            release: itself.clone(),
            by: itself,
            reason: Some(format!("the push of {}", push.tag)),
            request: json!({"repository": push.repository, "image": push.digest}),
            order: Some(OrderKey::new(push.time, started, Some(&push.digest))),
            ..ListedRun::default()
        },
        Trigger::Alarm(event) => ListedRun {
            mode: "rollback".to_owned(),
            release: itself.clone(),
            by: itself,
            reason: Some(format!("the alarm {}", event.alarm)),
            ..ListedRun::default()
        },
        Trigger::Event(_) => ListedRun::default(),
        Trigger::Request(request) => {
            let mode = input.get("mode").and_then(Value::as_str).unwrap_or("deploy").to_owned();
            let long = input.to_string().len() > LONGEST_REQUEST;
            ListedRun {
                request: if long { json!({"environment": request.environment, "mode": mode}) } else { input },
                mode,
                release: request.release.clone().or_else(|| itself.clone()),
                by: request.promoted_by.clone().or(itself),
                reason: request.reason.clone(),
                ..ListedRun::default()
            }
        }
    }
}

/// Says what a run asks of an environment: a push becomes the request that asks for the same.
pub fn of_environment(listed: &ListedRun, name: &EnvironmentName) -> ListedRun {
    let mut listed = listed.clone();
    if listed.mode == PUSH
        && let Some(request) = listed.request.as_object_mut()
    {
        request.insert("environment".to_owned(), json!(name));
    }
    listed
}

/// Adds a run that is no release to the list: one that was refused, or carried out at once.
///
/// A release that was let in stands there since its head was written.
pub async fn list(
    ledger: &impl Runs,
    environments: &Environments,
    listed: &ListedRun,
    answer: &Opened,
    run: &Run,
    started: Timestamp,
    now: Timestamp,
) -> Result<(), Fault> {
    if !matches!(answer.next, Opening::Refused | Opening::Alert | Opening::Answered) {
        return Ok(());
    }
    let known = EnvironmentName::parse(answer.environment.as_str()).ok();
    let Some(name) = known.filter(|name| environments.has(name)) else { return Ok(()) };
    let row = ListedRun {
        outcome: Some(format!("{:?}", answer.outcome)),
        because: Some(line(&answer.because, LONGEST_SENTENCE)),
        ended: Some(now),
        ..of_environment(listed, &name)
    };
    ledger.list_run(&name, started, &run.release, &row).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake;
    use crate::plan::tests::release;

    fn listed(input: Value) -> ListedRun {
        let (execution, machine) = (String::new(), String::new());
        let run = Run { release: release("r7"), execution, machine, redrives: None };
        asked(&intake::read(input.clone(), &run).unwrap(), input, &run, Timestamp::from_millis(5_000))
    }

    #[test]
    fn a_push_is_listed_as_the_request_that_asks_for_the_same() {
        let sample = include_str!("../../../events/release/push-build-tag.json");
        let sample: Value = serde_json::from_str(sample).unwrap();
        let push = listed(sample["input"].clone());
        let dev = EnvironmentName::parse("dev").unwrap();
        let placed = of_environment(&push, &dev);
        let digest = sample["input"]["detail"]["image-digest"].clone();
        assert_eq!(
            placed.request,
            json!({"environment": "dev", "repository": "shop/users", "image": digest})
        );
        assert!(placed.order.is_some() && placed.mode == PUSH && placed.by == Some(release("r7")));
    }

    #[test]
    fn a_request_is_listed_as_it_was_typed_and_names_whom_it_is_about() {
        let input = json!({"environment": "dev", "mode": "abort", "release": "r1", "reason": "bad"});
        let row = listed(input.clone());
        assert_eq!((row.request, row.mode.as_str(), row.release), (input, "abort", Some(release("r1"))));
        assert_eq!((row.by, row.reason.as_deref()), (Some(release("r7")), Some("bad")));
        let row = listed(json!({"environment": "dev", "promotedBy": "r3"}));
        assert_eq!(
            (row.mode.as_str(), row.by, row.release),
            ("deploy", Some(release("r3")), Some(release("r7")))
        );
        let names: Vec<String> = (0..2000).map(|n| format!("service-{n}")).collect();
        let row = listed(json!({"environment": "dev", "services": names}));
        assert_eq!(row.request, json!({"environment": "dev", "mode": "deploy"}));
    }
}
