//! Executions that ended without the machine telling it.

use alert::port::Execution;
use expect_test::expect;
use pipeline::clock::Timestamp;
use serde_json::Value;

use crate::fixture::{Fixture, failed};
use crate::requests::{closed_report, open_report, request, sample, tell};

/// What is told of an execution that ended, if anything.
async fn of_the_end(fixture: &Fixture, case: &str) -> Option<String> {
    let response = tell(fixture, sample(case)).await.unwrap();
    assert!(response.later.is_empty());
    let told = !response.delivered.is_empty();
    assert_eq!(told, fixture.sent() == (1, 0));
    let mut published = fixture.published.borrow_mut();
    told.then(|| serde_json::from_str::<Value>(&published.pop().unwrap().message).unwrap()["email"].take())
        .map(|text| text.as_str().unwrap().to_owned())
}

/// When the execution of the samples ended.
const STOPPED: i64 = 1_795_428_009_000;

#[tokio::test]
async fn an_execution_that_was_stopped_is_told_with_what_stands_and_the_rollback() {
    let fixture =
        Fixture { report: Some(open_report()), execution: Some(Execution::default()), ..Fixture::default() };
    expect![[r#"
        NEEDS A HUMAN users and 2 more in staging: its Step Functions execution was stopped (ABORTED); 2 services are unverified. Act now.
        its Step Functions execution was stopped (ABORTED)

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
    "#]].assert_eq(&of_the_end(&fixture, "execution-ended-aborted").await.unwrap());
}

#[tokio::test]
async fn an_execution_that_ended_before_the_release_opened_is_told_with_its_input() {
    let fixture = Fixture { execution: Some(failed("States.Runtime", "too deep")), ..Fixture::default() };
    expect![[r#"
        NEEDS A HUMAN release sample: its Step Functions execution failed before the release opened (FAILED: State...; nothing was changed. Act now.
        its Step Functions execution failed before the release opened (FAILED: States.Runtime: too deep)

        The execution was started with: {"environment":"prod","repository":"shop/users","image":"main-1a2b3c"}

        When: 2026-11-23T10:00:10Z
        Release: sample
        Run: https://eu-west-1.console.aws.amazon.com/states/home?region=eu-west-1#/v2/executions/details/arn:aws:states:eu-west-1:123456789012:execution:tidegate:sample
    "#]].assert_eq(&of_the_end(&fixture, "execution-ended-before-the-release-opened").await.unwrap());
}

#[tokio::test]
async fn an_end_that_the_machine_told_itself_is_not_told_from_outside() {
    let mut fixture = Fixture::default();
    let ended = request(&mut fixture, "NeedsHuman");
    fixture.report = Some(open_report());
    fixture.execution = Some(failed("NeedsHuman", "not closed"));
    tell(&fixture, ended).await.unwrap();
    assert_eq!(fixture.sent(), (1, 0));
    let payload = sample("execution-ended-aborted");
    assert_eq!(tell(&fixture, payload).await.unwrap().delivered, ["sns"]);
    assert_eq!(fixture.sent(), (1, 0), "one end is told once");
}

#[tokio::test]
async fn an_event_that_comes_twice_is_told_once() {
    let fixture =
        Fixture { report: Some(open_report()), execution: Some(Execution::default()), ..Fixture::default() };
    tell(&fixture, sample("execution-ended-aborted")).await.unwrap();
    tell(&fixture, sample("execution-ended-aborted")).await.unwrap();
    assert_eq!(fixture.sent(), (1, 0));
}

#[tokio::test]
async fn a_release_that_was_closed_and_then_stopped_is_told_with_its_outcome() {
    let fixture = Fixture {
        report: Some(closed_report()),
        execution: Some(Execution::default()),
        ..Fixture::default()
    };
    let text = of_the_end(&fixture, "execution-ended-aborted").await.unwrap();
    let because = "its Step Functions execution was stopped after the release was closed and before this message was sent";
    assert!(text.starts_with("NEEDS A HUMAN users and 2 more in staging: its Step Functions"), "{text}");
    assert!(text.contains(&format!("\n{because} (ABORTED)\n")), "{text}");

    let mut report = closed_report();
    report.head.as_mut().unwrap().outcome = Some(pipeline::rows::Outcome::Superseded);
    let fixture =
        Fixture { report: Some(report), execution: Some(Execution::default()), ..Fixture::default() };
    let text = of_the_end(&fixture, "execution-ended-aborted").await.unwrap();
    assert!(text.starts_with("SUPERSEDED "), "{text}");
}

#[tokio::test]
async fn a_release_that_was_told_and_then_stopped_is_not_told_again() {
    let mut fixture = Fixture::default();
    let ended = request(&mut fixture, "RolledBack");
    fixture.report.as_mut().unwrap().head.as_mut().unwrap().outcome =
        Some(pipeline::rows::Outcome::RolledBack);
    fixture.execution = Some(Execution::default());
    tell(&fixture, ended).await.unwrap();
    tell(&fixture, sample("execution-ended-aborted")).await.unwrap();
    assert_eq!(fixture.sent(), (1, 0));
}

#[tokio::test]
async fn what_runs_again_has_not_ended() {
    let redriven = Some(Timestamp::from_millis(STOPPED + 1000));
    let runs = Some(Execution { runs: true, redriven, ..Execution::default() });
    for report in [Some(open_report()), None] {
        let fixture = Fixture { report, execution: runs.clone(), ..Fixture::default() };
        assert_eq!(of_the_end(&fixture, "execution-ended-aborted").await, None);
    }
}

#[tokio::test]
async fn an_end_that_step_functions_does_not_know_of_everywhere_yet_is_asked_for_again() {
    for redriven in [None, Some(Timestamp::from_millis(STOPPED - 1000))] {
        let execution = Some(Execution { runs: true, redriven, ..Execution::default() });
        let fixture = Fixture { report: Some(open_report()), execution, ..Fixture::default() };
        let fault = tell(&fixture, sample("execution-ended-aborted")).await.unwrap_err();
        assert_eq!((fault.name(), fixture.sent()), ("Unavailable", (0, 0)));
    }
}

#[tokio::test]
async fn who_stops_an_execution_cannot_silence_it_with_a_name_of_ours() {
    let fixture = Fixture { execution: Some(failed("Refused", "by hand")), ..Fixture::default() };
    assert!(of_the_end(&fixture, "execution-ended-aborted").await.is_some());
}

#[tokio::test]
async fn a_refusal_is_told_once_though_a_late_call_has_opened_the_release() {
    for (error, told) in [("Refused", false), ("NeedsHuman", true)] {
        let (report, execution) = (Some(open_report()), Some(failed(error, "prod is frozen")));
        let fixture = Fixture { report, execution, ..Fixture::default() };
        assert_eq!(of_the_end(&fixture, "execution-ended-refused").await.is_some(), told, "{error}");
    }
}

#[tokio::test]
async fn what_cannot_be_known_is_told_or_asked_again_and_never_dropped() {
    // Open, but Step Functions does not answer: told, without the cause.
    let fixture = Fixture { report: Some(open_report()), ..Fixture::default() };
    assert!(
        of_the_end(&fixture, "execution-ended-aborted")
            .await
            .unwrap()
            .contains("its Step Functions execution was stopped (ABORTED)\n")
    );
    // The ledger does not answer: Step Functions knows whether the machine has told it.
    let fixture =
        Fixture { ledger_down: true, execution: Some(failed("Refused", "no")), ..Fixture::default() };
    assert_eq!(of_the_end(&fixture, "execution-ended-refused").await, None);
    let text = of_the_end(&fixture, "execution-ended-aborted").await.unwrap();
    assert!(text.contains("was stopped (ABORTED") && text.contains("The ledger could not be read"), "{text}");
    // Neither does: Lambda tries again, and at last keeps the event in the queue.
    let fixture = Fixture { ledger_down: true, ..Fixture::default() };
    assert_eq!(tell(&fixture, sample("execution-ended-aborted")).await.unwrap_err().name(), "Unavailable");
}
