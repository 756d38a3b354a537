//! What can be seen of a rollout, and the port through which it is seen.

mod aws;
mod instances;
mod logs;
mod metrics;
mod routes;
mod search;

pub use aws::Aws;
pub use routes::{Pair, Requests, Route, Span};

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use pack::kind::metric::Asked;
use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ids::{DeploymentId, Digest, PackHash, ReleaseId, TaskDefinitionArn};
use pipeline::ledger::Key;
use pipeline::payload::MoveKey;
use pipeline::rows::{MoveRow, RunRow};
use pipeline::service::Deployment;
use pipeline::service_deployment::ServiceDeployment;
use pipeline::task_definition::OpenPort;

use crate::tests_row::TestsRow;

/// How long CloudWatch may take to say what only delays or shortens a shift; no poll fails without it.
pub const CLOUDWATCH_PATIENCE: Duration = Duration::from_secs(4);

/// A service that exists.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// How many tasks it is to run.
    pub desired: i32,
    /// The deployments that it still lists.
    pub deployments: Vec<Progress>,
    /// The target groups that its tasks are registered in, by ARN.
    pub target_groups: Vec<String>,
    /// Between which target groups ECS shifts its traffic; none if it rolls.
    pub pairs: Vec<Pair>,
    /// The security groups of its tasks.
    pub security_groups: Vec<String>,
}

/// A deployment, and how it goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// Which one.
    pub deployment: Deployment,
    /// What ECS says about its state.
    pub reason: String,
    /// How many tasks it is to run.
    pub desired: i32,
    /// How many it runs.
    pub running: i32,
    /// How many of its tasks ended before they were steady.
    pub failed: i32,
}

/// A task that the service wants to run.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// The last part of its ARN.
    pub id: String,
    /// The deployment that started it.
    pub started_by: String,
    /// Whether it runs already.
    pub running: bool,
    /// Its containers.
    pub containers: Vec<Container>,
    /// Its own addresses; none if it shares those of its instance.
    pub addresses: Vec<IpAddr>,
    /// Where it is on the instance whose addresses it shares, if it does.
    pub on_instance: Option<OnInstance>,
}

/// Where a task is on an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnInstance {
    /// The ARN of the container instance.
    pub instance: String,
    /// The TCP ports of the instance that are bound to ports of its containers.
    pub bindings: Vec<Binding>,
}

/// A port of an instance that is bound to one of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The container's name in the task definition.
    pub container: String,
    /// Its port.
    pub port: u16,
    /// The one of the instance.
    pub host_port: u16,
}

/// A port of an instance.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct InstancePort {
    /// The instance's id.
    pub instance: String,
    /// The port.
    pub port: u16,
}

/// The ports that the containers of a revision open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ports {
    /// All of them.
    pub open: Vec<OpenPort>,
    /// Whether they are ports of the instance: the network mode is host.
    pub are_of_host: bool,
}

/// A container of a task.
#[derive(Clone, Debug, PartialEq)]
pub struct Container {
    /// Its name in the task definition.
    pub name: String,
    /// The image as the task definition names it.
    pub image: String,
    /// The digest that it runs, once ECS knows.
    pub digest: Option<Digest>,
}

/// A task that the service no longer wants to run.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// The last part of its ARN.
    pub id: String,
    /// The deployment that started it.
    pub started_by: String,
    /// The kind of its end, in the word of ECS.
    pub code: String,
    /// Why it ended.
    pub reason: String,
    /// How its containers ended.
    pub exits: Vec<Exit>,
    /// When it ended, in milliseconds since 1970.
    pub at: i64,
}

/// A task that live tests run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunTask {
    /// Its ARN.
    pub arn: String,
    /// The revision that it runs.
    pub definition: Option<TaskDefinitionArn>,
    /// Where it is, in the word of ECS.
    pub status: String,
    /// When it began to run.
    pub started: Option<Timestamp>,
    /// How it ended, as far as it has.
    pub ended: Ended,
}

/// What health-test writes down of a run after its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunNote {
    /// It is to end.
    Stop,
    /// It has ended.
    Over,
}

/// Where a container of a task logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// The container's name in the task definition.
    pub container: String,
    /// The log group.
    pub group: String,
    /// The name of the stream.
    pub name: String,
}

/// What is looked for in a log group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// The log group.
    pub group: String,
    /// The names of the streams, as many as one call takes at most.
    pub streams: Vec<String>,
    /// What is looked for, in the filter syntax of CloudWatch Logs.
    pub pattern: String,
    /// The first moment that counts.
    pub from: Timestamp,
    /// The last one.
    pub until: Timestamp,
}

/// What a search found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The lines, as they were logged.
    pub lines: Vec<Line>,
    /// How many of the streams exist.
    pub streams: usize,
    /// Whether there may be more lines than were read.
    pub cut: bool,
}

/// A line of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When it was logged, in milliseconds since 1970.
    pub at: i64,
    /// The name of the stream.
    pub stream: String,
    /// What it says.
    pub text: String,
}

/// How a container ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Exit {
    /// Its name in the task definition.
    pub container: String,
    /// Its exit code, if it ever ran.
    pub code: Option<i32>,
    /// What ECS adds to that.
    pub reason: String,
}

/// A target in a target group.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// The name of the group.
    pub group: String,
    /// The address, or the instance.
    pub id: String,
    /// The port.
    pub port: i32,
    /// The state, in the load balancer's word.
    pub state: String,
    /// Why it is in that state.
    pub reason: String,
}

impl Target {
    /// Returns the address; none if the target is an instance.
    pub fn address(&self) -> Option<IpAddr> {
        self.id.parse().ok()
    }

    /// Returns the instance and the port; none if the target is an address.
    pub fn on_instance(&self) -> Option<InstancePort> {
        let port = u16::try_from(self.port).ok()?;
        self.address().is_none().then(|| InstancePort { instance: self.id.clone(), port })
    }

    /// Returns the address and the port, as a URL has them.
    pub fn socket(&self) -> Option<String> {
        Some(SocketAddr::new(self.address()?, u16::try_from(self.port).ok()?).to_string())
    }
}

/// Something that is looked at only when it is needed.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Measured<T> {
    /// Not looked at yet.
    #[default]
    NotYet,
    /// It could not be measured, and why.
    Not(String),
    /// What was seen.
    Is(T),
}

impl<T> Measured<T> {
    /// Takes a failed call for what it is: nothing was seen.
    pub fn of(answer: Result<T, Fault>) -> Self {
        answer.map_or_else(|fault| Measured::Not(fault.to_string()), Measured::Is)
    }
}

/// All that the function asks of AWS.
pub trait Port {
    /// Reads the service of a move; none if it does not exist or is on its way out.
    async fn service(&self, row: &MoveRow) -> Result<Option<Service>, Fault>;
    /// Reads the service deployment of a deployment that was started then; by its ARN, if an earlier poll has found it.
    async fn shift(
        &self,
        row: &MoveRow,
        deployment: &DeploymentId,
        started: Timestamp,
        known: Option<&str>,
    ) -> Result<Option<ServiceDeployment>, Fault>;
    /// Reads the tasks that the service wants to run.
    async fn tasks(&self, row: &MoveRow) -> Result<Vec<Task>, Fault>;
    /// Reads which ports the containers of a revision open.
    async fn ports(&self, revision: &TaskDefinitionArn) -> Result<Ports, Fault>;
    /// Reads which instances some container instances are, by their ARNs; what ECS no longer knows is left out.
    async fn instances(&self, row: &MoveRow, arns: &[String]) -> Result<BTreeMap<String, String>, Fault>;
    /// Reads the addresses of instances; those that Systems Manager does not manage are left out.
    async fn addresses(&self, instances: &[String]) -> Result<BTreeMap<String, IpAddr>, Fault>;
    /// Reads the name of the load balancer in front of some target groups.
    async fn balancer(&self, groups: &[String]) -> Result<String, Fault>;
    /// Reads the targets of some target groups.
    async fn targets(&self, groups: &[String]) -> Result<Vec<Target>, Fault>;
    /// Reads the live tests of the service as they are now; none if it has none.
    async fn pack(&self, row: &MoveRow) -> Result<Option<String>, Fault>;
    /// Reads the value of a parameter, or of a secret that Parameter Store hands on.
    async fn secret(&self, parameter: &str) -> Result<String, Fault>;
    /// Reads what is kept of the live tests of one part of a move; none if nothing is yet.
    async fn kept(&self, key: &Key) -> Result<Option<TestsRow>, Fault>;
    /// Keeps it, unless a poll of this number or a later one has; tells whether it is kept.
    async fn keep(&self, key: &Key, row: &TestsRow) -> Result<bool, Fault>;
    /// Reads what the live tests of a move run.
    async fn runs(&self, key: &MoveKey) -> Result<Vec<RunRow>, Fault>;
    /// Orders a run, unless it is ordered already.
    async fn order(&self, key: &MoveKey, order: &RunRow) -> Result<(), Fault>;
    /// Writes down of a run that it is to end, or that it has.
    async fn note_run(&self, key: &MoveKey, name: &str, what: RunNote) -> Result<(), Fault>;
    /// Reads tasks by their ARNs; what ECS no longer knows is left out.
    async fn ran(&self, row: &MoveRow, tasks: &[String]) -> Result<Vec<RunTask>, Fault>;
    /// Reads live tests that a release kept; what is not there is left out.
    async fn pinned(&self, packs: &[PackHash]) -> Result<BTreeMap<PackHash, String>, Fault>;
    /// Reads the moves of a release, in their order.
    async fn moves(&self, release: &ReleaseId) -> Result<Vec<MoveRow>, Fault>;
    /// Returns the security groups of this function; none if it runs outside the VPC.
    fn own_groups(&self) -> &[String];
    /// Reads the tasks that the service no longer wants to run, as long as ECS remembers them.
    async fn ended(&self, row: &MoveRow) -> Result<Vec<Ended>, Fault>;
    /// Reads so many of the last lines that some tasks of a revision logged, stream by stream.
    async fn logged(
        &self,
        row: &MoveRow,
        revision: &TaskDefinitionArn,
        tasks: &[String],
        lines: i32,
    ) -> Result<Vec<Vec<String>>, Fault>;
    /// Returns where tasks of a revision log: task by task, and container by container.
    async fn streams(&self, revision: &TaskDefinitionArn, tasks: &[String]) -> Result<Vec<Stream>, Fault>;
    /// Searches some streams; those that do not exist yet are empty.
    async fn search(&self, search: &Search) -> Result<Found, Fault>;
    /// Reads the value of the one period that begins then; none if there is none.
    async fn measure(&self, queries: &[Asked], begins: Timestamp, seconds: i64)
    -> Result<Option<f64>, Fault>;
    /// Returns the first alarm of a move that speaks against it, if one does.
    async fn alarmed(&self, row: &MoveRow) -> Result<Option<String>, Fault>;
    /// Reads how many requests came along some routes in a span, all together.
    async fn requests(&self, routes: &[Route], span: Span) -> Result<Requests, Fault>;
}

#[cfg(test)]
pub(crate) mod samples {
    use super::*;
    use pipeline::service::Rollout;
    use serde_json::Value;

    /// The move of `events/health-test/good.json`, on its way back.
    pub(crate) fn row() -> MoveRow {
        let event: Value =
            serde_json::from_str(include_str!("../../../events/health-test/rollback.json")).unwrap();
        let row: MoveRow = serde_json::from_value(event["move"].clone()).unwrap();
        MoveRow { verdict: None, ..row }
    }

    pub(crate) fn digest(digit: &str) -> Digest {
        Digest::parse(format!("sha256:{}", digit.repeat(64))).unwrap()
    }

    pub(crate) fn progress(n: u32, revision: u32, primary: bool, rollout: Rollout) -> Progress {
        let arn = format!("arn:aws:ecs:eu-west-1:123456789012:task-definition/users:{revision}");
        let task_definition = TaskDefinitionArn::parse(arn).unwrap();
        let id = DeploymentId::parse(format!("ecs-svc/{n}")).unwrap();
        let deployment = Deployment { id, task_definition, primary, rollout };
        Progress { deployment, reason: "ECS said so".to_owned(), desired: 2, running: 1, failed: 0 }
    }

    pub(crate) fn task(id: &str, deployment: u32, digit: &str) -> Task {
        let image = format!("123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/users@{}", digest(digit));
        let app = Container { name: "app".to_owned(), image, digest: Some(digest(digit)) };
        let proxy = Container { name: "proxy".to_owned(), image: "envoy".to_owned(), digest: None };
        Task {
            id: id.to_owned(),
            started_by: format!("ecs-svc/{deployment}"),
            running: true,
            containers: vec![proxy, app],
            addresses: vec![format!("10.0.0.{}", id.trim_start_matches('t')).parse().unwrap()],
            on_instance: None,
        }
    }

    pub(crate) fn target(id: &str, state: &str) -> Target {
        Target {
            group: "users".to_owned(),
            id: id.to_owned(),
            port: 8080,
            state: state.to_owned(),
            reason: String::new(),
        }
    }
}
