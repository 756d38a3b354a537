//! The moves as the table keeps them: who may write, and what another version has written.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "this is how a test fails")]

use fleet::fake::Fake;
use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ids::{EnvironmentName, ReleaseId, ServiceName};
use pipeline::ledger::{Key, Ledger, MoveLedger};
use pipeline::payload::MoveKey;
use pipeline::rows::{HeadRow, How, MoveEvent, ServiceRow, VerifiedImage};
use release::ports::{History, Proven};
use serde_json::{Value, json};

const AT: &str = "2026-11-23T10:00:00Z";

fn release() -> ReleaseId {
    ReleaseId::parse("r1").unwrap()
}

fn key() -> MoveKey {
    MoveKey::new(release(), 0, 0)
}

/// Writes a move of `r1`, its head, and the lease of its service.
async fn open(fake: &Fake, release: Option<&str>, fence: u64) -> Ledger {
    let ledger = Ledger::of(&fake.config(), "ledger");
    let sample: Value =
        serde_json::from_str(include_str!("../../../../events/deploy/register.json")).unwrap();
    let mut row = sample["move"].clone();
    (row["fence"], row["ofALaterVersion"]) = (json!(3), json!({"a": [1]}));
    ledger.put(&Key::a_move(&self::release(), 0, 0), &row).await.unwrap();
    let policy = json!({"cluster": "dev", "tag": "dev", "ofALaterVersion": 1});
    let head = json!({
        "environment": "dev", "policy": policy, "request": {}, "order": "1#", "opened": AT, "plan": "",
        "services": ["users"], "undo": null, "outcome": null, "ofALaterVersion": 1
    });
    ledger.put(&Key::head(&self::release()), &head).await.unwrap();
    let lease =
        json!({"holder": release, "release": release, "fence": fence, "since": AT, "ofALaterVersion": 1});
    let (environment, service) =
        (EnvironmentName::parse("dev").unwrap(), ServiceName::parse("users").unwrap());
    ledger.put(&Key::lease(&environment, &service), &lease).await.unwrap();
    ledger
}

fn touched() -> MoveEvent {
    MoveEvent::Touched { touched: Timestamp::parse(AT).unwrap() }
}

fn row(fake: &Fake) -> Value {
    fake.open().table.row("release#r1", "move#0#0").unwrap()
}

#[tokio::test]
async fn what_a_later_version_has_written_is_read_and_stays() {
    let fake = Fake::default();
    let ledger = open(&fake, Some("r1"), 3).await;
    let loaded = ledger.load_leased(&key()).await.unwrap();
    assert_eq!(fake.open().calls["dynamodb.BatchGetItem"], 2, "the move and its head, and the lease");
    ledger.note(&key(), &loaded.row, touched()).await.unwrap();
    assert_eq!(row(&fake)["touched"], AT);
    assert_eq!(row(&fake)["ofALaterVersion"], json!({"a": [1]}));
    let head: Option<HeadRow> = ledger.get(&Key::head(&release())).await.unwrap();
    assert_eq!(head.unwrap().policy.cluster, "dev");
}

#[tokio::test]
async fn a_lost_lease_is_found_when_the_move_is_read() {
    for (holder, fence) in [(Some("r2"), 4), (Some("r1"), 4), (None, 3)] {
        let fake = Fake::default();
        let ledger = open(&fake, holder, fence).await;
        let fault = ledger.load_leased(&key()).await.unwrap_err();
        assert_eq!(fault.name(), "LeaseLost", "{holder:?} {fence}");
        assert!(ledger.load(&key()).await.is_ok(), "who writes to no service only looks");
    }
}

#[tokio::test]
async fn a_step_is_not_noted_on_a_move_that_was_leased_anew() {
    let fake = Fake::default();
    let ledger = open(&fake, Some("r1"), 3).await;
    let loaded = ledger.load_leased(&key()).await.unwrap();
    ledger.set(&Key::a_move(&release(), 0, 0), json!({"fence": 4}), None).await.unwrap();
    let fault = ledger.note(&key(), &loaded.row, touched()).await.unwrap_err();
    assert_eq!(fault.name(), "LeaseLost");
    assert!(row(&fake)["touched"].is_null());
}

#[tokio::test]
async fn a_stop_is_read_with_the_move() {
    let fake = Fake::default();
    let ledger = open(&fake, Some("r1"), 3).await;
    assert!(ledger.load(&key()).await.unwrap().forward().is_ok());
    let stop = json!({"by": "r9", "because": "bad numbers", "since": AT, "rollback": true});
    ledger.set(&Key::head(&release()), json!({"stop": stop}), None).await.unwrap();
    let stopped = ledger.load(&key()).await.unwrap().forward().unwrap_err();
    assert_eq!(stopped, Fault::Stopped("stopped by r9: bad numbers".to_owned()));
}

#[tokio::test]
async fn a_hold_ends_when_its_image_is_verified_again_and_not_before() {
    let fake = Fake::default();
    let ledger = open(&fake, Some("r1"), 3).await;
    let row = ledger.load(&key()).await.unwrap().row;
    let other = "sha256:".to_owned() + &"c".repeat(64);
    for (held, ends) in [(row.digest.as_str(), true), (other.as_str(), false)] {
        let service = Key::service(&row.environment, &row.service);
        let hold = json!({"digest": held, "release": "r0", "since": AT});
        ledger.put(&service, &json!({"hold:shop/users": hold, "hold": hold})).await.unwrap();
        let known: ServiceRow = ledger.get(&service).await.unwrap().unwrap();
        let fact = VerifiedImage {
            repository: row.repository.clone(),
            digest: row.digest.clone(),
            commit: None,
            task_definition: row.running.clone(),
            since: Timestamp::parse(AT).unwrap(),
            release: Some(release()),
            how: Some(How::Released),
            pack: None,
        };
        let proven = Proven { fact, hold: None, evidence: true, ends_quarantine: false };
        ledger.verified(&row, &known, &proven).await.unwrap();
        let known: ServiceRow = ledger.get(&service).await.unwrap().unwrap();
        assert_eq!(known.hold(&row.repository).is_none(), ends, "{held}");
        assert_eq!(known.hold.is_none(), ends, "for an older version: {held}");
    }
}
