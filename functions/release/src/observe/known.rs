//! Reads what the ledger knows of the services and the images that a release is about, in one call.

use std::collections::BTreeMap;

use futures_util::future::try_join3;
use pipeline::Fault;
use pipeline::ids::ServiceName;
use pipeline::rows::ServiceRow;

use crate::plan::gates::{Evidence, asks_for_evidence};
use crate::plan::{ImageSelection, PlanContext, ReleaseSpec};
use crate::ports::{History, ImageKey};

/// What the ledger knows.
#[derive(Debug, Default)]
pub struct Known {
    /// What services run and have run; nothing of a service at first.
    pub services: BTreeMap<ServiceName, ServiceRow>,
    /// What the images have shown that are named, here and in the environment before.
    pub evidence: (Evidence, Evidence),
}

/// Reads what is known of services, and of the images that are wanted for them.
pub async fn known(
    ledger: &impl History,
    context: PlanContext<'_>,
    spec: &ReleaseSpec,
    services: &[ServiceName],
) -> Result<Known, Fault> {
    let images: Vec<ImageKey> = match &spec.to {
        ImageSelection::Images(to) if asks_for_evidence(spec) => {
            to.iter().map(|(repository, digest)| (repository.clone(), digest.clone())).collect()
        }
        _ => Vec::new(),
    };
    let there = async {
        match &context.environment.from {
            Some(from) => ledger.evidence(from, &images).await,
            None => Ok(Evidence::new()),
        }
    };
    let (services, here, there) = try_join3(
        ledger.services(context.name, Some(services)),
        ledger.evidence(context.name, &images),
        there,
    )
    .await?;
    Ok(Known { services, evidence: (here, there) })
}
