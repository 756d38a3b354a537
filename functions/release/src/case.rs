//! Finds the environment that a trigger is about, and what it wants of it.

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::document::nearest;
use pipeline::environment::{Environment, Environments};
use pipeline::ids::{EnvironmentName, Registry};
use pipeline::rows::{FrozenRow, OrderKey, WriteRow};

use crate::answer::{Opened, Opening};
use crate::asks::Asks;
use crate::book::Book;
use crate::plan::{To, Wanted};
use crate::request::{Mode, Request};
use crate::trigger::Push;
use crate::world::World;
use crate::{Release, Run};

/// An event of our own tag write bears a time from this many seconds before the write was written down...
const OWN_BEFORE_SECONDS: i64 = 2;
/// ... to this many after it.
const OWN_AFTER_SECONDS: i64 = 15;

/// What a trigger asks for, once its environment is known.
pub(crate) struct Case {
    /// The environment.
    pub(crate) name: EnvironmentName,
    /// Its policy.
    pub(crate) environment: Environment,
    /// What is asked of it.
    pub(crate) asks: Asks,
    /// Its place among the releases.
    pub(crate) order: OrderKey,
    /// What to do.
    pub(crate) mode: Mode,
    /// Whether a person asked: then nothing to do is a refusal, and not silence.
    pub(crate) asked: bool,
    /// What is wrong with documents, where it stops nothing.
    pub(crate) told: Vec<String>,
}

/// Where a run is: its account and region.
pub(crate) struct Home {
    /// The account.
    pub(crate) account: Registry,
    /// The region.
    pub(crate) region: String,
}

impl<W: World, B: Book> Release<W, B> {
    /// Finds the environment that a push is for, unless the push is our own or was delivered before.
    pub(crate) async fn case_of_push(
        &self,
        push: Push,
        run: &Run,
        environments: &Environments,
        now: Timestamp,
    ) -> Result<Result<Case, Opened>, Fault> {
        let (name, environment) = match taken_by(&push, environments) {
            Ok(taken) => taken,
            Err((next, why)) => return Ok(Err(Opened::without_plan(next, None, why))),
        };
        let ignored = |why: String| Ok(Err(Opened::without_plan(Opening::Ignored, Some(name), why)));
        if environment.tag == push.tag {
            let writes = self.book.writes(name, &push.repository).await?;
            if let Some(own) = writes.iter().find(|write| is_own(write, &push)) {
                return ignored(format!(
                    "{} was moved to {} by us, at {}",
                    push.tag,
                    push.digest.short(),
                    own.time
                ));
            }
        }
        if let Some(first) = self.book.claim(&push.event, &run.execution, now).await? {
            return ignored(format!("the event {} was delivered before, to {first}", push.event));
        }
        let order = OrderKey::new(push.time, Some(&push.digest));
        let wanted = Wanted {
            registry: push.registry,
            region: home(run)?.region,
            to: To::Images([(push.repository.clone(), push.digest)].into()),
            repository: Some(push.repository),
            services: None,
            only_newer: false,
            promoted_by: None,
            force: false,
            reason: None,
        };
        let asks = Asks::of_push(wanted);
        Ok(Ok(Case {
            name: name.clone(),
            environment: environment.clone(),
            asks,
            order,
            mode: Mode::Deploy,
            asked: false,
            told: unread(environments).collect(),
        }))
    }

    /// Finds what a request asks for; what needs no release is done at once.
    pub(crate) async fn case_of_request(
        &self,
        request: Request,
        run: &Run,
        environments: &Environments,
        started: Timestamp,
        now: Timestamp,
    ) -> Result<Result<Case, Opened>, Fault> {
        let name = request.environment.clone();
        let mode = request.mode;
        let refused = |why: String| Ok(Err(Opened::refused(mode, Some(&name), why)));
        if !environments.has(&name) {
            return refused(unknown_environment(&name, environments));
        }
        match request.mode {
            Mode::Deploy | Mode::Plan | Mode::Rollback => {}
            Mode::Freeze | Mode::Resume => return Ok(Err(self.freeze(request, run, now).await?)),
            Mode::Approve | Mode::Reject => return Ok(Err(self.answer(&request, run).await?)),
            Mode::Reconcile => {
                return Err(Fault::NotSupported(format!("the mode {:?} of a request", request.mode)));
            }
        }
        let wrong = environments.get(&name).err();
        let found = match request.mode {
            Mode::Rollback => environments.get_for_rollback(&name),
            _ => environments.get(&name),
        };
        let environment = match found {
            Ok(Some(environment)) => environment,
            Ok(None) => return refused(unknown_environment(&name, environments)),
            Err(fault) => return refused(fault.to_string()),
        };
        // What it has verified stands in the ledger: it need not be readable.
        if let Some(from) = environment.from.as_ref().filter(|from| !environments.has(from)) {
            return refused(format!("\"from\" of {name}: {}", unknown_environment(from, environments)));
        }
        let home = home(run)?;
        let order = OrderKey::new(started, None);
        let asked = request.promoted_by.is_none();
        let told = wrong.map(|fault| format!("the rollback goes by what is right in its document: {fault}"));
        Ok(Ok(Case {
            environment: environment.clone(),
            asks: Asks::of_request(request, environment, home),
            name,
            order,
            mode,
            asked,
            told: told.into_iter().collect(),
        }))
    }

    /// Freezes an environment, or lets releases in again.
    async fn freeze(&self, request: Request, run: &Run, now: Timestamp) -> Result<Opened, Fault> {
        let (name, frozen) = (request.environment, request.mode == Mode::Freeze);
        let because = request.reason.unwrap_or_else(|| "on request".to_owned());
        let done = if frozen { "lets no release in from now on" } else { "lets releases in again" };
        let why = format!("{name} {done} ({because})");
        self.book.freeze(&name, &FrozenRow { frozen, by: run.release.clone(), because, since: now }).await?;
        Ok(Opened::without_plan(Opening::Answered, Some(&name), why))
    }
}

/// Returns the one environment that a push is for; otherwise where its release ends, and why.
fn taken_by<'a>(
    push: &Push,
    environments: &'a Environments,
) -> Result<(&'a EnvironmentName, &'a Environment), (Opening, String)> {
    let takers: Vec<_> =
        environments.good().filter(|(_, environment)| environment.takes(&push.tag)).collect();
    match takers[..] {
        [taker] => Ok(taker),
        [] => {
            let tried: Vec<String> = environments
                .good()
                .map(|(name, one)| {
                    format!(
                        "{name} takes {}",
                        [vec![one.tag.to_string()], one.deploy_on.clone()].concat().join(", ")
                    )
                })
                .collect();
            let unread: Vec<String> = unread(environments).collect();
            // A push is silent where nobody wants it, and not where nobody can tell.
            let next = if unread.is_empty() { Opening::Ignored } else { Opening::Refused };
            let tried = [tried, unread].concat();
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

/// Names the documents that cannot be read: whether one of them takes a push is unknown.
fn unread(environments: &Environments) -> impl Iterator<Item = String> {
    environments.broken().map(|(name, fault)| format!("what {name} takes is unknown: {fault}"))
}

/// Tells whether a push is the event of a tag that we wrote.
fn is_own(write: &WriteRow, push: &Push) -> bool {
    let after = push.time.millis() - write.time.millis();
    write.digest == push.digest && (-OWN_BEFORE_SECONDS * 1000..=OWN_AFTER_SECONDS * 1000).contains(&after)
}

fn unknown_environment(name: &EnvironmentName, environments: &Environments) -> String {
    let names: Vec<&str> = environments.names().collect();
    let meant = nearest(name.as_str(), names.iter().copied()).map(|near| format!("; did you mean {near:?}?"));
    let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    format!(
        "there is no environment {:?}: expected one of {known}{}",
        name.as_str(),
        meant.unwrap_or_default()
    )
}

/// Reads the account and the region from the execution's ARN.
fn home(run: &Run) -> Result<Home, Fault> {
    let mut parts = run.execution.split(':').skip(3);
    match (parts.next(), parts.next()) {
        (Some(region), Some(account)) => {
            Ok(Home { account: Registry::parse(account)?, region: region.to_owned() })
        }
        _ => Err(Fault::InvalidInput(format!("{:?} is not the ARN of an execution", run.execution))),
    }
}
