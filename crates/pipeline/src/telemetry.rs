//! Logs: one JSON object per line, its level set by `RUST_LOG`: `off`, `error`, `warn`, `info`, `debug` or `trace`.
//! Lines of metrics are written as they are, at every level.

use std::fmt;
use std::io::Write;

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::{FilterFn, LevelFilter};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt as log};

use crate::settings;

/// What an event is told to that is a line of metrics.
pub(crate) const METRICS: &str = "metrics";

/// Sets up logging for the process.
pub fn init() {
    let asked = settings::optional("RUST_LOG");
    let level: Option<LevelFilter> = asked.as_ref().and_then(|level| level.parse().ok());
    let lines = log::layer().json().flatten_event(true).with_current_span(false);
    let lines = lines.with_filter(level.unwrap_or(LevelFilter::INFO));
    let lines = lines.with_filter(FilterFn::new(|event| event.target() != METRICS));
    let metrics = MetricsLayer.with_filter(FilterFn::new(|event| event.target() == METRICS));
    tracing_subscriber::registry().with(lines).with(metrics).init();
    if let (Some(asked), None) = (asked, level) {
        tracing::warn!(
            "RUST_LOG is {asked:?}: expected off, error, warn, info, debug or trace; info is taken"
        );
    }
}

/// Writes lines of metrics: CloudWatch reads them only if nothing is around them.
struct MetricsLayer;

impl<S: Subscriber> Layer<S> for MetricsLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        event.record(&mut Line);
    }
}

struct Line;

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            // Where nothing can be written, nothing can be told either.
            drop(writeln!(std::io::stdout(), "{value:?}"));
        }
    }
}
