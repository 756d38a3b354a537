//! The port's adapter.

use std::collections::HashMap;

use aws_config::SdkConfig;
use aws_sdk_sns::types::MessageAttributeValue;
use pipeline::aws::fault_of;
use pipeline::clock::Timestamp;
use pipeline::ids::{EnvironmentName, ReleaseId, ServiceName};
use pipeline::ledger::{Key, Ledger};
use pipeline::rows::{FrozenRow, PlanRow, RepositoryRow};
use pipeline::{Fault, settings};

use super::{Execution, Port, http};
use crate::delivery::{Delivery, Post, Publication};
use crate::report::Report;
use crate::secret::Secret;

/// AWS, and the rest of the world.
#[derive(Debug)]
pub struct Aws {
    ledger: Ledger,
    sfn: aws_sdk_sfn::Client,
    sns: aws_sdk_sns::Client,
    ssm: aws_sdk_ssm::Client,
    settings: Settings,
}

/// Where alerts go.
#[derive(Debug)]
pub struct Settings {
    /// The ARN of the topic.
    pub topic: String,
    /// The parameter that names other channels.
    pub parameter: String,
    /// Whether a webhook may be on this machine: only where everything runs on one machine.
    pub loopback: bool,
}

impl Settings {
    /// Reads what the template gives.
    pub fn of_environment() -> Result<Self, Fault> {
        Ok(Settings {
            topic: settings::required("TOPIC_ARN")?,
            parameter: settings::required("ALERTS_PARAMETER")?,
            loopback: settings::optional("TIDEGATE_PROBE_LOOPBACK").as_deref() == Some("allowed"),
        })
    }
}

impl Aws {
    /// Makes the adapter.
    pub fn new(config: &SdkConfig, ledger: Ledger, settings: Settings) -> Self {
        Aws {
            ledger,
            sfn: aws_sdk_sfn::Client::new(config),
            sns: aws_sdk_sns::Client::new(config),
            ssm: aws_sdk_ssm::Client::new(config),
            settings,
        }
    }
}

impl Port for Aws {
    async fn report(&self, release: &ReleaseId) -> Result<Report, Fault> {
        let head = self.ledger.get(&Key::head(release)).await?;
        let moves = self.ledger.moves(release).await?.into_iter().map(|(_, row)| row).collect();
        let repositories: Vec<(String, RepositoryRow)> =
            self.ledger.list(&format!("release#{release}"), "repo#").await?;
        let repositories = repositories.into_iter().map(|(_, row)| row).collect();
        Ok(Report { head, moves, repositories, ..Report::default() })
    }

    async fn plan(&self, release: &ReleaseId, services: &[ServiceName]) -> Result<Vec<PlanRow>, Fault> {
        let rows: Vec<(String, PlanRow)> = self.ledger.list(&format!("release#{release}"), "plan#").await?;
        Ok(rows.into_iter().map(|(_, row)| row).filter(|row| services.contains(&row.service)).collect())
    }

    async fn freeze(&self, environment: &EnvironmentName) -> Result<Option<FrozenRow>, Fault> {
        self.ledger.get(&Key::frozen(environment)).await
    }

    async fn execution(&self, arn: &str) -> Result<Execution, Fault> {
        let answer = self.sfn.describe_execution().execution_arn(arn).send().await;
        let answer = answer.map_err(|error| fault_of(&format!("describe {arn}"), &error))?;
        let runs = matches!(answer.status().as_str(), "RUNNING" | "PENDING_REDRIVE");
        let redriven = answer.redrive_date.and_then(|date| date.to_millis().ok()).map(Timestamp::from_millis);
        Ok(Execution { runs, redriven, error: answer.error, cause: answer.cause })
    }

    async fn delivery(&self, release: &ReleaseId, channel: &str) -> Result<Option<Delivery>, Fault> {
        self.ledger.get(&Key::alert(release, channel)).await
    }

    async fn record(&self, release: &ReleaseId, channel: &str, delivery: &Delivery) -> Result<(), Fault> {
        self.ledger.put(&Key::alert(release, channel), delivery).await
    }

    async fn publish(&self, publication: Publication) -> Result<(), Fault> {
        let mut attributes = HashMap::new();
        for (name, value) in publication.attributes {
            let attribute = MessageAttributeValue::builder().data_type("String").string_value(value).build();
            let attribute =
                attribute.map_err(|error| Fault::Defect(format!("no attribute {name}: {error}")))?;
            attributes.insert(name.to_owned(), attribute);
        }
        let publish = self.sns.publish().topic_arn(&self.settings.topic).subject(publication.subject);
        let publish = publish.message_structure("json").message(publication.message);
        let sent = publish.set_message_attributes(Some(attributes)).send().await;
        sent.map_err(|error| fault_of("publish to the topic", &error))?;
        Ok(())
    }

    async fn settings(&self) -> Result<Option<Secret>, Fault> {
        let parameter = &self.settings.parameter;
        let get = self.ssm.get_parameter().name(parameter).with_decryption(true);
        match get.send().await {
            Ok(answer) => Ok(answer.parameter.and_then(|parameter| parameter.value).map(Secret::new)),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_parameter_not_found()) => Ok(None),
            Err(error) => Err(fault_of(&format!("read the parameter {parameter}"), &error)),
        }
    }

    async fn post(&self, post: Post) -> Result<u16, Fault> {
        http::post(post, self.settings.loopback).await
    }
}
