//! Reads and writes that share a call, with others or with nobody else.

use fleet::fake::Fake;
use pipeline::clock::Timestamp;
use pipeline::ids::{ReleaseId, ServiceName};
use pipeline::ledger::{Key, Ledger, MoveLedger, Write};
use pipeline::rows::{HeadRow, MoveRow, Outcome, ServiceRow};
use release::answer::Closed;
use release::ports::{Ending, History, Proof, Releases};
use serde_json::{Value, json};

use crate::{AT, dev, key, open, proven, release, users};

fn other() -> ReleaseId {
    ReleaseId::parse("r2").unwrap()
}

#[tokio::test]
async fn reads_that_are_asked_for_at_once_share_a_call() {
    let fake = Fake::default();
    let ledger = open(&fake, Some("r1"), 3).await;
    let calls = || fake.open().calls.get("dynamodb.BatchGetItem").copied().unwrap_or_default();
    let (key, head) = (Key::a_move(&release(), 0, 0), Key::head(&release()));
    let (lease, nothing) = (Key::lease(&dev(), &ServiceName::parse("users").unwrap()), Key::head(&other()));
    let twice = [key.clone(), head.clone(), key];
    let (a, b, c) = tokio::join!(
        ledger.get::<Value>(&lease),
        ledger.get_all::<Value>(&twice),
        ledger.get::<Value>(&nothing),
    );
    assert_eq!((a.unwrap().unwrap()["fence"].clone(), b.unwrap().len(), c.unwrap()), (json!(3), 2, None));
    assert_eq!(calls(), 1);
    // One after the other they do not, and each finds what was written before.
    ledger.set(&head, json!({"waits": AT}), None).await.unwrap();
    assert_eq!(ledger.get::<Value>(&head).await.unwrap().unwrap()["waits"], AT);
    assert_eq!(calls(), 2);
    // A call of DynamoDB reads 100 rows.
    let many: Vec<Key> = (0..150).map(|n| Key::a_move(&release(), 1, n)).collect();
    let one = [head];
    let (some, none) = tokio::join!(ledger.get_all::<Value>(&one), ledger.get_all::<Value>(&many));
    assert_eq!((some.unwrap().len(), none.unwrap().len(), calls()), (1, 0, 4));
    assert!(ledger.get_all::<Value>(&[]).await.unwrap().is_empty());
    assert_eq!((calls(), fake.open().strange.clone()), (4, Vec::<String>::new()));
}

#[tokio::test]
async fn a_read_that_was_given_up_is_none_that_others_wait_for() {
    let fake = Fake::default();
    let ledger = open(&fake, Some("r1"), 3).await;
    let head = Key::head(&release());
    tokio::select! {
        biased;
        _ = ledger.get::<Value>(&head) => panic!("it needs a call"),
        () = std::future::ready(()) => {}
    }
    assert!(ledger.get::<Value>(&head).await.unwrap().is_some());
}

#[tokio::test]
async fn groups_of_writes_share_a_call_and_each_is_whole_or_not_done() {
    let fake = Fake::default();
    let ledger = Ledger::of(&fake.config(), "ledger");
    let calls = || std::mem::take(&mut fake.open().calls).into_iter().collect::<Vec<_>>();
    let new = |n, on: &str| Write::put(Key::a_move(&release(), 0, n), &json!({"on": on})).unwrap();
    let once = |n, on: &str| new(n, on).when(("attribute_not_exists(pk)", json!({})));
    let groups =
        |on: &str| vec![vec![once(0, on), new(1, on)], vec![new(2, on)], vec![once(3, on), new(4, on)]];
    assert_eq!(ledger.write_groups(&groups("a")).await.unwrap(), [true; 3]);
    assert_eq!(calls(), [("dynamodb.TransactWriteItems".to_owned(), 1)]);
    ledger.delete(&Key::a_move(&release(), 0, 3), None).await.unwrap();
    assert_eq!(ledger.write_groups(&groups("b")).await.unwrap(), [false, true, true]);
    let on = |n| fake.open().table.row("release#r1", &format!("move#0#{n}")).unwrap()["on"].clone();
    assert_eq!([on(0), on(1), on(2), on(3), on(4)], ["a", "a", "b", "b", "b"].map(|on| json!(on)));
    calls();
    // DynamoDB takes one write of a row in a call, and this takes 25 writes.
    assert_eq!(ledger.write_groups(&[vec![new(0, "c")], vec![new(0, "d")]]).await.unwrap(), [true; 2]);
    assert_eq!((on(0), calls()), (json!("d"), vec![("dynamodb.TransactWriteItems".to_owned(), 2)]));
    let many: Vec<Vec<Write>> = (0..30).map(|n| vec![new(n, "e")]).collect();
    assert_eq!(ledger.write_groups(&many).await.unwrap().len(), 30);
    assert_eq!(calls(), [("dynamodb.TransactWriteItems".to_owned(), 2)]);
    assert_eq!(fake.open().strange, Vec::<String>::new());
}

#[tokio::test]
async fn many_services_of_one_image_are_verified_in_few_calls() {
    let fake = Fake::default();
    let ledger = open(&fake, Some("r1"), 3).await;
    let row = ledger.load(&key()).await.unwrap().row;
    let rows: Vec<MoveRow> = (0..30)
        .map(|n| MoveRow { service: ServiceName::parse(format!("s{n}")).unwrap(), ..row.clone() })
        .collect();
    let key = key();
    let proof = |row| Proof { key: &key, row, known: ServiceRow::default(), proven: proven(row) };
    let proofs: Vec<Proof<'_>> = rows.iter().map(proof).collect();
    fake.open().calls.clear();
    ledger.verified(&proofs).await.unwrap();
    assert_eq!(fake.open().calls.values().sum::<u64>(), 3, "30 rows of services, and one of the image");
    assert_eq!(ledger.services(&dev(), None).await.unwrap().len(), 30);
    assert_eq!(fake.open().strange, Vec::<String>::new());
}

#[tokio::test]
async fn a_good_release_ends_in_one_call_and_one_that_something_has_changed_not_at_all() {
    let of_the_head =
        [json!({"stop": {"by": "r9"}}), json!({"undo": "all"}), json!({"outcome": "NeedsHuman"})];
    let cases = of_the_head.into_iter().map(|fields| (Key::head(&release()), fields));
    let of_the_move = [json!({"verdict": "Unhealthy"}), json!({"fence": 4})];
    let cases = cases.chain(of_the_move.into_iter().map(|fields| (Key::a_move(&release(), 0, 0), fields)));
    let lost = (Key::lease(&dev(), &ServiceName::parse("users").unwrap()), json!({"release": "r2"}));
    for changed in [None].into_iter().chain(cases.chain([lost]).map(Some)) {
        let fake = Fake::default();
        let ledger = open(&fake, Some("r1"), 3).await;
        ledger.set(&Key::a_move(&release(), 0, 0), json!({"verdict": "Healthy"}), None).await.unwrap();
        let row = ledger.load(&key()).await.unwrap().row;
        let head: HeadRow = ledger.get(&Key::head(&release())).await.unwrap().unwrap();
        if let Some((key, fields)) = &changed {
            ledger.set(key, fields.clone(), None).await.unwrap();
        }
        let closed = Closed {
            outcome: Outcome::Deployed,
            because: "all is well".to_owned(),
            fates: Default::default(),
            moves: Vec::new(),
        };
        let (known, now) = (ServiceRow::default(), Timestamp::parse(AT).unwrap());
        let proofs = [Proof { key: &key(), row: &row, known, proven: proven(&row) }];
        let (release, leases) = (release(), [(&row.service, 3)]);
        let ending = Ending { release: &release, head: &head, closed: &closed, leases: &leases, now };
        let before = fake.open().table.rows().map(|(.., row)| row.to_string()).collect::<Vec<_>>();
        fake.open().calls.clear();
        assert_eq!(ledger.end(&ending, &proofs).await.unwrap(), changed.is_none(), "{changed:?}");
        assert_eq!(fake.open().calls.values().sum::<u64>(), 1);
        if changed.is_some() {
            let after = fake.open().table.rows().map(|(.., row)| row.to_string()).collect::<Vec<_>>();
            assert_eq!(before, after, "{changed:?}");
            continue;
        }
        assert!(fake.open().table.row("env#dev", "lease#users").unwrap()["holder"].is_null());
        assert!(ledger.services(&dev(), None).await.unwrap()[&row.service].verified.is_some());
        assert!(ledger.evidence(&dev(), &[(users(), row.digest.clone())]).await.unwrap().len() == 1);
        let end: Value = ledger.get(&Key::head(&release)).await.unwrap().unwrap();
        assert_eq!(end["outcome"], "Deployed");
        assert_eq!(fake.open().strange, Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_move_goes_on_while_its_service_is_held_and_nothing_of_its_release_is_given_up() {
    let lease = Key::lease(&dev(), &ServiceName::parse("users").unwrap());
    for (changed, goes_on) in [
        (None, true),
        (Some((lease.clone(), json!({"release": "r2"}))), false),
        (Some((lease, json!({"fence": 4}))), false),
        (Some((Key::head(&release()), json!({"stop": {"by": "r9"}}))), false),
        (Some((Key::head(&release()), json!({"failed": "carts"}))), false),
    ] {
        let fake = Fake::default();
        let ledger = open(&fake, Some("r1"), 3).await;
        let row = ledger.load(&key()).await.unwrap().row;
        if let Some((key, fields)) = &changed {
            ledger.set(key, fields.clone(), None).await.unwrap();
        }
        let others = vec![key().held(&row), key().goes_on()];
        let noted = ledger.note_with(&key(), &row, crate::touched(), others).await.unwrap();
        assert_eq!(noted, goes_on, "{changed:?}");
        assert_eq!(crate::row(&fake)["touched"].is_null(), !goes_on, "{changed:?}");
    }
}
