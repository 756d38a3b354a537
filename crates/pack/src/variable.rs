//! The variables that the pipeline gives, and when it knows them.

use crate::kind::Kind;
use crate::phase::Phase::{self, Bake, Before, Dark, Live, Open};

/// What begins the name of a secret.
const SECRET: &str = "secret.";

/// The dimension of metrics that stands for the target group of a service.
pub const GROUP: &str = "target.group";

/// A variable that the pipeline gives.
#[derive(Debug, PartialEq)]
pub(crate) struct Known {
    /// Its name, or what begins it where a name of the team follows.
    pub name: &'static str,
    /// When it has a value.
    pub phases: &'static [Phase],
    /// What a check that uses it is asked of.
    pub each: Each,
    /// Whether it may stand for a host: nobody but the pipeline and the team's own settings choose it.
    pub is_host: bool,
}

impl Known {
    /// Tells whether a check of this kind may use it: the dimension of a metric says nothing elsewhere.
    pub(crate) fn is_known_to(&self, kind: &Kind) -> bool {
        self.name != GROUP || matches!(kind, Kind::Metric(_))
    }
}

/// How often a check is asked in one round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Each {
    /// Once.
    Once,
    /// For each new task.
    Task,
    /// For each healthy target of the new tasks.
    Target,
}

const RUNS: &[Phase] = &[Dark, Live, Bake];
const ASKED: &[Phase] = &[Before, Dark, Live, Bake];
const ALWAYS: &[Phase] = &[Open, Before, Dark, Live, Bake];

const fn known(name: &'static str, phases: &'static [Phase], each: Each, is_host: bool) -> Known {
    Known { name, phases, each, is_host }
}

/// All of them.
pub(crate) const KNOWN: [Known; 13] = [
    known("task.address", RUNS, Each::Task, true),
    known("task.ip", RUNS, Each::Task, true),
    known("task.port", RUNS, Each::Task, true),
    known("task.port.", RUNS, Each::Task, true),
    known("target.address", RUNS, Each::Target, true),
    known("target.dns", RUNS, Each::Once, true),
    known(GROUP, RUNS, Each::Once, false),
    known("environment", ALWAYS, Each::Once, true),
    known("service", ALWAYS, Each::Once, true),
    known("image.digest", ALWAYS, Each::Once, false),
    known("image.commit", ALWAYS, Each::Once, false),
    known("release.id", ALWAYS, Each::Once, false),
    known("attempt.id", ASKED, Each::Once, false),
];

/// Returns what is known of a variable of the pipeline.
pub(crate) fn find(name: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| {
        let rest = name.strip_prefix(known.name);
        rest.is_some_and(|rest| rest.is_empty() != known.name.ends_with('.'))
    })
}

/// Returns the name of the secret that a variable stands for.
pub(crate) fn secret(name: &str) -> Option<&str> {
    name.strip_prefix(SECRET)
}

/// Returns the variable that stands for a secret.
pub fn of_secret(name: &str) -> String {
    format!("{SECRET}{name}")
}

/// Tells whether a team may give a variable, a secret or a capture this name.
pub(crate) fn is_free(name: &str) -> bool {
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    plain && (1..=64).contains(&name.len()) && find(name).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variables_of_the_pipeline_are_found_by_their_whole_name() {
        for (name, found) in [
            ("task.address", Some("task.address")),
            ("task.port", Some("task.port")),
            ("task.port.http", Some("task.port.")),
            ("task.port.", None),
            ("task.addres", None),
            ("task.address2", None),
            ("service", Some("service")),
            ("services", None),
            ("", None),
        ] {
            assert_eq!(find(name).map(|known| known.name), found, "{name}");
        }
    }

    #[test]
    fn a_team_names_what_the_pipeline_does_not() {
        for (name, free) in
            [("user", true), ("a-b_1", true), ("service", false), ("a.b", false), ("", false), ("ä", false)]
        {
            assert_eq!(is_free(name), free, "{name}");
        }
        assert!(is_free(&"n".repeat(64)) && !is_free(&"n".repeat(65)));
    }
}
