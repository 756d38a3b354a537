//! Answers HTTP the way its image says: the service that demos and tests deploy.
//!
//! How it behaves is baked into the image, in `behaviour.json` beside the executable, so that a bad version
//! is another digest and not another setting.  Where it listens comes from `TASK_ADDRESS` and `PORT`.  It
//! knows nothing of deployments.
//!
//! It is linked statically, in a target folder of its own, so that it runs wherever its image is unpacked:
//!
//! ```sh
//! RUSTFLAGS='-C target-feature=+crt-static -C strip=symbols' \
//!   cargo build -p demo-service --target x86_64-unknown-linux-gnu --target-dir target/demo
//! ```

mod answer;
mod behaviour;
mod serve;

use std::env;
use std::error::Error;
use std::process::ExitCode;

pub use behaviour::{Baked, Behaviour};

/// Serves until it is killed, or until it crashes as baked in; with `check`, only looks at itself.
pub fn run() -> Result<ExitCode, Box<dyn Error + Send + Sync>> {
    let host = env::var("TASK_ADDRESS").unwrap_or_else(|_| "127.0.0.1".to_owned());
    let baked = Baked::beside(&env::current_exe()?)?.at(&host);
    if env::args().nth(1).as_deref() == Some("check") {
        return Ok(check(&baked));
    }
    let port = env::var("PORT").unwrap_or_else(|_| "8080".to_owned());
    serve::serve(baked, &format!("{host}:{port}"))
}

/// Looks at itself as baked in, and says what it found.
fn check(baked: &Baked) -> ExitCode {
    match baked.behaviour {
        Behaviour::FailsCheck => {
            println!("{} self test failed: its configuration cannot be read", baked.version);
            ExitCode::FAILURE
        }
        _ => {
            println!("{} self test passed", baked.version);
            ExitCode::SUCCESS
        }
    }
}
