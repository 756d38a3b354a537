//! How far a release is: told where somebody asks for it, once, in order, and never after its end.

use super::Oracle;
use crate::cluster;
use crate::fake::State;

/// What is told of a release before its end.
pub const STARTED: &str = "Started";
pub const ROLLING_BACK: &str = "RollingBack";

/// Something that was told of how far a release is.
#[derive(Clone, Debug)]
pub struct Progress {
    release: String,
    outcome: String,
    /// Whether something newer had been told before.
    is_old: bool,
}

impl Oracle {
    /// Hears how far a release is.
    pub(super) fn hears_progress(&mut self, account: &State, release: &str, outcome: &str) {
        let asked = cluster::asks_for_progress(account);
        self.holds(asked, || format!("{release} is told as {outcome}, and nobody has asked for that"));
        let has_ended = self.told.iter().any(|(name, _)| name == release);
        let goes_back = self.heard(release, ROLLING_BACK) > 0;
        let is_old = has_ended || (outcome == STARTED && goes_back);
        let (release, outcome) = (release.to_owned(), outcome.to_owned());
        self.progress.push(Progress { release, outcome, is_old });
    }

    /// Who asks for it hears of each start and of each rollback, once and in time, if nothing goes wrong.
    pub(super) fn progress_is_told(&mut self, account: &State, faults: bool) {
        for Progress { release, outcome, is_old } in self.progress.clone() {
            let excused = faults || self.redriven.contains(&release);
            let times = self.heard(&release, &outcome);
            self.holds(excused || (!is_old && times == 1), || {
                format!("{release} is told as {outcome}, {times} times, and when that is old: {is_old}")
            });
        }
        if faults || !cluster::asks_for_progress(account) {
            return;
        }
        for (pk, head) in account.table.all("head") {
            let Some(release) = pk.strip_prefix("release#").filter(|name| self.is_undisturbed(name)) else {
                continue;
            };
            let began = account.table.list(&pk, "move#").iter().any(|(_, row)| !row["started"].is_null());
            for (outcome, is_so) in [(STARTED, began), (ROLLING_BACK, !head["undo"].is_null())] {
                let told = self.heard(release, outcome) > 0;
                self.holds(told == is_so, || {
                    format!("{release} is told as {outcome}: {told}, and it is so: {is_so}")
                });
            }
        }
    }

    fn is_undisturbed(&self, release: &str) -> bool {
        !self.stopped.contains(release) && !self.redriven.contains(release) && !self.died.contains(release)
    }

    fn heard(&self, release: &str, outcome: &str) -> usize {
        self.progress.iter().filter(|told| told.release == release && told.outcome == outcome).count()
    }
}
