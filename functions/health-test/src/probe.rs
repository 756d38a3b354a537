//! Asks one question over HTTP, within what the policy allows.
//!
//! A name is resolved once, each of its addresses is judged, and only these are connected to: what was allowed is
//! what is asked.  No redirects, no proxy, no cookies, no decompression; an answer is read up to its cap and no
//! longer than its deadline.

use std::error::Error;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use pack::policy::{Policy, Refusal};
use pack::{Method, Pack};
use pipeline::{Fault, settings};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, Method as HttpMethod, Response, Url, redirect};

/// The longest that one request may take.
const DEADLINE: Duration = Duration::from_secs(5);

/// How much of a body is read.
const BODY_CAP: usize = 64 * 1024;

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// How.
    pub method: Method,
    /// Where.
    pub url: &'a str,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Came {
    /// An answer.
    Answer(Answer),
    /// The service was asked and did not answer.
    NoAnswer(String),
    /// The service could not even be asked.
    Nothing(String),
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body, as far as it was read.
    pub body: String,
    /// Whether there was more of it.
    pub cut: bool,
    /// How long it took.
    pub took: Duration,
}

/// The port to HTTP.
pub trait Web {
    /// Refuses a pack that could never be asked.
    fn check(&self, pack: &Pack) -> Result<(), Fault>;
    /// Asks one question.
    async fn ask(&self, question: Question<'_>, within: Duration) -> Came;
}

/// HTTP.
#[derive(Debug)]
pub struct Probe {
    policy: Policy,
    client: Client,
    /// Why no certificate can be trusted here, if none can.
    no_roots: Option<String>,
}

impl Probe {
    /// Makes the client, with the policy that the environment gives.
    pub fn new() -> Result<Self, Fault> {
        let allowed = settings::optional("TIDEGATE_PROBE_LOOPBACK").as_deref() == Some("allowed");
        Probe::within(Policy { loopback: allowed })
    }

    /// Makes the client, with a policy.
    pub fn within(policy: Policy) -> Result<Self, Fault> {
        // It fails where there is one already, which is then as good.
        drop(rustls::crypto::ring::default_provider().install_default());
        let builder = || {
            Client::builder()
                .user_agent("tidegate-health-test")
                .redirect(redirect::Policy::none())
                .retry(reqwest::retry::never())
                .dns_resolver(Guarded(policy))
                .no_proxy()
                .pool_max_idle_per_host(0)
        };
        let (client, no_roots) = match builder().build() {
            Ok(client) => (Ok(client), None),
            // Where no certificate is known to be good, plain HTTP can still be asked.
            Err(error) => (builder().tls_certs_only([]).build(), Some(innermost(&error))),
        };
        let client =
            client.map_err(|error| Fault::Defect(format!("no HTTP client: {}", innermost(&error))))?;
        Ok(Probe { policy, client, no_roots })
    }
}

impl Web for Probe {
    fn check(&self, pack: &Pack) -> Result<(), Fault> {
        for check in &pack.checks {
            // A target's own address is not known yet; any will do to read the rest of the URL.
            self.policy.url(&check.http.url_for("192.0.2.1:80")).map_err(|Refusal(why)| {
                Fault::InvalidInput(format!("live test {:?} can never be asked: {why}", check.name))
            })?;
        }
        Ok(())
    }

    async fn ask(&self, question: Question<'_>, within: Duration) -> Came {
        let url = match self.policy.url(question.url) {
            Ok(url) => url,
            Err(Refusal(why)) => return Came::Nothing(why),
        };
        if let ("https", Some(why)) = (url.scheme(), &self.no_roots) {
            return Came::Nothing(why.clone());
        }
        let start = Instant::now();
        let deadline = within.min(DEADLINE);
        let request = self.client.request(http(question.method), url).timeout(deadline);
        let answer = async {
            let mut response = request.send().await?;
            let (body, cut) = read(&mut response).await?;
            Ok::<_, reqwest::Error>(Answer {
                status: response.status().as_u16(),
                body,
                cut,
                took: start.elapsed(),
            })
        };
        match answer.await {
            Ok(answer) => Came::Answer(answer),
            // A look that ran out of time says nothing about the service.
            Err(error) if error.is_timeout() && deadline < DEADLINE => {
                Came::Nothing("no time was left for it in this look".to_owned())
            }
            Err(error) => no_answer(&error, deadline),
        }
    }
}

fn http(method: Method) -> HttpMethod {
    match method {
        Method::Get => HttpMethod::GET,
        Method::Head => HttpMethod::HEAD,
        Method::Options => HttpMethod::OPTIONS,
        Method::Post => HttpMethod::POST,
    }
}

/// Shows a URL in a report, without its query, which may hold what is nobody's business.
pub fn shown(url: &str) -> String {
    let Ok(mut url) = Url::parse(url) else { return "a URL that cannot be read".to_owned() };
    url.set_query(None);
    url.set_fragment(None);
    url.to_string()
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

fn no_answer(error: &reqwest::Error, deadline: Duration) -> Came {
    if let Some(cause) = causes(error).find(|cause| cause.is::<Refusal>() || cause.is::<Unresolved>()) {
        return Came::Nothing(cause.to_string());
    }
    if error.is_timeout() {
        return Came::NoAnswer(format!("no whole answer within {} ms", deadline.as_millis()));
    }
    Came::NoAnswer(format!("no answer: {}", innermost(error)))
}

fn innermost(error: &reqwest::Error) -> String {
    causes(error).last().map(ToString::to_string).unwrap_or_default()
}

/// Returns the error and what caused it, one by one; the outer ones only say that it failed.
fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    let first: &(dyn Error + 'static) = error;
    std::iter::successors(Some(first), |error| (*error).source())
}

/// A name without an address.
#[derive(Debug)]
struct Unresolved(String);

impl std::fmt::Display for Unresolved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Unresolved {}

/// Resolves names to addresses that the policy allows; one that it refuses spoils the name.
#[derive(Debug)]
struct Guarded(Policy);

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = self.0;
        Box::pin(async move {
            let host = name.as_str();
            let unresolved =
                |why: &dyn std::fmt::Display| Unresolved(format!("{host} has no address: {why}"));
            let found = tokio::net::lookup_host((host, 0)).await.map_err(|error| unresolved(&error))?;
            let found: Vec<SocketAddr> = found.collect();
            for address in &found {
                policy.address(address.ip())?;
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_is_judged_by_what_it_resolves_to() {
        let resolve = |loopback| Guarded(Policy { loopback }).resolve("localhost".parse().unwrap());
        assert!(resolve(false).await.err().unwrap().is::<Refusal>());
        assert!(resolve(true).await.unwrap().all(|address| address.ip().is_loopback()));
    }

    #[tokio::test]
    async fn what_the_resolver_refuses_is_not_asked() {
        // The text of the URL would pass; only the resolver can tell where the name leads.
        let strict = Probe::within(Policy { loopback: false }).unwrap();
        let probe = Probe { policy: Policy { loopback: true }, ..strict };
        let question = Question { method: Method::Get, url: "http://localhost:9/" };
        let Came::Nothing(why) = probe.ask(question, DEADLINE).await else { panic!("it was asked") };
        assert!(why.ends_with("it is this machine"), "{why}");
    }

    #[test]
    fn a_query_is_not_shown() {
        assert_eq!(shown("http://10.0.0.1:80/a?token=b#c"), "http://10.0.0.1/a");
        assert_eq!(shown("http://["), "a URL that cannot be read");
    }
}
