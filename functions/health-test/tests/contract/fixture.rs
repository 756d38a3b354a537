//! AWS and HTTP in memory.

mod port;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use health_test::probe::{Answer, ProbeResult, Web};
use health_test::rollout::{
    Binding, Container, Ended, Exit, Found, OnInstance, Pair, Port, Ports, Progress, Requests, Route,
    RunNote, RunTask, Search, Service, Span, Stream, Target, Task,
};
use health_test::tests_row::TestsRow;
use pack::kind::http::Request;
use pack::kind::metric::Asked;
use pack::policy::Policy;
use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ids::{DeploymentId, Digest, PackHash, ReleaseId, TaskDefinitionArn};
use pipeline::image::ImageReference;
use pipeline::ledger::{Key, Loaded};
use pipeline::payload::MoveKey;
use pipeline::rows::{MoveRow, RunRow};
use pipeline::service::{Deployment, Rollout};
use pipeline::service_deployment::{ServiceDeployment, Stage, Status};
use pipeline::task_definition::OpenPort;
use serde_json::Value;
use testbed::moves::Moves;
use testbed::shift::at_its_gate;

use crate::cloudwatch::CloudWatch;

pub const PACK: &str = r#"{"checks": [{
    "name": "health",
    "http": {"url": "http://${target.address}/health", "json": {"$.status": "ok"}, "within": "500ms"},
    "attempts": 3, "interval": "4s"
}]}"#;

/// Passes nothing that this fixture answers.
pub const STRICT: &str =
    r#"{"checks": [{"name": "strict", "http": {"url": "http://10.0.0.1/", "status": 418}}]}"#;

/// AWS and HTTP in memory.
pub struct Fixture {
    pub rollout: Rollout,
    pub primary: u32,
    /// Which deployment runs the tasks, and on which digest.
    pub tasks: (u32, char),
    pub reachable: bool,
    pub pack: Option<&'static str>,
    /// The live tests that releases kept.
    pub kept: &'static [&'static str],
    /// Hosts that cannot be connected to.
    pub far: &'static [&'static str],
    pub body: &'static str,
    /// Whether what its tasks left behind may be read.
    pub readable: bool,
    /// Whether the last lines of its tasks are still on their way.
    pub late: bool,
    /// The state of its targets.
    pub target: &'static str,
    pub own_groups: Vec<String>,
    pub calls: RefCell<Vec<&'static str>>,
    pub moves: Moves,
    /// The service deployment that shifts its traffic.
    pub shift: Option<ServiceDeployment>,
    /// What is kept of live tests.
    pub kept_tests: RefCell<BTreeMap<Key, TestsRow>>,
    /// What another poll keeps of them, just before the next one does.
    pub quicker: RefCell<Option<TestsRow>>,
    /// What is ordered to run, and what ECS says of the tasks that were started.
    pub orders: RefCell<BTreeMap<String, RunRow>>,
    pub ran: RefCell<Vec<RunTask>>,
    /// What is logged and measured.
    pub cloudwatch: CloudWatch,
    /// Which of our tasks have ended, while the others are stable.
    pub replaced: &'static [&'static str],
    /// The instances that Systems Manager manages, with their addresses, where tasks share the address of `i-1`.
    pub managed: Option<&'static [(&'static str, &'static str)]>,
    /// What the secrets are.
    pub secret: Result<&'static str, Fault>,
}

impl Fixture {
    pub fn good() -> Self {
        Fixture {
            rollout: Rollout::Completed,
            primary: 2,
            tasks: (2, 'b'),
            reachable: true,
            pack: Some(PACK),
            kept: &[PACK, STRICT],
            far: &[],
            body: r#"{"status":"ok"}"#,
            readable: true,
            late: false,
            target: "healthy",
            own_groups: vec!["sg-health-test".to_owned()],
            calls: RefCell::default(),
            shift: None,
            kept_tests: RefCell::default(),
            quicker: RefCell::default(),
            orders: RefCell::default(),
            ran: RefCell::default(),
            cloudwatch: CloudWatch::default(),
            replaced: &[],
            managed: None,
            secret: Ok("hush-1234"),
            moves: Moves { found: Some(Loaded::given(&row())), ..Moves::default() },
        }
    }

    pub fn of(case: &str) -> Self {
        let good = Fixture::good();
        match case {
            "pending" | "unhealthy-never-stable" => Fixture { rollout: Rollout::InProgress, ..good },
            "superseded" => Fixture { primary: 9, ..good },
            "unhealthy-rolled-back-by-ecs" => Fixture { rollout: Rollout::Failed, primary: 3, ..good },
            "unhealthy-wrong-answer" | "pending-live-test-fails-once" => {
                Fixture { body: r#"{"status":"down"}"#, ..good }
            }
            "forced-anew" => Fixture { primary: 9, tasks: (9, 'b'), ..good },
            "reach-pending" | "reach-unreachable" => Fixture { far: &["10.0.0.1", "10.0.0.2"], ..good },
            "inconclusive" => Fixture { reachable: false, ..good },
            "unhealthy-rollback" => {
                Fixture { rollout: Rollout::InProgress, tasks: (3, 'a'), primary: 3, ..good }
            }
            "rollback" => Fixture { primary: 3, tasks: (3, 'a'), ..good },
            "dark-healthy" => Fixture { shift: Some(waits("AWAITING_ACTION")), ..good },
            "dark-tests-fail" => {
                let pack = PACK.replace(r#""attempts": 3"#, r#""attempts": 1"#).leak();
                Fixture { shift: Some(waits("AWAITING_ACTION")), body: "{}", pack: Some(pack), ..good }
            }
            "gate-ran-out" => {
                let shift = ServiceDeployment { status: Status::RollingBack, ..waits("TIMED_OUT") };
                Fixture { shift: Some(shift), ..good }
            }
            "continued-by-somebody" => {
                let stage = Stage::of("PRODUCTION_TRAFFIC_SHIFT");
                let shift = ServiceDeployment { stage, production: 100.0, ..waits("SUCCEEDED") };
                Fixture { shift: Some(shift), ..good }
            }
            _ => good,
        }
    }

    fn pairs(&self) -> Vec<Pair> {
        let group = |name| {
            format!("arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/{name}/0123456789abcdef")
        };
        let groups = ["users", "users-2"].map(group);
        let pair = Pair { groups, balancer: "app/users/1".to_owned() };
        self.shift.iter().map(|_| pair.clone()).collect()
    }

    /// The same before its service is touched.
    pub fn untouched(mut self) -> Self {
        let row = MoveRow { touched: None, deployment: None, ..row() };
        self.moves.found = Some(Loaded::given(&row));
        self
    }

    fn called(&self, call: &'static str) -> Result<(), Fault> {
        self.calls.borrow_mut().push(call);
        if self.reachable {
            Ok(())
        } else {
            Err(Fault::Unavailable(format!("could not reach AWS to see the {call}")))
        }
    }

    fn may_read(&self, what: &str) -> Result<(), Fault> {
        if self.readable { Ok(()) } else { Err(Fault::Denied(format!("not allowed to {what}"))) }
    }

    fn progress(&self, n: u32, rollout: Rollout) -> Progress {
        let family = "arn:aws:ecs:eu-west-1:123456789012:task-definition/users";
        let task_definition =
            TaskDefinitionArn::parse(format!("{family}:{}", revision(n, self.tasks))).unwrap();
        let id = DeploymentId::parse(format!("ecs-svc/{n}")).unwrap();
        let deployment = Deployment { id, task_definition, primary: n == self.primary, rollout };
        let reason = "tasks failed to start".to_owned();
        Progress { deployment, reason, desired: 2, running: 1, failed: 3 }
    }

    fn task(&self, n: u16) -> Task {
        let digest = Digest::parse(format!("sha256:{}", self.tasks.1.to_string().repeat(64))).unwrap();
        let image = ImageReference::parse("123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/users").unwrap();
        let image = image.pinned(&digest);
        Task {
            id: format!("task{n}"),
            started_by: format!("ecs-svc/{}", self.tasks.0),
            running: true,
            containers: vec![Container { name: "app".to_owned(), image, digest: Some(digest) }],
            addresses: match self.managed {
                None => vec![format!("10.0.0.{n}").parse().unwrap()],
                Some(_) => Vec::new(),
            },
            on_instance: self.managed.map(|_| OnInstance {
                instance: "arn-i-1".to_owned(),
                bindings: vec![Binding { container: "app".to_owned(), port: 8080, host_port: host_port(n) }],
            }),
        }
    }
}

/// The port of its instance that a task has.
fn host_port(n: u16) -> u16 {
    32767 + n
}

impl Web for &Fixture {
    fn policy(&self) -> Policy {
        Policy::default()
    }
    async fn connect(&self, host: &str, port: u16, _: Duration) -> Result<(), String> {
        self.calls.borrow_mut().push("connect");
        assert!([8080, 9901, 443, host_port(1), host_port(2)].contains(&port), "{port}");
        if self.far.contains(&host) { Err("no connection within 3000 ms".to_owned()) } else { Ok(()) }
    }
    async fn ask(&self, request: &Request, _: Duration) -> ProbeResult {
        self.calls.borrow_mut().push("http");
        // One of the two targets is as good as it can be: a load balancer might have answered from it.
        let body = if request.url.contains("10.0.0.1") { r#"{"status":"ok"}"# } else { self.body };
        ProbeResult::Answer(Answer {
            status: 200,
            headers: vec![],
            body: body.to_owned(),
            cut: false,
            took: Duration::from_millis(12),
        })
    }
}

/// Returns a service deployment whose gate is in a state, and gives up in an hour.
pub fn waits(status: &str) -> ServiceDeployment {
    let mut shift = at_its_gate(status);
    for hook in &mut shift.hooks {
        hook.expires = Timestamp::parse("2026-11-23T11:00:00Z").ok();
    }
    shift
}

/// The revision of a deployment: ours is the second, also where somebody forced a ninth deployment of it.
fn revision(deployment: u32, tasks: (u32, char)) -> u32 {
    match deployment {
        3 => 1,
        9 if tasks.0 == 9 => 2,
        n => n,
    }
}

pub fn row() -> MoveRow {
    let event: Value =
        serde_json::from_str(include_str!("../../../../events/health-test/good.json")).unwrap();
    serde_json::from_value(event["move"].clone()).unwrap()
}
