//! The adapter to SSM, ECS, ECR, CloudWatch and Step Functions.

mod alarms;
mod clusters;
mod executions;
mod images;
mod recent;
mod revisions;

use std::collections::{BTreeMap, BTreeSet};

use aws_config::SdkConfig;
use pack::policy::Policy;
use pipeline::clock::Timestamp;
use pipeline::environment::{self, Environments, ServiceDocuments};
use pipeline::ids::{Digest, Registry, ReleaseId, Repository, ServiceName, Tag};
use pipeline::image::RepositoryRef;
use pipeline::ledger::Ledger;
use pipeline::{Fault, settings};

use crate::plan::PlanContext;
use crate::ports::{
    self, Child, Config, Documents, ImageId, Index, LiveTests, Mutability, Origin, Prober, Scan, Signing,
    StoredImage,
};
use images::Images;
use recent::Recent;
use revisions::Revisions;

/// AWS.
#[derive(Debug)]
pub struct Aws {
    ssm: aws_sdk_ssm::Client,
    ecs: aws_sdk_ecs::Client,
    cloudwatch: aws_sdk_cloudwatch::Client,
    sfn: aws_sdk_sfn::Client,
    images: Images,
    revisions: Revisions,
    recent: Recent,
    roles: Option<Vec<String>>,
    prober: Prober,
}

impl Aws {
    /// Makes the adapter; what it reads once for all goes into the ledger.
    pub fn new(config: &SdkConfig, ledger: Ledger) -> Self {
        let ecs = aws_sdk_ecs::Client::new(config);
        Aws {
            roles: settings::list("TASK_ROLE_ARNS"),
            prober: prober(),
            recent: Recent::default(),
            ssm: aws_sdk_ssm::Client::new(config),
            cloudwatch: aws_sdk_cloudwatch::Client::new(config),
            sfn: aws_sdk_sfn::Client::new(config),
            images: Images::new(aws_sdk_ecr::Client::new(config)),
            revisions: Revisions::new(ecs.clone(), ledger),
            ecs,
        }
    }
}

impl Documents for Aws {
    async fn environments(&self, release: &ReleaseId, now: Timestamp) -> Result<Environments, Fault> {
        let known = self.recent.of(release, now, |recent| recent.environments.clone());
        if let Some(known) = known {
            return Ok(known);
        }
        let read = environment::read_all(&self.ssm).await?;
        self.recent.keep(release, now, |recent| recent.environments = Some(read.clone()));
        Ok(read)
    }
}

impl LiveTests for Aws {
    async fn documents(
        &self,
        PlanContext { name, release, now, .. }: PlanContext<'_>,
        services: &[ServiceName],
    ) -> Result<ServiceDocuments, Fault> {
        let asked = (name.clone(), services.to_vec());
        let known = self.recent.of(release, now, |recent| {
            let (of, read) = recent.services.as_ref()?;
            (*of == asked).then(|| read.clone())
        });
        if let Some(known) = known {
            return Ok(known);
        }
        let read = environment::read_services(&self.ssm, name, services).await?;
        self.recent.keep(release, now, |recent| recent.services = Some((asked, read.clone())));
        Ok(read)
    }

    fn prober(&self) -> Prober {
        self.prober
    }
}

impl ports::Images for Aws {
    async fn images(
        &self,
        from: &RepositoryRef,
        images: &[ImageId],
    ) -> Result<BTreeMap<String, Digest>, Fault> {
        self.images.find(from, images).await
    }

    async fn present(
        &self,
        PlanContext { release, now, .. }: PlanContext<'_>,
        from: &RepositoryRef,
        images: &BTreeSet<&Digest>,
    ) -> Result<BTreeSet<Digest>, Fault> {
        let known = self.recent.of(release, now, |recent| recent.images.get(from).cloned());
        let known = known.unwrap_or_default();
        if images.iter().all(|digest| known.contains(*digest)) {
            return Ok(known);
        }
        let asked: Vec<ImageId> = images.iter().map(|digest| ImageId::Digest((*digest).clone())).collect();
        let found: BTreeSet<Digest> = self.images.find(from, &asked).await?.into_values().collect();
        self.recent.keep(release, now, |recent| {
            recent.images.insert(from.clone(), found.clone());
        });
        Ok(found)
    }

    async fn stored(&self, of: &RepositoryRef) -> Result<Vec<StoredImage>, Fault> {
        self.images.stored(of).await
    }

    async fn index(&self, from: &RepositoryRef, tag: &Tag) -> Result<Option<Index>, Fault> {
        self.images.index(from, tag).await
    }

    async fn origin(&self, from: &RepositoryRef, digest: &Digest) -> Origin {
        self.images.origin(from, digest).await
    }

    async fn mutability(
        &self,
        registry: &Registry,
        of: &[&Repository],
    ) -> Result<BTreeMap<Repository, Mutability>, Fault> {
        self.images.mutability(registry, of).await
    }

    async fn lifecycle(&self, of: &RepositoryRef) -> Result<Option<String>, Fault> {
        self.images.lifecycle(of).await
    }

    async fn children(&self, from: &RepositoryRef, digest: &Digest) -> Result<Vec<Child>, Fault> {
        self.images.children(from, digest).await
    }

    async fn config(&self, from: &RepositoryRef, digest: &Digest) -> Result<Config, Fault> {
        self.images.config(from, digest).await
    }

    async fn scan(&self, from: &RepositoryRef, digest: &Digest) -> Result<Scan, Fault> {
        self.images.scan(from, digest).await
    }

    async fn signings(&self, from: &RepositoryRef, digest: &Digest) -> Result<Vec<Signing>, Fault> {
        self.images.signings(from, digest).await
    }
}

/// Reads from the settings who will ask live tests.
fn prober() -> Prober {
    let policy = Policy::of_settings();
    let outside = settings::optional("HEALTH_TEST_IN_VPC").as_deref() == Some("false");
    // Where everything runs on one machine there is no VPC, and every task can be reached.
    Prober { in_vpc: !outside || policy.loopback, policy }
}
