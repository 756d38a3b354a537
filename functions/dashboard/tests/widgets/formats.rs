//! What other functions write, and the dashboard shows: rows as those functions make them.

use std::collections::BTreeMap;

use alert::delivery::{Delivery, Status};
use alert::kind::AlertKind;
use dashboard::port::{Tested, Told};
use health_test::tests_row::{Shown, TestsRow, Transcript};
use pipeline::clock::Timestamp;
use serde_json::{from_value, json, to_value};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_795_000_000_000).plus_seconds(seconds)
}

#[test]
fn what_a_channel_was_told_is_read_as_alert_writes_it() {
    let due = Delivery::due(AlertKind::RolledBack, at(0));
    for (status, word) in [(Status::Sent, "sent"), (Status::Due, "due"), (Status::Failed, "failed")] {
        let row = Delivery { status, error: Some("no such channel".to_owned()), ..due.clone() };
        let told: Told = from_value(to_value(&row).unwrap()).unwrap();
        assert_eq!((told.status.as_str(), told.outcome.as_str(), told.time), (word, "RolledBack", at(0)));
        assert_eq!(told.error.as_deref(), Some("no such channel"));
    }
    let older: Told = from_value(json!({"outcome": "Deployed", "plan": null, "time": at(0)})).unwrap();
    assert_eq!(older.status, "sent");
}

#[test]
fn what_live_tests_have_shown_is_read_as_health_test_writes_it() {
    let phase = pack::Phase::Live;
    let outcome = pack::standing::Outcome::Failed;
    let last = Shown { phase, at: at(1), outcome, text: "GET /health: got 500".to_owned() };
    let shown = Transcript { first_failure: Some(last.clone()), last };
    let transcript = BTreeMap::from([("health".to_owned(), shown)]);
    let row = TestsRow { transcript, ..TestsRow::begun(phase, at(0), at(60)) };
    let tested: Tested = from_value(to_value(&row).unwrap()).unwrap();
    let shown = &tested.transcript["health"];
    assert_eq!((shown.last.phase.as_str(), shown.last.at), ("live", at(1)));
    assert_eq!(shown.first_failure.as_ref(), Some(&shown.last));
    let words = [pack::standing::Outcome::Passed, outcome, pack::standing::Outcome::Unmeasured];
    assert_eq!(
        words.map(|one| to_value(one).unwrap()),
        ["passed", "failed", "unmeasured"].map(|word| json!(word))
    );
}
