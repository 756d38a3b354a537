//! A service deployment: new tasks beside the old ones, a gate in the dark, the shift, perhaps another gate, and the bake.
//!
//! It is a record of moments; what is so at some moment follows from them.

use serde_json::{Value, json};

/// The stage of its gate in the dark, and of the one after the shift.
pub(super) const GATE: &str = "POST_TEST_TRAFFIC_SHIFT";
pub(super) const DRAIN: &str = "POST_PRODUCTION_TRAFFIC_SHIFT";

/// How many milliseconds ECS takes to go back.
const BACK: i64 = 5_000;

/// How ECS shifts the traffic of a service.
#[derive(Clone, Copy, Debug)]
pub struct Shifting {
    /// For how many milliseconds a gate waits.
    pub gate: i64,
    /// For how many milliseconds it bakes.
    pub bake: i64,
    /// After how many milliseconds somebody answers the gate, and with what.
    pub somebody: Option<(i64, &'static str)>,
    /// Where it has a load balancer and a gate after the shift: how many requests a minute still reach the old tasks.
    pub drain: Option<u64>,
}

/// A service deployment.
#[derive(Clone, Debug)]
pub struct Shift {
    /// The deployment that it brings.
    pub id: String,
    /// Its ARN.
    pub arn: String,
    began: i64,
    /// When its tasks run, unless they never do.
    up: Option<i64>,
    answered: Option<(i64, String)>,
    /// When its gate after the shift was passed.
    passed: Option<i64>,
    stopped: Option<i64>,
    overtaken: bool,
    how: Shifting,
}

/// What is so of one at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Now {
    /// Its tasks start.
    Starts,
    /// Its gate waits.
    Waits,
    /// It has all production traffic, and its gate after that waits.
    Drains,
    /// It has all production traffic, and the old tasks still run.
    Bakes,
    /// It is complete.
    Successful,
    /// ECS goes back, since its gate was answered so, or was not answered, or since somebody asked.
    GoesBack(&'static str),
    /// ECS is back, for the same reason.
    IsBack(&'static str),
    /// Another one took its place.
    Stopped,
}

impl Shift {
    pub(super) fn begin(name: &str, id: &str, began: i64, up: Option<i64>, how: Shifting) -> Self {
        let (prefix, number) = (super::service_arn(name), id.rsplit('/').next().unwrap_or_default());
        let arn = format!("{}/{number}", prefix.replace(":service/", ":service-deployment/"));
        let (answered, passed, stopped, overtaken) = (None, None, None, false);
        Shift { id: id.to_owned(), arn, began, up, answered, passed, stopped, overtaken, how }
    }

    /// Tells what is so.
    pub fn at(&self, now: i64) -> Now {
        if self.overtaken {
            return Now::Stopped;
        }
        let back = |since: i64, why| if now < since + BACK { Now::GoesBack(why) } else { Now::IsBack(why) };
        let answer = self.answer(now);
        let moved = answer.filter(|(_, action)| *action == "CONTINUE").map(|(at, _)| at);
        let bakes = if self.how.drain.is_some() { self.passed } else { moved };
        if let Some(at) = self.stopped.filter(|at| bakes.is_none_or(|bakes| *at < bakes + self.how.bake)) {
            return back(at, "STOPPED");
        }
        match (self.up, answer) {
            (Some(up), _) if now < up => Now::Starts,
            (None, _) => Now::Starts,
            (_, Some((moved, "CONTINUE"))) => match bakes {
                Some(at) if now < at + self.how.bake => Now::Bakes,
                Some(_) => Now::Successful,
                None if now < moved + self.how.gate => Now::Drains,
                None => back(moved + self.how.gate, "TIMED_OUT"),
            },
            (_, Some((at, _))) => back(at, "FAILED"),
            (Some(up), None) if up + self.how.gate <= now => back(up + self.how.gate, "TIMED_OUT"),
            _ => Now::Waits,
        }
    }

    /// Returns the first answer to its gate by now, whoever gave it.
    fn answer(&self, now: i64) -> Option<(i64, &str)> {
        let theirs = self.up.zip(self.how.somebody).map(|(up, (after, action))| (up + after, action));
        let ours = self.answered.as_ref().map(|(at, action)| (*at, action.as_str()));
        let given = theirs.filter(|(at, _)| *at <= now).into_iter().chain(ours);
        given.min_by_key(|(at, _)| *at)
    }

    /// Tells whether all production traffic went to its tasks by a moment.
    pub(super) fn has_moved(&self, by: i64) -> bool {
        self.answer(by).is_some_and(|(at, action)| at <= by && action == "CONTINUE")
    }

    /// Returns how many requests a minute still reach the old tasks after that.
    pub(super) fn still(&self) -> u64 {
        self.how.drain.unwrap_or_default()
    }

    /// Answers a gate of it; tells whether it waited.
    pub(super) fn answered(&mut self, hook: &str, action: &str, now: i64) -> bool {
        match self.at(now) {
            Now::Waits if hook == self.hook(GATE) => self.answered = Some((now, action.to_owned())),
            Now::Drains if hook == self.hook(DRAIN) && action == "CONTINUE" => self.passed = Some(now),
            Now::Drains if hook == self.hook(DRAIN) => self.stopped = Some(now),
            _ => return false,
        }
        true
    }

    /// Has ECS go back; tells whether it could.
    pub(super) fn stop(&mut self, now: i64) -> bool {
        let open = self.is_open(now);
        if open {
            self.stopped = Some(now);
        }
        open
    }

    pub(super) fn overtake(&mut self, now: i64) {
        self.overtaken |= self.is_open(now);
    }

    fn is_open(&self, now: i64) -> bool {
        matches!(self.at(now), Now::Starts | Now::Waits | Now::Drains | Now::Bakes)
    }

    fn hook(&self, stage: &str) -> String {
        format!("{stage}-of-{}", self.id)
    }

    fn status(&self, now: i64) -> &'static str {
        match self.at(now) {
            Now::Starts | Now::Waits | Now::Drains | Now::Bakes => "IN_PROGRESS",
            Now::Successful => "SUCCESSFUL",
            Now::GoesBack(_) => "ROLLBACK_IN_PROGRESS",
            Now::IsBack(_) => "ROLLBACK_SUCCESSFUL",
            Now::Stopped => "STOPPED",
        }
    }

    pub(super) fn listed(&self, now: i64) -> Value {
        let revision = self.arn.replace(":service-deployment/", ":service-revision/");
        json!({"serviceDeploymentArn": self.arn, "targetServiceRevisionArn": revision, "status": self.status(now),
               "createdAt": self.began as f64 / 1000.0})
    }

    pub(super) fn described(&self, desired: u32, now: i64) -> Value {
        let (stage, hook, production) = match self.at(now) {
            Now::Starts => ("SCALE_UP", None, 0.0),
            Now::Waits => (GATE, Some("AWAITING_ACTION"), 0.0),
            Now::Drains => (DRAIN, Some("AWAITING_ACTION"), 100.0),
            Now::Bakes => ("BAKE_TIME", None, 100.0),
            Now::Successful | Now::Stopped => ("CLEAN_UP", None, 100.0),
            Now::GoesBack("STOPPED") | Now::IsBack("STOPPED") => ("BAKE_TIME", None, 0.0),
            Now::GoesBack(how) | Now::IsBack(how) => (GATE, Some(how), 0.0),
        };
        let opened = if stage == DRAIN { self.answer(now).map(|(at, _)| at) } else { self.up };
        let expires = opened.map(|at| (at + self.how.gate) as f64 / 1000.0);
        let hooks: Vec<Value> = hook
            .into_iter()
            .map(|status| {
                json!({"hookId": self.hook(stage), "targetType": "PAUSE", "status": status, "expiresAt": expires})
            })
            .collect();
        let mut shown = self.listed(now);
        shown["lifecycleStage"] = json!(stage);
        shown["lifecycleHookDetails"] = json!(hooks);
        shown["statusReason"] = json!("ECS said so");
        shown["targetServiceRevision"] = json!({"requestedTaskCount": desired, "runningTaskCount": desired,
            "pendingTaskCount": 0, "requestedProductionTrafficWeight": production});
        shown
    }
}
