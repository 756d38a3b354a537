//! How soon a release ends that somebody has stopped.

use pipeline::clock::Timestamp;
use serde_json::Value;

use super::Oracle;
use crate::fake::State;

/// How long after a stop the first service goes back at the latest, in milliseconds, without faults.
const SEEN_MS: i64 = 400_000;

impl Oracle {
    /// Notes how long ago a release was stopped whose first service goes back.
    pub(super) fn notes_stop(&mut self, account: &State, release: &str) {
        let pk = format!("release#{release}");
        let Some(since) = account.table.row(&pk, "head").and_then(|head| millis(&head["stop"]["since"]))
        else {
            return;
        };
        let rows = account.table.list(&pk, "move#");
        let begun = rows.iter().filter(|(_, row)| !row["undoStarted"].is_null()).count();
        if begun == 1 {
            self.stops.push((account.now - since, release.to_owned()));
        }
    }

    /// A release that bakes sees that it is stopped.
    pub(super) fn every_stop_was_seen(&mut self, faults: bool) {
        for (after, release) in std::mem::take(&mut self.stops) {
            self.holds(faults || after < SEEN_MS, || {
                format!("{release} was stopped, and went back {} s later", after / 1000)
            });
        }
    }
}

fn millis(moment: &Value) -> Option<i64> {
    Some(Timestamp::parse(moment.as_str()?).ok()?.millis())
}
