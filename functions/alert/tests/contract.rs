//! The samples in `events/alert`, and what becomes of a message on its way out.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "this is how a test fails")]

use std::borrow::Borrow;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs;

use alert::delivery::{Delivery, Post, Publication};
use alert::port::{Execution, Port};
use alert::report::Report;
use alert::secret::Secret;
use alert::{Alert, Response};
use expect_test::expect;
use pipeline::clock::Timestamp;
use pipeline::ids::{EnvironmentName, ReleaseId, ServiceName};
use pipeline::rows::{FrozenRow, PlanRow};
use pipeline::{Fault, document};
use serde_json::{Value, json};
use testbed::recorded;

const URL: &str = "https://user:c4nary-user@hooks.example.org/c4nary-path?token=c4nary-query";
const SECRET: &str = "c4nary-secret";

/// The fixture in memory; each part of it can be broken.
#[derive(Default)]
struct Fixture {
    report: Option<Report>,
    plan: Vec<PlanRow>,
    frozen: BTreeMap<String, FrozenRow>,
    execution: Option<Execution>,
    settings: Option<String>,
    sns_down: bool,
    webhook_status: u16,
    ledger_down: bool,
    asked_ledger: Cell<u32>,
    deliveries: RefCell<BTreeMap<String, Delivery>>,
    published: RefCell<Vec<Publication>>,
    posted: RefCell<Vec<(Option<String>, String)>>,
}

impl Fixture {
    fn with_webhook() -> Self {
        let settings = json!({"webhook": {"url": URL, "secret": SECRET}}).to_string();
        Fixture { settings: Some(settings), webhook_status: 204, ..Fixture::default() }
    }

    fn ledger(&self) -> Result<(), Fault> {
        self.asked_ledger.set(self.asked_ledger.get() + 1);
        if self.ledger_down {
            Err(Fault::Unavailable("could not reach the ledger".to_owned()))
        } else {
            Ok(())
        }
    }

    fn sent(&self) -> (usize, usize) {
        (self.published.borrow().len(), self.posted.borrow().len())
    }
}

impl Port for &Fixture {
    async fn report(&self, _: &ReleaseId) -> Result<Report, Fault> {
        self.ledger()?;
        Ok(self.report.clone().unwrap_or_default())
    }
    async fn plan(&self, _: &ReleaseId, services: &[ServiceName]) -> Result<Vec<PlanRow>, Fault> {
        self.ledger()?;
        Ok(self.plan.iter().filter(|row| services.contains(&row.service)).cloned().collect())
    }
    async fn freeze(&self, environment: &EnvironmentName) -> Result<Option<FrozenRow>, Fault> {
        self.ledger()?;
        Ok(self.frozen.get(environment.as_str()).cloned())
    }
    async fn execution(&self, arn: &str) -> Result<Execution, Fault> {
        assert!(arn.starts_with("arn:aws:states:"), "{arn}");
        self.execution.clone().ok_or_else(|| Fault::Unavailable(format!("could not describe {arn}")))
    }
    async fn delivery(&self, _: &ReleaseId, channel: &str) -> Result<Option<Delivery>, Fault> {
        self.ledger()?;
        Ok(self.deliveries.borrow().get(channel).cloned())
    }
    async fn record(&self, _: &ReleaseId, channel: &str, delivery: &Delivery) -> Result<(), Fault> {
        self.ledger()?;
        self.deliveries.borrow_mut().insert(channel.to_owned(), delivery.clone());
        Ok(())
    }
    async fn publish(&self, publication: Publication) -> Result<(), Fault> {
        if self.sns_down {
            return Err(Fault::Unavailable("could not publish to the topic".to_owned()));
        }
        self.published.borrow_mut().push(publication);
        Ok(())
    }
    async fn settings(&self) -> Result<Option<Secret>, Fault> {
        Ok(self.settings.clone().map(Secret::new))
    }
    async fn post(&self, post: Post) -> Result<u16, Fault> {
        assert_eq!(post.url.reveal(), URL);
        self.posted.borrow_mut().push((post.signature, post.body));
        Ok(self.webhook_status)
    }
}

fn now() -> Timestamp {
    Timestamp::parse(testbed::contract::NOW).unwrap()
}

async fn tell(fixture: &Fixture, payload: impl Borrow<Value>) -> Result<Response, Fault> {
    Alert { port: fixture }.handle(payload.borrow().clone(), now()).await
}

/// A sample as the machine sends it: what it would say about the ledger is in the ledger.
fn request(fixture: &mut Fixture, outcome: &str) -> Value {
    let mut sample = sample("rolled-back");
    sample["outcome"] = outcome.into();
    fixture.report = Some(document::read("the report", sample["report"].take()).unwrap());
    sample
}

/// A release that was closed, as the ledger has it.
fn closed_report() -> Report {
    document::read("the report", sample("needs-human")["report"].take()).unwrap()
}

/// A release whose execution ended before it was closed, as the ledger has it.
fn open_report() -> Report {
    let mut report = sample("needs-human")["report"].take();
    report["head"]["outcome"].take();
    document::read("the report", report).unwrap()
}

fn sample(case: &str) -> Value {
    let path = format!("{}/../../events/alert/{case}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

#[tokio::test]
async fn the_samples_are_answered_as_their_golden_files_say() {
    testbed::contract::check("alert", async |case, payload: Value, _| {
        let mut fixture = Fixture::with_webhook();
        let ended = case.starts_with("execution-ended-");
        fixture.report = match case {
            "execution-ended-aborted" | "execution-ended-timed-out" => Some(open_report()),
            "execution-ended-closed" | "execution-ended-untold" => Some(closed_report()),
            _ => None,
        };
        fixture.execution = match case {
            "execution-ended-refused" => Some(failed("Refused", "prod is frozen")),
            "execution-ended-before-the-release-opened" => {
                Some(failed("States.Runtime", "the input is too deep"))
            }
            "execution-ended-closed" => Some(failed("NeedsHuman", "users could not be put back")),
            "execution-ended-aborted" | "execution-ended-timed-out" | "execution-ended-untold" => {
                Some(Execution::default())
            }
            _ => None,
        };
        let answer = tell(&fixture, payload).await;
        // The other samples hold all that is to be told: the ledger is neither read nor written.
        assert_eq!(fixture.asked_ledger.take() > 0, ended && answer.is_ok(), "{case}");
        answer
    })
    .await;
}

#[tokio::test]
async fn sns_gets_one_message_by_protocol_with_what_subscriptions_filter_by() {
    let mut fixture = Fixture::default();
    let request = request(&mut fixture, "RolledBack");
    assert_eq!(tell(&fixture, request).await.unwrap().delivered, ["sns"]);
    let published = fixture.published.borrow();
    let [publication] = published.as_slice() else { panic!("{published:?}") };
    let mut attributes = publication.attributes.clone();
    attributes.sort();
    let attributes: Vec<(&str, &str)> =
        attributes.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(
        attributes,
        [
            ("environment", "staging"),
            ("outcome", "RolledBack"),
            ("release", "sample"),
            ("severity", "critical")
        ]
    );
    let message: Value = serde_json::from_str(&publication.message).unwrap();
    let protocols: Vec<&String> = message.as_object().unwrap().keys().collect();
    assert_eq!(protocols, ["default", "email", "sms"]);
    assert!(message.as_object().unwrap().values().all(Value::is_string));
}

#[tokio::test]
async fn a_webhook_gets_json_and_a_signature_of_it() {
    let mut fixture = Fixture::with_webhook();
    let request = request(&mut fixture, "RolledBack");
    assert_eq!(tell(&fixture, request).await.unwrap().delivered, ["sns", "webhook"]);
    let posted = fixture.posted.borrow();
    let [(Some(signature), body)] = posted.as_slice() else { panic!("it was posted otherwise") };
    assert!(signature.starts_with("sha256=") && signature.len() == 7 + 64, "{signature}");
    let mut body: Value = serde_json::from_str(body).unwrap();
    let moves = body["moves"].take();
    let text = body["text"].take();
    assert!(text.as_str().unwrap().starts_with("Rolled back: "));
    let users = moves.as_array().unwrap().iter().find(|told| told["service"] == "users").unwrap();
    assert_eq!((&users["verdict"], &users["fate"]), (&json!("Unhealthy"), &json!("undone")));
    assert_eq!(users["from"], json!(format!("sha256:{}", "a".repeat(64))));
    assert_eq!(users["to"], json!(format!("sha256:{}", "b".repeat(64))));
    assert!(users["reason"].as_str().unwrap().starts_with("live test \"health\" failed"));
    assert!(body["because"].take().as_str().unwrap().starts_with("users is unhealthy"));
    assert!(body["link"].take().as_str().unwrap().starts_with("https://eu-west-1.console.aws.amazon.com/"));
    assert_eq!(
        body,
        json!({
            "release": "sample", "environment": "staging", "outcome": "RolledBack", "severity": "critical",
            "subject": "Rolled back: users and 2 more services in staging", "text": null, "because": null,
            "moves": null, "moreMoves": 0, "link": null, "dedupKey": "sample",
            "fates": {"undone": 2, "untouched": 1}, "plan": []
        })
    );
}

#[tokio::test]
async fn a_failing_channel_stops_no_other_and_a_retry_sends_only_what_is_missing() {
    let mut fixture = Fixture { sns_down: true, ..Fixture::with_webhook() };
    let first = request(&mut fixture, "RolledBack");
    let fault = tell(&fixture, &first).await.unwrap_err();
    assert_eq!(fault.name(), "Unavailable");
    assert_eq!(fault.to_string(), "the alert was not delivered by sns (could not publish to the topic)");
    assert_eq!(fixture.sent(), (0, 1));
    fixture.sns_down = false;
    assert_eq!(tell(&fixture, &first).await.unwrap().delivered, ["sns", "webhook"]);
    assert_eq!(fixture.sent(), (1, 1));
    assert_eq!(tell(&fixture, first).await.unwrap().delivered, ["sns", "webhook"]);
    assert_eq!(fixture.sent(), (1, 1));
}

#[tokio::test]
async fn a_webhook_that_refuses_has_failed() {
    for status in [301, 400, 404, 500] {
        let mut fixture = Fixture { webhook_status: status, ..Fixture::with_webhook() };
        let request = request(&mut fixture, "Deployed");
        let fault = tell(&fixture, request).await.unwrap_err();
        let expected =
            format!("the alert was not delivered by webhook (the webhook answered with status {status})");
        assert_eq!(fault.to_string(), expected);
        assert_eq!(fixture.published.borrow().len(), 1);
    }
}

#[tokio::test]
async fn each_end_is_told_although_an_earlier_message_was_delivered() {
    let mut fixture = Fixture::default();
    let asked = request(&mut fixture, "WaitingForApproval");
    tell(&fixture, &asked).await.unwrap();
    tell(&fixture, &asked).await.unwrap();
    assert_eq!(fixture.sent().0, 1);
    // The plan became smaller, and is asked about again.
    fixture.report.as_mut().unwrap().head.as_mut().unwrap().plan = "another".to_owned();
    tell(&fixture, asked).await.unwrap();
    assert_eq!(fixture.sent().0, 2);
    let ended = request(&mut fixture, "Deployed");
    tell(&fixture, ended).await.unwrap();
    assert_eq!(fixture.sent().0, 3);
}

#[tokio::test]
async fn a_ledger_that_is_down_does_not_silence_the_alert() {
    let mut fixture = Fixture { ledger_down: true, ..Fixture::with_webhook() };
    let request = request(&mut fixture, "NeedsHuman");
    assert_eq!(tell(&fixture, request).await.unwrap().delivered, ["sns", "webhook"]);
    assert!(fixture.published.borrow().iter().all(|it| it.message.contains("The ledger could not be read")));
}

#[tokio::test]
async fn no_secret_gets_out_whatever_happens() {
    let broken = json!({"webhook": {"url": [URL], "secret": SECRET}}).to_string();
    let typing_error = json!({"webhook": {"url": URL, "sekret": SECRET}}).to_string();
    let not_json = format!("{URL} {SECRET}");
    let good = Fixture::with_webhook().settings.unwrap();
    for (settings, webhook_status) in
        [(good.clone(), 204), (good, 500), (broken, 0), (typing_error, 0), (not_json, 0)]
    {
        let mut fixture = Fixture { settings: Some(settings), webhook_status, ..Fixture::default() };
        let request = request(&mut fixture, "RolledBack");
        let answer = match tell(&fixture, request).await {
            Ok(answer) => format!("{answer:?} {}", serde_json::to_string(&answer).unwrap()),
            Err(fault) => format!("{fault:?} {fault}"),
        };
        let out = format!("{answer} {:?} {:?} {:?}", fixture.published, fixture.posted, fixture.deliveries);
        assert!(!out.contains("c4nary"), "{out}");
    }
}

fn failed(error: &str, cause: &str) -> Execution {
    Execution { runs: false, error: Some(error.to_owned()), cause: Some(cause.to_owned()) }
}

/// What is told of an execution that ended, if anything.
async fn of_the_end(fixture: &Fixture, case: &str) -> Option<String> {
    let response = tell(fixture, sample(case)).await.unwrap();
    assert!(response.failed.is_empty());
    let told = !response.delivered.is_empty();
    assert_eq!(told, fixture.sent() == (1, 0));
    let mut published = fixture.published.borrow_mut();
    told.then(|| serde_json::from_str::<Value>(&published.pop().unwrap().message).unwrap()["email"].take())
        .map(|text| text.as_str().unwrap().to_owned())
}

#[tokio::test]
async fn an_execution_that_was_stopped_is_told_with_what_stands_and_the_rollback() {
    let fixture =
        Fixture { report: Some(open_report()), execution: Some(Execution::default()), ..Fixture::default() };
    expect![[r#"
        Needs a human: users and 2 more services in staging
        its Step Functions execution was stopped (ABORTED)
        Of 3 services: 2 unverified, 1 superseded

        users: aaaaaaaaaaaa -> bbbbbbbbbbbb, needs a human: the running version is unverified
          rollout: live test "health" failed 3 of 3 times: GET http://10.0.0.2:8080/health: expected $.status to be "ok", got status 200 in 12 ms: {"status":"down"}
          rollback failed: LeaseLost: users is held by release r-2 now
          deployment: ecs-svc/3, which was started to roll it back
          restore point: sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa on arn:aws:ecs:eu-west-1:123456789012:task-definition/users:1

        orders: unknown -> bbbbbbbbbbbb, needs a human: the running version is unverified
          rollout: it could not be measured within 900 s: could not describe the service orders: AccessDeniedException: no
          deployment: ecs-svc/2, sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb on arn:aws:ecs:eu-west-1:123456789012:task-definition/orders:2
          restore point: none is known, so a rollback is not possible

        cart: aaaaaaaaaaaa -> bbbbbbbbbbbb, superseded: somebody else has deployed the service since
          rollout: ecs-svc/9 on arn:aws:ecs:eu-west-1:123456789012:task-definition/cart:9 is in place of ours

        To roll back every service that it changed to its restore point, start the state machine with this:
        {"environment":"staging","mode":"rollback","release":"sample"}

        When: 2026-11-23T10:00:10Z, 5 min 10 s after it opened
        Release: sample
        Run: https://eu-west-1.console.aws.amazon.com/states/home?region=eu-west-1#/v2/executions/details/arn:aws:states:eu-west-1:123456789012:execution:tidegate:sample
    "#]].assert_eq(&of_the_end(&fixture, "execution-ended-aborted").await.unwrap());
}

#[tokio::test]
async fn an_execution_that_ended_before_the_release_opened_is_told_with_its_input() {
    let fixture = Fixture { execution: Some(failed("States.Runtime", "too deep")), ..Fixture::default() };
    expect![[r#"
        Needs a human: release sample
        its Step Functions execution failed before the release opened (FAILED: States.Runtime: too deep)

        The execution was started with: {"environment":"prod","repository":"shop/users","image":"main-1a2b3c"}

        When: 2026-11-23T10:00:10Z
        Release: sample
        Run: https://eu-west-1.console.aws.amazon.com/states/home?region=eu-west-1#/v2/executions/details/arn:aws:states:eu-west-1:123456789012:execution:tidegate:sample
    "#]].assert_eq(&of_the_end(&fixture, "execution-ended-before-the-release-opened").await.unwrap());
}

#[tokio::test]
async fn an_end_that_the_machine_told_itself_is_not_told_from_outside() {
    let mut fixture = Fixture::default();
    let ended = request(&mut fixture, "NeedsHuman");
    fixture.report = Some(open_report());
    fixture.execution = Some(failed("NeedsHuman", "not closed"));
    tell(&fixture, ended).await.unwrap();
    assert_eq!(fixture.sent(), (1, 0));
    let payload = sample("execution-ended-aborted");
    assert_eq!(tell(&fixture, payload).await.unwrap().delivered, ["sns"]);
    assert_eq!(fixture.sent(), (1, 0), "one end is told once");
}

#[tokio::test]
async fn an_event_that_comes_twice_is_told_once() {
    let fixture =
        Fixture { report: Some(open_report()), execution: Some(Execution::default()), ..Fixture::default() };
    tell(&fixture, sample("execution-ended-aborted")).await.unwrap();
    tell(&fixture, sample("execution-ended-aborted")).await.unwrap();
    assert_eq!(fixture.sent(), (1, 0));
}

#[tokio::test]
async fn a_release_that_was_closed_and_then_stopped_is_told_with_its_outcome() {
    let fixture = Fixture {
        report: Some(closed_report()),
        execution: Some(Execution::default()),
        ..Fixture::default()
    };
    let text = of_the_end(&fixture, "execution-ended-aborted").await.unwrap();
    let because = "its Step Functions execution was stopped after the release was closed and before this message was sent";
    assert!(text.starts_with("Needs a human: users and 2 more services in staging\n"), "{text}");
    assert!(text.contains(&format!("\n{because} (ABORTED)\n")), "{text}");

    let mut report = closed_report();
    report.head.as_mut().unwrap().outcome = Some(pipeline::rows::Outcome::Superseded);
    let fixture =
        Fixture { report: Some(report), execution: Some(Execution::default()), ..Fixture::default() };
    let text = of_the_end(&fixture, "execution-ended-aborted").await.unwrap();
    assert!(text.starts_with("Superseded: "), "{text}");
}

#[tokio::test]
async fn a_release_that_was_told_and_then_stopped_is_not_told_again() {
    let mut fixture = Fixture::default();
    let ended = request(&mut fixture, "RolledBack");
    fixture.report.as_mut().unwrap().head.as_mut().unwrap().outcome =
        Some(pipeline::rows::Outcome::RolledBack);
    fixture.execution = Some(Execution::default());
    tell(&fixture, ended).await.unwrap();
    tell(&fixture, sample("execution-ended-aborted")).await.unwrap();
    assert_eq!(fixture.sent(), (1, 0));
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
    let body: Value = serde_json::from_str(&fixture.posted.borrow()[0].1).unwrap();
    assert_eq!(body["plan"], json!([]));
}

#[tokio::test]
async fn a_request_that_was_carried_out_is_told_with_what_the_ledger_says_now() {
    let mut frozen = sample("frozen");
    let row: FrozenRow = document::read("the row", frozen["report"]["freeze"].take()).unwrap();
    frozen["report"].take();
    let fixture = Fixture { frozen: [("prod".to_owned(), row)].into(), ..Fixture::with_webhook() };
    tell(&fixture, &frozen).await.unwrap();
    let posted = fixture.posted.borrow();
    let body: Value = serde_json::from_str(&posted[0].1).unwrap();
    assert_eq!((&body["outcome"], &body["severity"]), (&json!("Answered"), &json!("info")));
    assert!(body["text"].as_str().unwrap().contains("prod is frozen since 2026-11-23T10:00:09Z"), "{body}");
}

#[tokio::test]
async fn what_runs_again_has_not_ended() {
    let runs = Some(Execution { runs: true, ..Execution::default() });
    for report in [Some(open_report()), None] {
        let fixture = Fixture { report, execution: runs.clone(), ..Fixture::default() };
        assert_eq!(of_the_end(&fixture, "execution-ended-aborted").await, None);
    }
}

#[tokio::test]
async fn who_stops_an_execution_cannot_silence_it_with_a_name_of_ours() {
    let fixture = Fixture { execution: Some(failed("Refused", "by hand")), ..Fixture::default() };
    assert!(of_the_end(&fixture, "execution-ended-aborted").await.is_some());
}

#[tokio::test]
async fn what_cannot_be_known_is_told_or_asked_again_and_never_dropped() {
    // Open, but Step Functions does not answer: told, without the cause.
    let fixture = Fixture { report: Some(open_report()), ..Fixture::default() };
    assert!(
        of_the_end(&fixture, "execution-ended-aborted")
            .await
            .unwrap()
            .contains("its Step Functions execution was stopped (ABORTED)\n")
    );
    // The ledger does not answer: Step Functions knows whether the machine has told it.
    let fixture =
        Fixture { ledger_down: true, execution: Some(failed("Refused", "no")), ..Fixture::default() };
    assert_eq!(of_the_end(&fixture, "execution-ended-refused").await, None);
    let text = of_the_end(&fixture, "execution-ended-aborted").await.unwrap();
    assert!(text.contains("was stopped (ABORTED") && text.contains("The ledger could not be read"), "{text}");
    // Neither does: Lambda tries again, and at last keeps the event in the queue.
    let fixture = Fixture { ledger_down: true, ..Fixture::default() };
    assert_eq!(tell(&fixture, sample("execution-ended-aborted")).await.unwrap_err().name(), "Unavailable");
}

#[test]
fn what_an_earlier_version_has_delivered_is_still_known() {
    for rows in recorded::recordings("release#", "alert#") {
        assert!(!rows.is_empty(), "no delivery is recorded");
        let deliveries: Vec<Delivery> = rows.iter().map(recorded::Row::read).collect();
        assert!(deliveries.iter().any(|delivery| delivery.plan.is_some()));
    }
}
