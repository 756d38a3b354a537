//! The middle of the proof: the tasks of a completed rollout, and their targets.

use pipeline::image::ImageReference;

use super::{Expected, Judgement, Missing, Observed, live_tests, not_yet, say, unmeasured};
use crate::finding::Finding;
use crate::instances::Shared;
use crate::places::Proven;
use crate::rollout::{Container, Measured, Service, Target, Task};

/// How many of several are named in a reason.
const NAMED: usize = 5;

/// Judges the tasks, then their targets.
pub(super) fn judge(expected: &Expected<'_>, seen: &Observed, service: &Service) -> Judgement {
    let tasks = match &seen.tasks {
        Measured::NotYet => return Judgement::Need(Missing::Tasks),
        Measured::Not(why) => return unmeasured(why),
        Measured::Is(tasks) => tasks.iter().filter(|task| task.running),
    };
    let (ours, others): (Vec<&Task>, Vec<&Task>) =
        tasks.partition(|task| task.started_by == expected.deployment.as_str());
    if ours.is_empty() {
        return not_yet(format!("no task of {} runs (of {} expected)", expected.deployment, service.desired));
    }
    if let Some(judgement) = ours.iter().find_map(|task| on_the_digest(expected, task)) {
        return judgement;
    }
    if !others.is_empty() {
        let others = named(others.iter().map(|task| format!("{} of {}", task.id, task.started_by)));
        return not_yet(format!("tasks of another deployment still run: {others}"));
    }
    targets(seen, service, &ours)
}

/// Judges the image of one task; none if it is right.
pub(super) fn on_the_digest(expected: &Expected<'_>, task: &Task) -> Option<Judgement> {
    expected.containers.iter().find_map(|name| {
        let Some(container) = task.containers.iter().find(|container| container.name == *name) else {
            return Some(say(Finding::Unhealthy, format!("task {} has no container {name}", task.id)));
        };
        if runs(expected, container) {
            return None;
        }
        match &container.digest {
            Some(other) => Some(say(
                Finding::Unhealthy,
                format!("{name} of task {} runs {}, not {}", task.id, other.short(), expected.digest.short()),
            )),
            None => {
                Some(not_yet(format!("ECS does not report yet which image {name} of task {} runs", task.id)))
            }
        }
    })
}

/// Tells whether a container runs the expected digest, itself or by its index.
fn runs(expected: &Expected<'_>, container: &Container) -> bool {
    let Some(digest) = &container.digest else { return false };
    match expected.children {
        _ if digest == expected.digest => true,
        Some(children) => children.contains(digest),
        // ECS may report the child of an index, and the children of a restore point are written down nowhere; what
        // a reference is pinned to cannot be anything else.
        None => ImageReference::parse(&container.image)
            .is_some_and(|image| image.digest.as_ref() == Some(expected.digest)),
    }
}

/// Judges the targets of our tasks in each target group of the service.
fn targets(seen: &Observed, service: &Service, ours: &[&Task]) -> Judgement {
    let tasks = ours.iter().filter_map(|task| task.addresses.first().copied()).collect();
    let shared = |targets: &[&Target]| Shared::of(ours.iter().copied(), targets.iter().copied());
    let (targets, groups) = (Vec::new(), service.target_groups.clone());
    let proven = Proven { targets, tasks, groups, shared: shared(&[]) };
    if service.target_groups.is_empty() {
        return live_tests(seen, proven);
    }
    let targets = match &seen.targets {
        Measured::NotYet => return Judgement::Need(Missing::Targets(service.target_groups.clone())),
        Measured::Not(why) => return unmeasured(why),
        Measured::Is(targets) => targets,
    };
    if ours.iter().any(|task| task.addresses.is_empty()) {
        // Tasks that share an instance's address: its target cannot be told from its neighbour's, so all count.
        let staying: Vec<&Target> =
            targets.iter().filter(|target| !target.state.contains("draining")).collect();
        let proven = Proven { targets: sockets(&staying), shared: shared(&staying), ..proven };
        return unless_unhealthy(&staying).unwrap_or_else(|| live_tests(seen, proven));
    }
    let is_at = |target: &Target, task: &Task| {
        target.address().is_some_and(|address| task.addresses.contains(&address))
    };
    let mine: Vec<&Target> =
        targets.iter().filter(|target| ours.iter().any(|task| is_at(target, task))).collect();
    for group in service.target_groups.iter().filter_map(|arn| arn.rsplit('/').nth(1)) {
        let absent = ours
            .iter()
            .filter(|task| !mine.iter().any(|target| target.group == group && is_at(target, task)));
        let absent = named(absent.filter_map(|task| task.addresses.first()).map(ToString::to_string));
        if !absent.is_empty() {
            return not_yet(format!("not registered in the target group {group}: {absent}"));
        }
    }
    unless_unhealthy(&mine).unwrap_or_else(|| live_tests(seen, Proven { targets: sockets(&mine), ..proven }))
}

/// Returns the addresses of targets that have one, each once.
fn sockets(targets: &[&Target]) -> Vec<String> {
    let mut sockets: Vec<String> = targets.iter().filter_map(|target| target.socket()).collect();
    sockets.sort();
    sockets.dedup();
    sockets
}

/// Judges targets; none if there are some and all are healthy.
pub(super) fn unless_unhealthy(targets: &[&Target]) -> Option<Judgement> {
    if targets.is_empty() {
        return Some(not_yet("no target is registered"));
    }
    let unhealthy = targets.iter().filter(|target| target.state != "healthy");
    let unhealthy = unhealthy.map(|target| {
        let Target { group, id, port, state, reason } = target;
        let reason = if reason.is_empty() { String::new() } else { format!(" ({reason})") };
        format!("{id}:{port} in {group} is {state}{reason}")
    });
    Some(named(unhealthy)).filter(|unhealthy| !unhealthy.is_empty()).map(not_yet)
}

/// Lists the first few, and counts the rest.
pub(super) fn named(all: impl Iterator<Item = String>) -> String {
    let all: Vec<String> = all.collect();
    let first: Vec<&str> = all.iter().take(NAMED).map(String::as_str).collect();
    match all.len() - first.len() {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}
