//! Questions to a person, and requests that were carried out.

use super::*;
use expect_test::expect;

#[test]
fn waiting_for_approval() {
    check(
        sample!("waiting-for-approval"),
        &expect![[r#"
            [warning] WAITING FOR APPROVAL orders and users in prod: it waits for an answer. Look when you can.
            ----
            TIDEGATE WAITING FOR APPROVAL orders and users in prod: 2 services in prod: deploy 2 images to 2 servi...; it waits for an answer. Look when you can.
            ----
            WAITING FOR APPROVAL orders and users in prod: 2 services in prod: deploy 2 images to 2 servi...; it waits for an answer. Look when you can.
            2 services in prod: deploy 2 images to 2 services; on failure, roll back every updated service

            orders: cccccccccccc -> dddddddddddd
            users: aaaaaaaaaaaa -> bbbbbbbbbbbb (commit 1a2b3c4d5e6f)

            To approve, start the state machine with this; to reject, write "reject" instead of "approve":
            {"environment":"prod","mode":"approve","release":"sample"}

            When: 2026-11-23T10:00:10Z, 5 min 10 s after it opened
            Release: sample
            Run: https://eu-west-1.console.aws.amazon.com/states/home?region=eu-west-1#/v2/executions/details/arn:aws:states:eu-west-1:123456789012:execution:tidegate:sample
        "#]],
    );
}

#[test]
fn frozen() {
    check(
        sample!("frozen"),
        &expect![[r#"
            [info] REQUEST CARRIED OUT by run sample in prod: prod lets no release in fr.... Nothing to do now.
            ----
            TIDEGATE REQUEST CARRIED OUT by run sample in prod: prod lets no release in from now on (the sale). Nothing to do now.
            ----
            REQUEST CARRIED OUT by run sample in prod: prod lets no release in from now on (the sale). Nothing to do now.
            prod lets no release in from now on (the sale)

            Now: prod is frozen since 2026-11-23T10:00:09Z, by run sample (the sale). No release may start, except a rollback.

            To lift the freeze, start the state machine with this:
            {"environment":"prod","mode":"resume"}

            When: 2026-11-23T10:00:10Z
            Requested by: run sample
            Run: https://eu-west-1.console.aws.amazon.com/states/home?region=eu-west-1#/v2/executions/details/arn:aws:states:eu-west-1:123456789012:execution:tidegate:sample
        "#]],
    );
}

#[test]
fn resumed() {
    check(
        sample!("resumed"),
        &expect![[r#"
            [info] REQUEST CARRIED OUT by run sample in prod: prod lets releases in agai.... Nothing to do now.
            ----
            TIDEGATE REQUEST CARRIED OUT by run sample in prod: prod lets releases in again (on request). Nothing to do now.
            ----
            REQUEST CARRIED OUT by run sample in prod: prod lets releases in again (on request). Nothing to do now.
            prod lets releases in again (on request)

            Now: no freeze by request is in force in prod. "frozen": true in its document would still refuse releases.

            When: 2026-11-23T10:00:10Z
            Requested by: run sample
            Run: https://eu-west-1.console.aws.amazon.com/states/home?region=eu-west-1#/v2/executions/details/arn:aws:states:eu-west-1:123456789012:execution:tidegate:sample
        "#]],
    );
}

#[test]
fn what_holds_is_not_told_where_it_could_not_be_read() {
    let mut request: Request = serde_json::from_str(sample!("frozen")).unwrap();
    request.report = None;
    let now = Timestamp::parse("2026-11-23T10:00:10Z").unwrap();
    let context = AlertContext { unread: Some("no answer".to_owned()), ..AlertContext::default() };
    let text = Message::of(&Facts { request: &request, context: &context, now }, true).text();
    assert!(!text.contains("Now: ") && text.contains("lacks what it says: no answer"), "{text}");
}
