//! All environments: what their documents say, and which of them cannot be read.

use std::collections::BTreeMap;

use aws_sdk_ssm::Client;
use serde_json::{Map, Value};

use super::{Environment, PATH};
use crate::aws::fault_of;
use crate::ids::EnvironmentName;
use crate::{Fault, document};

/// The environments of the account and region, each by itself: a mistake in one document is none in another.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Environments {
    good: BTreeMap<EnvironmentName, Environment>,
    broken: BTreeMap<String, Broken>,
}

/// A document that cannot be read as it is.
#[derive(Clone, Debug, PartialEq)]
struct Broken {
    fault: Fault,
    /// What it says apart from its mistakes, if that is enough.
    rest: Option<Environment>,
}

/// Reads every environment.
pub async fn read_all(ssm: &Client) -> Result<Environments, Fault> {
    let mut found = Vec::new();
    let mut pages = ssm.get_parameters_by_path().path(PATH).into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| fault_of("read the environments in Parameter Store", &error))?;
        found.extend(page.parameters.unwrap_or_default());
    }
    let texts = found.iter().filter_map(|parameter| Some((parameter.name()?, parameter.value()?)));
    Ok(Environments::read(texts))
}

impl Environments {
    /// Reads documents, each given by the path of its parameter and its text.
    pub fn read<'a>(documents: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut all = Environments::default();
        for (path, text) in documents {
            let name = path.rsplit('/').next().unwrap_or(path);
            match read(path, name, text) {
                Ok((name, environment)) => drop(all.good.insert(name, environment)),
                Err(fault) => {
                    let rest = rest_of(name, text);
                    all.broken.insert(name.to_owned(), Broken { fault, rest });
                }
            }
        }
        all
    }

    /// Returns an environment; none if there is no such document, and a fault if it cannot be read.
    pub fn get(&self, name: &EnvironmentName) -> Result<Option<&Environment>, Fault> {
        match self.broken.get(name.as_str()) {
            Some(broken) => Err(broken.fault.clone()),
            None => Ok(self.good.get(name)),
        }
    }

    /// Returns an environment for a rollback, which no mistake in the document may hold up: what is wrong in it has its
    /// default.  A fault if not even its cluster and its tag can be read.
    pub fn get_for_rollback(&self, name: &EnvironmentName) -> Result<Option<&Environment>, Fault> {
        match self.broken.get(name.as_str()) {
            Some(Broken { rest: Some(rest), .. }) => Ok(Some(rest)),
            _ => self.get(name),
        }
    }

    /// Tells whether there is such a document, whatever it says.
    pub fn has(&self, name: &EnvironmentName) -> bool {
        self.good.contains_key(name) || self.broken.contains_key(name.as_str())
    }

    /// Returns the names of all documents, whatever they say.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.good.keys().map(EnvironmentName::as_str).chain(self.broken.keys().map(String::as_str))
    }

    /// Returns the environments whose documents can be read.
    pub fn good(&self) -> impl Iterator<Item = (&EnvironmentName, &Environment)> {
        self.good.iter()
    }

    /// Returns every environment of which its cluster and its tag can be read, whatever else is wrong in its document.
    pub fn known(&self) -> impl Iterator<Item = (EnvironmentName, &Environment)> {
        let good = self.good.iter().map(|(name, one)| (name.clone(), one));
        let rest = self.broken.iter().filter_map(|(name, broken)| {
            Some((EnvironmentName::parse(name.as_str()).ok()?, broken.rest.as_ref()?))
        });
        good.chain(rest)
    }

    /// Returns the documents that cannot be read, and why.
    pub fn broken(&self) -> impl Iterator<Item = (&str, &Fault)> {
        self.broken.iter().map(|(name, broken)| (name.as_str(), &broken.fault))
    }

    /// Names the environments that share a cluster with this one: a service of two environments would be released by
    /// both at once, since the leases of one are unknown to the other.
    pub fn sharing(&self, name: &EnvironmentName) -> Option<String> {
        let rest =
            self.broken.iter().filter_map(|(name, broken)| Some((name.as_str(), broken.rest.as_ref()?)));
        let all: BTreeMap<&str, &Environment> =
            self.good.iter().map(|(name, one)| (name.as_str(), one)).chain(rest).collect();
        let cluster = all.get(name.as_str())?.cluster_name();
        let names: Vec<&str> =
            all.iter().filter(|(_, one)| one.cluster_name() == cluster).map(|(name, _)| *name).collect();
        (names.len() > 1).then(|| {
            format!(
                "environments {} share the cluster {cluster}: expected one environment for each cluster; change \
                 \"cluster\" in all of these documents but one",
                names.join(" and ")
            )
        })
    }
}

impl Environment {
    /// Returns the name of the cluster, which may be given as an ARN.
    pub fn cluster_name(&self) -> &str {
        match self.cluster.split_once(":cluster/") {
            Some((_, name)) => name,
            None => &self.cluster,
        }
    }
}

fn read(path: &str, name: &str, text: &str) -> Result<(EnvironmentName, Environment), Fault> {
    let name = EnvironmentName::parse(name)?;
    let what = format!("the parameter {path}");
    let environment: Environment = document::read_text(&what, text)?;
    environment.check(&name, &what)?;
    Ok((name, environment))
}

/// Takes out of a document what is wrong in it, key by key; none if not even its cluster and its tag can be read.
fn rest_of(name: &str, text: &str) -> Option<Environment> {
    let name = EnvironmentName::parse(name).ok()?;
    let document: Map<String, Value> = serde_json::from_str(text).ok()?;
    let read = |keys: &Map<String, Value>| {
        let environment: Environment = document::read("", Value::Object(keys.clone())).ok()?;
        environment.check(&name, "").ok().map(|()| environment)
    };
    let required = |key: &String| matches!(key.as_str(), "cluster" | "tag");
    let (mut kept, others): (Map<_, _>, Map<_, _>) = document.into_iter().partition(|(key, _)| required(key));
    let mut environment = read(&kept)?;
    for (key, value) in others {
        kept.insert(key.clone(), value);
        match read(&kept) {
            Some(more) => environment = more,
            None => drop(kept.remove(&key)),
        }
    }
    Some(environment)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> EnvironmentName {
        EnvironmentName::parse(text).unwrap()
    }

    fn environments(documents: &[(&str, &str)]) -> Environments {
        let paths: Vec<(String, &str)> =
            documents.iter().map(|(name, text)| (format!("{PATH}/{name}"), *text)).collect();
        Environments::read(paths.iter().map(|(path, text)| (path.as_str(), *text)))
    }

    const GOOD: &str = r#"{"cluster": "shop", "tag": "prod"}"#;

    #[test]
    fn a_mistake_in_one_document_is_none_in_another() {
        let all =
            environments(&[("dev", r#"{"cluster": "dev", "tg": "dev"}"#), ("prod", GOOD), ("a_b", GOOD)]);
        assert_eq!(all.get(&name("prod")).unwrap().unwrap().cluster, "shop");
        let fault = all.get(&name("dev")).unwrap_err().to_string();
        assert!(
            fault.starts_with("the parameter /tidegate/environments/dev at \"tg\": unknown field `tg`"),
            "{fault}"
        );
        assert_eq!(all.get(&name("test")), Ok(None));
        assert_eq!(["prod", "dev", "test"].map(|one| all.has(&name(one))), [true, true, false]);
        let broken: Vec<String> = all.broken().map(|(name, fault)| format!("{name}: {fault}")).collect();
        assert!(
            broken.len() == 2 && broken[0].starts_with("a_b: \"a_b\" is not an environment: "),
            "{broken:?}"
        );
        assert_eq!(all.good().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["prod"]);
        assert_eq!(all.names().collect::<Vec<_>>(), ["prod", "a_b", "dev"]);
    }

    #[test]
    fn a_rollback_goes_by_what_a_wrong_document_says_apart_from_its_mistakes() {
        let wrong = r#"{"cluster": "shop", "tag": "prod", "wavs": [], "concurrency": 0, "onFailure": "undo",
                        "forwardOnly": ["db"], "bakeSeconds": 5}"#;
        let all =
            environments(&[("prod", wrong), ("dev", r#"{"cluster": "", "tag": "dev"}"#), ("test", "{")]);
        let rest = all.get_for_rollback(&name("prod")).unwrap().unwrap();
        assert_eq!((rest.bake_seconds, rest.concurrency, rest.forward_only.len()), (5, 10, 1));
        assert_eq!(all.known().map(|(name, _)| name.to_string()).collect::<Vec<_>>(), ["prod"]);
        assert!(all.get(&name("prod")).is_err());
        for lost in ["dev", "test"] {
            assert_eq!(all.get_for_rollback(&name(lost)), all.get(&name(lost)), "{lost}");
        }
        assert_eq!(all.get_for_rollback(&name("none")), Ok(None));
    }

    #[test]
    fn environments_on_one_cluster_are_named() {
        let arn = r#"{"cluster": "arn:aws:ecs:eu-west-1:123456789012:cluster/shop", "tag": "dev"}"#;
        let wrong = r#"{"cluster": "shop", "tag": "test", "frozn": true}"#;
        let alone = r#"{"cluster": "shop-2", "tag": "alone"}"#;
        let all = environments(&[("prod", GOOD), ("dev", arn), ("test", wrong), ("alone", alone)]);
        let told = "environments dev and prod and test share the cluster shop: expected one environment for each \
                    cluster; change \"cluster\" in all of these documents but one";
        for one in ["prod", "dev", "test"] {
            assert_eq!(all.sharing(&name(one)).as_deref(), Some(told), "{one}");
        }
        assert_eq!((all.sharing(&name("alone")), all.sharing(&name("none"))), (None, None));
    }
}
