//! What became of a release.

use super::*;
use expect_test::expect;
use pipeline::rows::Finding;

#[test]
fn deployed() {
    check(
        sample!("deployed"),
        &expect![[r#"
            [info] DEPLOYED orders and users in staging: 2 of 2 deployed and tested live. Nothing to do now.
            ----
            TIDEGATE DEPLOYED orders and users in staging: 2 of 2 deployed and tested live. Nothing to do now.
            ----
            DEPLOYED orders and users in staging: 2 of 2 deployed and tested live. Nothing to do now.
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
fn a_move_tells_of_its_drain_and_of_nothing_more() {
    let drain = "not drained: 12 requests a minute still reached the old tasks";
    let with = |drain: Option<&str>| {
        let change = |request: &mut Request| {
            let moves = &mut request.report.as_mut().unwrap().moves;
            moves[0].drain = drain.map(str::to_owned);
        };
        message(sample!("deployed"), change).text()
    };
    assert_eq!(with(Some(drain)).replace(&format!("  drain: {drain}\n"), ""), with(None));
    assert_ne!(with(Some(drain)), with(None));
}

#[test]
fn rolled_back() {
    check(
        sample!("rolled-back"),
        &expect![[r#"
            [critical] ROLLED BACK users and 2 more in staging: 2 services are back, proven. Nothing to do now.
            ----
            TIDEGATE ROLLED BACK users and 2 more in staging: users is unhealthy: live test "health" failed 3...; 2 services are back, proven. Nothing to do now.
            ----
            ROLLED BACK users and 2 more in staging: users is unhealthy: live test "health" failed 3...; 2 services are back, proven. Nothing to do now.
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
            [critical] ROLLED BACK users in staging: aaaaaa runs again, proven. Nothing to do now.
            ----
            TIDEGATE ROLLED BACK users in staging: users is unhealthy: ECS gave up: 3 tasks stopped; aaaaaa runs again, proven. Nothing to do now.
            ----
            ROLLED BACK users in staging: users is unhealthy: ECS gave up: 3 tasks stopped; aaaaaa runs again, proven. Nothing to do now.
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
            [critical] ROLLED BACK users in staging: users failed b...; nothing was changed. Nothing to do now.
            ----
            TIDEGATE ROLLED BACK users in staging: users failed before it was touched; nothing was changed. Nothing to do now.
            ----
            ROLLED BACK users in staging: users failed before it was touched; nothing was changed. Nothing to do now.
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
fn refused() {
    check(
        sample!("refused"),
        &expect![[r#"
            [warning] REFUSED release sample in prod: prod is froze...; nothing was changed. Look when you can.
            ----
            TIDEGATE REFUSED release sample in prod: prod is frozen: expected "frozen": false and a resume; nothing was changed. Look when you can.
            ----
            REFUSED release sample in prod: prod is frozen: expected "frozen": false and a resume; nothing was changed. Look when you can.
            prod is frozen: expected "frozen": false and a resume

            When: 2026-11-23T10:00:10Z
            Release: sample
            Run: https://eu-west-1.console.aws.amazon.com/states/home?region=eu-west-1#/v2/executions/details/arn:aws:states:eu-west-1:123456789012:execution:tidegate:sample
        "#]],
    );
}

#[test]
fn rolled_back_but_for_a_tag() {
    check(
        sample!("rolled-back-but-for-a-tag"),
        &expect![[r#"
            [critical] ROLLED BACK users and 2 more in staging: 2 services are back, proven. Nothing to do now.
            ----
            TIDEGATE ROLLED BACK users and 2 more in staging: users is unhealthy: live test "health" failed 3...; 2 services are back, proven. Nothing to do now.
            ----
            ROLLED BACK users and 2 more in staging: users is unhealthy: live test "health" failed 3...; 2 services are back, proven. Nothing to do now.
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
fn what_was_found_when_it_was_opened_is_told() {
    let message = message(sample!("deployed"), |request| {
        let head = request.report.as_mut().and_then(|report| report.head.as_mut()).unwrap();
        head.findings = vec![Finding::warns("users: it cannot be rolled back\nif it fails".to_owned())];
    });
    let text = message.text();
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
    assert!(
        subject(json!("previous")).starts_with("[info] ROLLED BACK ON REQUEST orders and users in staging: ")
    );
    assert!(subject(json!({"restorePointsOf": "r0"})).starts_with("[info] ROLLED BACK ON REQUEST "));
    assert!(subject(json!({"images": {}})).starts_with("[info] DEPLOYED "));
}
