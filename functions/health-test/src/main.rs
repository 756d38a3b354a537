//! Lambda entry point.  The job is described in `lib.rs`.

use health_test::{HealthTest, probe::Probe, rollout::Aws};
use pipeline::{aws, lambda, ledger::Ledger, telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    telemetry::init();
    let config = aws::config("health-test");
    let ledger = Ledger::new(&config)?;
    let health_test =
        HealthTest { port: Aws::new(&config, ledger.clone()), web: Probe::new()?, moves: ledger };
    lambda::serve(async |request, now| health_test.handle(request, now).await).await
}
