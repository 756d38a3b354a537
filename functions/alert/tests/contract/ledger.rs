//! What a message takes from the ledger.

use alert::report::Report;
use pipeline::document;
use pipeline::rows::FrozenRow;
use serde_json::{Value, json};

use crate::fixture::Fixture;
use crate::requests::{request, sample, tell};

#[tokio::test]
async fn a_ledger_that_is_down_does_not_silence_the_alert() {
    let mut fixture = Fixture { ledger_down: true, ..Fixture::with_webhook() };
    let request = request(&mut fixture, "NeedsHuman");
    assert_eq!(tell(&fixture, request).await.unwrap().delivered, ["sns", "webhook"]);
    assert!(fixture.published.borrow().iter().all(|it| it.message.contains("The ledger could not be read")));
}

#[tokio::test]
async fn a_question_lists_the_plan_although_the_environment_asks_only_since_the_release_began() {
    let mut waiting = sample("waiting-for-approval");
    let mut report: Report = document::read("the report", waiting["report"].take()).unwrap();
    let head = report.head.as_mut().unwrap();
    head.policy.approval = pipeline::environment::Approval::None;
    let plan = std::mem::take(&mut report.plan);
    let fixture = Fixture { report: Some(report), plan, ..Fixture::default() };
    tell(&fixture, &waiting).await.unwrap();
    let text = fixture.published.borrow()[0].message.clone();
    assert!(text.contains("users: aaaaaaaaaaaa -> bbbbbbbbbbbb (commit 1a2b3c4d5e6f)"), "{text}");
}

#[tokio::test]
async fn an_end_lists_no_plan_although_the_environment_asks() {
    let mut waiting = sample("waiting-for-approval");
    let mut report: Report = document::read("the report", waiting["report"].take()).unwrap();
    let plan = std::mem::take(&mut report.plan);
    let fixture = Fixture { report: Some(report), plan, ..Fixture::with_webhook() };
    waiting["outcome"] = "Rejected".into();
    tell(&fixture, &waiting).await.unwrap();
    let body: Value = serde_json::from_str(&fixture.posted.borrow()[0].body).unwrap();
    assert_eq!(body["data"]["plan"], json!([]));
}

#[tokio::test]
async fn a_request_that_was_carried_out_is_told_with_what_the_ledger_says_now() {
    let mut frozen = sample("frozen");
    let row: FrozenRow = document::read("the row", frozen["report"]["freeze"].take()).unwrap();
    frozen["report"].take();
    let fixture = Fixture { frozen: [("prod".to_owned(), row)].into(), ..Fixture::with_webhook() };
    tell(&fixture, &frozen).await.unwrap();
    let posted = fixture.posted.borrow();
    let body: Value = serde_json::from_str(&posted[0].body).unwrap();
    assert_eq!((&body["data"]["outcome"], &body["data"]["severity"]), (&json!("Answered"), &json!("info")));
    assert!(
        body["data"]["text"].as_str().unwrap().contains("prod is frozen since 2026-11-23T10:00:09Z"),
        "{body}"
    );
}
