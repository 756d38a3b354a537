//! What is left when everything has come to rest.

use serde_json::Value;

use super::{Oracle, Pushed, facts_of};
use crate::cluster;
use crate::fake::State;
use crate::simulation::world::ENVIRONMENTS;

/// How long after the last act, and after the last fault, everything has come to rest at the latest.
const REST_MS: i64 = 3 * 3_600_000;

/// The same where a release has frozen its environment last: what that holds waits for a day.
const HELD_MS: i64 = 27 * 3_600_000;

use super::Executions;

impl Oracle {
    /// Looks at what is left.
    pub fn at_rest(&mut self, account: &mut State, executions: &Executions, calm: i64, faults: bool) {
        let late = (account.now - calm) / 60_000;
        let frozen = ENVIRONMENTS.iter().any(|name| {
            let row = account.table.row(&format!("env#{name}"), "frozen");
            row.is_some_and(|row| row["frozen"] == true)
        });
        let bound = if frozen { HELD_MS } else { REST_MS };
        self.holds(account.now <= calm + bound, || format!("it came to rest only after {late} minutes"));
        for what in account.strange.iter().take(3) {
            self.holds(false, || format!("no function may do this: {what}"));
        }
        for (name, (status, state)) in executions {
            self.holds(status != "RUNNING", || format!("{name} still runs, in {state}"));
        }
        self.every_end_is_told(account, executions, faults);
        self.progress_is_told(account, faults);
        self.what_is_settled_is_told(account, faults);
        for environment in ENVIRONMENTS {
            self.leases_are_free(account, environment);
        }
        let services: Vec<String> = account.ecs.services.keys().cloned().collect();
        for name in services {
            self.is_verified_or_told(account, &name);
        }
        self.no_push_is_lost(account, executions);
        for (name, (_, last)) in executions.iter().filter(|(name, _)| !faults && name.starts_with("own-")) {
            self.holds(last == "Ignored", || format!("{name}, the event of our own tag, ended in {last}"));
        }
        self.no_wave_began_in_a_freeze(faults);
        self.every_stop_was_seen(faults);
        self.every_look_was_in_time(faults);
        self.no_traffic_comes_too_early(account, executions);
        self.no_run_is_left(account);
        self.no_run_without_a_result_is_held_against_anybody(account);
        self.nothing_fails_at_its_beginning(account, faults);
        if !faults && !self.forgotten && self.stopped.is_empty() && self.redriven.is_empty() {
            self.tags_say_what_runs(account, executions);
            self.what_was_not_touched_is_not_live(account, executions);
        }
    }

    /// Only what was told as not closed may still hold a service.
    fn leases_are_free(&mut self, account: &State, environment: &str) {
        for (lease, row) in account.table.list(&format!("env#{environment}"), "lease#") {
            let Some(release) = row["release"].as_str() else { continue };
            let told = self.told.iter().any(|(name, _)| name == release);
            let open = account
                .table
                .row(&format!("release#{release}"), "head")
                .is_some_and(|head| head["outcome"].is_null());
            self.holds(told && (open || self.is_told_to_a_person(release)), || {
                format!("{lease} of {environment} is held by {release}, which has ended")
            });
        }
    }

    /// What a service runs is verified, or somebody knows: whoever deployed it by hand, or whoever was told.
    fn is_verified_or_told(&mut self, account: &mut State, name: &str) {
        let later = account.now + 3_600_000;
        let Some((environment, service)) = name.split_once('/') else { return };
        let row = account
            .table
            .row(&format!("env#{environment}"), &format!("service#{service}"))
            .unwrap_or_default();
        let moves = moves_of(account, environment, service);
        let Some(state) = account.ecs.at(name, later) else { return };
        let Some(last) = state.pointed.last().cloned() else { return };
        let (_, status, revision, digests) = state.primary();
        let (status, revision, digests) = (status.to_owned(), revision.to_owned(), digests.to_vec());
        let verified: Vec<&Value> = newest_of_each(&row);
        let shown = |digest: &String| verified.iter().any(|fact| fact["digest"] == digest.as_str());
        // Of an image that tasks do not run a person may have heard before another one of the service was verified.
        let brings = |row: &Value, digest: &String| row["digest"] == digest.as_str();
        let heard = |digest: &String| {
            !shown(digest)
                && moves.iter().any(|(by, row)| brings(row, digest) && self.is_told_to_a_person(by))
        };
        let settled =
            status == "COMPLETED" && digests.iter().all(|digest| state.runs_only(digest) || heard(digest));
        let is_verified = digests.iter().any(shown);
        if settled && is_verified {
            self.what_is_promised_to_be_kept_is(account, environment, service, &verified);
            return;
        }
        let ours = |row: &Value| {
            [&row["deployment"], &row["undo"]].contains(&&Value::from(last.deployment.as_str()))
        };
        // A deployment that somebody forced of our revision is ours as well.
        let forced = |row: &Value| row["registered"] == revision.as_str();
        let by =
            moves.iter().find(|(_, row)| ours(row)).or_else(|| moves.iter().find(|(_, row)| forced(row)));
        let known = by.is_none_or(|(release, _)| self.is_told_to_a_person(release));
        self.holds(known, || {
            let by = by.map_or("nobody", |(release, _)| release.as_str());
            format!("{name} runs {digests:?} ({status}), deployed by {by}; verified is {verified:?}, and nobody was told")
        });
    }

    /// No lifecycle rule that spares keep-tags takes the image that a service runs, verified by a release.
    fn what_is_promised_to_be_kept_is(
        &mut self,
        account: &State,
        environment: &str,
        service: &str,
        verified: &[&Value],
    ) {
        if self.forgotten {
            return;
        }
        for fact in verified.iter().filter(|fact| !fact["release"].is_null()) {
            let (repository, digest) = (
                fact["repository"].as_str().unwrap_or_default(),
                fact["digest"].as_str().unwrap_or_default(),
            );
            // Whoever writes over a keep-tag takes the promise into their own hands.
            if self.tagged.contains(repository) {
                continue;
            }
            let named = ["live", "previous"].map(|kind| {
                account.ecr.tagged(repository, &format!("tidegate.{environment}.{service}.{kind}"))
            });
            self.holds(named.contains(&Some(digest)), || {
                format!("{environment}/{service} runs {digest}, and its keep-tags name {named:?}")
            });
        }
    }

    /// The newest push of a repository was let in, or refused so that people heard of it; or it is there already.
    fn no_push_is_lost(&mut self, account: &State, executions: &Executions) {
        for (repository, pushed) in self.newest.clone() {
            let heard = |one: &Pushed| {
                let names = [one.name.clone(), format!("{}-again", one.name)];
                let mut ends = names.iter().filter_map(|name| executions.get(name));
                one.late
                    || ends.any(|(_, last)| last != "Ignored")
                    || is_there(account, &repository, &one.digest)
            };
            let names: Vec<&String> = pushed.iter().map(|one| &one.name).collect();
            self.holds(pushed.iter().all(heard), || {
                format!("the newest push of {repository}, {names:?}, is lost")
            });
        }
    }
}

/// Tells whether every service of the first environment that runs a repository is on an image.
fn is_there(account: &State, repository: &str, digest: &str) -> bool {
    let uri = cluster::uri(repository);
    account.ecs.services.iter().filter(|(name, _)| name.starts_with("dev/")).all(|(_, service)| {
        let (_, _, revision, digests) = service.primary();
        let runs =
            account.ecs.images_of(revision).iter().any(|image| image.split(['@', ':']).next() == Some(&uri));
        !runs || digests.iter().any(|one| one == digest)
    })
}

/// Returns the newest fact of each repository.
pub(super) fn newest_of_each(row: &Value) -> Vec<&Value> {
    let mut newest: Vec<&Value> = Vec::new();
    for fact in facts_of(row) {
        if !newest.iter().any(|one| one["repository"] == fact["repository"]) {
            newest.push(fact);
        }
    }
    newest
}

fn moves_of(account: &State, environment: &str, service: &str) -> Vec<(String, Value)> {
    let rows = account.table.all("move#").into_iter();
    let of = |row: &Value| row["service"] == service && row["environment"] == environment;
    rows.filter(|(_, row)| of(row))
        .filter_map(|(pk, row)| Some((pk.strip_prefix("release#")?.to_owned(), row)))
        .collect()
}
