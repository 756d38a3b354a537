//! Opens a release: from the raw input of an execution to an accepted plan, or to the reason why there is none.

use std::collections::BTreeSet;

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::environment::{Approval, Environment, Environments, Promote};
use pipeline::ids::{Registry, Repository};
use pipeline::rows::{HeadRow, MoveRow};

use crate::answer::{Opened, Opening, Planned, SHOWN};
use crate::book::Book;
use crate::case::Case;
use crate::plan::{self, To};
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
        let answer = |next, why| Ok(Opened::without_plan(next, Some(&name), why));
        let target = Target { name: &name, environment, order: &order, release: &run.release };
        if wanted.to == To::Present {
            let services = self.inspect(target, &wanted).await?;
            let free = services.iter().filter(|one| one.blocked.is_none()).count();
            let because = format!("{free} of {} could be moved", plural(services.len(), "service"));
            let planned = Opened::without_plan(Opening::Planned, Some(&name), because);
            return Ok(Opened { services: services.into_iter().take(SHOWN).collect(), ..planned });
        }
        let moves = match self.survey(target, &wanted, None).await? {
            Survey::Refused(why) => return answer(Opening::Refused, why),
            Survey::Nothing(why) if asked => return answer(Opening::Refused, why),
            Survey::There(why) if asked => {
                return answer(Opening::Refused, format!("{why}; \"force\" goes on"));
            }
            Survey::Nothing(why) | Survey::There(why) | Survey::Superseded(why) => {
                return answer(Opening::Ignored, why);
            }
            Survey::Moves(moves) => moves,
        };
        if let Some(why) = self.immovable(&moves).await? {
            return answer(Opening::Refused, why);
        }
        let plan = planned(moves.clone(), environment);
        let because = format!(
            "{} in {}: {} to {}; on failure: {}",
            plural(moves.len(), "service"),
            environment.cluster,
            plan.first().and_then(|one| one.from.as_ref()).map_or("nothing", |from| from.short()),
            wanted.to.words(),
            plan::on_failure(environment)
        );
        let approval_minutes = environment.approval_minutes;
        let opened = |next| Opened {
            next,
            because,
            environment: name.to_string(),
            approval_minutes,
            plan,
            services: Vec::new(),
        };
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

    /// Tells which tag could not be moved: before anything is written, and not when half of it is.
    async fn immovable(&self, moves: &[MoveRow]) -> Result<Option<String>, Fault> {
        let sources: BTreeSet<(&Registry, &Repository)> =
            moves.iter().map(|row| (&row.registry, &row.repository)).collect();
        for (registry, repository) in sources {
            let source = Source { registry: registry.clone(), repository: repository.clone() };
            let mutability = self.world.mutability(&source).await?;
            let tags = moves.iter().filter(|row| row.repository == *repository).map(|row| row.tag.as_str());
            // What is behind the prefix of a keep-tag does not matter to a filter for all of them.
            if let Some(tag) = tags.chain(["tidegate.x"]).find(|tag| !mutability.moves(tag)) {
                let tag = tag.trim_end_matches('x');
                return Ok(Some(format!(
                    "the tags {tag}{} of {repository} are immutable: expected the exclusion filters {} and tidegate.*",
                    if tag.ends_with('.') { "*" } else { "" },
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
