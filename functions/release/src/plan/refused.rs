//! The pushes that were refused while an environment was frozen.  Pure.

use std::collections::BTreeMap;

use pipeline::clock::Timestamp;
use pipeline::rows::{ListedRun, PUSH};

/// How many pushes an answer names.
const NAMED: usize = 20;

/// How long before a freeze a push may have been let in that the freeze refused later.
const LET_IN_BEFORE_SECONDS: i64 = 2 * 24 * 3600;

/// Returns the moment from which on the list of runs has all that a freeze may have refused.
pub fn listed_from(since: Timestamp) -> Timestamp {
    since.plus_seconds(-LET_IN_BEFORE_SECONDS)
}

/// Names the pushes that were refused since a moment, each with the request that asks for the same: of each repository
/// the newest, since an older image is not to come after it.
pub fn refused_since(runs: &[ListedRun], since: Timestamp) -> Vec<String> {
    let refused = runs.iter().filter(|run| {
        let meanwhile = run.ended.is_some_and(|ended| ended >= since);
        run.mode == PUSH && run.outcome.as_deref() == Some("Refused") && meanwhile
    });
    let mut newest: BTreeMap<String, (&ListedRun, usize)> = BTreeMap::new();
    for run in refused {
        let repository = run.request.get("repository").and_then(|name| name.as_str()).unwrap_or_default();
        let known = newest.entry(repository.to_owned()).or_insert((run, 0));
        known.1 += 1;
        if run.order >= known.0.order {
            known.0 = run;
        }
    }
    let more = newest.len().saturating_sub(NAMED);
    let named = newest.into_iter().take(NAMED).map(|(repository, (run, count))| {
        let what = run.reason.as_deref().unwrap_or("a push");
        let older = match count - 1 {
            0 => String::new(),
            1 => ", and one before it".to_owned(),
            older => format!(", and {older} before it"),
        };
        format!("{what} of {repository} was refused{older}: to deploy it: {}", run.request)
    });
    let more = (more > 0).then(|| format!("pushes of {more} more repositories were refused"));
    named.chain(more).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use pipeline::rows::OrderKey;
    use serde_json::json;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn push(repository: &str, tag: &str, pushed: i64, ended: i64) -> ListedRun {
        ListedRun {
            mode: PUSH.to_owned(),
            reason: Some(format!("the push of {tag}")),
            request: json!({"environment": "dev", "repository": repository, "image": tag}),
            order: Some(OrderKey::new(at(pushed), at(pushed), None)),
            outcome: Some("Refused".to_owned()),
            ended: Some(at(ended)),
            ..ListedRun::default()
        }
    }

    #[test]
    fn of_each_repository_the_newest_push_is_named_with_its_request() {
        // The event of the second one came first.
        let runs =
            [push("shop/a", "main-2", 20, 21), push("shop/a", "main-1", 10, 30), push("shop/b", "b", 5, 6)];
        assert_eq!(
            refused_since(&runs, at(0)),
            [
                r#"the push of main-2 of shop/a was refused, and one before it: to deploy it: {"environment":"dev","image":"main-2","repository":"shop/a"}"#,
                r#"the push of b of shop/b was refused: to deploy it: {"environment":"dev","image":"b","repository":"shop/b"}"#,
            ]
        );
    }

    #[test]
    fn what_was_refused_before_or_was_no_push_or_was_let_in_is_not_named() {
        let before = push("shop/a", "main-1", 1, 9);
        let request = ListedRun { mode: "deploy".to_owned(), ..push("shop/a", "x", 11, 12) };
        let open = ListedRun { outcome: None, ended: None, ..push("shop/a", "y", 11, 12) };
        let deployed = ListedRun { outcome: Some("Deployed".to_owned()), ..push("shop/a", "z", 11, 12) };
        assert!(refused_since(&[before, request, open, deployed], at(10)).is_empty());
    }

    #[test]
    fn many_repositories_are_counted() {
        let runs: Vec<_> = (0..25).map(|n| push(&format!("shop/s{n}"), "main-1", 1, 1)).collect();
        let said = refused_since(&runs, at(0));
        assert_eq!(
            (said.len(), said.last().unwrap().as_str()),
            (21, "pushes of 5 more repositories were refused")
        );
    }
}
