//! Whether a release can be stopped, and what to ask for instead if it cannot.  Pure.

use pipeline::ids::{EnvironmentName, ReleaseId};
use pipeline::rows::{HeadRow, Outcome, Stop};
use serde_json::json;

/// Tells why a release of an environment cannot be stopped, if it cannot; `runs` is whether its execution does.
pub fn refusal(
    name: &EnvironmentName,
    release: &ReleaseId,
    head: Option<&HeadRow>,
    runs: bool,
    reason: &str,
) -> Option<String> {
    let Some(head) = head else {
        return (!runs).then(|| format!("there is no release {release} in {name}"));
    };
    let place = &head.environment;
    if place != name {
        let request = request(place, release, reason);
        return Some(format!("{release} is a release of {place}: ask for {request}"));
    }
    if let Some(outcome) = head.outcome {
        return Some(match outcome {
            Outcome::Deployed | Outcome::NeedsHuman => {
                let request = rollback(name, release, reason);
                format!("{release} ended {outcome:?}: ask for a rollback: {request}")
            }
            _ => format!("{release} ended {outcome:?}: there is nothing to abort"),
        });
    }
    if !runs {
        let request = rollback(name, release, reason);
        return Some(format!("the execution of {release} has ended: ask for a rollback: {request}"));
    }
    if let Some(Stop { by, because, .. }) = &head.stop {
        return Some(format!("{release} was aborted already, by {by} ({because})"));
    }
    head.rollback.is_some().then(|| format!("{release} is being rolled back already"))
}

/// Tells why a release cannot be rolled back by its name, if it cannot: as long as it runs, it is stopped.
pub fn instead_of_rollback(
    name: &EnvironmentName,
    release: &ReleaseId,
    head: &HeadRow,
    reason: &str,
) -> String {
    match (&head.stop, head.rollback) {
        (None, None) => {
            format!("{release} still runs: abort it instead: {}", request(name, release, reason))
        }
        _ => format!("{release} is being aborted or rolled back already: wait until it has ended"),
    }
}

/// Says by whom a release was stopped.
pub fn stopped(Stop { by, because, .. }: &Stop) -> String {
    format!("stopped by {by} ({because})")
}

/// Returns a request that stops a release, ready to be typed.
pub fn request(name: &EnvironmentName, release: &ReleaseId, reason: &str) -> String {
    json!({"environment": name, "mode": "abort", "release": release, "reason": reason}).to_string()
}

/// Returns a request that rolls a closed or dead release back.
pub fn rollback(name: &EnvironmentName, release: &ReleaseId, reason: &str) -> String {
    json!({"environment": name, "mode": "rollback", "release": release, "reason": reason}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::{head, release};
    use pipeline::clock::Timestamp;
    use pipeline::rows::RollbackScope;

    fn stop() -> Option<Stop> {
        let since = Timestamp::from_millis(0);
        Some(Stop { by: release("r7"), because: "bad numbers".to_owned(), since, rollback: true })
    }

    #[test]
    fn what_cannot_be_stopped_says_what_to_ask_for() {
        let (dev, prod) = (EnvironmentName::parse("dev").unwrap(), EnvironmentName::parse("prod").unwrap());
        let ended = |outcome| Some(HeadRow { outcome: Some(outcome), ..head() });
        let rollback = r#"{"environment":"dev","mode":"rollback","reason":"bad","release":"r1"}"#;
        let abort = r#"{"environment":"dev","mode":"abort","reason":"bad","release":"r1"}"#;
        let expected = [
            (&dev, Some(head()), true, None),
            // It waits for its soak, and has no plan yet.
            (&dev, None, true, None),
            (&dev, None, false, Some("there is no release r1 in dev".to_owned())),
            (&prod, Some(head()), true, Some(format!("r1 is a release of dev: ask for {abort}"))),
            (
                &dev,
                ended(Outcome::Deployed),
                false,
                Some(format!("r1 ended Deployed: ask for a rollback: {rollback}")),
            ),
            (
                &dev,
                ended(Outcome::NeedsHuman),
                false,
                Some(format!("r1 ended NeedsHuman: ask for a rollback: {rollback}")),
            ),
            (
                &dev,
                ended(Outcome::RolledBack),
                true,
                Some("r1 ended RolledBack: there is nothing to abort".to_owned()),
            ),
            (
                &dev,
                Some(head()),
                false,
                Some(format!("the execution of r1 has ended: ask for a rollback: {rollback}")),
            ),
            (
                &dev,
                Some(HeadRow { stop: stop(), ..head() }),
                true,
                Some("r1 was aborted already, by r7 (bad numbers)".to_owned()),
            ),
            (
                &dev,
                Some(HeadRow { rollback: Some(RollbackScope::All), ..head() }),
                true,
                Some("r1 is being rolled back already".to_owned()),
            ),
        ];
        for (name, head, runs, expected) in expected {
            assert_eq!(refusal(name, &release("r1"), head.as_ref(), runs, "bad"), expected, "{head:?}");
        }
    }

    #[test]
    fn what_runs_is_stopped_and_not_rolled_back_by_its_name() {
        let dev = EnvironmentName::parse("dev").unwrap();
        let said = |head: &HeadRow| instead_of_rollback(&dev, &release("r1"), head, "bad");
        let abort = r#"{"environment":"dev","mode":"abort","reason":"bad","release":"r1"}"#;
        assert_eq!(said(&head()), format!("r1 still runs: abort it instead: {abort}"));
        let wait = "r1 is being aborted or rolled back already: wait until it has ended";
        assert_eq!(said(&HeadRow { stop: stop(), ..head() }), wait);
        assert_eq!(said(&HeadRow { rollback: Some(RollbackScope::All), ..head() }), wait);
    }
}
