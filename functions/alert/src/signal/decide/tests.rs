use serde_json::json;

use super::*;
use crate::delivery::MOST_LATER;
use crate::signal::Signal;

fn at(time: &str) -> Timestamp {
    Timestamp::parse(&format!("2026-11-23T{time}Z")).unwrap()
}

fn signal() -> Signal {
    let signal =
        json!({"id": "alarm/a", "kind": "AlarmRaised", "severity": "warning", "because": "a is red"});
    serde_json::from_value(signal).unwrap()
}

/// An alarm that was told at ten, and happened again at five past.
fn open() -> SignalRow {
    let row = SignalRow::open(signal(), at("10:05:00"), 2, None, at("10:00:00"));
    SignalRow { sent: 1, ..row.telling(Edition::Opened, at("10:00:00")) }
}

/// The same, of which its source has said at ten past that it is over; that has to hold for two minutes.
fn clearing() -> SignalRow {
    let clears = Some((120, "it is quiet".to_owned()));
    SignalRow { version: 2, clear: Some(at("10:10:00")), clears, watch: at("10:10:01"), ..open() }
}

fn again(time: &str) -> Raised {
    Raised { signal: signal(), at: at(time), times: 1, once: true, from: None, judged: None }
}

fn over(time: &str, holds_seconds: u32, early: bool) -> Cleared {
    let because = "it is quiet".to_owned();
    Cleared { id: "alarm/a".to_owned(), at: at(time), because, holds_seconds, early: early.then(signal) }
}

#[test]
fn what_happens_again_opens_counts_or_withdraws_an_end() {
    let ended = || clearing().resolving("it is quiet", at("10:12:01"));
    let quiet = |row: SignalRow| SignalRow { signal: Signal { quiet_seconds: Some(60), ..signal() }, ..row };
    for (row, time, expected) in [
        (None, "10:00:00", Step::Open),
        (Some(open()), "10:05:00", Step::Nothing("it was heard before")),
        (Some(open()), "10:05:01", Step::Count),
        // From before the end that is on its way, and from after it.
        (Some(clearing()), "10:09:59", Step::Count),
        (Some(ended()), "10:09:59", Step::Nothing("it is over by now")),
        (Some(ended()), "10:10:00", Step::Open),
        // Nobody has come back for ten minutes to say that it is over.
        (Some(clearing()), "10:22:00", Step::Open),
        (Some(quiet(open())), "10:05:59", Step::Count),
    ] {
        let now = at(time);
        assert_eq!(raised(row.as_ref(), &again(time), now), expected, "{time}");
    }
    let Step::Change(row) = raised(Some(&clearing()), &again("10:21:59"), at("10:21:59")) else { panic!() };
    assert_eq!((row.version, row.clear, row.clears.clone()), (3, None, None));
    assert_eq!(raised(Some(&quiet(open())), &again("10:06:00"), at("10:06:00")), Step::Open);
}

#[test]
fn an_end_holds_is_told_at_once_or_is_known_before_its_beginning() {
    let now = at("10:10:01");
    let nothing = |why| Step::Nothing(why);
    for (row, event, expected) in [
        (None, over("10:10:00", 120, true), Step::Open),
        (None, over("10:10:00", 120, false), nothing("nothing is open")),
        (Some(open()), over("10:04:59", 120, true), nothing("it has happened again since")),
        (Some(clearing()), over("10:10:00", 120, true), nothing("it was heard before")),
        (Some(clearing().resolving("", now)), over("10:10:00", 120, true), nothing("nothing is open")),
        (Some(clearing().resolving("", now)), over("10:10:01", 120, true), Step::Open),
    ] {
        assert_eq!(cleared(row.as_ref(), &event, now), expected, "{event:?}");
    }
    for (row, time) in [(open(), "10:05:00"), (clearing(), "10:10:01")] {
        let Step::Change(changed) = cleared(Some(&row), &over(time, 120, true), now) else {
            panic!("{time}")
        };
        assert_eq!((changed.version, changed.clear, changed.watch), (row.version + 1, Some(at(time)), now));
        assert_eq!((changed.resolved, changed.seq), (None, 1));
    }
    let Step::Change(changed) = cleared(Some(&open()), &over("10:10:00", 0, true), now) else { panic!() };
    assert_eq!((changed.resolved, changed.edition, changed.seq), (Some(now), Edition::Resolved, 2));
}

#[test]
fn time_ends_repeats_and_tells_what_was_held() {
    let held = || SignalRow { held: Some(pipeline::ids::ReleaseId::parse("r1").unwrap()), seq: 0, ..open() };
    let looked = |row: &SignalRow, is_held, time| look(row, is_held, 240, at(time));
    assert_eq!(looked(&open(), false, "10:30:00"), Look::Again(3 * 3600 + 1800 + 1));
    assert_eq!(looked(&clearing(), false, "10:11:59"), Look::Again(60), "not sooner than in a minute");
    assert_eq!(looked(&SignalRow { sent: 0, ..open() }, false, "10:30:00"), Look::Tell);
    // What has happened since is no end.
    let again = SignalRow { seen: at("10:10:01"), ..clearing() };
    assert!(matches!(looked(&again, false, "10:13:00"), Look::Again(_)));
    assert_eq!(looked(&held(), true, "10:59:59"), Look::Again(120));
    for (row, is_held, time, edition, told) in [
        (clearing(), false, "10:12:00", Edition::Resolved, 2),
        (open(), false, "14:00:00", Edition::Repeated, 2),
        (held(), true, "11:00:00", Edition::Opened, 1),
        (held(), false, "10:06:00", Edition::Opened, 1),
    ] {
        let Look::Change(changed) = looked(&row, is_held, time) else { panic!("{time}") };
        assert_eq!(
            (changed.version, changed.edition, changed.seq),
            (row.version + 1, edition, told),
            "{time}"
        );
        assert_eq!((changed.tries, changed.held.as_ref(), changed.told), (0, None, Some(at(time))));
    }
    let ended = SignalRow { sent: 2, ..clearing().resolving("it is quiet", at("10:12:00")) };
    assert_eq!(looked(&ended, false, "10:13:00"), Look::Done);
    let often = SignalRow { seq: MOST_REPEATS + 1, sent: MOST_REPEATS + 1, ..open() };
    assert_eq!(looked(&often, false, "23:00:00"), Look::Again(seconds(SELDOM)));
}

#[test]
fn a_message_is_tried_for_a_day_ever_more_seldom() {
    let after = |tries, asked| tried(&SignalRow { tries, ..open() }, [asked].into_iter());
    assert_eq!([0, 1, 3].map(|tries| after(tries, None)), [Some(60), Some(300), Some(3600)]);
    assert_eq!((after(0, Some(90)), after(MOST_LATER, None)), (Some(90), None));
}
