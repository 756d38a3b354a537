//! What failed tasks left behind, in the words of ECS and of the tasks themselves.

use health_test::bundle;
use health_test::rollout::{Ended, Exit};
use release::plan::words;
use serde_json::{Value, json};

use super::{Body, Outcome};
use crate::{World, promises};

/// The ends of tasks, their logs, and the cause that Lambda gives to a fault.
pub const LEFT_BEHIND: Body = Body { name: "left-behind", share: 800, samples: left_behind, play };

fn left_behind() -> Vec<String> {
    let exit = json!({"container": "app", "code": 137, "reason": "OutOfMemoryError: killed"});
    vec![
        json!({"ended": [{"code": "EssentialContainerExited", "reason": "Essential container in task exited",
                          "exits": [exit, {"container": "proxy"}]}, {"reason": "", "exits": []}],
               "logs": [["a line", "\u{1b}[31merror\u{1b}[0m", ""], ["another"]],
               "cause": "Denied: {\"errorType\":\"Denied\",\"errorMessage\":\"could not tag it\"}"})
        .to_string(),
    ]
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// Few lines of a few characters are kept, and all of them can be read.
fn play(_: &World, input: &str) -> Outcome {
    let Ok(input) = serde_json::from_str::<Value>(input) else { return Outcome::Refused };
    let exit = |exit: &Value| Exit {
        container: text(&exit["container"]),
        code: exit["code"].as_i64().and_then(|code| i32::try_from(code).ok()),
        reason: text(&exit["reason"]),
    };
    let ended = items(&input["ended"]).map(|task| Ended {
        id: text(&task["id"]),
        started_by: "ecs-svc/1".to_owned(),
        code: text(&task["code"]),
        reason: text(&task["reason"]),
        exits: items(&task["exits"]).map(exit).collect(),
        at: task["at"].as_i64().unwrap_or_default(),
    });
    let ended: Vec<Ended> = ended.collect();
    let streams: Vec<Vec<String>> =
        items(&input["logs"]).map(|stream| items(stream).map(text).collect()).collect();
    let (stopped, logs) = (bundle::stopped(&ended), bundle::logs(&streams));
    assert!(stopped.len() <= 5 && logs.len() <= bundle::LINES && bundle::telling(&ended).len() <= 2);
    let unread = bundle::unread("logs", &text(&input["cause"]));
    for line in stopped.iter().chain(&logs).chain(&unread) {
        assert!(line.chars().count() <= 200, "{line}");
        promises::readable(line);
    }
    let cause = text(&input["cause"]);
    assert!(words::sentence(&cause).len() <= cause.len().saturating_add(2), "{cause}");
    Outcome::Accepted
}
