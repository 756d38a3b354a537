//! What a person has rolled a service back from: it stays away until somebody insists on it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Oracle;
use crate::fake::{End, Pointed, Service, State};

/// An image that a service is kept from.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The environment, the service, and the repository.
    of: (String, String, String),
    digest: String,
    /// The rollback.
    by: String,
}

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
        let of = (key.0.clone(), key.1.clone(), text("repository").to_owned());
        self.kept_away.retain(|kept| kept.of != of || kept.digest != text("digest"));
        let before = facts().skip(1).find(|other| other["repository"] == fact["repository"]);
        let Some(before) = before.filter(|before| before["digest"] != fact["digest"]) else { return };
        let digest = before["digest"].as_str().unwrap_or_default();
        if fact["how"] == "rolledBack" && is_left(account, release, key, before) {
            self.kept_away.push(Kept { of, digest: digest.to_owned(), by: release.to_owned() });
        }
    }

    /// Sees an older version write, which knows of the last hold alone.
    pub(super) fn knows_one_hold_alone(&mut self) {
        let mut last = BTreeSet::new();
        let newest_first = std::mem::take(&mut self.kept_away).into_iter().rev();
        self.kept_away = newest_first.filter(|kept| last.insert(kept.of.clone())).collect();
    }

    /// Tells from which rollback on a service is kept from an image.
    pub(super) fn is_rolled_back_from(&self, row: &Value) -> Option<String> {
        let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
        let of = (text("environment"), text("service"), text("repository"));
        let mut kept = self.kept_away.iter();
        let Kept { by, .. } = kept.find(|kept| kept.of == of && kept.digest == text("digest"))?;
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
