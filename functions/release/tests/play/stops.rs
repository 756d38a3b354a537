//! A freeze, a stop and a rollback while a release is under way, against a shop in memory.

use pipeline::clock::Timestamp;
use pipeline::environment::OnFailure;
use pipeline::ids::{ReleaseId, ServiceName};
use pipeline::rows::{FrozenRow, LeaseRow, Outcome, RollbackScope, ServiceRow, Stop, Verdict};
use release::Release;
use release::ports::Execution;
use serde_json::{Value, json};

use crate::notebook::{Notebook, known};
use crate::promotion::{waiting, with_dev};
use crate::run::ask;
use crate::shop::{Shop, digest};

const NOW: &str = "2026-11-23T10:02:00Z";

/// Opens a release of two waves, and lets the first one be healthy.
async fn after_a_wave() -> Release<Shop, Notebook> {
    let release = Release { aws: Shop::default(), ledger: Notebook::default() };
    let images = json!({"shop/cart": digest('b'), "shop/users": digest('b')});
    open(&release, json!({"environment": "mall", "images": images})).await;
    let leased = ask(&release, "lease", json!({}), "2026-11-23T10:00:11Z").await;
    assert_eq!(leased["waves"], json!([1, 1]), "{leased}");
    healthy(&release, 0);
    release.ledger.written.take();
    release
}

#[tokio::test]
async fn a_release_that_was_let_in_stays_in_when_the_call_comes_again() {
    let release = Release { aws: Shop::default(), ledger: Notebook::default() };
    let input = json!({"environment": "mall", "images": {"shop/cart": digest('b')}});
    assert_eq!(open(&release, input.clone()).await["next"], "TakeLeases");
    // Meanwhile somebody has frozen the environment: the leases are the place to find that.
    frozen_by(&release, "r9", false);
    release.ledger.written.take();
    let again = open(&release, input).await;
    assert_eq!(
        (&again["next"], &again["because"]),
        (&json!("TakeLeases"), &json!("an earlier call has let it in, for 1 service"))
    );
    assert!(release.ledger.written.take().is_empty());
    let leased = ask(&release, "lease", json!({}), "2026-11-23T10:00:11Z").await;
    assert_eq!(leased["next"], "Refused", "{leased}");
}

fn healthy(release: &Release<Shop, Notebook>, place: usize) {
    let row = &mut release.ledger.moves.borrow_mut()[place].1;
    row.touched = Some(Timestamp::parse("2026-11-23T10:00:15Z").unwrap());
    row.decided = Some(Timestamp::parse("2026-11-23T10:00:40Z").unwrap());
    row.verdict = Some(Verdict::Healthy);
}

async fn open(release: &Release<Shop, Notebook>, input: Value) -> Value {
    ask(release, "open", json!({"input": input}), "2026-11-23T10:00:10Z").await
}

/// Starts another run than the release's own.
async fn request(release: &Release<Shop, Notebook>, input: Value) -> Value {
    let execution = "arn:aws:states:eu-west-1:123456789012:execution:tidegate:r9";
    let payload = json!({"do": "open", "release": "r9", "execution": execution, "input": input});
    let now = Timestamp::parse(NOW).unwrap();
    release.handle(serde_json::from_value(payload).unwrap(), now).await.unwrap()
}

async fn judge(release: &Release<Shop, Notebook>, wave: u32, now: &str) -> Value {
    ask(release, "judge", json!({"wave": wave}), now).await
}

fn frozen_by(release: &Release<Shop, Notebook>, by: &str, automatic: bool) {
    let (by, since) = (ReleaseId::parse(by).unwrap(), Timestamp::parse("2026-11-23T10:01:00Z").unwrap());
    let because = "the sale".to_owned();
    *release.ledger.frozen.borrow_mut() = Some(FrozenRow { frozen: true, by, because, since, automatic });
}

fn stop(rollback: bool) -> Value {
    let reason = "the numbers are bad";
    json!({"environment": "mall", "mode": "abort", "release": "r1", "reason": reason, "rollback": rollback})
}

#[tokio::test]
async fn a_freeze_holds_a_release_before_its_next_wave_until_a_resume() {
    let release = after_a_wave().await;
    request(&release, json!({"environment": "mall", "mode": "freeze", "reason": "the sale"})).await;
    let held = judge(&release, 0, "2026-11-23T10:02:30Z").await;
    assert_eq!(
        (&held["next"], &held["wave"], &held["pauseSeconds"]),
        (&json!("Bake"), &json!(0), &json!(60))
    );
    assert_eq!(
        held["because"],
        "mall is frozen since 2026-11-23T10:02:00Z by r9 (the sale): wave 2 of 2 waits; resume to go on, or abort"
    );
    let later = judge(&release, 0, "2026-11-23T11:30:00Z").await;
    assert_eq!((&later["next"], &later["pauseSeconds"]), (&json!("Bake"), &json!(300)));

    let resumed = request(&release, json!({"environment": "mall", "mode": "resume"})).await;
    assert!(resumed["because"].as_str().unwrap().contains("until now mall is frozen since"), "{resumed}");
    let judged = judge(&release, 0, "2026-11-23T11:31:00Z").await;
    assert_eq!((&judged["next"], &judged["wave"]), (&json!("NextWave"), &json!(1)));
}

#[tokio::test]
async fn a_release_that_is_held_for_a_day_stops_and_needs_a_human() {
    let release = after_a_wave().await;
    frozen_by(&release, "r9", false);
    let judged = judge(&release, 0, "2026-11-24T10:02:00Z").await;
    assert_eq!(judged["next"], "Stop");
    let closed = ask(&release, "close", json!({"because": judged["because"]}), NOW).await;
    assert_eq!(
        (&closed["outcome"], &closed["fates"]),
        (&json!("NeedsHuman"), &json!({"deployed": 1, "untouched": 1}))
    );
}

#[tokio::test]
async fn what_is_wrong_in_an_environment_that_is_frozen_is_nothing_to_see_to() {
    let release = Release { aws: Shop::default(), ledger: Notebook::default() };
    frozen_by(&release, "r9", false);
    let gone = json!({"environment": "mall", "images": {"shop/users": "no-such-tag"}});
    let answer = ask(&release, "open", json!({"input": gone}), NOW).await;
    assert_eq!(answer["next"], "Refused");
    assert!(answer["because"].as_str().unwrap().contains("is frozen"), "{answer}");
}

#[tokio::test]
async fn a_freeze_after_the_last_wave_changes_nothing() {
    let release = after_a_wave().await;
    healthy(&release, 1);
    frozen_by(&release, "r9", false);
    assert_eq!(judge(&release, 1, NOW).await["next"], "Closed");
}

#[tokio::test]
async fn a_rollback_under_way_is_not_held() {
    let release = after_a_wave().await;
    frozen_by(&release, "r9", false);
    if let Some(head) = release.ledger.head.borrow_mut().as_mut() {
        head.request["to"] = json!("previous");
    }
    assert_eq!(judge(&release, 0, NOW).await["next"], "NextWave");
}

#[tokio::test]
async fn a_freeze_names_the_open_releases_and_how_to_stop_them() {
    let release = Release { aws: Shop::default(), ledger: Notebook::default() };
    let lease = json!({"holder": "e", "release": "r1", "fence": 1, "since": "2026-11-23T09:59:00Z"});
    let lease: LeaseRow = serde_json::from_value(lease).unwrap();
    release.ledger.leases.borrow_mut().insert(ServiceName::parse("users").unwrap(), lease);
    let freeze = json!({"environment": "mall", "mode": "freeze", "reason": "the sale"});
    let answer = request(&release, freeze.clone()).await;
    assert_eq!(
        answer["because"],
        "mall is frozen: no release starts until it is resumed (the sale); r1 is open, and starts no further wave until a resume; to \
         abort it: {\"environment\":\"mall\",\"mode\":\"abort\",\"reason\":\"the sale\",\"release\":\"r1\"}"
    );
    release.aws.holder.set(Some(Execution::Ended(Timestamp::from_millis(0))));
    let answer = request(&release, freeze).await;
    assert!(answer["because"].as_str().unwrap().contains(r#""mode":"rollback""#), "{answer}");
}

#[tokio::test]
async fn the_freeze_of_a_release_that_failed_leaves_a_persons_as_it_is() {
    for (person, by) in [(true, "r9"), (false, "r1")] {
        let release = after_a_wave().await;
        if person {
            frozen_by(&release, "r9", false);
        }
        if let Some(head) = release.ledger.head.borrow_mut().as_mut() {
            head.policy.on_failure = OnFailure::Freeze;
        }
        release.ledger.moves.borrow_mut()[0].1.verdict = Some(Verdict::Unhealthy);
        assert_eq!(judge(&release, 0, NOW).await["next"], "Stop");
        let frozen = release.ledger.frozen.borrow().clone().unwrap();
        assert_eq!((frozen.by.as_str(), frozen.automatic), (by, !person));
    }
}

#[tokio::test]
async fn what_goes_back_or_freezes_is_what_the_policy_says_and_doubt_moves_nothing() {
    use RollbackScope::{All, Failed};
    use Verdict::{Inconclusive, Unhealthy};
    for (on_failure, verdict, rollback, frozen) in [
        (OnFailure::UndoAll, Unhealthy, Some(All), false),
        (OnFailure::UndoFailed, Unhealthy, Some(Failed), false),
        (OnFailure::Freeze, Unhealthy, None, true),
        (OnFailure::UndoAll, Inconclusive, None, false),
        (OnFailure::Freeze, Inconclusive, None, true),
    ] {
        let release = after_a_wave().await;
        if let Some(head) = release.ledger.head.borrow_mut().as_mut() {
            head.policy.on_failure = on_failure;
        }
        release.ledger.moves.borrow_mut()[0].1.verdict = Some(verdict);
        judge(&release, 0, NOW).await;
        let asked = release.ledger.head.borrow().as_ref().unwrap().rollback;
        let is_frozen = release.ledger.frozen.borrow().is_some();
        assert_eq!((asked, is_frozen), (rollback, frozen), "{on_failure:?} {verdict:?}");
    }
}

#[tokio::test]
async fn a_rollback_passes_a_freeze_and_says_so() {
    let rollback = |reason: Option<&str>| json!({"environment": "mall", "mode": "rollback", "services": ["users"], "reason": reason});
    for (automatic, reason, next) in
        [(true, None, "TakeLeases"), (false, None, "Refused"), (false, Some("it is bad"), "TakeLeases")]
    {
        let release = Release { aws: Shop::default(), ledger: Notebook::default() };
        let row =
            ServiceRow { verified: Some(known('b')), previous: Some(known('c')), ..ServiceRow::default() };
        release.ledger.know("mall", "users", row);
        frozen_by(&release, "r0", automatic);
        let answer = open(&release, rollback(reason)).await;
        assert_eq!(answer["next"], next, "{answer}");
        assert!(answer["because"].as_str().unwrap().contains("mall is frozen since 2026-11-23T10:01:00Z by"));
        if next == "TakeLeases" {
            assert_eq!(ask(&release, "lease", json!({}), NOW).await["next"], "Wave");
        }
        let forward = json!({"environment": "mall", "images": {"shop/users": digest('b')}, "force": true, "reason": "x"});
        assert_eq!(request(&release, forward).await["next"], "Refused", "whatever it insists on");
    }
}

#[tokio::test]
async fn a_release_that_is_stopped_rolls_back_what_it_touched() {
    let release = after_a_wave().await;
    frozen_by(&release, "r5", false);
    let answer = request(&release, stop(true)).await;
    assert_eq!(
        answer["because"],
        "r1 is aborted, and every service that it has updated is rolled back; mall is frozen since 2026-11-23T10:01:00Z by r5 (the \
         sale), and stays so"
    );
    // A call whose answer was lost comes again.
    assert_eq!(request(&release, stop(true)).await["outcome"], "Answered");
    let judged = judge(&release, 0, NOW).await;
    assert_eq!((&judged["next"], &judged["wave"]), (&json!("Undo"), &json!(0)));
    assert_eq!(judged["because"], "stopped by r9 (the numbers are bad)");
    assert!(release.ledger.written.take().contains(&"undo".to_owned()));
    {
        let row = &mut release.ledger.moves.borrow_mut()[0].1;
        (row.rollback_started, row.rollback_verdict) =
            (Some(Timestamp::from_millis(0)), Some(Verdict::Healthy));
    }
    let closed = ask(&release, "close", json!({"because": judged["because"]}), NOW).await;
    assert_eq!((&closed["outcome"], &closed["because"]), (&json!("RolledBack"), &judged["because"]));
    assert_eq!(release.ledger.written.take(), ["close RolledBack", "free", "free"], "no hold, no quarantine");
}

#[tokio::test]
async fn a_release_that_is_stopped_and_left_as_it_is_needs_a_human() {
    let release = after_a_wave().await;
    request(&release, stop(false)).await;
    let judged = judge(&release, 0, NOW).await;
    assert_eq!(judged["next"], "Stop");
    assert!(!release.ledger.written.take().contains(&"undo".to_owned()));
    let closed = ask(&release, "close", json!({"because": judged["because"]}), NOW).await;
    assert_eq!(closed["outcome"], "NeedsHuman");
}

#[tokio::test]
async fn a_stop_after_the_last_judgement_needs_a_human_who_gets_the_request() {
    let release = after_a_wave().await;
    healthy(&release, 1);
    let by = ReleaseId::parse("r9").unwrap();
    let since = Timestamp::parse(NOW).unwrap();
    let stop = Stop { by, because: "the numbers are bad".to_owned(), since, rollback: true };
    *release.ledger.stopped_meanwhile.borrow_mut() = Some(stop);
    release.ledger.written.take();
    assert_eq!(judge(&release, 1, NOW).await["next"], "Done");
    assert_eq!(release.ledger.written.take(), ["stop"], "of what is not closed nothing is proven yet");
    let closed = ask(&release, "close", json!({"because": ""}), NOW).await;
    assert_eq!(closed["outcome"], "NeedsHuman");
    let rollback =
        r#"{"environment":"mall","mode":"rollback","reason":"the numbers are bad","release":"r1"}"#;
    assert!(closed["because"].as_str().unwrap().ends_with(rollback), "{closed}");
}

#[tokio::test]
async fn a_release_is_stopped_before_it_takes_its_leases() {
    let release = Release { aws: Shop::default(), ledger: Notebook::default() };
    open(&release, json!({"environment": "mall", "images": {"shop/users": digest('b')}})).await;
    request(&release, stop(true)).await;
    let leased = ask(&release, "lease", json!({}), NOW).await;
    assert_eq!(
        (&leased["next"], &leased["because"]),
        (&json!("Rejected"), &json!("stopped by r9 (the numbers are bad)"))
    );
}

#[tokio::test]
async fn a_release_that_waits_for_a_person_is_turned_down_when_it_is_stopped() {
    let release = Release { aws: Shop::default(), ledger: Notebook::default() };
    waiting(&release.ledger, "token");
    let abort = json!({"environment": "careful", "mode": "abort", "release": "r1", "reason": "not today"});
    assert_eq!(request(&release, abort).await["outcome"], "Answered");
    assert_eq!(release.aws.done.take(), ["answer Rejected"]);
    assert!(release.ledger.waiting.borrow().is_empty());
}

#[tokio::test]
async fn a_release_that_waits_for_its_soak_ends_at_its_next_look_when_it_is_stopped() {
    let release = Release { aws: Shop::default(), ledger: Notebook::default() };
    with_dev(&release.ledger);
    let input = json!({"environment": "staging", "images": {"shop/users": digest('b')}, "promotedBy": "r0"});
    let wait = || ask(&release, "open", json!({"input": input}), "2026-11-23T09:59:00Z");
    assert_eq!(wait().await["next"], "Waiting");
    let abort = json!({"environment": "staging", "mode": "abort", "release": "r1", "reason": "not today"});
    assert_eq!(request(&release, abort.clone()).await["because"], "r1 is aborted before it begins");
    let ended = wait().await;
    assert_eq!(
        (&ended["next"], &ended["because"]),
        (&json!("Rejected"), &json!("stopped by r9 (not today)"))
    );
    assert_eq!(release.ledger.head.borrow().as_ref().unwrap().outcome, Some(Outcome::Rejected));
}

#[tokio::test]
async fn a_stop_that_comes_too_late_is_refused() {
    let release = after_a_wave().await;
    if let Some(head) = release.ledger.head.borrow_mut().as_mut() {
        head.outcome = Some(Outcome::Deployed);
    }
    let answer = request(&release, stop(true)).await;
    assert_eq!(answer["next"], "Refused");
    assert!(
        answer["because"].as_str().unwrap().starts_with("r1 ended Deployed: ask for a rollback: {"),
        "{answer}"
    );
    assert_eq!(release.ledger.written.take(), ["list Refused"]);
}

#[tokio::test]
async fn a_release_that_runs_is_not_rolled_back_by_its_name() {
    let release = after_a_wave().await;
    let rollback = json!({"environment": "mall", "mode": "rollback", "release": "r1", "reason": "bad"});
    let answer = request(&release, rollback.clone()).await;
    assert_eq!(answer["next"], "Refused");
    let abort = r#"{"environment":"mall","mode":"abort","reason":"bad","release":"r1"}"#;
    assert_eq!(answer["because"], format!("r1 still runs: abort it instead: {abort}"));
    // Once its execution has ended, nothing stops it any more: it is dead.
    release.aws.holder.set(Some(Execution::Ended(Timestamp::from_millis(0))));
    let answer = request(&release, rollback).await;
    assert!(!answer["because"].as_str().unwrap().contains("abort"), "{answer}");
}

#[tokio::test]
async fn whoever_asked_first_stops_a_release() {
    let release = after_a_wave().await;
    let (by, since) = (ReleaseId::parse("r7").unwrap(), Timestamp::from_millis(0));
    if let Some(head) = release.ledger.head.borrow_mut().as_mut() {
        head.stop = Some(Stop { by, because: "first".to_owned(), since, rollback: false });
    }
    let answer = request(&release, stop(true)).await;
    assert_eq!(answer["because"], "r1 was aborted already, by r7 (first)");
    assert_eq!(judge(&release, 0, NOW).await["next"], "Stop");
}
