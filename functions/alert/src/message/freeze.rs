//! What holds in an environment once a request was carried out.

use pipeline::ids::EnvironmentName;
use pipeline::text::{LONGEST_SENTENCE, line};
use serde_json::json;

use crate::AlertContext;

/// Says whether releases may start now, and how to lift a freeze; nothing if that is not known.
pub(super) fn lines(environment: Option<&str>, context: &AlertContext) -> Vec<String> {
    let named = environment.and_then(|name| EnvironmentName::parse(name).ok());
    let (Some(environment), None) = (named, &context.unread) else { return Vec::new() };
    let Some(row) = context.report.freeze.as_ref().filter(|row| row.frozen) else {
        let now = format!(
            "Now: no freeze by request is in force in {environment}. \"frozen\": true in its document would still refuse releases."
        );
        return vec![now, String::new()];
    };
    let because = line(&row.because, LONGEST_SENTENCE);
    let since = format!(
        "Now: {environment} is frozen since {}, by run {} ({because}). No release may start, except a rollback.",
        row.since, row.by
    );
    vec![
        since,
        "To lift the freeze, start the state machine with this:".to_owned(),
        json!({"environment": environment, "mode": "resume"}).to_string(),
        String::new(),
    ]
}
