//! The rows as the table keeps them: who may write, and what another version has written.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "this is how a test fails")]

use fleet::fake::Fake;
use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ids::{Digest, EnvironmentName, ReleaseId, Repository, ServiceName};
use pipeline::ledger::{Key, Ledger, MoveLedger};
use pipeline::payload::MoveKey;
use pipeline::rows::{FrozenRow, HeadRow, How, MoveEvent, MoveRow, OrderKey, ServiceRow, VerifiedImage};
use release::ports::{Events, Freezes, History, Proven};
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

/// What a deployed move has shown.
fn proven(row: &MoveRow) -> Proven {
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
    Proven { fact, hold: None, evidence: true, ends_quarantine: false }
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
        ledger.verified(&row, &known, &proven(&row)).await.unwrap();
        let known: ServiceRow = ledger.get(&service).await.unwrap().unwrap();
        assert_eq!(known.hold(&row.repository).is_none(), ends, "{held}");
        assert_eq!(known.hold.is_none(), ends, "for an older version: {held}");
    }
}

fn dev() -> EnvironmentName {
    EnvironmentName::parse("dev").unwrap()
}

fn users() -> Repository {
    Repository::parse("shop/users").unwrap()
}

fn image(letter: &str) -> Digest {
    Digest::parse(format!("sha256:{}", letter.repeat(64))).unwrap()
}

/// What the ledger knows of the service `users`.
async fn known(ledger: &Ledger) -> ServiceRow {
    let rows = ledger.services(&dev(), None).await.unwrap();
    rows.into_values().next().unwrap()
}

#[tokio::test]
async fn an_event_is_claimed_by_one_execution() {
    let fake = Fake::default();
    let ledger = Ledger::of(&fake.config(), "ledger");
    let claim = async |execution| ledger.claim("e1", execution, Timestamp::from_millis(0)).await.unwrap();
    assert_eq!(claim("first").await, None);
    assert_eq!(claim("second").await.as_deref(), Some("first"));
    assert_eq!(claim("first").await, None, "its own answer was lost");
}

#[tokio::test]
async fn an_older_push_does_not_take_the_place_of_a_newer_one() {
    let fake = Fake::default();
    let ledger = Ledger::of(&fake.config(), "ledger");
    let service = ServiceName::parse("users").unwrap();
    let key = |seconds| OrderKey::new(Timestamp::from_millis(seconds), Timestamp::from_millis(9), None);
    for (pushed, newest) in [(2_000, 2_000), (1_000, 2_000), (3_000, 3_000)] {
        ledger.order(&dev(), &service, &users(), &key(pushed)).await.unwrap();
        assert_eq!(known(&ledger).await.order(&users()), Some(key(newest)), "{pushed}");
    }
    assert_eq!(fake.open().strange, Vec::<String>::new());
}

#[tokio::test]
async fn the_freeze_of_a_release_leaves_a_persons_as_it_is() {
    let fake = Fake::default();
    let ledger = Ledger::of(&fake.config(), "ledger");
    let freeze = async |by, frozen, automatic| {
        let (by, since) = (ReleaseId::parse(by).unwrap(), Timestamp::parse(AT).unwrap());
        let row = FrozenRow { frozen, by, because: "it".to_owned(), since, automatic };
        ledger.freeze(&dev(), &row).await.unwrap();
        ledger.frozen(&dev()).await.unwrap().map(|row| row.by.to_string())
    };
    assert_eq!(freeze("r1", true, true).await.as_deref(), Some("r1"), "nobody froze it before");
    assert_eq!(freeze("r9", true, false).await.as_deref(), Some("r9"));
    assert_eq!(freeze("r2", true, true).await.as_deref(), Some("r9"));
    assert_eq!(freeze("r9", false, false).await, None);
    assert_eq!(freeze("r2", true, true).await.as_deref(), Some("r2"), "the person has resumed it");
    assert_eq!(fake.open().strange, Vec::<String>::new());
}

#[tokio::test]
async fn what_is_shown_under_an_earlier_lease_is_not_kept() {
    let fake = Fake::default();
    let ledger = open(&fake, Some("r1"), 3).await;
    let row = ledger.load(&key()).await.unwrap().row;
    for (fence, letter, verified) in [(4, "c", "c"), (3, "b", "c"), (5, "d", "d")] {
        let row = MoveRow { fence, digest: image(letter), ..row.clone() };
        ledger.verified(&row, &ServiceRow::default(), &proven(&row)).await.unwrap();
        assert_eq!(known(&ledger).await.verified(&users()).unwrap().digest, image(verified), "{fence}");
        let evidence = ledger.evidence(&dev(), &[(users(), image(letter))]).await.unwrap();
        assert_eq!(evidence.len(), usize::from(letter == verified), "{fence}");
    }
    assert_eq!(fake.open().strange, Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_value_of_a_type_that_is_not_known_is_refused_by_its_row() {
    let fake = Fake::default();
    let ledger = Ledger::of(&fake.config(), "ledger");
    for value in [json!({"NEW": "x"}), json!({"L": [{"M": {"a": {"NEW": "x"}}}]})] {
        let item = json!({"pk": {"S": "release#r1"}, "sk": {"S": "head"}, "later": value});
        fake.open().answer("dynamodb.PutItem", &json!({"TableName": "ledger", "Item": item})).unwrap();
        let fault = ledger.get::<HeadRow>(&Key::head(&release())).await.unwrap_err();
        let said = fault.to_string();
        assert!(said.starts_with("the row release#r1 head is unreadable: an attribute has a type"), "{said}");
    }
}
