//! What waves that take their traffic together ask of their services.  Pure.

use pipeline::environment::{Environment, Shift};
use pipeline::rows::{Finding, MoveRow};

use super::{PlanDraft, gate_time, waves};

/// How many minutes a wave is given beside the time-outs of its services.
const SPARE_MINUTES: u32 = 10;

/// Looks at the waves of a draft: whether their gates wait long enough, and who does not wait.
pub fn of(draft: &PlanDraft, environment: &Environment) -> Vec<Finding> {
    if environment.shift == Shift::Each {
        return Vec::new();
    }
    let waves = waves::waves(draft.moves.clone(), environment);
    waves.iter().flat_map(|wave| of_wave(wave, draft, environment)).collect()
}

fn of_wave(wave: &[MoveRow], draft: &PlanDraft, environment: &Environment) -> Vec<Finding> {
    let count = u32::try_from(wave.len()).unwrap_or(u32::MAX);
    if count < 2 || wave.iter().all(|row| row.traffic.is_none()) {
        return Vec::new();
    }
    // Its services are updated so many at a time, and the first of them waits for the last.
    let turns = count.div_ceil(environment.concurrency.max(1));
    let dark = |row: &MoveRow| {
        let gate = &row.traffic.as_ref()?.gate;
        Some(gate_time::needed(gate, row, gate_time::pack(draft, row).as_ref()))
    };
    let longest = wave.iter().filter_map(dark).max().unwrap_or_default();
    let minutes = turns.saturating_mul(longest.max(environment.health_timeout_seconds)).div_ceil(60);
    let needs = minutes.saturating_add(SPARE_MINUTES);
    let said = wave.iter().filter_map(|row| {
        let service = &row.service;
        let Some(traffic) = &row.traffic else {
            return Some(Finding::warns(format!(
                "{service}: it rolls, so it takes production traffic before the others of its wave: expected \
                 BLUE_GREEN, LINEAR or CANARY, or a wave of its own"
            )));
        };
        let mut last = gate_time::pauses(draft, row).filter(|pause| pause.stage == traffic.gate);
        let waits = last.next().and_then(|pause| pause.minutes);
        let waits = waits.filter(|minutes| i64::from(*minutes) < i64::from(needs))?;
        Some(Finding::refuses(format!(
            "{service}: its PAUSE hook waits {waits} minutes, and its wave of {count} may need {needs}: raise \
             timeoutInMinutes, or \"concurrency\""
        )))
    });
    said.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::{candidate, environment, row};
    use crate::ports::Pause;
    use pipeline::ids::ServiceName;
    use pipeline::rows::Traffic;
    use pipeline::service_deployment::Stage;

    /// Tells what is found of services that wait so many minutes at their gates; one that rolls does not.
    fn found(waits: &[Option<i32>], shift: Shift, concurrency: u32) -> Vec<String> {
        let template = candidate(":main-1").service;
        let (moves, services) = waits
            .iter()
            .zip(["carts", "orders", "users"])
            .map(|(minutes, name)| {
                let gate = Stage::of("POST_TEST_TRAFFIC_SHIFT");
                let traffic =
                    Traffic { strategy: "BLUE_GREEN".to_owned(), gate, seconds: 300, drain_minutes: 0 };
                let mut service = template.clone();
                service.name = ServiceName::parse(name).unwrap();
                let stage = Stage::of("POST_TEST_TRAFFIC_SHIFT");
                service.shifting.gates = vec![Pause { stage, minutes: *minutes }];
                (MoveRow { traffic: minutes.map(|_| traffic), ..row(name) }, service)
            })
            .unzip();
        let draft = PlanDraft { moves, services, ..PlanDraft::default() };
        let environment = Environment { shift, concurrency, waves: Vec::new(), ..environment() };
        of(&draft, &environment).into_iter().map(|finding| finding.text).collect()
    }

    #[test]
    fn a_gate_has_to_wait_for_the_last_of_its_wave() {
        // Three services of 15 minutes each, two at a time, and ten minutes to spare.
        let three = [Some(39), Some(40), Some(60)];
        let said = found(&three, Shift::Together, 2);
        let why = "carts: its PAUSE hook waits 39 minutes, and its wave of 3 may need 40: raise timeoutInMinutes, or \
                   \"concurrency\"";
        assert_eq!(said, [why]);
        assert!(found(&three, Shift::Together, 3).is_empty());
        assert!(found(&three, Shift::Each, 2).is_empty());
        assert!(found(&three[..1], Shift::Together, 1).is_empty(), "it waits for nobody");
    }

    #[test]
    fn one_that_rolls_beside_others_that_shift_is_told() {
        let said = found(&[Some(60), None], Shift::Together, 2);
        assert!(said.len() == 1 && said[0].starts_with("orders: it rolls, so it takes"), "{said:?}");
        assert!(found(&[None, None], Shift::Together, 2).is_empty());
    }
}
