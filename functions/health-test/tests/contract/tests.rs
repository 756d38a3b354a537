//! How live tests go on from poll to poll: what is kept, what is asked again, and what it comes to.

use health_test::poll_state::PollState;
use health_test::{Phase, Response};
use pack::standing::Outcome;
use pipeline::Fault;
use pipeline::ledger::{Key, Loaded};
use pipeline::payload::MoveRef;
use pipeline::rows::Verdict::{self, Healthy, Inconclusive, Pending, Unhealthy};
use pipeline::rows::{Bundle, MoveRow};
use serde_json::json;

use crate::fixture::{Fixture, row};
use crate::requests::{again, before, of, poll, poll_after, request};

const DOWN: &str = r#"{"status":"down"}"#;

/// Polls every so many seconds, as the machine does, until there is a verdict.
pub async fn polls(fixture: &Fixture, phase: Phase) -> Vec<(i64, Response)> {
    let (mut at, mut state, mut all) = (0, None, Vec::new());
    loop {
        let answer = poll_after(fixture, again(phase, state), at).await.unwrap();
        all.push((at, answer.clone()));
        if answer.verdict != Pending || all.len() == 100 {
            return all;
        }
        at += i64::from(answer.pause_seconds);
        state = Some(answer.state);
    }
}

pub fn last(polls: &[(i64, Response)]) -> (i64, Verdict, &str) {
    let (at, answer) = polls.last().unwrap();
    (*at, answer.verdict, &answer.reason)
}

pub fn with(pack: &'static str) -> Fixture {
    Fixture { pack: Some(pack), ..Fixture::good() }
}

#[tokio::test]
async fn a_check_fails_once_a_poll_until_its_attempts_are_used_up() {
    let fixture = Fixture { body: DOWN, ..Fixture::good() };
    let polls = polls(&fixture, Phase::After).await;
    let seen: Vec<_> = polls.iter().map(|(at, answer)| (*at, answer.verdict)).collect();
    assert_eq!(seen, [(0, Pending), (4, Pending), (8, Unhealthy)]);
    let told = last(&polls).2;
    assert!(
        told.starts_with("live test \"health\" failed 3 of 3 times: GET http://10.0.0.2:8080/health"),
        "{told}"
    );
    let kept = fixture.kept_tests.borrow();
    let shown = &kept.values().next().unwrap().transcript["health"];
    assert_eq!(
        (shown.last.outcome, shown.first_failure.as_ref().unwrap().outcome),
        (Outcome::Failed, Outcome::Failed)
    );
    assert!(shown.last.at > shown.first_failure.as_ref().unwrap().at);
}

#[tokio::test]
async fn a_poll_that_comes_again_asks_nothing_and_says_the_same() {
    let fixture = Fixture { body: DOWN, ..Fixture::good() };
    let first = poll(&fixture, request(Phase::After)).await.unwrap();
    fixture.calls.borrow_mut().clear();
    let again = poll_after(&fixture, request(Phase::After), 5).await.unwrap();
    assert_eq!((again.verdict, &again.reason), (first.verdict, &first.reason));
    assert_eq!(again.state.count, first.state.count);
    assert!(!fixture.calls.borrow().contains(&"http"));
}

#[tokio::test]
async fn of_two_polls_at_the_same_time_the_first_that_is_kept_counts() {
    let fixture = Fixture { body: DOWN, ..Fixture::good() };
    let key = Key::tests(&"r-1".to_owned().try_into().unwrap(), 0, 3, "after");
    let other = Fixture::good();
    poll(&other, request(Phase::After)).await.unwrap();
    let theirs = other.kept_tests.borrow()[&key].clone();
    // The other one is quicker, between the reading and the writing of this one.
    *fixture.quicker.borrow_mut() = Some(theirs);
    let answer = poll(&fixture, request(Phase::After)).await.unwrap();
    assert_eq!((answer.verdict, answer.reason.as_str()), (Healthy, "it is stable; its live test passed"));
}

#[tokio::test]
async fn what_passed_rests_and_so_many_of_so_many_are_enough() {
    let pack = r#"{"checks":[
        {"name":"once","http":{"url":"http://10.0.0.1/"}},
        {"name":"often","http":{"url":"http://10.0.0.1/"},"attempts":3,"passes":3,"interval":"10s"}]}"#;
    let fixture = with(pack);
    let polls = polls(&fixture, Phase::After).await;
    assert_eq!(last(&polls), (20, Healthy, "it is stable; its 2 live tests passed"));
    assert_eq!(fixture.calls.borrow().iter().filter(|call| **call == "http").count(), 1 + 3);
}

#[tokio::test]
async fn what_cannot_be_measured_ends_with_its_patience_and_undoes_nothing() {
    let pack =
        r#"{"checks":[{"name":"commit","http":{"url":"http://10.0.0.1/${image.commit}"},"patience":"30s"}]}"#;
    let mut fixture = with(pack);
    let mut found = row();
    found.commit = None;
    fixture.moves.found = Some(Loaded::given(&found));
    let polls = polls(&fixture, Phase::After).await;
    let (at, verdict, reason) = last(&polls);
    assert_eq!((at, verdict), (30, Inconclusive));
    let why = "live test \"commit\" could not be measured for 30s: ${image.commit} has no value";
    assert_eq!(reason, why);
}

#[tokio::test]
async fn an_advisory_check_is_told_and_never_decides() {
    let pack = r#"{"checks":[{"name":"health","http":{"url":"http://10.0.0.1/"}},
        {"name":"load","advisory":true,"http":{"url":"http://10.0.0.1/","status":500}}]}"#;
    let polls = polls(&with(pack), Phase::After).await;
    let (_, verdict, reason) = last(&polls);
    assert_eq!(verdict, Healthy);
    let why = "it is stable; its live test passed; advisory live test \"load\" failed 1 of 1 times: GET";
    assert!(reason.starts_with(why), "{reason}");
}

#[tokio::test]
async fn an_advisory_check_is_told_however_long_ago_it_was_asked() {
    let pack = r#"{"checks":[{"name":"first","on":["before"],"advisory":true,"http":{"url":"http://10.0.0.1/","status":500}},
        {"name":"load","advisory":true,"http":{"url":"http://10.0.0.1/","status":500}},
        {"name":"still","on":["bake"],"for":"1m","http":{"url":"http://10.0.0.1/"}}]}"#;
    let mut fixture = with(pack);
    let untouched = MoveRow { touched: None, deployment: None, ..row() };
    fixture.moves.found = Some(Loaded::given(&untouched));
    let polls_before = polls(&fixture, Phase::Before).await;
    assert_eq!(last(&polls_before).1, Healthy);
    let bundle: Bundle = serde_json::from_value(fixture.moves.noted.take()[0]["bundle"].clone()).unwrap();
    assert!(bundle.tests[0].starts_with("live test \"first\" failed 1 of 1 times: GET"), "{bundle:?}");
    let warned = MoveRow { bundle: Some(bundle), ..row() };
    let mut fixture = with(pack);
    fixture.moves.found = Some(Loaded::given(&warned));
    let polls_after = polls(&fixture, Phase::After).await;
    let (_, verdict, reason) = last(&polls_after);
    let why = "it is stable; its live test passed; advisory live test \"load\" did not pass: GET";
    assert!(verdict == Healthy && reason.starts_with(why), "{reason}");
    let bundle: Bundle = serde_json::from_value(fixture.moves.noted.take()[0]["bundle"].clone()).unwrap();
    let told = bundle.tests.iter().map(|line| line.split(':').next().unwrap()).collect::<Vec<_>>();
    assert_eq!(told, ["live test \"load\" did not pass", "live test \"first\" failed 1 of 1 times"]);
}

#[tokio::test]
async fn what_is_watched_is_asked_after_the_proof_for_as_long_as_it_says() {
    let pack = r#"{"checks":[{"name":"health","http":{"url":"http://10.0.0.1/"}},
        {"name":"still","on":["bake"],"for":"2m","http":{"url":"http://${target.address}/","json":{"$.status":"ok"}}}]}"#;
    let polls_of_good = polls(&with(pack), Phase::After).await;
    assert_eq!(last(&polls_of_good), (121, Healthy, "it is stable; its live test passed"));
    let bad = polls(&Fixture { body: DOWN, ..with(pack) }, Phase::After).await;
    let (at, verdict, reason) = last(&bad);
    assert_eq!((at, verdict), (1, Unhealthy), "{reason}");
    // However long it is watched, nothing is late meanwhile.
    let long: &str = pack.replace("\"2m\"", "\"40m\"").leak();
    let polls_of_long = polls(&with(long), Phase::After).await;
    let (at, verdict, _) = last(&polls_of_long);
    assert_eq!((verdict, at / 60), (Healthy, 40), "it ended after {at} s");
}

#[tokio::test]
async fn what_is_tested_before_keeps_a_bad_image_from_the_service() {
    let pack = |status: u16| -> &'static str {
        let http = json!({"url": "http://orders.internal:8080/", "status": status});
        let check = json!({"name": "orders answers", "on": ["before"], "http": http, "attempts": 2});
        json!({"checks": [check]}).to_string().leak()
    };
    let fixture = with(pack(200)).untouched();
    assert_eq!(last(&polls(&fixture, Phase::Before).await), (0, Healthy, "its live test passed"));
    assert!(fixture.moves.noted.borrow().is_empty(), "a service that may be touched is not judged yet");
    let fixture = with(pack(500)).untouched();
    let polls = polls(&fixture, Phase::Before).await;
    let (at, verdict, reason) = last(&polls);
    assert_eq!((at, verdict), (2, Unhealthy));
    assert!(reason.starts_with("live test \"orders answers\" failed 2 of 2 times: GET"), "{reason}");
    let noted = fixture.moves.noted.borrow();
    assert_eq!((noted.len(), noted[0]["verdict"].as_str()), (1, Some("Unhealthy")));
}

#[tokio::test]
async fn a_call_that_comes_late_judges_no_service_that_is_touched() {
    let pack = r#"{"checks":[{"name":"a","on":["before"],"http":{"url":"http://a/","status":500}}]}"#;
    let fixture = with(pack);
    let answer = poll(&fixture, before(MoveRef::Ordinal(3))).await.unwrap();
    assert_eq!((answer.verdict, answer.reason.as_str()), (Healthy, "its service is touched already"));
    assert!(fixture.calls.borrow().is_empty() && fixture.moves.noted.borrow().is_empty());
}

#[tokio::test]
async fn a_secret_that_cannot_be_read_leaves_the_service_alone() {
    let pack = r#"{"secrets":{"token":{"parameter":"/shop/token"}},"checks":[{"name":"a","http":
        {"url":"http://${target.address}/","headers":{"authorization":"Bearer ${secret.token}"}}}]}"#;
    let denied = Fixture { secret: Err(Fault::Denied("not allowed".to_owned())), ..with(pack) };
    let answer = poll(&denied.untouched(), before(MoveRef::Ordinal(3))).await.unwrap();
    let why = "its live tests use the secret \"token\", which health-test cannot read: not allowed";
    assert_eq!((answer.verdict, answer.reason.as_str()), (Inconclusive, why));
    let throttled = Fixture { secret: Err(Fault::Throttled("slow down".to_owned())), ..with(pack) };
    let throttled = polls(&throttled.untouched(), Phase::Before).await;
    let seen: Vec<Verdict> = throttled.iter().map(|(_, answer)| answer.verdict).collect();
    assert_eq!((seen.len(), seen.first(), seen.last()), (11, Some(&Pending), Some(&Inconclusive)));
    let good = with(pack).untouched();
    assert_eq!(poll(&good, before(MoveRef::Ordinal(3))).await.unwrap().verdict, Healthy);
}

#[tokio::test]
async fn a_secret_is_in_nothing_that_is_kept_noted_or_answered() {
    let pack = r#"{"secrets":{"token":{"parameter":"/shop/token"}},"checks":[{"name":"a","attempts":2,"http":
        {"url":"http://${target.address}/?t=${secret.token}","headers":{"authorization":"Bearer ${secret.token}"},
         "contains":"never ${secret.token}"}}]}"#;
    let fixture = Fixture { body: "hush-1234 aHVzaC0xMjM0 hush%2D1234", ..with(pack) };
    let polls = polls(&fixture, Phase::After).await;
    assert_eq!(last(&polls).1, Unhealthy);
    let kept = format!("{:?} {:?} {polls:?}", fixture.kept_tests.borrow(), fixture.moves.noted.borrow());
    assert!(kept.contains("***") && !kept.contains("hush") && !kept.contains("aHVzaC0x"), "{kept}");
}

#[tokio::test]
async fn a_move_that_is_given_whole_hands_its_tests_on() {
    let fixture = Fixture { body: DOWN, ..Fixture::good() };
    let (mut state, mut seen) = (None::<PollState>, Vec::new());
    for at in [0, 4, 8] {
        let which = MoveRef::Inline(Box::new(row()));
        let answer = poll_after(&fixture, of(Phase::After, which, state), at).await.unwrap();
        seen.push(answer.verdict);
        state = Some(answer.state);
    }
    assert_eq!(seen, [Pending, Pending, Unhealthy]);
    assert!(fixture.kept_tests.borrow().is_empty() && state.unwrap().tests.is_some());
}

#[tokio::test]
async fn what_is_watched_and_proven_has_its_whole_time_again_if_a_task_is_replaced() {
    let pack = r#"{"checks":[{"name":"still","on":["bake"],"for":"1m","patience":"10s","http":{"url":"http://10.0.0.1/"}}]}"#;
    let mut fixture = with(pack);
    let proven = poll_after(&fixture, request(Phase::After), 800).await.unwrap();
    assert_eq!(proven.verdict, Pending);
    fixture.target = "initial";
    // Later than it is watched, and than its rollout may take, but not than that since it was proven.
    let later = poll_after(&fixture, again(Phase::After, Some(proven.state)), 950).await.unwrap();
    assert_eq!(later.verdict, Pending, "{}", later.reason);
    let late = poll_after(&fixture, again(Phase::After, Some(later.state)), 1701).await.unwrap();
    assert_eq!(late.verdict, Unhealthy, "{}", late.reason);
}
