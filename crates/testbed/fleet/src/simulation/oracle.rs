//! What has to hold, by what the account says, and not by what the pipeline says of itself.

mod deadlines;
mod fences;
mod forward;
mod freezes;
mod holds;
mod leases;
mod marks;
mod outcomes;
mod progress;
mod requests;
mod resolved;
mod rest;
mod runs;
mod stops;
mod told;
mod traffic;
mod writes;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::fake::State;
use crate::machine::Hand;
pub use told::Executions;

/// Looks on.
#[derive(Clone, Debug, Default)]
pub struct Oracle {
    /// What was promised and does not hold.
    pub broken: Vec<String>,
    /// What people were told: a release, and its outcome.
    pub told: Vec<(String, String)>,
    /// How far people were told that releases are.
    progress: Vec<progress::Progress>,
    /// The releases of which people were told that what they have left is settled.
    resolved: Vec<String>,
    /// How many things were looked at.
    pub checks: u64,
    /// The executions that somebody had go on after their end.
    pub redriven: BTreeSet<String>,
    /// What every execution was started with.
    pub inputs: BTreeMap<String, Value>,
    /// The executions that somebody has stopped.
    pub stopped: BTreeSet<String>,
    /// The releases of which a part ended by an error that nothing catches.
    pub died: BTreeSet<String>,
    /// The repositories of which somebody else has written a tag.
    tagged: BTreeSet<String>,
    /// Whether somebody has taken a tag away.
    forgotten: bool,
    /// The images in quarantine, and their environments, since when.
    quarantined: BTreeMap<(String, String), i64>,
    /// When an image was last brought to an environment by a release, and when that was written down.
    brought: BTreeMap<(String, String), (String, i64)>,
    /// Who has frozen an environment.
    frozen: BTreeMap<String, Value>,
    /// The waves that began in a freeze, and how long after it.
    waves: Vec<(i64, String)>,
    /// The releases that somebody has stopped, and how long after it they went back.
    stops: Vec<(i64, String)>,
    /// The images of each repository that were pushed within the same second as the newest.
    newest: BTreeMap<String, Vec<Pushed>>,
    /// The images that an environment has shown to be good, as they ran there.
    proven: BTreeSet<(String, String)>,
    /// What was written down last of each service.
    facts: BTreeMap<(String, String), Value>,
    /// The images from which services were rolled back, and by which release.
    kept_away: Vec<holds::Kept>,
    /// The looks that came after their deadline, and how long after it the last one.
    looks: BTreeMap<String, i64>,
    /// Under which leases each call of a function began.
    numbers: BTreeMap<u64, fences::Numbers>,
    /// Who was given which number of each lease.
    given: BTreeMap<(String, String), BTreeMap<u64, String>>,
}

/// An image that was pushed.
#[derive(Clone, Debug)]
pub struct Pushed {
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// The execution that its event starts.
    pub name: String,
    /// What it is.
    pub digest: String,
    /// Whether its event comes late, so that somebody may have asked for something else meanwhile.
    pub late: bool,
}

impl Oracle {
    /// Learns of a push.
    pub fn learns(&mut self, repository: &str, pushed: Pushed) {
        let newest = self.newest.entry(repository.to_owned()).or_default();
        // Of two within one second ECR does not tell which was first.
        newest.retain(|other| other.at / 1000 == pushed.at / 1000);
        newest.push(pushed);
    }

    /// Learns of tags that somebody else has written, or taken away.
    pub fn sees_hand(&mut self, hand: &Hand) {
        match hand {
            // What builds call their images is no tag of ours.
            Hand::Tag(repository, tag, _) | Hand::TagUnheard(repository, tag, _)
                if !tag.starts_with("main-") =>
            {
                self.tagged.extend([repository.clone()]);
            }
            Hand::Forget(_) => self.forgotten = true,
            Hand::Older => self.knows_one_hold_alone(),
            _ => {}
        }
    }

    fn holds(&mut self, holds: bool, sentence: impl FnOnce() -> String) {
        self.checks += 1;
        if !holds {
            self.broken.push(sentence());
        }
    }
}

/// Returns what is known of a service, newest first; an older version has written two facts at most.
fn facts_of(row: &Value) -> Vec<&Value> {
    match row["history"].as_array() {
        Some(facts) => facts.iter().collect(),
        None => [&row["verified"], &row["previous"]].into_iter().filter(|fact| !fact.is_null()).collect(),
    }
}

/// Returns whether a move of a release deployed a service as it stands, or somebody has pointed it elsewhere since.
fn is_in_place(account: &mut State, row: &Value, digest: &str) -> Result<(), String> {
    let now = account.now;
    let name = format!(
        "{}/{}",
        row["cluster"].as_str().unwrap_or_default(),
        row["service"].as_str().unwrap_or_default()
    );
    let Some(service) = account.ecs.at(&name, now) else { return Ok(()) };
    let (id, state, _, digests) = service.primary();
    if state == "COMPLETED" && digests.iter().any(|one| one == digest) && service.runs_only(digest) {
        return Ok(());
    }
    let ours = [&row["deployment"], &row["undo"]].map(Value::as_str);
    let ours = service.pointed.iter().rposition(|one| ours.contains(&Some(one.deployment.as_str())));
    match ours.is_some_and(|ours| ours + 1 < service.pointed.len()) {
        true => Ok(()),
        false => Err(format!("{name} is on {id}, {state}, which runs {digests:?}")),
    }
}
