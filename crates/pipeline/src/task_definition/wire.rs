//! The JSON beneath the SDK's types: what ECS answered, what a registration would send, what was recorded.

use std::sync::{Arc, Mutex};

use aws_sdk_ecs::Client;
use aws_sdk_ecs::config::http::HttpResponse;
use aws_sdk_ecs::config::retry::RetryConfig;
use aws_sdk_ecs::config::{BehaviorVersion, Credentials, Region};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    AfterDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::ConfigBag;
use serde_json::Value;

use super::Registration;

/// Returns what a registration would send, and sends nothing.
pub(super) async fn unsent(registration: Registration) -> Value {
    let overheard = Overheard { hold_back: true, ..Overheard::default() };
    // It always fails: the interceptor stops it once the request is written.
    drop(registration.customize().interceptor(overheard.clone()).send().await);
    overheard.take()
}

/// Returns a client that hears `json` whatever it asks, and asks nobody: the SDK makes its types from the wire alone.
pub(super) fn echo(json: &str) -> Client {
    let connector = SharedHttpConnector::new(Echo(json.to_owned()));
    let config = aws_sdk_ecs::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("nowhere"))
        .credentials_provider(Credentials::new("nobody", "nobody", None, None, "echo"))
        .retry_config(RetryConfig::disabled())
        .http_client(http_client_fn(move |_, _| connector.clone()));
    Client::from_conf(config.build())
}

#[derive(Debug)]
struct Echo(String);

impl HttpConnector for Echo {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        let answer = StatusCode::try_from(200).map(|ok| HttpResponse::new(ok, SdkBody::from(self.0.clone())));
        HttpConnectorFuture::ready(answer.map_err(|error| ConnectorError::other(error.into(), None)))
    }
}

/// Listens to the JSON of one call: its answer, or the request that it then holds back.
#[derive(Clone, Debug, Default)]
pub(super) struct Overheard {
    hold_back: bool,
    body: Arc<Mutex<Option<Value>>>,
}

impl Overheard {
    fn keep(&self, body: Option<&[u8]>) {
        if let (Ok(mut kept), Some(body)) = (self.body.lock(), body) {
            *kept = serde_json::from_slice(body).ok();
        }
    }

    pub(super) fn take(&self) -> Value {
        self.body.lock().ok().and_then(|mut kept| kept.take()).unwrap_or_default()
    }
}

impl Intercept for Overheard {
    fn name(&self) -> &'static str {
        "Overheard"
    }

    fn read_after_serialization(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if !self.hold_back {
            return Ok(());
        }
        self.keep(context.request().body().bytes());
        Err("only its request was wanted".into())
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.keep(context.response().body().bytes());
        Ok(())
    }
}
