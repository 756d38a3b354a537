//! Whether the PAUSE hooks of services wait as long as their live tests may take there.  Pure.

use pack::{Pack, Phase};
use pipeline::rows::{Finding, MoveRow};
use pipeline::service_deployment::Stage;

use super::PlanDraft;
use crate::ports::Pause;

/// Names the hooks that may give up while live tests still go on.
pub fn of(draft: &PlanDraft) -> Vec<Finding> {
    let each = |row: &MoveRow| {
        let pack = pack(draft, row);
        pauses(draft, row)
            .filter_map(|pause| {
                let needs = needed(&pause.stage, row, pack.as_ref()).div_ceil(60);
                Some((pause, pause.minutes.filter(|minutes| i64::from(*minutes) < i64::from(needs))?, needs))
            })
            .map(|(pause, minutes, needs)| {
                Finding::refuses(format!(
                    "{}: its PAUSE hook at {} waits {minutes} minutes, and its live tests may need {needs} there: raise \
                     timeoutInMinutes",
                    row.service, pause.stage
                ))
            })
            .collect::<Vec<_>>()
    };
    draft.moves.iter().flat_map(each).collect()
}

/// Returns the hooks of the service of a move.
pub fn pauses<'a>(draft: &'a PlanDraft, row: &MoveRow) -> impl Iterator<Item = &'a Pause> {
    let service = draft.services.iter().find(|one| one.name == row.service && row.traffic.is_some());
    service.into_iter().flat_map(|service| &service.shifting.gates)
}

/// Reads the live tests of a move, if this release has pinned them.
pub fn pack(draft: &PlanDraft, row: &MoveRow) -> Option<Pack> {
    let text = draft.packs.get(row.pack.as_ref()?)?;
    Some(Pack::read("the live tests", text).ok()?.for_a_gate())
}

/// Returns how many seconds a move may need at a gate: its time-out, what its live tests run there, and what is watched
/// while the gate after the shift keeps the old tasks.
pub fn needed(stage: &Stage, row: &MoveRow, pack: Option<&Pack>) -> u32 {
    let is_early = row.traffic.as_ref().is_some_and(|traffic| stage.is_before(&traffic.gate));
    let tests = match pack.filter(|_| !is_early) {
        None => 0,
        Some(pack) if stage.has_shifted() => {
            let (runs, watch) = (pack.run_budget(Phase::Live), pack.watch_budget());
            runs.whole_seconds().saturating_add(watch.whole_seconds())
        }
        Some(pack) => pack.run_budget(Phase::Dark).whole_seconds(),
    };
    row.health_timeout_seconds.saturating_add(u32::try_from(tests).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::{candidate, row};
    use pipeline::rows::Traffic;

    const DARK: &str = "POST_TEST_TRAFFIC_SHIFT";
    const AFTER: &str = "POST_PRODUCTION_TRAFFIC_SHIFT";

    /// Tells what is found of a service of 15 minutes with hooks at these stages, and a pack.
    fn found(waits: &[(&str, Option<i32>)], pack: &str) -> Vec<String> {
        let mut service = candidate(":main-1").service;
        let pause =
            |(stage, minutes): &(&str, Option<i32>)| Pause { stage: Stage::of(*stage), minutes: *minutes };
        service.shifting.gates = waits.iter().map(pause).collect();
        let (strategy, gate) = ("BLUE_GREEN".to_owned(), Stage::of(DARK));
        let traffic = Traffic { strategy, gate, seconds: 300, drain_minutes: 3 };
        Pack::read("the pack", pack).unwrap();
        let hash = pack::hash(pack);
        let moves = vec![MoveRow { traffic: Some(traffic), pack: Some(hash.clone()), ..row("users") }];
        let packs = [(hash, pack.to_owned())].into();
        let draft = PlanDraft { moves, services: vec![service], packs, ..PlanDraft::default() };
        of(&draft).into_iter().map(|finding| finding.text).collect()
    }

    #[test]
    fn a_gate_has_to_wait_for_what_is_run_and_watched_at_it() {
        let run = r#"{"checks":[{"name":"suite","suite":{"task":"e2e","timeout":"10m"},"on":["dark"]}]}"#;
        let watch = r#"{"checks":[{"name":"log","logs":{"pattern":"ERROR"},"for":"10m"}]}"#;
        let nothing = pack::NOTHING;
        for (stage, pack, minutes, said) in [
            (DARK, nothing, 15, None),
            (DARK, nothing, 14, Some("15")),
            (DARK, run, 27, None),
            (DARK, run, 26, Some("27")),
            ("POST_SCALE_UP", run, 15, None),
            (AFTER, run, 15, None),
            (DARK, watch, 15, None),
            (AFTER, watch, 27, None),
            (AFTER, watch, 26, Some("27")),
        ] {
            let expected: Vec<String> = said
                .into_iter()
                .map(|needs| {
                    format!(
                        "users: its PAUSE hook at {stage} waits {minutes} minutes, and its live tests may need {needs} \
                         there: raise timeoutInMinutes"
                    )
                })
                .collect();
            assert_eq!(found(&[(stage, Some(minutes))], pack), expected, "{pack}");
            assert!(found(&[(stage, None)], pack).is_empty(), "ECS does not say how long it waits");
        }
        assert_eq!(found(&[(DARK, Some(10)), (AFTER, Some(10))], run).len(), 2, "each hook has its own time");
    }
}
