//! Task definitions: from memory, from the ledger, and only then from ECS.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Mutex;

use pipeline::Fault;
use pipeline::ids::{Digest, TaskDefinitionArn};
use pipeline::image::ImageReference;
use pipeline::ledger::{Key, Ledger};
use pipeline::rows::RevisionRow;
use pipeline::task_definition::{OpenPort, TaskDefinition};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;

use crate::at_once;
use crate::ports::{Platform, Revision};

/// How many revisions are read from ECS at once, and a second after that; it allows 50 and 20.
const AT_ONCE: f64 = 40.0;
const A_SECOND: f64 = 18.0;

/// From how many on what is not asked for any more is forgotten.
const MOST_KEPT: usize = 200;

/// The revisions that ECS refused to tell of, and why.
pub(super) type Failed = HashMap<TaskDefinitionArn, Fault>;

/// What is kept in the ledger of that for which ECS had to be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keep {
    /// What the call that reads the rest needs.
    WhatOthersNeed,
    /// All.
    All,
}

/// What is known of task definitions; a revision never changes.
#[derive(Debug)]
pub(super) struct Revisions {
    ecs: aws_sdk_ecs::Client,
    ledger: Ledger,
    known: Mutex<HashMap<TaskDefinitionArn, String>>,
}

impl Revisions {
    pub(super) fn new(ecs: aws_sdk_ecs::Client, ledger: Ledger) -> Self {
        Revisions { ecs, ledger, known: Mutex::default() }
    }

    /// Forgets what is none of these, if it keeps much.
    pub(super) fn forget_all_but(&self, arns: &BTreeSet<TaskDefinitionArn>) {
        if let Ok(mut known) = self.known.lock()
            && known.len() > MOST_KEPT
        {
            known.retain(|arn, _| arns.contains(arn));
        }
    }

    /// Reads revisions as far as ECS may be asked, and returns how many are left to be read another time; those that ECS
    /// refuses to tell of are added to `failed`.
    pub(super) async fn read(
        &self,
        arns: &BTreeSet<TaskDefinitionArn>,
        budget: &mut Budget,
        failed: &mut Failed,
    ) -> Result<usize, Fault> {
        self.read_some(arns, budget, failed, Keep::WhatOthersNeed).await
    }

    /// Does the same, and keeps all that ECS had to be asked for: whoever asks regularly asks ECS once.
    pub(super) async fn read_and_keep(
        &self,
        arns: &BTreeSet<TaskDefinitionArn>,
        budget: &mut Budget,
        failed: &mut Failed,
    ) -> Result<usize, Fault> {
        self.read_some(arns, budget, failed, Keep::All).await
    }

    async fn read_some(
        &self,
        arns: &BTreeSet<TaskDefinitionArn>,
        budget: &mut Budget,
        failed: &mut Failed,
        keep: Keep,
    ) -> Result<usize, Fault> {
        let missing: Vec<_> = arns.iter().filter(|arn| self.json(arn).is_none()).collect();
        let keys: Vec<Key> = missing.iter().map(|arn| Key::revision(arn)).collect();
        let rows: HashMap<Key, Value> = self.ledger.get_all(&keys).await?;
        // A row that says something else is as good as none.
        let json = |row: &Value| RevisionRow::deserialize(row).ok().map(|row| row.json);
        let (mut unread, mut found) = (Vec::new(), Vec::new());
        for (arn, key) in missing.into_iter().zip(keys) {
            match rows.get(&key).and_then(json) {
                Some(json) => found.push((arn, json)),
                None => unread.push(arn),
            }
        }
        self.keep(found);
        let now = unread.get(..budget.take(unread.len())).unwrap_or(&unread);
        let read = at_once(now, async |arn: &&TaskDefinitionArn| {
            let json = match TaskDefinition::read(&self.ecs, arn).await {
                Ok(definition) => definition.to_record(),
                Err(fault) if Fault::RETRIED.contains(&fault.name()) => return Err(fault),
                Err(fault) => return Ok((*arn, Err(fault))),
            };
            // The call that reads the rest may be another process.
            if keep == Keep::All || unread.len() > now.len() {
                self.ledger.record(arn, json.clone()).await?;
            }
            Ok((*arn, Ok(json)))
        });
        let (mut kept, read) = (Vec::new(), read.await?);
        for (arn, json) in read {
            match json {
                Ok(json) => kept.push((arn, json)),
                Err(fault) => drop(failed.insert(arn.clone(), fault)),
            }
        }
        self.keep(kept);
        Ok(unread.len() - now.len())
    }

    /// Keeps a revision that was read: ECS may have lost it when it is needed.
    pub(super) async fn record(&self, arn: &TaskDefinitionArn) -> Result<(), Fault> {
        self.ledger.record(arn, self.known(arn)?).await
    }

    fn known(&self, arn: &TaskDefinitionArn) -> Result<String, Fault> {
        self.json(arn).ok_or_else(|| Fault::Defect(format!("{arn} was not read")))
    }

    /// Tells why a revision that was read cannot be copied with another image, if it cannot.
    pub(super) async fn loss(
        &self,
        arn: &TaskDefinitionArn,
        containers: &[String],
        to: &Digest,
    ) -> Result<Option<String>, Fault> {
        match TaskDefinition::recorded(arn, &self.known(arn)?).await?.pinned(&self.ecs, containers, to).await
        {
            Ok(_) => Ok(None),
            Err(Fault::NotSupported(why)) => Ok(Some(why)),
            Err(fault) => Err(fault),
        }
    }

    /// Returns what a decision needs of a revision; none if it was not read.
    pub(super) fn revision(&self, arn: &TaskDefinitionArn) -> Result<Option<Revision>, Fault> {
        let Some(json) = self.json(arn) else { return Ok(None) };
        let record: Record = serde_json::from_str(&json)
            .map_err(|error| Fault::InvalidInput(format!("the record of {arn} is unreadable: {error}")))?;
        Ok(Some(record.task_definition.into()))
    }

    fn json(&self, arn: &TaskDefinitionArn) -> Option<String> {
        self.known.lock().ok().and_then(|known| known.get(arn).cloned())
    }

    fn keep(&self, found: Vec<(&TaskDefinitionArn, String)>) {
        if let Ok(mut known) = self.known.lock() {
            known.extend(found.into_iter().map(|(arn, json)| (arn.clone(), json)));
        }
    }
}

/// How often ECS may be asked for a revision during one look: what is not asked at once comes back with time, and no
/// more of it than at first.
pub(super) struct Budget {
    left: f64,
    since: Instant,
}

impl Budget {
    pub(super) fn new() -> Self {
        Budget { left: AT_ONCE, since: Instant::now() }
    }

    /// Takes at most so many questions, and returns how many there are.
    fn take(&mut self, most: usize) -> usize {
        self.left = (self.left + A_SECOND * self.since.elapsed().as_secs_f64()).min(AT_ONCE);
        self.since = Instant::now();
        let taken = most.min(self.left as usize);
        self.left -= taken as f64;
        taken
    }
}

/// The few fields that matter; the copy is made of the whole.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    task_definition: Definition,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Definition {
    #[serde(default)]
    container_definitions: Vec<Container>,
    task_role_arn: Option<String>,
    execution_role_arn: Option<String>,
    network_mode: Option<String>,
    runtime_platform: Option<RuntimePlatform>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RuntimePlatform {
    operating_system_family: Option<String>,
    cpu_architecture: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Container {
    #[serde(default)]
    name: String,
    #[serde(default)]
    image: String,
    #[serde(default)]
    port_mappings: Vec<PortMapping>,
    log_configuration: Option<LogConfiguration>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogConfiguration {
    log_driver: String,
    #[serde(default)]
    options: BTreeMap<String, String>,
}

impl Container {
    /// Says why its log cannot be searched, if it cannot.
    fn unlogged(&self) -> Option<String> {
        let Some(LogConfiguration { log_driver, options }) = &self.log_configuration else {
            return Some("it has no log driver".to_owned());
        };
        if log_driver != "awslogs" {
            return Some(format!("its log driver is {log_driver}"));
        }
        let missing =
            ["awslogs-group", "awslogs-stream-prefix"].into_iter().find(|key| !options.contains_key(*key));
        missing.map(|key| format!("its log driver has no option {key}"))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PortMapping {
    container_port: Option<u16>,
    name: Option<String>,
}

impl From<Definition> for Revision {
    fn from(definition: Definition) -> Self {
        let RuntimePlatform { operating_system_family, cpu_architecture } =
            definition.runtime_platform.unwrap_or_default();
        let platform = Platform::of_tasks(operating_system_family.as_deref(), cpu_architecture.as_deref());
        let mut revision = Revision {
            roles: [definition.task_role_arn, definition.execution_role_arn].into_iter().flatten().collect(),
            network_mode: definition.network_mode,
            platform,
            ..Revision::default()
        };
        for container in definition.container_definitions {
            let unlogged = container.unlogged();
            let Container { name, image, port_mappings, .. } = container;
            revision.logs.insert(name.clone(), unlogged);
            revision.ports.extend(port_mappings.into_iter().filter_map(|mapping| {
                let number = mapping.container_port?;
                Some(OpenPort { container: name.clone(), name: mapping.name, number })
            }));
            revision.images.extend(ImageReference::parse(&image).map(|image| (name, image)));
        }
        revision
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_can_be_searched_whose_streams_have_names() {
        for (configuration, why) in [
            (r#"{"logDriver":"awslogs","options":{"awslogs-group":"a","awslogs-stream-prefix":"b"}}"#, None),
            (
                r#"{"logDriver":"awslogs","options":{"awslogs-group":"a"}}"#,
                Some("its log driver has no option awslogs-stream-prefix"),
            ),
            (r#"{"logDriver":"awsfirelens"}"#, Some("its log driver is awsfirelens")),
            ("null", Some("it has no log driver")),
        ] {
            let text = format!(
                r#"{{"containerDefinitions":[{{"name":"app","image":"a","logConfiguration":{configuration}}}]}}"#
            );
            let definition: Definition = serde_json::from_str(&text).unwrap();
            let expected = [("app".to_owned(), why.map(str::to_owned))].into();
            assert_eq!(Revision::from(definition).logs, expected, "{configuration}");
        }
    }
}
