//! What has to hold when a release has ended, by what the account says, and not by what the pipeline says of itself.

use fleet::fake::Service;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use serde_json::Value;

use crate::play::{Ended, RELEASE};
use crate::scenario::{Move, Scenario, Trouble};

/// A move, and all that is known of it at the end.
struct End<'a> {
    one: &'a Move,
    row: Value,
    wave: u64,
    fate: String,
    service: Service,
    to: &'a str,
    from: &'a str,
    /// What the tag names that keeps the image which the service runs.
    live: Option<String>,
}

impl End<'_> {
    /// Tells whether the release pointed the service at a digest.
    fn was_pointed_at(&self, digest: &str) -> bool {
        self.service.pointed.iter().any(|pointed| pointed.digests == [digest])
    }

    /// Tells whether somebody else deployed the service.
    fn was_overtaken(&self) -> bool {
        self.service.pointed.iter().any(|one| one.digests != [self.to] && one.digests != [self.from])
    }

    /// Tells whether the service runs a digest, all of it, and nothing else is on the way.
    fn runs(&self, digest: &str) -> bool {
        let (_, state, _, pinned) = self.service.primary();
        state == "COMPLETED" && pinned == [digest] && self.service.runs_only(digest)
    }
}

/// Checks all of it.
pub fn everything(scenario: &Scenario, ended: &Ended) -> Result<(), TestCaseError> {
    let mut account = ended.fake.open();
    prop_assert!(account.strange.is_empty() && account.throttled.is_empty(), "{:?}", account.strange);
    // Rollouts that were under way have ended by then.
    let now = account.now + 3_600_000;
    let rows = account.table.list(&format!("release#{RELEASE}"), "move#");
    prop_assert_eq!(rows.len(), scenario.moves.len(), "{}: {}", ended.run.end, ended.run.because);
    let stories = ended.run.closed["moves"].as_array().cloned().unwrap_or_default();
    let mut ends = Vec::new();
    for (one, (to, from)) in scenario.moves.iter().zip(&ended.digests) {
        let name = one.placed().service;
        let (sk, row) = rows.iter().find(|(_, row)| row["service"] == name.as_str()).unwrap();
        let story = stories.iter().find(|story| story["service"] == name.as_str());
        let fate = story.and_then(|story| story["fate"].as_str()).unwrap_or_default().to_owned();
        let wave = sk.split('#').nth(1).unwrap().parse().unwrap();
        let service = account.ecs.at(&format!("fleet/{name}"), now).unwrap().clone();
        let live = format!("tidegate.fleet.{name}.live");
        let live = account.ecr.tagged(&one.placed().repository, &live).map(str::to_owned);
        ends.push(End { one, row: row.clone(), wave, fate, service, to, from, live });
    }
    let head = account.table.row(&format!("release#{RELEASE}"), "head").unwrap();
    let leases = account.table.list("env#fleet", "lease#");
    drop(account);
    every_move_has_one_fate(ended, &head, ends.len())?;
    for end in &ends {
        fates_are_true(end)?;
        all_means_all(&head, end)?;
    }
    outcomes_are_true(&ended.run.end, &head, &ends)?;
    what_goes_well_ends_well(scenario, &ended.run.end, &ends)?;
    later_waves_are_untouched(&ends)?;
    for (lease, row) in leases {
        prop_assert!(row["release"].is_null(), "{lease} is still held: {row}");
    }
    Ok(())
}

fn every_move_has_one_fate(ended: &Ended, head: &Value, moves: usize) -> Result<(), TestCaseError> {
    let sum =
        |fates: &Value| fates.as_object().map(|fates| fates.values().filter_map(Value::as_u64).sum::<u64>());
    prop_assert_eq!(sum(&ended.run.closed["fates"]), Some(moves as u64));
    if let Some(sum) = sum(&head["fates"]).filter(|sum| *sum > 0) {
        prop_assert_eq!(sum, moves as u64, "in the head: {}", head["fates"]);
    }
    prop_assert_eq!(&head["outcome"], &ended.run.closed["outcome"]);
    prop_assert_eq!(&head["outcome"], ended.run.end.as_str());
    Ok(())
}

fn fates_are_true(end: &End<'_>) -> Result<(), TestCaseError> {
    let End { one, row, fate, to, from, .. } = end;
    let name = &one.placed().service;
    match fate.as_str() {
        "untouched" | "failed" => {
            prop_assert!(!end.was_pointed_at(to) && !end.was_pointed_at(from), "{name} is {fate}");
            prop_assert!(
                end.live.as_deref() != Some(*to),
                "{name} is {fate}, and its tag names the new image"
            );
        }
        // Whoever deploys after the verdict is nothing that it could have known.
        "deployed" if end.was_overtaken() => {}
        "deployed" => {
            let (deployment, state, ..) = end.service.primary();
            prop_assert_eq!((deployment, state), (row["deployment"].as_str().unwrap(), "COMPLETED"));
            prop_assert!(end.runs(to), "{name} is deployed and runs {:?}", end.service.primary());
        }
        "undone" => prop_assert!(end.runs(from), "{name} is undone and runs {:?}", end.service.primary()),
        "superseded" => {
            prop_assert!(end.was_overtaken(), "{name} is superseded, and nobody else deployed it");
        }
        "needs-human" => prop_assert!(!row["touched"].is_null(), "{name} needs a human and was not touched"),
        other => prop_assert!(false, "{name} has the fate {other:?}"),
    }
    if one.forward_only {
        prop_assert!(!end.was_pointed_at(from), "{name} only goes forward, and was put back");
    }
    Ok(())
}

fn all_means_all(head: &Value, end: &End<'_>) -> Result<(), TestCaseError> {
    let missed = head["undo"] == "all" && end.fate == "deployed" && !end.one.forward_only;
    prop_assert!(!missed, "all was to be rolled back, and {} counts as deployed", end.one.placed().service);
    Ok(())
}

fn outcomes_are_true(outcome: &str, head: &Value, ends: &[End<'_>]) -> Result<(), TestCaseError> {
    let fates: Vec<&str> = ends.iter().map(|end| end.fate.as_str()).collect();
    if outcome == "Deployed" {
        prop_assert!(fates.iter().all(|fate| ["deployed", "superseded"].contains(fate)), "{fates:?}");
        prop_assert!(fates.contains(&"deployed"), "{fates:?}");
    }
    if outcome == "RolledBack" && head["undo"].is_null() {
        prop_assert!(!fates.contains(&"deployed"), "nothing was put back, and it ended {outcome}: {fates:?}");
    }
    if ["Deployed", "RolledBack", "Superseded"].contains(&outcome) {
        for end in ends.iter().filter(|end| end.was_pointed_at(end.to) && end.fate != "superseded") {
            let name = end.one.placed().service;
            let verified = end.fate == "deployed" && (end.runs(end.to) || end.was_overtaken());
            prop_assert!(verified || end.runs(end.from), "{outcome}: {name} ({}) is not at rest", end.fate);
        }
    }
    Ok(())
}

/// A pipeline that did nothing would keep all that it promises, but for this.
fn what_goes_well_ends_well(
    scenario: &Scenario,
    outcome: &str,
    ends: &[End<'_>],
) -> Result<(), TestCaseError> {
    use Trouble::{GivenUp, None, SentBack};
    if scenario.moves.iter().all(|one| one.forward == None) {
        prop_assert_eq!(outcome, "Deployed");
    }
    let plain = |one: &Move| matches!(one.forward, None | GivenUp | SentBack) && one.back == None;
    let comes_back = scenario.on_failure == "undo-all"
        && scenario.moves.iter().all(|one| plain(one) && !one.forward_only)
        && scenario.moves.iter().any(|one| one.forward != None);
    if comes_back {
        prop_assert_eq!(outcome, "RolledBack");
        prop_assert!(ends.iter().all(|end| ["undone", "untouched"].contains(&end.fate.as_str())));
    }
    Ok(())
}

fn later_waves_are_untouched(ends: &[End<'_>]) -> Result<(), TestCaseError> {
    let last = ends.iter().filter(|end| end.was_pointed_at(end.to)).map(|end| end.wave).max();
    for end in ends.iter().filter(|end| Some(end.wave) < last) {
        let verdict = end.row["verdict"].as_str();
        let name = end.one.placed().service;
        prop_assert!(
            matches!(verdict, Some("Healthy" | "Superseded")),
            "wave {} was {verdict:?} by {name}, and a later one went on",
            end.wave
        );
    }
    Ok(())
}
