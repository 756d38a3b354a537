//! Resolves names to addresses that the policy allows; one that it refuses spoils the name.

use std::error::Error;
use std::net::SocketAddr;

use pack::policy::Policy;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// A name without an address.
#[derive(Debug)]
pub(super) struct Unresolved(String);

impl std::fmt::Display for Unresolved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Unresolved {}

/// The resolver of the client.
#[derive(Debug)]
pub(super) struct Guarded(pub Policy);

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = self.0;
        Box::pin(async move {
            let found = resolve(policy, name.as_str(), 0).await?;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Resolves a name, or takes an address as it is.
pub(super) async fn resolve(
    policy: Policy,
    host: &str,
    port: u16,
) -> Result<Vec<SocketAddr>, Box<dyn Error + Send + Sync>> {
    let found = tokio::net::lookup_host((host, port)).await;
    let found = found.map_err(|error| Unresolved(format!("{host} has no address: {error}")))?;
    let found: Vec<SocketAddr> = found.collect();
    for address in &found {
        policy.address(address.ip())?;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pack::policy::Refusal;

    #[tokio::test]
    async fn a_name_is_judged_by_what_it_resolves_to() {
        let resolve = |loopback| Guarded(Policy { loopback }).resolve("localhost".parse().unwrap());
        assert!(resolve(false).await.err().unwrap().is::<Refusal>());
        assert!(resolve(true).await.unwrap().all(|address| address.ip().is_loopback()));
    }
}
