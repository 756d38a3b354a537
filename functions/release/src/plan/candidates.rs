//! Which services a release is about, and the image that each is to run.

use std::collections::BTreeMap;

use pipeline::ids::{Digest, PackHash, ReleaseId, Repository, ServiceName, Tag};
use pipeline::image::ImageReference;
use pipeline::rows::{LeaseRow, MoveRow, RestorePoint, ServiceRow, VerifiedImage};

use super::spec::{ImageSelection, PlanContext, ReleaseSpec};
use crate::ports::{Digests, ImageKey, Index, Service, TaskImages};

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

/// Tells whether containers of a service run an image: all of them are pinned to it, or all their tasks report it.
fn runs(service: &Service, containers: &[String], running: &Digests, digest: &Digest) -> bool {
    let mut images = service.revision.images.iter().filter(|(container, _)| containers.contains(container));
    let pinned = images.all(|(_, image)| image.digest.as_ref() == Some(digest));
    let reported = !running.unknown && running.seen.len() == 1 && running.seen.contains(digest);
    pinned || reported
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
    let (service, loss, ours) = (service.clone(), None, false);
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

/// Returns what the tasks of a service report for some of its containers.
fn reported(tasks: &TaskImages, containers: &[String]) -> Digests {
    let mut all = Digests::default();
    for digests in containers.iter().filter_map(|container| tasks.get(container)) {
        all.seen.extend(digests.seen.iter().cloned());
        all.unknown |= digests.unknown;
    }
    all
}

/// Returns the image that a service is to run.
fn image(
    service: &Service,
    row: &ServiceRow,
    tasks: &TaskImages,
    spec: &ReleaseSpec,
    back: &Moves,
) -> Result<ImageKey, String> {
    let ours = |image: &&ImageReference| image.registry == spec.registry && image.region == spec.region;
    let mut images = service.revision.images.iter().map(|(_, image)| image).filter(ours);
    match &spec.to {
        ImageSelection::Images(to) => chosen(images, to),
        ImageSelection::Previous => before(service, row, tasks, spec)
            .map(|fact| (fact.repository.clone(), fact.digest.clone()))
            .ok_or_else(|| "no version was verified before the one that it runs".to_owned()),
        // Which digest it is does not matter to whether the service could be moved.
        ImageSelection::Present => images
            .find(|image| is_meant(&image.repository, spec))
            .and_then(|image| Some((image.repository.clone(), image.digest.clone().or_else(Digest::any)?)))
            .ok_or_else(|| "the request names no image of its repositories".to_owned()),
        ImageSelection::RestorePointsOf(release) => {
            let row_of = back.get(&service.name).filter(|old| is_meant(&old.repository, spec));
            let restore = row_of.and_then(|old| Some((old, old.restore.as_ref()?)));
            let (old, restore) = restore.ok_or_else(|| no_restore_point(release))?;
            if old.touched.is_none() {
                return Err(format!("{release} has not updated it"));
            }
            match verified_since(row, old, restore, release).filter(|_| !spec.force) {
                Some(by) => Err(format!(
                    "{by} has verified it since: set \"force\" and \"reason\" to roll back to {} all the same",
                    restore.digest.short()
                )),
                None => Ok((old.repository.clone(), restore.digest.clone())),
            }
        }
    }
}

/// Says that a release has nothing to do with a service.
pub fn no_restore_point(release: &ReleaseId) -> String {
    format!("{release} wrote no restore point for it")
}

/// Tells whether a repository is asked for.
fn is_meant(repository: &Repository, spec: &ReleaseSpec) -> bool {
    spec.repository.as_ref().is_none_or(|named| named == repository)
}

/// Returns the repositories of a service that are asked for, each once.
fn repositories<'a>(service: &'a Service, spec: &ReleaseSpec) -> Vec<&'a Repository> {
    let images = service.revision.images.iter().map(|(_, image)| image);
    let ours = images.filter(|image| image.registry == spec.registry && image.region == spec.region);
    let mut names: Vec<&Repository> = ours.map(|image| &image.repository).collect();
    names.retain(|repository| is_meant(repository, spec));
    names.sort();
    names.dedup();
    names
}

/// Returns what a rollback goes back to: what was verified if something else runs, otherwise what was before it.
///
/// Of several repositories it is the one that changed last.
fn before<'a>(
    service: &Service,
    row: &'a ServiceRow,
    tasks: &TaskImages,
    spec: &ReleaseSpec,
) -> Option<&'a VerifiedImage> {
    let mut changed: Vec<&VerifiedImage> =
        repositories(service, spec).into_iter().filter_map(|repository| row.verified(repository)).collect();
    changed.sort_by_key(|fact| std::cmp::Reverse(fact.since));
    changed.into_iter().find_map(|verified| {
        let containers = containers(service, spec, &verified.repository);
        let primary = service.primary()?;
        let there = primary.task_definition == verified.task_definition
            || runs(service, &containers, &reported(tasks, &containers), &verified.digest);
        if there { row.before(&verified.repository) } else { Some(verified) }
    })
}

/// Names the release that has verified a service since another one wrote a restore point, if one has.
fn verified_since(
    row: &ServiceRow,
    old: &MoveRow,
    restore: &RestorePoint,
    release: &ReleaseId,
) -> Option<String> {
    let newest = row.verified(&old.repository)?;
    let is_restore = newest.digest == restore.digest && newest.task_definition == restore.task_definition;
    if is_restore || newest.release.as_ref() == Some(release) {
        return None;
    }
    Some(newest.release.as_ref().map_or_else(|| "somebody".to_owned(), ToString::to_string))
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
        ([], None) => Err("no image of its repositories is offered for promotion".to_owned()),
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
    // What it was to replace as well: that was ours, or it would not have been let in.
    let mut ids = [row.deployment.as_ref(), row.rollback_deployment.as_ref(), Some(&row.replaces)]
        .into_iter()
        .flatten();
    let mut revisions =
        [row.registered.as_ref(), row.rollback_revision.as_ref(), restore].into_iter().flatten();
    ids.any(|id| *id == primary.id) || revisions.any(|one| *one == primary.task_definition)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::{candidate, digest, known, release, row, spec};

    /// What a request of the mode `rollback` wants of a service.
    fn wanted(
        service: &Service,
        row: &ServiceRow,
        to: &ImageSelection,
        back: &Moves,
    ) -> Result<Digest, String> {
        let spec = ReleaseSpec { to: to.clone(), ..spec() };
        match meant(service, row.clone(), &TaskImages::new(), &spec, back) {
            Meant::Candidate(candidate) => Ok(candidate.digest),
            Meant::Not(_, why) => Err(why),
            Meant::Foreign => Err("it is foreign".to_owned()),
        }
    }

    fn verified(letter: char, before: char) -> ServiceRow {
        let fact = |letter, seconds: i64| {
            let since = pipeline::clock::Timestamp::from_millis(seconds * 1000);
            VerifiedImage { since, ..known(letter) }
        };
        ServiceRow { history: vec![fact(letter, 2), fact(before, 1)], ..ServiceRow::default() }
    }

    #[test]
    fn a_rollback_of_what_nobody_verified_goes_to_what_was_verified() {
        let history = verified('b', 'a');
        let runs = |letter: char| {
            let mut service = candidate(&format!("@{}", digest(letter))).service;
            service.deployments[0].task_definition = pipeline::ids::TaskDefinitionArn::parse(
                "arn:aws:ecs:eu-west-1:123456789012:task-definition/users:9",
            )
            .unwrap();
            service
        };
        let to = |letter| wanted(&runs(letter), &history, &ImageSelection::Previous, &Moves::new());
        assert_eq!(to('b'), Ok(digest('a')), "it runs what was verified, under another revision");
        assert_eq!(to('c'), Ok(digest('b')), "somebody deployed it by hand");
    }

    #[test]
    fn what_was_verified_since_stays_when_an_older_release_is_to_go_back() {
        let service = candidate(&format!("@{}", digest('b'))).service;
        let touched = Some(pipeline::clock::Timestamp::from_millis(0));
        let old = MoveRow { touched, ..row("users") };
        let restore = old.restore.clone().unwrap();
        let back: Moves = [(service.name.clone(), old)].into();
        let dead = ImageSelection::RestorePointsOf(release("r0"));
        let of = |row: &ServiceRow| wanted(&service, row, &dead, &back);
        assert_eq!(of(&ServiceRow::default()), Ok(digest('a')));
        let same = VerifiedImage { task_definition: restore.task_definition, release: None, ..known('a') };
        assert_eq!(of(&ServiceRow { verified: Some(same), ..ServiceRow::default() }), Ok(digest('a')));
        let idle: Moves = [(service.name.clone(), row("users"))].into();
        let not = wanted(&service, &ServiceRow::default(), &dead, &idle);
        assert_eq!(not, Err("r0 has not updated it".to_owned()));
        let its_own = VerifiedImage { release: Some(release("r0")), ..known('b') };
        assert_eq!(of(&ServiceRow { verified: Some(its_own), ..ServiceRow::default() }), Ok(digest('a')));
        let newer = VerifiedImage { release: Some(release("r5")), ..known('d') };
        assert_eq!(
            of(&ServiceRow { verified: Some(newer), ..ServiceRow::default() }),
            Err("r5 has verified it since: set \"force\" and \"reason\" to roll back to aaaaaaaaaaaa all the same".to_owned())
        );
    }

    #[test]
    fn what_a_release_was_to_replace_is_ours_as_what_it_deployed_is() {
        use pipeline::clock::Timestamp;
        use pipeline::ids::EnvironmentName;
        use pipeline::rows::OrderKey;
        let (service, environment) = (candidate(":main-1").service, crate::plan::tests::environment());
        let (name, order) = (
            EnvironmentName::parse("dev").unwrap(),
            OrderKey::new(Timestamp::from_millis(1), Timestamp::from_millis(1), None),
        );
        let (release, now) = (release("r2"), Timestamp::from_millis(9));
        let context =
            PlanContext { name: &name, environment: &environment, order: &order, release: &release, now };
        assert!(
            is_ours(&service, context, None, Some(&row("users"))),
            "it failed before it changed anything"
        );
        let other = MoveRow {
            replaces: pipeline::ids::DeploymentId::parse("ecs-svc/9").unwrap(),
            restore: None,
            ..row("users")
        };
        assert!(!is_ours(&service, context, None, Some(&other)));
    }
}
