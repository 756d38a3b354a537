//! Ends that need a human.

use super::*;
use expect_test::expect;
use pipeline::rows::Verdict;

#[test]
fn needs_human() {
    check(
        sample!("needs-human"),
        &expect![[r#"
            [critical] NEEDS A HUMAN users and 2 more in staging: 2 services are unverified. Act now.
            ----
            TIDEGATE NEEDS A HUMAN users and 2 more in staging: users could not be put back; 2 services are unverified. Act now.
            ----
            NEEDS A HUMAN users and 2 more in staging: users could not be put back; 2 services are unverified. Act now.
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
fn a_release_that_needs_a_human_gives_the_request_that_puts_it_back() {
    let request = r#"{"environment":"staging","mode":"rollback","release":"sample"}"#;
    assert!(
        message(sample!("needs-human"), |_| ()).text().contains(&format!("machine with this:\n{request}\n"))
    );
    // There is no rollback without a restore point, and none of what was not touched.
    for change in
        [|row: &mut MoveRow| row.restore = None, |row: &mut MoveRow| row.verdict = Some(Verdict::Superseded)]
    {
        let text = message(sample!("needs-human"), |request| {
            request.report.as_mut().unwrap().moves.iter_mut().for_each(change);
        });
        assert!(!text.text().contains("\"mode\""), "{}", text.text());
    }
    assert!(!message(sample!("rolled-back"), |_| ()).text().contains("\"mode\""));
}

#[test]
fn of_a_release_that_needs_a_human_what_is_deployed_has_a_restore_point_too() {
    let text = message(sample!("deployed"), |request| request.outcome = AlertKind::NeedsHuman).text();
    assert_eq!(text.matches("  restore point: sha256:").count(), 2, "{text}");
    assert_eq!(message(sample!("deployed"), |_| ()).text().matches("  restore point:").count(), 0);
}
