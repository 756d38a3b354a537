//! What buttons start: each the request that an engineer would type, once.

use std::sync::Mutex;

use dashboard::acts::{Acts, Started, Starts};
use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ids::ReleaseId;
use serde_json::{Value, json};
use testbed::contract;

use super::places;
use super::rows::Rows;
use super::shop::shop;

/// A machine that keeps what it was asked for.
#[derive(Debug, Default)]
struct Asked(Mutex<Vec<(String, Value)>>);

impl Starts for &Asked {
    async fn start(&self, run: &ReleaseId, request: &Value) -> Result<Started, Fault> {
        let mut asked = self.0.lock().unwrap();
        let known = asked.iter().any(|(name, _)| name == run.as_str());
        asked.push((run.to_string(), request.clone()));
        Ok(if known { Started::Before } else { Started::Now })
    }

    async fn ended(&self, run: &ReleaseId) -> Result<Option<Result<Value, String>>, Fault> {
        let sample = include_str!("../../../../events/release/request-plan-promotion.out.json");
        Ok(match run.as_str() {
            "runs" => None,
            "failed" => Some(Err("<b>InvalidInput</b>".to_owned())),
            _ => Some(Ok(serde_json::from_str(sample).unwrap())),
        })
    }
}

async fn pressed(asked: &Asked, payload: Value) -> Result<String, Fault> {
    let acts = Acts { port: asked, places: places() };
    acts.handle(payload, Timestamp::parse(contract::NOW).unwrap()).await
}

#[tokio::test]
async fn the_samples_answer_as_their_golden_files_say() {
    let asked = Asked::default();
    contract::check("dashboard-acts", async |_, payload: Value, _| pressed(&asked, payload).await).await;
}

#[tokio::test]
async fn a_button_asks_for_what_an_engineer_would_type() {
    let whose = |act: &str| json!({"act": act, "environment": "prod", "release": "r1", "run": "x"});
    let request = |mode: &str, more: Value| {
        let mut request = json!({"environment": "prod", "mode": mode});
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        request
    };
    let image = super::shop::digest(2);
    for (payload, expected) in [
        (
            json!({"act": "plan", "environment": "prod", "run": "x"}),
            request("plan", json!({"scope": "cluster"})),
        ),
        (
            json!({"act": "promote", "environment": "prod", "run": "x"}),
            json!({"environment": "prod", "scope": "cluster"}),
        ),
        (
            json!({"act": "promote", "environment": "prod", "service": "users", "repository": "shop/users",
                   "image": image, "run": "x"}),
            json!({"environment": "prod", "services": ["users"], "repository": "shop/users", "image": image}),
        ),
        (
            json!({"act": "freeze", "environment": "prod", "run": "x"}),
            request("freeze", json!({"reason": "why"})),
        ),
        (json!({"act": "resume", "environment": "prod", "run": "x"}), request("resume", json!({}))),
        (whose("approve"), request("approve", json!({"release": "r1"}))),
        (whose("reject"), request("reject", json!({"release": "r1", "reason": "why"}))),
        (whose("abort"), request("abort", json!({"release": "r1", "reason": "why"}))),
        (whose("rollback"), request("rollback", json!({"release": "r1", "reason": "why"}))),
    ] {
        let asked = Asked::default();
        let mut payload = payload;
        payload["widgetContext"] = json!({"forms": {"all": {"reason": " why "}}});
        pressed(&asked, payload.clone()).await.unwrap();
        assert_eq!(asked.0.into_inner().unwrap(), [("x".to_owned(), expected)], "{payload}");
    }
}

#[tokio::test]
async fn what_takes_back_has_a_reason_even_if_nobody_types_one() {
    for (act, said) in
        [("abort", "aborted from the dashboard"), ("rollback", "rolled back from the dashboard")]
    {
        let asked = Asked::default();
        pressed(&asked, json!({"act": act, "environment": "prod", "release": "r1", "run": "x"}))
            .await
            .unwrap();
        assert_eq!(asked.0.into_inner().unwrap()[0].1["reason"], said);
    }
}

#[tokio::test]
async fn a_button_that_is_pressed_twice_starts_one_run() {
    let asked = Asked::default();
    let press = json!({"act": "resume", "environment": "prod", "run": "resume-1-1"});
    assert!(pressed(&asked, press.clone()).await.unwrap().contains("Started"));
    assert!(pressed(&asked, press).await.unwrap().contains("has been pressed before"));
}

#[tokio::test]
async fn what_no_button_sends_is_refused_by_name() {
    let asked = Asked::default();
    for (payload, named) in [
        (json!({"environment": "prod", "run": "x"}), "act"),
        (json!({"act": "deploy", "environment": "prod", "run": "x"}), "deploy"),
        (json!({"act": "freeze", "environment": "prod"}), "run"),
        (json!({"act": "freeze", "environment": "prod", "run": "a b"}), "run"),
        (json!({"act": "freeze", "environment": "<prod>", "run": "x"}), "environment"),
        (json!({"act": "freeze", "environment": "prod", "force": true, "run": "x"}), "force"),
        (json!({"act": "approve", "environment": "prod", "run": "x"}), "release"),
        (json!({"act": "show"}), "run"),
        (json!([]), "button"),
    ] {
        let fault = pressed(&asked, payload.clone()).await.unwrap_err();
        assert_eq!(fault.name(), "InvalidInput", "{payload}");
        assert!(fault.to_string().contains(named), "{payload}: {fault}");
    }
    assert!(asked.0.into_inner().unwrap().is_empty());
}

#[tokio::test]
async fn what_came_of_a_run_is_shown_once_it_has_ended() {
    let asked = Asked::default();
    let show = async |run: &str| pressed(&asked, json!({"act": "show", "run": run})).await.unwrap();
    assert!(show("runs").await.contains("Look again"));
    assert!(show("failed").await.contains("&lt;b&gt;InvalidInput"));
    assert!(show("ended").await.contains("Promote"));
}

/// Each button that a widget draws is one that the function takes, and its question fits.
#[tokio::test]
async fn every_button_that_is_drawn_can_be_pressed() {
    let mut rows: Rows = shop(3);
    super::shop::release(&mut rows, "r-2", 3, None);
    rows.add(
        "env#dev",
        "frozen",
        json!({"frozen": true, "by": "f", "because": "x", "since": super::shop::BEGAN}),
    );
    let asked = Asked::default();
    let mut runs = std::collections::BTreeSet::new();
    for view in [json!({"view": "environments"}), json!({"view": "release", "release": "r-2"})] {
        let html = super::drawn(&rows, view).await.unwrap();
        for action in
            html.split("<cwdb-action ").skip(1).filter(|action| action.contains("DashboardActsFunction"))
        {
            let (attributes, rest) = action.split_once('>').unwrap();
            let question = attributes.split("confirmation=\"").nth(1).unwrap().split('"').next().unwrap();
            assert!(question.len() <= 300 && !question.ends_with("..."), "{question}");
            let payload = rest.split('<').next().unwrap().replace("&quot;", "\"");
            let payload: Value = serde_json::from_str(&payload).unwrap();
            assert!(pressed(&asked, payload.clone()).await.unwrap().contains("Started"), "{payload}");
            runs.insert(payload["run"].as_str().unwrap().to_owned());
        }
    }
    // Each has a run of its own.
    assert_eq!(runs.len(), asked.0.into_inner().unwrap().len());
    assert!(runs.len() >= 9, "{runs:?}");
}
