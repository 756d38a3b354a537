//! What people are told: true, once, and of every end.

use std::collections::BTreeMap;

use serde_json::Value;

use super::progress::{ROLLING_BACK, STARTED};
use super::resolved::RESOLVED;
use super::{Oracle, facts_of, is_in_place};
use crate::fake::State;

/// The states in which an execution ends by itself.
const ENDS: [&str; 10] = [
    "Deployed",
    "RolledBack",
    "NeedsHuman",
    "Refused",
    "Superseded",
    "Ignored",
    "Planned",
    "Answered",
    "Rejected",
    "Expired",
];

/// What asks people, and tells of no end.
const QUESTION: &str = "WaitingForApproval";

/// The status and the last state of every execution, by its name.
pub type Executions = BTreeMap<String, (String, String)>;

impl Oracle {
    /// Hears what was told last.
    ///
    /// What is told as deployed runs at that moment, and is in the history of its service.
    pub fn hears(&mut self, account: &mut State) {
        let Some(told) = account.published.last().cloned() else { return };
        match told.outcome.as_str() {
            QUESTION => return,
            RESOLVED => return self.hears_resolved(account, &told.release),
            STARTED | ROLLING_BACK => return self.hears_progress(account, &told.release, &told.outcome),
            _ => {}
        }
        self.told.push((told.release.clone(), told.outcome.clone()));
        if told.outcome == "RolledBack" {
            self.hears_of_a_rollback(account, &told.release);
            self.hears_that_nothing_was_measured(account, &told.release);
        }
        if told.outcome == "Refused" {
            self.hears_refusal(account, &told.release, &told.text);
        }
        if told.outcome != "Deployed" {
            return;
        }
        let release = &told.release;
        for (sk, row) in account.table.list(&format!("release#{release}"), "move#") {
            if row["verdict"] != "Healthy" {
                continue;
            }
            let digest = row["digest"].as_str().unwrap_or_default();
            let wrong = is_in_place(account, &row, digest).err();
            self.holds(wrong.is_none(), || {
                format!("{release} is told as Deployed, and of {sk} {}", wrong.unwrap_or_default())
            });
            self.has_passed_its_tests(account, release, &row);
            let known = is_known(account, release, &row);
            self.holds(known, || format!("{release} is told as Deployed, and the history lacks {sk}"));
        }
    }

    /// Hears what could not be told: people find it in the queue, whose alarm calls them.
    pub fn hears_of_undelivered(&mut self, kept: &Value) {
        let (release, outcome) = (kept["release"].as_str(), kept["outcome"].as_str());
        if let (Some(release), Some(outcome)) = (release, outcome) {
            self.told.push((release.to_owned(), outcome.to_owned()));
        }
    }

    /// Every end is told, by the outcome of its last state; twice only where something went wrong with the telling.
    pub(super) fn every_end_is_told(
        &mut self,
        account: &State,
        executions: &BTreeMap<String, (String, String)>,
        faults: bool,
    ) {
        for (name, (status, last)) in executions.iter().filter(|(_, (status, _))| status != "RUNNING") {
            let of_it = self.told.iter().filter(|(one, _)| one == name);
            let told: Vec<String> = of_it.map(|(_, outcome)| outcome.clone()).collect();
            let undelivered = account.undelivered.iter().any(|kept| kept.to_string().contains(name.as_str()));
            let by_itself = status == "SUCCEEDED" || ENDS.contains(&last.as_str());
            let right = match (by_itself, last.as_str()) {
                // What a person hears of by starting it is not told once more; of a stop they have heard before.
                (true, "Ignored" | "Planned" | "Answered") => {
                    told.len() <= 1 || faults || self.redriven.contains(name)
                }
                (true, last) if self.redriven.contains(name) => told.last().is_some_and(|one| one == last),
                (true, last) if faults => !told.is_empty() && told.iter().all(|one| one == last),
                (true, last) => told == [last],
                // Its own alert and the event of its end may both come.
                (false, _) => !told.is_empty(),
            };
            self.holds(right || undelivered, || {
                format!("{name} ended in {last} ({status}), and people were told {told:?}")
            });
        }
    }

    pub(super) fn is_told_to_a_person(&self, release: &str) -> bool {
        self.told.iter().any(|(name, outcome)| name == release && outcome == "NeedsHuman")
    }
}

/// Tells whether the history of a service knows what a move has brought, or as many newer facts as are kept.
fn is_known(account: &State, release: &str, row: &Value) -> bool {
    let (environment, service) = (row["environment"].as_str(), row["service"].as_str());
    let key = (
        format!("env#{}", environment.unwrap_or_default()),
        format!("service#{}", service.unwrap_or_default()),
    );
    let known = account.table.row(&key.0, &key.1).unwrap_or_default();
    let facts = facts_of(&known);
    let of = facts.iter().filter(|fact| fact["repository"] == row["repository"]).count();
    of >= if known["history"].is_null() { 2 } else { 5 }
        || facts.iter().any(|fact| fact["release"] == release && fact["digest"] == row["digest"])
}
