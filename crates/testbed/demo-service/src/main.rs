//! Starts the demo service; see the library for what it does.

use std::process::ExitCode;

fn main() -> ExitCode {
    demo_service::run().unwrap_or_else(|error| {
        eprintln!("demo-service: {error}");
        ExitCode::FAILURE
    })
}
