//! The leases and the moves under them, as the table keeps them.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "this is how a test fails")]

use fleet::fake::Fake;
use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ids::{EnvironmentName, ReleaseId, ServiceName};
use pipeline::ledger::{Key, Ledger};
use pipeline::payload::MoveKey;
use pipeline::rows::MoveRow;
use release::Run;
use release::plan::waves::Numbered;
use release::ports::{History, Leases, Releases};
use serde_json::{Value, json};

fn release() -> ReleaseId {
    ReleaseId::parse("r1").unwrap()
}

fn dev() -> EnvironmentName {
    EnvironmentName::parse("dev").unwrap()
}

fn services(fences: &[(&str, u64)]) -> Vec<(ServiceName, u64)> {
    fences.iter().map(|(name, fence)| (ServiceName::parse(*name).unwrap(), *fence)).collect()
}

async fn take(ledger: &Ledger, release: &str, leases: &[(&str, u64)]) -> Option<String> {
    let (release, execution) = (ReleaseId::parse(release).unwrap(), format!("execution of {release}"));
    let run = Run { release, execution, machine: String::new(), redrives: Some(0) };
    let refused = ledger.take(&dev(), &services(leases), &run, Timestamp::from_millis(0)).await.unwrap();
    refused.map(|service| service.to_string())
}

fn move_of(service: &str, fence: u64) -> MoveRow {
    let sample = include_str!("../../../../events/deploy/register.json");
    let sample: Value = serde_json::from_str(sample).unwrap();
    let row: MoveRow = serde_json::from_value(sample["move"].clone()).unwrap();
    let (service, environment) = (ServiceName::parse(service).unwrap(), dev());
    MoveRow { service, environment, fence, started: None, touched: None, ..row }
}

async fn write(ledger: &Ledger, moves: &[(&str, u64)]) -> Result<(), Fault> {
    let numbered = (0..).zip(moves).map(|(n, (service, fence))| (0, n, move_of(service, *fence)));
    let known = ledger.services(&dev(), None).await.unwrap();
    ledger.write(&release(), &numbered.collect::<Vec<Numbered>>(), &known).await
}

fn table() -> (Fake, Ledger) {
    let fake = Fake::default();
    let ledger = Ledger::of(&fake.config(), "ledger");
    (fake, ledger)
}

fn lease(fake: &Fake, service: &str) -> Value {
    fake.open().table.row("env#dev", &format!("lease#{service}")).unwrap_or_default()
}

fn last(fake: &Fake, service: &str) -> Value {
    fake.open().table.row("env#dev", &format!("service#{service}")).unwrap()["last"].clone()
}

#[tokio::test]
async fn leases_are_taken_all_or_none_and_the_one_that_is_lost_is_named() {
    let (fake, ledger) = table();
    assert_eq!(take(&ledger, "r0", &[("b", 1)]).await, None);
    assert_eq!(take(&ledger, "r1", &[("a", 1), ("b", 1), ("c", 1)]).await.as_deref(), Some("b"));
    assert!(lease(&fake, "a").is_null() && lease(&fake, "c").is_null());
    assert_eq!(take(&ledger, "r1", &[("a", 1), ("b", 2), ("c", 1)]).await, None);
    assert_eq!((&lease(&fake, "b")["release"], &lease(&fake, "b")["fence"]), (&json!("r1"), &json!(2)));
    assert_eq!(fake.open().strange, Vec::<String>::new());
}

#[tokio::test]
async fn a_lease_is_freed_under_its_number_alone() {
    let (fake, ledger) = table();
    take(&ledger, "r1", &[("a", 1)]).await;
    take(&ledger, "r1", &[("a", 2)]).await;
    let a = ServiceName::parse("a").unwrap();
    for (fence, holder) in [(1, json!("r1")), (2, Value::Null)] {
        ledger.free(&dev(), &[(&a, fence)], &release(), Timestamp::from_millis(1)).await.unwrap();
        assert_eq!(lease(&fake, "a")["release"], holder, "{fence}");
    }
    assert_eq!(lease(&fake, "a")["fence"], 2);
}

#[tokio::test]
async fn moves_are_written_under_leases_that_are_held_and_never_once_they_have_begun() {
    let (fake, ledger) = table();
    take(&ledger, "r1", &[("a", 1), ("b", 1)]).await;
    take(&ledger, "r1", &[("b", 2)]).await;
    assert_eq!(write(&ledger, &[("a", 1), ("b", 1)]).await.unwrap_err().name(), "LeaseLost");
    assert!(fake.open().table.list("release#r1", "move#").is_empty());
    for _ in 0..2 {
        write(&ledger, &[("a", 1), ("b", 2)]).await.unwrap();
    }
    let key = Key::a_move(&release(), 0, 1);
    ledger.set(&key, json!({"started": "2026-11-23T10:00:00Z"}), None).await.unwrap();
    assert_eq!(write(&ledger, &[("a", 1), ("b", 2)]).await.unwrap_err().name(), "LeaseLost");
    let row = fake.open().table.row("release#r1", "move#0#1").unwrap();
    assert_eq!(row["started"], "2026-11-23T10:00:00Z");
    assert_eq!(fake.open().strange, Vec::<String>::new());
}

#[tokio::test]
async fn a_move_is_forgotten_unless_a_later_call_wrote_it() {
    let (fake, ledger) = table();
    take(&ledger, "r1", &[("a", 1), ("b", 5)]).await;
    take(&ledger, "r1", &[("a", 2)]).await;
    write(&ledger, &[("a", 2)]).await.unwrap();
    let key = MoveKey::new(release(), 0, 0);
    for (service, fence, left) in [("a", 1, 1), ("b", 5, 1), ("a", 2, 0)] {
        ledger.forget(&key, &ServiceName::parse(service).unwrap(), fence).await.unwrap();
        assert_eq!(fake.open().table.list("release#r1", "move#").len(), left, "{service} {fence}");
    }
}

#[tokio::test]
async fn a_service_that_is_not_held_after_all_is_left_to_the_release_before() {
    let (fake, ledger) = table();
    let a = ServiceName::parse("a").unwrap();
    ledger.set(&Key::service(&dev(), &a), json!({"last": "r0"}), None).await.unwrap();
    take(&ledger, "r1", &[("a", 1), ("b", 1)]).await;
    for _ in 0..2 {
        write(&ledger, &[("a", 1), ("b", 1)]).await.unwrap();
        assert_eq!((last(&fake, "a"), last(&fake, "b")), (json!("r1"), json!("r1")));
    }
    take(&ledger, "r1", &[("a", 2)]).await;
    for (fence, expected) in [(1, "r1"), (2, "r0")] {
        ledger.disown(&release(), &move_of("a", 1), Some(fence)).await.unwrap();
        assert_eq!(last(&fake, "a"), expected, "{fence}");
    }
    ledger.disown(&release(), &move_of("b", 1), None).await.unwrap();
    assert_eq!(last(&fake, "b"), Value::Null);
    assert_eq!(fake.open().strange, Vec::<String>::new());
}
