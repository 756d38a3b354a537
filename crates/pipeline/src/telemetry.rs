//! Logs: one JSON object per line, its level set by `RUST_LOG`: `off`, `error`, `warn`, `info`, `debug` or `trace`.

use tracing_subscriber::filter::LevelFilter;

use crate::settings;

/// Sets up logging for the process.
pub fn init() {
    let asked = settings::optional("RUST_LOG");
    let level: Option<LevelFilter> = asked.as_ref().and_then(|level| level.parse().ok());
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_max_level(level.unwrap_or(LevelFilter::INFO))
        .init();
    if let (Some(asked), None) = (asked, level) {
        tracing::warn!(
            "RUST_LOG is {asked:?}: expected off, error, warn, info, debug or trace; info is taken"
        );
    }
}
