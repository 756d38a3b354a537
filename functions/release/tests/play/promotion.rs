//! The way from one environment to the next, and the answer of a person, against a shop in memory.

use pipeline::alarm::{Alarm, AlarmState};
use pipeline::clock::Timestamp;
use pipeline::ids::{EnvironmentName, ReleaseId, Repository};
use pipeline::rows::{OrderKey, Outcome, ServiceRow, Verdict, VerifiedImage, WaitingRow, hold_key};
use release::Release;
use release::ports::Approvals;
use serde_json::{Value, json};

use crate::notebook::{Notebook, known};
use crate::run::{ask, opened};
use crate::shop::{Shop, arn, digest};

/// Lets dev have verified an image of users.
pub fn with_dev(book: &Notebook) {
    let verified = VerifiedImage { since: Timestamp::parse("2026-11-23T09:00:00Z").unwrap(), ..known('b') };
    book.know("dev", "users", ServiceRow { verified: Some(verified), ..ServiceRow::default() });
}

/// Lets the release `r1` of careful wait for a person.
pub fn waiting(book: &Notebook, token: &str) {
    let row = WaitingRow { token: token.to_owned(), since: Timestamp::from_millis(0), answered_by: None };
    book.waiting.borrow_mut().push((ReleaseId::parse("r1").unwrap(), row));
    let head = json!({
        "environment": "careful", "policy": {"cluster": "mall", "tag": "careful"}, "request": {},
        "order": "000000000000000#", "opened": "2026-11-23T09:00:00Z", "plan": "", "services": ["users", "cart"],
        "undo": null, "outcome": null
    });
    *book.head.borrow_mut() = Some(serde_json::from_value(head).unwrap());
}

fn users() -> Repository {
    Repository::parse("shop/users").unwrap()
}

fn cart() -> Repository {
    Repository::parse("shop/cart").unwrap()
}

fn release() -> Release<Shop, Notebook> {
    let release = Release { aws: Shop::default(), ledger: Notebook::default() };
    with_dev(&release.ledger);
    release
}

async fn open(release: &Release<Shop, Notebook>, input: Value) -> Value {
    ask(release, "open", json!({"input": input}), "2026-11-23T10:00:10Z").await
}

#[tokio::test]
async fn what_follows_by_itself_waits_for_its_soak_and_a_person_is_refused() {
    let release = release();
    let images = json!({"shop/users": digest('b')});
    let early = "2026-11-23T09:59:00Z";
    let input = json!({"environment": "staging", "images": images, "promotedBy": "r0"});
    let answer = ask(&release, "open", json!({"input": input}), early).await;
    assert_eq!((&answer["next"], &answer["pauseSeconds"]), (&json!("Waiting"), &json!(60)));
    assert!(release.ledger.written.take().is_empty());

    let input = json!({"environment": "staging", "images": images});
    let answer = ask(&release, "open", json!({"input": input}), early).await;
    assert_eq!(answer["next"], "Refused");
    let input = json!({"environment": "staging", "images": images, "force": true, "reason": "a hotfix"});
    let answer = ask(&release, "open", json!({"input": input}), early).await;
    assert_eq!(answer["next"], "TakeLeases");
}

#[tokio::test]
async fn a_cluster_that_ecs_has_not_told_all_of_is_asked_again() {
    let release = release();
    *release.aws.unread.borrow_mut() = 40;
    let answer = open(&release, json!({"environment": "staging"})).await;
    assert_eq!((&answer["next"], &answer["pauseSeconds"]), (&json!("Waiting"), &json!(2)));
    *release.aws.unread.borrow_mut() = 0;
    assert_eq!(open(&release, json!({"environment": "staging"})).await["next"], "TakeLeases");
}

#[tokio::test]
async fn a_newer_release_takes_its_services_out_of_a_plan_that_waits() {
    let newer = json!({"environment": "careful", "repository": "shop/users", "image": digest('b')});
    for (services, next, replanned) in
        [(vec!["users", "cart"], "Changed", Some("replan cart")), (vec!["users"], "Superseded", None)]
    {
        let release = release();
        waiting(&release.ledger, "token");
        release.ledger.head.borrow_mut().as_mut().unwrap().services =
            services.into_iter().map(|name| pipeline::ids::ServiceName::parse(name).unwrap()).collect();
        let newer = json!({"release": "r9", "input": newer});
        assert_eq!(ask(&release, "open", newer, "2026-11-23T10:00:10Z").await["next"], "AskApproval");
        assert_eq!(release.aws.done.take(), [format!("answer {next}")]);
        let written = release.ledger.written.take();
        assert_eq!(written.iter().find(|word| word.starts_with("replan")).map(String::as_str), replanned);
        assert!(written.contains(&"answered".to_owned()));
    }
}

#[tokio::test]
async fn a_plan_that_changed_since_a_person_was_asked_is_asked_again() {
    let release = release();
    open(&release, json!({"environment": "careful"})).await;
    ask(&release, "ask", json!({"token": "t1"}), "2026-11-23T10:00:11Z").await;
    release.ledger.head.borrow_mut().as_mut().unwrap().asked = Some("another".to_owned());
    release.ledger.written.take();
    // However often it is tried: only a question makes a plan one that was asked about.
    for _ in 0..2 {
        let leased = ask(&release, "lease", json!({}), "2026-11-23T10:00:12Z").await;
        assert_eq!(leased["next"], "AskApproval");
        assert_eq!(release.ledger.written.take(), ["take 1", "propose users", "replan users", "free"]);
    }
    ask(&release, "ask", json!({"token": "t2"}), "2026-11-23T10:00:13Z").await;
    approve(&release).await;
    let leased = ask(&release, "lease", json!({}), "2026-11-23T10:00:14Z").await;
    assert_eq!(leased["next"], "Wave");
}

/// Agrees to the release that waits, by another run.
async fn approve(release: &Release<Shop, Notebook>) {
    let input = json!({"environment": "careful", "mode": "approve", "release": "r1"});
    let answer = ask(release, "open", json!({"release": "r9", "input": input}), "2026-11-23T10:00:13Z").await;
    assert_eq!(answer["next"], "Answered", "{answer}");
}

#[tokio::test]
async fn an_answer_that_did_not_come_through_the_door_counts_for_nothing() {
    let release = release();
    open(&release, json!({"environment": "careful"})).await;
    ask(&release, "ask", json!({"token": "t1"}), "2026-11-23T10:00:11Z").await;
    let leased = ask(&release, "lease", json!({}), "2026-11-23T10:00:12Z").await;
    assert_eq!(leased["next"], "Rejected");
    assert!(leased["because"].as_str().unwrap().starts_with("nobody approved it through the pipeline"));
    assert!(release.ledger.moves.borrow().is_empty(), "nothing is left of it");
    approve(&release).await;
    let leased = ask(&release, "lease", json!({}), "2026-11-23T10:00:14Z").await;
    assert_eq!(leased["next"], "Wave");
}

#[tokio::test]
async fn an_answer_that_was_taken_stays_taken_when_its_call_comes_again() {
    let release = release();
    open(&release, json!({"environment": "careful"})).await;
    ask(&release, "ask", json!({"token": "t1"}), "2026-11-23T10:00:11Z").await;
    approve(&release).await;
    // The question is gone, and what was answered is known.
    assert!(release.ledger.waiting.borrow().is_empty());
    approve(&release).await;
    for (by, mode) in [("r8", "approve"), ("r9", "reject")] {
        let input = json!({"environment": "careful", "mode": mode, "release": "r1"});
        let other =
            ask(&release, "open", json!({"release": by, "input": input}), "2026-11-23T10:00:14Z").await;
        assert_eq!(other["next"], "Refused", "{by}");
    }
    // Somebody else was quicker: the release has ended by their answer.
    release.ledger.head.borrow_mut().as_mut().unwrap().outcome = Some(Outcome::Rejected);
    let input = json!({"environment": "careful", "mode": "approve", "release": "r1"});
    let late = ask(&release, "open", json!({"release": "r9", "input": input}), "2026-11-23T10:00:15Z").await;
    assert_eq!(late["next"], "Refused");
}

#[tokio::test]
async fn an_answer_to_an_older_question_answers_no_newer_one() {
    let release = release();
    waiting(&release.ledger, "token");
    let request = json!({"environment": "careful", "mode": "approve", "release": "r1"});
    let approve = json!({"release": "r9", "input": request});
    let (_, seen) = release.ledger.waiting.borrow()[0].clone();
    release.ledger.waiting.borrow_mut()[0].1.token = "newer".to_owned();
    let by = ReleaseId::parse("r2").unwrap();
    let careful = EnvironmentName::parse("careful").unwrap();
    assert_eq!(release.ledger.answer(&careful, &by, &seen, &by).await, Ok(false));
    // A call whose answer was lost comes again: its own answer was taken.
    release.ledger.waiting.borrow_mut()[0].1.token = "stale".to_owned();
    release.ledger.waiting.borrow_mut()[0].1.answered_by = Some(ReleaseId::parse("r9").unwrap());
    assert_eq!(ask(&release, "open", approve, "2026-11-23T10:00:10Z").await["next"], "Answered");
}

#[tokio::test]
async fn a_question_that_nobody_answers_is_taken_back_although_the_environment_asks_only_since_then() {
    let release = opened().await;
    let asks = json!({"cluster": "dev", "tag": "dev", "approval": "required"}).to_string();
    release.aws.wrong.borrow_mut().insert("dev".to_owned(), asks);
    let leased = ask(&release, "lease", json!({}), "2026-11-23T10:00:11Z").await;
    assert_eq!(leased["next"], "AskApproval");
    ask(&release, "ask", json!({"token": "t1"}), "2026-11-23T10:00:12Z").await;
    ask(&release, "close", json!({"outcome": "Expired"}), "2026-11-24T10:00:12Z").await;
    assert!(release.ledger.waiting.borrow().is_empty());
}

#[tokio::test]
async fn a_service_that_is_there_already_does_not_hold_up_the_others_that_are_named() {
    let release = release();
    let there = VerifiedImage { repository: cart(), task_definition: arn("cart"), ..known('b') };
    release.ledger.know("mall", "cart", ServiceRow { verified: Some(there), ..ServiceRow::default() });
    let images = json!({"shop/users": digest('b'), "shop/cart": digest('b')});
    let input = json!({"environment": "mall", "services": ["users", "cart"], "images": images});
    let opened = open(&release, input).await;
    assert_eq!((&opened["next"], &opened["plan"][0]["service"]), (&json!("TakeLeases"), &json!("users")));
    let leased = ask(&release, "lease", json!({}), "2026-11-23T10:00:11Z").await;
    assert_eq!(leased["next"], "Wave");
    // What an earlier call wrote of a larger plan would count as moves that never began.
    let stale = release.ledger.moves.borrow()[0].clone();
    let key = pipeline::payload::MoveKey::new(ReleaseId::parse("r1").unwrap(), 0, 1);
    release.ledger.moves.borrow_mut().push((key, stale.1));
    ask(&release, "lease", json!({}), "2026-11-23T10:00:12Z").await;
    assert_eq!(release.ledger.moves.borrow().len(), 1);
}

#[tokio::test]
async fn a_deployed_release_starts_what_follows_and_nothing_else_does() {
    for (verdict, started) in [(Verdict::Unhealthy, false), (Verdict::Healthy, true)] {
        let release = release();
        let input = json!({"environment": "dev", "repository": "shop/users", "image": digest('b'), "force": true, "reason": "x"});
        open(&release, input).await;
        ask(&release, "lease", json!({}), "2026-11-23T10:00:11Z").await;
        {
            let row = &mut release.ledger.moves.borrow_mut()[0].1;
            row.touched = Some(Timestamp::from_millis(0));
            row.verdict = Some(verdict);
        }
        ask(&release, "close", json!({}), "2026-11-23T10:01:00Z").await;
        let done = release.aws.done.take();
        assert_eq!(done.is_empty(), !started, "{verdict:?}");
        if started {
            let expected = format!(
                "start careful-r1 {}",
                json!({"environment": "careful", "scope": "cluster", "images": {"shop/users": digest('b')}, "promotedBy": "r1"})
            );
            assert_eq!(done[0], expected);
            assert!(done[1].starts_with("start staging-r1 ") && done.len() == 2);
        }
    }
}

#[tokio::test]
async fn what_follows_is_started_once_more_and_its_failure_is_told() {
    let release = release();
    let input = json!({"environment": "dev", "repository": "shop/users", "image": digest('b'), "force": true, "reason": "x"});
    open(&release, input).await;
    ask(&release, "lease", json!({}), "2026-11-23T10:00:11Z").await;
    {
        let row = &mut release.ledger.moves.borrow_mut()[0].1;
        (row.touched, row.verdict) = (Some(Timestamp::from_millis(0)), Some(Verdict::Healthy));
    }
    *release.aws.faults.borrow_mut() = 2;
    let close = json!({"do": "close", "release": "r1", "execution": "e"});
    let now = Timestamp::parse("2026-11-23T10:01:00Z").unwrap();
    let first = release.handle(serde_json::from_value(close.clone()).unwrap(), now).await;
    assert_eq!(first.unwrap_err().name(), "Throttled");
    let second = release.handle(serde_json::from_value(close).unwrap(), now).await.unwrap();
    assert_eq!(second["outcome"], "Deployed");
    assert!(
        second["because"]
            .as_str()
            .unwrap()
            .ends_with("the promotion did not start: AWS asked to slow down: too many starts")
    );
}

#[tokio::test]
async fn an_image_that_a_service_still_runs_keeps_its_proof_when_another_rolls_back_from_it() {
    for (worker, withdrawn) in [('b', false), ('a', true)] {
        let release = release();
        let mall = |digest| VerifiedImage { since: Timestamp::from_millis(0), ..known(digest) };
        let row =
            ServiceRow { verified: Some(mall('b')), previous: Some(mall('c')), ..ServiceRow::default() };
        release.ledger.know("mall", "users", row);
        release.ledger.know(
            "mall",
            "worker",
            ServiceRow { verified: Some(mall(worker)), ..ServiceRow::default() },
        );
        open(&release, json!({"environment": "mall", "mode": "rollback"})).await;
        ask(&release, "lease", json!({}), "2026-11-23T10:00:11Z").await;
        {
            let row = &mut release.ledger.moves.borrow_mut()[0].1;
            (row.touched, row.verdict) = (Some(Timestamp::from_millis(0)), Some(Verdict::Healthy));
        }
        // What `verified` would have written.
        let row = ServiceRow { verified: Some(mall('c')), ..ServiceRow::default() };
        release.ledger.know("mall", "users", row);
        release.ledger.written.take();
        ask(&release, "close", json!({}), "2026-11-23T10:01:00Z").await;
        let written = release.ledger.written.take();
        assert_eq!(written.contains(&"revoke bbbbbbbbbbbb".to_owned()), withdrawn, "{written:?}");
    }
}

#[tokio::test]
async fn a_service_that_the_environment_before_has_rolled_back_does_not_follow_another_one() {
    let release = release();
    let hold = json!({"digest": digest('b'), "release": "r7", "since": "2026-11-23T09:30:00Z"});
    let facts = [(hold_key(&users()), hold)].into();
    release.ledger.know("dev", "users", ServiceRow { by_repository: facts, ..ServiceRow::default() });
    let verified = VerifiedImage { since: Timestamp::parse("2026-11-23T09:00:00Z").unwrap(), ..known('b') };
    release.ledger.know("dev", "worker", ServiceRow { verified: Some(verified), ..ServiceRow::default() });
    let images = json!({"shop/users": digest('b')});
    for (input, stays) in [
        (json!({"environment": "staging", "mode": "plan"}), true),
        (json!({"environment": "staging", "mode": "plan", "images": images, "promotedBy": "r0"}), true),
        (json!({"environment": "staging", "mode": "plan", "images": images}), false),
    ] {
        let planned = open(&release, input).await;
        let why = json!("dev has rolled it back from bbbbbbbbbbbb, by r7 at 2026-11-23T09:30:00Z");
        let untouched = planned["untouched"].as_array().into_iter().flatten();
        assert_eq!(untouched.filter(|one| one["why"] == why).count() == 1, stays, "{planned}");
        assert_eq!(planned["plan"].as_array().is_none_or(Vec::is_empty), stays, "{planned}");
    }
}

#[tokio::test]
async fn what_does_not_promote_by_itself_starts_nothing() {
    let release = release();
    open(&release, json!({"environment": "mall", "images": {"shop/users": digest('b')}})).await;
    ask(&release, "lease", json!({}), "2026-11-23T10:00:11Z").await;
    {
        let row = &mut release.ledger.moves.borrow_mut()[0].1;
        (row.touched, row.verdict) = (Some(Timestamp::from_millis(0)), Some(Verdict::Healthy));
    }
    release.aws.done.take();
    let closed = ask(&release, "close", json!({}), "2026-11-23T10:01:00Z").await;
    assert_eq!(closed["outcome"], "Deployed");
    assert!(release.aws.done.take().is_empty(), "nobody asked for after-mall");
}

#[tokio::test]
async fn a_service_that_runs_something_newer_stays_and_the_answer_says_why() {
    let release = release();
    // Verified here after dev had verified what is on offer, and never there.
    let hotfix = VerifiedImage { since: Timestamp::parse("2026-11-23T09:30:00Z").unwrap(), ..known('c') };
    release.ledger.know("careful", "users", ServiceRow { verified: Some(hotfix), ..ServiceRow::default() });
    let refused = open(&release, json!({"environment": "careful"})).await;
    assert_eq!(refused["because"], "no service of careful has a newer verified image");
    let planned = open(&release, json!({"environment": "careful", "mode": "plan"})).await;
    let why = "it runs cccccccccccc, which is newer than bbbbbbbbbbbb";
    assert!(planned["untouched"].as_array().unwrap().iter().any(|one| one["why"] == why));
    let forced = json!({"environment": "careful", "force": true, "reason": "the hotfix was wrong"});
    assert_eq!(open(&release, forced).await["next"], "AskApproval");
}

#[tokio::test]
async fn a_request_has_its_place_by_when_its_execution_began() {
    let release = release();
    let began = "2026-11-23T09:59:00Z";
    let input = json!({"input": {"environment": "staging"}, "started": began});
    ask(&release, "open", input, "2026-11-23T10:00:10Z").await;
    let order = release.ledger.head.borrow().as_ref().unwrap().order.clone();
    let began = Timestamp::parse(began).unwrap();
    assert_eq!(order, OrderKey::new(began, began, None));
}

#[tokio::test]
async fn an_alarm_that_goes_red_while_a_wave_bakes_rolls_it_back() {
    for (red_since, next) in [("2026-11-23T10:00:00Z", "Closed"), ("2026-11-23T10:00:45Z", "Undo")] {
        let release = release();
        let set = |state, since: &str| {
            let since = Some(Timestamp::parse(since).unwrap());
            release.aws.alarms.borrow_mut().insert("mall-5xx".to_owned(), Alarm { state, since });
        };
        // Red before it begins: it is watched all the same.
        set(AlarmState::InAlarm, "2026-11-23T10:00:00Z");
        open(&release, json!({"environment": "mall", "images": {"shop/users": digest('b')}})).await;
        ask(&release, "lease", json!({}), "2026-11-23T10:00:11Z").await;
        {
            let row = &mut release.ledger.moves.borrow_mut()[0].1;
            assert_eq!(row.alarms, ["mall-5xx"]);
            (row.touched, row.decided) = (Some(Timestamp::from_millis(0)), Some(Timestamp::from_millis(0)));
            row.verdict = Some(Verdict::Healthy);
        }
        set(AlarmState::InAlarm, red_since);
        let judged = ask(&release, "judge", json!({"wave": 0}), "2026-11-23T10:00:50Z").await;
        assert_eq!(judged["next"], next, "{red_since}");
        if next == "Undo" {
            assert_eq!(judged["because"], "users: the alarm mall-5xx went to ALARM after the release began");
        }
        // Others may share the alarm: it says little of this image.
        ask(&release, "close", json!({}), "2026-11-23T10:01:00Z").await;
        assert!(!release.ledger.written.take().iter().any(|word| word.starts_with("quarantine")));
    }
}
