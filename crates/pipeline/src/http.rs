//! The HTTP client of every call to AWS.  It speaks HTTP/1.1 alone, as all endpoints do, over TLS or plain.

use std::error::Error;
use std::future::Future;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll};
use std::time::Duration;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::connection::{CaptureSmithyConnection, ConnectionMetadata};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::retry::ErrorKind as Retry;
use http::Uri;
use http_body_util::BodyExt;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::{self, capture_connection};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tower_service::Service;

use crate::Fault;
use crate::aws::cause_of;

/// How long a connection may take, with the name that is looked up and the handshake of TLS.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Whom TLS trusts: the certificates of the system, or those that `SSL_CERT_FILE` names.  They are read once.
static TRUST: LazyLock<ClientConfig> = LazyLock::new(|| {
    // It fails where there is one already, which is then as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    if roots.add_parsable_certificates(found.certs).0 == 0 {
        tracing::warn!("no certificate is trusted here: {:?}", found.errors);
    }
    ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()
});

/// A client, and the connections that it keeps.
#[derive(Clone, Debug)]
pub struct Http(legacy::Client<Connect, SdkBody>);

impl Http {
    /// Makes a client, which has no connections yet.
    #[expect(clippy::new_without_default, reason = "it reads files")]
    pub fn new() -> Self {
        Http::trusting(TRUST.clone())
    }

    fn trusting(trust: ClientConfig) -> Self {
        let mut plain = connect::HttpConnector::new();
        plain.enforce_http(false);
        plain.set_nodelay(true);
        let https = HttpsConnectorBuilder::new().with_tls_config(trust).https_or_http().enable_http1();
        let mut builder = legacy::Client::builder(TokioExecutor::new());
        Http(builder.pool_timer(TokioTimer::new()).build(Connect(https.wrap_connector(plain))))
    }

    /// Reads what is at a URL, of which nothing is told: it may be signed.
    pub async fn get(&self, url: &str, deadline: Duration, largest: u64) -> Result<Vec<u8>, Fault> {
        let failed = |error: &dyn Error| Fault::Unavailable(cause_of(error));
        let url: Uri = url.parse().map_err(|error: http::uri::InvalidUri| failed(&error))?;
        let reading = async {
            let mut request = http::Request::new(SdkBody::empty());
            *request.uri_mut() = url;
            let answer = self.0.request(request).await.map_err(|error| failed(&error))?;
            if !answer.status().is_success() {
                return Err(Fault::Unavailable(format!("the answer was {}", answer.status())));
            }
            let body = answer.into_body();
            if hyper::body::Body::size_hint(&body).exact().is_none_or(|length| length > largest) {
                return Err(Fault::NotSupported(format!("an answer of more than {largest} bytes")));
            }
            Ok(body.collect().await.map_err(|error| failed(&error))?.to_bytes().into())
        };
        tokio::time::timeout(deadline, reading)
            .await
            .unwrap_or_else(|_| Err(failed(&late("answer", deadline))))
    }
}

/// Connects in time, or says that it did not.
#[derive(Clone, Debug)]
struct Connect(HttpsConnector<connect::HttpConnector>);

type Connecting = dyn Future<Output = Result<MaybeHttpsStream<TokioIo<TcpStream>>, BoxError>> + Send;

impl Service<Uri> for Connect {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = BoxError;
    type Future = Pin<Box<Connecting>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = tokio::time::timeout(CONNECT_TIMEOUT, self.0.call(uri));
        Box::pin(async {
            connecting.await.unwrap_or_else(|_| Err(late("connection", CONNECT_TIMEOUT).into()))
        })
    }
}

fn late(what: &str, limit: Duration) -> io::Error {
    io::Error::new(ErrorKind::TimedOut, format!("no {what} within {limit:?}"))
}

impl HttpClient for Http {
    fn http_connector(&self, settings: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(Connector { http: self.clone(), limit: settings.read_timeout() })
    }
}

/// What sends the tries of one call.
#[derive(Debug)]
struct Connector {
    http: Http,
    limit: Option<Duration>,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let mut request = match request.try_into_http1x() {
            Ok(request) => request,
            Err(error) => return HttpConnectorFuture::ready(Err(ConnectorError::user(error.into()))),
        };
        let connection = capture_connection(&mut request);
        if let Some(told) = request.extensions().get::<CaptureSmithyConnection>() {
            // What failed for now is not sent on the same connection again.
            told.set_connection_retriever(move || {
                let used = connection.clone();
                let leave = move || used.connection_metadata().iter().for_each(connect::Connected::poison);
                Some(ConnectionMetadata::builder().proxied(false).poison_fn(leave).build())
            });
        }
        let (sent, limit) = (self.http.0.request(request), self.limit);
        HttpConnectorFuture::new(async move {
            let answer = match limit {
                Some(limit) => tokio::time::timeout(limit, sent)
                    .await
                    .map_err(|_| ConnectorError::timeout(late("answer", limit).into()))?,
                None => sent.await,
            };
            let answer = answer.map_err(named)?.map(SdkBody::from_body_1_x);
            HttpResponse::try_from(answer).map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

/// Names what went wrong on the wire, by which the SDK tries again or does not.
fn named(error: legacy::Error) -> ConnectorError {
    let io = within::<io::Error>(&error);
    match within::<hyper::Error>(&error) {
        _ if io.is_some_and(|io| io.kind() == ErrorKind::TimedOut) => ConnectorError::timeout(error.into()),
        Some(hyper) if hyper.is_timeout() => ConnectorError::timeout(error.into()),
        Some(hyper) if hyper.is_user() => ConnectorError::user(error.into()),
        Some(hyper) if hyper.is_incomplete_message() => {
            ConnectorError::other(error.into(), Some(Retry::TransientError))
        }
        Some(hyper) if hyper.is_closed() || hyper.is_canceled() => ConnectorError::io(error.into()),
        _ if io.is_some() || error.is_connect() => ConnectorError::io(error.into()),
        _ => ConnectorError::other(error.into(), None),
    }
}

/// Returns the first cause of a kind.
fn within<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    std::iter::successors(Some(error), |&error| error.source()).find_map(|error| error.downcast_ref())
}

#[cfg(test)]
mod tests;
