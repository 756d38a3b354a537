//! AWS and HTTP in memory.

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
use pipeline::service_deployment::{Hook, ServiceDeployment, Stage, Status};
use pipeline::task_definition::OpenPort;
use serde_json::Value;
use testbed::moves::Moves;

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

impl Port for &Fixture {
    async fn service(&self, _: &MoveRow) -> Result<Option<Service>, Fault> {
        self.called("service")?;
        let ours = self.progress(if self.primary == 3 { self.tasks.0 } else { 2 }, self.rollout.clone());
        let other = self.progress(self.primary, Rollout::Completed);
        let deployments =
            if other.deployment.id == ours.deployment.id { vec![ours] } else { vec![other, ours] };
        let group = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/users/0123456789abcdef";
        Ok(Some(Service {
            desired: 2,
            deployments,
            target_groups: vec![group.to_owned()],
            pairs: self.pairs(),
            security_groups: vec!["sg-users".to_owned()],
        }))
    }
    async fn shift(
        &self,
        _: &MoveRow,
        _: &DeploymentId,
        _: Timestamp,
        known: Option<&str>,
    ) -> Result<Option<ServiceDeployment>, Fault> {
        self.called(if known.is_some() {
            "describe the service deployment"
        } else {
            "find the service deployment"
        })?;
        Ok(self.shift.clone())
    }
    async fn tasks(&self, _: &MoveRow) -> Result<Vec<Task>, Fault> {
        self.called("tasks")?;
        Ok(vec![self.task(1), self.task(2)])
    }
    async fn ports(&self, _: &TaskDefinitionArn) -> Result<Ports, Fault> {
        self.called("ports")?;
        let port = |container: &str, name: &str, number| OpenPort {
            container: container.to_owned(),
            name: Some(name.to_owned()),
            number,
        };
        let open = vec![port("proxy", "admin", 9901), port("app", "http", 8080)];
        Ok(Ports { open, are_of_host: false })
    }
    async fn instances(&self, _: &MoveRow, arns: &[String]) -> Result<BTreeMap<String, String>, Fault> {
        self.called("instances")?;
        Ok(arns.iter().map(|arn| (arn.clone(), arn.replace("arn-", ""))).collect())
    }
    async fn addresses(&self, instances: &[String]) -> Result<BTreeMap<String, IpAddr>, Fault> {
        self.called("addresses")?;
        let managed = self.managed.unwrap_or_default();
        let managed = managed.iter().filter(|(id, _)| instances.iter().any(|one| one == id));
        Ok(managed.map(|(id, address)| ((*id).to_owned(), address.parse().unwrap())).collect())
    }
    async fn balancer(&self, groups: &[String]) -> Result<String, Fault> {
        assert_eq!(groups.len(), 1);
        self.called("balancer")?;
        Ok("users-1.eu-west-1.elb.amazonaws.com".to_owned())
    }
    async fn targets(&self, groups: &[String]) -> Result<Vec<Target>, Fault> {
        assert_eq!(groups.len(), if self.shift.is_some() { 2 } else { 1 });
        self.called("targets")?;
        let target = |n: u16| {
            let own = (format!("10.0.0.{n}"), 8080);
            let (id, port) = self.managed.map_or(own, |_| ("i-1".to_owned(), host_port(n).into()));
            let (group, state, reason) = ("users".to_owned(), self.target.to_owned(), String::new());
            Target { group, id, port, state, reason }
        };
        Ok(vec![target(1), target(2)])
    }
    async fn pack(&self, _: &MoveRow) -> Result<Option<String>, Fault> {
        self.called("pack")?;
        Ok(self.pack.map(str::to_owned))
    }
    async fn secret(&self, _: &str) -> Result<String, Fault> {
        self.called("secret")?;
        self.secret.clone().map(str::to_owned)
    }
    async fn kept(&self, key: &Key) -> Result<Option<TestsRow>, Fault> {
        self.called("kept")?;
        Ok(self.kept_tests.borrow().get(key).cloned())
    }
    async fn keep(&self, key: &Key, row: &TestsRow) -> Result<bool, Fault> {
        self.called("keep")?;
        let mut kept = self.kept_tests.borrow_mut();
        kept.extend(self.quicker.take().map(|row| (key.clone(), row)));
        let is_newer = kept.get(key).is_none_or(|kept| kept.standing.look < row.standing.look);
        is_newer.then(|| kept.insert(key.clone(), row.clone()));
        Ok(is_newer)
    }
    async fn runs(&self, _: &MoveKey) -> Result<Vec<RunRow>, Fault> {
        self.called("runs")?;
        Ok(self.orders.borrow().values().cloned().collect())
    }
    async fn order(&self, _: &MoveKey, order: &RunRow) -> Result<(), Fault> {
        self.called("order")?;
        self.orders.borrow_mut().entry(order.name.clone()).or_insert_with(|| order.clone());
        Ok(())
    }
    async fn note_run(&self, _: &MoveKey, name: &str, what: RunNote) -> Result<(), Fault> {
        self.called("note run")?;
        let mut orders = self.orders.borrow_mut();
        let order = orders.get_mut(name).unwrap();
        match what {
            RunNote::Stop => order.stop = true,
            RunNote::Over => order.over = true,
        }
        Ok(())
    }
    async fn ran(&self, _: &MoveRow, tasks: &[String]) -> Result<Vec<RunTask>, Fault> {
        self.called("ran")?;
        Ok(self.ran.borrow().iter().filter(|task| tasks.contains(&task.arn)).cloned().collect())
    }
    async fn pinned(&self, packs: &[PackHash]) -> Result<BTreeMap<PackHash, String>, Fault> {
        self.called("pinned")?;
        let kept = self.kept.iter().map(|text| (pack::hash(text), (*text).to_owned()));
        Ok(kept.filter(|(hash, _)| packs.contains(hash)).collect())
    }
    async fn moves(&self, _: &ReleaseId) -> Result<Vec<MoveRow>, Fault> {
        self.called("moves")?;
        Ok(vec![row()])
    }
    fn own_groups(&self) -> &[String] {
        self.own_groups.as_slice()
    }
    async fn ended(&self, _: &MoveRow) -> Result<Vec<Ended>, Fault> {
        self.called("ended")?;
        self.may_read("list the stopped tasks")?;
        let exit = Exit { container: "app".to_owned(), code: Some(1), reason: String::new() };
        let task = |n: i64, started_by: u32| Ended {
            id: format!("ended{n}"),
            started_by: format!("ecs-svc/{started_by}"),
            code: "EssentialContainerExited".to_owned(),
            reason: "Essential container in task exited".to_owned(),
            exits: vec![exit.clone()],
            at: n,
        };
        // Tasks of other deployments end too.
        let ours = if self.rollout == Rollout::Completed { vec![] } else { vec![task(1, 2), task(2, 2)] };
        let replaced = self.replaced.iter().map(|id| Ended { id: (*id).to_owned(), ..task(4, 2) });
        Ok([ours, vec![task(3, 1)], replaced.collect()].concat())
    }
    async fn logged(
        &self,
        _: &MoveRow,
        revision: &TaskDefinitionArn,
        tasks: &[String],
        _: i32,
    ) -> Result<Vec<Vec<String>>, Fault> {
        self.called("logged")?;
        self.may_read("read the log")?;
        let revision = revision.as_str().rsplit('/').next().unwrap_or_default();
        Ok(tasks.iter().map(|task| vec![format!("{revision} {task} says goodbye")]).collect())
    }
    async fn streams(&self, revision: &TaskDefinitionArn, tasks: &[String]) -> Result<Vec<Stream>, Fault> {
        self.called("streams")?;
        Ok(CloudWatch::streams(revision.as_str(), tasks))
    }
    async fn search(&self, search: &Search) -> Result<Found, Fault> {
        self.called("search")?;
        self.cloudwatch.search(search)
    }
    async fn measure(
        &self,
        queries: &[Asked],
        begins: Timestamp,
        seconds: i64,
    ) -> Result<Option<f64>, Fault> {
        assert_eq!(seconds, 60);
        self.called("measure")?;
        self.cloudwatch.measure(queries, begins)
    }
    async fn alarmed(&self, row: &MoveRow) -> Result<Option<String>, Fault> {
        self.called("alarms")?;
        Ok(row.alarms.iter().find(|name| name.ends_with("is red")).cloned())
    }
    async fn requests(&self, routes: &[Route], span: Span) -> Result<Requests, Fault> {
        self.called("requests")?;
        self.cloudwatch.requests(routes, span)
    }
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

/// Returns a service deployment whose gate is in a state.
pub fn waits(status: &str) -> ServiceDeployment {
    let expires = Timestamp::parse("2026-11-23T11:00:00Z").ok();
    let hook = Hook { id: "h1".to_owned(), is_pause: true, status: status.to_owned(), expires };
    ServiceDeployment {
        arn: "arn:aws:ecs:eu-west-1:123456789012:service-deployment/dev/users/d1".to_owned(),
        status: Status::Open,
        reason: String::new(),
        stage: Stage::of("POST_TEST_TRAFFIC_SHIFT"),
        hooks: vec![hook],
        requested: 2,
        production: 0.0,
    }
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
