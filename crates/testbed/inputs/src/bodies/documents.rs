//! The documents that people keep in Parameter Store.

use std::slice;

use pipeline::Fault;
use pipeline::environment::{Environment, Environments, ServiceDocuments, ServiceSettings, settings_path};
use pipeline::ids::{EnvironmentName, ServiceName, Tag};
use serde_json::{Value, json};

use super::{Body, Outcome, outcome};
use crate::{World, promises, samples};

/// The document of an environment.
pub const ENVIRONMENT: Body = Body {
    name: "environment",
    share: 600,
    samples: || samples::environments().into_iter().map(|(_, document)| document).collect(),
    play: environment,
};

/// The settings of a service.
pub const SERVICE_SETTINGS: Body = Body {
    name: "service-settings",
    share: 1000,
    samples: || {
        [r#"{"containers": ["app", "side-car_2"]}"#, r#"{"containers": null}"#, "{}"]
            .map(str::to_owned)
            .into()
    },
    play: service_settings,
};

const KEYS: [&str; 18] = [
    "cluster",
    "tag",
    "deployOn",
    "from",
    "soakMinutes",
    "approval",
    "approvalMinutes",
    "waves",
    "concurrency",
    "shift",
    "onFailure",
    "maxWaitMinutes",
    "healthTimeoutSeconds",
    "alarms",
    "forwardOnly",
    "bakeSeconds",
    "drainMinutes",
    "guardMinutes",
];

fn named(name: &str) -> Option<EnvironmentName> {
    EnvironmentName::parse(name).ok()
}

/// What is taken can be run to its end and written again; what is not is refused by its key, and stops no rollback
/// whose cluster and tag are right.
fn environment(_: &World, text: &str) -> Outcome {
    let Some(name) = named("sample") else { return Outcome::Refused };
    let all = Environments::read([("/tidegate/environments/sample", text)]);
    assert_eq!(all.names().collect::<Vec<_>>(), ["sample"]);
    let input: Value = serde_json::from_str(text).unwrap_or_default();
    let read = all.get(&name);
    match &read {
        Ok(environment) => usable(environment.unwrap_or_else(|| panic!("it is not there"))),
        Err(fault) => {
            promises::names(fault, &input, &KEYS);
            assert!(fault.to_string().contains("/tidegate/environments/sample"), "{fault}");
        }
    }
    let required = json!({"cluster": input["cluster"], "tag": input["tag"]}).to_string();
    let rest = Environments::read([("/tidegate/environments/sample", required.as_str())]);
    if let (true, Ok(Some(least))) = (input.is_object(), rest.get(&name)) {
        match all.get_for_rollback(&name) {
            Ok(Some(rest)) => {
                assert_eq!((&rest.cluster, &rest.tag), (&least.cluster, &least.tag));
                usable(rest);
            }
            other => panic!("a mistake in the document stops a rollback: {other:?}"),
        }
    }
    outcome(&read)
}

/// A run under this policy has an end, whatever else is in it.
fn usable(environment: &Environment) {
    let cluster = environment.cluster_name();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    assert!(!cluster.is_empty() && cluster.len() <= 255 && cluster.chars().all(plain), "{cluster}");
    assert!((1..=300).contains(&environment.bake_pause_seconds()), "{}", environment.bake_pause_seconds());
    assert!((1..=1000).contains(&environment.concurrency) && environment.health_timeout_seconds > 0);
    assert!(environment.approval_minutes > 0 && environment.waves.iter().all(|wave| !wave.is_empty()));
    environment.warnings().iter().for_each(|warning| promises::sentence(warning));
    for tag in ["dev", "main-1", "v1.2.3", "x"].into_iter().filter_map(|tag| Tag::parse(tag).ok()) {
        let patterns =
            environment.deploy_on.iter().any(|pattern| glob(pattern.as_bytes(), tag.as_str().as_bytes()));
        assert_eq!(environment.takes(&tag), environment.tag == tag || patterns, "{tag}");
    }
    let written = serde_json::to_string(environment).unwrap_or_else(|error| panic!("{error}"));
    let again = Environments::read([("sample", written.as_str())]);
    let again = named("sample").and_then(|name| again.get(&name).ok()?.cloned());
    assert_eq!(again.as_ref(), Some(environment), "{written}");
}

/// Tells whether a pattern matches a text, by the places of the text that each mark can reach.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let mut reached = vec![false; text.len() + 1];
    reached[0] = true;
    for mark in pattern {
        let mut next = vec![false; text.len() + 1];
        for at in 0..=text.len() {
            let one = at > 0 && reached[at - 1] && (*mark == b'?' || *mark == text[at - 1]);
            next[at] = if *mark == b'*' { reached[at] || (at > 0 && next[at - 1]) } else { one };
        }
        reached = next;
    }
    reached[text.len()]
}

fn settings(text: &str) -> Result<ServiceSettings, Fault> {
    let (environment, service) = (EnvironmentName::parse("dev")?, ServiceName::parse("users")?);
    let path = settings_path(&environment, &service);
    let mut read =
        ServiceDocuments::read(&environment, slice::from_ref(&service), [(path.as_str(), text)]).settings;
    read.remove(&service).unwrap_or(Err(Fault::NotFound(path)))
}

/// Settings name containers, each once.
fn service_settings(_: &World, text: &str) -> Outcome {
    let read = settings(text);
    match &read {
        Ok(settings) => {
            let containers = settings.containers.as_deref().unwrap_or_default();
            assert!(settings.containers.is_none() || !containers.is_empty());
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
            assert!(containers.iter().all(|one| !one.is_empty() && one.chars().all(plain)), "{containers:?}");
            assert!(containers.iter().all(|one| settings.names(one)));
            assert_eq!(settings.names("another one"), settings.containers.is_none());
            let written = serde_json::to_string(settings).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(self::settings(&written).as_ref(), Ok(settings));
        }
        Err(fault) => {
            promises::names(fault, &serde_json::from_str(text).unwrap_or_default(), &["containers"]);
        }
    }
    outcome(&read)
}
