//! In which order a service is changed, and that said: a call may die between any two of its own.

#![expect(clippy::unwrap_used, reason = "this is how a test fails")]

use std::cell::RefCell;

use deploy::service::Port;
use deploy::{Deploy, Request};
use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ids::{DeploymentId, TaskDefinitionArn};
use pipeline::payload::{MoveKey, MoveRef};
use pipeline::rows::MoveRow;
use pipeline::service::{Deployment, Rollout};
use serde_json::Value;

/// A service at rest on revision 1, whose update fails if it is told so.
#[derive(Default)]
struct Recorder {
    done: RefCell<Vec<String>>,
    update_fails: bool,
}

impl Recorder {
    fn did(&self, what: &str) {
        self.done.borrow_mut().push(what.to_owned());
    }
}

impl Port for Recorder {
    async fn load(&self, key: &MoveKey) -> Result<MoveRow, Fault> {
        match &key.which {
            MoveRef::Inline(row) => Ok((**row).clone()),
            other => Err(Fault::NotFound(format!("{other:?}"))),
        }
    }
    async fn note(&self, _: &MoveKey, fields: Value) -> Result<(), Fault> {
        let names: Vec<&str> = fields.as_object().unwrap().keys().map(String::as_str).collect();
        self.did(&format!("note {}", names.join(" ")));
        Ok(())
    }
    async fn check_lease(&self, _: &MoveKey, _: &MoveRow) -> Result<(), Fault> {
        self.did("check the lease");
        Ok(())
    }
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
}

async fn update(port: Recorder) -> (bool, Vec<String>) {
    let sample: Request = serde_json::from_str(include_str!("../../../events/deploy/update.json")).unwrap();
    let deploy = Deploy { port };
    let answer = deploy.handle(sample, Timestamp::from_millis(0)).await;
    (answer.is_ok(), deploy.port.done.take())
}

#[tokio::test]
async fn a_service_counts_as_touched_before_anybody_can_have_changed_it() {
    let before = ["note touched", "check the lease", "update"];
    let (done, order) = update(Recorder::default()).await;
    assert!(done && order.starts_with(&before.map(str::to_owned)), "{order:?}");
    assert_eq!(order.last().unwrap(), "note deployment touched");
    let (done, order) = update(Recorder { update_fails: true, ..Recorder::default() }).await;
    assert!(!done);
    assert_eq!(order, before);
}
