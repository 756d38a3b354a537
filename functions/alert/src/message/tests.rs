use super::*;
use expect_test::{Expect, expect};
use pipeline::ids::ServiceName;
use pipeline::rows::{Bundle, Finding, Verdict};

fn message(sample: &str, change: impl FnOnce(&mut Request)) -> Message {
    let mut request: Request = serde_json::from_str(sample).unwrap();
    change(&mut request);
    let context = AlertContext { report: request.report.clone().unwrap(), ..AlertContext::default() };
    let now = Timestamp::parse("2026-11-23T10:00:10Z").unwrap();
    Message::of(&Facts { request: &request, context: &context, now })
}

macro_rules! sample {
    ($name:literal) => {
        include_str!(concat!("../../../../events/alert/", $name, ".json"))
    };
}

fn check(sample: &str, expected: &Expect) {
    let message = message(sample, |_| ());
    let Message { subject, sms, text, .. } = message;
    expected.assert_eq(&format!("{subject}\n----\n{sms}\n----\n{text}"));
}

#[test]
fn deployed() {
    check(
        sample!("deployed"),
        &expect![[r#"
            Deployed: orders and users in staging
            ----
            Tidegate: Deployed: orders and users in staging. 2 of 2 deployed and tested live
            ----
            Deployed: orders and users in staging
            2 of 2 deployed and tested live
            Of 2 services: 2 deployed

            orders: aaaaaaaaaaaa -> bbbbbbbbbbbb, deployed: it runs bbbbbbbbbbbb, verified
              rollout: it is stable; its live test passed (2 asked)

            users: aaaaaaaaaaaa -> bbbbbbbbbbbb, deployed: it runs bbbbbbbbbbbb, verified
              rollout: it is stable; its live test passed (2 asked)

            When: 2026-11-23T10:00:10Z, 5 min 10 s after it opened
            Release: sample
            Run: https://eu-west-1.console.aws.amazon.com/states/home?region=eu-west-1#/v2/executions/details/arn:aws:states:eu-west-1:123456789012:execution:tidegate:sample
        "#]],
    );
}

#[test]
fn rolled_back() {
    check(
        sample!("rolled-back"),
        &expect![[r#"
            Rolled back: users and 2 more services in staging
            ----
            Tidegate: Rolled back: users and 2 more services in staging. users is unhealthy: live test "health" failed 3 of 3 times: GET http://10.0.0.2:8080/health: exp...
            ----
            Rolled back: users and 2 more services in staging
            users is unhealthy: live test "health" failed 3 of 3 times: GET http://10.0.0.2:8080/health: expected $.status to be "ok", got status 200 in 12 ms: {"status":"down"}
            Of 3 services: 2 rolled back, 1 not started

            users: aaaaaaaaaaaa -> bbbbbbbbbbbb, rolled back to aaaaaaaaaaaa and verified
              rollout: live test "health" failed 3 of 3 times: GET http://10.0.0.2:8080/health: expected $.status to be "ok", got status 200 in 12 ms: {"status":"down"}
              rollback: it is stable; its live test passed (2 asked)

            orders: aaaaaaaaaaaa -> bbbbbbbbbbbb, rolled back to aaaaaaaaaaaa and verified
              rollout: it is stable; its live test passed (2 asked)
              rollback: it is stable; its live test passed (2 asked)

            payments: aaaaaaaaaaaa -> bbbbbbbbbbbb, not started

            When: 2026-11-23T10:00:10Z, 5 min 10 s after it opened
            Release: sample
            Run: https://eu-west-1.console.aws.amazon.com/states/home?region=eu-west-1#/v2/executions/details/arn:aws:states:eu-west-1:123456789012:execution:tidegate:sample
        "#]],
    );
}

#[test]
fn rolled_back_with_what_its_tasks_left_behind() {
    check(
        sample!("rolled-back-crashed"),
        &expect![[r#"
            Rolled back: users in staging
            ----
            Tidegate: Rolled back: users in staging. users is unhealthy: ECS gave up: 3 tasks stopped
            ----
            Rolled back: users in staging
            users is unhealthy: ECS gave up: 3 tasks stopped

            users: aaaaaaaaaaaa -> bbbbbbbbbbbb, rolled back to aaaaaaaaaaaa by ECS itself, and verified
              rollout: ECS rolled it back: 3 tasks stopped
              rollback: it is stable; its live test passed (2 asked)
              stopped: Essential container in task exited: app with 1 (3 tasks)
              stopped: Task failed ELB health checks in target group ttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt...
              log: app: line 2
              log: app: line 3
              log: app: line 4
              log: app: line 5
              log: app: line 6
              log: app: line 7
              log: app: line 8
              log: app: thread 'main' panicked at src/main.rs:7:5:
              log: app: DATABASE_URL is not set [0m
              log: app: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...

            When: 2026-11-23T10:00:10Z, 5 min 10 s after it opened
            Release: sample
            Run: https://eu-west-1.console.aws.amazon.com/states/home?region=eu-west-1#/v2/executions/details/arn:aws:states:eu-west-1:123456789012:execution:tidegate:sample
        "#]],
    );
}

#[test]
fn failed_untouched() {
    check(
        sample!("failed-untouched"),
        &expect![[r#"
            Rolled back: users in staging
            ----
            Tidegate: Rolled back: users in staging. users failed before it was touched
            ----
            Rolled back: users in staging
            users failed before it was touched

            users: aaaaaaaaaaaa -> bbbbbbbbbbbb, failed before the service was changed
              rollout failed: Denied: could not register a copy of users:1: AccessDeniedException: not allowed

            When: 2026-11-23T10:00:10Z, 5 min 10 s after it opened
            Release: sample
            Run: https://eu-west-1.console.aws.amazon.com/states/home?region=eu-west-1#/v2/executions/details/arn:aws:states:eu-west-1:123456789012:execution:tidegate:sample
        "#]],
    );
}

#[test]
fn needs_human() {
    check(
        sample!("needs-human"),
        &expect![[r#"
            Needs a human: users and 2 more services in staging
            ----
            Tidegate: Needs a human: users and 2 more services in staging. users could not be put back
            ----
            Needs a human: users and 2 more services in staging
            users could not be put back
            Of 3 services: 2 unverified, 1 superseded

            users: aaaaaaaaaaaa -> bbbbbbbbbbbb, needs a human: the running version is unverified
              rollout: live test "health" failed 3 of 3 times: GET http://10.0.0.2:8080/health: expected $.status to be "ok", got status 200 in 12 ms: {"status":"down"}
              rollback failed: LeaseLost: users is held by release r-2 now
              deployment: ecs-svc/3, which was started to roll it back
              restore point: sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa on arn:aws:ecs:eu-west-1:123456789012:task-definition/users:1

            orders: unknown -> bbbbbbbbbbbb, needs a human: the running version is unverified
              rollout: it could not be measured within 900 s: could not describe the service orders: AccessDeniedException: no
              deployment: ecs-svc/2, sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb on arn:aws:ecs:eu-west-1:123456789012:task-definition/orders:2
              restore point: none is known, so a rollback is not possible

            cart: aaaaaaaaaaaa -> bbbbbbbbbbbb, superseded: somebody else has deployed the service since
              rollout: ecs-svc/9 on arn:aws:ecs:eu-west-1:123456789012:task-definition/cart:9 is in place of ours

            To roll back every service that it changed to its restore point, start the state machine with this:
            {"environment":"staging","mode":"rollback","release":"sample"}

            When: 2026-11-23T10:00:10Z, 5 min 10 s after it opened
            Release: sample
            Run: https://eu-west-1.console.aws.amazon.com/states/home?region=eu-west-1#/v2/executions/details/arn:aws:states:eu-west-1:123456789012:execution:tidegate:sample
        "#]],
    );
}

#[test]
fn refused() {
    check(
        sample!("refused"),
        &expect![[r#"
        Refused: release sample in prod
        ----
        Tidegate: Refused: release sample in prod. prod is frozen: expected "frozen": false and a resume
        ----
        Refused: release sample in prod
        prod is frozen: expected "frozen": false and a resume

        When: 2026-11-23T10:00:10Z
        Release: sample
        Run: https://eu-west-1.console.aws.amazon.com/states/home?region=eu-west-1#/v2/executions/details/arn:aws:states:eu-west-1:123456789012:execution:tidegate:sample
    "#]],
    );
}

#[test]
fn waiting_for_approval() {
    check(
        sample!("waiting-for-approval"),
        &expect![[r#"
            Waiting for approval: orders and users in prod
            ----
            Tidegate: Waiting for approval: orders and users in prod. 2 services in prod: deploy 2 images to 2 services; on failure, roll back every updated service
            ----
            Waiting for approval: orders and users in prod
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
        Request carried out in prod
        ----
        Tidegate: Request carried out in prod. prod lets no release in from now on (the sale)
        ----
        Request carried out in prod
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
        Request carried out in prod
        ----
        Tidegate: Request carried out in prod. prod lets releases in again (on request)
        ----
        Request carried out in prod
        prod lets releases in again (on request)

        Now: no freeze by request is in force in prod. "frozen": true in its document would still refuse releases.

        When: 2026-11-23T10:00:10Z
        Requested by: run sample
        Run: https://eu-west-1.console.aws.amazon.com/states/home?region=eu-west-1#/v2/executions/details/arn:aws:states:eu-west-1:123456789012:execution:tidegate:sample
    "#]],
    );
}

#[test]
fn rolled_back_but_for_a_tag() {
    check(
        sample!("rolled-back-but-for-a-tag"),
        &expect![[r#"
        Rolled back: users and 2 more services in staging
        ----
        Tidegate: Rolled back: users and 2 more services in staging. users is unhealthy: live test "health" failed 3 of 3 times: GET http://10.0.0.2:8080/health: exp...
        ----
        Rolled back: users and 2 more services in staging
        users is unhealthy: live test "health" failed 3 of 3 times: GET http://10.0.0.2:8080/health: expected $.status to be "ok", got status 200 in 12 ms: {"status":"down"}
        Of 3 services: 2 rolled back, 1 not started

        users: aaaaaaaaaaaa -> bbbbbbbbbbbb, rolled back to aaaaaaaaaaaa and verified
          rollout: live test "health" failed 3 of 3 times: GET http://10.0.0.2:8080/health: expected $.status to be "ok", got status 200 in 12 ms: {"status":"down"}
          rollback: it is stable; its live test passed (2 asked)

        orders: aaaaaaaaaaaa -> bbbbbbbbbbbb, rolled back to aaaaaaaaaaaa and verified
          rollout: it is stable; its live test passed (2 asked)
          rollback: it is stable; its live test passed (2 asked)

        payments: aaaaaaaaaaaa -> bbbbbbbbbbbb, not started

        The tag staging of repository shop/users was not restored: Denied: could not tag shop/users: AccessDeniedException: not allowed
        Check in ECR what these tags and the tidegate.* tags beside them name. The next deployed release sets them again.

        When: 2026-11-23T10:00:10Z, 5 min 10 s after it opened
        Release: sample
        Run: https://eu-west-1.console.aws.amazon.com/states/home?region=eu-west-1#/v2/executions/details/arn:aws:states:eu-west-1:123456789012:execution:tidegate:sample
    "#]],
    );
}

#[test]
fn tags_that_were_not_put_back_are_counted_beyond_forty() {
    let text = message(sample!("rolled-back-but-for-a-tag"), |request| {
        let repositories = &mut request.report.as_mut().unwrap().repositories;
        let failed = repositories.iter().find(|row| row.failure.is_some()).cloned().unwrap();
        repositories.extend(std::iter::repeat_n(failed, 50));
    });
    assert_eq!(text.text.matches(" was not restored: ").count(), 40);
    assert!(text.text.contains("\nand 11 more tags were not restored\n"), "{}", text.text);
}

#[test]
fn what_holds_is_not_told_where_it_could_not_be_read() {
    let mut request: Request = serde_json::from_str(sample!("frozen")).unwrap();
    request.report = None;
    let now = Timestamp::parse("2026-11-23T10:00:10Z").unwrap();
    let context = AlertContext { unread: Some("no answer".to_owned()), ..AlertContext::default() };
    let text = Message::of(&Facts { request: &request, context: &context, now }).text;
    assert!(!text.contains("Now: ") && text.contains("lacks what it says: no answer"), "{text}");
}

#[test]
fn a_hundred_services_are_counted_and_those_that_need_somebody_come_first() {
    let message = message(sample!("needs-human"), |request| {
        let report = request.report.as_mut().unwrap();
        let first = report.moves.first().cloned().unwrap();
        report.moves.splice(0..0, std::iter::repeat_n(first, 97));
    });
    assert_eq!(message.subject, "Needs a human: users and 99 more services in staging");
    assert_eq!((message.moves.len(), message.more_moves), (40, 60));
    assert!(message.text.contains("\nand 60 more\n"));
    assert_eq!(
        message.moves.iter().filter(|told| told.fate == pipeline::rows::MoveOutcome::NeedsHuman).count(),
        2
    );
}

#[test]
fn whatever_the_facts_hold_the_message_keeps_its_bounds() {
    let message = message(sample!("rolled-back"), |request| {
        request.because = Some("a{[\u{0}\r\nüber€ ".repeat(1000));
        request.environment = Some("\n".repeat(500));
        let moves = &mut request.report.as_mut().unwrap().moves;
        for row in moves.iter_mut() {
            row.service = ServiceName::parse("s".repeat(255)).unwrap();
            row.reason = Some("ß\u{1b}\"".repeat(5000));
            row.rollback_reason = Some("\"".repeat(5000));
            let lines = vec!["\u{1b}[31m\"".repeat(5000); 100];
            row.bundle = Some(Bundle { stopped: lines.clone(), logs: lines });
        }
        let many = moves.clone();
        moves.extend(std::iter::repeat_n(many, 100).flatten());
    });
    assert!(message.subject.len() < 100 && message.subject.chars().all(|c| c == ' ' || c.is_ascii_graphic()));
    assert!(message.sms.len() <= 160 && message.sms.is_ascii());
    assert!(!message.sms.contains(['[', '{', '\n']));
    assert!(message.text.chars().all(|c| c == '\n' || !c.is_control()));
    let twice = serde_json::json!({"default": message.text, "email": message.text}).to_string();
    assert!(twice.len() < 200 * 1024, "{}", twice.len());
    assert_eq!(message.moves.len() + message.more_moves, 303);
}

#[test]
fn a_ledger_that_cannot_be_read_does_not_silence_the_alert() {
    let mut request: Request = serde_json::from_str(sample!("needs-human")).unwrap();
    request.report = None;
    let now = Timestamp::parse("2026-11-23T10:00:10Z").unwrap();
    let unread = Some("could not read release#sample head: no answer".to_owned());
    let context = AlertContext { unread, ..AlertContext::default() };
    let message = Message::of(&Facts { request: &request, context: &context, now });
    assert_eq!(message.subject, "Needs a human: release sample in staging");
    assert!(
        message
            .text
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
fn of_what_failed_tasks_left_behind_the_first_ends_and_the_last_lines_are_told() {
    let lines = |count: usize| (0..count).map(|n| format!("{n} {}", "x".repeat(300))).collect::<Vec<_>>();
    for (given, ends, logs) in [(0, 0, None), (5, 5, Some("0 ")), (11, 5, Some("1 "))] {
        let message = message(sample!("rolled-back-crashed"), |request| {
            let row = request.report.as_mut().unwrap().moves.first_mut().unwrap();
            row.bundle = Some(Bundle { stopped: lines(given), logs: lines(given) });
        });
        let told = message.moves.first().unwrap().bundle.clone().unwrap();
        assert_eq!((told.stopped.len(), told.logs.len()), (ends, given.min(10)));
        assert!(told.stopped.first().is_none_or(|end| end.starts_with("0 ")));
        assert_eq!(told.logs.first().map(|line| line.starts_with(logs.unwrap())), logs.map(|_| true));
        assert!(told.stopped.iter().chain(&told.logs).all(|line| line.chars().count() == 200));
        let shown = |label| message.text.lines().filter(|line| line.starts_with(label)).count();
        assert_eq!((shown("  stopped: "), shown("  log: ")), (ends, given.min(10)));
    }
}

#[test]
fn a_release_that_needs_a_human_gives_the_request_that_puts_it_back() {
    let request = r#"{"environment":"staging","mode":"rollback","release":"sample"}"#;
    assert!(
        message(sample!("needs-human"), |_| ()).text.contains(&format!("machine with this:\n{request}\n"))
    );
    // There is no way back where no restore point is known, and nothing to put back where nothing was touched.
    for change in
        [|row: &mut MoveRow| row.restore = None, |row: &mut MoveRow| row.verdict = Some(Verdict::Superseded)]
    {
        let text = message(sample!("needs-human"), |request| {
            request.report.as_mut().unwrap().moves.iter_mut().for_each(change);
        });
        assert!(!text.text.contains("\"mode\""), "{}", text.text);
    }
    assert!(!message(sample!("rolled-back"), |_| ()).text.contains("\"mode\""));
}

#[test]
fn of_a_release_that_needs_a_human_what_is_deployed_has_a_restore_point_too() {
    let text = message(sample!("deployed"), |request| request.outcome = AlertKind::NeedsHuman).text;
    assert_eq!(text.matches("  restore point: sha256:").count(), 2, "{text}");
    assert_eq!(message(sample!("deployed"), |_| ()).text.matches("  restore point:").count(), 0);
}

#[test]
fn what_was_found_when_it_was_opened_is_told() {
    let Message { text, .. } = message(sample!("deployed"), |request| {
        let head = request.report.as_mut().and_then(|report| report.head.as_mut()).unwrap();
        head.findings = vec![Finding::warns("users: it cannot be rolled back\nif it fails".to_owned())];
    });
    assert!(
        text.contains(
            "\n\nFound when it was opened:\n- users: it cannot be rolled back if it fails\n\nWhen: "
        ),
        "{text}"
    );
}

#[test]
fn a_release_that_went_back_on_request_is_told_as_a_rollback() {
    let subject = |request: serde_json::Value| {
        message(sample!("deployed"), |asked| {
            let head = asked.report.as_mut().and_then(|report| report.head.as_mut());
            head.unwrap().request = json!({"to": request});
        })
        .subject
    };
    assert!(subject(json!("previous")).starts_with("Rolled back on request: orders and users"));
    assert!(subject(json!({"restorePointsOf": "r0"})).starts_with("Rolled back on request"));
    assert!(subject(json!({"images": {}})).starts_with("Deployed"));
}
