//! Sends one request over HTTP, within what the policy allows.
//!
//! A name is resolved once, each of its addresses is judged, and only these are connected to: what was allowed is
//! what is asked.  Redirects only where the request wants them, no proxy, no cookies, no decompression; an answer is
//! read up to its cap and no longer than its deadline.

mod client;
mod redirect;
mod resolve;

use std::error::Error;
use std::io::ErrorKind;
use std::time::{Duration, Instant};

use pack::kind::http::{Body, Request};
use pack::policy::{Policy, Refusal};
use pack::{LONGEST_ANSWER, Method};
use pipeline::Fault;
use pipeline::text::line;
use reqwest::header::HeaderValue;
use reqwest::{Client, Method as HttpMethod, RequestBuilder, Response, Url};
use tokio::net::TcpStream;
use tokio::time::timeout;

use resolve::{Unresolved, resolve};

/// How long a connection may take.
pub const CONNECT: Duration = Duration::from_secs(3);

/// How much of a URL is shown.
const LONGEST_SHOWN: usize = 400;

/// How much of a body is read.
const BODY_CAP: usize = 64 * 1024;

/// What result of it.
#[derive(Clone, Debug, PartialEq)]
pub enum ProbeResult {
    /// An answer.
    Answer(Answer),
    /// The service was connected to, or refused that, and did not answer.
    NoAnswer(String),
    /// Nothing was connected to: either the service is broken, or the way to it.
    Unreached(String),
    /// The service was not even asked.
    Nothing(String),
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers, in their order, as far as they are text.
    pub headers: Vec<(String, String)>,
    /// The body, as far as it was read.
    pub body: String,
    /// Whether there was more of it.
    pub cut: bool,
    /// How long it took.
    pub took: Duration,
}

impl Answer {
    /// Returns the values of a header, in their order.
    pub fn header(&self, name: &str) -> impl Iterator<Item = &str> {
        let found = self.headers.iter().filter(move |(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// The port to HTTP.
pub trait Web {
    /// Which hosts may be asked.
    fn policy(&self) -> Policy;
    /// Sends one request.
    async fn ask(&self, request: &Request, within: Duration) -> ProbeResult;
    /// Connects, and says why that cannot be done; what refuses a connection was reached.
    async fn connect(&self, host: &str, port: u16, within: Duration) -> Result<(), String>;
}

/// HTTP.
#[derive(Debug)]
pub struct Probe {
    policy: Policy,
    connect: Duration,
    client: Client,
    /// Why no certificate can be trusted here, if none can.
    no_roots: Option<String>,
}

impl Probe {
    /// Makes the client, with the policy that the environment gives.
    pub fn new() -> Result<Self, Fault> {
        Probe::within(Policy::of_settings(), CONNECT)
    }

    /// Makes the client, with a policy and as much patience for a connection.
    pub fn within(policy: Policy, connect: Duration) -> Result<Self, Fault> {
        // It fails where there is one already, which is then as good.
        drop(rustls::crypto::ring::default_provider().install_default());
        let (client, no_roots) = client::plain(policy, connect)?;
        Ok(Probe { policy, connect, client, no_roots })
    }
}

impl Web for Probe {
    fn policy(&self) -> Policy {
        self.policy
    }

    async fn ask(&self, request: &Request, within: Duration) -> ProbeResult {
        let url = match self.policy.url(&request.url) {
            Ok(url) => url,
            Err(Refusal(why)) => return ProbeResult::Nothing(why),
        };
        let start = Instant::now();
        let (mut request, mut url, mut followed) = (request.clone(), url, 0);
        loop {
            let asked = match client::of(self, &request, &url).await {
                Ok(client) => self.once(&client, &request, &url, start, within).await,
                Err(result) => result,
            };
            let answer = match asked {
                ProbeResult::Answer(answer) if followed < request.follow => answer,
                // The way to another place says nothing about the service.
                ProbeResult::Unreached(why) if followed > 0 => {
                    return ProbeResult::Nothing(format!("redirected to {}: {why}", shown(url.as_str())));
                }
                result => return result,
            };
            match redirect::next(self.policy, &request, &url, &answer) {
                Ok(None) => return ProbeResult::Answer(answer),
                Ok(Some(next)) => (request, url) = next,
                Err(Refusal(why)) => return ProbeResult::Nothing(why),
            }
            followed += 1;
        }
    }

    async fn connect(&self, host: &str, port: u16, within: Duration) -> Result<(), String> {
        let way = async {
            let mut failed = None;
            for address in resolve(self.policy, host, port).await.map_err(|error| error.to_string())? {
                match TcpStream::connect(address).await {
                    Err(error) if error.kind() != ErrorKind::ConnectionRefused => failed = Some(error),
                    _ => return Ok(()),
                }
            }
            Err(failed.map_or_else(|| format!("{host} has no address"), |error| error.to_string()))
        };
        timeout(within, way).await.unwrap_or_else(|_| Err(no_connection(within)))
    }
}

impl Probe {
    /// Sends a request, and takes its answer as it is.
    async fn once(
        &self,
        client: &Client,
        request: &Request,
        url: &Url,
        start: Instant,
        within: Duration,
    ) -> ProbeResult {
        let deadline = within.min(LONGEST_ANSWER);
        let sent = build(client, request, url).timeout(deadline.saturating_sub(start.elapsed()));
        let answer = async {
            let mut response = sent.send().await?;
            let (body, cut) = read(&mut response).await?;
            Ok::<_, reqwest::Error>(Answer {
                status: response.status().as_u16(),
                headers: headers(&response),
                body,
                cut,
                took: start.elapsed(),
            })
        };
        match answer.await {
            Ok(answer) => ProbeResult::Answer(answer),
            Err(error) if error.is_connect() && error.is_timeout() => {
                self.unconnected(request, url, within.saturating_sub(start.elapsed())).await
            }
            // A poll that ran out of time says nothing about the service.
            Err(error) if error.is_timeout() && deadline < LONGEST_ANSWER => {
                ProbeResult::Nothing("no time was left for it in this poll".to_owned())
            }
            Err(error) => no_answer(&error, deadline),
        }
    }

    /// Tells where a connection got stuck: on the way, or with a service that does not shake hands.
    async fn unconnected(&self, request: &Request, url: &Url, left: Duration) -> ProbeResult {
        let (host, port) = place(request, url);
        if url.scheme() == "https" && self.connect(&host, port, left.min(self.connect)).await.is_ok() {
            return ProbeResult::NoAnswer(format!("no TLS handshake within {} ms", self.connect.as_millis()));
        }
        ProbeResult::Unreached(no_connection(self.connect))
    }
}

/// Puts a request together; what is sent as JSON says so, unless the pack says otherwise.
fn build(client: &Client, request: &Request, url: &Url) -> RequestBuilder {
    let mut sent = client.request(http(request.method), client::sent_to(request, url));
    if let Some(host) = client::host_header(request, url) {
        sent = sent.header("host", host);
    }
    let is_typed = request.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    for (name, value) in &request.headers {
        sent = sent.header(name, value);
    }
    match &request.body {
        None => sent,
        Some(Body::Json(json)) if !is_typed => {
            sent.header("content-type", "application/json").body(json.clone())
        }
        Some(Body::Json(text) | Body::Text(text)) => sent.body(text.clone()),
    }
}

fn http(method: Method) -> HttpMethod {
    match method {
        Method::Get => HttpMethod::GET,
        Method::Head => HttpMethod::HEAD,
        Method::Options => HttpMethod::OPTIONS,
        Method::Post => HttpMethod::POST,
        Method::Put => HttpMethod::PUT,
        Method::Patch => HttpMethod::PATCH,
        Method::Delete => HttpMethod::DELETE,
    }
}

/// Shows a URL in a report, without its query, which may hold what is nobody's business.
pub fn shown(url: &str) -> String {
    let Ok(mut url) = Url::parse(url) else { return "a URL that cannot be read".to_owned() };
    url.set_query(None);
    url.set_fragment(None);
    line(url.as_str(), LONGEST_SHOWN)
}

/// Returns the host and the port that a request connects to.
pub fn socket(request: &Request) -> String {
    Url::parse(&request.url).map_or_else(
        |_| request.url.clone(),
        |url| {
            let (host, port) = place(request, &url);
            format!("{host}:{port}")
        },
    )
}

fn place(request: &Request, url: &Url) -> (String, u16) {
    let named = request.connect.as_deref().and_then(|text| Policy { loopback: true }.connect(text).ok());
    named.unwrap_or_else(|| {
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        (host.to_owned(), url.port_or_known_default().unwrap_or_default())
    })
}

fn no_connection(within: Duration) -> String {
    format!("no connection within {} ms", within.as_millis())
}

/// Returns the headers of an answer that are text.
fn headers(response: &Response) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| value.to_str().ok().map(str::to_owned);
    let headers = response.headers().iter();
    headers.filter_map(|(name, value)| Some((name.as_str().to_owned(), text(value)?))).collect()
}

/// Reads a body up to the cap.
async fn read(response: &mut Response) -> Result<(String, bool), reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        let room = BODY_CAP - body.len();
        if chunk.len() > room {
            body.extend(chunk.iter().take(room));
            return Ok((String::from_utf8_lossy(&body).into_owned(), true));
        }
        body.extend_from_slice(&chunk);
    }
    Ok((String::from_utf8_lossy(&body).into_owned(), false))
}

fn no_answer(error: &reqwest::Error, deadline: Duration) -> ProbeResult {
    if let Some(refusal) = causes(error).find(|cause| cause.is::<Refusal>()) {
        return ProbeResult::Nothing(refusal.to_string());
    }
    if let Some(cause) = causes(error).find(|cause| is_on_the_way(*cause)) {
        return ProbeResult::Unreached(cause.to_string());
    }
    if error.is_timeout() {
        return ProbeResult::NoAnswer(format!("no whole answer within {} ms", deadline.as_millis()));
    }
    ProbeResult::NoAnswer(format!("no answer: {}", innermost(error)))
}

/// Tells whether a cause lies between us and the service, which says nothing about the service.
fn is_on_the_way(cause: &(dyn Error + 'static)) -> bool {
    use ErrorKind::{HostUnreachable, NetworkDown, NetworkUnreachable};
    let kind = cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
    cause.is::<Unresolved>() || matches!(kind, Some(HostUnreachable | NetworkDown | NetworkUnreachable))
}

fn innermost(error: &reqwest::Error) -> String {
    causes(error).last().map(ToString::to_string).unwrap_or_default()
}

/// Returns the error and what caused it, one by one; the outer ones only say that it failed.
fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    let first: &(dyn Error + 'static) = error;
    std::iter::successors(Some(first), |error| (*error).source())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_the_resolver_refuses_is_not_asked() {
        // The text of the URL would pass; only the resolver can tell where the name leads.
        let strict = Probe::within(Policy { loopback: false }, CONNECT).unwrap();
        let probe = Probe { policy: Policy { loopback: true }, ..strict };
        let request = Request::get("http://localhost:9/");
        let ProbeResult::Nothing(why) = probe.ask(&request, LONGEST_ANSWER).await else {
            panic!("it was asked")
        };
        assert!(why.ends_with("it is this machine"), "{why}");
    }

    #[tokio::test]
    async fn a_service_that_does_not_shake_hands_is_not_out_of_reach() {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}/", silent.local_addr().unwrap());
        let impatient = Probe::within(Policy { loopback: true }, Duration::from_millis(50)).unwrap();
        // Whether certificates can be trusted here does not matter: none is shown.
        let probe = Probe { no_roots: None, ..impatient };
        let result = probe.ask(&Request::get(url), LONGEST_ANSWER).await;
        assert_eq!(result, ProbeResult::NoAnswer("no TLS handshake within 50 ms".to_owned()));
    }

    #[test]
    fn what_lies_on_the_way_says_nothing_about_the_service() {
        for (kind, on_the_way) in [
            (ErrorKind::HostUnreachable, true),
            (ErrorKind::NetworkUnreachable, true),
            (ErrorKind::NetworkDown, true),
            (ErrorKind::ConnectionRefused, false),
            (ErrorKind::ConnectionReset, false),
            (ErrorKind::UnexpectedEof, false),
        ] {
            assert_eq!(is_on_the_way(&std::io::Error::from(kind)), on_the_way, "{kind:?}");
        }
    }

    #[test]
    fn a_socket_is_named_with_its_port() {
        for (url, expected) in [
            ("http://10.0.0.1/a", "10.0.0.1:80"),
            ("https://users.example.org/", "users.example.org:443"),
            ("http://[fd12::1]:8080/", "fd12::1:8080"),
        ] {
            assert_eq!(socket(&Request::get(url)), expected);
        }
    }

    #[test]
    fn a_query_is_not_shown() {
        assert_eq!(shown("http://10.0.0.1:80/a?token=b#c"), "http://10.0.0.1/a");
        assert_eq!(shown("http://["), "a URL that cannot be read");
        assert_eq!(shown(&format!("http://a/{}", "x".repeat(9000))).len(), LONGEST_SHOWN);
    }
}
