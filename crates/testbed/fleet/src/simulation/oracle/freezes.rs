//! What a freeze stops, and whose it stays.

use pipeline::clock::Timestamp;
use serde_json::Value;

use super::Oracle;
use crate::fake::State;

/// How long after a freeze a wave may begin that was let go before it, in milliseconds: with faults, and without.
const LET_GO_MS: (i64, i64) = (600_000, 120_000);

impl Oracle {
    /// Sees who has frozen an environment: a release leaves the freeze of a person as it is.
    pub(super) fn sees_freeze(&mut self, account: &State, release: &str, pk: &str) {
        let row = account.table.row(pk, "frozen").unwrap_or_default();
        let before = self.frozen.insert(pk.to_owned(), row.clone()).unwrap_or_default();
        let is_persons = before["frozen"] == true && before["automatic"] != true;
        self.holds(!is_persons || row["automatic"] != true, || {
            format!("{release} replaces the freeze of a person, {before}, by its own")
        });
    }

    /// Notes how long an environment had been frozen when a later wave of a release began.
    pub(super) fn notes_wave(&mut self, account: &State, release: &str, service: &str) {
        let rows = account.table.list(&format!("release#{release}"), "move#");
        let wave = |sk: &str| sk.split('#').nth(1).map(str::to_owned);
        let Some((sk, row)) = rows.iter().find(|(_, row)| row["service"] == service) else { return };
        let head = account.table.row(&format!("release#{release}"), "head").unwrap_or_default();
        if sk.starts_with("move#0#") || head["request"]["to"].get("images").is_none() {
            return;
        }
        let environment = row["environment"].as_str().unwrap_or_default();
        let frozen = account.table.row(&format!("env#{environment}"), "frozen").unwrap_or_default();
        if frozen["frozen"] != true || frozen["by"] == release {
            return;
        }
        let began = rows
            .iter()
            .filter(|(other, _)| wave(other) == wave(sk))
            .filter_map(|(_, row)| millis(&row["started"]));
        if let (Some(began), Some(since)) = (began.min(), millis(&frozen["since"])) {
            let what =
                format!("{release} begins wave {:?} in {environment}, frozen by {}", wave(sk), frozen["by"]);
            self.waves.push((began - since, what));
        }
    }

    /// No wave begins long after a freeze.
    pub(super) fn no_wave_began_in_a_freeze(&mut self, faults: bool) {
        let most = if faults { LET_GO_MS.0 } else { LET_GO_MS.1 };
        for (after, what) in std::mem::take(&mut self.waves) {
            self.holds(after < most, || format!("{what} for {} s", after / 1000));
        }
    }
}

fn millis(moment: &Value) -> Option<i64> {
    Some(Timestamp::parse(moment.as_str()?).ok()?.millis())
}
