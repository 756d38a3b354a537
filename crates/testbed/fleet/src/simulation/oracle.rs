//! What has to hold, by what the account says, and not by what the pipeline says of itself.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::cluster::NAME;
use crate::fake::State;

/// The states in which an execution ends by itself; one that has died elsewhere is told of by a rule of EventBridge,
/// which is not played.
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

/// How long after the last act, and after the last fault, everything has come to rest at the latest.
const REST_MS: i64 = 2 * 3_600_000;

/// Looks on.
#[derive(Debug, Default)]
pub struct Oracle {
    /// What was promised and does not hold.
    pub broken: Vec<String>,
    /// What people were told: a release, and its outcome.
    pub told: Vec<(String, String)>,
    /// The executions that somebody had go on after their end.
    pub redriven: BTreeSet<String>,
}

impl Oracle {
    /// Sees a call of a function to AWS just before it has its effect.
    ///
    /// Whoever changes a service, or a tag that stands for one, holds the lease of that service at this very moment.
    pub fn sees_call(&mut self, account: &State, release: &str, operation: &str, input: &Value) {
        let services: Vec<String> = match operation {
            "ecs.UpdateService" => vec![input["service"].as_str().unwrap_or_default().to_owned()],
            "ecr.PutImage" => {
                let tag = input["imageTag"].as_str().unwrap_or_default();
                tag.split('.').nth(2).map(str::to_owned).into_iter().collect()
            }
            _ => return,
        };
        for service in services {
            let lease = account.table.row(&format!("env#{NAME}"), &format!("lease#{service}"));
            let holder = lease.as_ref().and_then(|row| row["release"].as_str()).unwrap_or("nobody");
            if holder != release {
                self.broken.push(format!(
                    "{release} calls {operation} for {service}, whose lease {holder} holds: {input}"
                ));
            }
        }
    }

    /// Hears what people are told.
    ///
    /// What is told as deployed runs at that moment, unless somebody has pointed the service elsewhere since.
    pub fn hears(&mut self, account: &mut State, alert: &Value) {
        let text = |key: &str| alert[key].as_str().unwrap_or_default().to_owned();
        let (release, outcome, now) = (text("release"), text("outcome"), account.now);
        self.told.push((release.clone(), outcome.clone()));
        if outcome != "Deployed" {
            return;
        }
        for (sk, row) in account.table.list(&format!("release#{release}"), "move#") {
            if row["verdict"] != "Healthy" {
                continue;
            }
            let (name, digest) = (row["service"].as_str().unwrap_or_default(), row["digest"].as_str());
            let deployment = row["deployment"].as_str();
            let Some(service) = account.ecs.at(name, now) else { continue };
            let (id, state, primary) = service.primary();
            let ours =
                service.pointed.iter().rposition(|pointed| Some(pointed.deployment.as_str()) == deployment);
            let later = ours.is_some_and(|ours| ours + 1 < service.pointed.len());
            let runs = service.runs().iter().all(|one| Some(one.as_str()) == digest);
            let good = Some(primary) == digest && state == "COMPLETED" && runs;
            if !good && !later {
                self.broken.push(format!(
                    "{release} is told as Deployed, and {name} ({sk}) is on {id}, {state}, which runs {primary}"
                ));
            }
        }
    }

    /// Looks at what is left when everything has come to rest; an execution has its status by its name.
    pub fn at_rest(
        &mut self,
        account: &mut State,
        executions: &BTreeMap<String, (String, String)>,
        calm: i64,
    ) {
        if account.now > calm + REST_MS {
            self.broken.push(format!("it came to rest only after {} minutes", (account.now - calm) / 60_000));
        }
        let strange: Vec<String> = account.strange.iter().take(3).cloned().collect();
        self.broken.extend(strange.into_iter().map(|what| format!("no function may do this: {what}")));
        let died = executions.iter().filter(|(_, (_, last))| !ENDS.contains(&last.as_str()));
        let died: BTreeSet<&String> = died.map(|(name, _)| name).collect();
        self.everything_has_ended(executions);
        self.every_end_is_told_once(executions);
        self.leases_are_free(account, &died);
        self.services_are_verified_or_told(account, &died);
    }

    fn everything_has_ended(&mut self, executions: &BTreeMap<String, (String, String)>) {
        let running = executions.iter().filter(|(_, (status, _))| status == "RUNNING");
        self.broken.extend(running.map(|(name, (_, state))| format!("{name} still runs, in {state}")));
    }

    /// A release that ended by itself is told once, by the outcome of its last state.
    fn every_end_is_told_once(&mut self, executions: &BTreeMap<String, (String, String)>) {
        for (name, (_, last)) in executions.iter().filter(|(_, (_, last))| ENDS.contains(&last.as_str())) {
            let told: Vec<&str> = self
                .told
                .iter()
                .filter(|(release, _)| release == name)
                .map(|(_, outcome)| outcome.as_str())
                .collect();
            let right = match last.as_str() {
                "Ignored" | "Planned" => told.is_empty(),
                _ if self.redriven.contains(name) => told.last() == Some(&last.as_str()),
                _ => told == [last.as_str()],
            };
            if !right {
                self.broken.push(format!("{name} ended in {last}, and people were told {told:?}"));
            }
        }
    }

    /// Only what has died, or was told as not closed, may still hold a service.
    fn leases_are_free(&mut self, account: &State, died: &BTreeSet<&String>) {
        for (lease, row) in account.table.list(&format!("env#{NAME}"), "lease#") {
            let Some(release) = row["release"].as_str() else { continue };
            let told = self.told.iter().any(|(name, outcome)| name == release && outcome == "NeedsHuman");
            if !told && !died.contains(&release.to_owned()) {
                self.broken.push(format!("{lease} is held by {release}, which has ended"));
            }
        }
    }

    /// What runs at rest is verified, or somebody knows: whoever deployed it by hand, or whoever was told.
    fn services_are_verified_or_told(&mut self, account: &mut State, died: &BTreeSet<&String>) {
        let later = account.now + 3_600_000;
        let names: Vec<String> = account.ecs.services.keys().cloned().collect();
        for name in names {
            let row = account.table.row(&format!("env#{NAME}"), &format!("service#{name}"));
            let verified = row.as_ref().map(|row| row["verified"]["digest"].clone()).unwrap_or_default();
            let moves = self.moves_of(account, &name);
            let Some(service) = account.ecs.at(&name, later) else { continue };
            let Some(last) = service.pointed.last() else { continue };
            let (_, state, digest) = service.primary();
            let runs = service.runs().iter().all(|one| one == digest);
            if state == "COMPLETED" && runs && verified == digest {
                let digest = digest.to_owned();
                self.live_image_is_kept(account, &name, &digest, row.as_ref());
                continue;
            }
            let by = moves.iter().find(|(_, row)| {
                row["deployment"] == last.deployment.as_str() || row["undo"] == last.deployment.as_str()
            });
            let known = by.is_none_or(|(release, _)| {
                died.contains(release)
                    || self.told.iter().any(|(name, outcome)| name == release && outcome == "NeedsHuman")
            });
            if !known {
                let by = by.map_or("nobody", |(release, _)| release.as_str());
                self.broken.push(format!(
                    "{name} runs {digest} ({state}), deployed by {by}; verified is {verified}, and nobody was told"
                ));
            }
        }
    }

    /// No lifecycle rule may take the image that a service runs, verified by a release.
    fn live_image_is_kept(&mut self, account: &State, service: &str, digest: &str, row: Option<&Value>) {
        let verified = row.map(|row| row["verified"].clone()).unwrap_or_default();
        let repository = verified["repository"].as_str().unwrap_or_default();
        let named = ["live", "previous"]
            .map(|kind| account.ecr.tagged(repository, &format!("tidegate.{NAME}.{service}.{kind}")));
        if !verified["release"].is_null() && !named.contains(&Some(digest)) {
            self.broken.push(format!("{service} runs {digest}, and its keep-tags name {named:?}"));
        }
    }

    fn moves_of(&self, account: &State, service: &str) -> Vec<(String, Value)> {
        let releases: BTreeSet<&String> = self.told.iter().map(|(release, _)| release).collect();
        let moves = releases.into_iter().flat_map(|release| {
            let rows = account.table.list(&format!("release#{release}"), "move#");
            rows.into_iter().map(|(_, row)| (release.clone(), row))
        });
        moves.filter(|(_, row)| row["service"] == service).collect()
    }
}
