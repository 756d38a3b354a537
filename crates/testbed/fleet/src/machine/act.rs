//! What people, build servers and events do while executions run.

use serde_json::{Value, json};
use states::Event;

use super::faults::lost;
use super::hands::{Hand, Noticed, Tagged};
use super::mishap::Mishap;
use super::{EVENT_MS, Machine, Running, arn_of, machine_arn};
use crate::fake::{ACCOUNT, End as Rollout, REGION, RunEnd};
use crate::simulation::oracle;

/// What somebody does.
#[derive(Clone, Debug)]
pub enum Action {
    /// Starts an execution, by this name and with this input.
    Start(String, Value),
    /// Stops it.
    Stop(String),
    /// Has it go on after its end.
    Redrive(String),
    /// Pushes an image.
    Push(Pushed),
    /// Answers one of the questions that the pipeline has asked so far, whether it is answered already or not.
    Answer {
        /// The name of the execution of the answer.
        name: String,
        /// `approve` or `reject`.
        mode: &'static str,
        /// Which question, counted from the newest.
        back: usize,
    },
    /// Answers all questions past the pipeline, by the tokens of their waiting states.
    Bypass,
    /// The next call of a state outside of the maps is given up, and does its work so many milliseconds later.
    Lose(&'static str, i64),
    /// Does something past the pipeline.
    Hand(Hand),
    /// An event calls `alert`, and so many times again if that fails.
    Notify {
        /// The event.
        event: Value,
        /// How many times.
        again: u32,
    },
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
    /// How runs of it end.
    pub run: RunEnd,
    /// Whether its event is delivered twice.
    pub twice: bool,
    /// How many milliseconds its event takes.
    pub late: i64,
}

impl Machine {
    pub(super) fn act(&mut self, action: Action) {
        self.note(|| format!("somebody: {action:?}"));
        match action {
            Action::Start(name, input) => self.start(name, input),
            Action::Stop(name) => {
                if let Some(oracle) = &mut self.oracle {
                    oracle.stopped.insert(name.clone());
                }
                self.tell_by_name(&name, Event::Stop);
            }
            Action::Redrive(name) => self.redrive(&name),
            Action::Push(pushed) => self.push(pushed),
            Action::Answer { name, mode, back } => self.answer_question(name, mode, back),
            Action::Bypass => self.bypass(),
            Action::Lose(state, later) => self.mishaps.plan("", state, Mishap::Delayed(lost(), later)),
            Action::Hand(hand) => {
                if let Some(oracle) = &mut self.oracle {
                    oracle.sees_hand(&hand);
                }
                let noticed = hand.act(&mut self.fake.open());
                match noticed {
                    Some(Noticed::Tagged(tagged)) => self.announce("tag", &tagged),
                    Some(Noticed::Red { alarm, before }) => self.alarmed(&alarm, before),
                    None => {}
                }
            }
            Action::Notify { event, again } => self.notify(event, again),
        }
    }

    fn redrive(&mut self, name: &str) {
        if let Some(oracle) = &mut self.oracle {
            oracle.redriven.insert(name.to_owned());
        }
        self.tell_by_name(name, Event::Redrive);
        if let Some((id, running)) = self.find(&arn_of(name))
            && running.runs()
        {
            self.fake.open().executions.insert(arn_of(name), None);
            let now = self.now();
            self.executions
                .entry(id)
                .and_modify(|running| (running.ended, running.redriven) = (None, Some(now)));
        }
    }

    /// Pushes an image, whose event starts an execution, or two.
    fn push(&mut self, pushed: Pushed) {
        let Pushed { name, repository, end, run, twice, late } = pushed;
        let tag = format!("main-{name}");
        let digest = {
            let mut account = self.fake.open();
            let digest = account.ecr.push(&repository, &format!("{repository} {name}"), Some(&tag));
            for service in account.ecs.services.values_mut() {
                service.ends.insert(digest.clone(), end);
            }
            account.ecs.run_ends.insert(digest.clone(), run);
            digest
        };
        if let Some(oracle) = &mut self.oracle {
            let (at, name, digest) = (self.fake.open().now, name.clone(), digest.clone());
            oracle.learns(&repository, oracle::Pushed { at, name, digest, late: late > 0 });
        }
        let event = self.event(&name, &Tagged { repository, tag, digest });
        if twice {
            self.plan(self.now(), Action::Start(format!("{name}-again"), event.clone()));
        }
        self.plan(self.now() + late, Action::Start(name, event));
    }

    fn answer_question(&mut self, name: String, mode: &str, back: usize) {
        let account = self.fake.open();
        let mut asked = account.published.iter().rev().filter(|one| one.outcome == "WaitingForApproval");
        let Some(asked) = asked.nth(back).cloned() else { return };
        drop(account);
        let request = json!({"environment": asked.environment, "mode": mode, "release": asked.release});
        self.start(name, request);
    }

    fn bypass(&mut self) {
        let waiting = self.fake.open().table.all("waiting#");
        for token in waiting.iter().filter_map(|(_, row)| row["token"].as_str()) {
            let output = json!({"next": "Approved", "because": "somebody knew the token"});
            drop(self.hand_over(token, |token| Event::TokenAnswered(token, output)));
        }
    }

    /// Has ECR tell of a tag that the pipeline wrote; the rule leaves keep-tags out.
    pub(super) fn echo(&mut self, put: &Value) {
        let text = |key: &str| put[key].as_str().unwrap_or_default().to_owned();
        let (repository, tag, digest) = (text("repositoryName"), text("imageTag"), text("imageDigest"));
        if !tag.starts_with("tidegate.") {
            self.announce("own", &Tagged { repository, tag, digest });
        }
    }

    /// Has the event of a tag start an execution, whose name says whose tag it is.
    fn announce(&mut self, whose: &str, tagged: &Tagged) {
        self.tags += 1;
        let name = format!("{whose}-{}-{}", tagged.tag, self.tags);
        let event = self.event(&name, tagged);
        self.plan(self.now() + EVENT_MS, Action::Start(name, event));
    }

    /// Tells of an alarm that went red, as the rule of the template does: its event starts an execution.
    fn alarmed(&mut self, alarm: &str, before: &str) {
        self.alarms += 1;
        let name = format!("alarm-{}", self.alarms);
        let now = states::moment::text(self.now());
        let event = json!({
            "version": "0", "id": format!("event-{name}"), "detail-type": "CloudWatch Alarm State Change",
            "source": "aws.cloudwatch", "account": ACCOUNT, "time": states::moment::text(self.now() / 1000 * 1000),
            "region": REGION, "resources": [format!("arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{alarm}")],
            "detail": {"alarmName": alarm, "previousState": {"value": before},
                       "state": {"value": "ALARM", "timestamp": now}}
        });
        self.plan(self.now() + EVENT_MS, Action::Start(name, event));
    }

    fn event(&self, name: &str, tagged: &Tagged) -> Value {
        let Tagged { repository, tag, digest } = tagged;
        json!({
            "version": "0", "id": format!("event-{name}"), "detail-type": "ECR Image Action", "source": "aws.ecr",
            "account": ACCOUNT, "time": states::moment::text(self.now() / 1000 * 1000), "region": REGION, "resources": [],
            "detail": {"result": "SUCCESS", "repository-name": repository, "image-digest": digest,
                       "action-type": "PUSH", "image-tag": tag}
        })
    }
}

/// Returns the event of an execution that has ended, if the rule takes it.
pub fn ended(running: &Running) -> Option<Value> {
    let status = running.status();
    let name = running.arn.rsplit(':').next().unwrap_or_default();
    matches!(status, "FAILED" | "ABORTED").then(|| {
        json!({
            "detail-type": "Step Functions Execution Status Change", "source": "aws.states",
            "detail": {"executionArn": running.arn, "stateMachineArn": machine_arn(), "name": name,
                       "status": status, "stopDate": running.ended, "input": running.input.to_string()}
        })
    })
}
