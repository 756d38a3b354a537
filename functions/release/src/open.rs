//! Opens a release: from the raw input of an execution to an accepted plan, or to the reason why there is none.

use std::collections::{BTreeMap, BTreeSet};

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::environment::{Approval, Environment, Environments, Promote};
use pipeline::ids::{Registry, Repository};
use pipeline::rows::{HeadRow, MoveRow};

use crate::answer::{Opened, Opening, Planned, SHOWN};
use crate::book::Book;
use crate::case::Case;
use crate::plan::{self, To, Wanted};
use crate::request::Mode;
use crate::survey::{Survey, Target};
use crate::trigger::{self, Trigger};
use crate::world::{Source, World};
use crate::{Open, Release, Run};

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
        let target = Target { name: &name, environment, order: &order, release: &run.release };
        if wanted.to == To::Present {
            return self.manageable(target, &wanted).await;
        }
        let moves = match self.moves(target, &wanted, asked).await? {
            Ok(moves) => moves,
            Err((next, why)) => return Ok(Opened::without_plan(next, Some(&name), why)),
        };
        let opened = opened(&moves, target, &wanted);
        if mode == Mode::Plan {
            return Ok(Opened { next: Opening::Planned, ..opened });
        }
        self.write_down(target, &wanted, moves, now).await?;
        Ok(opened)
    }

    /// Says which services of an environment could be moved at all.
    async fn manageable(&self, target: Target<'_>, wanted: &Wanted) -> Result<Opened, Fault> {
        let services = self.inspect(target, wanted).await?;
        let free = services.iter().filter(|one| one.blocked.is_none()).count();
        let because = format!("{free} of {} could be moved", plural(services.len(), "service"));
        let planned = Opened::without_plan(Opening::Planned, Some(target.name), because);
        Ok(Opened { services: services.into_iter().take(SHOWN).collect(), ..planned })
    }

    /// Plans; or says where the release ends, and why.  Whoever asked is refused where a push is ignored.
    async fn moves(
        &self,
        target: Target<'_>,
        wanted: &Wanted,
        asked: bool,
    ) -> Result<Result<Vec<MoveRow>, (Opening, String)>, Fault> {
        let moves = match self.survey(target, wanted, None).await? {
            Survey::Moves(moves) => moves,
            Survey::Refused(why) => return Ok(Err((Opening::Refused, why))),
            Survey::Nothing(why) if asked => return Ok(Err((Opening::Refused, why))),
            Survey::There(why) if asked => {
                return Ok(Err((Opening::Refused, format!("{why}; \"force\" goes on"))));
            }
            Survey::Nothing(why) | Survey::There(why) | Survey::Superseded(why) => {
                return Ok(Err((Opening::Ignored, why)));
            }
        };
        let immovable = self.immovable(&moves).await?;
        Ok(immovable.map_or(Ok(moves), |why| Err((Opening::Refused, why))))
    }

    /// Writes an accepted plan down: its place among the pushes, and the head of the release.
    async fn write_down(
        &self,
        target: Target<'_>,
        wanted: &Wanted,
        moves: Vec<MoveRow>,
        now: Timestamp,
    ) -> Result<(), Fault> {
        for one in &moves {
            self.book.order(target.name, &one.service, target.order).await?;
        }
        let head = HeadRow {
            environment: target.name.clone(),
            policy: target.environment.clone(),
            request: serde_json::to_value(wanted).map_err(|error| Fault::Defect(error.to_string()))?,
            order: target.order.clone(),
            opened: now,
            plan: plan::hash(&moves),
            services: moves.into_iter().map(|one| one.service).collect(),
            undo: None,
            outcome: None,
            fates: BTreeMap::new(),
        };
        self.book.open(target.release, &head).await
    }

    /// Tells which tag could not be moved: before anything is written, and not when half of it is.
    async fn immovable(&self, moves: &[MoveRow]) -> Result<Option<String>, Fault> {
        let sources: BTreeSet<(&Registry, &Repository)> =
            moves.iter().map(|row| (&row.registry, &row.repository)).collect();
        for (registry, repository) in sources {
            let source = Source { registry: registry.clone(), repository: repository.clone() };
            let mutability = self.world.mutability(&source).await?;
            let tags = moves.iter().filter(|row| row.repository == *repository).map(|row| row.tag.as_str());
            // What is behind the prefix of a keep-tag does not matter to a filter for all of them.
            if let Some(tag) = tags.chain(["tidegate.any"]).find(|tag| !mutability.moves(tag)) {
                let filter = if tag == "tidegate.any" { "tidegate.*" } else { tag };
                return Ok(Some(format!(
                    "the tags {filter} of {repository} are immutable: expected the exclusion filters {} and tidegate.*",
                    moves.first().map_or("", |row| row.tag.as_str())
                )));
            }
        }
        Ok(None)
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

/// Says what would happen, and where an accepted release goes.
fn opened(moves: &[MoveRow], target: Target<'_>, wanted: &Wanted) -> Opened {
    let environment = target.environment;
    let plan = planned(moves.to_vec(), environment);
    let because = format!(
        "{} in {}: {} to {}; on failure: {}",
        plural(moves.len(), "service"),
        environment.cluster,
        plan.first().and_then(|one| one.from.as_ref()).map_or("nothing", |from| from.short()),
        wanted.to.words(),
        plan::on_failure(environment)
    );
    let next = match environment.approval {
        Approval::Required => Opening::AskApproval,
        Approval::None => Opening::TakeLeases,
    };
    let approval_minutes = environment.approval_minutes;
    Opened { approval_minutes, plan, ..Opened::without_plan(next, Some(target.name), because) }
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
