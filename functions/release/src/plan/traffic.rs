//! Which services may move whose traffic ECS shifts, and what their moves have to know of it.  Pure.

use pipeline::rows::{MoveRow, Traffic};
use pipeline::service_deployment::Stage;

use super::Candidate;
use crate::ports::Service;

/// The stages at which the pipeline can test new tasks before production traffic reaches them, in their order.
const DARK: [&str; 3] = ["POST_SCALE_UP", "POST_TEST_TRAFFIC_SHIFT", Stage::LAST_BEFORE_PRODUCTION];

/// The stages at which there is nothing to test yet.
const EARLY: [&str; 2] = ["RECONCILE_SERVICE", "PRE_SCALE_UP"];

/// Returns what a move has to know of the traffic of its service; none if it rolls.
pub fn traffic(service: &Service, drain_minutes: u32) -> Option<Traffic> {
    let gate = DARK
        .iter()
        .rev()
        .find(|stage| service.shifting.gates.iter().any(|gate| gate.stage.as_str() == **stage));
    let gate = gate.filter(|_| service.shifts())?;
    let seconds = service.shifting.planned_minutes.saturating_mul(60);
    Some(Traffic { strategy: service.strategy.clone(), gate: Stage::of(*gate), seconds, drain_minutes })
}

/// Tells why a service can never be moved with the gates that it has; the pipeline answers them, and nobody else.
pub fn unfit(service: &Service, health_timeout_seconds: u32) -> Option<String> {
    let (strategy, gates) = (&service.strategy, &service.shifting.gates);
    if strategy == "ROLLING" {
        return (!gates.is_empty()).then(|| {
            "its strategy is ROLLING and it has a PAUSE hook, which nobody would answer: take the hook away".to_owned()
        });
    }
    if !service.shifts() {
        return Some(format!(
            "its deployment strategy is {strategy}: expected ROLLING, BLUE_GREEN, LINEAR or CANARY"
        ));
    }
    if traffic(service, 0).is_none() {
        return Some(format!(
            "its strategy is {strategy} and nothing stops it before production traffic: add a PAUSE hook at \
             POST_TEST_TRAFFIC_SHIFT (README, \"Traffic\")"
        ));
    }
    if let Some(early) = gates.iter().find(|gate| EARLY.contains(&gate.stage.as_str())) {
        return Some(format!(
            "its PAUSE hook at {} waits before there is anything to test: take the stage away",
            early.stage
        ));
    }
    let again = |n: usize, stage: &Stage| gates.iter().take(n).any(|before| before.stage == *stage);
    if let Some((_, twice)) = gates.iter().enumerate().find(|(n, gate)| again(*n, &gate.stage)) {
        return Some(format!(
            "two PAUSE hooks wait at {}, and nobody can tell which one is to be answered",
            twice.stage
        ));
    }
    if service.shifting.goes_on {
        return Some(
            "its PAUSE hook goes on by itself when nobody answers: expected action ROLLBACK".to_owned(),
        );
    }
    let needs = health_timeout_seconds.div_ceil(60);
    let shortest = gates.iter().filter_map(|gate| gate.minutes).min();
    if let Some(minutes) = shortest.filter(|minutes| i64::from(*minutes) < i64::from(needs)) {
        return Some(format!(
            "its PAUSE hook waits {minutes} minutes, and its tests may need {needs}: raise timeoutInMinutes"
        ));
    }
    let mode = service.revision.network_mode.as_deref().unwrap_or("bridge");
    (!service.balanced.is_empty() && mode != "awsvpc").then(|| {
        format!(
            "its tasks have no addresses of their own (network mode {mode}), so that new and old cannot be told apart: \
             expected awsvpc"
        )
    })
}

/// Says that a release which died has left a service deployment open, and how to end it.
pub fn left_open(candidate: &Candidate) -> Option<String> {
    let arn = candidate.open_shift.as_ref()?;
    let release = candidate.row.last.as_ref().map_or("a release", |release| release.as_str());
    Some(format!(
        "{release} left {arn} in progress: ECS puts it back when its PAUSE hook times out; to have it put back now: aws \
         ecs stop-service-deployment --service-deployment-arn {arn} --stop-type ROLLBACK"
    ))
}

/// Tells whether a move has shown nothing of its image: it failed by something else.
pub fn is_blameless(row: &MoveRow) -> bool {
    row.blameless == Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::candidate;
    use crate::ports::{Pause, Shifting};

    fn service(strategy: &str, gates: &[&str]) -> Service {
        let mut service = candidate(":main-1").service;
        service.strategy = strategy.to_owned();
        service.balanced = vec![("app".to_owned(), 8080)];
        service.revision.network_mode = Some("awsvpc".to_owned());
        let gates = gates.iter().map(|gate| Pause { stage: Stage::of(*gate), minutes: None }).collect();
        service.shifting = Shifting { gates, planned_minutes: 5, ..Shifting::default() };
        service
    }

    const TEST: &str = "POST_TEST_TRAFFIC_SHIFT";

    #[test]
    fn a_service_is_let_in_by_its_strategy_and_its_gates() {
        let after = "POST_PRODUCTION_TRAFFIC_SHIFT";
        for (strategy, gates, said) in [
            ("ROLLING", &[][..], None),
            ("ROLLING", &[TEST], Some("which nobody would answer: take the hook away")),
            ("SLOWLY", &[TEST], Some("is SLOWLY: expected ROLLING, BLUE_GREEN, LINEAR or CANARY")),
            ("BLUE_GREEN", &[], Some("nothing stops it before production traffic: add a PAUSE hook")),
            ("BLUE_GREEN", &[after], Some("nothing stops it before production traffic")),
            ("BLUE_GREEN", &[TEST], None),
            ("LINEAR", &["POST_SCALE_UP"], None),
            ("CANARY", &[Stage::LAST_BEFORE_PRODUCTION, after], None),
            ("CANARY", &["PRE_SCALE_UP", TEST], Some("PRE_SCALE_UP waits before there is anything to test")),
            ("CANARY", &[TEST, "RECONCILE_SERVICE"], Some("RECONCILE_SERVICE waits before")),
            ("CANARY", &[TEST, after, TEST], Some("two PAUSE hooks wait at POST_TEST_TRAFFIC_SHIFT")),
        ] {
            match (unfit(&service(strategy, gates), 900), said) {
                (None, None) => {}
                (Some(why), Some(said)) if why.contains(said) => {}
                (why, _) => panic!("{strategy} {gates:?}: {why:?}"),
            }
        }
    }

    #[test]
    fn a_gate_that_would_not_wait_long_enough_or_lets_all_through_is_none() {
        let with = |change: &dyn Fn(&mut Service)| {
            let mut service = service("BLUE_GREEN", &[TEST]);
            change(&mut service);
            unfit(&service, 900)
        };
        assert_eq!(with(&|one| one.shifting.gates[0].minutes = Some(15)), None);
        let short = with(&|one| one.shifting.gates[0].minutes = Some(14)).unwrap();
        assert!(short.contains("waits 14 minutes, and its tests may need 15"), "{short}");
        assert!(with(&|one| one.shifting.goes_on = true).unwrap().ends_with("expected action ROLLBACK"));
        let mode = with(&|one| one.revision.network_mode = None).unwrap();
        assert!(mode.contains("(network mode bridge)"), "{mode}");
        assert_eq!(with(&|one| (one.revision.network_mode, one.balanced) = (None, Vec::new())), None);
    }

    #[test]
    fn a_move_knows_its_last_gate_and_how_long_its_shift_takes() {
        let known =
            |strategy, gates| traffic(&service(strategy, gates), 3).map(|one| (one.gate, one.seconds));
        assert_eq!(known("ROLLING", &[TEST]), None);
        assert_eq!(known("CANARY", &["POST_SCALE_UP", TEST]), Some((Stage::of(TEST), 300)));
        let last = Stage::LAST_BEFORE_PRODUCTION;
        assert_eq!(known("CANARY", &[last, TEST]), Some((Stage::of(last), 300)));
        assert_eq!(traffic(&service("CANARY", &[TEST]), 3).unwrap().drain_minutes, 3);
    }
}
