//! The web of the account in memory: every service answers live tests at `http://<service>.<cluster>.test/`.

use std::time::Duration;

use health_test::probe::{Answer, ProbeResult, Web};
use pack::kind::http::Request;
use pack::policy::Policy;

use crate::fake::Fake;

/// What stands behind the names of services and clusters.
const ZONE: &str = ".test";

/// Asks what runs in the account.
#[derive(Debug)]
pub struct Visitor(pub Fake);

impl Web for Visitor {
    fn policy(&self) -> Policy {
        Policy::default()
    }

    async fn connect(&self, _: &str, _: u16, _: Duration) -> Result<(), String> {
        Ok(())
    }

    async fn ask(&self, request: &Request, _: Duration) -> ProbeResult {
        let host = request.url.trim_start_matches("http://").split('/').next().unwrap_or_default();
        let Some((service, cluster)) = host.strip_suffix(ZONE).and_then(|name| name.split_once('.')) else {
            return ProbeResult::Nothing(format!("{host} has no address"));
        };
        let account = &mut *self.0.open();
        let now = account.now;
        let Some(service) = account.ecs.at(&format!("{cluster}/{service}"), now) else {
            return ProbeResult::Nothing(format!("{host} has no address"));
        };
        let status = if service.answers_well() { 200 } else { 500 };
        ProbeResult::Answer(Answer {
            status,
            headers: vec![],
            body: String::new(),
            cut: false,
            took: Duration::ZERO,
        })
    }
}

/// Returns a pack that asks a service once.
pub fn pack(cluster: &str, service: &str) -> String {
    pack_of(cluster, service, 1)
}

/// Returns a pack with so many checks, each of which asks a service.
pub fn pack_of(cluster: &str, service: &str, checks: usize) -> String {
    let check = |n| {
        let name = if n == 0 { "answers".to_owned() } else { format!("answers {n}") };
        serde_json::json!({"name": name, "http": {"url": format!("http://{service}.{cluster}{ZONE}/")}})
    };
    serde_json::json!({"checks": (0..checks).map(check).collect::<Vec<_>>()}).to_string()
}
