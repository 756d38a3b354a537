//! A service, and how its rollouts go.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::shift::{DRAIN, GATE, Now, Shift, Shifting};
use crate::fake::balancer;

/// How many requests a minute a load balancer sends to the tasks that have its traffic.
const REQUESTS: u64 = 60;

/// How many tasks a service runs, unless somebody has changed that.
const DESIRED: u32 = 2;

/// How the rollout of an image ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum End {
    /// It completes.
    #[default]
    Completes,
    /// Its tasks fail, and the circuit breaker gives it up.
    GivenUp,
    /// The same, and ECS goes back by itself.
    SentBack,
    /// It never completes.
    Never,
    /// It completes, and its tasks run another image in its place.
    OtherImage,
    /// It completes, and what runs answers every live test badly.
    AnswersBadly,
    /// ECS does not answer any more when it is asked about the service.
    Unseen,
}

/// A deployment.
#[derive(Clone, Debug)]
struct Deployment {
    id: String,
    revision: String,
    digests: Vec<String>,
    state: &'static str,
    end: End,
    began: i64,
    ends: i64,
    /// In which of the two target groups its tasks are.
    is_green: bool,
}

/// A running task.
#[derive(Clone, Debug)]
pub struct Task {
    /// The name of its service, and its own.
    pub id: String,
    /// The deployment that started it.
    pub deployment: String,
    /// What it was started from.
    pub revision: String,
    /// What its containers run.
    pub digests: Vec<String>,
    /// Its address, where a load balancer needs it.
    pub address: Option<String>,
}

/// That a service was pointed at something.
#[derive(Clone, Debug, PartialEq)]
pub struct Pointed {
    /// When.
    pub at: i64,
    /// The deployment that this started.
    pub deployment: String,
    /// What its containers run.
    pub digests: Vec<String>,
    /// How many milliseconds its rollout takes.
    pub takes: i64,
}

/// A service.
#[derive(Clone, Debug)]
pub struct Service {
    /// How rollouts of images end that do not just complete, by digest.
    pub ends: BTreeMap<String, End>,
    /// Whether somebody else deploys it, who says of a deployment no task definition.
    pub external: bool,
    /// How many tasks it is to run.
    pub desired: u32,
    /// Whoever pointed it at something.
    pub pointed: Vec<Pointed>,
    /// How ECS shifts its traffic; none if it rolls.
    pub shifting: Option<Shifting>,
    /// Its service deployments.
    pub shifts: Vec<Shift>,
    // The moment at which it was looked at last.
    now: i64,
    // The newest is last, and is the primary one.
    deployments: Vec<Deployment>,
}

impl Service {
    pub(super) fn stable(number: u32, revision: &str, digests: Vec<String>) -> Self {
        let only = Deployment {
            id: id_of(number),
            revision: revision.to_owned(),
            digests,
            state: "COMPLETED",
            end: End::Completes,
            began: 0,
            ends: 0,
            is_green: false,
        };
        Service {
            ends: BTreeMap::new(),
            external: false,
            desired: DESIRED,
            pointed: Vec::new(),
            shifting: None,
            shifts: Vec::new(),
            now: 0,
            deployments: vec![only],
        }
    }

    pub(super) fn start(&mut self, name: &str, number: u32, revision: &str, digests: Vec<String>, now: i64) {
        let (id, takes) = (id_of(number), takes(name, number));
        let end = self.end_of(&digests);
        self.pointed.push(Pointed { at: now, deployment: id.clone(), digests: digests.clone(), takes });
        let (revision, began, ends) = (revision.to_owned(), now, now + takes);
        if let Some(how) = self.shifting {
            self.shifts.iter_mut().for_each(|before| before.overtake(now));
            let up = (end != End::Never).then_some(ends);
            self.shifts.push(Shift::begin(name, &id, now, up, how));
        }
        let is_green = self.serving().is_some_and(|serving| !serving.is_green);
        let state = "IN_PROGRESS";
        self.deployments.push(Deployment { id, revision, digests, state, end, began, ends, is_green });
    }

    /// Has the rollout that has just begun be given up: no task of it can start.
    pub(super) fn cannot_start(&mut self) {
        if let Some(last) = self.deployments.last_mut() {
            last.end = End::GivenUp;
        }
    }

    /// Returns how a rollout of some images ends: as the first of them that does not just complete.
    fn end_of(&self, digests: &[String]) -> End {
        let mut ends = digests.iter().filter_map(|digest| self.ends.get(digest).copied());
        ends.find(|end| *end != End::Completes).unwrap_or_default()
    }

    /// Lets happen what has happened by now.
    pub(super) fn settle(&mut self, name: &str, now: i64) {
        self.now = now;
        if self.shifting.is_some() {
            return self.settle_shift();
        }
        while let Some(primary) = self.deployments.last_mut()
            && primary.state == "IN_PROGRESS"
            && primary.ends <= now
        {
            match primary.end {
                End::Never => break,
                End::GivenUp => primary.state = "FAILED",
                End::SentBack => {
                    primary.state = "FAILED";
                    let ends = primary.ends;
                    self.send_back(name, ends);
                }
                End::Completes | End::OtherImage | End::AnswersBadly | End::Unseen => {
                    primary.state = "COMPLETED";
                    self.deployments.drain(..self.deployments.len() - 1);
                }
            }
        }
    }

    /// Lets happen what has happened by now, where traffic is shifted.
    fn settle_shift(&mut self) {
        let Some((last, shift)) = self.deployments.last_mut().zip(self.shifts.last()) else { return };
        match shift.at(self.now) {
            Now::Successful if last.state == "IN_PROGRESS" => {
                last.state = "COMPLETED";
                self.deployments.drain(..self.deployments.len() - 1);
            }
            // ECS goes back to what it completed last, past what was overtaken on the way.
            Now::IsBack(_) if last.id == shift.id && self.serving().is_some() => {
                while self.deployments.pop_if(|one| one.state != "COMPLETED").is_some() {}
            }
            _ => {}
        }
    }

    /// Tells what is so of the deployment that shifts, if one does.
    fn shift(&self) -> Option<Now> {
        let (last, shift) = self.deployments.last().zip(self.shifts.last())?;
        (last.id == shift.id && last.state == "IN_PROGRESS").then(|| shift.at(self.now))
    }

    fn send_back(&mut self, name: &str, now: i64) {
        let Some(good) = self.serving().cloned() else { return };
        // ECS numbers such a deployment as any other; no other number ends so.
        let id = format!("{}00", self.deployments.last().map_or("", |last| &last.id));
        let ends = now + takes(name, u32::MAX);
        let end = self.end_of(&good.digests);
        self.deployments.push(Deployment { id, state: "IN_PROGRESS", end, began: now, ends, ..good });
    }

    /// Returns the deployment whose tasks run.
    fn serving(&self) -> Option<&Deployment> {
        self.deployments.iter().rev().find(|one| one.state == "COMPLETED")
    }

    /// Tells whether its primary deployment is of a revision.
    pub(super) fn is_pointed_at(&self, revision: &str) -> bool {
        self.deployments.last().is_some_and(|one| one.revision == revision)
    }

    /// Tells whether it still lists a deployment of a revision.
    pub(super) fn lists(&self, revision: &str) -> bool {
        self.deployments.iter().any(|one| one.revision == revision)
    }

    /// Returns the id and the state of the primary deployment, its revision, and the digests that it is to run.
    pub fn primary(&self) -> (&str, &str, &str, &[String]) {
        self.deployments
            .last()
            .map_or(("", "", "", &[]), |one| (&one.id, one.state, &one.revision, &one.digests))
    }

    /// Tells whether it has tasks, or is to have none, and all of them run an image.
    pub fn runs_only(&self, digest: &str) -> bool {
        self.tasks("").iter().all(|task| task.digests.iter().any(|one| one == digest))
    }

    /// Tells whether what it runs answers live tests as it should.
    pub fn answers_well(&self) -> bool {
        let serves = match self.shift() {
            Some(Now::Drains | Now::Bakes) => self.deployments.last(),
            _ => self.serving(),
        };
        serves.is_some_and(|one| one.end != End::AnswersBadly)
    }

    pub(super) fn is_unseen(&self) -> bool {
        self.deployments.last().is_some_and(|one| one.end == End::Unseen)
    }

    /// Returns its running tasks.
    pub(super) fn tasks(&self, name: &str) -> Vec<Task> {
        let mut tasks = self.serving().map(|serving| self.tasks_of(name, serving)).unwrap_or_default();
        if let (Some(last), Some(Now::Waits | Now::Drains | Now::Bakes | Now::GoesBack(_))) =
            (self.deployments.last(), self.shift())
        {
            tasks.extend(self.tasks_of(name, last));
        }
        tasks
    }

    fn tasks_of(&self, name: &str, of: &Deployment) -> Vec<Task> {
        let Deployment { id, revision, digests, end, .. } = of;
        // What the other containers run is what they were given.
        let is_other = |digest: &String| *end == End::OtherImage && self.ends.get(digest) == Some(end);
        let other = |digest: &String| if is_other(digest) { digest_of(digest) } else { digest.clone() };
        let digests: Vec<String> = digests.iter().map(other).collect();
        let number = id.rsplit('/').next().unwrap_or_default();
        let task = |n| Task {
            id: format!("{name}.{number}-{n}"),
            deployment: id.clone(),
            revision: revision.clone(),
            digests: digests.clone(),
            address: self.is_balanced().then(|| format!("10.0.{}.{n}", number.trim_start_matches('0'))),
        };
        (0..self.desired).map(task).collect()
    }

    /// Tells whether it is behind a load balancer.
    fn is_balanced(&self) -> bool {
        self.shifting.is_some_and(|how| how.drain.is_some())
    }

    /// Returns the addresses in one of its two target groups.
    pub(in crate::fake) fn targets(&self, is_green: bool) -> Vec<String> {
        let here = |task: &Task| {
            self.deployments.iter().any(|one| one.id == task.deployment && one.is_green == is_green)
        };
        self.tasks("").into_iter().filter(here).filter_map(|task| task.address).collect()
    }

    /// Returns how many requests reach one of its two target groups in the minute that begins then.
    pub(in crate::fake) fn requests(&self, is_green: bool, at: i64) -> u64 {
        let Some((last, shift)) = self.deployments.last().zip(self.shifts.last()) else { return REQUESTS };
        match (last.is_green == is_green, shift.has_moved(at)) {
            (true, true) | (false, false) => REQUESTS,
            (false, true) => shift.still(),
            (true, false) => 0,
        }
    }

    /// Describes it with the deployments that have begun by a moment.
    pub(super) fn described(&self, name: &str, by: i64) -> Value {
        let known = self.deployments.iter().take_while(|one| one.began <= by).count().max(1);
        let deployments = self.deployments.iter().take(known).enumerate().rev().map(|(n, one)| {
            let failed = u32::from(one.state == "FAILED") * 3;
            json!({
                "id": one.id, "status": if n + 1 == known { "PRIMARY" } else { "ACTIVE" },
                "rolloutState": one.state, "rolloutStateReason": "ECS said so", "taskDefinition": one.revision,
                "desiredCount": self.desired, "failedTasks": failed,
                "runningCount": if one.state == "COMPLETED" { self.desired } else { 0 },
            })
        });
        let mut deployments: Vec<Value> = deployments.collect();
        let controller = if self.external { "EXTERNAL" } else { "ECS" };
        for one in deployments.iter_mut().filter(|_| self.external) {
            one["taskDefinition"] = Value::Null;
        }
        for one in deployments.iter_mut().filter(|_| self.shifting.is_some()) {
            one["rolloutState"] = Value::Null;
        }
        let mut shown = json!({"serviceName": name.rsplit('/').next(), "serviceArn": super::service_arn(name),
               "status": "ACTIVE", "deploymentController": {"type": controller}, "desiredCount": self.desired,
               "loadBalancers": [], "deployments": deployments});
        if let Some(how) = self.shifting {
            shown["runningCount"] = json!(self.desired);
            shown["deploymentConfiguration"] = json!({"strategy": "BLUE_GREEN", "bakeTimeInMinutes": how.bake / 60_000,
                "lifecycleHooks": [{"lifecycleStages": if self.is_balanced() { vec![GATE, DRAIN] } else { vec![GATE] }}]});
        }
        if self.is_balanced() {
            shown["loadBalancers"] = balancer::of(name);
        }
        shown
    }
}

fn id_of(number: u32) -> String {
    format!("ecs-svc/{number:019}")
}

/// Returns how long a rollout takes: 20 to 60 seconds, the same each time for the same one.
fn takes(name: &str, number: u32) -> i64 {
    let hash = Sha256::digest(format!("{name} {number}").as_bytes());
    let drawn = hash.iter().take(4).fold(0, |sum, byte| sum * 256 + i64::from(*byte));
    20_000 + drawn % 40_001
}

/// Returns a digest that is another one.
fn digest_of(digest: &str) -> String {
    let hash = Sha256::digest(digest.as_bytes());
    format!("sha256:{}", hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}
