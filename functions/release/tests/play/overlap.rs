//! Two at once: another release, or another call of the same one.

use pipeline::clock::Timestamp;
use pipeline::ids::{ReleaseId, ServiceName};
use pipeline::rows::{LeaseRow, MoveRow, ServiceRow, Stop, Verdict};
use release::Release;
use release::ports::{Execution, Releases};
use serde_json::{Value, json};

use crate::notebook::Notebook;
use crate::run::{ask, hold, opened};
use crate::shop::Shop;

type Played = Release<Shop, Notebook>;

async fn lease(release: &Played, now: &str) -> Value {
    ask(release, "lease", json!({}), now).await
}

async fn close(release: &Played) -> Value {
    ask(release, "close", json!({"outcome": "", "because": ""}), "2026-11-23T10:20:00Z").await
}

fn users() -> ServiceName {
    ServiceName::parse("users").unwrap()
}

fn held(release: &Played) -> LeaseRow {
    release.ledger.leases.borrow()[&users()].clone()
}

/// Lets the move of a leased release be deployed, and decided so.
fn decided(release: &Played, verdict: Verdict) {
    let row = &mut release.ledger.moves.borrow_mut()[0].1;
    let at = Some(Timestamp::parse("2026-11-23T10:00:30Z").unwrap());
    (row.started, row.touched, row.decided, row.verdict) = (at, at, at, Some(verdict));
}

/// Lets `r2` take the service over, and free it again if it has ended.
fn taken_over(release: &Played, ended: bool) {
    let r2 = Some(ReleaseId::parse("r2").unwrap()).filter(|_| !ended);
    let since = Timestamp::parse("2026-11-23T10:10:00Z").unwrap();
    let lease = LeaseRow { holder: r2.as_ref().map(ToString::to_string), release: r2, fence: 2, since };
    release.ledger.leases.borrow_mut().insert(users(), lease);
}

#[tokio::test]
async fn what_another_release_has_taken_over_is_judged_as_superseded() {
    for (ended, why) in [
        (false, "release r2 has taken the service over"),
        (true, "another release has taken the service over, and has ended"),
    ] {
        let release = opened().await;
        lease(&release, "2026-11-23T10:00:01Z").await;
        decided(&release, Verdict::Healthy);
        taken_over(&release, ended);
        release.ledger.written.take();
        let judged = ask(&release, "judge", json!({"wave": 0}), "2026-11-23T10:20:00Z").await;
        assert_eq!(judged["next"], "Done");
        assert_eq!(release.ledger.written.take(), [format!("Superseded users: {why}")]);
        let closed = close(&release).await;
        assert_eq!(closed["outcome"], "Superseded");
        assert_eq!(closed["because"], format!("users: {why}"));
        assert_eq!(release.ledger.written.take(), ["close Superseded"]);
    }
}

#[tokio::test]
async fn a_close_that_comes_after_another_release_proves_nothing_and_frees_nothing() {
    for verdict in [Verdict::Healthy, Verdict::Unhealthy] {
        let release = opened().await;
        lease(&release, "2026-11-23T10:00:01Z").await;
        decided(&release, verdict);
        taken_over(&release, false);
        release.ledger.written.take();
        for _ in 0..2 {
            assert_eq!(close(&release).await["outcome"], "Superseded");
        }
        let why = "Superseded users: release r2 has taken the service over";
        assert_eq!(release.ledger.written.take(), [why, "close Superseded"]);
        let done = release.aws.done.take();
        assert!(!done.iter().any(|what| what.starts_with("start")), "{done:?}");
        assert_eq!((held(&release).release.unwrap().to_string().as_str(), held(&release).fence), ("r2", 2));
    }
}

#[tokio::test]
async fn what_another_release_has_taken_over_and_left_in_place_needs_a_person() {
    let taken = "release r2 has taken the service over";
    let stays = "; it runs what r1 deployed all the same: look how that one ends";
    for (ours, verified, outcome) in
        [(false, false, "Superseded"), (true, false, "NeedsHuman"), (true, true, "Superseded")]
    {
        let release = opened().await;
        lease(&release, "2026-11-23T10:00:01Z").await;
        decided(&release, Verdict::Unhealthy);
        taken_over(&release, false);
        let running = release.ledger.moves.borrow()[0].1.running.clone();
        release.ledger.moves.borrow_mut()[0].1.registered = Some(running).filter(|_| ours);
        if verified {
            // What took it over has tested what it found there.
            let MoveRow { repository, digest, registered, .. } = release.ledger.moves.borrow()[0].1.clone();
            let fact = json!({"repository": repository, "digest": digest, "taskDefinition": registered,
                "since": "2026-11-23T10:15:00Z", "release": "r2"});
            release.ledger.know("dev", "users", serde_json::from_value(json!({"verified": fact})).unwrap());
        }
        release.ledger.written.take();
        // The second call finds what the first one has written.
        for _ in 0..2 {
            let closed = close(&release).await;
            assert_eq!((&closed["outcome"], &closed["fates"]), (&json!(outcome), &fate(outcome)));
        }
        let lost = format!("Superseded users: {taken}");
        let said = (ours && !verified).then(|| format!("Inconclusive users: {taken}{stays}"));
        let written: Vec<String> =
            [lost].into_iter().chain(said).chain([format!("close {outcome}")]).collect();
        assert_eq!(release.ledger.written.take(), written);
    }
}

fn fate(outcome: &str) -> Value {
    if outcome == "NeedsHuman" { json!({"needs-human": 1}) } else { json!({"superseded": 1}) }
}

#[tokio::test]
async fn a_call_that_was_given_up_wipes_no_move_that_is_under_way() {
    for plans_otherwise in [false, true] {
        let release = opened().await;
        release.aws.stalls.set(true);
        let late = lease(&release, "2026-11-23T10:00:01Z");
        let later = async {
            let leased = lease(&release, "2026-11-23T10:00:05Z").await;
            decided(&release, Verdict::Healthy);
            // What a call sees when its cluster cannot be read to the end: it holds nothing then.
            *release.aws.unread.borrow_mut() = usize::from(plans_otherwise);
            release.aws.stalled.set(false);
            leased
        };
        let (late, later) = tokio::join!(late, later);
        assert_eq!((&late["next"], &later["next"]), (&json!("Waiting"), &json!("Wave")));
        let moves = release.ledger.moves.borrow();
        assert_eq!(moves.len(), 1, "{plans_otherwise}");
        assert_eq!((moves[0].1.fence, moves[0].1.verdict), (2, Some(Verdict::Healthy)));
        assert!(held(&release).is_held_by(&ReleaseId::parse("r1").unwrap(), 2), "{plans_otherwise}");
        assert_eq!(release.ledger.services.borrow().values().next().unwrap().last, held(&release).release);
    }
}

#[tokio::test]
async fn a_call_that_began_before_the_leases_were_taken_takes_none() {
    let release = opened().await;
    assert_eq!(lease(&release, "2026-11-23T10:00:05Z").await["next"], "Wave");
    let late = lease(&release, "2026-11-23T10:00:01Z").await;
    assert_eq!(late["because"], "users is held by a later call of this release");
    assert_eq!(held(&release).fence, 1);
}

#[tokio::test]
async fn a_call_that_comes_when_the_moves_have_begun_leaves_their_leases_alone() {
    for stopped in [false, true] {
        let release = opened().await;
        assert_eq!(lease(&release, "2026-11-23T10:00:01Z").await["next"], "Wave");
        decided(&release, Verdict::Healthy);
        if stopped {
            let (by, since) =
                (ReleaseId::parse("r2").unwrap(), Timestamp::parse("2026-11-23T10:00:40Z").unwrap());
            let stop = Stop { by, since, because: "enough".to_owned(), rollback: true };
            release.ledger.stop(&ReleaseId::parse("r1").unwrap(), &stop).await.unwrap();
        }
        let request = json!({"do": "lease", "release": "r1", "execution": "e"});
        let now = Timestamp::parse("2026-11-23T10:05:00Z").unwrap();
        let late = release.handle(serde_json::from_value(request).unwrap(), now).await;
        assert_eq!(late.unwrap_err().name(), "LeaseLost", "{stopped}");
        assert_eq!((held(&release).fence, release.ledger.moves.borrow().len()), (1, 1), "{stopped}");
        assert!(held(&release).release.is_some(), "{stopped}");
    }
}

#[tokio::test]
async fn a_call_that_comes_when_the_release_is_closed_changes_nothing() {
    let release = opened().await;
    assert_eq!(lease(&release, "2026-11-23T10:00:01Z").await["next"], "Wave");
    decided(&release, Verdict::Healthy);
    let close = json!({"do": "close", "release": "r1", "execution": "e", "outcome": "Deployed"});
    let call = async |request: &Value| {
        let now = Timestamp::parse("2026-11-23T10:05:00Z").unwrap();
        release.handle(serde_json::from_value(request.clone()).unwrap(), now).await
    };
    call(&close).await.unwrap();
    let left = || (release.ledger.moves.borrow().clone(), release.ledger.services.borrow().clone());
    let before = left();
    for late in [
        json!({"do": "lease", "release": "r1", "execution": "e"}),
        json!({"do": "ask", "release": "r1", "execution": "e", "token": "t1"}),
    ] {
        let fault = call(&late).await.unwrap_err();
        assert_eq!(fault.to_string(), "r1 has ended already: Deployed", "{late}");
        assert_eq!(left(), before, "{late}");
        assert!(held(&release).release.is_none(), "{late}");
        assert!(release.ledger.waiting.borrow().is_empty(), "{late}");
    }
    // The answer of a call that closed it may have been lost: it is given once more.
    release.ledger.written.take();
    let judge = json!({"do": "judge", "release": "r1", "execution": "e", "wave": 0});
    let judged = call(&judge).await.unwrap();
    assert_eq!((&judged["next"], &judged["closed"]["outcome"]), (&json!("Closed"), &json!("Deployed")));
    assert_eq!((left(), release.ledger.written.take()), (before, Vec::<String>::new()));
}

#[tokio::test]
async fn a_call_that_ends_otherwise_than_the_one_before_leaves_the_service_to_the_release_before() {
    let release = opened().await;
    let last = Some(ReleaseId::parse("r0").unwrap());
    release.ledger.know("dev", "users", ServiceRow { last: last.clone(), ..ServiceRow::default() });
    let known = || release.ledger.services.borrow().values().next().unwrap().last.clone();
    for _ in 0..2 {
        assert_eq!(lease(&release, "2026-11-23T10:00:01Z").await["next"], "Wave");
        assert_eq!(known(), held(&release).release);
    }
    *release.aws.unread.borrow_mut() = 1;
    assert_eq!(lease(&release, "2026-11-23T10:00:02Z").await["next"], "Waiting");
    assert_eq!(known(), last);
    assert!(release.ledger.moves.borrow().is_empty());
}

#[tokio::test]
async fn an_execution_that_is_not_told_of_yet_keeps_its_lease() {
    let release = opened().await;
    hold(&release, "users");
    release.aws.holder.set(Some(Execution::Unknown));
    assert_eq!(lease(&release, "2026-11-23T10:00:06Z").await["next"], "Waiting");
    assert_eq!(lease(&release, "2026-11-23T10:09:00Z").await["next"], "Wave");
}
