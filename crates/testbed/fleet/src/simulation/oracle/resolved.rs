//! What a release has left to a person: told as settled once each of its services was deployed since, and not before.

use std::collections::BTreeSet;

use super::Oracle;
use crate::fake::State;

/// What is told then.
pub const RESOLVED: &str = "Resolved";

impl Oracle {
    /// Hears that it is settled.
    pub(super) fn hears_resolved(&mut self, account: &State, release: &str) {
        let open = self.left_open(account, release);
        let is_settled = open.as_ref().is_some_and(BTreeSet::is_empty);
        self.holds(is_settled, || format!("{release} is told as settled, and it has left open {open:?}"));
        self.resolved.push(release.to_owned());
    }

    /// Whatever is settled is told, once, if nothing goes wrong.
    pub(super) fn what_is_settled_is_told(&mut self, account: &State, faults: bool) {
        let asked = self.told.iter().filter(|(_, outcome)| outcome == "NeedsHuman");
        let asked: BTreeSet<String> = asked.map(|(release, _)| release.clone()).collect();
        for release in asked {
            if faults || self.redriven.contains(&release) {
                continue;
            }
            let Some(open) = self.left_open(account, &release) else { continue };
            let times = self.resolved.iter().filter(|one| **one == release).count();
            self.holds(times == usize::from(open.is_empty()), || {
                format!("{release} is told as settled {times} times, and it has left open {open:?}")
            });
        }
    }

    /// Returns the services that it has left to a person, and that nothing that ended as Deployed has deployed since.
    fn left_open(&self, account: &State, release: &str) -> Option<BTreeSet<String>> {
        let asked = |(name, outcome): &(String, String)| name == release && outcome == "NeedsHuman";
        let since = self.told.iter().position(asked)?;
        let head = account.table.row(&format!("release#{release}"), "head")?;
        let named = head["services"].as_array().into_iter().flatten().filter_map(|one| one.as_str());
        let mut open: BTreeSet<String> = named.map(str::to_owned).collect();
        let is_deployed = |told: &(String, String)| told.1 == "Deployed";
        let told =
            self.told.iter().skip(since).filter(|told| is_deployed(told)).map(|(name, _)| name.clone());
        // Its own end may be told later, if the first message was lost.
        let mut heads = account.table.all("head");
        heads.retain(|(_, head)| head["outcome"] == "Deployed");
        let names = heads.iter().filter_map(|(pk, _)| pk.strip_prefix("release#"));
        let untold = names.filter(|name| !self.told.iter().any(|told| is_deployed(told) && told.0 == *name));
        for later in told.chain(untold.map(str::to_owned)) {
            let key = format!("release#{later}");
            let there =
                account.table.row(&key, "head").is_some_and(|of| of["environment"] == head["environment"]);
            for (_, row) in account.table.list(&key, "move#") {
                if there && row["verdict"] == "Healthy" {
                    open.remove(row["service"].as_str().unwrap_or_default());
                }
            }
        }
        Some(open)
    }
}
