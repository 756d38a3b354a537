//! A release from its lease to its close, against a shop in memory.

use crate::notebook::Notebook;
use crate::shop::{Shop, digest};
use pipeline::alarm::{Alarm, AlarmState};
use pipeline::clock::Timestamp;
use pipeline::ids::ServiceName;
use pipeline::rows::{LeaseRow, Verdict};
use release::Release;
use serde_json::{Value, json};

const EXECUTION: &str = "arn:aws:states:eu-west-1:123456789012:execution:tidegate:r1";

pub async fn ask(release: &Release<Shop, Notebook>, what: &str, more: Value, now: &str) -> Value {
    let mut payload = json!({"do": what, "release": "r1", "execution": EXECUTION});
    payload.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    release.handle(serde_json::from_value(payload).unwrap(), Timestamp::parse(now).unwrap()).await.unwrap()
}

pub async fn opened() -> Release<Shop, Notebook> {
    let release = Release { aws: Shop::default(), ledger: Notebook::default() };
    open(&release).await;
    release
}

async fn open(release: &Release<Shop, Notebook>) {
    let input = json!({"environment": "dev", "repository": "shop/users", "image": digest('b')});
    let answer = ask(release, "open", json!({"input": input}), "2026-11-23T10:00:00Z").await;
    assert_eq!(answer["next"], "TakeLeases");
    release.ledger.written.take();
}

/// Has the only move pass its tests.
fn healthy(release: &Release<Shop, Notebook>) {
    let row = &mut release.ledger.moves.borrow_mut()[0].1;
    row.touched = Some(Timestamp::parse("2026-11-23T10:00:05Z").unwrap());
    row.decided = Some(Timestamp::parse("2026-11-23T10:00:30Z").unwrap());
    row.verdict = Some(Verdict::Healthy);
}

#[tokio::test]
async fn a_good_release_is_written_down_baked_and_closed() {
    let release = opened().await;
    let leased = ask(&release, "lease", json!({}), "2026-11-23T10:00:01Z").await;
    assert_eq!(
        (&leased["next"], &leased["waves"], &leased["repositories"]),
        (&json!("Wave"), &json!([1]), &json!(1))
    );
    // This ledger does not keep the order of the opening, so it is written once more.
    assert_eq!(release.ledger.written.take(), ["take 1", "keep {}", "move", "order", "adopt users"]);

    assert_eq!(release.ledger.moves.borrow()[0].1.restore.as_ref().unwrap().digest, digest('a'));
    healthy(&release);
    let judged = ask(&release, "judge", json!({"wave": 0}), "2026-11-23T10:00:40Z").await;
    assert_eq!((&judged["next"], &judged["pauseSeconds"]), (&json!("Bake"), &json!(50)));
    let judged = ask(&release, "judge", json!({"wave": 0}), "2026-11-23T10:01:30Z").await;
    let (closed, because) = (&judged["closed"], "1 of 1 deployed and tested live");
    assert_eq!((&judged["next"], &judged["because"]), (&json!("Closed"), &json!(because)));
    assert_eq!(
        (&closed["outcome"], &closed["because"], &closed["fates"]),
        (&json!("Deployed"), &json!(because), &json!({"deployed": 1}))
    );
    assert_eq!(release.ledger.written.take(), ["verified users bbbbbbbbbbbb", "close Deployed", "free"]);
    // Once more, as if its answer were lost: what it knows may be outdated by now.
    let again = ask(&release, "judge", json!({"wave": 0}), "2026-11-23T10:02:00Z").await;
    assert_eq!(again, judged);
    ask(&release, "close", json!({"outcome": "", "because": ""}), "2026-11-23T10:05:00Z").await;
    assert!(release.ledger.written.take().is_empty());
}

#[tokio::test]
async fn what_is_deployed_is_guarded_for_the_minutes_that_its_environment_says_and_not_before() {
    for (minutes, until) in [(0, None), (1, Some("10:02:30")), (15, Some("10:16:30")), (90, Some("11:31:30"))]
    {
        let release = Release { aws: Shop::default(), ledger: Notebook::default() };
        let document =
            json!({"cluster": "dev", "tag": "dev", "guardMinutes": minutes, "alarms": {"*": ["shop-5xx"]}});
        release.aws.wrong.borrow_mut().insert("dev".to_owned(), document.to_string());
        let quiet = Alarm { state: AlarmState::Ok, since: None };
        release.aws.alarms.borrow_mut().insert("shop-5xx".to_owned(), quiet);
        open(&release).await;
        ask(&release, "lease", json!({}), "2026-11-23T10:00:01Z").await;
        healthy(&release);
        release.ledger.written.take();
        let judged = ask(&release, "judge", json!({"wave": 0}), "2026-11-23T10:00:40Z").await;
        assert_eq!(judged["next"], "Bake");
        assert!(release.ledger.guards.take().is_empty(), "an alarm while it bakes is for the judge");
        let judged = ask(&release, "judge", json!({"wave": 0}), "2026-11-23T10:01:30Z").await;
        assert_eq!(judged["next"], "Closed");
        let guards = release.ledger.guards.take();
        let rows = guards.get("shop-5xx").into_iter().flatten();
        let written: Vec<_> = rows.map(|(id, row)| (id.as_str(), row.since, row.until)).collect();
        let at = |time| Timestamp::parse(&format!("2026-11-23T{time}Z")).unwrap();
        let expected: Vec<_> = until.into_iter().map(|until| ("r1", at("10:01:30"), at(until))).collect();
        assert_eq!(written, expected, "{minutes}");
    }
}

#[tokio::test]
async fn nothing_is_held_while_another_release_holds_the_lease() {
    let release = opened().await;
    hold(&release, "users");
    let waiting = ask(&release, "lease", json!({}), "2026-11-23T10:00:06Z").await;
    assert_eq!((&waiting["next"], &waiting["pauseSeconds"]), (&json!("Waiting"), &json!(10)));
    assert_eq!(release.ledger.written.take(), ["waits"]);
    let waiting = ask(&release, "lease", json!({}), "2026-11-23T10:30:06Z").await;
    assert_eq!(waiting["pauseSeconds"], 60);
    let expired = ask(&release, "lease", json!({}), "2026-11-23T11:00:06Z").await;
    assert_eq!(expired["next"], "Expired");
    assert_eq!(expired["because"], "users is held by release r0, for longer than 60 minutes");
}

pub fn hold(release: &Release<Shop, Notebook>, service: &str) {
    let held = json!({"holder": "other", "release": "r0", "fence": 1, "since": "2026-11-23T09:59:00Z"});
    let held: LeaseRow = serde_json::from_value(held).unwrap();
    release.ledger.leases.borrow_mut().insert(ServiceName::parse(service).unwrap(), held);
}

#[tokio::test]
async fn what_was_taken_is_freed_when_somebody_was_quicker() {
    let release = opened().await;
    if let Some(head) = release.ledger.head.borrow_mut().as_mut() {
        let more = (0..29).map(|n| format!("s{n:02}")).chain(["zebra".to_owned()]);
        head.services.extend(more.map(|name| ServiceName::parse(name).unwrap()));
    }
    let waiting = ask(&release, "lease", json!({}), "2026-11-23T10:00:06Z").await;
    assert_eq!(waiting["because"], "zebra is held by a release that took its lease first");
    // 25 at once: the second time all six are refused for the last one.
    let written = release.ledger.written.take();
    assert_eq!((written.len(), &written[0], &written[26]), (27, &"take 25".to_owned(), &"waits".to_owned()));
    assert!(release.ledger.leases.borrow().values().all(|lease| lease.release.is_none()));
}

#[tokio::test]
async fn an_unhealthy_wave_is_rolled_back_and_frees_what_it_held() {
    let release = opened().await;
    ask(&release, "lease", json!({}), "2026-11-23T10:00:01Z").await;
    {
        let mut moves = release.ledger.moves.borrow_mut();
        moves[0].1.touched = Some(Timestamp::from_millis(0));
        moves[0].1.verdict = Some(Verdict::Unhealthy);
        moves[0].1.reason = Some("GET /version answered 500, expected 200".to_owned());
    }
    release.ledger.written.take();
    let judged = ask(&release, "judge", json!({"wave": 0}), "2026-11-23T10:00:40Z").await;
    assert_eq!(judged["next"], "Undo");
    assert_eq!(judged["because"], "users: GET /version answered 500, expected 200");
    {
        let mut moves = release.ledger.moves.borrow_mut();
        moves[0].1.rollback_started = Some(Timestamp::from_millis(0));
        moves[0].1.rollback_verdict = Some(Verdict::Healthy);
    }
    let closed = ask(&release, "close", json!({"because": judged["because"]}), "2026-11-23T10:01:00Z").await;
    assert_eq!((&closed["outcome"], &closed["fates"]), (&json!("RolledBack"), &json!({"undone": 1})));
    assert_eq!(
        release.ledger.written.take(),
        ["undo", "quarantine bbbbbbbbbbbb", "close RolledBack", "free"]
    );
}
