//! The tags: what is kept for a service, and what an environment's own tag says.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Executions;
use super::Oracle;
use super::rest::newest_of_each;
use crate::fake::State;

impl Oracle {
    /// A move that never changed its service leaves no keep-tag that says so.
    pub(super) fn what_was_not_touched_is_not_live(&mut self, account: &State, executions: &Executions) {
        let moves = account.table.all("move#");
        for (pk, row) in &moves {
            let text = |key: &str| row[key].as_str().unwrap_or_default();
            let release = pk.strip_prefix("release#").unwrap_or_default();
            let judged = executions.get(release).is_some_and(|(_, last)| last == "NeedsHuman");
            let later = moves.iter().any(|(_, other)| {
                ["environment", "service"].iter().all(|key| other[key] == row[key])
                    && other["leased"].as_str() > row["leased"].as_str()
            });
            let left =
                row["touched"].is_null() && !row["started"].is_null() && row["verdict"] != "Superseded";
            let same = row["restore"]["digest"] == row["digest"] || row["restore"].is_null();
            if !judged || later || !left || same || self.tagged.contains(text("repository")) {
                continue;
            }
            let tag = format!("tidegate.{}.{}.live", text("environment"), text("service"));
            let live = account.ecr.tagged(text("repository"), &tag);
            self.holds(live != Some(text("digest")), || {
                format!("{release} has left {tag} on what never ran")
            });
        }
    }

    /// Where every release has ended by itself, and nobody else wrote a tag, the tags say what runs and what ran before.
    pub(super) fn tags_say_what_runs(&mut self, account: &State, executions: &Executions) {
        // By environment and repository: when its last release began, and what that has brought.
        let mut newest: BTreeMap<(String, String), (String, BTreeSet<String>)> = BTreeMap::new();
        let moves = account.table.all("move#");
        for (key, row) in services(account) {
            let (environment, service) = &key;
            for fact in newest_of_each(&row) {
                let text = |key: &str| fact[key].as_str().unwrap_or_default().to_owned();
                let (repository, digest, release) = (text("repository"), text("digest"), text("release"));
                let of = |one: &&(String, Value)| {
                    one.1["environment"] == *environment && one.1["repository"] == repository.as_str()
                };
                let ended = |one: &(String, Value)| {
                    let name = one.0.strip_prefix("release#").unwrap_or_default();
                    executions.get(name).is_some_and(|(_, last)| last == "Deployed" || last == "RolledBack")
                };
                if self.tagged.contains(&repository)
                    || release.is_empty()
                    || !moves.iter().filter(of).all(ended)
                {
                    continue;
                }
                let started = moves.iter().filter(of).filter(|(pk, _)| *pk == format!("release#{release}"));
                let started = started
                    .filter_map(|(_, row)| row["started"].as_str())
                    .min()
                    .unwrap_or_default()
                    .to_owned();
                let last = newest.entry((environment.clone(), repository.clone())).or_default();
                if started > last.0 {
                    *last = (started.clone(), BTreeSet::new());
                }
                if started == last.0 {
                    last.1.insert(digest.clone());
                }
                let tag = |kind: &str| format!("tidegate.{environment}.{service}.{kind}");
                let live = account.ecr.tagged(&repository, &tag("live"));
                self.holds(live == Some(&digest), || {
                    format!("{} names {live:?}, and {service} runs {digest}", tag("live"))
                });
            }
        }
        for ((environment, repository), (_, digests)) in newest {
            // One that went back can have left its services on several.
            let [digest] = digests.iter().collect::<Vec<_>>()[..] else { continue };
            let named = account.ecr.tagged(&repository, &environment);
            self.holds(named == Some(digest), || {
                format!(
                    "the tag {environment} of {repository} names {named:?}, and {digest} was brought last"
                )
            });
        }
    }
}

/// Returns the rows of all services, by environment and name.
fn services(account: &State) -> Vec<((String, String), Value)> {
    let rows = crate::simulation::world::ENVIRONMENTS.iter().flat_map(|environment| {
        let rows = account.table.list(&format!("env#{environment}"), "service#");
        rows.into_iter().filter_map(move |(sk, row)| {
            Some((((*environment).to_owned(), sk.strip_prefix("service#")?.to_owned()), row))
        })
    });
    rows.collect()
}
