//! Opens a release: from the raw input of an execution to an accepted plan, or to the reason why there is none.

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::document::nearest;
use pipeline::environment::{Approval, Environment, Environments, Promote};
use pipeline::ids::{EnvironmentName, Registry};
use pipeline::rows::{HeadRow, MoveRow, OrderKey, WriteRow};

use crate::answer::{Opened, Opening, Planned, SHOWN};
use crate::book::Book;
use crate::plan::{self, Wanted};
use crate::request::{Image, Mode, Request, Scope};
use crate::survey::{Survey, Target, order};
use crate::trigger::{self, Push, Trigger};
use crate::world::{Source, World};
use crate::{Open, Release, Run};

/// An event of our own tag write bears a time from this many seconds before the write was written down...
const OWN_BEFORE_SECONDS: i64 = 2;
/// ... to this many after it.
const OWN_AFTER_SECONDS: i64 = 15;

/// What a trigger asks for, once its environment is known.
struct Case {
    name: EnvironmentName,
    wanted: Wanted,
    order: OrderKey,
    mode: Mode,
    /// Whether a person asked: then nothing to do is a refusal, and not silence.
    asked: bool,
}

/// Where a run is: its account and region.
struct Home {
    account: Registry,
    region: String,
}

impl<W: World, B: Book> Release<W, B> {
    /// Decides what an execution's input means.
    pub(crate) async fn open(&self, open: Open, now: Timestamp) -> Result<Opened, Fault> {
        let environments = self.world.environments().await?;
        let trigger = match trigger::read(open.input) {
            Err(Fault::InvalidInput(why)) => return Ok(Opened::without_plan(Opening::Refused, None, why)),
            read => read?,
        };
        let case = match trigger {
            Trigger::Nothing(why) => return Ok(Opened::without_plan(Opening::Ignored, None, why)),
            Trigger::Push(push) => self.case_of_push(push, &open.run, &environments, now).await?,
            Trigger::Request(request) => {
                self.case_of_request(*request, &open.run, &environments, now).await?
            }
        };
        match case {
            Ok(case) => self.accept(case, &open.run, &environments, now).await,
            Err(answer) => Ok(answer),
        }
    }

    async fn case_of_push(
        &self,
        push: Push,
        run: &Run,
        environments: &Environments,
        now: Timestamp,
    ) -> Result<Result<Case, Opened>, Fault> {
        let (name, environment) = match taken_by(&push, environments) {
            Ok(taken) => taken,
            Err(answer) => return Ok(Err(answer)),
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
        let order = order(push.time, &push.digest);
        let wanted = Wanted {
            registry: push.registry,
            region: home(run)?.region,
            repository: push.repository,
            digest: push.digest,
            services: None,
            force: false,
            reason: None,
        };
        Ok(Ok(Case { name: name.clone(), wanted, order, mode: Mode::Deploy, asked: false }))
    }

    async fn case_of_request(
        &self,
        request: Request,
        run: &Run,
        environments: &Environments,
        now: Timestamp,
    ) -> Result<Result<Case, Opened>, Fault> {
        let name = request.environment;
        let refused = |why: String| Ok(Err(Opened::without_plan(Opening::Refused, Some(&name), why)));
        let Some(environment) = environments.get(&name) else {
            return refused(unknown_environment(&name, environments));
        };
        if !matches!(request.mode, Mode::Deploy | Mode::Plan) {
            return Err(Fault::NotSupported(format!("the mode {:?} of a request", request.mode)));
        }
        let (Some(repository), Some(image)) = (request.repository, request.image) else {
            if environment.from.is_some() {
                return Err(Fault::NotSupported("a request without \"repository\" and \"image\"".to_owned()));
            }
            return refused(format!(
                "{name} has no \"from\": expected \"repository\" and \"image\" in the request"
            ));
        };
        if request.scope == Some(Scope::Cluster) {
            return Err(Fault::NotSupported("the scope \"cluster\" of a request".to_owned()));
        }
        let home = home(run)?;
        let source = Source { registry: home.account, repository };
        let digest = match image {
            Image::Digest(digest) => digest,
            Image::Tag(tag) => {
                let found = self.world.images(&source, &[Image::Tag(tag.clone())]).await?;
                match found.get(tag.as_str()) {
                    Some(digest) => digest.clone(),
                    None => return refused(format!("the image {}:{tag} is not in ECR", source.repository)),
                }
            }
        };
        let order = order(now, &digest);
        let Source { registry, repository } = source;
        let (services, force, reason) = (request.services, request.force, request.reason);
        let wanted = Wanted { registry, region: home.region, repository, digest, services, force, reason };
        Ok(Ok(Case { name, wanted, order, mode: request.mode, asked: true }))
    }

    /// Plans, and writes an accepted plan down.
    async fn accept(
        &self,
        case: Case,
        run: &Run,
        environments: &Environments,
        now: Timestamp,
    ) -> Result<Opened, Fault> {
        let Case { name, wanted, order, mode, asked } = case;
        let Some(environment) = environments.get(&name) else {
            return Err(Fault::NotFound(name.to_string()));
        };
        if let Some(what) = unsupported(environment) {
            return Err(Fault::NotSupported(format!("{what} of the environment {name}")));
        }
        let answer = |next, why| Ok(Opened::without_plan(next, Some(&name), why));
        let target = Target { name: &name, environment, order: &order, release: &run.release };
        let moves = match self.survey(target, &wanted, None).await? {
            Survey::Refused(why) => return answer(Opening::Refused, why),
            Survey::Nothing(why) if asked => {
                return answer(Opening::Refused, format!("{why}; \"force\" goes on"));
            }
            Survey::Nothing(why) | Survey::Superseded(why) => return answer(Opening::Ignored, why),
            Survey::Moves(moves) => moves,
        };
        let plan = planned(moves.clone(), environment);
        let because = format!(
            "{} of {} in {}: {} to {}; on failure: {}",
            plural(moves.len(), "service"),
            wanted.repository,
            environment.cluster,
            plan.first().and_then(|one| one.from.as_ref()).map_or("nothing", |from| from.short()),
            wanted.digest.short(),
            plan::on_failure(environment)
        );
        let approval_minutes = environment.approval_minutes;
        let opened = |next| Opened { next, because, environment: name.to_string(), approval_minutes, plan };
        if mode == Mode::Plan {
            return Ok(opened(Opening::Planned));
        }
        for one in &moves {
            self.book.order(&name, &one.service, &order).await?;
        }
        let head = HeadRow {
            environment: name.clone(),
            policy: environment.clone(),
            request: serde_json::to_value(&wanted).map_err(|error| Fault::Defect(error.to_string()))?,
            order: order.clone(),
            opened: now,
            plan: plan::hash(&moves),
            services: moves.into_iter().map(|one| one.service).collect(),
            undo: None,
            outcome: None,
            token: None,
        };
        self.book.open(&run.release, &head).await?;
        Ok(opened(match environment.approval {
            Approval::Required => Opening::AskApproval,
            Approval::None => Opening::TakeLeases,
        }))
    }
}

/// Returns the one environment that a push is for.
fn taken_by<'a>(
    push: &Push,
    environments: &'a Environments,
) -> Result<(&'a EnvironmentName, &'a Environment), Opened> {
    let takers: Vec<_> =
        environments.iter().filter(|(_, environment)| environment.takes(&push.tag)).collect();
    match takers[..] {
        [taker] => Ok(taker),
        [] => {
            let tried: Vec<String> = environments
                .iter()
                .map(|(name, one)| {
                    format!(
                        "{name} takes {}",
                        [vec![one.tag.to_string()], one.deploy_on.clone()].concat().join(", ")
                    )
                })
                .collect();
            let tried = if tried.is_empty() { "there are none".to_owned() } else { tried.join("; ") };
            let why = format!("no environment takes the tag {} of {}: {tried}", push.tag, push.repository);
            Err(Opened::without_plan(Opening::Ignored, None, why))
        }
        _ => {
            let names: Vec<&str> = takers.iter().map(|(name, _)| name.as_str()).collect();
            let why =
                format!("the tag {} is taken by {}: expected one environment", push.tag, names.join(" and "));
            Err(Opened::without_plan(Opening::Refused, None, why))
        }
    }
}

/// Names a wish of an environment that this version would silently not fulfil.
fn unsupported(environment: &Environment) -> Option<&'static str> {
    match environment {
        Environment { approval: Approval::Required, .. } => Some("\"approval\": \"required\""),
        Environment { promote: Promote::Auto, .. } => Some("\"promote\": \"auto\""),
        _ => None,
    }
}

/// Tells whether a push is the event of a tag that we wrote.
fn is_own(write: &WriteRow, push: &Push) -> bool {
    let after = push.time.millis() - write.time.millis();
    write.digest == push.digest && (-OWN_BEFORE_SECONDS * 1000..=OWN_AFTER_SECONDS * 1000).contains(&after)
}

fn unknown_environment(name: &EnvironmentName, environments: &Environments) -> String {
    let names: Vec<&str> = environments.keys().map(EnvironmentName::as_str).collect();
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

/// Shows a plan, wave by wave.
fn planned(moves: Vec<MoveRow>, environment: &Environment) -> Vec<Planned> {
    let waves = plan::waves(moves, environment).into_iter().enumerate();
    let moves = waves.flat_map(|(wave, moves)| moves.into_iter().map(move |one| (wave, one)));
    let shown = moves.map(|(wave, one)| Planned {
        wave,
        service: one.service,
        containers: one.containers,
        repository: one.repository,
        from: one.restore.map(|restore| restore.digest),
        to: one.digest,
    });
    shown.take(SHOWN).collect()
}

/// Counts in words.
pub(crate) fn plural(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
