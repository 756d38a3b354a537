//! What is asked of an environment, and the images that it means.

use std::collections::BTreeMap;

use pipeline::Fault;
use pipeline::environment::Environment;
use pipeline::ids::{Digest, Registry, Repository, ServiceName};

use crate::book::Book;
use crate::case::Home;
use crate::plan::{To, Wanted};
use crate::request::{Image, Mode, Request};
use crate::survey::Target;
use crate::world::{Source, World};
use crate::{Release, at_once};

/// What is asked of an environment: [`Wanted`], before anybody has looked for the images.
pub(crate) struct Asks {
    /// What is wanted apart from them.
    wanted: Wanted,
    /// The images.
    images: Images,
}

/// Which images services are to run.
enum Images {
    /// Those of what is wanted.
    Wanted,
    /// These, each by its digest or by a tag.
    Named(BTreeMap<Repository, Image>),
    /// What the environment before this one has verified.
    Offered,
}

impl Asks {
    /// Returns the services that are named.
    pub(crate) fn services(&self) -> Option<&[ServiceName]> {
        self.wanted.services.as_deref()
    }

    /// Takes what a push asks: its own image.
    pub(crate) fn of_push(wanted: Wanted) -> Self {
        Asks { wanted, images: Images::Wanted }
    }

    /// Takes what a request for a release asks.
    pub(crate) fn of_request(request: Request, environment: &Environment, home: Home) -> Self {
        let Request { repository, services, force, reason, promoted_by, .. } = request;
        let (to, images) = match (request.mode, request.images, &repository, request.image) {
            (Mode::Rollback, ..) => {
                (request.release.map_or(To::Previous, To::RestorePointsOf), Images::Wanted)
            }
            (_, Some(images), ..) => (To::Present, Images::Named(images)),
            (_, None, Some(repository), Some(image)) => {
                (To::Present, Images::Named([(repository.clone(), image)].into()))
            }
            // Of an environment that has none before it, a plan shows what could be moved at all.
            (Mode::Plan, ..) if environment.from.is_none() => (To::Present, Images::Wanted),
            _ => (To::Present, Images::Offered),
        };
        let only_newer = matches!(images, Images::Offered) && !force;
        let (registry, region) = (home.account, home.region);
        let wanted =
            Wanted { registry, region, repository, to, services, only_newer, promoted_by, force, reason };
        Asks { wanted, images }
    }
}

impl<W: World, B: Book> Release<W, B> {
    /// Finds the images that are asked for; or says why they are unknown.
    pub(crate) async fn resolve(
        &self,
        Asks { wanted, images }: Asks,
        target: Target<'_>,
    ) -> Result<Result<Wanted, String>, Fault> {
        let found = match images {
            Images::Wanted => {
                return Ok(self.foreign(&wanted.to, target).await?.map_or(Ok(wanted), Err));
            }
            Images::Named(images) => self.named(&wanted.registry, images).await?,
            Images::Offered => self.offered(wanted.repository.as_ref(), target).await?,
        };
        Ok(found.map(|images| Wanted { to: To::Images(images), ..wanted }))
    }

    /// Tells that a release, whose restore points are asked for, is none of this environment.
    async fn foreign(&self, to: &To, target: Target<'_>) -> Result<Option<String>, Fault> {
        let To::RestorePointsOf(release) = to else { return Ok(None) };
        let name = target.name;
        Ok(match self.book.head(release).await? {
            Some(head) if head.environment == *name => None,
            Some(head) => Some(format!("{release} is a release of {}: expected that", head.environment)),
            None => Some(format!("there is no release {release} in {name}")),
        })
    }

    /// Looks up what tags name at the moment.
    async fn named(
        &self,
        registry: &Registry,
        images: BTreeMap<Repository, Image>,
    ) -> Result<Result<BTreeMap<Repository, Digest>, String>, Fault> {
        let images: Vec<(Repository, Image)> = images.into_iter().collect();
        let found = at_once(&images, async |(repository, image)| {
            let tag = match image {
                Image::Digest(digest) => return Ok(Ok((repository.clone(), digest.clone()))),
                Image::Tag(tag) => tag,
            };
            let source = Source { registry: registry.clone(), repository: repository.clone() };
            let found = self.world.images(&source, std::slice::from_ref(image)).await?;
            let digest = found.get(tag.as_str()).map(|digest| (repository.clone(), digest.clone()));
            Ok(digest.ok_or_else(|| format!("the image {repository}:{tag} is not in ECR")))
        });
        Ok(found.await?.into_iter().collect())
    }

    /// Returns what the environment before this one has verified, perhaps of one repository alone.
    async fn offered(
        &self,
        repository: Option<&Repository>,
        target: Target<'_>,
    ) -> Result<Result<BTreeMap<Repository, Digest>, String>, Fault> {
        let Some(from) = &target.environment.from else {
            return Ok(Err(format!(
                "{} has no \"from\": expected \"repository\" and \"image\", or \"images\", in the request",
                target.name
            )));
        };
        let mut offered = self.verified_in(from).await?;
        offered.retain(|offer, _| repository.is_none_or(|named| named == offer));
        if offered.is_empty() {
            let what = repository.map_or("nothing", |_| "no image of that repository");
            return Ok(Err(format!("{from} has verified {what} yet: expected a release there first")));
        }
        Ok(Ok(offered))
    }
}
