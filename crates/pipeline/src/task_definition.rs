//! Task definitions: read whole, and copied only if nothing is lost on the way.
//!
//! The SDK drops every field that it does not know.  So the answer of ECS is kept as JSON beside the SDK's own
//! types, and what a registration would send is compared with it.

mod wire;

use std::collections::HashMap;

use aws_sdk_ecs::Client;
use aws_sdk_ecs::operation::register_task_definition::builders::RegisterTaskDefinitionFluentBuilder as Registration;
use aws_sdk_ecs::types::LogDriver::Awslogs;
use aws_sdk_ecs::types::{NetworkMode, Tag, TaskDefinition as Typed, TaskDefinitionField};
use serde_json::Value;

use crate::Fault;
use crate::aws::fault_of;
use crate::ids::{Digest, TaskDefinitionArn};
use crate::image::ImageReference;
use crate::text::{LONGEST_SENTENCE, line};
use wire::{Overheard, echo, unsent};

/// What ECS adds to a task definition by itself; a registration cannot carry it.
const ADDED_BY_ECS: [&str; 9] = [
    "taskDefinitionArn",
    "revision",
    "status",
    "requiresAttributes",
    "compatibilities",
    "registeredAt",
    "deregisteredAt",
    "deleteRequestedAt",
    "registeredBy",
];

/// A port that a container of a revision opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenPort {
    /// The container.
    pub container: String,
    /// Its name in the port mapping, if it has one.
    pub name: Option<String>,
    /// Its number.
    pub number: u16,
}

/// One revision, as ECS described it.
#[derive(Clone, Debug)]
pub struct TaskDefinition {
    /// The revision.
    pub arn: TaskDefinitionArn,
    /// The answer of ECS, whole: the revision and its tags.
    described: Value,
    typed: Typed,
    tags: Vec<Tag>,
}

impl TaskDefinition {
    /// Reads a revision and its tags.
    pub async fn read(ecs: &Client, arn: &TaskDefinitionArn) -> Result<Self, Fault> {
        let (described, typed, tags) = describe(ecs, arn.as_str()).await?;
        Ok(TaskDefinition { arn: arn.clone(), described, typed, tags })
    }

    /// Reads the latest revision of a family, or the one of it that is named.
    pub async fn named(ecs: &Client, name: &str) -> Result<Self, Fault> {
        let (described, typed, tags) = describe(ecs, name).await?;
        let arn = TaskDefinitionArn::parse(typed.task_definition_arn().unwrap_or_default())?;
        Ok(TaskDefinition { arn, described, typed, tags })
    }

    /// Takes a revision as it was recorded: ECS may have lost it since.
    pub async fn recorded(arn: &TaskDefinitionArn, json: &str) -> Result<Self, Fault> {
        // The SDK follows any depth, on the stack.
        let read: Result<Value, _> = serde_json::from_str(json);
        read.map_err(|error| Fault::InvalidInput(format!("the record of {arn} is unreadable: {error}")))?;
        TaskDefinition::read(&echo(json), arn).await
    }

    /// Returns what [`TaskDefinition::recorded`] takes.
    pub fn to_record(&self) -> String {
        self.described.to_string()
    }

    /// Returns its family.
    pub fn family(&self) -> &str {
        self.typed.family().unwrap_or_default()
    }

    /// Returns the names of its containers.
    pub fn containers(&self) -> Vec<String> {
        let containers = self.typed.container_definitions().iter();
        containers.filter_map(|container| container.name().map(str::to_owned)).collect()
    }

    /// Returns the images of the containers that come from ECR, by container.
    pub fn images(&self) -> Vec<(String, ImageReference)> {
        let containers = self.typed.container_definitions().iter();
        containers
            .filter_map(|container| {
                let image = ImageReference::parse(container.image()?)?;
                Some((container.name()?.to_owned(), image))
            })
            .collect()
    }

    /// Returns the ports that its containers open.
    pub fn ports(&self) -> Vec<OpenPort> {
        let containers = self.typed.container_definitions().iter();
        let ports = containers.flat_map(|container| {
            let mappings = container.port_mappings().iter();
            mappings.filter_map(|mapping| {
                Some(OpenPort {
                    container: container.name()?.to_owned(),
                    name: mapping.name().map(str::to_owned),
                    number: u16::try_from(mapping.container_port()?).ok()?,
                })
            })
        });
        ports.collect()
    }

    /// Tells whether its ports are those of the instance that its tasks are on.
    pub fn is_on_host_network(&self) -> bool {
        self.typed.network_mode() == Some(&NetworkMode::Host)
    }

    /// Returns the log groups and streams that a task of it writes to, container by container.
    ///
    /// A container has none here whose driver is not awslogs, or whose stream is not named by a prefix.
    pub fn log_streams(&self, task: &str) -> Vec<(String, String)> {
        let containers = self.typed.container_definitions().iter();
        containers
            .filter_map(|container| {
                let logs = container.log_configuration().filter(|logs| *logs.log_driver() == Awslogs)?;
                let options = logs.options()?;
                let (group, prefix) = (options.get("awslogs-group")?, options.get("awslogs-stream-prefix")?);
                Some((group.clone(), format!("{prefix}/{}/{task}", container.name()?)))
            })
            .collect()
    }

    /// Tells whether a service that is pointed at it will run `digest` in some containers, and nothing else.
    pub fn runs(&self, digest: &Digest, containers: &[String]) -> bool {
        let active = self.typed.status().is_some_and(|status| status.as_str() == "ACTIVE");
        let mut images = self.images().into_iter().filter(|(container, _)| containers.contains(container));
        active && images.all(|(_, image)| image.digest.as_ref() == Some(digest))
    }

    /// Returns the registration of a copy in which only the images of `containers` differ: pinned to `digest`.
    ///
    /// Refuses, by its path, a field that the copy would lose.  Calls nothing.
    pub async fn pinned(
        &self,
        ecs: &Client,
        containers: &[String],
        digest: &Digest,
    ) -> Result<Registration, Fault> {
        let images = self.images().into_iter().filter(|(container, _)| containers.contains(container));
        let images: HashMap<String, String> =
            images.map(|(container, image)| (container, image.pinned(digest))).collect();
        let registration = self.typed_copy(ecs, &images);
        match lost(&self.wanted(&images), &unsent(registration.clone()).await, "") {
            None => Ok(registration),
            Some(path) => Err(Fault::NotSupported(format!(
                "the task definition {} has {}, which a copy would lose",
                self.arn,
                line(&path, LONGEST_SENTENCE)
            ))),
        }
    }

    /// Registers a copy; returns its revision, and what [`TaskDefinition::recorded`] takes.
    pub async fn register(&self, copy: Registration) -> Result<(TaskDefinitionArn, String), Fault> {
        let heard = Overheard::default();
        let answer = copy.customize().interceptor(heard.clone()).send().await;
        let answer = answer.map_err(|error| fault_of(&format!("register a copy of {}", self.arn), &error))?;
        let arn = answer.task_definition().and_then(|revision| revision.task_definition_arn());
        Ok((TaskDefinitionArn::parse(arn.unwrap_or_default())?, heard.take().to_string()))
    }

    /// Returns the JSON that a copy must have.
    fn wanted(&self, images: &HashMap<String, String>) -> Value {
        let mut wanted = self.described.get("taskDefinition").cloned().unwrap_or_default();
        if let Some(fields) = wanted.as_object_mut() {
            fields.retain(|name, _| !ADDED_BY_ECS.contains(&name.as_str()));
        }
        let containers = wanted.get_mut("containerDefinitions").and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten().filter_map(Value::as_object_mut) {
            let image = container.get("name").and_then(Value::as_str).and_then(|name| images.get(name));
            if let Some(image) = image.cloned() {
                container.insert("image".to_owned(), image.into());
            }
        }
        wanted
    }

    fn typed_copy(&self, ecs: &Client, images: &HashMap<String, String>) -> Registration {
        let from = self.typed.clone();
        let definitions = from.container_definitions.map(|mut all| {
            for container in &mut all {
                let image = container.name.as_ref().and_then(|name| images.get(name));
                container.image = image.cloned().or_else(|| container.image.take());
            }
            all
        });
        ecs.register_task_definition()
            .set_family(from.family)
            .set_container_definitions(definitions)
            .set_task_role_arn(from.task_role_arn)
            .set_execution_role_arn(from.execution_role_arn)
            .set_network_mode(from.network_mode)
            .set_volumes(from.volumes)
            .set_placement_constraints(from.placement_constraints)
            .set_requires_compatibilities(from.requires_compatibilities)
            .set_cpu(from.cpu)
            .set_memory(from.memory)
            .set_pid_mode(from.pid_mode)
            .set_ipc_mode(from.ipc_mode)
            .set_proxy_configuration(from.proxy_configuration)
            .set_ephemeral_storage(from.ephemeral_storage)
            .set_runtime_platform(from.runtime_platform)
            .set_enable_fault_injection(from.enable_fault_injection)
            .set_tags(Some(self.tags.clone()).filter(|tags| !tags.is_empty()))
    }
}

/// Asks ECS for a revision, and keeps its answer beside what the SDK knows of it.
async fn describe(ecs: &Client, name: &str) -> Result<(Value, Typed, Vec<Tag>), Fault> {
    let heard = Overheard::default();
    let describe = ecs.describe_task_definition().task_definition(name);
    let describe = describe.include(TaskDefinitionField::Tags).customize().interceptor(heard.clone());
    let answer = describe.send().await.map_err(|error| fault_of(&format!("describe {name}"), &error))?;
    let typed = answer.task_definition.ok_or_else(|| Fault::NotFound(name.to_owned()))?;
    let described = heard.take();
    if !described.is_object() {
        return Err(Fault::Defect(format!("the JSON of {name} was not kept")));
    }
    let tags = answer.tags.unwrap_or_default().into_iter();
    // Keys that start so are AWS's own: a registration with one of them is refused.
    let tags = tags.filter(|tag| !tag.key().is_some_and(|key| key.starts_with("aws:"))).collect();
    Ok((described, typed, tags))
}

/// Returns the path of the first field of `wanted` that `sent` lacks or has otherwise.
///
/// A field that is empty, zero or false may be absent: the SDK leaves such defaults out.
fn lost(wanted: &Value, sent: &Value, path: &str) -> Option<String> {
    match (wanted, sent) {
        (Value::Object(fields), _) => fields.iter().find_map(|(name, value)| {
            let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            lost(value, sent.get(name).unwrap_or(&Value::Null), &below)
        }),
        (Value::Array(items), _) => items
            .iter()
            .enumerate()
            .find_map(|(n, item)| lost(item, sent.get(n).unwrap_or(&Value::Null), &format!("{path}[{n}]"))),
        (wanted, sent) if wanted == sent || (sent.is_null() && is_default(wanted)) => None,
        _ => Some(path.to_owned()),
    }
}

fn is_default(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn definition() -> Value {
        json!({
            "taskDefinitionArn": "arn:aws:ecs:eu-west-1:123456789012:task-definition/users:7",
            "family": "users", "revision": 7, "status": "ACTIVE", "networkMode": "awsvpc", "cpu": "256",
            "registeredAt": 1700000000.5, "volumes": [], "compatibilities": ["FARGATE"],
            "containerDefinitions": [
                {"name": "app", "image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/users:main-1",
                 "cpu": 0, "essential": true, "environment": [{"name": "A", "value": ""}],
                 "portMappings": [{"containerPort": 8080, "hostPort": 8080, "protocol": "tcp"}]},
                {"name": "proxy", "image": "envoy:1", "essential": false}
            ]
        })
    }

    async fn recorded(definition: Value) -> Result<TaskDefinition, Fault> {
        let arn = TaskDefinitionArn::parse("arn:aws:ecs:eu-west-1:123456789012:task-definition/users:7")?;
        let answer = json!({"taskDefinition": definition, "tags": [{"key": "team", "value": "shop"}]});
        TaskDefinition::recorded(&arn, &answer.to_string()).await
    }

    fn digest(letter: char) -> Digest {
        Digest::parse(format!("sha256:{}", letter.to_string().repeat(64))).unwrap()
    }

    async fn copied(definition: Value) -> Result<Value, Fault> {
        let read = recorded(definition).await?;
        Ok(unsent(read.pinned(&echo(""), &["app".to_owned()], &digest('b')).await?).await)
    }

    #[tokio::test]
    async fn a_copy_differs_in_the_image_of_the_named_container_alone() {
        let copy = copied(definition()).await.unwrap();
        let containers = copy["containerDefinitions"].as_array().unwrap();
        let pinned =
            format!("123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/users@sha256:{}", "b".repeat(64));
        assert_eq!((&containers[0]["image"], &containers[1]["image"]), (&json!(pinned), &json!("envoy:1")));
        assert_eq!(containers[0]["environment"], json!([{"name": "A", "value": ""}]));
        assert_eq!((&copy["cpu"], &copy["revision"]), (&json!("256"), &Value::Null));
        assert_eq!(copy["tags"], json!([{"key": "team", "value": "shop"}]));
    }

    #[tokio::test]
    async fn a_field_that_the_copy_would_lose_is_refused_by_its_path() {
        for (pointer, path) in [
            ("", "brandNew"),
            ("/containerDefinitions/1", "containerDefinitions[1].brandNew"),
            ("/containerDefinitions/0/portMappings/0", "containerDefinitions[0].portMappings[0].brandNew"),
        ] {
            let mut changed = definition();
            changed.pointer_mut(pointer).unwrap()["brandNew"] = json!({"mode": "x"});
            let fault = copied(changed).await.unwrap_err();
            let expected = format!("task-definition/users:7 has {path}.mode, which a copy would lose");
            assert!(fault.to_string().ends_with(&expected), "{fault}");
            assert_eq!(fault.name(), "NotSupported");
        }
    }

    #[tokio::test]
    async fn an_empty_unknown_field_is_nothing_to_lose() {
        let mut changed = definition();
        changed["brandNew"] = json!([]);
        assert!(copied(changed).await.is_ok());
    }

    #[tokio::test]
    async fn what_was_recorded_is_read_again_as_it_was() {
        let first = recorded(definition()).await.unwrap();
        let again = TaskDefinition::recorded(&first.arn, &first.to_record()).await.unwrap();
        assert_eq!((again.to_record(), again.images()), (first.to_record(), first.images()));
    }

    #[tokio::test]
    async fn a_record_that_cannot_be_read_is_refused_however_deep_it_is() {
        let arn = recorded(definition()).await.unwrap().arn;
        let deep =
            format!(r#"{{"taskDefinition":{{"new":{}1{}}}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        for json in ["", "{", &deep] {
            let fault = TaskDefinition::recorded(&arn, json).await.unwrap_err();
            assert_eq!(fault.name(), "InvalidInput", "{fault}");
        }
    }

    #[tokio::test]
    async fn a_task_writes_to_the_streams_that_are_named_by_a_prefix() {
        let logs = |driver: &str, options: Value| json!({"logDriver": driver, "options": options});
        let group = json!({"awslogs-group": "/ecs/users", "awslogs-region": "eu-west-1"});
        let prefixed = json!({"awslogs-group": "/ecs/users", "awslogs-stream-prefix": "a/b"});
        for (configuration, expected) in [
            (logs("awslogs", prefixed.clone()), vec![("/ecs/users".to_owned(), "a/b/app/t1".to_owned())]),
            (logs("awslogs", group), vec![]),
            (logs("splunk", prefixed), vec![]),
        ] {
            let mut changed = definition();
            changed["containerDefinitions"][0]["logConfiguration"] = configuration;
            assert_eq!(recorded(changed).await.unwrap().log_streams("t1"), expected);
        }
        assert!(recorded(definition()).await.unwrap().log_streams("t1").is_empty());
    }

    #[tokio::test]
    async fn only_an_active_revision_that_is_pinned_runs_a_digest_for_sure() {
        let app = ["app".to_owned()];
        assert!(!recorded(definition()).await.unwrap().runs(&digest('b'), &app));
        let mut pinned = definition();
        let image = format!("123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/users@{}", digest('b'));
        pinned["containerDefinitions"][0]["image"] = json!(image);
        assert!(recorded(pinned.clone()).await.unwrap().runs(&digest('b'), &app));
        assert!(!recorded(pinned.clone()).await.unwrap().runs(&digest('c'), &app));
        pinned["status"] = json!("INACTIVE");
        assert!(!recorded(pinned).await.unwrap().runs(&digest('b'), &app));
    }
}
