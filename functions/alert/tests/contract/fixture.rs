//! The ledger, the execution and the channels in memory.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use alert::channel::Post;
use alert::channel::sns::Publication;
use alert::delivery::{Delivery, Place};
use alert::port::http::Answer;
use alert::port::{Execution, Port};
use alert::report::Report;
use alert::resolve::OpenRow;
use alert::secret::{Reference, Secret};
use pipeline::Fault;
use pipeline::ids::{EnvironmentName, ReleaseId};
use pipeline::rows::{FrozenRow, PlanRow};
use serde_json::json;

use crate::world::World;

pub const URL: &str = "https://user:c4nary-user@hooks.example.org/c4nary-path?token=c4nary-query";

pub const SECRET: &str = "c4nary-secret";

/// The fixture in memory; each part of it can be broken.
#[derive(Default)]
pub struct Fixture {
    pub report: Option<Report>,
    pub plan: Vec<PlanRow>,
    pub frozen: BTreeMap<String, FrozenRow>,
    pub execution: Option<Execution>,
    pub settings: Option<String>,
    pub sns_down: bool,
    pub webhook_status: u16,
    pub ledger_down: bool,
    pub report_down: bool,
    pub asked_ledger: Cell<u32>,
    pub deliveries: RefCell<BTreeMap<String, Delivery>>,
    /// What is not about the release of the samples, by what it is about.
    pub of_others: RefCell<BTreeMap<String, BTreeMap<String, Delivery>>>,
    /// What another call records just before this one does.
    pub meanwhile: RefCell<Option<Delivery>>,
    pub asked_document: Cell<u32>,
    pub published: RefCell<Vec<Publication>>,
    pub posted: RefCell<Vec<Posted>>,
    pub secrets: BTreeMap<String, String>,
    pub answers: BTreeMap<String, Answer>,
    pub rung: RefCell<Vec<String>>,
    pub followed: RefCell<Vec<(String, String)>>,
    pub no_follower: bool,
    /// Whether the document of the channels cannot be read for its rules.
    pub unread: Cell<bool>,
    pub left: RefCell<BTreeMap<ReleaseId, OpenRow>>,
    pub environments: Vec<(String, String)>,
    pub world: World,
}

/// A request that a channel made.
#[derive(Clone, Debug)]
pub struct Posted {
    pub host: String,
    pub path: String,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Posted {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

impl Fixture {
    pub fn with_webhook() -> Self {
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

    pub fn sent(&self) -> (usize, usize) {
        (self.published.borrow().len(), self.posted.borrow().len())
    }
}

impl Port for &Fixture {
    async fn report(&self, _: &ReleaseId) -> Result<Report, Fault> {
        self.ledger()?;
        if self.report_down {
            return Err(Fault::Unavailable("could not read the release".to_owned()));
        }
        Ok(self.report.clone().unwrap_or_default())
    }
    async fn plan(&self, _: &ReleaseId) -> Result<Vec<PlanRow>, Fault> {
        self.ledger()?;
        Ok(self.plan.clone())
    }
    async fn freeze(&self, environment: &EnvironmentName) -> Result<Option<FrozenRow>, Fault> {
        self.ledger()?;
        Ok(self.frozen.get(environment.as_str()).cloned())
    }
    async fn execution(&self, arn: &str) -> Result<Execution, Fault> {
        assert!(arn.starts_with("arn:aws:states:"), "{arn}");
        self.execution.clone().ok_or_else(|| Fault::Unavailable(format!("could not describe {arn}")))
    }
    async fn deliveries(&self, place: &Place) -> Result<BTreeMap<String, Delivery>, Fault> {
        self.ledger()?;
        Ok(match place {
            Place::Release(release) if release.as_str() == "sample" => self.deliveries.borrow().clone(),
            other => self.of_others.borrow().get(&format!("{other:?}")).cloned().unwrap_or_default(),
        })
    }
    async fn record(&self, place: &Place, channel: &str, delivery: &Delivery) -> Result<(), Fault> {
        self.ledger()?;
        if !matches!(place, Place::Release(release) if release.as_str() == "sample") {
            let mut all = self.of_others.borrow_mut();
            all.entry(format!("{place:?}")).or_default().insert(channel.to_owned(), delivery.clone());
            return Ok(());
        }
        self.deliveries.borrow_mut().insert(channel.to_owned(), delivery.clone());
        Ok(())
    }
    async fn left(&self, _: &EnvironmentName) -> Result<Vec<(ReleaseId, OpenRow)>, Fault> {
        let open = self.left.borrow();
        let open = open.iter().filter(|(_, row)| !row.services.is_empty());
        Ok(open.map(|(release, row)| (release.clone(), row.clone())).collect())
    }
    async fn leave(
        &self,
        _: &EnvironmentName,
        release: &ReleaseId,
        row: &OpenRow,
        was: Option<u64>,
    ) -> Result<bool, Fault> {
        let mut left = self.left.borrow_mut();
        let is = left.get(release).map(|row| row.version) == was;
        if is {
            left.insert(release.clone(), row.clone());
        }
        Ok(is)
    }
    async fn replace(
        &self,
        _: &Place,
        channel: &str,
        before: Option<&Delivery>,
        delivery: &Delivery,
    ) -> Result<bool, Fault> {
        self.ledger()?;
        if let Some(meanwhile) = self.meanwhile.borrow_mut().take() {
            self.deliveries.borrow_mut().insert(channel.to_owned(), meanwhile);
        }
        let mut deliveries = self.deliveries.borrow_mut();
        let said = |delivery: &Delivery| (delivery.outcome, delivery.time);
        let unchanged = deliveries.get(channel).map(said) == before.map(said);
        if unchanged {
            deliveries.insert(channel.to_owned(), delivery.clone());
        }
        Ok(unchanged)
    }
    async fn publish(&self, publication: Publication) -> Result<(), Fault> {
        if self.sns_down {
            return Err(Fault::Unavailable("could not publish to the topic".to_owned()));
        }
        self.published.borrow_mut().push(publication);
        Ok(())
    }
    async fn settings(&self) -> Result<Option<(String, Secret)>, Fault> {
        self.asked_document.set(self.asked_document.get() + 1);
        Ok(self.settings.clone().map(|text| ("/tidegate/alerts".to_owned(), Secret::new(text))))
    }
    async fn secret(&self, reference: &Reference) -> Result<Secret, Fault> {
        let secret = self.secrets.get(reference.as_str()).map(Secret::new);
        secret.ok_or_else(|| Fault::NotFound(format!("the secret {}", reference.as_str())))
    }
    async fn post(&self, post: Post) -> Result<Answer, Fault> {
        let url = post.url.reveal().split_once("://").unwrap().1;
        let (host, path) = url.split_once('/').unwrap();
        let host = host.rsplit('@').next().unwrap().to_owned();
        let headers = post
            .headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.reveal().to_owned()))
            .collect();
        let answer = self.answers.get(&host).cloned();
        self.posted.borrow_mut().push(Posted { host, path: path.to_owned(), headers, body: post.body });
        let status = self.webhook_status;
        Ok(answer.unwrap_or(Answer { status, ..Answer::default() }))
    }
    async fn ring(&self, call: String) -> Result<Option<Answer>, Fault> {
        self.rung.borrow_mut().push(call);
        Ok(self.answers.get("sms-voice").cloned())
    }
    async fn follow(&self, name: &str, input: String) -> Result<(), Fault> {
        if self.no_follower {
            return Err(Fault::Denied("could not start it".to_owned()));
        }
        self.followed.borrow_mut().push((name.to_owned(), input));
        Ok(())
    }
}

pub fn failed(error: &str, cause: &str) -> Execution {
    Execution { error: Some(error.to_owned()), cause: Some(cause.to_owned()), ..Execution::default() }
}
