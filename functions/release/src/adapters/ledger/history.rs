//! What services run and have run, verified, and what images have shown.

use std::collections::BTreeMap;

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::ids::{EnvironmentName, Repository, ServiceName};
use pipeline::ledger::{Key, Ledger, Write, placeholder};
use pipeline::rows::{
    Evidence, EvidenceRow, MoveRow, OrderKey, Quarantine, ServiceRow, VerifiedImage, hold_key,
    holds_before_key, order_key,
};
use serde_json::{Map, Value, json};

use super::Rows;
use crate::at_once;
use crate::plan::history;
use crate::ports::{History, ImageKey, Proof, Proven};

impl History for Ledger {
    async fn services(
        &self,
        environment: &EnvironmentName,
        named: Option<&[ServiceName]>,
    ) -> Result<BTreeMap<ServiceName, ServiceRow>, Fault> {
        self.of_services(environment, "service#", named).await
    }

    async fn evidence(
        &self,
        environment: &EnvironmentName,
        images: &[ImageKey],
    ) -> Result<BTreeMap<ImageKey, EvidenceRow>, Fault> {
        let key = |(repository, digest): &ImageKey| Key::evidence(repository, digest, environment);
        let keys: Vec<Key> = images.iter().map(key).collect();
        let mut rows = self.get_all(&keys).await?;
        let mut found = BTreeMap::new();
        for image in images {
            found.extend(rows.remove(&key(image)).map(|row| (image.clone(), row)));
        }
        Ok(found)
    }

    async fn order(
        &self,
        environment: &EnvironmentName,
        places: &[(&ServiceName, &Repository)],
        key: &OrderKey,
    ) -> Result<(), Fault> {
        self.write_each(self::places(environment, places, key)).await
    }

    async fn adopt(&self, row: &MoveRow, known: &ServiceRow, now: Timestamp) -> Result<(), Fault> {
        let Some(met) = history::met(row, known, now) else { return Ok(()) };
        carry_order(self, row, known).await?;
        let key = Key::service(&row.environment, &row.service);
        let fields = Value::Object(facts(known, &met, row.fence));
        self.set(&key, fields, Some((NO_LATER_LEASE, json!({})))).await?;
        Ok(())
    }

    async fn verified(&self, proofs: &[Proof<'_>]) -> Result<(), Fault> {
        at_once(proofs, async |proof| carry_order(self, proof.row, &proof.known).await).await?;
        let rows: Vec<Vec<Write>> =
            proofs.iter().map(|proof| verified(proof).into_iter().collect()).collect();
        let (mut kept, held) = (Vec::new(), self.write_groups(&rows).await?);
        for (proof, held) in proofs.iter().zip(held) {
            match held {
                true => kept.push(proof.clone()),
                false => tracing::warn!(
                    "{} was written under a later lease: what the release has shown is not kept",
                    proof.row.service
                ),
            }
        }
        // What was shown to a later holder counts for nothing, so this comes after it.
        self.write_each(shown(&kept)).await
    }

    async fn quarantine(&self, row: &MoveRow, why: &Quarantine) -> Result<(), Fault> {
        let key = Key::evidence(&row.repository, &row.digest, &row.environment);
        self.set(&key, json!({"quarantine": why}), None).await?;
        Ok(())
    }

    async fn revoke(
        &self,
        environment: &EnvironmentName,
        (repository, digest): &ImageKey,
    ) -> Result<(), Fault> {
        self.set(&Key::evidence(repository, digest, environment), json!({"verified": null}), None).await?;
        Ok(())
    }
}

/// Notes the newest push that was accepted for services; a newer one stays.
pub(super) fn places(
    environment: &EnvironmentName,
    places: &[(&ServiceName, &Repository)],
    key: &OrderKey,
) -> Vec<Write> {
    let newer = |(service, repository): &(&ServiceName, &Repository)| {
        let name = order_key(repository);
        let placeholder = placeholder(&name);
        let newer = format!("attribute_not_exists(#{placeholder}) OR #{placeholder} <= :{placeholder}");
        Write::set(Key::service(environment, service), json!({name: key})).when((&newer, json!({})))
    };
    places.iter().map(newer).collect()
}

/// Writes down what the service of a move runs, verified.
pub(super) fn verified(Proof { row, known, proven, .. }: &Proof<'_>) -> Option<Write> {
    let Proven { fact, hold, .. } = proven;
    fact.release.as_ref()?;
    // One that was left there by another release is only tested.
    let took = row.touched.max(row.leased).map(|began| fact.since.seconds_since(began).max(1));
    let mut fields = facts(known, fact, row.fence);
    fields.insert("seconds".to_owned(), json!(took));
    let holds = known.holds_with(fact, hold.as_ref());
    if holds != known.holds(&fact.repository) {
        let (newest, before) = (holds.first(), holds.get(1..).unwrap_or_default());
        fields.insert(hold_key(&fact.repository), json!(newest));
        fields.insert(holds_before_key(&fact.repository), json!(before));
        fields.insert("hold".to_owned(), json!(newest));
    }
    let service = Key::service(&row.environment, &row.service);
    Some(Write::set(service, Value::Object(fields)).when((NO_LATER_LEASE, json!({}))))
}

/// Writes down what the images of moves have shown, each once: several services may run it.
pub(super) fn shown(proofs: &[Proof<'_>]) -> Vec<Write> {
    let mut images: BTreeMap<Key, Map<String, Value>> = BTreeMap::new();
    for Proof { row, proven, .. } in proofs {
        let Proven { fact, evidence, ends_quarantine, .. } = proven;
        let image = Key::evidence(&row.repository, &row.digest, &row.environment);
        let shown = images.entry(image).or_default();
        if let (true, Some(release)) = (evidence, fact.release.clone()) {
            let evidence = Evidence { release, since: fact.since, commit: fact.commit.clone() };
            shown.insert("verified".to_owned(), json!(evidence));
        }
        if *ends_quarantine {
            shown.insert("quarantine".to_owned(), Value::Null);
        }
    }
    let images = images.into_iter().filter(|(_, shown)| !shown.is_empty());
    images.map(|(image, shown)| Write::set(image, Value::Object(shown))).collect()
}

/// Tells whether the newest push of a service still has the place that an older version gave it.
pub(super) fn is_carried(Proof { row, known, .. }: &Proof<'_>) -> bool {
    known.carried(&row.repository).is_some_and(|other| known.order(other).is_some())
}

/// Gives the newest push that an older version accepted its place among those of its own repository.
async fn carry_order(ledger: &Ledger, row: &MoveRow, known: &ServiceRow) -> Result<(), Fault> {
    let other = known.carried(&row.repository);
    match other.and_then(|other| Some((other, known.order(other)?))) {
        // A newer one stays.
        Some((other, order)) => ledger.order(&row.environment, &[(&row.service, other)], &order).await,
        None => Ok(()),
    }
}

/// Holds as long as no later holder of the lease has written the history of a service.
const NO_LATER_LEASE: &str = "attribute_not_exists(#fence) OR #fence <= :fence";

/// Returns the fields of a history with one more fact, those of older versions among them.
fn facts(known: &ServiceRow, fact: &VerifiedImage, fence: u64) -> Map<String, Value> {
    let history = known.with(fact);
    let next = ServiceRow { history, ..ServiceRow::default() };
    let (verified, previous) = (next.verified(&fact.repository), next.before(&fact.repository));
    let fields = [
        ("verified".to_owned(), json!(verified)),
        ("previous".to_owned(), json!(previous)),
        ("history".to_owned(), json!(next.history)),
        ("fence".to_owned(), json!(fence)),
    ];
    let carried = known
        .carried(&fact.repository)
        .and_then(|other| Some((hold_key(other), json!(known.holds(other).first()?))));
    fields.into_iter().chain(carried).collect()
}
