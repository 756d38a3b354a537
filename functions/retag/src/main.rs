//! Lambda entry point.  The job is described in `lib.rs`.

use pipeline::{aws, lambda, telemetry};
use retag::{Retag, registry::Aws};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    telemetry::init();
    let retag = Retag { port: Aws::new(&aws::config("retag").await)? };
    lambda::serve(async |request, now| retag.handle(request, now).await).await
}
