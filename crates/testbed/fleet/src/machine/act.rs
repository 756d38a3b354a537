//! What people and build servers do while executions run.

use serde_json::{Value, json};
use states::Event;

use super::{Machine, arn_of};
use crate::cluster::{self, Placed};
use crate::fake::{ACCOUNT, End as Rollout, REGION};

/// What somebody does with an execution.
#[derive(Clone, Debug)]
pub enum Action {
    /// Starts it, by this name and with this input.
    Start(String, Value),
    /// Stops it.
    Stop(String),
    /// Has it go on after its end.
    Redrive(String),
    /// Pushes an image.
    Push(Pushed),
    /// Points a service at an image of its own, past the pipeline.
    Overtake(Placed),
}

/// A push of an image, which starts an execution.
#[derive(Clone, Debug)]
pub struct Pushed {
    /// The name of the execution, which is in the image and its tag, too.
    pub name: String,
    /// The repository.
    pub repository: String,
    /// How its rollouts end.
    pub end: Rollout,
    /// Whether its event is delivered twice.
    pub twice: bool,
}

impl Machine {
    pub(super) fn act(&mut self, action: Action) {
        match action {
            Action::Start(name, input) => self.start(name, input),
            Action::Stop(name) => self.tell_by_name(&name, Event::Stop),
            Action::Push(pushed) => self.push(pushed),
            Action::Overtake(placed) => cluster::overtake(&self.fake, &placed),
            Action::Redrive(name) => {
                if let Some(oracle) = &mut self.oracle {
                    oracle.redriven.insert(name.clone());
                }
                self.tell_by_name(&name, Event::Redrive);
                if let Some((id, running)) = self.find(&arn_of(&name))
                    && running.runs()
                {
                    self.fake.open().executions.insert(arn_of(&name), None);
                    self.executions.entry(id).and_modify(|running| running.ended = None);
                }
            }
        }
    }

    /// Pushes an image, whose event starts an execution, or two.
    fn push(&mut self, pushed: Pushed) {
        let Pushed { name, repository, end, twice } = pushed;
        let (time, tag) = (states::moment::text(self.now()), format!("main-{name}"));
        let digest = {
            let mut account = self.fake.open();
            let digest = account.ecr.push(&repository, &name, Some(&tag));
            for service in account.ecs.services.values_mut() {
                service.ends.insert(digest.clone(), end);
            }
            digest
        };
        let event = json!({
            "version": "0", "id": format!("event-{name}"), "detail-type": "ECR Image Action", "source": "aws.ecr",
            "account": ACCOUNT, "time": time, "region": REGION, "resources": [],
            "detail": {"result": "SUCCESS", "repository-name": repository, "image-digest": digest,
                       "action-type": "PUSH", "image-tag": tag}
        });
        if twice {
            self.start(format!("{name}-again"), event.clone());
        }
        self.start(name, event);
    }
}
