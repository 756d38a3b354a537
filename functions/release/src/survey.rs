//! Looks at an environment and plans a release for it; writes nothing.

use std::collections::BTreeSet;

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::document::nearest;
use pipeline::environment::Environment;
use pipeline::ids::{Digest, EnvironmentName, ReleaseId, ServiceName};
use pipeline::rows::{MoveRow, OrderKey};

use crate::Release;
use crate::book::Book;
use crate::plan::{self, Candidate, Decision, Wanted};
use crate::request::Image;
use crate::world::{Service, Source, World};

/// What a look at an environment says about a release.
#[derive(Debug, PartialEq)]
pub enum Survey {
    /// These services move.
    Moves(Vec<MoveRow>),
    /// None has to, and why.
    Nothing(String),
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
        if environment.frozen || self.book.frozen(name).await? {
            return Ok(Survey::Refused(format!("{name} is frozen: expected \"frozen\": false and a resume")));
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
        if moves.is_empty() {
            let (image, cluster) = (wanted.digest.short(), &environment.cluster);
            return Ok(match (newer, there) {
                (0, 0) => {
                    Survey::Nothing(format!("no service of {cluster} runs an image of {}", wanted.repository))
                }
                (0, _) => Survey::Nothing(format!("every service of {cluster} runs {image} already")),
                _ => Survey::Superseded(format!("a newer push than {image} was accepted for {name}")),
            });
        }
        Ok(match self.missing_image(wanted, &moves).await? {
            Some(why) => Survey::Refused(why),
            None => Survey::Moves(moves),
        })
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
        let containers = plan::containers(&service, wanted);
        let (Some(primary), false) = (service.primary(), containers.is_empty()) else { return Ok(None) };
        let row = self.book.service(target.name, &service.name).await?;
        let revision = self.world.revision(&primary.task_definition).await?;
        let loss = self.world.loss(&primary.task_definition, &containers, &wanted.digest).await?;
        let running = match row.verified {
            Some(_) => Default::default(),
            None => self.world.running(&target.environment.cluster, &service, &containers).await?,
        };
        // A rollout of a release that holds the lease ends before this one's turn comes.
        let held =
            !plan::at_rest(&service) && self.book.held(target.name, &service.name, target.release).await?;
        Ok(Some(Candidate { service, containers, row, running, revision, loss, held }))
    }

    /// Tells which image is not in ECR: the one to deploy, or one to go back to.
    async fn missing_image(&self, wanted: &Wanted, moves: &[MoveRow]) -> Result<Option<String>, Fault> {
        let back = moves.iter().filter_map(|one| one.restore.as_ref()).map(|restore| &restore.digest);
        let digests: BTreeSet<&Digest> = back.chain([&wanted.digest]).collect();
        let source = Source { registry: wanted.registry.clone(), repository: wanted.repository.clone() };
        let images: Vec<Image> = digests.iter().map(|digest| Image::Digest((*digest).clone())).collect();
        let found = self.world.images(&source, &images).await?;
        let missing = digests.into_iter().find(|digest| !found.contains_key(digest.as_str()));
        Ok(missing.map(|digest| match *digest == wanted.digest {
            true => format!("the image {}@{digest} is not in ECR", wanted.repository),
            false => {
                format!("no known good version to return to: {}@{digest} is gone from ECR", wanted.repository)
            }
        }))
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

/// Returns the order key of a push, or of a request that was made at `time`.
pub fn order(time: Timestamp, digest: &Digest) -> OrderKey {
    OrderKey::new(time, Some(digest))
}
