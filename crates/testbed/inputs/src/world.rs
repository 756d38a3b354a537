//! The account in memory that the functions are called on.

use fleet::cluster;
use fleet::fake::{Fake, State};
use fleet::functions::{Function, Functions};
use fleet::web;
use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ledger::Ledger;
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

use crate::samples::{self, NOW};

/// An account, the functions on it, and a clock that does not wait.
#[derive(Debug)]
pub struct World {
    runtime: Runtime,
    functions: Functions,
    /// The account.
    pub fake: Fake,
    /// Its ledger.
    pub ledger: Ledger,
    /// A client of its ECS.
    pub ecs: aws_sdk_ecs::Client,
}

impl World {
    /// Makes one.
    ///
    /// # Errors
    ///
    /// If no runtime can be made.
    pub fn new() -> Result<Self, Fault> {
        let runtime = Builder::new_current_thread().enable_all().start_paused(true).build();
        let runtime = runtime.map_err(|error| Fault::Unavailable(error.to_string()))?;
        let fake = Fake::default();
        let config = fake.config();
        let (ledger, ecs) = (Ledger::of(&config, "ledger"), aws_sdk_ecs::Client::new(&config));
        Ok(World { functions: Functions::new(&fake), runtime, fake, ledger, ecs })
    }

    /// Puts the account back to its beginning: two services that run in each of three clusters, and the documents of
    /// a few environments.
    pub fn reset(&self) {
        *self.fake.open() = State::default();
        for environment in ["dev", "staging", "prod"] {
            for service in ["users", "orders"] {
                cluster::place(&self.fake, environment, service, &[format!("shop/{service}")]);
            }
        }
        let mut account = self.fake.open();
        account.now = now().millis();
        samples::push(&mut account);
        let environments = samples::environments().into_iter();
        account.parameters.extend(
            environments.map(|(name, document)| (format!("/tidegate/environments/{name}"), document)),
        );
        account
            .parameters
            .insert("/tidegate/environments/dev/services/users/tests".to_owned(), web::pack("dev", "users"));
    }

    /// Calls a function on the account as it is.
    pub fn call(&self, function: Function, payload: Value) -> Result<Value, Fault> {
        self.runtime.block_on(self.functions.call(function, payload, now()))
    }

    /// Waits for something that waits for nothing but the account.
    pub fn wait<T>(&self, something: impl Future<Output = T>) -> T {
        self.runtime.block_on(something)
    }
}

/// Returns the moment at which everything is played.
pub fn now() -> Timestamp {
    Timestamp::from_millis(NOW)
}
