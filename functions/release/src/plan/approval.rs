//! Whether a person agreed to a release, as far as the ledger knows.  Pure.

use pipeline::ids::ReleaseId;
use pipeline::rows::{Answer, HeadRow, Reply};
use serde_json::json;

/// Tells why a release that was asked about may not go on, if it may not.
///
/// Whoever can read the history of an execution can answer its waiting state with the token that stands there, so that
/// an answer counts only if it is in the ledger, where the pipeline's own request alone puts it.
pub fn lacking(release: &ReleaseId, head: &HeadRow) -> Option<String> {
    let asked = head.asked.as_ref()?;
    match head.answer.as_ref().filter(|answer| answer.asked == *asked) {
        Some(Answer { next: Reply::Approved, .. }) => None,
        Some(Answer { next: Reply::Rejected, by, .. }) => Some(format!("rejected by {by}")),
        None => {
            let request = json!({"environment": head.environment, "mode": "approve", "release": release});
            Some(format!(
                "nobody approved it through the pipeline: its waiting state was answered past it; expected a start of \
                 the state machine with {request}"
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::{head, release};
    use pipeline::clock::Timestamp;

    #[test]
    fn only_an_answer_in_the_ledger_to_the_plan_that_was_asked_about_counts() {
        let answer = |next, asked: &str| {
            let (by, since) = (release("r7"), Timestamp::from_millis(0));
            Some(Answer { next, by, since, asked: asked.to_owned() })
        };
        for (asked, answer, expected) in [
            (None, None, None),
            (Some("one"), answer(Reply::Approved, "one"), None),
            (Some("one"), answer(Reply::Rejected, "one"), Some("rejected by r7")),
            (Some("two"), answer(Reply::Approved, "one"), Some("nobody approved it")),
            (Some("one"), None, Some("nobody approved it")),
        ] {
            let head = HeadRow { asked: asked.map(str::to_owned), answer, ..head() };
            let said = lacking(&release("r1"), &head);
            assert_eq!(said.is_some(), expected.is_some(), "{said:?}");
            assert!(said.unwrap_or_default().starts_with(expected.unwrap_or_default()));
        }
    }
}
