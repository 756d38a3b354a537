//! The end of the wire: an HTTP client that asks the account in memory.

use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_ecs::config::http::HttpResponse;
use aws_sdk_ecs::config::retry::RetryConfig;
use aws_sdk_ecs::config::timeout::TimeoutConfig;
use aws_sdk_ecs::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use serde_json::{Value, json};

use super::{Answer, Fake, REGION, Refusal, balancer, cbor, topic, unknown};

/// How the services call themselves in the header that names an operation, and about how many milliseconds a call
/// takes within a region: ECS takes 100 to 400, the others less.
const TARGETS: [(&str, &str, i64); 5] = [
    ("DynamoDB_20120810", "dynamodb", 8),
    ("AmazonEC2ContainerServiceV20141113", "ecs", 300),
    ("AmazonEC2ContainerRegistry_V20150921", "ecr", 30),
    ("AmazonSSM", "ssm", 20),
    ("AWSStepFunctions", "states", 30),
];

/// What stands before the operation where CloudWatch is called.
const CLOUDWATCH: &str = "/service/GraniteServiceVersion20100801/operation/";

/// Makes a configuration whose clients ask `fake`, once: whoever is refused must be seen to be.
pub fn config(fake: Fake) -> SdkConfig {
    let connector = SharedHttpConnector::new(Wire(fake));
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static(REGION))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::for_tests()))
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::disabled())
        .http_client(http_client_fn(move |_, _| connector.clone()))
        .build()
}

#[derive(Debug)]
struct Wire(Fake);

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Wire(fake) = self;
        let fake = fake.clone();
        HttpConnectorFuture::new(async move {
            let (answer, speaks) = match read(&request) {
                Ok(Asked { operation, input, takes, speaks }) => {
                    (fake.ask(operation, input, takes).await, speaks)
                }
                Err(refusal) => (Err(refusal), Speaks::Json),
            };
            respond(answer, speaks)
        })
    }
}

/// What a request asks for.
struct Asked {
    /// The service and its operation.
    operation: String,
    /// What it brings.
    input: Value,
    /// How many milliseconds it takes.
    takes: i64,
    /// How it is written, and how its answer is.
    speaks: Speaks,
}

/// How a service writes.
#[derive(Clone, Copy)]
enum Speaks {
    Json,
    Cbor,
    /// A form, which is answered in XML; this writes it.
    Xml(fn(&Value) -> Vec<u8>),
}

fn read(request: &HttpRequest) -> Result<Asked, Refusal> {
    let body = request.body().bytes().unwrap_or_default();
    let wrong = |named: &str| unknown(&format!("{named} {}", request.uri()));
    if let Some((_, operation)) = request.uri().split_once(CLOUDWATCH) {
        let input = cbor::read(body).ok_or_else(|| wrong(operation))?;
        return Ok(Asked {
            operation: format!("cloudwatch.{operation}"),
            input,
            takes: 20,
            speaks: Speaks::Cbor,
        });
    }
    if body.starts_with(b"Action=Publish&") {
        return Ok(Asked {
            operation: "sns.Publish".to_owned(),
            input: topic::read(body),
            takes: 30,
            speaks: Speaks::Xml(topic::write),
        });
    }
    if body.starts_with(b"Action=DescribeTargetHealth&") {
        return Ok(Asked {
            operation: "elasticloadbalancing.DescribeTargetHealth".to_owned(),
            input: balancer::read(body),
            takes: 30,
            speaks: Speaks::Xml(balancer::write),
        });
    }
    let target = request.headers().get("x-amz-target").and_then(|target| target.split_once('.'));
    let (service, operation) = target.unwrap_or_default();
    let input = serde_json::from_slice(body).map_err(|_| wrong(operation))?;
    let known = TARGETS.iter().find(|(name, ..)| *name == service);
    let (service, takes) = known.map_or((service, 0), |(_, short, takes)| (*short, *takes));
    Ok(Asked { operation: format!("{service}.{operation}"), input, takes, speaks: Speaks::Json })
}

/// Writes an answer as AWS does.
fn respond(answer: Answer, speaks: Speaks) -> Result<HttpResponse, ConnectorError> {
    let (status, body) = match answer {
        Ok(body) => (200, body),
        Err(refusal) if refusal.is_no_answer() => {
            return Err(ConnectorError::timeout(refusal.message.into()));
        }
        Err(refusal) => {
            let status = if refusal.code.contains("Server") { 500 } else { 400 };
            let mut body = json!({"__type": refusal.code, "message": refusal.message});
            if !refusal.reasons.is_empty() {
                body["CancellationReasons"] =
                    refusal.reasons.iter().map(|code| json!({"Code": code})).collect();
            }
            (status, body)
        }
    };
    let bytes = match speaks {
        Speaks::Json => body.to_string().into_bytes(),
        Speaks::Cbor => cbor::write(&body),
        Speaks::Xml(write) => write(&body),
    };
    let answer = StatusCode::try_from(status).map(|status| HttpResponse::new(status, SdkBody::from(bytes)));
    let mut answer = answer.map_err(|error| ConnectorError::other(error.into(), None))?;
    if let Speaks::Cbor = speaks {
        answer.headers_mut().insert("smithy-protocol", "rpc-v2-cbor");
    }
    Ok(answer)
}

/// Lets time pass, where no machine does.
#[expect(
    clippy::disallowed_methods,
    reason = "this is what the time on the wire is, and no Lambda waits here"
)]
pub async fn pass(milliseconds: i64) {
    tokio::time::sleep(Duration::from_millis(milliseconds.unsigned_abs())).await;
}
