//! Lambda entry point.  The job is described in `lib.rs`.

use deploy::{Deploy, service::Aws};
use pipeline::{aws, lambda, telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    telemetry::init();
    let deploy = Deploy { port: Aws::new(&aws::config("deploy").await)? };
    lambda::serve(async |request, now| deploy.handle(request, now).await).await
}
