//! A service, its move and its runs in memory, which remembers what was done in which order.

use std::cell::{Cell, RefCell};

use deploy::runs::{Prepared, Runner, Started};
use deploy::service::{Port, Revision};
use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ids::{DeploymentId, ReleaseId, ServiceName, TaskDefinitionArn};
use pipeline::ledger::{Key, Loaded, MoveLedger, Together, Write};
use pipeline::payload::MoveKey;
use pipeline::rows::{MoveEvent, MoveRow, RunRow, RunsTask, Stop, Verdict};
use pipeline::service::{Deployment, Rollout};
use pipeline::service_deployment::{Action, ServiceDeployment};
use pipeline::signed::Answer;
use serde_json::Value;
use testbed::moves::Moves;
use testbed::shift::at_its_gate;

/// A service at rest on revision 1, whose update fails if it is told so.
#[derive(Default)]
pub struct Recorder {
    pub done: RefCell<Vec<String>>,
    pub update_fails: bool,
    pub gone: Cell<bool>,
    pub gone_when_asked: bool,
    pub lost: bool,
    /// Whether a condition of what is noted together does not hold.
    pub refuses: bool,
    pub stopped: bool,
    pub goes_back: bool,
    pub decided: Option<Verdict>,
    pub another_waits_when_asked: bool,
    pub asked: Cell<bool>,
    pub together: Option<Together>,
    pub orders: Vec<Value>,
    pub no_capacity: bool,
    pub ends_meanwhile: bool,
    pub denies_stop: bool,
    pub is_silent: bool,
}

impl Recorder {
    pub fn did(&self, what: &str) {
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
    async fn check_lease(&self, _: &MoveKey, _: &MoveRow) -> Result<(), Fault> {
        Ok(())
    }
    async fn note(&self, _: &MoveKey, _: &MoveRow, event: MoveEvent) -> Result<(), Fault> {
        let fields = serde_json::to_value(event).unwrap();
        let names: Vec<&str> = fields.as_object().unwrap().keys().map(String::as_str).collect();
        self.did(&format!("note {}", names.join(" ")));
        Ok(())
    }
    async fn note_with(
        &self,
        key: &MoveKey,
        row: &MoveRow,
        event: MoveEvent,
        others: Vec<Write>,
    ) -> Result<bool, Fault> {
        self.note(key, row, event).await?;
        let lease = Key::lease(&row.environment, &row.service);
        let held = others.iter().any(|write| *write.row() == lease);
        let goes_on = others.iter().any(|write| *write.row() == Key::head(&key.release));
        self.did(&format!("if held: {held}, if not stopped: {goes_on}"));
        Ok(!self.refuses)
    }
    async fn fail(&self, _: &MoveKey, _: &ServiceName) -> Result<(), Fault> {
        Err(Fault::NotSupported("deploy judges nothing".to_owned()))
    }
}

impl Port for &Recorder {
    async fn register(&self, _: &MoveRow) -> Result<Revision, Fault> {
        self.did("register");
        let arn = "arn:aws:ecs:eu-west-1:123456789012:task-definition/users:2";
        Ok(Revision { arn: TaskDefinitionArn::parse(arn)?, json: "{}".to_owned() })
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
