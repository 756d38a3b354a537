//! In which order a service is changed, and that said: a call may die between any two of its own.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "this is how a test fails")]

use std::cell::{Cell, RefCell};

use deploy::runs::{Prepared, Runner, Started};
use deploy::service::Port;
use deploy::{Deploy, Request, Response};
use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ids::{DeploymentId, ReleaseId, ServiceName, TaskDefinitionArn};
use pipeline::ledger::{Loaded, MoveLedger, Together};
use pipeline::payload::MoveKey;
use pipeline::rows::{MoveEvent, MoveRow, RunRow, RunsTask, Stop, Verdict};
use pipeline::service::{Deployment, Rollout};
use pipeline::service_deployment::{Action, ServiceDeployment};
use pipeline::signed::Answer;
use serde_json::{Value, json};
use testbed::moves::Moves;
use testbed::shift::at_its_gate;

/// A service at rest on revision 1, whose update fails if it is told so.
#[derive(Default)]
struct Recorder {
    done: RefCell<Vec<String>>,
    update_fails: bool,
    gone: Cell<bool>,
    gone_when_asked: bool,
    lost: bool,
    stopped: bool,
    goes_back: bool,
    decided: Option<Verdict>,
    another_waits_when_asked: bool,
    asked: Cell<bool>,
    together: Option<Together>,
    orders: Vec<Value>,
    no_capacity: bool,
    ends_meanwhile: bool,
    denies_stop: bool,
    is_silent: bool,
}

impl Recorder {
    fn did(&self, what: &str) {
        self.done.borrow_mut().push(what.to_owned());
    }
}

impl MoveLedger for Recorder {
    async fn load(&self, key: &MoveKey) -> Result<Loaded, Fault> {
        Moves::default().load(key).await
    }
    async fn load_leased(&self, key: &MoveKey) -> Result<Loaded, Fault> {
        self.did("read the move and its lease");
        let mut loaded = Moves { lost: self.lost, ..Moves::default() }.load_leased(key).await?;
        loaded.row.rollback_started = self.goes_back.then_some(Timestamp::from_millis(0));
        loaded.row.verdict = self.decided;
        let (by, because) = (ReleaseId::parse("r9")?, "bad numbers".to_owned());
        let stop = Stop { by, because, since: Timestamp::from_millis(0), rollback: true };
        Ok(Loaded { stop: self.stopped.then_some(stop), together: self.together.clone(), ..loaded })
    }
    async fn note(&self, _: &MoveKey, _: &MoveRow, event: MoveEvent) -> Result<(), Fault> {
        let fields = serde_json::to_value(event).unwrap();
        let names: Vec<&str> = fields.as_object().unwrap().keys().map(String::as_str).collect();
        self.did(&format!("note {}", names.join(" ")));
        Ok(())
    }
    async fn fail(&self, _: &MoveKey, _: &ServiceName) -> Result<(), Fault> {
        Err(Fault::NotSupported("deploy judges nothing".to_owned()))
    }
}

impl Port for &Recorder {
    async fn register(&self, _: &MoveKey, _: &MoveRow) -> Result<TaskDefinitionArn, Fault> {
        Err(Fault::NotSupported("it is registered already".to_owned()))
    }
    async fn deployments(&self, row: &MoveRow) -> Result<Vec<Deployment>, Fault> {
        let (id, task_definition) = (row.replaces.clone(), row.running.clone());
        Ok(vec![Deployment { id, task_definition, primary: true, rollout: Rollout::Completed }])
    }
    async fn point(&self, _: &MoveRow, _: &TaskDefinitionArn) -> Result<DeploymentId, Fault> {
        self.did("update");
        if self.update_fails {
            return Err(Fault::Unavailable("no answer: perhaps it happened".to_owned()));
        }
        DeploymentId::parse("ecs-svc/2")
    }
    async fn shift(
        &self,
        _: &MoveRow,
        _: &DeploymentId,
        _: Timestamp,
    ) -> Result<Option<ServiceDeployment>, Fault> {
        self.did("read the service deployment");
        let waits = if self.gone.get() { "SUCCEEDED" } else { "AWAITING_ACTION" };
        let mut seen = at_its_gate(waits);
        if self.another_waits_when_asked && self.asked.get() {
            seen.hooks[0].id = "h2".to_owned();
        }
        Ok(Some(seen))
    }
    async fn answer(&self, _: &str, hook: &str, action: Action) -> Result<(), Fault> {
        self.did(&format!("answer {hook} {action:?}"));
        self.gone.set(self.gone_when_asked);
        self.asked.set(true);
        if self.update_fails { Err(Fault::Denied("it does not wait".to_owned())) } else { Ok(()) }
    }
}

impl Runner for &Recorder {
    async fn runs(&self, _: &MoveKey) -> Result<Vec<RunRow>, Fault> {
        Ok(self.orders.iter().map(|order| serde_json::from_value(order.clone()).unwrap()).collect())
    }
    async fn start(
        &self,
        _: &MoveKey,
        _: &MoveRow,
        (name, _): (&str, &RunsTask),
        _: &Prepared,
    ) -> Result<Started, Fault> {
        self.did(&format!("start {name}"));
        match self.no_capacity {
            true => Ok(Started::Not("RESOURCE:MEMORY".to_owned())),
            false => Ok(Started::Task("t1".to_owned())),
        }
    }
    async fn stop(&self, _: &MoveRow, task: &str) -> Result<(), Fault> {
        self.did(&format!("stop {task}"));
        if self.denies_stop { Err(Fault::Denied("not allowed to stop it".to_owned())) } else { Ok(()) }
    }
    async fn prepare(&self, _: &MoveRow, task: &RunsTask) -> Result<Prepared, Fault> {
        Ok(Prepared { definition: task.definition.clone(), container: "app".to_owned() })
    }
    async fn call(&self, function: &str, payload: &Value) -> Result<Option<Answer>, Fault> {
        assert!(payload["executionId"].is_string(), "{payload}");
        self.did(&format!("call {function}"));
        let body = r#"{"hookStatus":"SUCCEEDED"}"#.to_owned();
        Ok((!self.is_silent).then_some(Answer { status: 200, error: None, body }))
    }
    async fn note_run(
        &self,
        _: &MoveKey,
        order: &RunRow,
        fields: Value,
        goes_on: bool,
    ) -> Result<bool, Fault> {
        self.did(&format!("note {} {fields}", order.name));
        let is_to_end = self.ends_meanwhile && fields.get("task").is_some();
        Ok(!(goes_on && is_to_end))
    }
}

/// Does what is ordered of a move that is given whole, unless it is said to be lost.
async fn run(recorder: Recorder) -> (Result<Response, Fault>, Vec<String>) {
    let sample: Request = serde_json::from_str(include_str!("../../../events/deploy/run.json")).unwrap();
    let deploy = Deploy { port: &recorder, moves: &recorder };
    let answer = deploy.handle(sample, Timestamp::from_millis(0)).await;
    let mut done = recorder.done.take();
    done.retain(|step| step != "read the move and its lease");
    (answer, done)
}

fn orders() -> Vec<Value> {
    let order =
        |name: &str| json!({"name": name, "definition": "users:2", "ordered": "2026-11-23T10:00:00Z"});
    let with = |name: &str, key: &str, value: Value| {
        let mut order = order(name);
        order[key] = value;
        order
    };
    let mut ended = with("over", "task", json!("t4"));
    (ended["stop"], ended["stopped"]) = (json!(true), json!(true));
    let mut late = with("late", "task", json!("t3"));
    late["stop"] = json!(true);
    vec![
        order("new"),
        with("runs", "task", json!("t2")),
        late,
        ended,
        with("never", "notStarted", json!("no")),
        with("given up", "stop", json!(true)),
    ]
}

#[tokio::test]
async fn what_is_ordered_is_started_once_and_what_is_over_is_ended_once() {
    let (answer, order) = run(Recorder { orders: orders(), ..Recorder::default() }).await;
    assert_eq!(answer, Ok(Response::Ran { started: 1, stopped: 1 }));
    let expected = [
        r#"note new {"tried":true}"#,
        "start new",
        r#"note new {"task":"t1","told":"app"}"#,
        "stop t3",
        r#"note late {"stopped":true,"task":"t3"}"#,
    ];
    assert_eq!(order, expected.map(str::to_owned));
    let full = Recorder { orders: orders(), no_capacity: true, ..Recorder::default() };
    let (_, order) = run(full).await;
    assert_eq!(order[2], r#"note new {"notStarted":"RESOURCE:MEMORY"}"#);
}

#[tokio::test]
async fn one_function_is_called_at_a_time_and_not_before_it_wants_to_be() {
    let order = |name: &str| {
        json!({"name": name, "function": "accept", "stage": "PRE_SCALE_UP", "details": {},
            "ordered": "2026-11-23T10:00:00Z"})
    };
    let mut later = order("later");
    later["answered"] = json!({"status": "IN_PROGRESS", "again": "2026-11-23T10:00:30Z"});
    let mut given_up = order("given up");
    given_up["stop"] = json!(true);
    let orders = vec![later, given_up, order("new"), order("next")];
    let (answer, steps) = run(Recorder { orders: orders.clone(), ..Recorder::default() }).await;
    assert_eq!(answer, Ok(Response::Ran { started: 1, stopped: 0 }));
    let noted = r#"note new {"answered":{"again":null,"details":{},"status":"SUCCEEDED"}}"#;
    assert_eq!(steps, ["call accept", noted].map(str::to_owned));
    let (_, steps) = run(Recorder { orders: orders.clone(), is_silent: true, ..Recorder::default() }).await;
    assert!(steps[1].starts_with(r#"note new {"notStarted":"accept did not answer in time"#), "{steps:?}");
    let (_, steps) = run(Recorder { orders, stopped: true, ..Recorder::default() }).await;
    assert!(steps.is_empty(), "{steps:?}");
}

#[tokio::test]
async fn what_is_to_end_while_it_is_started_is_ended_at_once() {
    let order = json!({"name": "new", "definition": "users:2", "ordered": "2026-11-23T10:00:00Z"});
    let (_, steps) = run(Recorder { orders: vec![order], ends_meanwhile: true, ..Recorder::default() }).await;
    assert_eq!(
        steps.get(3..),
        Some(&["stop t1".to_owned(), r#"note new {"stopped":true,"task":"t1"}"#.to_owned()][..])
    );
}

#[tokio::test]
async fn what_was_perhaps_started_is_found_by_its_token_and_ended() {
    let mut order = json!({"name": "lost", "definition": "users:2", "ordered": "2026-11-23T10:00:00Z"});
    (order["tried"], order["stop"]) = (json!(true), json!(true));
    let (answer, steps) = run(Recorder { orders: vec![order], ..Recorder::default() }).await;
    assert_eq!(answer, Ok(Response::Ran { started: 0, stopped: 1 }));
    assert_eq!(
        steps,
        ["start lost", "stop t1", r#"note lost {"stopped":true,"task":"t1"}"#].map(str::to_owned)
    );
}

#[tokio::test]
async fn an_order_that_cannot_be_carried_out_keeps_no_other_from_it() {
    let (answer, steps) =
        run(Recorder { orders: orders().split_off(2), denies_stop: true, ..Recorder::default() }).await;
    assert_eq!(answer.unwrap_err().name(), "Denied");
    assert_eq!(steps, ["stop t3"].map(str::to_owned));
    let mut all = orders();
    all.reverse();
    let (answer, steps) = run(Recorder { orders: all, denies_stop: true, ..Recorder::default() }).await;
    assert!(answer.is_err() && steps.contains(&"start new".to_owned()), "{steps:?}");
}

#[tokio::test]
async fn nothing_is_started_where_the_release_goes_no_further_and_what_runs_is_ended() {
    for recorder in [
        Recorder { lost: true, ..Recorder::default() },
        Recorder { stopped: true, ..Recorder::default() },
        Recorder { goes_back: true, ..Recorder::default() },
    ] {
        let (answer, order) = run(Recorder { orders: orders(), ..recorder }).await;
        assert_eq!(answer, Ok(Response::Ran { started: 0, stopped: 2 }));
        let steps: Vec<&String> = order.iter().filter(|step| !step.starts_with("note")).collect();
        assert_eq!(steps, ["stop t2", "stop t3"]);
    }
}

#[tokio::test]
async fn what_a_move_that_failed_has_left_running_is_ended() {
    let sample =
        include_str!("../../../events/deploy/run.json").replace("\"do\": \"run\"", "\"do\": \"end\"");
    let recorder = Recorder { orders: orders(), ..Recorder::default() };
    let deploy = Deploy { port: &recorder, moves: &recorder };
    let sample: Request = serde_json::from_str(&sample).unwrap();
    let answer = deploy.handle(sample, Timestamp::from_millis(0)).await;
    assert_eq!(answer, Ok(Response::Ran { started: 0, stopped: 2 }));
    let steps = recorder.done.take();
    assert!(["stop t2", "stop t3"].iter().all(|step| steps.contains(&(*step).to_owned())), "{steps:?}");
}

async fn update(recorder: Recorder) -> (Result<Response, Fault>, Vec<String>) {
    let sample: Request = serde_json::from_str(include_str!("../../../events/deploy/update.json")).unwrap();
    let deploy = Deploy { port: &recorder, moves: &recorder };
    let answer = deploy.handle(sample, Timestamp::from_millis(0)).await;
    (answer, recorder.done.take())
}

#[tokio::test]
async fn a_service_counts_as_touched_before_anybody_can_have_changed_it() {
    let before = ["read the move and its lease", "note touched", "update"];
    let (answer, order) = update(Recorder::default()).await;
    assert!(answer.is_ok() && order.starts_with(&before.map(str::to_owned)), "{order:?}");
    assert_eq!(order.last().unwrap(), "note deployment touched");
    let (answer, order) = update(Recorder { update_fails: true, ..Recorder::default() }).await;
    assert!(answer.is_err());
    assert_eq!(order, before);
}

#[tokio::test]
async fn a_revision_that_is_registered_already_is_not_registered_again() {
    let mut sample: serde_json::Value =
        serde_json::from_str(include_str!("../../../events/deploy/update.json")).unwrap();
    sample["do"] = "register".into();
    let registered = serde_json::from_value(sample["move"]["registered"].clone()).unwrap();
    let recorder = Recorder::default();
    let deploy = Deploy { port: &recorder, moves: &recorder };
    let answer = deploy.handle(serde_json::from_value(sample).unwrap(), Timestamp::from_millis(0)).await;
    assert_eq!(answer, Ok(Response::Registered { task_definition: registered }));
}

#[tokio::test]
async fn a_service_that_somebody_else_holds_is_not_even_looked_at() {
    let (answer, order) = update(Recorder { lost: true, ..Recorder::default() }).await;
    assert_eq!(answer.unwrap_err().name(), "LeaseLost");
    assert_eq!(order, ["read the move and its lease"]);
}

#[tokio::test]
async fn a_release_that_somebody_stopped_goes_no_further() {
    let (answer, order) = update(Recorder { stopped: true, ..Recorder::default() }).await;
    assert_eq!(answer.unwrap_err(), Fault::Stopped("stopped by r9: bad numbers".to_owned()));
    assert_eq!(order, ["read the move and its lease"]);
}

#[tokio::test]
async fn a_call_that_comes_when_the_service_goes_back_changes_nothing() {
    let (answer, order) = update(Recorder { goes_back: true, ..Recorder::default() }).await;
    assert_eq!(answer.unwrap_err(), Fault::Stopped("the rollback of users has begun".to_owned()));
    assert_eq!(order, ["read the move and its lease"]);
}

async fn go_on(recorder: Recorder) -> (Result<Response, Fault>, Vec<String>) {
    let sample: Request = serde_json::from_str(include_str!("../../../events/deploy/continue.json")).unwrap();
    let deploy = Deploy { port: &recorder, moves: &recorder };
    let answer = deploy.handle(sample, Timestamp::from_millis(0)).await;
    (answer, recorder.done.take())
}

#[tokio::test]
async fn an_answer_is_noted_before_it_is_given() {
    let (answer, order) = go_on(Recorder::default()).await;
    assert_eq!(answer, Ok(Response::Answered { answered: Action::Continue, look: true }));
    let expected = [
        "read the move and its lease",
        "read the service deployment",
        "note answered shifted",
        "answer h1 Continue",
    ];
    assert_eq!(order, expected);
}

#[tokio::test]
async fn what_takes_traffic_together_waits_for_the_others_and_is_given_up_with_them() {
    let failed = Some(ServiceName::parse("carts").unwrap());
    for (together, look) in [
        (Together::default(), false),
        (Together { failed: failed.clone(), ..Together::default() }, true),
        (Together { through: Some(0), failed }, true),
    ] {
        let (answer, order) = go_on(Recorder { together: Some(together), ..Recorder::default() }).await;
        assert!(matches!(answer, Ok(Response::Nothing { look: found, .. }) if found == look), "{answer:?}");
        assert_eq!(order, ["read the move and its lease", "read the service deployment"]);
    }
    let may = Together { through: Some(0), failed: None };
    let (answer, _) = go_on(Recorder { together: Some(may), ..Recorder::default() }).await;
    assert_eq!(answer, Ok(Response::Answered { answered: Action::Continue, look: true }));
}

#[tokio::test]
async fn a_hook_that_refuses_its_answer_is_looked_at_again() {
    let refused = || Recorder { update_fails: true, ..Recorder::default() };
    let (answer, order) = go_on(refused()).await;
    assert_eq!(answer.unwrap_err().name(), "Denied", "it waits all the same");
    assert_eq!(order.last().unwrap(), "read the service deployment");
    let (answer, _) = go_on(Recorder { gone_when_asked: true, ..refused() }).await;
    assert_eq!(answer, Ok(Response::Nothing { nothing: "the gate waits no more", look: true }));
}

#[tokio::test]
async fn nobody_answers_the_gate_of_a_service_that_is_not_held_or_goes_back() {
    for recorder in [
        Recorder { lost: true, ..Recorder::default() },
        Recorder { stopped: true, ..Recorder::default() },
        Recorder { goes_back: true, ..Recorder::default() },
    ] {
        let (answer, order) = go_on(recorder).await;
        assert!(answer.is_err());
        assert_eq!(order, ["read the move and its lease"]);
    }
}

#[tokio::test]
async fn what_is_decided_has_no_gate_that_is_to_be_answered() {
    for (decided, answers) in [
        (None, true),
        (Some(Verdict::Pending), true),
        (Some(Verdict::Healthy), false),
        (Some(Verdict::Unhealthy), false),
    ] {
        let (answer, order) = go_on(Recorder { decided, ..Recorder::default() }).await;
        assert_eq!(order.iter().any(|step| step.starts_with("answer ")), answers, "{decided:?} {answer:?}");
    }
}

#[tokio::test]
async fn a_gate_that_gave_way_to_another_one_is_looked_at_again() {
    let recorder = Recorder { update_fails: true, another_waits_when_asked: true, ..Recorder::default() };
    let (answer, _) = go_on(recorder).await;
    assert_eq!(answer, Ok(Response::Nothing { nothing: "the gate waits no more", look: true }));
}
