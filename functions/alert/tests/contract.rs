//! The samples in `events/alert`, and what becomes of a message on its way out.

#![expect(clippy::unwrap_used, reason = "this is how a test fails")]

use std::cell::RefCell;
use std::collections::BTreeMap;

use alert::channel::Delivery;
use alert::channel::sns::Publication;
use alert::channel::webhook::Post;
use alert::port::Port;
use alert::secret::Secret;
use alert::{Alert, Report, Request, Response};
use pipeline::clock::Timestamp;
use pipeline::ids::ReleaseId;
use pipeline::{Fault, document};
use serde_json::{Value, json};

const URL: &str = "https://user:c4nary-user@hooks.example.org/c4nary-path?token=c4nary-query";
const SECRET: &str = "c4nary-secret";

/// The world in memory; each part of it can be broken.
#[derive(Default)]
struct World {
    report: Option<Report>,
    settings: Option<String>,
    sns_down: bool,
    webhook_status: u16,
    ledger_down: bool,
    deliveries: RefCell<BTreeMap<String, Delivery>>,
    published: RefCell<Vec<Publication>>,
    posted: RefCell<Vec<(Option<String>, String)>>,
}

impl World {
    fn with_webhook() -> Self {
        let settings = json!({"webhook": {"url": URL, "secret": SECRET}}).to_string();
        World { settings: Some(settings), webhook_status: 204, ..World::default() }
    }

    fn ledger(&self) -> Result<(), Fault> {
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

impl Port for &World {
    async fn report(&self, _: &ReleaseId) -> Result<Report, Fault> {
        self.ledger()?;
        Ok(self.report.clone().unwrap_or_default())
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

async fn tell(world: &World, request: Request) -> Result<Response, Fault> {
    Alert { port: world }.handle(request, now()).await
}

/// A sample as the machine sends it: what it would say about the ledger is in the ledger.
fn request(world: &mut World, outcome: &str) -> Request {
    let sample: Value = serde_json::from_str(include_str!("../../../events/alert/rolled-back.json")).unwrap();
    let mut request: Request = document::read("the sample", sample).unwrap();
    request.outcome = serde_json::from_value(outcome.into()).unwrap();
    world.report = request.report.take();
    request
}

fn again(request: &Request) -> Request {
    Request {
        release: request.release.clone(),
        execution: request.execution.clone(),
        outcome: request.outcome,
        because: request.because.clone(),
        environment: request.environment.clone(),
        report: None,
    }
}

#[tokio::test]
async fn the_samples_are_answered_as_their_golden_files_say() {
    testbed::contract::check("alert", async |_, request, _| {
        // A sample holds all that is to be told: the ledger is not needed.
        let world = World { ledger_down: true, ..World::with_webhook() };
        let answer = tell(&world, request).await;
        assert!(world.deliveries.borrow().is_empty());
        answer
    })
    .await;
}

#[tokio::test]
async fn sns_gets_one_message_by_protocol_with_what_subscriptions_filter_by() {
    let mut world = World::default();
    let request = request(&mut world, "RolledBack");
    assert_eq!(tell(&world, request).await.unwrap().delivered, ["sns"]);
    let published = world.published.borrow();
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
    let mut world = World::with_webhook();
    let request = request(&mut world, "RolledBack");
    assert_eq!(tell(&world, request).await.unwrap().delivered, ["sns", "webhook"]);
    let posted = world.posted.borrow();
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
            "moves": null, "moreMoves": 0, "link": null, "dedupKey": "sample"
        })
    );
}

#[tokio::test]
async fn a_failing_channel_stops_no_other_and_a_retry_sends_only_what_is_missing() {
    let mut world = World { sns_down: true, ..World::with_webhook() };
    let first = request(&mut world, "RolledBack");
    let fault = tell(&world, again(&first)).await.unwrap_err();
    assert_eq!(fault.name(), "Unavailable");
    assert_eq!(fault.to_string(), "the alert was not delivered by sns (could not publish to the topic)");
    assert_eq!(world.sent(), (0, 1));
    world.sns_down = false;
    assert_eq!(tell(&world, again(&first)).await.unwrap().delivered, ["sns", "webhook"]);
    assert_eq!(world.sent(), (1, 1));
    assert_eq!(tell(&world, first).await.unwrap().delivered, ["sns", "webhook"]);
    assert_eq!(world.sent(), (1, 1));
}

#[tokio::test]
async fn a_webhook_that_refuses_has_failed() {
    for status in [301, 400, 404, 500] {
        let mut world = World { webhook_status: status, ..World::with_webhook() };
        let request = request(&mut world, "Deployed");
        let fault = tell(&world, request).await.unwrap_err();
        let expected =
            format!("the alert was not delivered by webhook (the webhook answered with status {status})");
        assert_eq!(fault.to_string(), expected);
        assert_eq!(world.published.borrow().len(), 1);
    }
}

#[tokio::test]
async fn each_end_is_told_although_an_earlier_message_was_delivered() {
    let mut world = World::default();
    let asked = request(&mut world, "WaitingForApproval");
    tell(&world, again(&asked)).await.unwrap();
    tell(&world, again(&asked)).await.unwrap();
    assert_eq!(world.sent().0, 1);
    // The plan became smaller, and is asked about again.
    world.report.as_mut().unwrap().head.as_mut().unwrap().plan = "another".to_owned();
    tell(&world, asked).await.unwrap();
    assert_eq!(world.sent().0, 2);
    let ended = request(&mut world, "Deployed");
    tell(&world, ended).await.unwrap();
    assert_eq!(world.sent().0, 3);
}

#[tokio::test]
async fn a_ledger_that_is_down_does_not_silence_the_alert() {
    let mut world = World { ledger_down: true, ..World::with_webhook() };
    let request = request(&mut world, "NeedsHuman");
    assert_eq!(tell(&world, request).await.unwrap().delivered, ["sns", "webhook"]);
    assert!(world.published.borrow().iter().all(|it| it.message.contains("The ledger could not be read")));
}

#[tokio::test]
async fn no_secret_gets_out_whatever_happens() {
    let broken = json!({"webhook": {"url": [URL], "secret": SECRET}}).to_string();
    let typing_error = json!({"webhook": {"url": URL, "sekret": SECRET}}).to_string();
    let not_json = format!("{URL} {SECRET}");
    let good = World::with_webhook().settings.unwrap();
    for (settings, webhook_status) in
        [(good.clone(), 204), (good, 500), (broken, 0), (typing_error, 0), (not_json, 0)]
    {
        let mut world = World { settings: Some(settings), webhook_status, ..World::default() };
        let request = request(&mut world, "RolledBack");
        let answer = match tell(&world, request).await {
            Ok(answer) => format!("{answer:?} {}", serde_json::to_string(&answer).unwrap()),
            Err(fault) => format!("{fault:?} {fault}"),
        };
        let out = format!("{answer} {:?} {:?} {:?}", world.published, world.posted, world.deliveries);
        assert!(!out.contains("c4nary"), "{out}");
    }
}
