use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use Outcome::{Failed, Passed, Unmeasured};

fn at(seconds: i64) -> Timestamp {
    Timestamp::parse("2026-11-24T10:00:00Z").unwrap().plus_seconds(seconds)
}

const DEADLINE: i64 = 900;

fn pack(checks: &str) -> Pack {
    Pack::read("pack", &format!(r#"{{"checks":[{checks}]}}"#)).unwrap()
}

fn http(name: &str, more: &str) -> String {
    format!(r#"{{"name":"{name}","http":{{"url":"http://a/"}}{more}}}"#)
}

fn rounds(all: &[(&str, Outcome)]) -> BTreeMap<String, Outcome> {
    all.iter().map(|(name, outcome)| ((*name).to_owned(), *outcome)).collect()
}

/// Plays rounds of one check, ten seconds apart, and returns where it is after each.
fn played(pack: &Pack, phase: Phase, outcomes: &[Outcome]) -> Vec<State> {
    let check = &pack.checks[0];
    let mut standing = Standing::new(phase, at(0), at(DEADLINE));
    let look = |(n, outcome): (usize, &Outcome)| {
        let now = at(10 * n as i64);
        standing = standing.after(pack, n as u32 + 1, &rounds(&[(&check.name, *outcome)]), now);
        state(check, &standing, now)
    };
    outcomes.iter().enumerate().map(look).collect()
}

#[test]
fn n_of_m_attempts_decide() {
    use State::{Inconclusive, Open};
    const P: State = State::Passed;
    const F: State = State::Failed;
    for (more, outcomes, states) in [
        ("", &[Passed][..], &[P][..]),
        ("", &[Failed], &[F]),
        ("", &[Unmeasured, Unmeasured, Passed], &[Open, Open, P]),
        (r#","attempts":3"#, &[Failed, Failed, Failed], &[Open, Open, F]),
        (r#","attempts":3"#, &[Failed, Failed, Passed], &[Open, Open, P]),
        (r#","attempts":3"#, &[Failed, Unmeasured, Failed, Failed], &[Open, Open, Open, F]),
        (
            r#","attempts":5,"passes":3"#,
            &[Passed, Failed, Passed, Failed, Passed],
            &[Open, Open, Open, Open, P],
        ),
        (r#","attempts":5,"passes":3"#, &[Passed, Failed, Failed, Failed], &[Open, Open, Open, F]),
        (r#","attempts":2,"passes":2"#, &[Passed, Failed], &[Open, F]),
        (r#","patience":"20s""#, &[Unmeasured, Unmeasured, Unmeasured], &[Open, Open, Inconclusive]),
        (
            r#","patience":"20s","attempts":2"#,
            &[Unmeasured, Unmeasured, Failed, Unmeasured, Unmeasured, Passed],
            &[Open, Open, Open, Open, Open, P],
        ),
        // What is decided stays so, whatever is asked beyond.
        (r#","attempts":2"#, &[Passed, Failed, Failed], &[P, P, P]),
        (r#","attempts":2"#, &[Failed, Failed, Passed], &[Open, F, F]),
    ] {
        let pack = pack(&http("a", more));
        assert_eq!(played(&pack, Phase::Live, outcomes), states, "{more} {outcomes:?}");
    }
}

#[test]
fn in_bake_a_check_is_watched_to_the_end() {
    use State::Open;
    let watched = |more| pack(&format!(r#"{{"name":"a","logs":{{"pattern":"ERROR"}},"for":"20s"{more}}}"#));
    for (more, outcomes, states) in [
        ("", &[Passed, Passed, Passed][..], &[Open, Open, State::Passed][..]),
        ("", &[Passed, Failed, Passed], &[Open, State::Failed, State::Failed]),
        (r#","attempts":2"#, &[Failed, Passed, Passed], &[Open, Open, State::Passed]),
        (r#","attempts":2"#, &[Failed, Failed, Passed], &[Open, State::Failed, State::Failed]),
        ("", &[Unmeasured, Unmeasured, Unmeasured, Passed], &[Open, Open, Open, State::Passed]),
    ] {
        assert_eq!(played(&watched(more), Phase::Bake, outcomes), states, "{more} {outcomes:?}");
    }
}

#[test]
fn a_run_is_started_three_times_for_an_attempt() {
    use State::{Inconclusive, Open};
    let run = pack(r#"{"name":"a","task":{"command":["check"]},"attempts":2}"#);
    for (outcomes, states) in [
        (&[Unmeasured, Unmeasured, Unmeasured][..], &[Open, Open, Inconclusive][..]),
        (&[Unmeasured, Unmeasured, Failed, Unmeasured, Passed], &[Open, Open, Open, Open, State::Passed]),
    ] {
        assert_eq!(played(&run, Phase::Before, outcomes), states);
    }
}

#[test]
fn what_could_not_be_measured_says_how_often_or_for_how_long_it_was_tried() {
    for (phase, check, said) in [
        (Phase::Before, r#"{"name":"a","task":{"command":["check"]}}"#, "was started 3 times, and nothing"),
        (Phase::Live, &http("a", r#","patience":"20s""#), "could not be measured for 20s"),
    ] {
        let pack = pack(check);
        let look = |standing: Standing, n: u32| {
            standing.after(&pack, n + 1, &rounds(&[("a", Unmeasured)]), at(10 * i64::from(n)))
        };
        let standing = (0..3).fold(Standing::new(phase, at(0), at(DEADLINE)), look);
        let judgement = judge(&pack, &standing, at(20));
        let Judgement::Inconclusive { because, .. } = judgement else { panic!("{judgement:?}") };
        assert!(because.starts_with(&format!("live test \"a\" {said}")), "{because}");
    }
}

#[test]
fn the_deadline_ends_what_is_open() {
    let pack = pack(&http("a", r#","attempts":3,"passes":2"#));
    for (last, expected) in [
        (
            None,
            Judgement::Inconclusive {
                check: "a".into(),
                because: "live test \"a\" was not asked in time".into(),
            },
        ),
        (
            Some(Failed),
            Judgement::Unhealthy {
                check: "a".into(),
                because: "live test \"a\" did not pass in time, and failed last".into(),
            },
        ),
        (
            Some(Unmeasured),
            Judgement::Inconclusive {
                check: "a".into(),
                because: "live test \"a\" did not pass often enough in time, and did not fail last".into(),
            },
        ),
        (
            Some(Passed),
            Judgement::Inconclusive {
                check: "a".into(),
                because: "live test \"a\" did not pass often enough in time, and did not fail last".into(),
            },
        ),
    ] {
        let begun = Standing::new(Phase::Live, at(0), at(DEADLINE));
        let asked = last.map(|last| begun.after(&pack, 1, &rounds(&[("a", last)]), at(5)));
        let standing = asked.unwrap_or(begun);
        assert!(matches!(judge(&pack, &standing, at(DEADLINE - 1)), Judgement::Pending { .. }));
        assert_eq!(judge(&pack, &standing, at(DEADLINE)), expected);
    }
}

#[test]
fn the_first_that_fits_is_said_and_advisory_checks_only_delay() {
    let two = pack(&format!(
        "{},{}",
        http("a", r#","interval":"7s","attempts":2"#),
        http("b", r#","patience":"0s""#)
    ));
    let advised = pack(&format!("{},{}", http("a", r#","advisory":true,"attempts":2"#), http("b", "")));
    let none = pack("");
    for (pack, asked, expected) in [
        (&none, &[][..], "Healthy"),
        (&two, &[("a", Passed), ("b", Passed)][..], "Healthy"),
        (&two, &[("b", Passed)], "Pending"),
        (&two, &[("a", Failed), ("b", Passed)], "Pending"),
        (&two, &[("a", Passed), ("b", Failed)], "Unhealthy"),
        (&two, &[("a", Passed), ("b", Unmeasured)], "Inconclusive"),
        (&two, &[("a", Failed), ("b", Unmeasured)], "Inconclusive"),
        (&advised, &[("b", Passed)], "Pending"),
        (&advised, &[("a", Failed), ("b", Passed)], "Pending"),
        (&advised, &[("a", Passed), ("b", Passed)], "Healthy"),
    ] {
        let standing = Standing::new(Phase::Live, at(0), at(DEADLINE)).after(pack, 1, &rounds(asked), at(1));
        let judgement = judge(pack, &standing, at(1));
        assert!(format!("{judgement:?}").starts_with(expected), "{asked:?}: {judgement:?}");
    }
    let failed_twice = pack(&http("a", r#","advisory":true"#));
    let standing = Standing::new(Phase::Live, at(0), at(DEADLINE)).after(
        &failed_twice,
        1,
        &rounds(&[("a", Failed)]),
        at(1),
    );
    assert_eq!(judge(&failed_twice, &standing, at(1)), Judgement::Healthy);
    let standing = Standing::new(Phase::Live, at(0), at(DEADLINE));
    let standing = standing.after(&two, 1, &rounds(&[("a", Failed), ("b", Passed)]), at(1));
    assert_eq!(judge(&two, &standing, at(1)), Judgement::Pending { until: at(8) });
}

#[test]
fn what_is_due_waits_its_interval_and_runs_wait_for_the_rest() {
    let pack = pack(&format!(
        r#"{},{{"name":"run","suite":{{"task":"e2e"}}}}"#,
        http("a", r#","attempts":2,"interval":"5s""#)
    ));
    let names = |standing: &Standing, now| -> Vec<String> {
        due(&pack, standing, now).into_iter().map(|check| check.name.clone()).collect()
    };
    let standing = Standing::new(Phase::Live, at(0), at(DEADLINE));
    assert_eq!(names(&standing, at(0)), ["a"]);
    let standing = standing.after(&pack, 1, &rounds(&[("a", Failed)]), at(1));
    assert_eq!(names(&standing, at(5)), [""; 0]);
    assert_eq!(names(&standing, at(6)), ["a"]);
    let standing = standing.after(&pack, 2, &rounds(&[("a", Unmeasured)]), at(6));
    assert_eq!((names(&standing, at(10)), names(&standing, at(11))), (vec![], vec!["a".to_owned()]));
    let standing = standing.after(&pack, 3, &rounds(&[("a", Passed)]), at(11));
    assert_eq!(names(&standing, at(11)), ["run"]);
    // Another start costs more than another question.
    let standing = standing.after(&pack, 4, &rounds(&[("run", Unmeasured)]), at(15));
    assert_eq!((names(&standing, at(44)), names(&standing, at(45))), (vec![], vec!["run".to_owned()]));
}

#[test]
fn a_standing_is_written_as_it_is_read() {
    let pack = pack(&http("a", ""));
    let standing =
        Standing::new(Phase::Live, at(0), at(DEADLINE)).after(&pack, 1, &rounds(&[("a", Unmeasured)]), at(1));
    let written = serde_json::to_value(&standing).unwrap();
    assert_eq!(
        written,
        serde_json::json!({"phase": "live", "since": "2026-11-24T10:00:00Z", "deadline": "2026-11-24T10:15:00Z", "look": 1,
            "checks": {"a": {"passed": 0, "failed": 0, "unmeasured": 1, "unmeasuredSince": "2026-11-24T10:00:01Z",
                "last": "unmeasured", "at": "2026-11-24T10:00:01Z"}}})
    );
    assert_eq!(serde_json::from_value::<Standing>(written).unwrap(), standing);
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![Just(Passed), Just(Failed), Just(Unmeasured)]
}

/// Three checks with any rules: how many attempts and passes, whether advisory.
fn some_pack() -> impl Strategy<Value = Pack> {
    let check = (1u32..5).prop_flat_map(|attempts| (Just(attempts), 1..=attempts, any::<bool>(), 0u32..60));
    prop::collection::vec(check, 1..4).prop_map(|checks| {
        let checks = checks.into_iter().enumerate().map(|(n, (attempts, passes, advisory, patience))| {
            let rules = format!(
                r#","attempts":{attempts},"passes":{passes},"advisory":{advisory},"patience":"{patience}s""#
            );
            http(&format!("c{n}"), &rules)
        });
        pack(&checks.collect::<Vec<_>>().join(","))
    })
}

/// Looks, each with what some checks say, and how many seconds later it is.
fn looks() -> impl Strategy<Value = Vec<([Option<Outcome>; 3], i64)>> {
    let some = || prop::option::weighted(0.8, outcome());
    prop::collection::vec(((some(), some(), some()).prop_map(|(a, b, c)| [a, b, c]), 0i64..40), 0..12)
}

fn standing_after(pack: &Pack, looks: &[([Option<Outcome>; 3], i64)]) -> (Standing, Timestamp) {
    let mut now = at(0);
    let mut standing = Standing::new(Phase::Live, now, at(DEADLINE));
    for (n, (said, later)) in looks.iter().enumerate() {
        now = now.plus_seconds(*later);
        let names = ["c0", "c1", "c2"].iter().zip(said);
        let said: Vec<(&str, Outcome)> = names.filter_map(|(name, said)| Some((*name, (*said)?))).collect();
        standing = standing.after(pack, n as u32 + 1, &rounds(&said), now);
    }
    (standing, now)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn as_many_measured_rounds_as_attempts_decide(
        (attempts, passes) in (1u32..8).prop_flat_map(|m| (Just(m), 1..=m)),
        said in prop::collection::vec(any::<bool>(), 8),
    ) {
        let pack = pack(&http("a", &format!(r#","attempts":{attempts},"passes":{passes}"#)));
        let said: Vec<Outcome> = said.into_iter().map(|passed| if passed { Passed } else { Failed }).collect();
        let states = played(&pack, Phase::Live, &said[..attempts as usize]);
        let passed = said[..attempts as usize].iter().filter(|one| **one == Passed).count() as u32;
        let expected = if passed >= passes { State::Passed } else { State::Failed };
        prop_assert_eq!(states.last(), Some(&expected));
    }

    #[test]
    fn healthy_means_that_every_blocking_check_has_passed(pack in some_pack(), looks in looks(), later in 0i64..1000) {
        let (standing, now) = standing_after(&pack, &looks);
        if judge(&pack, &standing, now.plus_seconds(later)) == Judgement::Healthy {
            for check in pack.checks.iter().filter(|check| !check.advisory) {
                prop_assert!(standing.checks[&check.name].passed >= check.passes);
            }
        }
    }

    #[test]
    fn unhealthy_means_that_a_blocking_check_was_seen_to_fail(pack in some_pack(), looks in looks(), later in 0i64..1000) {
        let (standing, now) = standing_after(&pack, &looks);
        if let Judgement::Unhealthy { check, .. } = judge(&pack, &standing, now.plus_seconds(later)) {
            prop_assert!(standing.checks[&check].failed > 0);
        }
    }

    #[test]
    fn a_round_that_measures_nothing_moves_nothing_towards_failed(
        pack in some_pack(), looks in looks(), place in 0usize..12, which in 0usize..3,
    ) {
        let mut more = looks.clone();
        let mut said = [None; 3];
        said[which] = Some(Unmeasured);
        more.insert(place.min(looks.len()), (said, 0));
        let failed = |(standing, _): (Standing, Timestamp)| -> Vec<u32> {
            pack.checks.iter().map(|check| standing.checks.get(&check.name).map_or(0, |one| one.failed)).collect()
        };
        let (with, without) = (failed(standing_after(&pack, &more)), failed(standing_after(&pack, &looks)));
        prop_assert!(with.iter().zip(&without).all(|(with, without)| with <= without), "{:?} {:?}", with, without);
    }

    #[test]
    fn a_repeated_look_changes_nothing(pack in some_pack(), looks in looks(), said in outcome(), later in 0i64..1000) {
        let (standing, now) = standing_after(&pack, &looks);
        for look in [standing.look, standing.look.saturating_sub(1)] {
            let again = standing.after(&pack, look, &rounds(&[("c0", said), ("c1", said)]), now.plus_seconds(later));
            prop_assert_eq!(&again, &standing);
        }
        prop_assert_eq!(judge(&pack, &standing, now), judge(&pack, &standing, now));
    }

    #[test]
    fn after_the_deadline_nothing_is_waited_for(pack in some_pack(), looks in looks(), late in 0i64..100) {
        let (standing, now) = standing_after(&pack, &looks);
        let end = now.max(at(DEADLINE)).plus_seconds(late);
        let judgement = judge(&pack, &standing, end);
        let pending = matches!(judgement, Judgement::Pending { .. });
        prop_assert!(!pending, "{:?}", judgement);
        prop_assert_eq!(due(&pack, &standing, end).len(), 0);
    }

    #[test]
    fn the_order_of_addresses_does_not_matter(said in prop::collection::vec(outcome(), 0..6).prop_shuffle()) {
        let mut sorted = said.clone();
        sorted.sort();
        prop_assert_eq!(Outcome::over(said.clone()), Outcome::over(sorted));
        let expected = if said.contains(&Failed) {
            Failed
        } else if said.contains(&Unmeasured) || said.is_empty() {
            Unmeasured
        } else {
            Passed
        };
        prop_assert_eq!(Outcome::over(said), expected);
    }
}
