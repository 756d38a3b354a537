//! Lambda entry point of the function that draws.  The job is described in `lib.rs`.

use dashboard::port::Aws;
use dashboard::{Dashboard, Places};
use pipeline::{aws, lambda, ledger::Ledger, telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    telemetry::init();
    let config = aws::config("dashboard");
    let dashboard = Dashboard { port: Aws::new(&config, Ledger::new(&config)?), places: Places::read()? };
    lambda::serve(async |request, now| dashboard.handle(request, now).await).await
}
