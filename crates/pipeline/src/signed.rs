//! Signed requests to a service of AWS of which one call is needed, and not its whole SDK.

use std::convert::Infallible;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_runtime::auth::SigV4OperationSigningConfig;
use aws_runtime::auth::sigv4::{SCHEME_ID, SigV4AuthScheme};
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::auth::static_resolver::StaticAuthSchemeOptionResolver;
use aws_smithy_runtime_api::client::auth::{AuthSchemeOptionResolverParams, SharedAuthScheme};
use aws_smithy_runtime_api::client::identity::SharedIdentityResolver;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_runtime_api::client::runtime_plugin::StaticRuntimePlugin;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::Layer;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SigningName;
use aws_types::region::{Region, SigningRegion};

use crate::Fault;
use crate::aws::cause_of;

/// Posts to one service.
#[derive(Debug)]
pub struct Signed {
    service: &'static str,
    agent: String,
    operation: Operation<Post, Answer, Infallible>,
}

/// What is posted.
#[derive(Debug)]
struct Post {
    agent: String,
    path: String,
    target: Option<&'static str>,
    body: String,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status of HTTP.
    pub status: u16,
    /// What the service says went wrong, in its headers.
    pub error: Option<String>,
    /// The body.
    pub body: String,
}

impl Signed {
    /// Makes it; an answer is waited for so long, and asked for once.
    pub fn new(config: &SdkConfig, service: &'static str, within: Duration) -> Result<Self, Fault> {
        let missing =
            |what: &str| Fault::InvalidInput(format!("{what} for requests to {service} is not set"));
        let region = config.region().ok_or_else(|| missing("the region"))?.to_string();
        let credentials = config.credentials_provider().ok_or_else(|| missing("who signs"))?;
        let client = config.http_client().ok_or_else(|| missing("the HTTP client"))?;
        let endpoint = match config.endpoint_url() {
            Some(url) => url.to_owned(),
            None => format!("https://{service}.{region}.{}", domain(&region)),
        };
        let mut signing = SigV4OperationSigningConfig {
            region: Some(SigningRegion::from(Region::new(region))),
            name: Some(SigningName::from_static(service)),
            ..SigV4OperationSigningConfig::default()
        };
        // As every service but S3 wants it.
        signing.signing_options.double_uri_encode = true;
        signing.signing_options.normalize_uri_path = true;
        let mut settings = Layer::new("signed");
        settings.store_put(AuthSchemeOptionResolverParams::new(()));
        settings.store_put(signing);
        let parts = RuntimeComponentsBuilder::new("signed")
            .with_auth_scheme(SharedAuthScheme::new(SigV4AuthScheme::new()))
            .with_auth_scheme_option_resolver(Some(StaticAuthSchemeOptionResolver::new(vec![SCHEME_ID])))
            .with_identity_resolver(SCHEME_ID, SharedIdentityResolver::new(credentials))
            .with_identity_cache(config.identity_cache())
            .with_sleep_impl(config.sleep_impl())
            .with_time_source(config.time_source());
        let timeouts = config.timeout_config().map(TimeoutConfig::to_builder).unwrap_or_default();
        let timeouts = timeouts.operation_attempt_timeout(within).operation_timeout(within).build();
        let plugin = StaticRuntimePlugin::new().with_config(settings.freeze()).with_runtime_components(parts);
        let operation = Operation::builder()
            .service_name(service)
            .operation_name("Post")
            .http_client(client)
            .endpoint_url(&endpoint)
            .no_retry()
            .timeout_config(timeouts)
            .runtime_plugin(plugin)
            .serializer(request)
            .deserializer(|answer: &HttpResponse| Ok(of(answer)))
            .build();
        // CloudTrail tells who called by it, as it does for the SDK's own clients.
        let agent = config.app_name().map(|name| format!("app/{name}")).unwrap_or_default();
        Ok(Signed { service, agent, operation })
    }

    /// Posts JSON to a path, and returns the answer, whatever its status; none if none came in time.
    pub async fn post(&self, path: &str, body: String) -> Result<Option<Answer>, Fault> {
        self.ask(path, None, body).await
    }

    /// Calls an operation that is named in a header, as the services of AWS JSON 1.0 have it.
    pub async fn call(&self, target: &'static str, body: String) -> Result<Option<Answer>, Fault> {
        self.ask("/", Some(target), body).await
    }

    async fn ask(
        &self,
        path: &str,
        target: Option<&'static str>,
        body: String,
    ) -> Result<Option<Answer>, Fault> {
        let (agent, path) = (self.agent.clone(), path.to_owned());
        match self.operation.invoke(Post { agent, path, target, body }).await {
            Ok(answer) => Ok(Some(answer)),
            Err(SdkError::TimeoutError(_)) => Ok(None),
            Err(error) => {
                Err(Fault::Unavailable(format!("could not ask {}: {}", self.service, cause_of(&error))))
            }
        }
    }
}

fn request(Post { agent, path, target, body }: Post) -> Result<HttpRequest, BoxError> {
    let mut request = HttpRequest::new(SdkBody::from(body));
    request.set_method("POST")?;
    request.set_uri(path)?;
    let json = if target.is_some() { "application/x-amz-json-1.0" } else { "application/json" };
    request.headers_mut().insert("content-type", json);
    if let Some(target) = target {
        request.headers_mut().insert("x-amz-target", target);
    }
    request.headers_mut().insert("user-agent", agent);
    Ok(request)
}

fn of(answer: &HttpResponse) -> Answer {
    let header = |name: &str| answer.headers().get(name).map(str::to_owned);
    let body = answer.body().bytes().unwrap_or_default();
    Answer {
        status: answer.status().as_u16(),
        error: header("x-amz-function-error").or(header("x-amzn-errortype")),
        body: String::from_utf8_lossy(body).into_owned(),
    }
}

/// Returns the domain of a region's partition.
fn domain(region: &str) -> &'static str {
    if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" }
}
