//! Lambda entry point.  The job is described in `lib.rs`.

use pipeline::{aws, lambda, ledger::Ledger, telemetry};
use release::{Release, adapters::Aws};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    telemetry::init();
    let config = aws::config("release");
    let ledger = Ledger::new(&config)?;
    let release = Release { aws: Aws::new(&config, ledger.clone()), ledger };
    lambda::serve(async |request, now| release.handle(request, now).await).await
}
