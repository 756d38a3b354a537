//! A service, and how its rollouts go.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// How many tasks a service runs.
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
    /// It completes, and its tasks run another image.
    OtherImage,
    /// ECS does not answer any more when it is asked about the service.
    Unseen,
}

/// A deployment.
#[derive(Clone, Debug)]
struct Deployment {
    id: String,
    revision: String,
    digest: String,
    state: &'static str,
    end: End,
    ends: i64,
}

/// That a service was pointed at something.
#[derive(Clone, Debug, PartialEq)]
pub struct Pointed {
    /// When.
    pub at: i64,
    /// The deployment that this started.
    pub deployment: String,
    /// What it runs.
    pub digest: String,
    /// How many milliseconds its rollout takes.
    pub takes: i64,
}

/// A service.
#[derive(Clone, Debug, Default)]
pub struct Service {
    /// How rollouts of images end that do not just complete, by digest.
    pub ends: BTreeMap<String, End>,
    /// Whether somebody else deploys it, who says of a deployment no task definition.
    pub external: bool,
    /// Whoever pointed it at something.
    pub pointed: Vec<Pointed>,
    // The newest is last, and is the primary one.
    deployments: Vec<Deployment>,
}

impl Service {
    pub(super) fn stable(number: u32, revision: &str, digest: &str) -> Self {
        let mut service = Service::default();
        service.deployments.push(Deployment {
            id: id_of(number),
            revision: revision.to_owned(),
            digest: digest.to_owned(),
            state: "COMPLETED",
            end: End::Completes,
            ends: 0,
        });
        service
    }

    pub(super) fn start(&mut self, name: &str, number: u32, revision: &str, digest: &str, now: i64) {
        let (id, takes) = (id_of(number), takes(name, number));
        let (revision, digest) = (revision.to_owned(), digest.to_owned());
        let end = self.ends.get(&digest).copied().unwrap_or_default();
        self.pointed.push(Pointed { at: now, deployment: id.clone(), digest: digest.clone(), takes });
        self.deployments.push(Deployment {
            id,
            revision,
            digest,
            state: "IN_PROGRESS",
            end,
            ends: now + takes,
        });
    }

    /// Lets happen what has happened by now.
    pub(super) fn settle(&mut self, name: &str, now: i64) {
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
                End::Completes | End::OtherImage | End::Unseen => {
                    primary.state = "COMPLETED";
                    self.deployments.drain(..self.deployments.len() - 1);
                }
            }
        }
    }

    fn send_back(&mut self, name: &str, now: i64) {
        let Some(good) = self.serving().cloned() else { return };
        // ECS numbers such a deployment as any other; no other number ends so.
        let id = format!("{}00", self.deployments.last().map_or("", |last| &last.id));
        let ends = now + takes(name, u32::MAX);
        let end = self.ends.get(&good.digest).copied().unwrap_or_default();
        self.deployments.push(Deployment { id, state: "IN_PROGRESS", end, ends, ..good });
    }

    /// Returns the deployment whose tasks run.
    fn serving(&self) -> Option<&Deployment> {
        self.deployments.iter().rev().find(|one| one.state == "COMPLETED")
    }

    /// Tells whether it still lists a deployment of a revision.
    pub(super) fn lists(&self, revision: &str) -> bool {
        self.deployments.iter().any(|one| one.revision == revision)
    }

    /// Returns the id and the state of the primary deployment, and the digest that it is to run.
    pub fn primary(&self) -> (&str, &str, &str) {
        self.deployments.last().map_or(("", "", ""), |one| (&one.id, one.state, &one.digest))
    }

    /// Returns the digests that its tasks report.
    pub fn runs(&self) -> Vec<String> {
        self.tasks("").into_iter().map(|(_, (.., digest))| digest).collect()
    }

    pub(super) fn is_unseen(&self) -> bool {
        self.deployments.last().is_some_and(|one| one.end == End::Unseen)
    }

    /// Returns its running tasks: their ids, and their deployment, revision and digest.
    pub(super) fn tasks(&self, name: &str) -> Vec<(String, (String, String, String))> {
        let Some(serving) = self.serving() else { return Vec::new() };
        let Deployment { id, revision, digest, end, .. } = serving;
        let digest = if *end == End::OtherImage { &digest_of(digest) } else { digest };
        let number = id.rsplit('/').next().unwrap_or_default();
        let task = |n| (format!("{name}.{number}-{n}"), (id.clone(), revision.clone(), digest.clone()));
        (0..DESIRED).map(task).collect()
    }

    pub(super) fn described(&self, name: &str) -> Value {
        let last = self.deployments.len().saturating_sub(1);
        let deployments = self.deployments.iter().enumerate().rev().map(|(n, one)| {
            let failed = u32::from(one.state == "FAILED") * 3;
            json!({
                "id": one.id, "status": if n == last { "PRIMARY" } else { "ACTIVE" }, "rolloutState": one.state,
                "rolloutStateReason": "ECS said so", "taskDefinition": one.revision, "desiredCount": DESIRED,
                "runningCount": if one.state == "COMPLETED" { DESIRED } else { 0 }, "failedTasks": failed,
            })
        });
        let mut deployments: Vec<Value> = deployments.collect();
        let controller = if self.external { "EXTERNAL" } else { "ECS" };
        for one in deployments.iter_mut().filter(|_| self.external) {
            one["taskDefinition"] = Value::Null;
        }
        json!({"serviceName": name, "serviceArn": super::service_arn(name), "status": "ACTIVE",
               "deploymentController": {"type": controller}, "desiredCount": DESIRED, "loadBalancers": [],
               "deployments": deployments})
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
