//! Every version reads what the versions before it have written.

#![expect(clippy::panic, reason = "this is how a test fails")]

use std::collections::BTreeSet;

use pipeline::rows::{
    EventRow, EvidenceRow, FrozenRow, HeadRow, LeaseRow, MoveRow, Outcome, PlanRow, RepositoryRow,
    RevisionRow, ServiceRow, WaitingRow, WriteRow,
};
use serde::Deserialize;
use testbed::recorded::{Row, recordings};

/// All kinds of rows, by the beginnings of their two keys; what a channel has delivered is for `alert` to read.
const KINDS: [&str; 15] = [
    "digest# env#",
    "env# frozen",
    "env# lease#",
    "env# service#",
    "env# waiting#",
    "env# write#",
    "event# event",
    "pace put",
    "pace register",
    "pace update",
    "release# alert#",
    "release# head",
    "release# move#",
    "release# plan#",
    "release# repo#",
];

/// `pace` / `<action>`, as its one update writes it.
#[derive(Deserialize)]
struct PaceRow {
    up_to: i64,
}

#[test]
fn every_row_of_every_kind_is_still_read() {
    for rows in recordings("", "") {
        let mut kinds = BTreeSet::new();
        for row in &rows {
            let kind = format!("{} {}", beginning(&row.pk), beginning(&row.sk));
            read(&kind, row);
            kinds.insert(kind);
        }
        let revision = "revision# json".to_owned();
        let expected: BTreeSet<_> = KINDS.map(str::to_owned).into_iter().chain([revision]).collect();
        assert_eq!(kinds, expected, "the kinds that are recorded");
    }
}

/// Returns a key up to its first `#`, and that.
fn beginning(key: &str) -> &str {
    key.find('#').and_then(|at| key.get(..=at)).unwrap_or(key)
}

fn read(kind: &str, row: &Row) {
    match kind {
        "digest# env#" => drop(row.read::<EvidenceRow>()),
        "env# frozen" => drop(row.read::<FrozenRow>()),
        "env# lease#" => drop(row.read::<LeaseRow>()),
        "env# service#" => drop(row.read::<ServiceRow>()),
        "env# waiting#" => drop(row.read::<WaitingRow>()),
        "env# write#" => drop(row.read::<WriteRow>()),
        "event# event" => drop(row.read::<EventRow>()),
        "pace put" | "pace register" | "pace update" => assert!(row.read::<PaceRow>().up_to > 0),
        "release# alert#" => {}
        "release# head" => drop(row.read::<HeadRow>()),
        "release# move#" => drop(row.read::<MoveRow>()),
        "release# plan#" => drop(row.read::<PlanRow>()),
        "release# repo#" => drop(row.read::<RepositoryRow>()),
        "revision# json" => drop(row.read::<RevisionRow>()),
        _ => panic!("no kind of row is {kind}: {} {}", row.pk, row.sk),
    }
}

#[test]
fn the_recordings_hold_what_an_upgrade_meets() {
    for heads in recordings("release#", "head") {
        let heads: Vec<HeadRow> = heads.iter().map(Row::read).collect();
        let ends: Vec<Option<Outcome>> = heads.iter().map(|head| head.outcome).collect();
        assert!(ends.contains(&Some(Outcome::Deployed)) && ends.contains(&Some(Outcome::RolledBack)));
        let waits_for_a_person = |head: &HeadRow| head.outcome.is_none() && head.asked.is_some();
        let is_under_way = |head: &HeadRow| head.outcome.is_none() && head.asked.is_none();
        assert!(heads.iter().any(waits_for_a_person) && heads.iter().any(is_under_way));
    }
    for services in recordings("env#", "service#") {
        let services: Vec<ServiceRow> = services.iter().map(Row::read).collect();
        assert!(services.iter().any(|row| row.hold.is_some()), "a rollback on request holds what it left");
        assert!(services.iter().any(|row| row.verified.is_some() && row.previous.is_some()));
    }
    for moves in recordings("release#", "move#") {
        let moves: Vec<MoveRow> = moves.iter().map(Row::read).collect();
        assert!(moves.iter().any(|row| row.rollback_deployment.is_some() && row.rollback_verdict.is_some()));
        assert!(moves.iter().any(|row| row.bundle.is_some()));
        assert!(moves.iter().any(|row| row.failure.is_some()));
        assert!(moves.iter().any(|row| row.started.is_none()), "a wave that has not begun");
    }
    for evidence in recordings("digest#", "env#") {
        let evidence: Vec<EvidenceRow> = evidence.iter().map(Row::read).collect();
        assert!(evidence.iter().any(|row| row.quarantine.is_some()));
        assert!(evidence.iter().any(|row| row.verified.is_some()));
    }
    for leases in recordings("env#", "lease#") {
        let leases: Vec<LeaseRow> = leases.iter().map(Row::read).collect();
        assert!(leases.iter().any(|row| row.holder.is_some()));
        assert!(leases.iter().any(|row| row.holder.is_none()));
    }
}
