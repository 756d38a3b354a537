//! The samples in `events/health-test`, each against the fixture that its name tells of.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "this is how a test fails")]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use health_test::poll_state::PollState;
use health_test::probe::{Answer, ProbeResult, Question, Web};
use health_test::reach::Next;
use health_test::rollout::{Container, Ended, Exit, Port, Progress, Service, Target, Task};
use health_test::{Answer as Said, HealthTest, Phase, PollRequest, Request};
use pack::policy::Policy;
use pipeline::clock::Timestamp;
use pipeline::ids::{DeploymentId, Digest, PackHash, ReleaseId, TaskDefinitionArn};
use pipeline::image::ImageReference;
use pipeline::ledger::Loaded;
use pipeline::payload::{MoveKey, MoveRef};
use pipeline::rows::{MoveRow, RestorePoint, Verdict};
use pipeline::service::{Deployment, Rollout};
use pipeline::{Fault, document};
use serde_json::{Value, json};
use testbed::moves::Moves;

const PACK: &str = r#"{"checks": [{
    "name": "health",
    "http": {"url": "http://${target.address}/health", "json": {"$.status": "ok"}, "within": "500ms"},
    "attempts": 3, "interval": "4s"
}]}"#;

/// Passes nothing that this fixture answers.
const STRICT: &str =
    r#"{"checks": [{"name": "strict", "http": {"url": "http://10.0.0.1/", "status": 418}}]}"#;

/// AWS and HTTP in memory.
struct Fixture {
    rollout: Rollout,
    primary: u32,
    /// Which deployment runs the tasks, and on which digest.
    tasks: (u32, char),
    reachable: bool,
    pack: Option<&'static str>,
    /// The live tests that releases kept.
    kept: &'static [&'static str],
    /// Hosts that cannot be connected to.
    far: &'static [&'static str],
    body: &'static str,
    /// Whether what its tasks left behind may be read.
    readable: bool,
    /// The state of its targets.
    target: &'static str,
    own_groups: Vec<String>,
    calls: RefCell<Vec<&'static str>>,
    moves: Moves,
}

impl Fixture {
    fn good() -> Self {
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
            moves: Moves { found: Some(Loaded::given(&row())), ..Moves::default() },
        }
    }

    fn of(case: &str) -> Self {
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
            TaskDefinitionArn::parse(format!("{family}:{}", revision(n, self.tasks))).unwrap();
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
            addresses: vec![format!("10.0.0.{n}").parse().unwrap()],
        }
    }
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
            security_groups: vec!["sg-users".to_owned()],
        }))
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
            state: self.target.to_owned(),
            reason: String::new(),
        };
        Ok(vec![target(1), target(2)])
    }
    async fn pack(&self, _: &MoveRow) -> Result<Option<String>, Fault> {
        self.called("pack")?;
        Ok(self.pack.map(str::to_owned))
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

impl Web for &Fixture {
    fn policy(&self) -> Policy {
        Policy::default()
    }
    async fn connect(&self, host: &str, port: u16, _: Duration) -> Result<(), String> {
        self.calls.borrow_mut().push("connect");
        assert_eq!(port, 8080);
        if self.far.contains(&host) { Err("no connection within 3000 ms".to_owned()) } else { Ok(()) }
    }
    async fn ask(&self, question: Question<'_>, _: Duration) -> ProbeResult {
        self.calls.borrow_mut().push("http");
        // One of the two targets is as good as it can be: a load balancer might have answered from it.
        let body = if question.url.contains("10.0.0.1") { r#"{"status":"ok"}"# } else { self.body };
        ProbeResult::Answer(Answer {
            status: 200,
            body: body.to_owned(),
            cut: false,
            took: Duration::from_millis(12),
        })
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

fn row() -> MoveRow {
    let event: Value = serde_json::from_str(include_str!("../../../events/health-test/good.json")).unwrap();
    serde_json::from_value(event["move"].clone()).unwrap()
}

fn now() -> Timestamp {
    Timestamp::parse(testbed::contract::NOW).unwrap()
}

async fn answer(fixture: &Fixture, request: Request) -> Result<Said, Fault> {
    HealthTest { port: fixture, web: fixture, moves: &fixture.moves }.handle(request, now()).await
}

async fn poll(fixture: &Fixture, request: Request) -> Result<health_test::Response, Fault> {
    match answer(fixture, request).await? {
        Said::Poll(response) => Ok(response),
        Said::Reach(response) => panic!("{response:?}"),
    }
}

fn sample(case: &str) -> Request {
    let path = format!("{}/../../events/health-test/{case}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    document::read("the sample", serde_json::from_str::<Value>(&text).unwrap()).unwrap()
}

fn request(phase: Phase) -> Request {
    again(phase, None)
}

fn again(phase: Phase, state: Option<PollState>) -> Request {
    of(phase, MoveRef::Ordinal(3), state)
}

fn of(phase: Phase, which: MoveRef, state: Option<PollState>) -> Request {
    let key = MoveKey { which, ..MoveKey::new(ReleaseId::parse("r-1").unwrap(), 0, 3) };
    match phase {
        Phase::After => Request::After(PollRequest { state, key }),
        Phase::Rollback => Request::Rollback(PollRequest { state, key }),
    }
}

fn before(which: MoveRef) -> Request {
    let key = MoveKey { which, ..MoveKey::new(ReleaseId::parse("r-1").unwrap(), 0, 3) };
    Request::Before(PollRequest { state: None, key })
}

/// Returns the move of a sample, changed.
fn changed(case: &str, change: impl FnOnce(&mut MoveRow)) -> MoveRef {
    let (Request::After(poll) | Request::Rollback(poll)) = sample(case) else { panic!("{case} is no poll") };
    let MoveRef::Inline(mut row) = poll.key.which else { panic!("{case} gives no move") };
    change(&mut row);
    MoveRef::Inline(row)
}

#[tokio::test]
async fn the_samples_are_answered_as_their_golden_files_say() {
    testbed::contract::check("health-test", async |case, request, _| {
        answer(&Fixture::of(case), request).await
    })
    .await;
}

#[tokio::test]
async fn a_final_verdict_is_noted_and_a_pending_one_is_not() {
    let fixture = Fixture::good();
    let answer = poll(&fixture, request(Phase::After)).await.unwrap();
    let noted = json!({"verdict": "Healthy", "reason": answer.reason, "decided": now()});
    assert_eq!(*fixture.moves.noted.borrow(), [noted]);
    let fixture = Fixture { rollout: Rollout::InProgress, ..Fixture::good() };
    assert_eq!(poll(&fixture, request(Phase::After)).await.unwrap().verdict, Verdict::Pending);
    assert!(fixture.moves.noted.borrow().is_empty());
}

#[tokio::test]
async fn the_verdict_of_the_way_back_is_noted_as_such() {
    let fixture = Fixture::of("rollback");
    let event: Value =
        serde_json::from_str(include_str!("../../../events/health-test/rollback.json")).unwrap();
    let answer = poll(&fixture, document::read("the sample", event).unwrap()).await.unwrap();
    assert_eq!(
        *fixture.moves.noted.borrow(),
        [json!({"undoVerdict": "Healthy", "undoReason": answer.reason})]
    );
}

#[tokio::test]
async fn a_look_calls_no_more_than_it_needs() {
    let fixture = Fixture { rollout: Rollout::InProgress, ..Fixture::good() };
    poll(&fixture, request(Phase::After)).await.unwrap();
    assert_eq!(*fixture.calls.borrow(), ["service"]);
    let fixture = Fixture::good();
    poll(&fixture, request(Phase::After)).await.unwrap();
    assert_eq!(*fixture.calls.borrow(), ["service", "tasks", "targets", "pack", "http", "http"]);
    let fixture = Fixture::of("decided");
    let event: Value =
        serde_json::from_str(include_str!("../../../events/health-test/decided.json")).unwrap();
    poll(&fixture, document::read("the sample", event).unwrap()).await.unwrap();
    assert!(fixture.calls.borrow().is_empty() && fixture.moves.noted.borrow().is_empty());
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
        let (readable, good) = (Fixture { readable, ..Fixture::of(case) }, Fixture::of(case));
        let answer = poll(&readable, sample(case)).await.unwrap();
        let noted = readable.moves.noted.take();
        assert_eq!(noted.len(), 1, "{case}");
        assert_eq!(noted[0]["bundle"], json!({"stopped": stopped, "logs": logs}), "{case}");
        assert_eq!(
            (answer.verdict, &answer),
            (Verdict::Unhealthy, &poll(&good, sample(case)).await.unwrap())
        );
    }
    for case in ["good", "rollback", "superseded", "inconclusive", "pending"] {
        let fixture = Fixture::of(case);
        poll(&fixture, sample(case)).await.unwrap();
        assert!(fixture.moves.noted.borrow().iter().all(|noted| noted.get("bundle").is_none()), "{case}");
        assert!(!fixture.calls.borrow().contains(&"ended"), "{case}");
    }
}

#[tokio::test]
async fn a_check_fails_once_per_look_until_its_attempts_are_used_up() {
    let fixture = Fixture::of("unhealthy-wrong-answer");
    let mut state = None;
    let mut seen = Vec::new();
    for _ in 0..3 {
        let answer = poll(&fixture, again(Phase::After, state)).await.unwrap();
        seen.push((answer.verdict, answer.pause_seconds));
        state = Some(answer.state);
    }
    assert_eq!(seen, [(Verdict::Pending, 4), (Verdict::Pending, 4), (Verdict::Unhealthy, 0)]);
}

#[tokio::test]
async fn a_pack_with_a_mistake_is_refused_before_the_service_is_touched() {
    let late = r#"{"checks":[{"name":"a","http":{"url":"http://10.0.0.1/","within":"6s"}}]}"#;
    for (pack, name) in
        [(r#"{"cheks":[]}"#, "InvalidInput"), (r#"{"before":[]}"#, "NotSupported"), (late, "InvalidInput")]
    {
        let fixture = Fixture { pack: Some(pack), ..Fixture::good() };
        assert_eq!(poll(&fixture, before(MoveRef::Ordinal(3))).await.unwrap_err().name(), name);
    }
}

#[tokio::test]
async fn a_service_without_live_tests_is_healthy_and_the_reason_says_so() {
    let fixture = Fixture { pack: None, ..Fixture::good() };
    let answer = poll(&fixture, request(Phase::After)).await.unwrap();
    assert_eq!(
        (answer.verdict, answer.reason.as_str()),
        (Verdict::Healthy, "it is stable; no live tests are configured")
    );
}

#[tokio::test]
async fn the_fullest_pack_fits_into_what_one_look_hands_to_the_next() {
    let check = |n: usize| json!({"name": format!("{n:064}"), "http": {"url": "http://10.0.0.2/"}, "attempts": u32::MAX});
    let pack = json!({"checks": (0..20).map(check).collect::<Vec<_>>()}).to_string();
    let fixture = Fixture { pack: Some(pack.leak()), body: "", ..Fixture::good() };
    let failed = (0..20).map(|n| (format!("{n:064}"), u32::MAX - 1)).collect();
    let answered = (0..64).map(|n| format!("{:039}:{}", n, u16::MAX)).collect();
    let state = PollState { count: u32::MAX, seen: true, failed, answered };
    let answer = poll(&fixture, again(Phase::After, Some(state))).await.unwrap();
    assert!(serde_json::to_string(&answer.state).unwrap().len() <= 6 * 1024);
}

#[tokio::test]
async fn a_reason_is_kept_short() {
    let pack =
        format!(r#"{{"checks":[{{"name":"a","http":{{"url":"http://10.0.0.2/{}"}}}}]}}"#, "a".repeat(4000));
    let fixture = Fixture { pack: Some(pack.replace("\"}", "\",\"status\":500}").leak()), ..Fixture::good() };
    let answer = poll(&fixture, request(Phase::After)).await.unwrap();
    assert_eq!((answer.verdict, answer.reason.chars().count()), (Verdict::Unhealthy, 1000));
}

#[tokio::test]
async fn a_forced_deployment_of_our_revision_is_noted_and_judged_as_ours() {
    let fixture = Fixture::of("forced-anew");
    let answer = poll(&fixture, request(Phase::After)).await.unwrap();
    assert_eq!(answer.verdict, Verdict::Healthy, "{}", answer.reason);
    let noted = fixture.moves.noted.take();
    assert_eq!((noted.len(), &noted[0]), (2, &json!({"deployment": "ecs-svc/9"})));
    let fixture = Fixture { body: r#"{"status":"down"}"#, ..Fixture::of("forced-anew") };
    let failed = Some(PollState { failed: [("health".to_owned(), 2)].into(), ..PollState::default() });
    let answer = poll(&fixture, again(Phase::After, failed)).await.unwrap();
    assert_eq!(answer.verdict, Verdict::Unhealthy, "{}", answer.reason);
    // It is ours for the next poll, whose row names it.
    let which = changed("good", |row| row.deployment = Some(DeploymentId::parse("ecs-svc/9").unwrap()));
    let fixture = Fixture::of("forced-anew");
    poll(&fixture, of(Phase::After, which, None)).await.unwrap();
    assert!(fixture.moves.noted.borrow().iter().all(|noted| noted.get("deployment").is_none()));
}

#[tokio::test]
async fn each_way_is_judged_by_the_live_tests_that_were_kept_for_it() {
    let (good, strict) = (Some(pack::hash(PACK)), Some(pack::hash(STRICT)));
    let restore = |row: &mut MoveRow, pack| {
        row.restore = row.restore.take().map(|restore| RestorePoint { pack, ..restore });
    };
    for (case, phase, kept, verdict, read) in [
        ("good", Phase::After, None, Verdict::Healthy, "pack"),
        ("good", Phase::After, strict.clone(), Verdict::Unhealthy, "pinned"),
        ("rollback", Phase::Rollback, None, Verdict::Healthy, "pack"),
        ("rollback", Phase::Rollback, strict.clone(), Verdict::Unhealthy, "pinned"),
    ] {
        let which = changed(case, |row| match phase {
            Phase::After => {
                row.pack = kept.clone();
                restore(row, good.clone());
            }
            Phase::Rollback => {
                row.pack = good.clone();
                restore(row, kept.clone());
            }
        });
        let fixture = Fixture::of(case);
        let answer = poll(&fixture, of(phase, which, None)).await.unwrap();
        assert_eq!(answer.verdict, verdict, "{case} {kept:?}: {}", answer.reason);
        assert!(fixture.calls.borrow().contains(&read), "{case} {kept:?}");
    }
    let which = changed("good", |row| row.pack = strict);
    let fixture = Fixture { pack: Some("{"), ..Fixture::good() };
    assert!(
        poll(&fixture, before(which)).await.is_ok(),
        "the present live tests are not those of the release"
    );
}

#[tokio::test]
async fn live_tests_that_cannot_be_used_never_stop_a_rollback() {
    let late = r#"{"checks":[{"name":"a","http":{"url":"http://10.0.0.1/","within":"6s"}}]}"#;
    for pack in [r#"{"cheks":[]}"#, r#"{"before":[]}"#, "{", late] {
        let fixture = Fixture { pack: Some(pack), ..Fixture::of("rollback") };
        let answer = poll(&fixture, sample("rollback")).await.unwrap();
        assert_eq!(answer.verdict, Verdict::Healthy);
        assert!(
            answer.reason.starts_with("it is stable; its live tests were left out: "),
            "{}",
            answer.reason
        );
    }
    let lost = changed("rollback", |row| {
        let pack = Some(pack::hash("lost"));
        row.restore = row.restore.take().map(|restore| RestorePoint { pack, ..restore });
    });
    let answer = poll(&Fixture::of("rollback"), of(Phase::Rollback, lost, None)).await.unwrap();
    assert_eq!(answer.verdict, Verdict::Healthy);
    assert!(answer.reason.ends_with("with the live tests of users does not exist"), "{}", answer.reason);
    // What cannot be read now may be readable soon, and forward a mistake is a fault.
    let fixture = Fixture { pack: Some("{"), ..Fixture::good() };
    assert_eq!(poll(&fixture, sample("good")).await.unwrap_err().name(), "InvalidInput");
}

fn reach(moves: Vec<MoveRow>, state: Option<health_test::reach::ReachState>) -> Request {
    Request::Reach(health_test::reach::Request {
        release: ReleaseId::parse("r-1").unwrap(),
        state,
        moves: Some(moves),
        packs: BTreeMap::new(),
    })
}

async fn reached(fixture: &Fixture, request: Request) -> health_test::reach::Response {
    match answer(fixture, request).await.unwrap() {
        Said::Reach(response) => response,
        Said::Poll(response) => panic!("{response:?}"),
    }
}

#[tokio::test]
async fn a_release_without_live_tests_is_reached_without_a_call() {
    let fixture = Fixture::good();
    let request =
        json!({"phase": "reach", "release": "r-1", "execution": "arn:e", "machine": "arn:m", "state": {}});
    let response = reached(&fixture, document::read("the payload", request).unwrap()).await;
    assert_eq!((response.next, &*fixture.calls.borrow()), (Next::Reached, &vec!["moves"]));
}

#[tokio::test]
async fn every_address_is_connected_to_once_and_one_target_of_a_group_suffices() {
    let tested = MoveRow { pack: Some(pack::hash(PACK)), ..row() };
    let fixture = Fixture { far: &["10.0.0.1"], ..Fixture::good() };
    let response = reached(&fixture, reach(vec![tested.clone(), tested.clone()], None)).await;
    assert_eq!(response.next, Next::Reached, "{}", response.because);
    let calls = fixture.calls.take();
    assert_eq!(calls.iter().filter(|call| **call == "connect").count(), 2, "{calls:?}");
    assert_eq!(calls.iter().filter(|call| **call == "pinned").count(), 1, "{calls:?}");
    // More moves than fit into one call are looked at in several.
    let (fixture, mut state, mut calls) = (Fixture::good(), None, 0);
    let last = loop {
        let response = reached(&fixture, reach(vec![tested.clone(); 60], state)).await;
        calls += 1;
        if response.next != Next::Pending {
            break response;
        }
        state = Some(response.state);
    };
    assert_eq!((last.next, last.state.done, calls), (Next::Reached, 60, 3));
}

#[tokio::test]
async fn a_service_without_a_healthy_target_is_not_refused_for_it() {
    let fixture = Fixture { far: &["10.0.0.1", "10.0.0.2"], target: "unhealthy", ..Fixture::good() };
    let response =
        reached(&fixture, reach(vec![MoveRow { pack: Some(pack::hash(PACK)), ..row() }], None)).await;
    assert_eq!(response.next, Next::Reached);
    assert!(response.because.ends_with("1 service has no healthy target to try"), "{}", response.because);
}

#[tokio::test]
async fn a_release_that_was_stopped_is_looked_at_no_more_but_its_rollback_is() {
    let stop =
        json!({"by": "r9", "because": "bad numbers", "since": "2026-11-23T10:00:00Z", "rollback": true});
    let loaded = Loaded { stop: Some(serde_json::from_value(stop).unwrap()), ..Loaded::given(&row()) };
    let mut fixture = Fixture::good();
    fixture.moves.found = Some(loaded);
    let answer = poll(&fixture, of(Phase::After, MoveRef::Ordinal(3), None)).await.unwrap();
    assert_eq!(
        (answer.verdict, answer.reason.as_str()),
        (Verdict::Inconclusive, "stopped by r9: bad numbers")
    );
    assert_eq!(fixture.moves.noted.borrow().len(), 1);
    let answer = poll(&fixture, of(Phase::Rollback, MoveRef::Ordinal(3), None)).await;
    assert!(!answer.is_ok_and(|answer| answer.reason.starts_with("stopped by")));
}
