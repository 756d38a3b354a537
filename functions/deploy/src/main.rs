//! Lambda entry point.  The job is described in `lib.rs`.

use deploy::{Deploy, service::Aws};
use pipeline::{aws, lambda, ledger::Ledger, telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    telemetry::init();
    let config = aws::config("deploy");
    let ledger = Ledger::new(&config)?;
    let deploy = Deploy { port: Aws::new(&config, ledger.clone()), moves: ledger };
    lambda::serve(async |request, now| deploy.handle(request, now).await).await
}
