macro_rules! sample {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../events/alert/", $name, ".json"))
    };
}

mod bounds;
mod ends;
mod guard;
mod needs_human;
mod progress;
mod requests;

use super::*;
use expect_test::Expect;

fn message(sample: &str, change: impl FnOnce(&mut Request)) -> Message {
    let mut request: Request = serde_json::from_str(sample).unwrap();
    change(&mut request);
    let context = AlertContext { report: request.report.clone().unwrap(), ..AlertContext::default() };
    let now = Timestamp::parse("2026-11-23T10:00:10Z").unwrap();
    Message::of(&Facts { request: &request, context: &context, now }, true)
}

/// A message of a release of `users` and `orders` in `staging`, with another outcome.
pub(crate) fn of_outcome(outcome: &str) -> Message {
    message(sample!("deployed"), |request| {
        request.outcome = serde_json::from_value(outcome.into()).unwrap();
    })
}

fn check(sample: &str, expected: &Expect) {
    let message = message(sample, |_| ());
    let (text, Message { subject, sms, .. }) = (message.text(), &message);
    expected.assert_eq(&format!("{subject}\n----\n{sms}\n----\n{text}"));
}

#[test]
fn a_ledger_that_cannot_be_read_does_not_silence_the_alert() {
    let mut request: Request = serde_json::from_str(sample!("needs-human")).unwrap();
    request.report = None;
    let now = Timestamp::parse("2026-11-23T10:00:10Z").unwrap();
    let unread = Some("could not read release#sample head: no answer".to_owned());
    let context = AlertContext { unread, ..AlertContext::default() };
    let message = Message::of(&Facts { request: &request, context: &context, now }, true);
    assert!(message.title.starts_with("NEEDS A HUMAN release sample in staging: "), "{}", message.title);
    assert!(
        message
            .text()
            .contains("The ledger could not be read, so this message lacks what it says: could not read")
    );
}

#[test]
fn two_messages_about_one_end_share_a_key_and_an_approval_has_its_own() {
    let key = |sample| message(sample, |_| ()).dedup_key;
    assert_eq!(key(sample!("deployed")), key(sample!("needs-human")));
    assert_ne!(key(sample!("waiting-for-approval")), key(sample!("deployed")));
}

#[test]
fn every_channel_leads_to_the_dashboard_where_there_is_one() {
    let mut message = message(sample!("needs-human"), |_| ());
    let before = message.text();
    message.lead_to(None);
    assert_eq!(message.text(), before);
    let url = "https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1#dashboards/dashboard/tidegate";
    message.lead_to(Some(url));
    assert!(message.text().contains(&format!("Dashboard: {url}")), "{}", message.text());
    let links: Vec<(&str, &str)> = message.links().collect();
    assert_eq!(links.last(), Some(&("Dashboard", url)));
}
