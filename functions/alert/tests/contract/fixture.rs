//! The ledger, the execution and the channels in memory.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use alert::delivery::{Delivery, Post, Publication};
use alert::port::{Execution, Port};
use alert::report::Report;
use alert::secret::Secret;
use pipeline::Fault;
use pipeline::ids::{EnvironmentName, ReleaseId, ServiceName};
use pipeline::rows::{FrozenRow, PlanRow};
use serde_json::json;

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
    pub asked_ledger: Cell<u32>,
    pub deliveries: RefCell<BTreeMap<String, Delivery>>,
    pub published: RefCell<Vec<Publication>>,
    pub posted: RefCell<Vec<(Option<String>, String)>>,
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

pub fn failed(error: &str, cause: &str) -> Execution {
    Execution { error: Some(error.to_owned()), cause: Some(cause.to_owned()), ..Execution::default() }
}
