//! Looks at an environment and plans a release for it; writes nothing.

use std::collections::BTreeMap;

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::document::nearest;
use pipeline::environment::Environment;
use pipeline::ids::{EnvironmentName, ReleaseId, ServiceName};
use pipeline::rows::{FrozenRow, MoveRow, OrderKey};

use crate::Release;
use crate::answer::Untouched;
use crate::book::Book;
use crate::plan::{self, Decision, To, Wanted};
use crate::world::{Service, World};

/// How long ECS needs until it answers as many questions as one look asks.
const BREATH_SECONDS: i64 = 2;

/// How many reasons a refusal gives.
const REASONS: usize = 20;

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
    /// The moment of the look.
    pub now: Timestamp,
}

/// What a look at an environment says about a release.
#[derive(Debug, Default, PartialEq)]
pub struct Survey {
    /// The services that move.
    pub moves: Vec<MoveRow>,
    /// The services that do not, and why.
    pub untouched: Vec<Untouched>,
    /// Why the release may not be; nothing if it may.
    pub refused: Vec<String>,
    /// What a person should know, and what stops nothing.
    pub findings: Vec<String>,
    /// How long to wait before looking again, and why.
    pub early: Option<(i64, String)>,
    /// All services that were looked at.
    pub services: Vec<Service>,
    /// How long their last moves took.
    pub seconds: BTreeMap<ServiceName, u32>,
    /// How many services run the image already.
    pub there: usize,
    /// Of how many services a newer push wants something else.
    pub newer: usize,
}

/// Where a release goes that was looked at.
#[derive(Debug, PartialEq)]
pub enum Way {
    /// On.
    Go,
    /// No service is meant.
    Nothing(String),
    /// All run the image already.
    There(String),
    /// A newer push wants something else of all of them.
    Superseded(String),
    /// At least one may not move.
    Refused(String),
    /// It is too early to say.
    Early(i64, String),
}

impl Survey {
    /// Says where the release goes.
    pub fn way(&self, target: Target<'_>, wanted: &Wanted) -> Way {
        let (cluster, words) = (&target.environment.cluster, wanted.to.words());
        if !self.refused.is_empty() {
            return Way::Refused(some_of(&self.refused));
        }
        if let Some((seconds, why)) = &self.early {
            return Way::Early(*seconds, why.clone());
        }
        match (self.moves.is_empty(), self.newer, self.there) {
            (false, ..) => Way::Go,
            (true, 0, 0) => Way::Nothing(nothing(wanted, cluster)),
            (true, 0, _) => Way::There(format!("every service of {cluster} runs {words} already")),
            (true, ..) => {
                Way::Superseded(format!("a newer push than {words} was accepted for {}", target.name))
            }
        }
    }

    /// Says of a service that it stays, where all services of the environment are meant.
    pub(crate) fn stays(&mut self, wanted: &Wanted, service: &ServiceName, why: String) {
        if wanted.repository.is_none() {
            self.untouched.push(Untouched { service: service.clone(), why });
        }
    }
}

impl<W: World, B: Book> Release<W, B> {
    /// Looks at all services of an environment, or at those named, whatever is wanted of them.
    pub async fn look(&self, target: Target<'_>, named: Option<&[ServiceName]>) -> Result<Survey, Fault> {
        let seen = self.world.services(&target.environment.cluster, named).await?;
        if seen.unread > 0 {
            let why = format!("{} task definitions of {} are still to be read", seen.unread, target.name);
            return Ok(Survey { early: Some((BREATH_SECONDS, why)), ..Survey::default() });
        }
        Ok(Survey { services: seen.services, ..Survey::default() })
    }

    /// Plans what `wanted` means for services as they were seen.
    pub async fn survey(
        &self,
        mut survey: Survey,
        target: Target<'_>,
        wanted: &Wanted,
    ) -> Result<Survey, Fault> {
        let Target { name, environment, order, .. } = target;
        if survey.early.is_some() {
            return Ok(survey);
        }
        for candidate in self.candidates(target, wanted, &mut survey).await? {
            let service = &candidate.service.name;
            survey.seconds.extend(candidate.row.seconds.map(|seconds| (service.clone(), seconds)));
            match plan::decide(&candidate, wanted, name, environment, order) {
                Decision::Move(row) => survey.moves.push(*row),
                Decision::There => {
                    survey.there += 1;
                    survey.stays(wanted, service, format!("it runs {} already", candidate.digest.short()));
                }
                Decision::Superseded => {
                    survey.newer += 1;
                    survey.stays(wanted, service, "a newer push wants something else of it".to_owned());
                }
                Decision::Refused(why) => survey.refused.push(why),
            }
        }
        if !survey.moves.is_empty() {
            self.check_images(target, wanted, &mut survey).await?;
        }
        Ok(survey)
    }

    /// Tells why an environment lets nothing in, if it does not.
    pub(crate) async fn frozen(&self, target: Target<'_>) -> Result<Option<String>, Fault> {
        let name = target.name;
        if target.environment.frozen {
            return Ok(Some(format!("{name} is frozen: expected \"frozen\": false in its document")));
        }
        let frozen = self.book.frozen(name).await?;
        Ok(frozen.map(|FrozenRow { by, because, since, .. }| {
            format!("{name} is frozen since {since} by {by} ({because}): expected a resume")
        }))
    }
}

/// Says the first few reasons, and counts the others: a cause has a size.
fn some_of(reasons: &[String]) -> String {
    let said = reasons.get(..REASONS).unwrap_or(reasons).join("; ");
    match reasons.len().saturating_sub(REASONS) {
        0 => said,
        more => format!("{said}; and {more} more"),
    }
}

/// Says why no service is meant.
fn nothing(wanted: &Wanted, cluster: &str) -> String {
    match &wanted.to {
        To::Images(_) if wanted.only_newer => format!("no service of {cluster} has a newer verified image"),
        To::Images(images) => {
            let names: Vec<&str> = images.keys().map(|repository| repository.as_str()).collect();
            format!("no service of {cluster} runs an image of {}", names.join(", "))
        }
        To::RestorePointsOf(release) => {
            format!("{release} wrote no restore point for a service of {cluster}")
        }
        To::Previous | To::Present => {
            format!("nothing was verified before what the services of {cluster} run")
        }
    }
}

/// Names a service that was asked for and that the cluster does not have.
pub(crate) fn unknown_service(
    services: &[Service],
    named: Option<&[ServiceName]>,
    cluster: &str,
) -> Option<String> {
    let names: Vec<&str> = services.iter().map(|service| service.name.as_str()).collect();
    let unknown = named.into_iter().flatten().find(|named| !names.contains(&named.as_str()))?;
    let meant =
        nearest(unknown.as_str(), names.iter().copied()).map(|name| format!("; did you mean {name:?}?"));
    Some(format!("{cluster} has no service {:?}{}", unknown.as_str(), meant.unwrap_or_default()))
}
