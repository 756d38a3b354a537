//! Which environment a trigger is about, its policy, and its place among the releases.  Pure.

use pipeline::clock::Timestamp;
use pipeline::environment::{Environment, Environments};
use pipeline::ids::EnvironmentName;
use pipeline::rows::{Finding, OrderKey};

use super::images::ImageRequest;
use super::push::Push;
use crate::answer::Opening;
use crate::plan::words::did_you_mean;
use crate::plan::{ImageSelection, ReleaseSpec};

/// What a trigger asks for, once its environment is known.
pub struct ReleaseIntent {
    /// The environment.
    pub name: EnvironmentName,
    /// Its policy.
    pub policy: Policy,
    /// What is asked of it.
    pub images: ImageRequest,
    /// Its place among the releases.
    pub order: OrderKey,
    /// Whether a plan is all that is asked for.
    pub plans: bool,
    /// Whether a person asked: then nothing to do is a refusal, and not silence.
    pub asked: bool,
}

/// What the documents say about the environment that a release moves.
pub struct Policy {
    /// What its own document says.
    pub environment: Environment,
    /// What was found in the documents.
    pub findings: Vec<Finding>,
}

impl ReleaseIntent {
    /// Takes what a push asks of an environment: its own image.
    pub fn of_push(name: &EnvironmentName, policy: Policy, push: Push, started: Timestamp) -> Self {
        let order = OrderKey::new(push.time, started, Some(&push.digest));
        let spec = ReleaseSpec {
            registry: push.registry,
            region: push.region,
            to: ImageSelection::Images([(push.repository.clone(), push.digest)].into()),
            repository: Some(push.repository),
            services: None,
            only_newer: false,
            promoted_by: None,
            alarm: None,
            force: false,
            reason: None,
        };
        let images = ImageRequest::of_push(spec);
        ReleaseIntent { name: name.clone(), policy, images, order, plans: false, asked: false }
    }
}

/// Returns the policy of an environment; or says why nothing can be done by it.
///
/// A mistake in the documents stops what goes forward.  It never stops a rollback, which goes by what is right.
pub fn policy(
    name: &EnvironmentName,
    environments: &Environments,
    is_rollback: bool,
) -> Result<Policy, String> {
    let found = match is_rollback {
        true => environments.get_for_rollback(name),
        false => environments.get(name),
    };
    let environment = match found {
        Ok(Some(environment)) => environment.clone(),
        Ok(None) => return Err(unknown_environment(name, environments)),
        Err(fault) => return Err(fault.to_string()),
    };
    let mut findings: Vec<Finding> = environment.warnings().into_iter().map(Finding::warns).collect();
    if let Err(fault) = environments.get(name) {
        let why = format!("the rollback goes by what is right in its document: {fault}");
        findings.push(Finding::warns(why));
    }
    let kind = if is_rollback { Finding::warns } else { Finding::refuses };
    findings.extend(environments.sharing(name).map(kind));
    Ok(Policy { environment, findings })
}

/// Returns the one environment that a push is for; otherwise where its release ends, and why.
pub fn taken_by<'a>(push: &Push, environments: &'a Environments) -> Taken<'a> {
    let takers: Vec<_> =
        environments.good().filter(|(_, environment)| environment.takes(&push.tag)).collect();
    match takers[..] {
        [taker] => Ok(taker),
        [] => {
            let unread: Vec<String> = unread(environments).collect();
            // A push is silent where nobody wants it, and not where nobody can tell.
            let next = if unread.is_empty() { Opening::Ignored } else { Opening::Refused };
            let tried: Vec<String> =
                environments.good().map(|(name, one)| takes(name, one)).chain(unread).collect();
            let tried = if tried.is_empty() { "there are none".to_owned() } else { tried.join("; ") };
            let why = format!("no environment takes the tag {} of {}: {tried}", push.tag, push.repository);
            Err((next, why))
        }
        _ => {
            let names: Vec<&str> = takers.iter().map(|(name, _)| name.as_str()).collect();
            let why =
                format!("the tag {} is taken by {}: expected one environment", push.tag, names.join(" and "));
            Err((Opening::Refused, why))
        }
    }
}

/// Who takes a push; otherwise where its release ends, and why.
pub type Taken<'a> = Result<(&'a EnvironmentName, &'a Environment), (Opening, String)>;

/// Returns the environments whose own tag a push may be: where nobody takes it, those of which the tag is unknown.
pub fn may_have_written(push: &Push, taken: &Taken<'_>, environments: &Environments) -> Vec<EnvironmentName> {
    match taken {
        Ok((name, environment)) if environment.tag == push.tag => vec![(*name).clone()],
        Ok(_) => Vec::new(),
        Err(_) => environments.broken().filter_map(|(name, _)| EnvironmentName::parse(name).ok()).collect(),
    }
}

/// Says which tags an environment takes.
fn takes(name: &EnvironmentName, environment: &Environment) -> String {
    let tags = [vec![environment.tag.to_string()], environment.deploy_on.clone()].concat();
    format!("{name} takes {}", tags.join(", "))
}

/// Names the documents that cannot be read: whether one of them takes a push is unknown.
pub fn unread(environments: &Environments) -> impl Iterator<Item = String> {
    environments.broken().map(|(name, fault)| format!("what {name} takes is unknown: {fault}"))
}

/// Says that an environment does not exist, and which do.
pub fn unknown_environment(name: &EnvironmentName, environments: &Environments) -> String {
    let names: Vec<&str> = environments.names().collect();
    let meant = did_you_mean(name.as_str(), names.iter().copied());
    let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    format!("there is no environment {:?}: expected one of {known}{meant}", name.as_str())
}
