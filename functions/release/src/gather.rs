//! Gathers what decisions about services need, for all of them at once.

use std::collections::BTreeMap;

use pipeline::Fault;
use pipeline::ids::{Digest, ReleaseId, Repository, ServiceName};
use pipeline::image::ImageReference;
use pipeline::rows::{LeaseRow, MoveRow, ServiceRow};

use crate::Release;
use crate::answer::Managed;
use crate::book::{Book, ImageKey};
use crate::plan::{self, Candidate, To, Wanted};
use crate::promotion;
use crate::survey::{Survey, Target};
use crate::world::{Containers, Service, World};

/// The moves of a release, by service.
type Moves = BTreeMap<ServiceName, MoveRow>;

/// What a release wants of one service.
enum Meant {
    /// This image.
    Image(ImageKey),
    /// Nothing, and why.
    Not(String),
}

impl<W: World, B: Book> Release<W, B> {
    /// Gathers what decisions about the services of a survey need; those that are not meant stay.
    pub(crate) async fn candidates(
        &self,
        target: Target<'_>,
        wanted: &Wanted,
        survey: &mut Survey,
    ) -> Result<Vec<Candidate>, Fault> {
        let named = |service: &&Service| {
            wanted.services.as_ref().is_none_or(|services| services.contains(&service.name))
        };
        let services: Vec<Service> = survey.services.iter().filter(named).cloned().collect();
        let possible = services.iter().filter(|service| could_be_meant(service, wanted));
        let names: Vec<ServiceName> = possible.map(|service| service.name.clone()).collect();
        let mut rows = self.book.services(target.name, Some(&names)).await?;
        let back = match &wanted.to {
            To::RestorePointsOf(release) => self.moves_of(release).await?,
            _ => Moves::new(),
        };
        let mut candidates = Vec::new();
        for service in services {
            let row = rows.remove(&service.name).unwrap_or_default();
            match meant(&service, &row, wanted, &back) {
                Meant::Image((repository, digest)) => {
                    candidates.extend(self.candidate(service, row, repository, digest, wanted).await?);
                }
                Meant::Not(why) => survey.stays(wanted, &service.name, why),
            }
        }
        if wanted.only_newer {
            candidates = self.newer(target, wanted, candidates, survey).await?;
        }
        self.complete(target, &mut candidates).await?;
        Ok(candidates)
    }

    /// Looks at every service of an environment, and says which could be moved and what blocks the others.
    pub(crate) async fn inspect(
        &self,
        target: Target<'_>,
        wanted: &Wanted,
        survey: &mut Survey,
    ) -> Result<Vec<Managed>, Fault> {
        let candidates = self.candidates(target, wanted, survey).await?;
        let mut blocked: BTreeMap<ServiceName, Managed> = BTreeMap::new();
        for candidate in candidates {
            let (service, why) = (candidate.service.name.clone(), plan::blocker(&candidate));
            let managed =
                Managed { service: service.clone(), repository: Some(candidate.repository), blocked: why };
            blocked.insert(service, managed);
        }
        let foreign = "none of its images is in an ECR repository of this account and region";
        let managed = survey.services.iter().map(|service| {
            blocked.remove(&service.name).unwrap_or_else(|| Managed {
                service: service.name.clone(),
                repository: None,
                blocked: Some(foreign.to_owned()),
            })
        });
        Ok(managed.collect())
    }

    async fn candidate(
        &self,
        service: Service,
        row: ServiceRow,
        repository: Repository,
        digest: Digest,
        wanted: &Wanted,
    ) -> Result<Option<Candidate>, Fault> {
        let containers = plan::containers(&service, wanted, &repository);
        let Some(primary) = service.primary().filter(|_| !containers.is_empty()) else { return Ok(None) };
        let loss = self.world.loss(&primary.task_definition, &containers, &digest).await?;
        let (running, ours) = Default::default();
        Ok(Some(Candidate { service, repository, digest, containers, row, running, loss, ours }))
    }

    /// Leaves out what runs something newer.
    async fn newer(
        &self,
        target: Target<'_>,
        wanted: &Wanted,
        candidates: Vec<Candidate>,
        survey: &mut Survey,
    ) -> Result<Vec<Candidate>, Fault> {
        let Some(from) = &target.environment.from else { return Ok(candidates) };
        let present = |one: &Candidate| Some((one.repository.clone(), plan::verified(one)?.digest.clone()));
        let offered = |one: &Candidate| (one.repository.clone(), one.digest.clone());
        let images: Vec<ImageKey> =
            candidates.iter().flat_map(|one| present(one).into_iter().chain([offered(one)])).collect();
        let evidence = self.book.evidence(from, &images).await?;
        let shown = |image: &ImageKey| evidence.get(image).and_then(|row| row.verified.as_ref());
        let mut newer = Vec::new();
        for one in candidates {
            let before = present(&one).and_then(|image| shown(&image));
            match promotion::older(&one, shown(&offered(&one)), before) {
                Some(why) => survey.stays(wanted, &one.service.name, why),
                None => newer.push(one),
            }
        }
        Ok(newer)
    }

    /// Adds what ECS and other releases say.
    async fn complete(&self, target: Target<'_>, candidates: &mut [Candidate]) -> Result<(), Fault> {
        let unverified = candidates.iter().filter(|one| plan::verified(one).is_none());
        let unverified: Containers =
            unverified.map(|one| (one.service.name.clone(), one.containers.clone())).collect();
        if !unverified.is_empty() {
            let mut running = self.world.running(&target.environment.cluster, &unverified).await?;
            for one in candidates.iter_mut() {
                one.running = running.remove(&one.service.name).unwrap_or_default();
            }
        }
        let rolling: Vec<ServiceName> = candidates
            .iter()
            .filter(|one| !plan::at_rest(&one.service))
            .map(|one| one.service.name.clone())
            .collect();
        if rolling.is_empty() {
            return Ok(());
        }
        let leases = self.book.leases(target.name, &rolling).await?;
        let mut known: BTreeMap<ReleaseId, Moves> = BTreeMap::new();
        for one in candidates.iter_mut().filter(|one| rolling.contains(&one.service.name)) {
            if let Some(last) = one.row.last.as_ref().filter(|last| !known.contains_key(last)) {
                known.insert(last.clone(), self.moves_of(last).await?);
            }
            let last = one.row.last.as_ref().and_then(|last| known.get(last)?.get(&one.service.name));
            one.ours = is_ours(one, target, leases.get(&one.service.name), last);
        }
        Ok(())
    }

    async fn moves_of(&self, release: &ReleaseId) -> Result<Moves, Fault> {
        let moves = self.book.moves(release).await?;
        Ok(moves.into_iter().map(|(_, row)| (row.service.clone(), row)).collect())
    }
}

/// Tells whether what a service runs has anything to do with what is wanted.
fn could_be_meant(service: &Service, wanted: &Wanted) -> bool {
    match &wanted.to {
        To::Images(to) => service.revision.images.iter().any(|(_, image)| to.contains_key(&image.repository)),
        _ => true,
    }
}

/// Returns the image that a service is to run.
fn meant(service: &Service, row: &ServiceRow, wanted: &Wanted, back: &Moves) -> Meant {
    let ours = |image: &&ImageReference| image.registry == wanted.registry && image.region == wanted.region;
    let mut images = service.revision.images.iter().map(|(_, image)| image).filter(ours);
    let found = match &wanted.to {
        To::Images(to) => return wanted_of(images, to),
        To::Previous => row.previous.clone().map(|known| (known.repository, known.digest)),
        // Which digest it is does not matter to whether the service could be moved.
        To::Present => images
            .next()
            .and_then(|image| Some((image.repository.clone(), image.digest.clone().or_else(Digest::any)?))),
        To::RestorePointsOf(_) => back
            .get(&service.name)
            .and_then(|row| Some((row.repository.clone(), row.restore.as_ref()?.digest.clone()))),
    };
    let narrowed =
        found.filter(|(repository, _)| wanted.repository.as_ref().is_none_or(|named| named == repository));
    match (narrowed, &wanted.to) {
        (Some(image), _) => Meant::Image(image),
        (None, To::RestorePointsOf(release)) => {
            Meant::Not(format!("{release} wrote no restore point for it"))
        }
        (None, _) => Meant::Not("nothing was verified before what it runs".to_owned()),
    }
}

/// Returns the one image of a service that is to become another one.
fn wanted_of<'a>(
    images: impl Iterator<Item = &'a ImageReference>,
    to: &BTreeMap<Repository, Digest>,
) -> Meant {
    let mut known: BTreeMap<&Repository, (&Digest, bool)> = BTreeMap::new();
    for image in images {
        if let Some(digest) = to.get(&image.repository) {
            let other = image.digest.as_ref() != Some(digest);
            known.entry(&image.repository).and_modify(|(_, any)| *any |= other).or_insert((digest, other));
        }
    }
    let changed: Vec<_> = known.iter().filter(|(_, (_, other))| *other).collect();
    match (changed.as_slice(), known.first_key_value()) {
        ([(repository, (digest, _))], _) => Meant::Image(((**repository).clone(), (*digest).clone())),
        ([], Some((repository, (digest, _)))) => Meant::Image(((*repository).clone(), (*digest).clone())),
        ([], None) => Meant::Not("no image of its repositories is on offer".to_owned()),
        (several, _) => {
            let names: Vec<&str> = several.iter().map(|(repository, _)| repository.as_str()).collect();
            Meant::Not(format!(
                "a release changes one image of a service, and this one has {}",
                names.join(", ")
            ))
        }
    }
}

/// Tells whether a rollout in progress is that of a release: one that holds the lease, and ends before this one's turn
/// comes, or the last one that held it, if it died.
fn is_ours(
    candidate: &Candidate,
    target: Target<'_>,
    lease: Option<&LeaseRow>,
    last: Option<&MoveRow>,
) -> bool {
    if lease.and_then(|lease| lease.release.as_ref()).is_some_and(|holder| holder != target.release) {
        return true;
    }
    let (Some(primary), Some(row)) = (candidate.service.primary(), last) else { return false };
    // By its revisions as well: it may have died before it noted a deployment, and ECS may be on its way back.
    let restore = row.restore.as_ref().map(|restore| &restore.task_definition);
    let mut ids = [&row.deployment, &row.undo].into_iter().flatten();
    let mut revisions = [row.registered.as_ref(), row.undo_revision.as_ref(), restore].into_iter().flatten();
    ids.any(|id| *id == primary.id) || revisions.any(|one| *one == primary.task_definition)
}
