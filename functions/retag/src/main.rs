//! Lambda entry point.  The job is described in `lib.rs`.

use pipeline::{aws, lambda, ledger::Ledger, telemetry};
use retag::{Retag, registry::Aws};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    telemetry::init();
    let config = aws::config("retag");
    let ledger = Ledger::new(&config)?;
    let retag = Retag { port: Aws::new(&config, ledger.clone()), moves: ledger };
    lambda::serve(async |request, now| retag.handle(request, now).await).await
}
