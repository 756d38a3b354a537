//! Lambda entry point.  The job is described in `lib.rs`.

use alert::{Alert, port::Aws};
use pipeline::{aws, lambda, telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    telemetry::init();
    let alert = Alert { port: Aws::new(&aws::config("alert").await)? };
    lambda::serve(async |request, now| alert.handle(request, now).await).await
}
