//! Lambda entry point of the function that starts executions.  The job is described in `acts.rs`.

use dashboard::Places;
use dashboard::acts::{Acts, Machine};
use pipeline::{aws, lambda, telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    telemetry::init();
    let acts = Acts { port: Machine::new(&aws::config("dashboard-acts")), places: Places::read()? };
    lambda::serve(async |request, now| acts.handle(request, now).await).await
}
