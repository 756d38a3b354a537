//! Lambda entry point.  The job is described in `lib.rs`.

use alert::Alert;
use alert::port::{Aws, Settings};
use pipeline::{aws, lambda, ledger::Ledger, settings, telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    telemetry::init();
    // One binary, two functions: each is known by its own name.
    let config = aws::config(&settings::optional("AGENT").unwrap_or("alert".to_owned()));
    let ledger = Ledger::new(&config)?;
    let alert = Alert { port: Aws::new(&config, ledger, Settings::of_environment()?) };
    lambda::serve(async |request, now| alert.handle(request, now).await).await
}
