//! What a person has rolled a service back from: it stays away until somebody insists on it.

use serde_json::Value;

use super::Oracle;
use crate::fake::{End, Pointed, Service, State};

/// A service of an environment, a repository, and the digest of an image.
pub type Kept = (String, String, String, String);

impl Oracle {
    /// Sees that a service was proven on an image: after a rollback what it ran before is to stay away, and what
    /// somebody has brought back is not.
    pub(super) fn sees_way_back(
        &mut self,
        account: &State,
        release: &str,
        key: &(String, String),
        history: &Value,
    ) {
        let facts = || history.as_array().into_iter().flatten();
        let Some(fact) = facts().next() else { return };
        let text = |key: &str| fact[key].as_str().unwrap_or_default();
        let kept =
            |digest: &str| (key.0.clone(), key.1.clone(), text("repository").to_owned(), digest.to_owned());
        self.kept_away.remove(&kept(text("digest")));
        let before = facts().skip(1).find(|other| other["repository"] == fact["repository"]);
        let Some(before) = before.filter(|before| before["digest"] != fact["digest"]) else { return };
        let digest = before["digest"].as_str().unwrap_or_default();
        if fact["how"] == "rolledBack" && is_left(account, release, key, before) {
            self.kept_away.insert(kept(digest), release.to_owned());
        }
    }

    /// Tells from which rollback on a service is kept from an image.
    pub(super) fn is_rolled_back_from(&self, row: &Value) -> Option<String> {
        let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
        let kept = (text("environment"), text("service"), text("repository"), text("digest"));
        let by = self.kept_away.get(&kept)?;
        Some(format!("{by} has rolled it back from that image, and nobody insists on it"))
    }
}

/// Tells whether a release has pointed a service away from an image that was verified there.
fn is_left(
    account: &State,
    release: &str,
    (environment, service): &(String, String),
    before: &Value,
) -> bool {
    let pk = format!("release#{release}");
    let moves = account.table.list(&pk, "move#");
    let Some((_, row)) = moves.into_iter().find(|(_, row)| row["service"] == service.as_str()) else {
        return false;
    };
    let head = account.table.row(&pk, "head").unwrap_or_default();
    // One that died has verified nothing.
    let of = &head["request"]["to"]["restorePointsOf"];
    let Some(Service { pointed, ends, .. }) = account.ecs.services.get(&format!("{environment}/{service}"))
    else {
        return false;
    };
    let ours = |one: &Pointed| row["deployment"] == one.deployment.as_str();
    let before_ours = pointed.iter().position(ours).and_then(|n| pointed.get(..n));
    // What ECS has sent back did not stay.
    let stays = |one: &&Pointed| !one.digests.iter().any(|digest| ends.get(digest) == Some(&End::SentBack));
    let ran = before_ours.and_then(|before| before.iter().rev().find(stays));
    ran.is_some_and(|ran| ran.digests.iter().any(|digest| before["digest"] == digest.as_str()))
        && (of.is_null() || *of == before["release"])
}
