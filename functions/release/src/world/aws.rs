//! The adapter to SSM, ECS, ECR and Step Functions.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;

use aws_config::SdkConfig;
use aws_sdk_ecr::types::ImageIdentifier;
use aws_sdk_ecs::types::Service as Described;
use pipeline::aws::fault_of;
use pipeline::clock::Timestamp;
use pipeline::environment::{self, Environments};
use pipeline::ids::{Digest, ServiceName, TaskDefinitionArn};
use pipeline::task_definition::TaskDefinition;
use pipeline::{Fault, service};

use super::{Digests, Mutability, Service, Source, World};
use crate::request::Image;

/// How many services ECS describes in one call.
const SERVICES_PER_CALL: usize = 10;

/// AWS.
#[derive(Debug)]
pub struct Aws {
    ssm: aws_sdk_ssm::Client,
    ecs: aws_sdk_ecs::Client,
    ecr: aws_sdk_ecr::Client,
    sfn: aws_sdk_sfn::Client,
    // A revision never changes, so it is read once per process.
    revisions: Mutex<HashMap<TaskDefinitionArn, TaskDefinition>>,
}

impl Aws {
    /// Makes the adapter.
    pub fn new(config: &SdkConfig) -> Self {
        Aws {
            ssm: aws_sdk_ssm::Client::new(config),
            ecs: aws_sdk_ecs::Client::new(config),
            ecr: aws_sdk_ecr::Client::new(config),
            sfn: aws_sdk_sfn::Client::new(config),
            revisions: Mutex::default(),
        }
    }

    /// Lists the ARNs of a cluster's services.
    async fn list(&self, cluster: &str) -> Result<Vec<String>, Fault> {
        let mut arns = Vec::new();
        let mut pages = self.ecs.list_services().cluster(cluster).max_results(100).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| fault_of(&format!("list the services of {cluster}"), &error))?;
            arns.extend(page.service_arns.unwrap_or_default());
        }
        Ok(arns)
    }

    async fn read(&self, arn: &TaskDefinitionArn) -> Result<TaskDefinition, Fault> {
        let known = self.revisions.lock().ok().and_then(|known| known.get(arn).cloned());
        if let Some(known) = known {
            return Ok(known);
        }
        let revision = TaskDefinition::read(&self.ecs, arn).await?;
        if let Ok(mut known) = self.revisions.lock() {
            known.insert(arn.clone(), revision.clone());
        }
        Ok(revision)
    }

    async fn service(&self, described: &Described) -> Result<Service, Fault> {
        let deployments = service::deployments_of(described)?;
        let images = match deployments.iter().find(|one| one.primary) {
            Some(primary) => self.read(&primary.task_definition).await?.images(),
            None => Vec::new(),
        };
        let controller =
            described.deployment_controller().map_or("ECS", |controller| controller.r#type().as_str());
        let strategy =
            described.deployment_configuration().and_then(|configuration| configuration.strategy());
        Ok(Service {
            name: ServiceName::parse(described.service_name().unwrap_or_default())?,
            controller: controller.to_owned(),
            strategy: strategy.map_or("ROLLING", |strategy| strategy.as_str()).to_owned(),
            desired: described.desired_count(),
            deployments,
            images,
        })
    }
}

impl World for Aws {
    async fn environments(&self) -> Result<Environments, Fault> {
        environment::read_all(&self.ssm).await
    }

    async fn services(&self, cluster: &str, named: Option<&[ServiceName]>) -> Result<Vec<Service>, Fault> {
        let names = match named {
            Some(named) => named.iter().map(ToString::to_string).collect(),
            None => self.list(cluster).await?,
        };
        let mut services = Vec::new();
        for names in names.chunks(SERVICES_PER_CALL) {
            let call = self.ecs.describe_services().cluster(cluster).set_services(Some(names.to_vec()));
            let answer = call.send().await;
            let answer =
                answer.map_err(|error| fault_of(&format!("describe services of {cluster}"), &error))?;
            for described in answer.services().iter().filter(|one| one.status() == Some("ACTIVE")) {
                services.push(self.service(described).await?);
            }
        }
        Ok(services)
    }

    async fn running(
        &self,
        cluster: &str,
        service: &Service,
        containers: &[String],
    ) -> Result<Digests, Fault> {
        let tasks = service::tasks(&self.ecs, cluster, &service.name).await?;
        let mut digests = Digests::default();
        let all = tasks.iter().flat_map(|task| task.containers());
        for container in all.filter(|one| one.name().is_some_and(|name| containers.iter().any(|c| c == name)))
        {
            match container.image_digest().map(Digest::parse) {
                Some(Ok(digest)) => digests.seen.extend([digest]),
                _ => digests.unknown = true,
            }
        }
        Ok(digests)
    }

    async fn revision(&self, arn: &TaskDefinitionArn) -> Result<String, Fault> {
        Ok(self.read(arn).await?.to_record())
    }

    async fn loss(
        &self,
        arn: &TaskDefinitionArn,
        containers: &[String],
        to: &Digest,
    ) -> Result<Option<String>, Fault> {
        match self.read(arn).await?.pinned(&self.ecs, containers, to).await {
            Ok(_) => Ok(None),
            Err(Fault::NotSupported(why)) => Ok(Some(why)),
            Err(fault) => Err(fault),
        }
    }

    async fn images(&self, from: &Source, images: &[Image]) -> Result<BTreeMap<String, Digest>, Fault> {
        let ids = images.iter().map(|image| match image {
            Image::Digest(digest) => ImageIdentifier::builder().image_digest(digest.as_str()).build(),
            Image::Tag(tag) => ImageIdentifier::builder().image_tag(tag.as_str()).build(),
        });
        let call = self.ecr.batch_get_image().registry_id(from.registry.as_str());
        let call = call.repository_name(from.repository.as_str()).set_image_ids(Some(ids.collect()));
        let call =
            call.set_accepted_media_types(Some(pipeline::image::MEDIA_TYPES.map(str::to_owned).to_vec()));
        let answer = match call.send().await {
            Ok(answer) => answer,
            Err(error) => return Err(fault_of(&format!("look for images in {}", from.repository), &error)),
        };
        let mut found = BTreeMap::new();
        for id in answer.images().iter().filter_map(|image| image.image_id()) {
            let digest = Digest::parse(id.image_digest().unwrap_or_default())?;
            found.extend(id.image_tag().map(|tag| (tag.to_owned(), digest.clone())));
            found.insert(digest.to_string(), digest);
        }
        Ok(found)
    }

    async fn mutability(&self, of: &Source) -> Result<Mutability, Fault> {
        let call = self.ecr.describe_repositories().registry_id(of.registry.as_str());
        let answer = call.repository_names(of.repository.as_str()).send().await;
        let answer = answer
            .map_err(|error| fault_of(&format!("describe the repository {}", of.repository), &error))?;
        let repository = answer.repositories().first();
        let kind =
            repository.and_then(|one| one.image_tag_mutability()).map_or("MUTABLE", |kind| kind.as_str());
        let filters = repository.map(|one| one.image_tag_mutability_exclusion_filters()).unwrap_or_default();
        let except = filters.iter().map(|filter| filter.filter().to_owned()).collect();
        Ok(Mutability { movable: kind.starts_with("MUTABLE"), except })
    }

    async fn ended(&self, execution: &str) -> Result<Option<Timestamp>, Fault> {
        let answer = match self.sfn.describe_execution().execution_arn(execution).send().await {
            Ok(answer) => answer,
            Err(error) if error.as_service_error().is_some_and(|e| e.is_execution_does_not_exist()) => {
                return Ok(Some(Timestamp::from_millis(0)));
            }
            Err(error) => return Err(fault_of(&format!("describe {execution}"), &error)),
        };
        if matches!(answer.status().as_str(), "RUNNING" | "PENDING_REDRIVE") {
            return Ok(None);
        }
        Ok(answer.stop_date().and_then(|stopped| stopped.to_millis().ok()).map(Timestamp::from_millis))
    }
}
