//! A service deployment: new tasks beside the old ones, one gate in the dark, the shift and the bake.
//!
//! It is a record of moments; what is so at some moment follows from them.

use serde_json::{Value, json};

/// The stage of its only gate.
const GATE: &str = "POST_TEST_TRAFFIC_SHIFT";

/// How many milliseconds ECS takes to go back.
const BACK: i64 = 5_000;

/// How ECS shifts the traffic of a service.
#[derive(Clone, Copy, Debug)]
pub struct Shifting {
    /// For how many milliseconds its gate waits.
    pub gate: i64,
    /// For how many milliseconds it bakes.
    pub bake: i64,
    /// After how many milliseconds somebody answers the gate, and with what.
    pub somebody: Option<(i64, &'static str)>,
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
        let (answered, stopped, overtaken) = (None, None, false);
        Shift { id: id.to_owned(), arn, began, up, answered, stopped, overtaken, how }
    }

    /// Tells what is so.
    pub fn at(&self, now: i64) -> Now {
        if self.overtaken {
            return Now::Stopped;
        }
        let back = |since: i64, why| if now < since + BACK { Now::GoesBack(why) } else { Now::IsBack(why) };
        let answer = self.answer(now);
        let moved = answer.filter(|(_, action)| *action == "CONTINUE").map(|(at, _)| at);
        if let Some(at) = self.stopped.filter(|at| moved.is_none_or(|moved| *at < moved + self.how.bake)) {
            return back(at, "STOPPED");
        }
        match (self.up, answer) {
            (Some(up), _) if now < up => Now::Starts,
            (None, _) => Now::Starts,
            (_, Some((at, "CONTINUE"))) if now < at + self.how.bake => Now::Bakes,
            (_, Some((_, "CONTINUE"))) => Now::Successful,
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

    /// Answers its gate; tells whether it waited.
    pub(super) fn answered(&mut self, hook: &str, action: &str, now: i64) -> bool {
        let waits = hook == self.hook() && self.at(now) == Now::Waits;
        if waits {
            self.answered = Some((now, action.to_owned()));
        }
        waits
    }

    /// Has ECS go back; tells whether it could.
    pub(super) fn stop(&mut self, now: i64) -> bool {
        let open = matches!(self.at(now), Now::Starts | Now::Waits | Now::Bakes);
        if open {
            self.stopped = Some(now);
        }
        open
    }

    pub(super) fn overtake(&mut self, now: i64) {
        self.overtaken |= matches!(self.at(now), Now::Starts | Now::Waits | Now::Bakes);
    }

    fn hook(&self) -> String {
        format!("hook-of-{}", self.id)
    }

    fn status(&self, now: i64) -> &'static str {
        match self.at(now) {
            Now::Starts | Now::Waits | Now::Bakes => "IN_PROGRESS",
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
            Now::Bakes => ("BAKE_TIME", None, 100.0),
            Now::Successful | Now::Stopped => ("CLEAN_UP", None, 100.0),
            Now::GoesBack("STOPPED") | Now::IsBack("STOPPED") => ("BAKE_TIME", None, 0.0),
            Now::GoesBack(how) | Now::IsBack(how) => (GATE, Some(how), 0.0),
        };
        let expires = self.up.map(|up| (up + self.how.gate) as f64 / 1000.0);
        let hooks: Vec<Value> = hook
            .into_iter()
            .map(|status| {
                json!({"hookId": self.hook(), "targetType": "PAUSE", "status": status, "expiresAt": expires})
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
