//! Looks at an environment and plans a release for it; writes nothing.

use std::collections::BTreeSet;

use pipeline::Fault;
use pipeline::document::nearest;
use pipeline::environment::Environment;
use pipeline::ids::{Digest, EnvironmentName, ReleaseId, Repository, ServiceName};
use pipeline::image::ImageReference;
use pipeline::rows::{FrozenRow, MoveRow, OrderKey, Quarantine, ServiceRow};
use pipeline::service::Deployment;

use crate::Release;
use crate::answer::Managed;
use crate::book::Book;
use crate::plan::{self, Candidate, Decision, To, Wanted};
use crate::request::Image;
use crate::world::{Service, Source, World};

/// What a look at an environment says about a release.
#[derive(Debug, PartialEq)]
pub enum Survey {
    /// These services move.
    Moves(Vec<MoveRow>),
    /// None is meant, and why.
    Nothing(String),
    /// All run the image already.
    There(String),
    /// A newer push wants something else of all of them.
    Superseded(String),
    /// At least one may not, and why.
    Refused(String),
}

/// The environment that a release moves, and its place among the releases.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// Its name.
    pub name: &'a EnvironmentName,
    /// Its policy.
    pub environment: &'a Environment,
    /// The release's order key.
    pub order: &'a OrderKey,
    /// The release.
    pub release: &'a ReleaseId,
}

impl<W: World, B: Book> Release<W, B> {
    /// Plans what `wanted` means for an environment as it is now; looks at all of its services, or at those named.
    pub async fn survey(
        &self,
        target: Target<'_>,
        wanted: &Wanted,
        named: Option<&[ServiceName]>,
    ) -> Result<Survey, Fault> {
        let Target { name, environment, order, .. } = target;
        if environment.frozen {
            return Ok(Survey::Refused(format!(
                "{name} is frozen: expected \"frozen\": false in its document"
            )));
        }
        if let Some(frozen) = self.book.frozen(name).await? {
            let FrozenRow { by, because, since, .. } = frozen;
            let why = format!("{name} is frozen since {since} by {by} ({because}): expected a resume");
            return Ok(Survey::Refused(why));
        }
        let services = self.world.services(&environment.cluster, named).await?;
        if let Some(why) = unknown_service(&services, wanted, &environment.cluster) {
            return Ok(Survey::Refused(why));
        }
        let (mut moves, mut there, mut newer, mut refused) = (Vec::new(), 0, 0, Vec::new());
        for service in services {
            let Some(candidate) = self.candidate(service, target, wanted).await? else { continue };
            match plan::decide(&candidate, wanted, name, environment, order) {
                Decision::Move(row) => moves.push(*row),
                Decision::There => there += 1,
                Decision::Superseded => newer += 1,
                Decision::Refused(why) => refused.push(why),
            }
        }
        if !refused.is_empty() {
            return Ok(Survey::Refused(refused.join("; ")));
        }
        let cluster = &environment.cluster;
        Ok(match (moves.is_empty(), newer, there) {
            (true, 0, 0) => Survey::Nothing(nothing(wanted, cluster)),
            (true, 0, _) => {
                Survey::There(format!("every service of {cluster} runs {} already", wanted.to.words()))
            }
            (true, ..) => {
                Survey::Superseded(format!("a newer push than {} was accepted for {name}", wanted.to.words()))
            }
            (false, ..) => match self.unfit_image(target, wanted, &moves).await? {
                Some(why) => Survey::Refused(why),
                None => Survey::Moves(moves),
            },
        })
    }

    /// Looks at every service of an environment, and says which could be moved and what blocks the others.
    pub async fn inspect(&self, target: Target<'_>, wanted: &Wanted) -> Result<Vec<Managed>, Fault> {
        let mut managed = Vec::new();
        for service in self.world.services(&target.environment.cluster, None).await? {
            let name = service.name.clone();
            managed.push(match self.candidate(service, target, wanted).await? {
                Some(candidate) => {
                    let blocked = plan::blocker(&candidate);
                    Managed { service: name, repository: Some(candidate.repository), blocked }
                }
                None => {
                    let why = "none of its images is in an ECR repository of this account and region";
                    Managed { service: name, repository: None, blocked: Some(why.to_owned()) }
                }
            });
        }
        Ok(managed)
    }

    /// Gathers what a decision about a service needs; none if it is not meant.
    async fn candidate(
        &self,
        service: Service,
        target: Target<'_>,
        wanted: &Wanted,
    ) -> Result<Option<Candidate>, Fault> {
        if wanted.services.as_ref().is_some_and(|named| !named.contains(&service.name)) {
            return Ok(None);
        }
        let row = self.book.service(target.name, &service.name).await?;
        let Some((repository, digest)) = self.image(&service, &row, wanted).await? else { return Ok(None) };
        let containers = plan::containers(&service, wanted, &repository);
        let (Some(primary), false) = (service.primary(), containers.is_empty()) else { return Ok(None) };
        let revision = self.world.revision(&primary.task_definition).await?;
        let loss = self.world.loss(&primary.task_definition, &containers, &digest).await?;
        let running = match row.verified {
            Some(_) => Default::default(),
            None => self.world.running(&target.environment.cluster, &service, &containers).await?,
        };
        let ours = !plan::at_rest(&service) && self.is_ours(target, &service, &row, primary).await?;
        Ok(Some(Candidate { service, repository, digest, containers, row, running, revision, loss, ours }))
    }

    /// Returns the image that a service is to run; none if it is not meant.
    async fn image(
        &self,
        service: &Service,
        row: &ServiceRow,
        wanted: &Wanted,
    ) -> Result<Option<(Repository, Digest)>, Fault> {
        let image = match &wanted.to {
            To::Image(digest) => wanted.repository.clone().map(|repository| (repository, digest.clone())),
            To::Previous => row.previous.clone().map(|known| (known.repository, known.digest)),
            To::Present => {
                let ours = |image: &&ImageReference| {
                    image.registry == wanted.registry && image.region == wanted.region
                };
                let image = service.images.iter().map(|(_, image)| image).find(ours).cloned();
                // Which digest it is does not matter to whether the service could be moved.
                let pinned =
                    |image: ImageReference| Some((image.repository, image.digest.or_else(Digest::any)?));
                image.and_then(pinned)
            }
            To::RestorePointsOf(release) => {
                let row = self.move_of(release, &service.name).await?;
                row.and_then(|row| Some((row.repository, row.restore?.digest)))
            }
        };
        Ok(image.filter(|(repository, _)| wanted.repository.as_ref().is_none_or(|named| named == repository)))
    }

    /// Tells whether a rollout in progress is that of a release: one that holds the lease, and ends before this
    /// one's turn comes, or the last one that held it, if it died.
    async fn is_ours(
        &self,
        target: Target<'_>,
        service: &Service,
        row: &ServiceRow,
        primary: &Deployment,
    ) -> Result<bool, Fault> {
        if self.book.held(target.name, &service.name, target.release).await? {
            return Ok(true);
        }
        let Some(last) = &row.last else { return Ok(false) };
        let Some(row) = self.move_of(last, &service.name).await? else { return Ok(false) };
        // By its revisions as well: it may have died before it noted a deployment, and ECS may be on its way back.
        let restore = row.restore.as_ref().map(|restore| &restore.task_definition);
        let mut ids = [&row.deployment, &row.undo].into_iter().flatten();
        let mut revisions =
            [row.registered.as_ref(), row.undo_revision.as_ref(), restore].into_iter().flatten();
        Ok(ids.any(|id| *id == primary.id) || revisions.any(|one| *one == primary.task_definition))
    }

    async fn move_of(&self, release: &ReleaseId, service: &ServiceName) -> Result<Option<MoveRow>, Fault> {
        let moves = self.book.moves(release).await?;
        Ok(moves.into_iter().map(|(_, row)| row).find(|row| row.service == *service))
    }

    /// Tells which image is not fit: gone from ECR, or in quarantine.
    async fn unfit_image(
        &self,
        target: Target<'_>,
        wanted: &Wanted,
        moves: &[MoveRow],
    ) -> Result<Option<String>, Fault> {
        let repositories: BTreeSet<&Repository> = moves.iter().map(|row| &row.repository).collect();
        for repository in repositories {
            let moves = || moves.iter().filter(|row| row.repository == *repository);
            let forward: BTreeSet<&Digest> = moves().map(|row| &row.digest).collect();
            let back = moves().filter_map(|row| row.restore.as_ref()).map(|restore| &restore.digest);
            let all: BTreeSet<&Digest> = back.chain(forward.iter().copied()).collect();
            let source = Source { registry: wanted.registry.clone(), repository: repository.clone() };
            let images: Vec<Image> = all.iter().map(|digest| Image::Digest((*digest).clone())).collect();
            let found = self.world.images(&source, &images).await?;
            if let Some(digest) = all.into_iter().find(|digest| !found.contains_key(digest.as_str())) {
                return Ok(Some(match forward.contains(digest) {
                    true => format!("the image {repository}@{digest} is not in ECR"),
                    false => {
                        format!("no known good version to return to: {repository}@{digest} is gone from ECR")
                    }
                }));
            }
            for digest in forward.into_iter().filter(|_| !wanted.force) {
                if let Some(Quarantine { release, since, reason }) =
                    self.book.quarantine(target.name, repository, digest).await?
                {
                    let image = digest.short();
                    return Ok(Some(format!(
                        "{image} is in quarantine since {since}, by {release}: {reason}"
                    )));
                }
            }
        }
        Ok(None)
    }
}

/// Says why no service is meant.
fn nothing(wanted: &Wanted, cluster: &str) -> String {
    match (&wanted.to, &wanted.repository) {
        (To::Image(_), Some(repository)) => format!("no service of {cluster} runs an image of {repository}"),
        (To::RestorePointsOf(release), _) => {
            format!("{release} wrote no restore point for a service of {cluster}")
        }
        _ => format!("nothing was verified before what the services of {cluster} run"),
    }
}

/// Names a service that was asked for and that the cluster does not have.
fn unknown_service(services: &[Service], wanted: &Wanted, cluster: &str) -> Option<String> {
    let names: Vec<&str> = services.iter().map(|service| service.name.as_str()).collect();
    let unknown = wanted.services.iter().flatten().find(|named| !names.contains(&named.as_str()))?;
    let meant =
        nearest(unknown.as_str(), names.iter().copied()).map(|name| format!("; did you mean {name:?}?"));
    Some(format!("{cluster} has no service {:?}{}", unknown.as_str(), meant.unwrap_or_default()))
}
