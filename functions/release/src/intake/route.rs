//! Which environment a trigger is about, and its place among the releases.  Pure.

use pipeline::Fault;
use pipeline::environment::{Environment, Environments};
use pipeline::ids::{EnvironmentName, Registry};
use pipeline::rows::OrderKey;

use super::images::ImageRequest;
use super::push::Push;
use crate::answer::Opening;
use crate::payload::Run;
use crate::plan::words::did_you_mean;
use crate::plan::{ImageSelection, ReleaseSpec};

/// What a trigger asks for, once its environment is known.
pub struct ReleaseIntent {
    /// The environment.
    pub name: EnvironmentName,
    /// What is asked of it.
    pub images: ImageRequest,
    /// Its place among the releases.
    pub order: OrderKey,
    /// Whether a plan is all that is asked for.
    pub plans: bool,
    /// Whether a person asked: then nothing to do is a refusal, and not silence.
    pub asked: bool,
}

/// Where a run is.
pub struct Home {
    /// The account.
    pub account: Registry,
    /// The region.
    pub region: String,
}

impl ReleaseIntent {
    /// Takes what a push asks of an environment: its own image.
    pub fn of_push(name: &EnvironmentName, push: Push, region: String) -> Self {
        let order = OrderKey::new(push.time, Some(&push.digest));
        let spec = ReleaseSpec {
            registry: push.registry,
            region,
            to: ImageSelection::Images([(push.repository.clone(), push.digest)].into()),
            repository: Some(push.repository),
            services: None,
            only_newer: false,
            promoted_by: None,
            force: false,
            reason: None,
        };
        let images = ImageRequest::of_push(spec);
        ReleaseIntent { name: name.clone(), images, order, plans: false, asked: false }
    }
}

/// Returns the one environment that a push is for; otherwise where its release ends, and why.
pub fn taken_by<'a>(
    push: &Push,
    environments: &'a Environments,
) -> Result<(&'a EnvironmentName, &'a Environment), (Opening, String)> {
    let takers: Vec<_> =
        environments.iter().filter(|(_, environment)| environment.takes(&push.tag)).collect();
    match takers[..] {
        [taker] => Ok(taker),
        [] => {
            let tried: Vec<String> = environments.iter().map(|(name, one)| takes(name, one)).collect();
            let tried = if tried.is_empty() { "there are none".to_owned() } else { tried.join("; ") };
            let why = format!("no environment takes the tag {} of {}: {tried}", push.tag, push.repository);
            Err((Opening::Ignored, why))
        }
        _ => {
            let names: Vec<&str> = takers.iter().map(|(name, _)| name.as_str()).collect();
            let why =
                format!("the tag {} is taken by {}: expected one environment", push.tag, names.join(" and "));
            Err((Opening::Refused, why))
        }
    }
}

/// Says which tags an environment takes.
fn takes(name: &EnvironmentName, environment: &Environment) -> String {
    let tags = [vec![environment.tag.to_string()], environment.deploy_on.clone()].concat();
    format!("{name} takes {}", tags.join(", "))
}

/// Says that an environment does not exist, and which do.
pub fn unknown_environment(name: &EnvironmentName, environments: &Environments) -> String {
    let names: Vec<&str> = environments.keys().map(EnvironmentName::as_str).collect();
    let meant = did_you_mean(name.as_str(), names.iter().copied());
    let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    format!("there is no environment {:?}: expected one of {known}{meant}", name.as_str())
}

/// Reads the account and the region from the execution's ARN.
pub fn home(run: &Run) -> Result<Home, Fault> {
    let mut parts = run.execution.split(':').skip(3);
    match (parts.next(), parts.next()) {
        (Some(region), Some(account)) => {
            Ok(Home { account: Registry::parse(account)?, region: region.to_owned() })
        }
        _ => Err(Fault::InvalidInput(format!("{:?} is not the ARN of an execution", run.execution))),
    }
}
