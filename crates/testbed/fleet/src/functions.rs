//! The functions as they are deployed, on one configuration.

use alert::Alert;
use deploy::Deploy;
use health_test::HealthTest;
use pipeline::clock::Timestamp;
use pipeline::ledger::Ledger;
use pipeline::{Fault, lambda};
use release::Release;
use retag::Retag;
use rollback::Rollback;
use serde_json::Value;

use crate::fake::{ACCOUNT, Fake, REGION};
use crate::web::Visitor;

/// Names a function, as the state machine does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// `release`
    Release,
    /// `retag`
    Retag,
    /// `deploy`
    Deploy,
    /// `health-test`
    HealthTest,
    /// `rollback`
    Rollback,
    /// `alert`
    Alert,
}

impl Function {
    /// Returns the function of this name.
    pub fn named(name: &str) -> Option<Self> {
        use Function::{Alert, Deploy, HealthTest, Release, Retag, Rollback};
        const ALL: [Function; 6] = [Release, Retag, Deploy, HealthTest, Rollback, Alert];
        ALL.into_iter().find(|function| function.name() == name)
    }

    /// Returns its name.
    pub fn name(self) -> &'static str {
        match self {
            Function::Release => "release",
            Function::Retag => "retag",
            Function::Deploy => "deploy",
            Function::HealthTest => "health-test",
            Function::Rollback => "rollback",
            Function::Alert => "alert",
        }
    }

    /// Returns after how many seconds Lambda ends a call of it.
    pub fn timeout_seconds(self) -> i64 {
        match self {
            Function::Release => 60,
            _ => 30,
        }
    }
}

/// All functions: one warm process of each.
#[derive(Debug)]
pub struct Functions {
    release: Release<release::adapters::Aws, Ledger>,
    retag: Retag<retag::registry::Aws, Ledger>,
    deploy: Deploy<deploy::service::Aws, Ledger>,
    health_test: HealthTest<health_test::rollout::Aws, Visitor, Ledger>,
    rollback: Rollback<rollback::service::Aws, Ledger>,
    alert: Alert<alert::port::Aws>,
}

impl Functions {
    /// Starts them on an account.
    pub fn new(fake: &Fake) -> Self {
        let config = &fake.config();
        let book = Ledger::of(config, "ledger");
        let moves = || book.clone();
        let looks = health_test::rollout::Aws::new(config, moves());
        let settings = alert::port::Settings {
            topic: format!("arn:aws:sns:{REGION}:{ACCOUNT}:alerts"),
            parameter: "/tidegate/alerts".to_owned(),
            follow_up: None,
            undelivered: None,
            origin: String::new(),
            log_group: None,
            dashboard: None,
            hosts: alert::port::http::Hosts::default(),
        };
        Functions {
            alert: Alert { port: alert::port::Aws::new(config, moves(), settings) },
            retag: Retag { port: retag::registry::Aws::new(config, moves()), moves: moves() },
            deploy: Deploy { port: deploy::service::Aws::new(config, moves()), moves: moves() },
            health_test: HealthTest { port: looks, web: Visitor(fake.clone()), moves: moves() },
            rollback: Rollback { port: rollback::service::Aws::new(config, moves()), moves: moves() },
            release: Release { aws: release::adapters::Aws::new(config, book.clone()), ledger: book },
        }
    }

    /// Calls one, as Lambda does.
    pub async fn call(&self, function: Function, payload: Value, now: Timestamp) -> Result<Value, Fault> {
        match function {
            Function::Release => {
                lambda::answer(payload, now, async |request, now| self.release.handle(request, now).await)
                    .await
            }
            Function::Retag => {
                lambda::answer(payload, now, async |request, now| self.retag.handle(request, now).await).await
            }
            Function::Deploy => {
                lambda::answer(payload, now, async |request, now| self.deploy.handle(request, now).await)
                    .await
            }
            Function::HealthTest => {
                let health_test = &self.health_test;
                lambda::answer(payload, now, async |request, now| health_test.handle(request, now).await)
                    .await
            }
            Function::Rollback => {
                lambda::answer(payload, now, async |request, now| self.rollback.handle(request, now).await)
                    .await
            }
            Function::Alert => {
                lambda::answer(payload, now, async |request, now| self.alert.handle(request, now).await).await
            }
        }
    }
}
