//! The port's adapter.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_sns::types::MessageAttributeValue;
use pipeline::aws::fault_of;
use pipeline::clock::Timestamp;
use pipeline::ids::{EnvironmentName, ReleaseId};
use pipeline::ledger::{Key, Ledger, WholeRelease};
use pipeline::rows::{FrozenRow, PlanRow};
use pipeline::signed::Signed;
use pipeline::{Fault, settings};
use serde_json::json;
use tokio::sync::Mutex;

use super::http::{Answer, Hosts};
use super::signals::Recent;
use super::{Execution, Port, http};
use crate::channel::Post;
use crate::channel::sns::Publication;
use crate::delivery::{Delivery, Place};
use crate::report::Report;
use crate::resolve::OpenRow;
use crate::secret::{Reference, Secret};

/// How long a call of a telephone may take to be taken.
const RING_PATIENCE: Duration = Duration::from_secs(10);

/// AWS, and the rest of the world.
#[derive(Debug)]
pub struct Aws {
    pub(super) ledger: Ledger,
    sfn: aws_sdk_sfn::Client,
    sns: aws_sdk_sns::Client,
    pub(super) ssm: aws_sdk_ssm::Client,
    pub(super) config: SdkConfig,
    pub(super) settings: Settings,
    pub(super) recent: Mutex<Recent>,
}

/// Where alerts go.
#[derive(Debug)]
pub struct Settings {
    /// The ARN of the topic.
    pub topic: String,
    /// The parameter that names other channels.
    pub parameter: String,
    /// The machine that comes back to what was not delivered; none where there is none.
    pub follow_up: Option<String>,
    /// The queue that keeps what reached nobody, by its URL; none where there is none.
    pub undelivered: Option<String>,
    /// What names this stack among all that use the same channels.
    pub origin: String,
    /// The log group of the function itself.
    pub log_group: Option<String>,
    /// The address of the dashboard; none where there is none.
    pub dashboard: Option<String>,
    /// Where requests may go.
    pub hosts: Hosts,
}

impl Settings {
    /// Reads what the template gives.
    pub fn of_environment() -> Result<Self, Fault> {
        Ok(Settings {
            topic: settings::required("TOPIC_ARN")?,
            parameter: settings::required("ALERTS_PARAMETER")?,
            follow_up: settings::optional("FOLLOW_UP_MACHINE"),
            undelivered: settings::optional("UNDELIVERED_QUEUE_URL"),
            origin: settings::optional("ORIGIN").unwrap_or_default(),
            log_group: settings::optional("AWS_LAMBDA_LOG_GROUP_NAME"),
            dashboard: settings::optional("DASHBOARD_URL"),
            hosts: Hosts {
                loopback: settings::optional("TIDEGATE_PROBE_LOOPBACK").as_deref() == Some("allowed"),
                instead: settings::optional("TIDEGATE_HOSTS_INSTEAD"),
            },
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
            config: config.clone(),
            settings,
            recent: Mutex::default(),
        }
    }
}

impl Port for Aws {
    fn dashboard(&self) -> Option<&str> {
        self.settings.dashboard.as_deref()
    }

    async fn report(&self, release: &ReleaseId) -> Result<Report, Fault> {
        let WholeRelease { head, moves, repositories } = self.ledger.whole(release).await?;
        let moves = moves.into_iter().map(|(_, row)| row).collect();
        Ok(Report { head, moves, repositories, ..Report::default() })
    }

    async fn plan(&self, release: &ReleaseId) -> Result<Vec<PlanRow>, Fault> {
        self.ledger.plan(release).await
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

    async fn deliveries(&self, place: &Place) -> Result<BTreeMap<String, Delivery>, Fault> {
        let (pk, prefix) = match place {
            Place::Release(release) => (Key::of_release(release), "alert#".to_owned()),
            Place::Signal(id, opened) => (format!("alert#{id}"), format!("told#{opened}#")),
        };
        let rows: Vec<(String, Delivery)> = self.ledger.list(&pk, &prefix).await?;
        let named = rows.into_iter().map(|(key, row)| (key.trim_start_matches(&prefix).to_owned(), row));
        Ok(named.collect())
    }

    async fn record(&self, place: &Place, channel: &str, delivery: &Delivery) -> Result<(), Fault> {
        let key = key_of(place, channel);
        self.ledger.put(&key, delivery).await
    }

    async fn left(&self, environment: &EnvironmentName) -> Result<Vec<(ReleaseId, OpenRow)>, Fault> {
        let rows: Vec<(String, OpenRow)> = self.ledger.list(&Key::opens(environment), "release#").await?;
        let open = rows.into_iter().filter(|(_, row)| !row.services.is_empty());
        open.map(|(sk, row)| Ok((ReleaseId::parse(sk.trim_start_matches("release#"))?, row))).collect()
    }

    async fn leave(
        &self,
        environment: &EnvironmentName,
        release: &ReleaseId,
        row: &OpenRow,
        was: Option<u64>,
    ) -> Result<bool, Fault> {
        let key = Key::open(environment, release);
        match was {
            None => self.ledger.put_new(&key, row).await,
            Some(was) => self.ledger.put_when(&key, row, ("#version = :was", json!({"was": was}))).await,
        }
    }

    async fn replace(
        &self,
        place: &Place,
        channel: &str,
        before: Option<&Delivery>,
        delivery: &Delivery,
    ) -> Result<bool, Fault> {
        let key = key_of(place, channel);
        match before {
            None => self.ledger.put_new(&key, delivery).await,
            Some(before) => {
                let seen = json!({"outcome": before.outcome, "time": before.time});
                let unchanged = ("#outcome = :outcome AND #time = :time", seen);
                self.ledger.put_when(&key, delivery, unchanged).await
            }
        }
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

    async fn settings(&self) -> Result<Option<(String, Secret)>, Fault> {
        let parameter = &self.settings.parameter;
        let get = self.ssm.get_parameter().name(parameter).with_decryption(true);
        match get.send().await {
            Ok(answer) => {
                let text = answer.parameter.and_then(|parameter| parameter.value).map(Secret::new);
                Ok(text.map(|text| (parameter.clone(), text)))
            }
            Err(error) if error.as_service_error().is_some_and(|e| e.is_parameter_not_found()) => Ok(None),
            Err(error) => Err(fault_of(&format!("read the parameter {parameter}"), &error)),
        }
    }

    async fn secret(&self, reference: &Reference) -> Result<Secret, Fault> {
        let name = reference.as_str();
        let answer = self.ssm.get_parameter().name(name).with_decryption(true).send().await;
        let answer = answer.map_err(|error| fault_of(&format!("read the secret {name}"), &error))?;
        let value = answer.parameter.and_then(|parameter| parameter.value);
        value.map(Secret::new).ok_or_else(|| Fault::NotFound(format!("the secret {name}")))
    }

    async fn post(&self, post: Post) -> Result<Answer, Fault> {
        http::post(post, &self.settings.hosts).await
    }

    async fn ring(&self, call: String) -> Result<Option<Answer>, Fault> {
        // Made for the one call that needs it: nobody is called by telephone often.
        let voice = Signed::new(&self.config, "sms-voice", RING_PATIENCE)?;
        let target = "PinpointSMSVoiceV2.SendVoiceMessage";
        let answer = voice.call(target, call).await?;
        Ok(answer.map(|answer| Answer { status: answer.status, body: answer.body, retry_after: None }))
    }

    async fn follow(&self, name: &str, input: String) -> Result<(), Fault> {
        let Some(machine) = &self.settings.follow_up else {
            return Err(Fault::NotSupported("no machine comes back to what was not delivered".to_owned()));
        };
        let start = self.sfn.start_execution().state_machine_arn(machine).name(name).input(input);
        match start.send().await {
            Ok(_) => Ok(()),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_execution_already_exists()) => Ok(()),
            Err(error) => Err(fault_of(&format!("start {machine}"), &error)),
        }
    }
}

/// Returns the key of what a channel was told about something.
fn key_of(place: &Place, channel: &str) -> Key {
    match place {
        Place::Release(release) => Key::alert(release, channel),
        Place::Signal(id, opened) => Key::told(id, *opened, channel),
    }
}
