//! What live tests run.

use deploy::{Deploy, Request, Response};
use pipeline::Fault;
use pipeline::clock::Timestamp;
use serde_json::{Value, json};

use crate::recorder::Recorder;

/// Does what is ordered of a move that is given whole, unless it is said to be lost.
async fn run(recorder: Recorder) -> (Result<Response, Fault>, Vec<String>) {
    let sample: Request = serde_json::from_str(include_str!("../../../../events/deploy/run.json")).unwrap();
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
        include_str!("../../../../events/deploy/run.json").replace("\"do\": \"run\"", "\"do\": \"end\"");
    let recorder = Recorder { orders: orders(), ..Recorder::default() };
    let deploy = Deploy { port: &recorder, moves: &recorder };
    let sample: Request = serde_json::from_str(&sample).unwrap();
    let answer = deploy.handle(sample, Timestamp::from_millis(0)).await;
    assert_eq!(answer, Ok(Response::Ran { started: 0, stopped: 2 }));
    let steps = recorder.done.take();
    assert!(["stop t2", "stop t3"].iter().all(|step| steps.contains(&(*step).to_owned())), "{steps:?}");
}
