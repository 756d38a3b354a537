//! Which services a release is about, and the image that each is to run.

use std::collections::BTreeMap;

use pipeline::ids::{Digest, Repository, ServiceName, Tag};
use pipeline::image::ImageReference;
use pipeline::rows::{Known, LeaseRow, MoveRow, ServiceRow};

use super::spec::{ImageSelection, PlanContext, ReleaseSpec};
use crate::ports::{Digests, ImageKey, Index, Service};

/// The moves of a release, by service.
pub type Moves = BTreeMap<ServiceName, MoveRow>;

/// A service that a release is about, and all that a decision about it needs.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The service.
    pub service: Service,
    /// The repository of the image that it is to run.
    pub repository: Repository,
    /// That image.
    pub digest: Digest,
    /// The containers whose image comes from the repository.
    pub containers: Vec<String>,
    /// What the ledger knows of it.
    pub row: ServiceRow,
    /// What its running tasks report.
    pub running: Digests,
    /// What a copy of its revision would lose.
    pub loss: Option<String>,
    /// Whether the rollout in progress, if there is one, is that of a release that ends before this one's turn
    /// comes, or has ended already.
    pub ours: bool,
}

/// What a release wants of one service.
pub enum Meant {
    /// This one, of which ECS and other releases have not been asked yet.
    Candidate(Box<Candidate>),
    /// Nothing, and why.
    Not(ServiceName, String),
    /// Nothing: it has no container of ours.
    Foreign,
}

impl Candidate {
    /// Returns what was verified of the image that is to change: a service may run images of several repositories.
    pub fn verified(&self) -> Option<&Known> {
        self.row.verified.as_ref().filter(|known| known.repository == self.repository)
    }

    /// Returns the tag by which a service names the image that its tasks report, if nobody has verified it.
    pub fn adopted_by(&self) -> Option<&Tag> {
        let mut images = self.service.revision.images.iter();
        let (_, image) = images.find(|(container, _)| self.containers.contains(container))?;
        let single = self.running.seen.len() == 1 && !self.running.unknown;
        image.tag.as_ref().filter(|_| single && image.digest.is_none() && self.verified().is_none())
    }

    /// Takes the index for what runs if tasks report an image of it: the index was deployed, and ECS may tell either.
    pub fn see_in(&mut self, index: &Index) {
        if self.running.seen.iter().any(|digest| index.images.contains(digest)) {
            self.running.seen = [index.digest.clone()].into();
        }
    }

    /// Returns what was verified before it.
    pub fn previous(&self) -> Option<&Known> {
        self.row.previous.as_ref().filter(|known| known.repository == self.repository)
    }
}

/// Tells whether what a service runs has anything to do with what is wanted.
pub fn could_be_meant(service: &Service, spec: &ReleaseSpec) -> bool {
    match &spec.to {
        ImageSelection::Images(to) => {
            service.revision.images.iter().any(|(_, image)| to.contains_key(&image.repository))
        }
        _ => true,
    }
}

/// Tells whether a request names a service, or names none.
pub fn is_named(service: &ServiceName, spec: &ReleaseSpec) -> bool {
    spec.services.as_ref().is_none_or(|services| services.contains(service))
}

/// Says what a release wants of a service; `back` has the moves of the release whose restore points are wanted.
pub fn meant(service: &Service, row: ServiceRow, spec: &ReleaseSpec, back: &Moves) -> Meant {
    let (repository, digest) = match image(service, &row, spec, back) {
        Ok(image) => image,
        Err(why) => return Meant::Not(service.name.clone(), why),
    };
    let containers = containers(service, spec, &repository);
    if containers.is_empty() || service.primary().is_none() {
        return Meant::Foreign;
    }
    let (service, running, loss, ours) = (service.clone(), Digests::default(), None, false);
    Meant::Candidate(Box::new(Candidate {
        service,
        repository,
        digest,
        containers,
        row,
        running,
        loss,
        ours,
    }))
}

/// Returns the image that a service is to run.
fn image(service: &Service, row: &ServiceRow, spec: &ReleaseSpec, back: &Moves) -> Result<ImageKey, String> {
    let ours = |image: &&ImageReference| image.registry == spec.registry && image.region == spec.region;
    let mut images = service.revision.images.iter().map(|(_, image)| image).filter(ours);
    let found = match &spec.to {
        ImageSelection::Images(to) => return chosen(images, to),
        ImageSelection::Previous => row.previous.clone().map(|known| (known.repository, known.digest)),
        // Which digest it is does not matter to whether the service could be moved.
        ImageSelection::Present => images
            .next()
            .and_then(|image| Some((image.repository.clone(), image.digest.clone().or_else(Digest::any)?))),
        ImageSelection::RestorePointsOf(_) => back
            .get(&service.name)
            .and_then(|row| Some((row.repository.clone(), row.restore.as_ref()?.digest.clone()))),
    };
    let narrowed =
        found.filter(|(repository, _)| spec.repository.as_ref().is_none_or(|named| named == repository));
    narrowed.ok_or_else(|| match &spec.to {
        ImageSelection::RestorePointsOf(release) => format!("{release} wrote no restore point for it"),
        _ => "nothing was verified before what it runs".to_owned(),
    })
}

/// Returns the one image of a service that is to become another one.
fn chosen<'a>(
    images: impl Iterator<Item = &'a ImageReference>,
    to: &BTreeMap<Repository, Digest>,
) -> Result<ImageKey, String> {
    let mut known: BTreeMap<&Repository, (&Digest, bool)> = BTreeMap::new();
    for image in images {
        if let Some(digest) = to.get(&image.repository) {
            let other = image.digest.as_ref() != Some(digest);
            known.entry(&image.repository).and_modify(|(_, any)| *any |= other).or_insert((digest, other));
        }
    }
    let changed: Vec<_> = known.iter().filter(|(_, (_, other))| *other).collect();
    match (changed.as_slice(), known.first_key_value()) {
        ([(repository, (digest, _))], _) => Ok(((**repository).clone(), (*digest).clone())),
        ([], Some((repository, (digest, _)))) => Ok(((*repository).clone(), (*digest).clone())),
        ([], None) => Err("no image of its repositories is on offer".to_owned()),
        (several, _) => {
            let names: Vec<&str> = several.iter().map(|(repository, _)| repository.as_str()).collect();
            Err(format!("a release changes one image of a service, and this one has {}", names.join(", ")))
        }
    }
}

/// Returns the containers of a service that the release changes; none if it does not run the repository.
pub fn containers(service: &Service, spec: &ReleaseSpec, repository: &Repository) -> Vec<String> {
    let images = service.revision.images.iter().filter(|(_, image)| {
        image.registry == spec.registry && image.region == spec.region && image.repository == *repository
    });
    images.map(|(container, _)| container.clone()).collect()
}

/// Tells whether a rollout in progress is that of a release: one that holds the lease, and ends before this one's turn
/// comes, or the last one that held it, if it died.
pub fn is_ours(
    service: &Service,
    context: PlanContext<'_>,
    lease: Option<&LeaseRow>,
    last: Option<&MoveRow>,
) -> bool {
    if lease.and_then(|lease| lease.release.as_ref()).is_some_and(|holder| holder != context.release) {
        return true;
    }
    let (Some(primary), Some(row)) = (service.primary(), last) else { return false };
    // By its revisions as well: it may have died before it noted a deployment, and ECS may be on its way back.
    let restore = row.restore.as_ref().map(|restore| &restore.task_definition);
    let mut ids = [&row.deployment, &row.undo].into_iter().flatten();
    let mut revisions = [row.registered.as_ref(), row.undo_revision.as_ref(), restore].into_iter().flatten();
    ids.any(|id| *id == primary.id) || revisions.any(|one| *one == primary.task_definition)
}
