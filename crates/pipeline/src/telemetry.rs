//! Logs: one JSON object per line, its level set by `RUST_LOG`.

use tracing_subscriber::EnvFilter;

/// Sets up logging for the process.
pub fn init() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_env_filter(filter)
        .init();
}
