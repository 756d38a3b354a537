//! The HTTP clients: one for nearly all requests, and one of its own for a request that wants another place or another
//! authority.

use std::time::Duration;

use pack::kind::http::Request;
use pack::policy::{Policy, Refusal};
use pipeline::Fault;
use reqwest::{Certificate, Client, ClientBuilder, Url, redirect};
use url::Host;

use super::resolve::{Guarded, resolve};
use super::{Probe, ProbeResult, innermost};

/// Makes the client, and says why no certificate can be trusted here, if none can.
pub(super) fn plain(policy: Policy, connect: Duration) -> Result<(Client, Option<String>), Fault> {
    let (client, no_roots) = match builder(policy, connect).build() {
        Ok(client) => (Ok(client), None),
        // Where no certificate is known to be good, plain HTTP can still be asked.
        Err(error) => (builder(policy, connect).tls_certs_only([]).build(), Some(innermost(&error))),
    };
    let client = client.map_err(|error| Fault::Defect(format!("no HTTP client: {}", innermost(&error))))?;
    Ok((client, no_roots))
}

/// Returns the client for a request, or says why it cannot be asked.
pub(super) async fn of(probe: &Probe, request: &Request, url: &Url) -> Result<Client, ProbeResult> {
    if let (None, None) = (&request.connect, &request.ca) {
        return match (url.scheme(), &probe.no_roots) {
            ("https", Some(why)) => Err(ProbeResult::Nothing(why.clone())),
            _ => Ok(probe.client.clone()),
        };
    }
    let mut builder = builder(probe.policy, probe.connect);
    if let Some(connect) = &request.connect {
        // The resolver is not asked where an address is.
        if !matches!(url.host(), Some(Host::Domain(_))) {
            let why = "only the name of a URL can be connected to elsewhere, and it has an address";
            return Err(ProbeResult::Nothing(why.to_owned()));
        }
        let (host, port) = probe.policy.connect(connect).map_err(|Refusal(why)| ProbeResult::Nothing(why))?;
        let addresses =
            resolve(probe.policy, &host, port).await.map_err(|error| match error.is::<Refusal>() {
                true => ProbeResult::Nothing(error.to_string()),
                false => ProbeResult::Unreached(error.to_string()),
            })?;
        builder = builder.resolve_to_addrs(url.host_str().unwrap_or_default(), &addresses);
    }
    let unusable = |error| ProbeResult::Nothing(format!("its ca cannot be used: {}", innermost(&error)));
    builder = match &request.ca {
        Some(pem) => {
            let certificates = Certificate::from_pem_bundle(pem.as_bytes()).map_err(unusable)?;
            if certificates.is_empty() {
                return Err(ProbeResult::Nothing("its ca holds no certificate in PEM".to_owned()));
            }
            builder.tls_certs_only(certificates)
        }
        None if url.scheme() == "http" || probe.no_roots.is_some() => builder.tls_certs_only([]),
        None => builder,
    };
    builder.build().map_err(|error| ProbeResult::Nothing(format!("no HTTP client: {}", innermost(&error))))
}

/// Returns the URL that the client is given: a port in it would win over the one to connect to.
pub(super) fn sent_to(request: &Request, url: &Url) -> Url {
    let mut sent = url.clone();
    if request.connect.is_some() {
        // It has a host, so this cannot fail.
        let _ = sent.set_port(None);
    }
    sent
}

/// Returns the header that the URL means, where the client is given another one.
pub(super) fn host_header(request: &Request, url: &Url) -> Option<String> {
    let (host, port) = (url.host_str()?, url.port()?);
    request.connect.is_some().then(|| format!("{host}:{port}"))
}

fn builder(policy: Policy, connect: Duration) -> ClientBuilder {
    Client::builder()
        .user_agent("tidegate-health-test")
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .connect_timeout(connect)
        .dns_resolver(Guarded(policy))
        .no_proxy()
        .pool_max_idle_per_host(0)
}
