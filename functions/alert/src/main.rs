//! Lambda entry point.  The job is described in `lib.rs`.

use alert::Alert;
use alert::port::{Aws, Settings};
use pipeline::{aws, lambda, ledger::Ledger, telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    telemetry::init();
    let config = aws::config("alert").await;
    let ledger = Ledger::new(&config)?;
    let alert = Alert { port: Aws::new(&config, ledger, Settings::of_environment()?) };
    lambda::serve(async |request, now| alert.handle(request, now).await).await
}
