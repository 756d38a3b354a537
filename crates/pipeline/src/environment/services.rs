//! What an environment's documents say about single services: their live tests and their settings.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ssm::Client;
use aws_sdk_ssm::types::Parameter;
use serde::{Deserialize, Serialize};

use super::{PATH, TESTS_PATH, tests_paths};
use crate::aws::fault_of;
use crate::ids::{EnvironmentName, ServiceName};
use crate::text::shown;
use crate::{Fault, document};

/// How many parameters one call returns.
const PER_CALL: usize = 10;

/// Up to how many calls services are asked for by name at once.
const FEW_CALLS: usize = 4;

/// The settings of one service of an environment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ServiceSettings {
    /// The containers whose image a release changes; all that run an image of its repository if absent.
    #[serde(default)]
    pub containers: Option<Vec<String>>,
}

/// The documents of some services.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServiceDocuments {
    /// The settings of those that have some, each by itself: a mistake fails only its own service.
    pub settings: BTreeMap<ServiceName, Result<ServiceSettings, Fault>>,
    /// The live tests of those that have some, as they are written: of documents with the same key the later one wins.
    pub tests: BTreeMap<ServiceName, Vec<TestsDocument>>,
}

/// One of the documents with the live tests of a service.
#[derive(Clone, Debug, PartialEq)]
pub struct TestsDocument {
    /// The path of its parameter.
    pub path: String,
    /// What it says.
    pub text: String,
}

/// Returns the path of a service's settings.
pub fn settings_path(environment: &EnvironmentName, service: &ServiceName) -> String {
    format!("{PATH}/{environment}/services/{service}/settings")
}

/// Reads the documents of services.
///
/// By name, one call returns the documents of three services, whether they exist or not.  Reading all that there is
/// costs a call for every ten documents that exist: mostly fewer, and given up where it would be more.
pub async fn read_services(
    ssm: &Client,
    environment: &EnvironmentName,
    services: &[ServiceName],
) -> Result<ServiceDocuments, Fault> {
    let all =
        |service| [settings_path(environment, service)].into_iter().chain(tests_paths(environment, service));
    let names: BTreeSet<String> = services.iter().flat_map(all).collect();
    let calls = names.len().div_ceil(PER_CALL);
    let listed = match calls {
        0..=FEW_CALLS => None,
        _ => below(ssm, &[&format!("{PATH}/{environment}"), TESTS_PATH], calls).await?,
    };
    let found = match listed {
        Some(all) => all,
        None => by_name(ssm, &names.into_iter().collect::<Vec<_>>()).await?,
    };
    let texts = found.iter().filter_map(|parameter| Some((parameter.name()?, parameter.value()?)));
    Ok(ServiceDocuments::read(environment, services, texts))
}

async fn by_name(ssm: &Client, names: &[String]) -> Result<Vec<Parameter>, Fault> {
    let mut found = Vec::new();
    for names in names.chunks(PER_CALL) {
        let answer = ssm.get_parameters().set_names(Some(names.to_vec())).send().await;
        let answer =
            answer.map_err(|error| fault_of("read the services' documents in Parameter Store", &error))?;
        found.extend(answer.parameters.unwrap_or_default());
    }
    Ok(found)
}

/// Reads all parameters below some paths; none if that takes more calls than these.
async fn below(ssm: &Client, paths: &[&str], most_calls: usize) -> Result<Option<Vec<Parameter>>, Fault> {
    let (mut found, mut calls) = (Vec::new(), 0);
    for path in paths {
        let mut pages = ssm.get_parameters_by_path().path(*path).recursive(true).into_paginator().send();
        while let Some(page) = pages.next().await {
            calls += 1;
            if calls >= most_calls && page.as_ref().is_ok_and(|page| page.next_token().is_some()) {
                return Ok(None);
            }
            let page =
                page.map_err(|error| fault_of("read the services' documents in Parameter Store", &error))?;
            found.extend(page.parameters.unwrap_or_default());
        }
    }
    Ok(Some(found))
}

impl ServiceDocuments {
    /// Sorts documents, each given by the path of its parameter and its text; those of other services are left out.
    pub fn read<'a>(
        environment: &EnvironmentName,
        services: &[ServiceName],
        documents: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let texts: BTreeMap<&str, &str> = documents.into_iter().collect();
        let mut all = ServiceDocuments::default();
        for service in services {
            let path = settings_path(environment, service);
            if let Some(text) = texts.get(path.as_str()) {
                all.settings.insert(service.clone(), ServiceSettings::read(&path, text));
            }
            let tests = tests_paths(environment, service).into_iter().filter_map(|path| {
                let text = (*texts.get(path.as_str())?).to_owned();
                Some(TestsDocument { path, text })
            });
            let tests: Vec<TestsDocument> = tests.collect();
            if !tests.is_empty() {
                all.tests.insert(service.clone(), tests);
            }
        }
        all
    }
}

impl ServiceSettings {
    /// Reads the settings that a parameter holds.
    fn read(path: &str, text: &str) -> Result<Self, Fault> {
        let what = format!("the parameter {path}");
        let settings: ServiceSettings = document::read_text(&what, text)?;
        let refused = |why: String| Err(Fault::InvalidInput(format!("{what} at {why}")));
        let Some(containers) = &settings.containers else { return Ok(settings) };
        if containers.is_empty() {
            return refused(
                "\"containers\": no container is named: expected one at least, or no such key".to_owned(),
            );
        }
        let mut known = BTreeSet::new();
        for (n, container) in containers.iter().enumerate() {
            let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
            if container.is_empty() || !container.chars().all(valid) {
                return refused(format!(
                    "\"containers[{n}]\": {} is not a container: expected letters, digits, '-', '_'",
                    shown(container)
                ));
            }
            if !known.insert(container) {
                return refused(format!(
                    "\"containers[{n}]\": {} is there twice: expected it once",
                    shown(container)
                ));
            }
        }
        Ok(settings)
    }

    /// Tells whether a release may change the image of a container.
    pub fn names(&self, container: &str) -> bool {
        self.containers.as_ref().is_none_or(|named| named.iter().any(|one| one == container))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ServiceSettings, String> {
        ServiceSettings::read("p", text).map_err(|fault| fault.to_string())
    }

    #[test]
    fn settings_name_the_containers_that_a_release_changes() {
        let one = read(r#"{"containers": ["app"]}"#).unwrap();
        assert_eq!((one.names("app"), one.names("sidecar")), (true, false));
        let all = read("{}").unwrap();
        assert!(all.names("app") && all.names("sidecar"));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_its_key() {
        for (text, expected) in [
            (
                r#"{"container": ["app"]}"#,
                "at \"container\": unknown field `container`, expected `containers`; did you mean `containers`?",
            ),
            (
                r#"{"containers": []}"#,
                "at \"containers\": no container is named: expected one at least, or no such key",
            ),
            (
                r#"{"containers": ["a", ""]}"#,
                "at \"containers[1]\": \"\" is not a container: expected letters, digits, '-', '_'",
            ),
            (r#"{"containers": ["a", "a"]}"#, "at \"containers[1]\": \"a\" is there twice: expected it once"),
        ] {
            assert_eq!(read(text), Err(format!("the parameter p {expected}")));
        }
    }

    #[test]
    fn a_mistake_in_the_settings_of_one_service_fails_no_other() {
        let dev = EnvironmentName::parse("dev").unwrap();
        let services = ["users", "orders"].map(|name| ServiceName::parse(name).unwrap());
        let read = ServiceDocuments::read(
            &dev,
            &services,
            [
                ("/tidegate/environments/dev/services/users/settings", "{"),
                ("/tidegate/environments/dev/services/orders/settings", "{}"),
                ("/tidegate/environments/dev/services/orders/tests", r#"{"checks": []}"#),
                ("/tidegate/environments/dev/services/other/settings", "{}"),
            ],
        );
        assert!(read.settings[&services[0]].is_err() && read.settings[&services[1]].is_ok());
        assert_eq!((read.settings.len(), read.tests.len()), (2, 1));
    }

    #[test]
    fn the_live_tests_of_a_service_are_those_of_three_places_and_the_nearest_comes_last() {
        let dev = EnvironmentName::parse("dev").unwrap();
        let services = ["users", "orders"].map(|name| ServiceName::parse(name).unwrap());
        let documents = [
            ("/tidegate/environments/dev/services/users/tests", "3"),
            ("/tidegate/environments/dev/tests", "2"),
            ("/tidegate/tests/users", "1"),
            ("/tidegate/environments/prod/tests", "of prod"),
        ];
        let read = ServiceDocuments::read(&dev, &services, documents);
        let texts =
            |n: usize| read.tests[&services[n]].iter().map(|one| one.text.as_str()).collect::<Vec<_>>();
        assert_eq!((texts(0), texts(1)), (vec!["1", "2", "3"], vec!["2"]));
    }
}
