//! Lambda entry point.  The job is described in `lib.rs`.

use pipeline::{aws, lambda, telemetry};
use rollback::{Rollback, service::Aws};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    telemetry::init();
    let rollback = Rollback { port: Aws::new(&aws::config("rollback").await)? };
    lambda::serve(async |request, now| rollback.handle(request, now).await).await
}
