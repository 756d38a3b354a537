//! The samples in `events/health-test`, each against the world that its name tells of.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "this is how a test fails")]

use std::cell::RefCell;
use std::time::Duration;

use health_test::look::Looks;
use health_test::pack::Pack;
use health_test::probe::{Answer, Came, Question, Web};
use health_test::rollout::{Container, Ended, Exit, Port, Progress, Service, Target, Task};
use health_test::{HealthTest, Phase, Request};
use pipeline::clock::Timestamp;
use pipeline::ids::{DeploymentId, Digest, ReleaseId, TaskDefinitionArn};
use pipeline::image::ImageReference;
use pipeline::ledger::Loaded;
use pipeline::payload::MoveKey;
use pipeline::rows::{MoveRow, Verdict};
use pipeline::service::{Deployment, Rollout};
use pipeline::{Fault, document};
use serde_json::{Value, json};
use testbed::moves::Moves;

const PACK: &str = r#"{"checks": [{
    "name": "health",
    "http": {"url": "http://${target.address}/health", "json": {"$.status": "ok"}, "within": "500ms"},
    "attempts": 3, "interval": "4s"
}]}"#;

/// AWS and HTTP in memory.
struct World {
    rollout: Rollout,
    primary: u32,
    /// Which deployment runs the tasks, and on which digest.
    tasks: (u32, char),
    reachable: bool,
    pack: Option<&'static str>,
    body: &'static str,
    /// Whether what its tasks left behind may be read.
    readable: bool,
    calls: RefCell<Vec<&'static str>>,
    moves: Moves,
}

impl World {
    fn good() -> Self {
        World {
            rollout: Rollout::Completed,
            primary: 2,
            tasks: (2, 'b'),
            reachable: true,
            pack: Some(PACK),
            body: r#"{"status":"ok"}"#,
            readable: true,
            calls: RefCell::default(),
            moves: Moves { found: Some(Loaded::given(&row())), ..Moves::default() },
        }
    }

    fn of(case: &str) -> Self {
        let good = World::good();
        match case {
            "pending" | "unhealthy-never-stable" => World { rollout: Rollout::InProgress, ..good },
            "superseded" => World { primary: 9, ..good },
            "unhealthy-rolled-back-by-ecs" => World { rollout: Rollout::Failed, primary: 3, ..good },
            "unhealthy-wrong-answer" | "pending-live-test-fails-once" => {
                World { body: r#"{"status":"down"}"#, ..good }
            }
            "inconclusive" => World { reachable: false, ..good },
            "unhealthy-rollback" => {
                World { rollout: Rollout::InProgress, tasks: (3, 'a'), primary: 3, ..good }
            }
            "rollback" => World { primary: 3, tasks: (3, 'a'), ..good },
            _ => good,
        }
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
            TaskDefinitionArn::parse(format!("{family}:{}", if n == 3 { 1 } else { n })).unwrap();
        let id = DeploymentId::parse(format!("ecs-svc/{n}")).unwrap();
        let deployment = Deployment { id, task_definition, primary: n == self.primary, rollout };
        let reason = "tasks failed to start".to_owned();
        Progress { deployment, reason, desired: 2, running: 1, failed: 3 }
    }

    fn task(&self, n: u32) -> Task {
        let digest = Digest::parse(format!("sha256:{}", self.tasks.1.to_string().repeat(64))).unwrap();
        let image = ImageReference::parse("123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/users").unwrap();
        let image = image.pinned(&digest);
        Task {
            id: format!("task{n}"),
            started_by: format!("ecs-svc/{}", self.tasks.0),
            running: true,
            containers: vec![Container { name: "app".to_owned(), image, digest: Some(digest) }],
            address: Some(format!("10.0.0.{n}")),
        }
    }
}

impl Port for &World {
    async fn service(&self, _: &MoveRow) -> Result<Option<Service>, Fault> {
        self.called("service")?;
        let ours = self.progress(if self.primary == 3 { self.tasks.0 } else { 2 }, self.rollout.clone());
        let other = self.progress(self.primary, Rollout::Completed);
        let deployments =
            if other.deployment.id == ours.deployment.id { vec![ours] } else { vec![other, ours] };
        let group = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/users/0123456789abcdef";
        Ok(Some(Service { desired: 2, deployments, target_groups: vec![group.to_owned()] }))
    }
    async fn tasks(&self, _: &MoveRow) -> Result<Vec<Task>, Fault> {
        self.called("tasks")?;
        Ok(vec![self.task(1), self.task(2)])
    }
    async fn targets(&self, groups: &[String]) -> Result<Vec<Target>, Fault> {
        assert_eq!(groups.len(), 1);
        self.called("targets")?;
        let target = |n| Target {
            group: "users".to_owned(),
            id: format!("10.0.0.{n}"),
            port: 8080,
            state: "healthy".to_owned(),
            reason: String::new(),
        };
        Ok(vec![target(1), target(2)])
    }
    async fn pack(&self, _: &MoveRow) -> Result<Option<String>, Fault> {
        self.called("pack")?;
        Ok(self.pack.map(str::to_owned))
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
        Ok([ours, vec![task(3, 1)]].concat())
    }
    async fn logged(
        &self,
        _: &MoveRow,
        revision: &TaskDefinitionArn,
        tasks: &[String],
    ) -> Result<Vec<Vec<String>>, Fault> {
        self.called("logged")?;
        self.may_read("read the log")?;
        let revision = revision.as_str().rsplit('/').next().unwrap_or_default();
        Ok(tasks.iter().map(|task| vec![format!("{revision} {task} says goodbye")]).collect())
    }
}

impl Web for &World {
    fn check(&self, _: &Pack) -> Result<(), Fault> {
        Ok(())
    }
    async fn ask(&self, question: Question<'_>, _: Duration) -> Came {
        self.calls.borrow_mut().push("http");
        // One of the two targets is as good as it can be: a load balancer might have answered from it.
        let body = if question.url.contains("10.0.0.1") { r#"{"status":"ok"}"# } else { self.body };
        Came::Answer(Answer {
            status: 200,
            body: body.to_owned(),
            cut: false,
            took: Duration::from_millis(12),
        })
    }
}

fn row() -> MoveRow {
    let event: Value = serde_json::from_str(include_str!("../../../events/health-test/good.json")).unwrap();
    serde_json::from_value(event["move"].clone()).unwrap()
}

fn now() -> Timestamp {
    Timestamp::parse(testbed::contract::NOW).unwrap()
}

async fn look(world: &World, request: Request) -> Result<health_test::Response, Fault> {
    HealthTest { port: world, web: world, moves: &world.moves }.handle(request, now()).await
}

fn sample(case: &str) -> Request {
    let path = format!("{}/../../events/health-test/{case}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    document::read("the sample", serde_json::from_str::<Value>(&text).unwrap()).unwrap()
}

fn request(phase: Phase) -> Request {
    Request { phase, looks: None, key: MoveKey::new(ReleaseId::parse("r-1").unwrap(), 0, 3) }
}

#[tokio::test]
async fn the_samples_are_answered_as_their_golden_files_say() {
    testbed::contract::check("health-test", async |case, request, _| look(&World::of(case), request).await)
        .await;
}

#[tokio::test]
async fn a_final_verdict_is_noted_and_a_pending_one_is_not() {
    let world = World::good();
    let answer = look(&world, request(Phase::After)).await.unwrap();
    let noted = json!({"verdict": "Healthy", "reason": answer.reason, "decided": now()});
    assert_eq!(*world.moves.noted.borrow(), [noted]);
    let world = World { rollout: Rollout::InProgress, ..World::good() };
    assert_eq!(look(&world, request(Phase::After)).await.unwrap().verdict, Verdict::Pending);
    assert!(world.moves.noted.borrow().is_empty());
}

#[tokio::test]
async fn the_verdict_of_the_way_back_is_noted_as_such() {
    let world = World::of("rollback");
    let event: Value =
        serde_json::from_str(include_str!("../../../events/health-test/rollback.json")).unwrap();
    let answer = look(&world, document::read("the sample", event).unwrap()).await.unwrap();
    assert_eq!(*world.moves.noted.borrow(), [json!({"undoVerdict": "Healthy", "undoReason": answer.reason})]);
}

#[tokio::test]
async fn a_look_calls_no_more_than_it_needs() {
    let world = World { rollout: Rollout::InProgress, ..World::good() };
    look(&world, request(Phase::After)).await.unwrap();
    assert_eq!(*world.calls.borrow(), ["service"]);
    let world = World::good();
    look(&world, request(Phase::After)).await.unwrap();
    assert_eq!(*world.calls.borrow(), ["service", "tasks", "targets", "pack", "http", "http"]);
    let world = World::of("decided");
    let event: Value =
        serde_json::from_str(include_str!("../../../events/health-test/decided.json")).unwrap();
    look(&world, document::read("the sample", event).unwrap()).await.unwrap();
    assert!(world.calls.borrow().is_empty() && world.moves.noted.borrow().is_empty());
}

#[tokio::test]
async fn what_failed_tasks_left_behind_is_noted_with_the_verdict_and_only_then() {
    for (case, readable, stopped, logs) in [
        (
            "unhealthy-rolled-back-by-ecs",
            true,
            &["2 tasks: Essential container in task exited (EssentialContainerExited); app exit code 1"][..],
            &["users:2 ended2 says goodbye", "users:2 ended1 says goodbye"][..],
        ),
        ("unhealthy-wrong-answer", true, &[], &["users:2 task1 says goodbye", "users:2 task2 says goodbye"]),
        ("unhealthy-rollback", true, &[], &["users:1 task1 says goodbye", "users:1 task2 says goodbye"]),
        (
            "unhealthy-never-stable",
            false,
            &["stopped: not allowed to list the stopped tasks"],
            &["logs: not allowed to read the log"],
        ),
    ] {
        let (readable, good) = (World { readable, ..World::of(case) }, World::of(case));
        let answer = look(&readable, sample(case)).await.unwrap();
        let noted = readable.moves.noted.take();
        assert_eq!(noted.len(), 1, "{case}");
        assert_eq!(noted[0]["bundle"], json!({"stopped": stopped, "logs": logs}), "{case}");
        assert_eq!(
            (answer.verdict, &answer),
            (Verdict::Unhealthy, &look(&good, sample(case)).await.unwrap())
        );
    }
    for case in ["good", "rollback", "superseded", "inconclusive", "pending"] {
        let world = World::of(case);
        look(&world, sample(case)).await.unwrap();
        assert!(world.moves.noted.borrow().iter().all(|noted| noted.get("bundle").is_none()), "{case}");
        assert!(!world.calls.borrow().contains(&"ended"), "{case}");
    }
}

#[tokio::test]
async fn a_check_fails_once_per_look_until_its_attempts_are_used_up() {
    let world = World::of("unhealthy-wrong-answer");
    let mut looks = None;
    let mut seen = Vec::new();
    for _ in 0..3 {
        let answer = look(&world, Request { looks, ..request(Phase::After) }).await.unwrap();
        seen.push((answer.verdict, answer.pause_seconds));
        looks = Some(answer.looks);
    }
    assert_eq!(seen, [(Verdict::Pending, 4), (Verdict::Pending, 4), (Verdict::Unhealthy, 0)]);
}

#[tokio::test]
async fn a_pack_with_a_mistake_is_refused_before_the_service_is_touched() {
    for (pack, name) in [(r#"{"cheks":[]}"#, "InvalidInput"), (r#"{"before":[]}"#, "NotSupported")] {
        let world = World { pack: Some(pack), ..World::good() };
        assert_eq!(look(&world, request(Phase::Before)).await.unwrap_err().name(), name);
    }
}

#[tokio::test]
async fn a_service_without_live_tests_is_healthy_and_the_reason_says_so() {
    let world = World { pack: None, ..World::good() };
    let answer = look(&world, request(Phase::After)).await.unwrap();
    assert_eq!(
        (answer.verdict, answer.reason.as_str()),
        (Verdict::Healthy, "it is stable; no live tests are configured")
    );
}

#[tokio::test]
async fn the_fullest_pack_fits_into_what_one_look_hands_to_the_next() {
    let check = |n: usize| json!({"name": format!("{n:064}"), "http": {"url": "http://10.0.0.2/"}, "attempts": u32::MAX});
    let pack = json!({"checks": (0..20).map(check).collect::<Vec<_>>()}).to_string();
    let world = World { pack: Some(pack.leak()), body: "", ..World::good() };
    let failed = (0..20).map(|n| (format!("{n:064}"), u32::MAX - 1)).collect();
    let looks = Looks { count: u32::MAX, seen: true, failed };
    let answer = look(&world, Request { looks: Some(looks), ..request(Phase::After) }).await.unwrap();
    assert!(serde_json::to_string(&answer.looks).unwrap().len() <= 2048);
}

#[tokio::test]
async fn a_reason_is_kept_short() {
    let pack =
        format!(r#"{{"checks":[{{"name":"a","http":{{"url":"http://10.0.0.2/{}"}}}}]}}"#, "a".repeat(4000));
    let world = World { pack: Some(pack.replace("\"}", "\",\"status\":500}").leak()), ..World::good() };
    let answer = look(&world, request(Phase::After)).await.unwrap();
    assert_eq!((answer.verdict, answer.reason.chars().count()), (Verdict::Unhealthy, 1000));
}
