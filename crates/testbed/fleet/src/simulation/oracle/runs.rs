//! What live tests run beside services: started once, ended in the end, and what it has to say for a release.

use serde_json::Value;

use super::Oracle;
use crate::fake::{End, RunEnd, RunTask, State};

/// How long after everything has come to rest a task has ended that was told to, in milliseconds.
const ENDS_MS: i64 = 10_000;

/// The ends that say nothing of an image.
const NOTHING: [RunEnd; 3] = [RunEnd::NeverStarts, RunEnd::CannotPull, RunEnd::NoRoom];

/// What a run is told of itself.
const ATTEMPT: &str = "TIDEGATE_ATTEMPT";
const SERVICE: &str = "TIDEGATE_SERVICE";
const ENVIRONMENT: &str = "TIDEGATE_ENVIRONMENT";
const IMAGE: &str = "TIDEGATE_IMAGE_DIGEST";

impl Oracle {
    /// Sees a task that was run: no other one was for the same attempt.
    pub(super) fn sees_run(&mut self, account: &State) {
        let Some(last) = account.ecs.runs.last() else { return };
        let same = |task: &&RunTask| task.release == last.release && task.told == last.told;
        let of = account.ecs.runs.iter().filter(same).count();
        self.holds(of == 1, || {
            format!(
                "{} runs {of} tasks for {:?} of {:?}",
                last.release,
                last.told.get(ATTEMPT),
                last.told.get(SERVICE)
            )
        });
    }

    /// In the end nothing runs any more, unless the release that would have ended it was ended from outside.
    pub(super) fn no_run_is_left(&mut self, account: &State) {
        for task in &account.ecs.runs {
            let by_itself = !self.stopped.contains(&task.release) && !self.died.contains(&task.release);
            let over = task.ended(account.now + ENDS_MS).is_some();
            self.holds(over || !by_itself, || {
                format!(
                    "{} has ended, and its task for {:?} still runs",
                    task.release,
                    task.told.get(ATTEMPT)
                )
            });
        }
    }

    /// What was deployed has passed the runs of its live tests, on what it runs, and answers them.
    pub(super) fn has_passed_its_tests(&mut self, account: &mut State, release: &str, row: &Value) {
        let Some(pack) = row["pack"].as_str() else { return };
        let text = account.table.row(&format!("pack#{pack}"), "json").unwrap_or_default().to_string();
        let now = account.now;
        // What another release has left there was run by that one before it was touched.
        let passed = runs_of(account, row).iter().any(|task| task.exit_code(now) == Some(0));
        let runs = text.contains("command");
        self.holds(!runs || passed, || {
            format!(
                "{release} is told as Deployed, and no run of the live tests of {} passed",
                row["service"]
            )
        });
        let bad = ends_of(account, row) == Some(End::AnswersBadly);
        self.holds(runs || !bad, || {
            format!("{release} is told as Deployed, and {} answers its live tests badly", row["service"])
        });
    }

    /// What could not be tested before its service was touched is told to a person, and not as rolled back.
    pub(super) fn hears_that_nothing_was_measured(&mut self, account: &State, release: &str) {
        let pk = format!("release#{release}");
        let head = account.table.row(&pk, "head").unwrap_or_default();
        if !head["stop"].is_null() || !head["undo"].is_null() || self.died.contains(release) {
            return;
        }
        for (_, row) in account.table.list(&pk, "move#") {
            let mut runs = runs_of(account, &row);
            runs.retain(|task| task.release == release);
            let nothing = !runs.is_empty() && runs.iter().all(|task| NOTHING.contains(&task.end));
            self.holds(!nothing || !row["touched"].is_null() || !row["failure"].is_null(), || {
                format!(
                    "{release} is told as rolled back, and the runs of {} measured nothing",
                    row["service"]
                )
            });
        }
    }

    /// Nothing goes back, or is called bad, for a run that has measured nothing.
    pub(super) fn no_run_without_a_result_is_held_against_anybody(&mut self, account: &State) {
        for (pk, row) in account.table.all("move#") {
            let release = pk.strip_prefix("release#").unwrap_or_default();
            let end = row["digest"].as_str().and_then(|digest| account.ecs.run_ends.get(digest));
            let Some(end) = end.filter(|end| NOTHING.contains(*end)) else { continue };
            let tested = row["bundle"]["tests"].as_array().is_some_and(|tests| !tests.is_empty());
            let judged = row["verdict"] == "Unhealthy" && row["alarm"].is_null() && tested;
            self.holds(!judged || ends_of(account, &row) != Some(End::Completes), || {
                format!("{release} calls {} bad, and its runs have measured nothing: {end:?}", row["service"])
            });
        }
    }
}

/// Returns the runs beside the service of a move on the image of that.
fn runs_of<'a>(account: &'a State, row: &Value) -> Vec<&'a RunTask> {
    let is = |task: &RunTask| {
        let told = |name: &str, key: &str| task.told.get(name).is_some_and(|text| row[key] == text.as_str());
        told(SERVICE, "service") && told(ENVIRONMENT, "environment") && told(IMAGE, "digest")
    };
    account.ecs.runs.iter().filter(|task| is(task)).collect()
}

/// Returns how rollouts of the image of a move end.
fn ends_of(account: &State, row: &Value) -> Option<End> {
    let name = format!("{}/{}", row["cluster"].as_str()?, row["service"].as_str()?);
    let service = account.ecs.services.get(&name)?;
    Some(service.ends.get(row["digest"].as_str()?).copied().unwrap_or_default())
}
