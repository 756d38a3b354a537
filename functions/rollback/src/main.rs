//! Lambda entry point.  The job is described in `lib.rs`.

use pipeline::{aws, lambda, ledger::Ledger, telemetry};
use rollback::{Rollback, service::Aws};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    telemetry::init();
    let config = aws::config("rollback");
    let ledger = Ledger::new(&config)?;
    let rollback = Rollback { port: Aws::new(&config, ledger.clone()), moves: ledger };
    lambda::serve(async |request, now| rollback.handle(request, now).await).await
}
