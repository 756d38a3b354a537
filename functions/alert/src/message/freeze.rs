//! What holds in an environment once a request was carried out.

use pipeline::ids::EnvironmentName;
use pipeline::rows::FrozenRow;
use pipeline::text::{LONGEST_SENTENCE, line};
use serde_json::json;

use crate::AlertContext;

/// Says whether releases may start now; nothing if that is not known.
pub(super) fn state(environment: Option<&str>, context: &AlertContext) -> Option<String> {
    let environment = named(environment, context)?;
    let Some(row) = frozen(context) else {
        return Some(format!(
            "Now: no freeze by request is in force in {environment}. \"frozen\": true in its document would still refuse \
             releases."
        ));
    };
    let because = line(&row.because, LONGEST_SENTENCE);
    Some(format!(
        "Now: {environment} is frozen since {}, by run {} ({because}). No release may start, except a rollback.",
        row.since, row.by
    ))
}

/// Returns how to lift a freeze, if one is in force.
pub(super) fn lift(environment: Option<&str>, context: &AlertContext) -> Option<(String, String)> {
    let environment = named(environment, context)?;
    frozen(context)?;
    let request = json!({"environment": environment, "mode": "resume"});
    Some(("To lift the freeze, start the state machine with this:".to_owned(), request.to_string()))
}

fn frozen(context: &AlertContext) -> Option<&FrozenRow> {
    context.report.freeze.as_ref().filter(|row| row.frozen)
}

fn named(environment: Option<&str>, context: &AlertContext) -> Option<EnvironmentName> {
    let named = environment.and_then(|name| EnvironmentName::parse(name).ok());
    named.filter(|_| context.unread.is_none())
}
