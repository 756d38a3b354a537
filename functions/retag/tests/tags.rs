//! The environment's tag where time, another release or a missing image is in the way.

#![expect(clippy::unwrap_used, reason = "this is how a test fails")]

mod shelf;

use std::cell::Cell;
use std::time::Duration;

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ids::{ReleaseId, ServiceName};
use pipeline::ledger::Loaded;
use pipeline::rows::{MoveRow, RepositoryRow, RollbackScope, Stop, Verdict};
use retag::registry::Changed;
use retag::{Request, Response, Retag};
use serde_json::{Value, json};
use shelf::{Shelf, digest};
use testbed::moves::Moves;

fn now() -> Timestamp {
    Timestamp::from_millis(1_795_000_000_000)
}

/// Returns the move of a service from one image to another.
fn row(service: &str, from: char, to: char) -> MoveRow {
    let sample: Value = serde_json::from_str(include_str!("../../../events/retag/good.json")).unwrap();
    let row: MoveRow = serde_json::from_value(sample.get("move").unwrap().clone()).unwrap();
    let restore = row.restore.map(|restore| pipeline::rows::RestorePoint { digest: digest(from), ..restore });
    MoveRow { service: ServiceName::parse(service).unwrap(), digest: digest(to), restore, ..row }
}

async fn ask(shelf: &Shelf, what: &str, release: &str, found: Loaded) -> Result<Response, Fault> {
    let request = json!({"do": what, "release": release, "wave": 0, "move": 0});
    let moves = Moves { found: Some(found), ..Moves::default() };
    Retag { port: shelf, moves }.handle(serde_json::from_value(request).unwrap(), now()).await
}

async fn tag(shelf: &Shelf, release: &str, row: &MoveRow) -> Response {
    ask(shelf, "move", release, Loaded::given(row)).await.unwrap()
}

/// Puts the tags of a release back whose only move failed before its service was touched.
async fn restore(shelf: &mut Shelf, release: &str, row: &MoveRow) -> Response {
    let started = Some(now());
    let before = row.restore.as_ref().map(|restore| restore.digest.clone());
    let (registry, repository) = (row.registry.clone(), row.repository.clone());
    let repository = RepositoryRow { registry, repository, tag: row.tag.clone(), before, failure: None };
    let failed = MoveRow { started, verdict: Some(Verdict::Unhealthy), ..row.clone() };
    shelf.changed = Some(Changed { repository, moves: vec![failed], rollback: Some(RollbackScope::All) });
    let request: Request =
        serde_json::from_value(json!({"do": "restore", "release": release, "repository": 0})).unwrap();
    Retag { port: &*shelf, moves: Moves::default() }.handle(request, now()).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_tag_is_announced_with_the_time_of_its_write() {
    let shelf = Shelf { slow: Duration::from_secs(20), ..Shelf::of(&['a', 'b']) };
    tag(&shelf, "r1", &row("users", 'a', 'b')).await;
    assert_eq!(shelf.announced.take(), [now().plus_seconds(20)]);
}

#[tokio::test(start_paused = true)]
async fn a_tag_that_goes_back_stays_with_a_later_release_of_another_service() {
    let (users, orders) = (row("users", 'a', 'b'), row("orders", 'a', 'c'));
    for (first, then, left) in [("r1", "r2", 'c'), ("r2", "r1", 'b')] {
        let mut shelf = Shelf::of(&['a', 'b', 'c']);
        tag(&shelf, "r1", &users).await;
        tag(&shelf, "r2", &orders).await;
        // A repeat of the earlier one does not take the tag from the later one.
        tag(&shelf, "r1", &users).await;
        assert_eq!(shelf.tags.borrow()["dev"], digest('c'));
        let of = |release| if release == "r1" { &users } else { &orders };
        let answer = restore(&mut shelf, first, of(first)).await;
        assert_eq!(answer, Response::Restored { restored: Some(digest(left)) });
        assert_eq!(shelf.tags.borrow()["dev"], digest(left), "{first} went back");
        restore(&mut shelf, then, of(then)).await;
        assert_eq!(shelf.tags.borrow()["dev"], digest('a'), "{first} and {then} went back");
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_releases_at_the_same_moment_one_tries_again() {
    let shelf = Shelf { overtaken: true, ..Shelf::of(&['a', 'b']) };
    let fault = ask(&shelf, "move", "r1", Loaded::given(&row("users", 'a', 'b'))).await.unwrap_err();
    assert!(Fault::RETRIED.contains(&fault.name()), "{fault}");
    assert_eq!(shelf.tags.borrow()["dev"], digest('a'));
}

#[tokio::test(start_paused = true)]
async fn two_moves_of_one_repository_that_begin_at_once_both_begin() {
    let shelf = Shelf { conflicts: Cell::new(2), ..Shelf::of(&['a', 'b']) };
    tag(&shelf, "r1", &row("users", 'a', 'b')).await;
    assert_eq!(shelf.tags.borrow()["dev"], digest('b'));
    // If it goes on, the machine tries again.
    let shelf = Shelf { conflicts: Cell::new(3), ..Shelf::of(&['a', 'b']) };
    let fault = ask(&shelf, "move", "r1", Loaded::given(&row("users", 'a', 'b'))).await.unwrap_err();
    assert!(Fault::RETRIED.contains(&fault.name()), "{fault}");
}

#[tokio::test(start_paused = true)]
async fn an_image_that_is_gone_holds_up_no_other_tag_and_is_told() {
    let mut shelf = Shelf::of(&['b', 'c']);
    let mut users = row("users", 'a', 'b');
    users.restore.as_mut().unwrap().before = Some(digest('c'));
    let answer = restore(&mut shelf, "r1", &users).await;
    let why = format!("the image {}, which dev must name, does not exist", digest('a'));
    assert_eq!(answer, Response::Gone { gone: why.clone() });
    let written = ["tidegate.dev.users.previous -> cccccccccccc".to_owned(), format!("NotFound: {why}")];
    assert_eq!(shelf.written.take(), written);
}

#[tokio::test(start_paused = true)]
async fn a_release_that_somebody_stopped_tags_nothing() {
    let (by, because) = (ReleaseId::parse("r9").unwrap(), "bad numbers".to_owned());
    let stop = Some(Stop { by, because, since: now(), rollback: true });
    let shelf = Shelf::of(&['a', 'b']);
    for what in ["reserve", "move"] {
        let found = Loaded { stop: stop.clone(), ..Loaded::given(&row("users", 'a', 'b')) };
        let fault = ask(&shelf, what, "r1", found).await.unwrap_err();
        assert_eq!(fault, Fault::Stopped("stopped by r9: bad numbers".to_owned()), "{what}");
    }
    assert!(shelf.written.borrow().is_empty());
}
