//! Which services a release is about.

mod containers;
mod image;

#[cfg(test)]
mod tests;

pub use containers::containers;
pub use image::{Moves, no_restore_point};

use pipeline::ids::{Digest, PackHash, Repository, ServiceName, Tag};
use pipeline::rows::{LeaseRow, MoveRow, ServiceRow, VerifiedImage};

use super::spec::{ImageSelection, PlanContext, ReleaseSpec};
use crate::ports::{ClusterSnapshot, Digests, Index, Service, TaskImages};
use containers::{reported, repositories, runs};
use image::image;

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
    /// The move of the last release, if that brought what it runs and has not verified it, or could not go back to
    /// anything else either.
    pub left: Option<Box<MoveRow>>,
    /// The service deployment that a release which died has left open.
    pub open_shift: Option<String>,
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
    pub fn verified(&self) -> Option<&VerifiedImage> {
        self.row.verified(&self.repository)
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
    pub fn previous(&self) -> Option<&VerifiedImage> {
        self.row.before(&self.repository)
    }

    /// Returns the live tests that the image which it is to run has passed here, if they were kept.
    pub fn passed(&self) -> Option<&PackHash> {
        let facts = self.row.facts(&self.repository);
        facts.into_iter().find(|fact| fact.digest == self.digest)?.pack.as_ref()
    }

    /// Returns the move that has left the service with an image, pinned and unverified.
    pub fn left_with(&self, digest: &Digest) -> Option<&MoveRow> {
        let left = self.left.as_deref().filter(|left| left.touched.is_some())?;
        let primary =
            self.service.primary().filter(|one| Some(&one.task_definition) == left.registered.as_ref());
        let mut images = self.service.revision.images.iter();
        let pinned = images.all(|(container, image)| {
            !self.containers.contains(container) || image.digest.as_ref() == Some(digest)
        });
        (primary.is_some() && pinned).then_some(left)
    }

    /// Tells whether the service runs an image, as far as its revision or its tasks say so.
    pub fn runs(&self, digest: &Digest) -> bool {
        runs(&self.service, &self.containers, &self.running, digest)
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

/// Names the services that a release could be about.
pub fn possible(seen: &ClusterSnapshot, spec: &ReleaseSpec) -> Vec<ServiceName> {
    let services = seen.services.iter();
    let possible = services.filter(|service| is_named(&service.name, spec) && could_be_meant(service, spec));
    possible.map(|service| service.name.clone()).collect()
}

/// Tells whether a request names a service, or names none.
pub fn is_named(service: &ServiceName, spec: &ReleaseSpec) -> bool {
    spec.services.as_ref().is_none_or(|services| services.contains(service))
}

/// Tells whether only the tasks of a service can say which image of ours it runs: nobody has verified one of them, or
/// its revision neither is the one that was verified nor pins what was.
pub fn needs_tasks(service: &Service, row: &ServiceRow, spec: &ReleaseSpec) -> bool {
    let Some(primary) = service.primary() else { return false };
    let said = |repository: &Repository| {
        row.verified(repository).is_some_and(|fact| {
            let containers = containers(service, spec, repository);
            fact.task_definition == primary.task_definition
                || runs(service, &containers, &Digests::default(), &fact.digest)
        })
    };
    let mut ours = repositories(service, spec).into_iter();
    ours.any(|repository| !said(repository))
}

/// Says what a release wants of a service; `back` has the moves of the release whose restore points are wanted.
pub fn meant(
    service: &Service,
    row: ServiceRow,
    tasks: &TaskImages,
    spec: &ReleaseSpec,
    back: &Moves,
) -> Meant {
    let (repository, digest) = match image(service, &row, tasks, spec, back) {
        Ok(image) => image,
        Err(why) => return Meant::Not(service.name.clone(), why),
    };
    let containers = containers(service, spec, &repository);
    if containers.is_empty() || service.primary().is_none() {
        return Meant::Foreign;
    }
    let running = reported(tasks, &containers);
    let (service, loss, ours, left) = (service.clone(), None, false, None);
    Meant::Candidate(Box::new(Candidate {
        service,
        repository,
        digest,
        containers,
        row,
        running,
        loss,
        ours,
        left,
        open_shift: None,
    }))
}

/// Tells whether nobody has verified the revision of a service that a release has had before.
pub fn is_doubtful(service: &Service, row: &ServiceRow) -> bool {
    let Some(primary) = service.primary() else { return false };
    row.last.is_some() && row.of_revision(&primary.task_definition).is_none()
}

/// Tells whether such a revision is what the last release brought, or found and could not go back to either.
pub fn is_unproven(service: &Service, last: Option<&MoveRow>) -> bool {
    let (Some(primary), Some(row)) = (service.primary(), last) else { return false };
    let restores = row.restore.as_ref().map(|restore| &restore.task_definition);
    let found =
        row.touched.is_none() && row.running == primary.task_definition && restores != Some(&row.running);
    found || row.registered.as_ref() == Some(&primary.task_definition)
}

/// Tells whether another release holds the lease of a service.
pub fn is_held_by_another(context: PlanContext<'_>, lease: Option<&LeaseRow>) -> bool {
    lease.and_then(|lease| lease.release.as_ref()).is_some_and(|holder| holder != context.release)
}

/// Tells whether a rollout in progress is that of a release: one that holds the lease, and ends before this one's turn
/// comes, or the last one that held it, if it died.
pub fn is_ours(
    service: &Service,
    context: PlanContext<'_>,
    lease: Option<&LeaseRow>,
    last: Option<&MoveRow>,
) -> bool {
    if is_held_by_another(context, lease) {
        return true;
    }
    let (Some(primary), Some(row)) = (service.primary(), last) else { return false };
    // By its revisions as well: it may have died before it noted a deployment, and ECS may be rolling it back.
    let restore = row.restore.as_ref().map(|restore| &restore.task_definition);
    // What it was to replace as well: that was ours, or it would not have been let in.
    let mut ids = [row.deployment.as_ref(), row.rollback_deployment.as_ref(), Some(&row.replaces)]
        .into_iter()
        .flatten();
    let mut revisions =
        [row.registered.as_ref(), row.rollback_revision.as_ref(), restore].into_iter().flatten();
    ids.any(|id| *id == primary.id) || revisions.any(|one| *one == primary.task_definition)
}
