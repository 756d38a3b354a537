//! Posts one request.  Nothing that it says about a failure holds more of the URL than its host.

use std::time::Duration;

use pipeline::Fault;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Url, redirect};

use crate::delivery::Post;

/// How long an answer may take.
const DEADLINE: Duration = Duration::from_secs(5);

/// Posts, and returns the status of the answer; a redirect is not followed.
///
/// Only https, since the message tells of the inside; `loopback` allows plain http to this machine.
pub async fn post(post: Post, loopback: bool) -> Result<u16, Fault> {
    let url = Url::parse(post.url.reveal());
    let url = url.map_err(|_| Fault::InvalidInput("the webhook's URL cannot be read".to_owned()))?;
    let host = url.host_str().unwrap_or_default().to_owned();
    if url.scheme() != "https" && !(loopback && url.scheme() == "http" && is_this_machine(&host)) {
        return Err(Fault::InvalidInput(format!("the webhook at {host} is not https")));
    }
    // It fails where there is one already, which is then as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    let client = Client::builder().user_agent("tidegate-alert").redirect(redirect::Policy::none()).no_proxy();
    let client = client.timeout(DEADLINE).build();
    let failed =
        |error: reqwest::Error| Fault::Unavailable(format!("{host} did not answer: {}", reason(&error)));
    let mut request =
        client.map_err(failed)?.post(url).header(CONTENT_TYPE, "application/json").body(post.body);
    if let Some(signature) = post.signature {
        request = request.header("X-Tidegate-Signature", signature);
    }
    Ok(request.send().await.map_err(failed)?.status().as_u16())
}

fn is_this_machine(host: &str) -> bool {
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || literal.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

/// Names the kind of a failure.  Its own words could quote the URL.
fn reason(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "no answer within 5 s"
    } else if error.is_connect() {
        "it could not be connected to"
    } else if error.is_builder() {
        "no client could be made"
    } else {
        "the connection broke"
    }
}
