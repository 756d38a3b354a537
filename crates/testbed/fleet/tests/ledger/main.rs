//! The rows as the table keeps them: who may write, and what another version has written.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "this is how a test fails")]

mod calls;

use fleet::fake::Fake;
use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ids::{Digest, EnvironmentName, Registry, ReleaseId, Repository, ServiceName, Tag};
use pipeline::ledger::{Key, Ledger, MoveLedger};
use pipeline::payload::MoveKey;
use pipeline::rows::{
    FrozenRow, HeadRow, How, ListedRun, MoveEvent, MoveRow, OrderKey, Outcome, ServiceRow, VerifiedImage,
};
use release::answer::Closed;
use release::intake::push::Push;
use release::ports::{Claim, Events, Freezes, History, Proof, Proven, Releases, Runs};
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
        serde_json::from_str(include_str!("../../../../../events/deploy/register.json")).unwrap();
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
        let proof = Proof { key: &key(), row: &row, known, proven: proven(&row) };
        ledger.verified(&[proof]).await.unwrap();
        let known: ServiceRow = ledger.get(&service).await.unwrap().unwrap();
        assert_eq!(known.holds(&row.repository).is_empty(), ends, "{held}");
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

/// Returns a push of `main-7`, so many seconds after 1970, by the id of its event.
fn push(event: &str, seconds: i64) -> Push {
    Push {
        event: event.to_owned(),
        time: Timestamp::from_millis(seconds * 1000),
        registry: Registry::parse("123456789012").unwrap(),
        region: "eu-west-1".to_owned(),
        repository: Repository::parse("shop/users").unwrap(),
        digest: Digest::parse(format!("sha256:{}", "a".repeat(64))).unwrap(),
        tag: Tag::parse("main-7").unwrap(),
    }
}

async fn claim(ledger: &Ledger, push: &Push, execution: &str) -> Claim {
    let dev = EnvironmentName::parse("dev").unwrap();
    ledger.claim(&dev, push, execution, push.time).await.unwrap()
}

#[tokio::test]
async fn an_event_is_claimed_by_one_execution() {
    let fake = Fake::default();
    let ledger = Ledger::of(&fake.config(), "ledger");
    let one = push("e1", 1_000);
    assert_eq!(claim(&ledger, &one, "first").await, Claim::Ours);
    assert_eq!(claim(&ledger, &one, "second").await, Claim::Delivered("first".to_owned()));
    assert_eq!(claim(&ledger, &one, "first").await, Claim::Ours, "its own answer was lost");
}

#[tokio::test]
async fn a_push_is_claimed_by_its_event_or_by_a_sweep() {
    // What is claimed one after the other, and whether the last one gets it.
    let cases: [(&[(&str, i64)], bool); 9] = [
        (&[("sweep-1", 1_000)], true),
        (&[("sweep-1", 1_000), ("e1", 1_002)], false),
        (&[("sweep-1", 1_000), ("e1", 1_120)], false),
        (&[("sweep-1", 1_000), ("e1", 1_121)], true),
        (&[("e1", 1_002), ("sweep-1", 1_000)], false),
        (&[("e1", 879), ("sweep-1", 1_000)], true),
        (&[("e1", 9_000), ("sweep-1", 1_000)], false),
        // A tag that goes forth and back means a push each time.
        (&[("e1", 1_000), ("e2", 1_000)], true),
        (&[("e1", 1_000), ("e2", 1_050), ("e3", 1_060)], true),
    ];
    for (claims, expected) in cases {
        let fake = Fake::default();
        let ledger = Ledger::of(&fake.config(), "ledger");
        let mut last = Claim::Ours;
        for (event, seconds) in claims {
            last = claim(&ledger, &push(event, *seconds), event).await;
        }
        let first = claims[0].0.to_owned();
        assert_eq!(last, if expected { Claim::Ours } else { Claim::Found(first) }, "{claims:?}");
        let row = fake.open().table.rows().find(|(pk, ..)| *pk == "push#dev").map(|(.., row)| row).unwrap();
        assert!(row["expires"].as_i64().is_some_and(|expires| expires > 30 * 24 * 3600), "{row}");
    }
}

#[tokio::test]
async fn a_release_stands_in_the_list_of_runs_from_its_head_to_its_end() {
    let fake = Fake::default();
    let ledger = Ledger::of(&fake.config(), "ledger");
    let policy = json!({"cluster": "dev", "tag": "dev"});
    let head = json!({
        "environment": "dev", "policy": policy, "request": {}, "order": "1#", "opened": AT, "plan": "",
        "services": ["users"], "undo": null, "outcome": null
    });
    let head: HeadRow = serde_json::from_value(head).unwrap();
    let dev = &head.environment;
    let listed = ListedRun { mode: "push".to_owned(), ..ListedRun::default() };
    ledger.open(&release(), &head, &listed, &[]).await.unwrap();
    let row = || fake.open().table.row("runs#dev", "2026-11-23T10:00:00.000Z#r1").unwrap();
    assert_eq!((&row()["mode"], &row()["outcome"]), (&json!("push"), &json!(null)));
    assert!(row()["expires"].is_i64());
    // What a late call says of a run that stands there changes nothing.
    let refused = ListedRun { outcome: Some("Refused".to_owned()), ..ListedRun::default() };
    ledger.list_run(dev, head.opened, &release(), &refused).await.unwrap();
    assert_eq!(row()["outcome"], json!(null));

    let closed = Closed {
        outcome: Outcome::Deployed,
        because: "all is well".to_owned(),
        fates: Default::default(),
        moves: Vec::new(),
    };
    let later = head.opened.plus_seconds(60);
    ledger.close(&release(), &head, &closed, later).await.unwrap();
    let known = ledger.listed_runs(dev, head.opened).await.unwrap();
    assert_eq!(
        (known.len(), known[0].outcome.as_deref(), known[0].ended),
        (1, Some("Deployed"), Some(later))
    );
    assert!(ledger.listed_runs(dev, later).await.unwrap().is_empty());
    assert_eq!(fake.open().table.row("release#r1", "head").unwrap()["outcome"], "Deployed");
}

#[tokio::test]
async fn an_older_push_does_not_take_the_place_of_a_newer_one() {
    let fake = Fake::default();
    let ledger = Ledger::of(&fake.config(), "ledger");
    let service = ServiceName::parse("users").unwrap();
    let key = |seconds| OrderKey::new(Timestamp::from_millis(seconds), Timestamp::from_millis(9), None);
    for (pushed, newest) in [(2_000, 2_000), (1_000, 2_000), (3_000, 3_000)] {
        ledger.order(&dev(), &[(&service, &users())], &key(pushed)).await.unwrap();
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
        let known_before = ServiceRow::default();
        let proof = Proof { key: &key(), row: &row, known: known_before, proven: proven(&row) };
        ledger.verified(&[proof]).await.unwrap();
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

#[tokio::test]
async fn a_newer_push_of_one_service_holds_up_no_other_that_is_written_with_it() {
    let fake = Fake::default();
    let ledger = Ledger::of(&fake.config(), "ledger");
    let names = ["a", "b", "c"].map(|name| ServiceName::parse(name).unwrap());
    let (repository, key) =
        (users(), |seconds| OrderKey::new(Timestamp::from_millis(seconds), Timestamp::from_millis(9), None));
    ledger.order(&dev(), &[(&names[1], &repository)], &key(3_000)).await.unwrap();
    let places: Vec<_> = names.iter().map(|name| (name, &repository)).collect();
    ledger.order(&dev(), &places, &key(2_000)).await.unwrap();
    let known = ledger.services(&dev(), None).await.unwrap();
    let newest = names.each_ref().map(|name| known[name].order(&repository));
    assert_eq!(newest, [Some(key(2_000)), Some(key(3_000)), Some(key(2_000))]);
    assert_eq!(fake.open().calls["dynamodb.TransactWriteItems"], 1, "one alone needs no transaction");
}
