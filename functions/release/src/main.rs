//! Lambda entry point.  The job is described in `lib.rs`.

use pipeline::{aws, lambda, ledger::Ledger, telemetry};
use release::{Release, world::Aws};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    telemetry::init();
    let config = aws::config("release").await;
    let book = Ledger::new(&config)?;
    let release = Release { world: Aws::new(&config, book.clone()), book };
    lambda::serve(async |request, now| release.handle(request, now).await).await
}
