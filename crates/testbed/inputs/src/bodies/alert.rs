//! Alerts: what a message holds, whatever the ledger, the event or the parameter of the channels says.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use ::alert::Alert;
use ::alert::channel::Post;
use ::alert::channel::sns::Publication;
use ::alert::delivery::{Delivery, Place};
use ::alert::port::http::Answer;
use ::alert::port::{Execution, Port, Signals};
use ::alert::report::Report;
use ::alert::resolve::OpenRow;
use ::alert::secret::{Reference, Secret};
use ::alert::signal::row::SignalRow;
use pipeline::clock::Timestamp;
use pipeline::environment::Environments;
use pipeline::ids::{EnvironmentName, ReleaseId};
use pipeline::rows::{FrozenRow, PlanRow};
use pipeline::{Fault, lambda};
use release::intake::request::Request;
use serde_json::{Value, json};
use url::Url;

use super::{Body, Outcome, outcome};
use crate::promises::{self, PAYLOAD};
use crate::{World, samples, world};

/// The payload of `alert`, and the messages that it makes.
pub const ALERT: Body = Body { name: "alert", share: 100, samples: || samples::events("alert"), play: alert };

/// The parameter of the channels, which holds secrets.
pub const CHANNELS: Body = Body { name: "channels", share: 300, samples: channels, play: channels_read };

/// What may get out of the parameter in no way.
const CANARY: &str = "c4nary";

/// Where the console of each partition is.
const CONSOLES: [&str; 3] =
    [".console.aws.amazon.com", ".console.amazonaws.cn", ".console.amazonaws-us-gov.com"];

/// Everything that goes out.
#[derive(Default)]
struct Outbox {
    settings: Option<String>,
    published: RefCell<Vec<Publication>>,
    posted: RefCell<Vec<Post>>,
    rung: Cell<usize>,
}

impl Port for &Outbox {
    async fn report(&self, _: &ReleaseId) -> Result<Report, Fault> {
        Ok(Report::default())
    }
    async fn plan(&self, _: &ReleaseId) -> Result<Vec<PlanRow>, Fault> {
        Ok(Vec::new())
    }
    async fn freeze(&self, _: &EnvironmentName) -> Result<Option<FrozenRow>, Fault> {
        Ok(None)
    }
    async fn execution(&self, arn: &str) -> Result<Execution, Fault> {
        let (error, cause) = (Some("States.Timeout".to_owned()), Some(arn.to_owned()));
        Ok(Execution { error, cause, ..Execution::default() })
    }
    async fn deliveries(&self, _: &Place) -> Result<BTreeMap<String, Delivery>, Fault> {
        Ok(BTreeMap::new())
    }
    async fn record(&self, _: &Place, _: &str, _: &Delivery) -> Result<(), Fault> {
        Ok(())
    }
    async fn left(&self, _: &EnvironmentName) -> Result<Vec<(ReleaseId, OpenRow)>, Fault> {
        Ok(Vec::new())
    }
    async fn leave(
        &self,
        _: &EnvironmentName,
        _: &ReleaseId,
        _: &OpenRow,
        _: Option<u64>,
    ) -> Result<bool, Fault> {
        Ok(true)
    }
    async fn replace(&self, _: &Place, _: &str, _: Option<&Delivery>, _: &Delivery) -> Result<bool, Fault> {
        Ok(true)
    }
    async fn publish(&self, publication: Publication) -> Result<(), Fault> {
        self.published.borrow_mut().push(publication);
        Ok(())
    }
    async fn settings(&self) -> Result<Option<(String, Secret)>, Fault> {
        Ok(self.settings.clone().map(|text| ("/tidegate/alerts".to_owned(), Secret::new(text))))
    }
    async fn secret(&self, _: &Reference) -> Result<Secret, Fault> {
        Ok(Secret::new("https://hooks.example.org/"))
    }
    async fn post(&self, post: Post) -> Result<Answer, Fault> {
        self.posted.borrow_mut().push(post);
        Ok(Answer { status: 204, ..Answer::default() })
    }
    async fn ring(&self, _: String) -> Result<Option<Answer>, Fault> {
        self.rung.set(self.rung.get() + 1);
        Ok(Some(Answer { status: 200, ..Answer::default() }))
    }
    async fn follow(&self, _: &str, _: String) -> Result<(), Fault> {
        Ok(())
    }
}

/// Nothing is open yet, and nobody else is at it.
impl Signals for &Outbox {
    fn parameter(&self) -> &str {
        "/tidegate/alerts"
    }
    fn is_own_log(&self, _: &str) -> bool {
        false
    }
    fn origin(&self) -> &str {
        "tidegate"
    }
    async fn recent_settings(&self, _: bool) -> Result<Option<(String, Secret)>, Fault> {
        self.settings().await
    }
    async fn environments(&self, _: bool) -> Result<Environments, Fault> {
        let prod = r#"{"cluster": "prod", "tag": "prod", "alarms": {"users": ["users-5xx"]}}"#;
        Ok(Environments::read([("/tidegate/environments/prod", prod)]))
    }
    async fn holder(
        &self,
        _: &EnvironmentName,
        _: &[String],
        _: Timestamp,
    ) -> Result<Option<ReleaseId>, Fault> {
        Ok(None)
    }
    async fn is_open(&self, _: &ReleaseId) -> Result<bool, Fault> {
        Ok(false)
    }
    async fn signal(&self, _: &str) -> Result<Option<SignalRow>, Fault> {
        Ok(None)
    }
    async fn open(&self, _: &SignalRow, _: Option<u64>) -> Result<bool, Fault> {
        Ok(true)
    }
    async fn change(&self, _: &SignalRow, _: u64) -> Result<bool, Fault> {
        Ok(true)
    }
    async fn count(&self, _: &SignalRow, _: u64, _: Timestamp) -> Result<bool, Fault> {
        Ok(true)
    }
    async fn seen(&self, _: &str, _: Timestamp, _: Timestamp, times: u64) -> Result<u64, Fault> {
        Ok(times)
    }
    async fn was_taken(&self, _: &str) -> Result<bool, Fault> {
        Ok(false)
    }
    async fn has_taken(&self, _: &str) -> Result<(), Fault> {
        Ok(())
    }
    async fn keep(&self, _: String) -> Result<(), Fault> {
        Ok(())
    }
}

fn answered(world: &World, outbox: &Outbox, payload: Value) -> Result<Value, Fault> {
    let alert = Alert { port: outbox };
    world.wait(lambda::answer(payload, world::now(), async |payload, now| alert.handle(payload, now).await))
}

/// A message keeps the bounds of its channels, can be read, leads to the console of AWS alone, and the request that it
/// prints is one.
fn alert(world: &World, text: &str) -> Outcome {
    let Ok(payload) = serde_json::from_str::<Value>(text) else { return Outcome::Refused };
    // Who asks for everything is told how far a release is, too.
    let settings = json!({
        "webhook": {"url": "https://hooks.example.org/", "secret": "s"},
        "routes": [{"severity": "info", "to": ["sns", "webhook"]}],
        "logs": [{"name": "all", "match": "*", "environment": "prod", "service": "{container}"}],
    });
    let outbox = Outbox { settings: Some(settings.to_string()), ..Outbox::default() };
    let answered = answered(world, &outbox, payload);
    let (published, posted) = (outbox.published.borrow(), outbox.posted.borrow());
    match &answered {
        Ok(answer) => {
            promises::answer(answer);
            assert_eq!(published.len(), posted.len(), "a channel is left out");
        }
        Err(fault) => {
            promises::fault(fault);
            assert!(published.is_empty() && posted.is_empty(), "it is told, and has failed: {fault}");
        }
    }
    published.iter().for_each(publication);
    for post in posted.iter() {
        assert!(post.body.len() <= PAYLOAD, "a body of {} bytes", post.body.len());
        let body: Value = serde_json::from_str(&post.body).unwrap_or_else(|error| panic!("{error}"));
        let data = &body["data"];
        promises::sentence(data["title"].as_str().unwrap_or_default());
        assert!(data["title"].as_str().unwrap_or_default().chars().count() <= 140, "{data}");
        data["link"].as_str().iter().for_each(|link| console(link));
        data["moves"].as_array().into_iter().flatten().for_each(|told| {
            promises::readable(told["reason"].as_str().unwrap_or_default());
        });
    }
    outcome(&answered)
}

fn publication(one: &Publication) {
    let Publication { subject, message, attributes } = one;
    let printable = |c: char| c == ' ' || c.is_ascii_graphic();
    assert!((1..100).contains(&subject.len()) && subject.chars().all(printable), "{subject:?}");
    let values: usize = attributes.iter().map(|(name, value)| name.len() + value.len()).sum();
    let length = message.len() + values;
    assert!(length <= PAYLOAD, "a message of {length} bytes");
    for (name, value) in attributes {
        assert!(!value.is_empty() && value.chars().count() <= 80, "{name}: {value:?}");
        promises::readable(value);
    }
    let message: Value = serde_json::from_str(message).unwrap_or_else(|error| panic!("{error}"));
    let part = |name: &str| message[name].as_str().unwrap_or_else(|| panic!("no {name}"));
    let sms = part("sms");
    assert!(
        sms.len() <= 160 && sms.is_ascii() && !sms.contains(['[', ']', '{', '}', '\\', '^', '~', '|', '`']),
        "{sms:?}"
    );
    assert_eq!(part("default"), part("email"));
    part("default").lines().for_each(promises::readable);
    for line in part("default").lines() {
        line.strip_prefix("Run: ").iter().for_each(|link| console(link));
        if line.starts_with("{\"environment\"") {
            let request: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            let read = Request::read(request);
            assert!(read.is_ok(), "it prints a request that would be refused: {read:?}");
        }
    }
}

fn console(link: &str) {
    let url = Url::parse(link).unwrap_or_else(|error| panic!("{error}: {link}"));
    let host = url.host_str().unwrap_or_default();
    let region = CONSOLES.iter().find_map(|console| host.strip_suffix(console));
    let plain = |region: &str| region.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    assert!(url.scheme() == "https" && region.is_some_and(plain), "{link} leads to {host}");
}

fn channels() -> Vec<String> {
    let url = format!("https://{CANARY}:{CANARY}@hooks.example.org/{CANARY}?token={CANARY}");
    [
        json!({"webhook": {"url": url, "secret": CANARY}}),
        json!({"webhook": {"url": url}}),
        json!({"webhook": null}),
        json!({"channels": {"chat": {"type": "slack", "token": CANARY, "channel": "C0123456789"}, "api": {"type": "http",
            "url": url, "secrets": [CANARY]}}, "routes": [{"severity": "info", "to": ["chat", "api"]}]}),
        json!({"channels": {"pager": {"type": "pagerduty", "key": CANARY, "region": "eu", "changes": true}, "phone":
            {"type": "voice", "to": [CANARY], "from": "phone-1"}, "old": {"type": "slack-webhook", "url": CANARY},
            "office": {"type": "teams", "url": CANARY, "details": false}},
            "routes": [{"severity": "critical", "environment": "prod-*", "to": ["pager", "phone"]}]}),
        json!({}),
    ]
    .map(|settings| settings.to_string())
    .into()
}

/// Nothing of the parameter gets out but to the webhook itself, and a refusal says what was expected.
fn channels_read(world: &World, text: &str) -> Outcome {
    // A key is no secret, and neither is what stands in a route: somebody who looks for a typing error has to see it.
    let input: Value = serde_json::from_str(text).unwrap_or_default();
    if has_key(&input) || input.get("routes").is_some_and(|routes| routes.to_string().contains(CANARY)) {
        return Outcome::Refused;
    }
    let outbox = Outbox { settings: Some(text.to_owned()), ..Outbox::default() };
    let report = json!({"head": null});
    let answered =
        answered(world, &outbox, json!({"release": "r1", "outcome": "NeedsHuman", "report": report}));
    let published = format!("{:?}", outbox.published.borrow());
    let bodies: String = outbox.posted.borrow().iter().map(|post| post.body.clone()).collect();
    assert!(!published.contains(CANARY) && !bodies.contains(CANARY));
    let told = outbox.published.borrow().len() + outbox.posted.borrow().len() + outbox.rung.get();
    assert!(told > 0, "a parameter silences the alert");
    if let Err(fault) = &answered {
        promises::fault(fault);
        let said = fault.to_string();
        assert!(!said.contains(CANARY), "{said}");
    }
    outcome(&answered)
}

fn has_key(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(has_key),
        Value::Object(fields) => fields.iter().any(|(key, value)| key.contains(CANARY) || has_key(value)),
        _ => false,
    }
}
