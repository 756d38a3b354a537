//! Which images a trigger names, and the search for them.

use std::collections::BTreeMap;

use pipeline::Fault;
use pipeline::environment::Environment;
use pipeline::ids::{Digest, Registry, Repository, ServiceName};
use pipeline::image::RepositoryRef;

use super::home::Home;
use super::request::{Mode, Request};
use crate::at_once;
use crate::plan::{ImageSelection, PlanContext, ReleaseSpec, promotion};
use crate::ports::{History, ImageId, Images, Releases};

/// What is asked of an environment: its spec, before anybody has looked for the images.
#[derive(Clone, Debug)]
pub struct ImageRequest {
    /// What is wanted apart from them.
    spec: ReleaseSpec,
    /// The images.
    images: Requested,
}

/// Which images services are to run.
#[derive(Clone, Debug)]
enum Requested {
    /// Those of the spec.
    OfSpec,
    /// These, each by its digest or by a tag.
    Named(BTreeMap<Repository, ImageId>),
    /// What the environment before this one has verified.
    Offered,
}

impl ImageRequest {
    /// Returns what is wanted, as far as it is known before the images are.
    pub fn spec(&self) -> &ReleaseSpec {
        &self.spec
    }

    /// Returns the services that are named.
    pub fn services(&self) -> Option<&[ServiceName]> {
        self.spec.services.as_deref()
    }

    /// Takes what a push asks, its own image, or what the guard does: what ran before.
    pub fn of_push(spec: ReleaseSpec) -> Self {
        ImageRequest { spec, images: Requested::OfSpec }
    }

    /// Takes what a request for a release asks.
    pub fn of_request(request: Request, environment: &Environment, home: Home) -> Self {
        let Request { repository, services, force, reason, promoted_by, .. } = request;
        let (to, images) = match (request.mode, request.images, &repository, request.image) {
            (Mode::Rollback, ..) => {
                let to = request.release.map_or(ImageSelection::Previous, ImageSelection::RestorePointsOf);
                (to, Requested::OfSpec)
            }
            (_, Some(images), ..) => (ImageSelection::Present, Requested::Named(images)),
            (_, None, Some(repository), Some(image)) => {
                (ImageSelection::Present, Requested::Named([(repository.clone(), image)].into()))
            }
            // Of an environment that has none before it, a plan shows what could be moved at all.
            (Mode::Plan, ..) if environment.from.is_none() => (ImageSelection::Present, Requested::OfSpec),
            _ => (ImageSelection::Present, Requested::Offered),
        };
        let only_newer = matches!(images, Requested::Offered) && !force;
        let (registry, region) = (home.account, home.region);
        let spec = ReleaseSpec {
            registry,
            region,
            repository,
            to,
            services,
            only_newer,
            promoted_by,
            alarm: None,
            force,
            reason,
        };
        ImageRequest { spec, images }
    }

    /// Finds the images; or says why they are unknown.
    pub async fn resolve(
        self,
        aws: &impl Images,
        ledger: &(impl History + Releases),
        context: PlanContext<'_>,
    ) -> Result<Result<ReleaseSpec, String>, Fault> {
        let ImageRequest { spec, images } = self;
        let found = match images {
            Requested::OfSpec => {
                return Ok(foreign(ledger, &spec.to, context).await?.map_or(Ok(spec), Err));
            }
            Requested::Named(images) => named(aws, &spec.registry, images).await?,
            Requested::Offered => offered(ledger, spec.repository.as_ref(), context).await?,
        };
        Ok(found.map(|images| ReleaseSpec { to: ImageSelection::Images(images), ..spec }))
    }
}

/// Tells that a release, whose restore points are asked for, is none of this environment.
async fn foreign(
    ledger: &impl Releases,
    to: &ImageSelection,
    context: PlanContext<'_>,
) -> Result<Option<String>, Fault> {
    let ImageSelection::RestorePointsOf(release) = to else { return Ok(None) };
    let name = context.name;
    Ok(match ledger.head(release).await? {
        Some(head) if head.environment == *name => None,
        Some(head) => Some(format!("{release} is a release of {}: expected that", head.environment)),
        None => Some(format!("there is no release {release} in {name}")),
    })
}

/// Looks up what tags name at the moment.
async fn named(
    aws: &impl Images,
    registry: &Registry,
    images: BTreeMap<Repository, ImageId>,
) -> Result<Result<BTreeMap<Repository, Digest>, String>, Fault> {
    let images: Vec<(Repository, ImageId)> = images.into_iter().collect();
    let found = at_once(&images, async |(repository, image)| {
        let tag = match image {
            ImageId::Digest(digest) => return Ok(Ok((repository.clone(), digest.clone()))),
            ImageId::Tag(tag) => tag,
        };
        let source = RepositoryRef { registry: registry.clone(), repository: repository.clone() };
        let found = aws.images(&source, std::slice::from_ref(image)).await?;
        let digest = found.get(tag.as_str()).map(|digest| (repository.clone(), digest.clone()));
        Ok(digest.ok_or_else(|| format!("the image {repository}:{tag} is not in ECR")))
    });
    Ok(found.await?.into_iter().collect())
}

/// Returns what the environment before this one has verified, perhaps of one repository alone.
async fn offered(
    ledger: &impl History,
    repository: Option<&Repository>,
    context: PlanContext<'_>,
) -> Result<Result<BTreeMap<Repository, Digest>, String>, Fault> {
    let Some(from) = &context.environment.from else {
        return Ok(Err(format!(
            "{} has no \"from\": expected \"repository\" and \"image\", or \"images\", in the request",
            context.name
        )));
    };
    let services = ledger.services(from, None).await?;
    let mut offered = promotion::newest(services.values());
    offered.retain(|offer, _| repository.is_none_or(|named| named == offer));
    if offered.is_empty() {
        let what = repository.map_or("nothing", |_| "no image of that repository");
        return Ok(Err(format!("{from} has verified {what} yet: expected a release there first")));
    }
    Ok(Ok(offered))
}
