//! What the function asks of AWS beside the ledger, cut to what its steps need, and what comes back.

use std::collections::{BTreeMap, BTreeSet};

use pack::policy::Policy;
use pipeline::Fault;
use pipeline::alarm::Alarm;
use pipeline::clock::Timestamp;
use pipeline::environment::{Environments, ServiceDocuments};
use pipeline::ids::{Digest, ReleaseId, ServiceName, TaskDefinitionArn};
use pipeline::image::ImageReference;
use pipeline::service::Deployment;
use pipeline::service_deployment::Stage;
use pipeline::task_definition::OpenPort;
use serde_json::Value;

use super::images::Platform;
use crate::plan::PlanContext;

/// The documents of the environments.
pub trait Documents {
    /// Reads the environments for a release; what was read for the same one a moment ago will do.
    async fn environments(&self, release: &ReleaseId, now: Timestamp) -> Result<Environments, Fault>;
}

/// The live tests of services.
pub trait LiveTests {
    /// Reads the documents of services for a release; one that has none is left out, and what was read for the same
    /// release a moment ago will do.
    async fn documents(
        &self,
        context: PlanContext<'_>,
        services: &[ServiceName],
    ) -> Result<ServiceDocuments, Fault>;
    /// Tells who will ask them.
    fn prober(&self) -> Prober;
}

/// The clusters, their services and the revisions that these run.
pub trait Clusters {
    /// Reads the services of a cluster: those named, or all of them.
    async fn services(&self, cluster: &str, named: Option<&[ServiceName]>) -> Result<ClusterSnapshot, Fault>;
    /// Reads which revision each service of a cluster is steering to, and nothing of the revisions.
    async fn pointed(&self, cluster: &str) -> Result<BTreeMap<ServiceName, TaskDefinitionArn>, Fault>;
    /// Reads revisions, and keeps those that ECS had to be asked for.
    async fn revisions(&self, arns: &BTreeSet<TaskDefinitionArn>) -> Result<Revisions, Fault>;
    /// Reads the digests that the running tasks of some services report, each of the revision that it is pointed at:
    /// those of a rollout that got stuck say what it ran before.
    async fn running(
        &self,
        cluster: &str,
        services: &BTreeMap<ServiceName, TaskDefinitionArn>,
    ) -> Result<BTreeMap<ServiceName, TaskImages>, Fault>;
    /// Tells why a revision cannot be copied with another image, if it cannot.
    async fn loss(
        &self,
        arn: &TaskDefinitionArn,
        containers: &[String],
        to: &Digest,
    ) -> Result<Option<String>, Fault>;
    /// Keeps a revision that was seen: ECS may have lost it when it is needed.
    async fn record(&self, arn: &TaskDefinitionArn) -> Result<(), Fault>;
    /// Reads the service deployments of a service that go on, by their ARNs.
    async fn open_shifts(&self, cluster: &str, service: &ServiceName) -> Result<Vec<String>, Fault>;
    /// Returns the task roles that the stack may hand on, as far as that is known.
    fn roles(&self) -> Option<&[String]>;
}

/// The alarms of CloudWatch.
pub trait Alarms {
    /// Reads the states of alarms; what does not exist is left out.
    async fn alarms(&self, names: &BTreeSet<String>) -> Result<AlarmStates, Fault>;
}

/// The executions of the state machine.
pub trait Executions {
    /// Tells what is known of an execution.
    async fn execution(&self, execution: &str) -> Result<Execution, Fault>;
    /// Answers a waiting state; tells whether it still waited.
    async fn answer(&self, token: &str, answer: &Value) -> Result<bool, Fault>;
    /// Starts an execution of the machine, once for each name.
    async fn start(&self, machine: &str, name: &str, input: &Value) -> Result<(), Fault>;
}

/// The function that asks live tests.
#[derive(Clone, Copy, Debug, Default)]
pub struct Prober {
    /// Whether it can reach the tasks at their own addresses.
    pub in_vpc: bool,
    /// Which hosts it may ask.
    pub policy: Policy,
}

/// What is known of an execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Execution {
    /// It runs, or is about to run again.
    Running,
    /// It ended then.
    Ended(Timestamp),
    /// There is none, or it began so lately that it is not told of yet.
    Unknown,
}

/// The states of alarms, by name.
pub type AlarmStates = BTreeMap<String, Alarm>;

/// What the tasks of a service report, by container.
pub type TaskImages = BTreeMap<String, Digests>;

/// What could be read of a cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClusterSnapshot {
    /// Its services.
    pub services: Vec<Service>,
    /// The services that cannot be read, and why: each stays as it is, and stops no other.
    pub unreadable: BTreeMap<ServiceName, String>,
    /// How many task definitions are left to be read another time: ECS answers so many at once.
    pub unread: usize,
}

/// What could be read of some revisions; one that ECS does not tell of is left out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Revisions {
    /// The revisions.
    pub read: BTreeMap<TaskDefinitionArn, Revision>,
    /// How many are left to be read another time: ECS answers so many at once.
    pub unread: usize,
}

impl ClusterSnapshot {
    /// Returns the names of all services, whatever they are.
    pub fn names(&self) -> impl Iterator<Item = &ServiceName> {
        self.services.iter().map(|service| &service.name).chain(self.unreadable.keys())
    }
}

/// What tasks report for a container.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Digests {
    /// The digests, each once.
    pub seen: BTreeSet<Digest>,
    /// Whether some container did not report one.
    pub unknown: bool,
}

/// One service of a cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// Its name.
    pub name: ServiceName,
    /// Who deploys it: `ECS`, `CODE_DEPLOY` or `EXTERNAL`.
    pub controller: String,
    /// How: `ROLLING`, `BLUE_GREEN`, `LINEAR` or `CANARY`.
    pub strategy: String,
    /// How its traffic is shifted, and where it waits meanwhile.
    pub shifting: Shifting,
    /// How many tasks it wants.
    pub desired: i32,
    /// How many it runs.
    pub running: i32,
    /// The deployments that it lists.
    pub deployments: Vec<Deployment>,
    /// The alarms that ECS itself watches while it deploys.
    pub alarms: Vec<String>,
    /// The containers and ports that its target groups reach.
    pub balanced: Vec<(String, i32)>,
    /// The names that Service Connect gives to it.
    pub connect: Vec<String>,
    /// What the revision says that it is steering to.
    pub revision: Revision,
}

/// What of a task definition a decision is made by.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Revision {
    /// The images of its containers that come from ECR, by container.
    pub images: Vec<(String, ImageReference)>,
    /// The container ports that it opens.
    pub ports: Vec<OpenPort>,
    /// The roles that it hands on.
    pub roles: Vec<String>,
    /// The network mode of its tasks; the default of ECS if absent.
    pub network_mode: Option<String>,
    /// What its tasks run on.
    pub platform: Platform,
    /// Each container; with it why its log cannot be searched, if it cannot.
    pub logs: BTreeMap<String, Option<String>>,
}

/// What the deployment configuration of a service says of its traffic.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shifting {
    /// Its PAUSE hooks, once for each stage in which one waits.
    pub gates: Vec<Pause>,
    /// Whether such a hook goes on by itself when nobody answers, where ECS says so.
    pub goes_on: bool,
    /// How many minutes its steps and its bake are planned to take.
    pub planned_minutes: u32,
}

/// A PAUSE hook at one stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pause {
    /// Where it waits.
    pub stage: Stage,
    /// For how many minutes, where ECS says so.
    pub minutes: Option<i32>,
}

impl Service {
    /// Tells whether ECS shifts its traffic from old tasks to new ones, and does not replace them one by one.
    pub fn shifts(&self) -> bool {
        ["BLUE_GREEN", "LINEAR", "CANARY"].contains(&self.strategy.as_str())
    }

    /// Returns the deployment that ECS is steering to.
    pub fn primary(&self) -> Option<&Deployment> {
        self.deployments.iter().find(|one| one.primary)
    }
}
