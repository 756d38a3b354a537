//! What a sweep has found, one finding a paragraph.

use pipeline::rows::{BETWEEN_FINDINGS, SETTLED, SWEEP_FOUND};
use pipeline::text::{LONGEST_SENTENCE, line};

use crate::Request;
use crate::kind::{AlertKind, Severity};

/// Returns what a sweep has found; nothing if it is no sweep that is told of.
pub(super) fn found(request: &Request) -> Option<Vec<String>> {
    let told = request.because.as_deref()?.strip_prefix(SWEEP_FOUND)?;
    Some(told.split(BETWEEN_FINDINGS).map(|one| line(one, LONGEST_SENTENCE)).collect())
}

/// Returns how urgent a message is: what a sweep has found is to be looked at, unless all of it is settled.
pub(super) fn severity(request: &Request) -> Severity {
    let open = |found: &Vec<String>| !found.iter().all(|one| one.starts_with(SETTLED));
    match request.outcome {
        AlertKind::Answered if found(request).as_ref().is_some_and(open) => Severity::Warning,
        outcome => outcome.severity(),
    }
}

/// Says in one line what it is about.
pub(super) fn headline(found: &[String]) -> String {
    match found {
        [one] => format!("Found by the sweep: {one}"),
        several => format!("Found by the sweep: {} findings", several.len()),
    }
}

/// Returns the findings as paragraphs.
pub(super) fn lines(found: &[String]) -> Vec<String> {
    found.iter().flat_map(|one| [one.clone(), String::new()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AlertContext;
    use crate::message::{Facts, Message};
    use expect_test::expect;
    use pipeline::clock::Timestamp;

    fn told(outcome: &str, because: &str) -> Message {
        let request =
            serde_json::json!({"release": "s1", "outcome": outcome, "because": because, "environment": ""});
        let request: Request = serde_json::from_value(request).unwrap();
        let now = Timestamp::parse("2026-11-23T10:00:10Z").unwrap();
        Message::of(&Facts { request: &request, context: &AlertContext::default(), now })
    }

    const FOUND: &str = "the sweep found: dev: the image shop/users@aaaaaaaaaaaa is gone from ECR; settled: prod: users runs users:9";

    #[test]
    fn each_finding_is_a_paragraph() {
        let message = told("NeedsHuman", FOUND);
        assert_eq!(
            (message.severity, message.subject.as_str()),
            (Severity::Critical, "Found by the sweep: 2 findings")
        );
        expect![[r#"
            Found by the sweep: 2 findings

            dev: the image shop/users@aaaaaaaaaaaa is gone from ECR

            settled: prod: users runs users:9

            When: 2026-11-23T10:00:10Z
            Sweep: s1
        "#]]
        .assert_eq(&message.text);
    }

    #[test]
    fn what_is_open_is_a_warning_and_what_is_settled_is_good_to_know() {
        let severity = |because| told("Answered", because).severity;
        assert_eq!(severity(FOUND), Severity::Warning);
        assert_eq!(severity("the sweep found: settled: prod: users runs users:9"), Severity::Info);
        assert_eq!(severity("prod is frozen"), Severity::Info);
        let one = told("Answered", "the sweep found: dev: the push of main-7 was lost").subject;
        assert_eq!(one, "Found by the sweep: dev: the push of main-7 was lost");
    }
}
