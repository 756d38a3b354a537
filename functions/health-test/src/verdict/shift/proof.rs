//! The proof of the tasks that ECS shifts traffic to: their image, their targets, their live tests.

use std::iter;

use crate::finding::Finding;
use crate::instances::Shared;
use crate::places::Proven;
use crate::rollout::{Measured, Service, Target, Task};
use crate::verdict::tasks::{named, on_the_digest, unless_unhealthy};
use crate::verdict::{Expected, Judgement, Missing, Observed, live_tests, not_yet, say, unmeasured};

/// What a proof is made of.
#[derive(Clone, Copy)]
pub(super) struct Proof<'a> {
    pub expected: &'a Expected<'a>,
    pub seen: &'a Observed,
    pub service: &'a Service,
    /// How many of our tasks have to run at least.
    pub wanted: i32,
}

/// Who else may be in the target group of our tasks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Others {
    /// Anybody.
    Stay,
    /// Nobody: production traffic would reach ours, too.
    Share,
    /// Nobody: they are to be gone.
    Gone,
}

impl Proof<'_> {
    /// Proves tasks that no production traffic may reach.
    pub fn dark(&self, asks: bool) -> Judgement {
        self.of_ours(Others::Share, asks)
    }

    /// Proves tasks that production traffic reaches, while the old ones still run.
    pub fn live(&self, asks: bool) -> Judgement {
        self.of_ours(Others::Stay, asks)
    }

    /// Proves tasks beside which none of another deployment is left.
    pub fn complete(&self) -> Judgement {
        self.of_ours(Others::Gone, true)
    }

    /// Proves that the tasks which were there before are there alone; ours may never have been there.
    pub fn restored(&self, had_ours: bool) -> Judgement {
        let (ours, old) = match self.tasks() {
            Ok(tasks) => tasks,
            Err(judgement) => return judgement,
        };
        let (others, old) = if had_ours { (ours, old) } else { (Vec::new(), [ours, old].concat()) };
        if !others.is_empty() {
            let still = named(others.iter().map(|task| task.id.clone()));
            return not_yet(format!("tasks of {} still run: {still}", self.expected.deployment));
        }
        self.of_tasks(&old, &[], Others::Gone, true)
    }

    fn of_ours(&self, may: Others, asks: bool) -> Judgement {
        let (ours, others) = match self.tasks() {
            Ok(tasks) => tasks,
            Err(judgement) => return judgement,
        };
        if may == Others::Gone && !others.is_empty() {
            let others = named(others.iter().map(|task| format!("{} of {}", task.id, task.started_by)));
            return not_yet(format!("tasks of another deployment still run: {others}"));
        }
        self.of_tasks(&ours, &others, may, asks)
    }

    /// Parts the running tasks into those of our deployment and others.
    fn tasks(&self) -> Result<(Vec<&Task>, Vec<&Task>), Judgement> {
        match &self.seen.tasks {
            Measured::NotYet => Err(Judgement::Need(Missing::Tasks)),
            Measured::Not(why) => Err(unmeasured(why)),
            Measured::Is(tasks) => Ok(tasks
                .iter()
                .filter(|task| task.running)
                .partition(|task| task.started_by == self.expected.deployment.as_str())),
        }
    }

    fn of_tasks(&self, ours: &[&Task], others: &[&Task], may: Others, asks: bool) -> Judgement {
        if let Some(judgement) = ours.iter().find_map(|task| on_the_digest(self.expected, task)) {
            return judgement;
        }
        if i32::try_from(ours.len()).unwrap_or(i32::MAX) < self.wanted {
            return not_yet(format!("{} of {} tasks run", ours.len(), self.wanted));
        }
        match self.targets(ours, others, may) {
            Err(judgement) => judgement,
            Ok(proven) if asks => live_tests(self.seen, proven),
            Ok(_) => say(Finding::Healthy, "its tasks and targets are proven"),
        }
    }

    /// Finds the targets of our tasks: each in one and the same of the two groups of a load balancer, and healthy.
    fn targets(&self, ours: &[&Task], others: &[&Task], may: Others) -> Result<Proven, Judgement> {
        let tasks = ours.iter().filter_map(|task| task.addresses.first().copied()).collect();
        // A service behind a load balancer is let in only if its tasks have addresses of their own.
        let shared = Shared::of(ours.iter().copied(), iter::empty());
        let mut proven = Proven { targets: Vec::new(), tasks, groups: Vec::new(), shared };
        let targets = match &self.seen.targets {
            _ if self.service.pairs.is_empty() => return Ok(proven),
            Measured::NotYet => {
                let groups = self.service.pairs.iter().flat_map(|pair| pair.groups.clone());
                return Err(Judgement::Need(Missing::Targets(groups.collect())));
            }
            Measured::Not(why) => return Err(unmeasured(why)),
            Measured::Is(targets) => targets,
        };
        for pair in &self.service.pairs {
            let group = home(&pair.groups, targets, ours).map_err(not_yet)?;
            let name = name_of(group);
            let here = || targets.iter().filter(|target| target.group == name);
            let absent = ours.iter().filter(|task| !here().any(|target| is_at(target, task)));
            let absent = named(absent.filter_map(|task| task.addresses.first()).map(ToString::to_string));
            if !absent.is_empty() {
                return Err(not_yet(format!("not registered in the target group {name}: {absent}")));
            }
            let strangers = here().filter(|target| !ours.iter().any(|task| is_at(target, task)));
            let mut strangers = strangers.filter(|target| !target.state.contains("draining"));
            match may {
                Others::Share if strangers.any(|target| others.iter().any(|task| is_at(target, task))) => {
                    let shared = format!("its new tasks share the target group {name} with the old ones");
                    return Err(say(Finding::Blameless, shared));
                }
                Others::Gone => {
                    let left = named(strangers.map(|target| target.id.clone()));
                    if !left.is_empty() {
                        return Err(not_yet(format!("others are still registered in {name}: {left}")));
                    }
                }
                Others::Share | Others::Stay => {}
            }
            let mine: Vec<&Target> = here().filter(|one| ours.iter().any(|task| is_at(one, task))).collect();
            if let Some(judgement) = unless_unhealthy(&mine) {
                return Err(judgement);
            }
            proven.groups.push(group.clone());
            proven.targets.extend(mine.iter().filter_map(|target| target.socket()));
        }
        proven.targets.sort();
        proven.targets.dedup();
        Ok(proven)
    }
}

/// Returns the one group of two in which our tasks are registered; or says what is wrong.
fn home<'a>(pair: &'a [String; 2], targets: &[Target], ours: &[&Task]) -> Result<&'a String, String> {
    let has_ours = |group: &String| {
        let mut here = targets.iter().filter(|target| target.group == name_of(group));
        here.any(|target| ours.iter().any(|task| is_at(target, task)))
    };
    let [one, two] = pair;
    match (has_ours(one), has_ours(two)) {
        (true, false) => Ok(one),
        (false, true) => Ok(two),
        (false, false) => {
            Err(format!("none of its tasks is registered in {} or {}", name_of(one), name_of(two)))
        }
        (true, true) => {
            Err(format!("its tasks are registered in both {} and {}", name_of(one), name_of(two)))
        }
    }
}

fn is_at(target: &Target, task: &Task) -> bool {
    target.address().is_some_and(|address| task.addresses.contains(&address))
}

/// Returns the name of a target group, which its ARN has in the middle.
fn name_of(arn: &str) -> &str {
    arn.rsplit('/').nth(1).unwrap_or(arn)
}
