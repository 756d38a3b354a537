//! Environments: the documents under `/tidegate/environments/` in SSM Parameter Store.

mod check;
mod documents;
mod services;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use wildmatch::WildMatch;

use crate::ids::{EnvironmentName, ServiceName, Tag};

pub use documents::{Environments, read_all};
pub use services::{ServiceDocuments, ServiceSettings, TestsDocument, read_services, settings_path};

/// Where the documents are.
pub const PATH: &str = "/tidegate/environments";

/// Where the live tests of services are that hold in every environment.
pub const TESTS_PATH: &str = "/tidegate/tests";

/// The policy of one environment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Environment {
    /// The ECS cluster whose services belong to it.
    pub cluster: String,
    /// The tag that marks, per repository, what the environment runs.
    pub tag: Tag,
    /// Patterns of build tags (`*` and `?`) whose push starts a release here.
    #[serde(default)]
    pub deploy_on: Vec<String>,
    /// The environment whose verified digests may come here.
    #[serde(default)]
    pub from: Option<EnvironmentName>,
    /// How long a digest must have been verified in `from`.
    #[serde(default)]
    pub soak_minutes: u32,
    /// Whether a person must agree to each release.
    #[serde(default)]
    pub approval: Approval,
    /// How long an answer is waited for.
    #[serde(default = "day_in_minutes")]
    pub approval_minutes: u32,
    /// Service names and patterns, wave by wave; a service that matches none goes last.
    #[serde(default)]
    pub waves: Vec<Vec<String>>,
    /// How many services of a wave move at once.
    #[serde(default = "ten")]
    pub concurrency: u32,
    /// When traffic shifts, for services whose strategy shifts traffic.
    #[serde(default)]
    pub shift: Shift,
    /// What happens to a release of which a move is unhealthy.
    #[serde(default)]
    pub on_failure: OnFailure,
    /// How long a release waits for the leases of its services.
    #[serde(default = "hour_in_minutes")]
    pub max_wait_minutes: u32,
    /// How long a service may take from its update to a verdict.
    #[serde(default = "quarter_in_seconds")]
    pub health_timeout_seconds: u32,
    /// For how many minutes no request may reach the old tasks before a gate after the shift is passed; 0 asks nothing.
    #[serde(default = "three", skip_serializing_if = "is_three")]
    pub drain_minutes: u32,
    /// Alarms by service name or pattern: they have to stay quiet while a wave bakes.
    #[serde(default)]
    pub alarms: BTreeMap<String, Vec<String>>,
    /// Names and patterns of services that nothing may put back by itself.
    #[serde(default)]
    pub forward_only: Vec<String>,
    /// How long a wave is watched after its last verdict.
    #[serde(default = "minute_in_seconds")]
    pub bake_seconds: u32,
    /// For how many minutes after a release an alarm that it watched rolls it back; 0 never.
    #[serde(default)]
    pub guard_minutes: u32,
    /// Whether a finished release starts the next environment's.
    #[serde(default)]
    pub promote: Promote,
    /// Whether every release is refused.
    #[serde(default)]
    pub frozen: bool,
    /// What its live tests may do.
    #[serde(default, skip_serializing_if = "LiveTests::is_default")]
    pub tests: LiveTests,
}

/// What the live tests of an environment may do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct LiveTests {
    /// The hosts, beside the addresses of the services themselves, that secrets may be sent to.
    #[serde(default)]
    pub hosts: BTreeSet<String>,
}

impl LiveTests {
    fn is_default(&self) -> bool {
        *self == LiveTests::default()
    }
}

/// Whether a person must agree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Approval {
    /// Nobody is asked.
    #[default]
    None,
    /// A person must answer before anything is written.
    Required,
}

/// When traffic shifts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shift {
    /// Each service as soon as it is healthy.
    #[default]
    Each,
    /// The whole wave once all of it is healthy.
    Together,
}

/// What happens when a move is unhealthy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// Every touched service of the release goes back.
    #[default]
    UndoAll,
    /// Only the unhealthy ones go back.
    UndoFailed,
    /// Nothing goes back; the environment is frozen.
    Freeze,
}

/// Whether the next environment follows by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Promote {
    /// Somebody has to ask.
    #[default]
    None,
    /// It follows a deployed release.
    Auto,
}

fn three() -> u32 {
    3
}
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives it so")]
fn is_three(value: &u32) -> bool {
    *value == three()
}
fn ten() -> u32 {
    10
}
fn hour_in_minutes() -> u32 {
    60
}
fn day_in_minutes() -> u32 {
    24 * 60
}
fn minute_in_seconds() -> u32 {
    60
}
fn quarter_in_seconds() -> u32 {
    15 * 60
}

impl Environment {
    /// Tells whether nothing may put a service back by itself.
    pub fn is_forward_only(&self, service: &ServiceName) -> bool {
        matches_any(&self.forward_only, service)
    }

    /// Returns the alarms that are configured for a service.
    pub fn alarms_of(&self, service: &ServiceName) -> impl Iterator<Item = &String> {
        let ours = self.alarms.iter().filter(|(pattern, _)| matches(pattern, service));
        ours.flat_map(|(_, alarms)| alarms)
    }

    /// Returns the wave that takes a service: the first that matches; the one after the last if none does.
    pub fn wave_of(&self, service: &ServiceName) -> usize {
        self.waves.iter().position(|wave| matches_any(wave, service)).unwrap_or(self.waves.len())
    }

    /// Tells whether a push of `tag` starts a release here: a build tag that matches, or the environment's own.
    pub fn takes(&self, tag: &Tag) -> bool {
        self.tag == *tag || self.deploy_on.iter().any(|pattern| WildMatch::new(pattern).matches(tag.as_str()))
    }
}

/// Tells whether a service has a name, or fits a pattern with `*` and `?`.
pub fn matches(pattern: &str, service: &ServiceName) -> bool {
    WildMatch::new(pattern).matches(service.as_str())
}

fn matches_any(patterns: &[String], service: &ServiceName) -> bool {
    patterns.iter().any(|pattern| matches(pattern, service))
}

/// Returns the path of a service's live tests in one environment.
pub fn tests_path(environment: &EnvironmentName, service: &ServiceName) -> String {
    format!("{PATH}/{environment}/services/{service}/tests")
}

/// Returns the paths of the live tests of a service, in the order in which the later ones win: those of the service
/// wherever it runs, those of all services of the environment, and its own ones there.
pub fn tests_paths(environment: &EnvironmentName, service: &ServiceName) -> [String; 3] {
    let everywhere = format!("{TESTS_PATH}/{service}");
    [everywhere, format!("{PATH}/{environment}/tests"), tests_path(environment, service)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document;
    use serde_json::json;

    #[test]
    fn two_keys_suffice_and_the_rest_has_defaults() {
        let environment: Environment =
            document::read("dev", json!({"cluster": "dev", "tag": "dev"})).unwrap();
        assert_eq!(environment.on_failure, OnFailure::UndoAll);
        assert_eq!(environment.health_timeout_seconds, 900);
        assert_eq!(environment.drain_minutes, 3);
        assert_eq!(environment.approval, Approval::None);
    }

    #[test]
    fn takes_its_own_tag_and_the_build_tags_that_match() {
        let environment: Environment =
            document::read("dev", json!({"cluster": "dev", "tag": "dev", "deployOn": ["main-*"]})).unwrap();
        let takes = |tag: &str| environment.takes(&Tag::parse(tag).unwrap());
        assert!(takes("dev") && takes("main-1a2b3c"));
        assert!(!takes("develop") && !takes("feature-main-1") && !takes("main"));
    }

    #[test]
    fn patterns_give_a_service_its_wave_its_alarms_and_its_direction() {
        let environment: Environment = document::read(
            "dev",
            json!({"cluster": "dev", "tag": "dev", "waves": [["canary"], ["api-*", "web"]],
                   "alarms": {"*": ["shop-5xx"], "api-*": ["api-latency"]}, "forwardOnly": ["*-db"]}),
        )
        .unwrap();
        let of = |name: &str| {
            let service = ServiceName::parse(name).unwrap();
            let alarms = environment.alarms_of(&service).cloned().collect::<Vec<_>>().join(" ");
            (environment.wave_of(&service), alarms, environment.is_forward_only(&service))
        };
        assert_eq!(of("canary"), (0, "shop-5xx".to_owned(), false));
        assert_eq!(of("api-users"), (1, "shop-5xx api-latency".to_owned(), false));
        assert_eq!(of("users-db"), (2, "shop-5xx".to_owned(), true));
    }

    #[test]
    fn an_unknown_choice_is_refused_with_the_valid_ones() {
        let fault = document::read::<Environment>(
            "the parameter /tidegate/environments/dev",
            json!({"cluster": "dev", "tag": "dev", "onFailure": "undo"}),
        )
        .unwrap_err();
        assert_eq!(
            fault.to_string(),
            "the parameter /tidegate/environments/dev at \"onFailure\": unknown variant `undo`, expected one of \
             `undo-all`, `undo-failed`, `freeze`; did you mean `undo-all`?"
        );
    }
}
