//! Posts one request.  Nothing that it says about a failure holds more of the URL than its host.

use std::time::Duration;

use pipeline::Fault;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, Response, Url, redirect};

use crate::channel::Post;

/// How long a connection and an answer may take.
const CONNECT: Duration = Duration::from_secs(3);
const DEADLINE: Duration = Duration::from_secs(10);

/// How much of an answer is read: Slack repeats the whole message.
const LONGEST_ANSWER: usize = 256 * 1024;

/// What came back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The status of HTTP.
    pub status: u16,
    /// The beginning of the body.
    pub body: String,
    /// After how many seconds to come again, if it said so.
    pub retry_after: Option<u32>,
}

/// Where requests may go.
#[derive(Clone, Debug, Default)]
pub struct Hosts {
    /// Whether plain http to this machine is allowed: only where everything runs on one machine.
    pub loopback: bool,
    /// What stands for all other hosts there, each below a path of its own name.
    pub instead: Option<String>,
}

/// Posts, and returns the answer; a redirect is not followed.
///
/// Only https, since the message tells of the inside.
pub async fn post(post: Post, hosts: &Hosts) -> Result<Answer, Fault> {
    let url = Url::parse(post.url.reveal().trim());
    let url = url.map_err(|_| Fault::InvalidInput("its URL cannot be read".to_owned()))?;
    let host = url.host_str().unwrap_or_default().to_owned();
    let here = hosts.loopback && is_this_machine(&host);
    if url.scheme() != "https" && !(here && url.scheme() == "http") {
        return Err(Fault::InvalidInput(format!("its URL at {host} is not https")));
    }
    let url = match &hosts.instead {
        Some(instead) if hosts.loopback && !here => {
            let instead = Url::parse(&format!("{instead}/{host}{}", url.path()));
            instead.map_err(|_| Fault::InvalidInput("what stands for all hosts is no URL".to_owned()))?
        }
        _ => url,
    };
    // It fails where there is one already, which is then as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    let client = Client::builder().user_agent("tidegate-alert").redirect(redirect::Policy::none()).no_proxy();
    let client = client.connect_timeout(CONNECT).timeout(DEADLINE).build();
    let failed =
        |error: reqwest::Error| Fault::Unavailable(format!("{host} did not answer: {}", reason(&error)));
    let request = client.map_err(failed)?.post(url).header(CONTENT_TYPE, "application/json").body(post.body);
    let request =
        post.headers.into_iter().fold(request, |request, (name, value)| request.header(name, value.reveal()));
    let mut answer = request.send().await.map_err(failed)?;
    let retry_after = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let status = answer.status().as_u16();
    Ok(Answer { status, body: beginning(&mut answer).await, retry_after })
}

/// Reads the beginning of a body; what breaks it off is no matter, since the status has come.
async fn beginning(answer: &mut Response) -> String {
    let mut read = Vec::new();
    while let Ok(Some(chunk)) = answer.chunk().await {
        read.extend_from_slice(&chunk);
        if read.len() >= LONGEST_ANSWER {
            read.truncate(LONGEST_ANSWER);
            break;
        }
    }
    String::from_utf8_lossy(&read).into_owned()
}

fn is_this_machine(host: &str) -> bool {
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || literal.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

/// Names the kind of a failure.  Its own words could quote the URL.
fn reason(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "it could not be connected to"
    } else if error.is_builder() {
        "no request could be made"
    } else {
        "the connection broke"
    }
}
