//! Until when a release looks at a service.

use pipeline::clock::Timestamp;
use serde_json::Value;

use super::Oracle;
use crate::fake::State;

/// How long after its deadline the last look may be, in milliseconds: with faults, and without.
const LATE_MS: (i64, i64) = (300_000, 90_000);

/// How long live tests may take beside what a rollout may, in milliseconds.
const TESTS_MS: i64 = 900_000;

/// What of a move says until when its service is looked at.
const TIMED: [&str; 12] = [
    "service",
    "healthTimeoutSeconds",
    "pack",
    "leased",
    "touched",
    "verdict",
    "failure",
    "undoStarted",
    "undoVerdict",
    "undoFailure",
    "traffic",
    "shifted",
];

impl Oracle {
    /// Notes how long after its deadline a release still looks at a service.
    pub(super) fn notes_look(&mut self, account: &State, release: &str, input: &Value) {
        let Some([service]) = input["services"].as_array().map(Vec::as_slice) else { return };
        // Whoever is had go on looks once more.
        if self.redriven.contains(release) {
            return;
        }
        let moves = account.table.some_of(&format!("release#{release}"), "move#", &TIMED);
        let Some(row) = moves.into_iter().find(|row| row["service"] == *service) else { return };
        let Some((way, until)) = deadline(&row) else { return };
        if account.now > until {
            let what = format!("{release} looks at {service} on its way {way}");
            let last = self.looks.entry(what).or_default();
            *last = account.now - until;
        }
    }

    /// No look comes long after its deadline.
    pub(super) fn every_look_was_in_time(&mut self, faults: bool) {
        let most = if faults { LATE_MS.0 } else { LATE_MS.1 };
        for (what, after) in std::mem::take(&mut self.looks) {
            self.holds(after < most, || format!("{what} {} s after its deadline", after / 1000));
        }
    }
}

/// Returns which way a move goes that is not judged yet, and until when.
fn deadline(row: &Value) -> Option<(&'static str, i64)> {
    // A shift has its steps and its bake beside, and those of the way forward begin with it.
    let planned = row["traffic"]["seconds"].as_i64().unwrap_or_default() * 1000;
    let timeout = row["healthTimeoutSeconds"].as_i64()? * 1000;
    let is_open = |verdict: &str, failure: &str| row[verdict].is_null() && row[failure].is_null();
    if let Some(began) = millis(&row["undoStarted"]) {
        return is_open("undoVerdict", "undoFailure")
            .then_some(("back", began + planned + timeout + TESTS_MS));
    }
    let began = millis(&row["touched"])?.max(millis(&row["leased"])?);
    let began = millis(&row["shifted"]).map_or(began, |shifted| began.max(shifted + planned));
    // The time of live tests begins with what is proven.
    let tests = if row["pack"].is_null() { 0 } else { timeout + TESTS_MS };
    is_open("verdict", "failure").then_some(("forward", began + timeout + tests))
}

fn millis(moment: &Value) -> Option<i64> {
    Some(Timestamp::parse(moment.as_str()?).ok()?.millis())
}
