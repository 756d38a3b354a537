//! What a sweep has found, one finding a paragraph.

use pipeline::rows::{BETWEEN_FINDINGS, SETTLED, SWEEP_FOUND};
use pipeline::text::{LONGEST_SENTENCE, line};

use super::How;
use crate::Request;
use crate::kind::{Act, Severity};

/// Returns what a sweep has found; nothing if it is no sweep that is told of.
pub(super) fn found(request: &Request) -> Option<Vec<String>> {
    let told = request.because.as_deref()?.strip_prefix(SWEEP_FOUND)?;
    Some(told.split(BETWEEN_FINDINGS).map(|one| line(one, LONGEST_SENTENCE)).collect())
}

/// Says how it is told: what a sweep has found is to be looked at, unless all of it is settled.
pub(super) fn told(found: &[String], plain: How) -> How {
    let is_open = !found.iter().all(|one| one.starts_with(SETTLED));
    let (severity, act) = match (plain.act, is_open) {
        (Act::None, true) => (Severity::Warning, Act::Soon),
        (act, _) => (plain.severity, act),
    };
    let because = match found {
        [one] => one.clone(),
        several => format!("{} findings", several.len()),
    };
    How {
        words: "Found by the sweep".to_owned(),
        severity,
        act,
        event: "sweep.found",
        because: Some(because),
        stands: Some(String::new()),
        about: Some(String::new()),
    }
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
        Message::of(&Facts { request: &request, context: &AlertContext::default(), now }, true)
    }

    const FOUND: &str = "the sweep found: dev: the image shop/users@aaaaaaaaaaaa is gone from ECR; settled: prod: users runs users:9";

    #[test]
    fn each_finding_is_a_paragraph() {
        let message = told("NeedsHuman", FOUND);
        assert_eq!(
            (message.severity, message.title.as_str()),
            (Severity::Critical, "FOUND BY THE SWEEP: 2 findings. Act now.")
        );
        expect![[r#"
            FOUND BY THE SWEEP: 2 findings. Act now.
            2 findings

            dev: the image shop/users@aaaaaaaaaaaa is gone from ECR

            settled: prod: users runs users:9

            When: 2026-11-23T10:00:10Z
            Sweep: s1
        "#]]
        .assert_eq(&message.text());
    }

    #[test]
    fn what_is_open_is_a_warning_and_what_is_settled_is_good_to_know() {
        let severity = |because| told("Answered", because).severity;
        assert_eq!(severity(FOUND), Severity::Warning);
        assert_eq!(severity("the sweep found: settled: prod: users runs users:9"), Severity::Info);
        assert_eq!(severity("prod is frozen"), Severity::Info);
        let one = told("Answered", "the sweep found: dev: the push of main-7 was lost").title;
        assert_eq!(one, "FOUND BY THE SWEEP: dev: the push of main-7 was lost. Look when you can.");
    }
}
