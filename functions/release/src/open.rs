//! Opens a release: from the raw input of an execution to an accepted plan, or to the reason why there is none.

use std::collections::{BTreeMap, BTreeSet};

use pipeline::Fault;
use pipeline::clock::Timestamp;
use pipeline::environment::Approval;
use pipeline::rows::{HeadRow, MoveRow, PlanRow};

use crate::answer::{Opened, Opening, SHOWN};
use crate::book::Book;
use crate::case::Case;
use crate::plan::{self, To, Wanted};
use crate::request::Mode;
use crate::survey::{Survey, Target, Way, unknown_service};
use crate::trigger::{self, Trigger};
use crate::world::{Source, World};
use crate::{Open, Release, Run, at_once, preview};

/// How many services one release may move: its head, and what the machine says of it, have a size.
const MOST_MOVES: usize = 2_000;

impl<W: World, B: Book> Release<W, B> {
    /// Decides what an execution's input means.
    pub(crate) async fn open(&self, open: Open, now: Timestamp) -> Result<Opened, Fault> {
        let environments = self.world.environments().await?;
        let mode = if open.input.get("mode") == Some(&"plan".into()) { Mode::Plan } else { Mode::Deploy };
        let trigger = match trigger::read(open.input) {
            Err(Fault::InvalidInput(why)) => return Ok(Opened::refused(mode, None, why)),
            read => read?,
        };
        let case = match trigger {
            Trigger::Nothing(why) => return Ok(Opened::without_plan(Opening::Ignored, None, why)),
            Trigger::Push(push) => self.case_of_push(push, &open.run, &environments, now).await?,
            Trigger::Request(request) => {
                let started = open.started.unwrap_or(now);
                self.case_of_request(*request, &open.run, &environments, started, now).await?
            }
        };
        match case {
            Ok(case) => self.accept(case, &open.run, now).await,
            Err(answer) => Ok(answer),
        }
    }

    /// Plans, and writes an accepted plan down.
    async fn accept(&self, case: Case, run: &Run, now: Timestamp) -> Result<Opened, Fault> {
        let Case { name, environment, asks, order, mode, asked, told } = case;
        let target =
            Target { name: &name, environment: &environment, order: &order, release: &run.release, now };
        let frozen = self.frozen(target).await?;
        if let Some(why) = frozen.clone().filter(|_| mode != Mode::Plan) {
            return Ok(Opened::without_plan(Opening::Refused, Some(&name), why));
        }
        // A plan tells of the others, too, and so does a name that the cluster does not have.
        let named = asks.services().filter(|_| mode != Mode::Plan);
        let mut seen = self.look(target, named).await?;
        if named.is_some_and(|named| {
            seen.early.is_none() && seen.services.len() < named.len()
        }) {
            seen = self.look(target, None).await?;
        }
        if let Some((seconds, why)) = seen.early {
            return Ok(waiting(target, seconds, why));
        }
        if let Some(why) = unknown_service(&seen.services, asks.services(), &environment.cluster) {
            return Ok(Opened::refused(mode, Some(&name), why));
        }
        let wanted = match self.resolve(asks, target).await? {
            Ok(wanted) => wanted,
            Err(why) => return Ok(Opened::refused(mode, Some(&name), why)),
        };
        if wanted.to == To::Present {
            return self.manageable(seen, target, &wanted).await;
        }
        let mut survey = self.survey(seen, target, &wanted).await?;
        survey.refused.extend(frozen);
        survey.refused.extend(self.immovable(&wanted, &survey.moves).await?);
        if survey.moves.len() > MOST_MOVES {
            let count = survey.moves.len();
            survey.refused.push(format!("{count} services would move: expected {MOST_MOVES} at most"));
        }
        if mode == Mode::Plan {
            return self.preview(survey, target, &wanted).await;
        }
        if let Some(ended) = ended(survey.way(target, &wanted), target, asked) {
            return Ok(ended);
        }
        let mut opened = opened(&survey, target, &wanted);
        opened.because = [vec![opened.because], told].concat().join("; ");
        self.write_down(target, &wanted, &survey.moves).await?;
        Ok(opened)
    }

    /// Says which services of an environment could be moved at all.
    async fn manageable(
        &self,
        mut seen: Survey,
        target: Target<'_>,
        wanted: &Wanted,
    ) -> Result<Opened, Fault> {
        let services = self.inspect(target, wanted, &mut seen).await?;
        let free = services.iter().filter(|one| one.blocked.is_none()).count();
        let because = format!("{free} of {} could be moved", plural(services.len(), "service"));
        let planned = Opened::without_plan(Opening::Planned, Some(target.name), because);
        Ok(Opened { services: services.into_iter().take(SHOWN).collect(), ..planned })
    }

    /// Writes an accepted plan down: its place among the pushes, what is asked of a person, and the head.
    async fn write_down(&self, target: Target<'_>, wanted: &Wanted, moves: &[MoveRow]) -> Result<(), Fault> {
        at_once(moves, async |one| self.book.order(target.name, &one.service, target.order).await).await?;
        self.overtake(target, moves).await?;
        let proposals: Vec<PlanRow> = moves.iter().map(plan::proposal).collect();
        if target.environment.approval == Approval::Required {
            self.propose(target, &proposals).await?;
        }
        let head = HeadRow {
            environment: target.name.clone(),
            policy: target.environment.clone(),
            request: serde_json::to_value(wanted).map_err(|error| Fault::Defect(error.to_string()))?,
            order: target.order.clone(),
            opened: target.now,
            waits: None,
            plan: plan::hash(&proposals),
            asked: None,
            services: moves.iter().map(|one| one.service.clone()).collect(),
            undo: None,
            outcome: None,
            fates: BTreeMap::new(),
        };
        self.book.open(target.release, &head).await
    }

    /// Writes down what a person is asked to agree to.
    pub(crate) async fn propose(&self, target: Target<'_>, proposals: &[PlanRow]) -> Result<(), Fault> {
        at_once(proposals, async |one| self.book.propose(target.release, one).await).await?;
        Ok(())
    }

    /// Tells which tags could not be moved: before anything is written, and not when half of it is.
    async fn immovable(&self, wanted: &Wanted, moves: &[MoveRow]) -> Result<Vec<String>, Fault> {
        let repositories: BTreeSet<_> = moves.iter().map(|row| (&row.repository, row.tag.as_str())).collect();
        let repositories: Vec<_> = repositories.into_iter().collect();
        let looked = at_once(&repositories, async |(repository, tag)| {
            let source = Source { registry: wanted.registry.clone(), repository: (*repository).clone() };
            let mutability = self.world.mutability(&source).await?;
            // What is behind the prefix of a keep-tag does not matter to a filter for all of them.
            let fixed = [*tag, "tidegate.any"].into_iter().find(|tag| !mutability.moves(tag));
            Ok(fixed.map(|fixed| {
                let filter = if fixed == *tag { tag } else { "tidegate.*" };
                format!(
                    "the tags {filter} of {repository} are immutable: expected the exclusion filters {tag} and tidegate.*"
                )
            }))
        });
        Ok(looked.await?.into_iter().flatten().collect())
    }
}

/// Answers what does not go on.  Whoever asked is refused where a push is ignored.
fn ended(way: Way, target: Target<'_>, asked: bool) -> Option<Opened> {
    let (next, why) = match way {
        Way::Go => return None,
        Way::Early(seconds, why) => return Some(waiting(target, seconds, why)),
        Way::Refused(why) => (Opening::Refused, why),
        Way::There(why) if asked => (Opening::Refused, format!("{why}; \"force\" goes on")),
        Way::Nothing(why) if asked => (Opening::Refused, why),
        Way::Nothing(why) | Way::There(why) | Way::Superseded(why) => (Opening::Ignored, why),
    };
    Some(Opened::without_plan(next, Some(target.name), why))
}

/// Answers that it is too early.
fn waiting(target: Target<'_>, pause_seconds: i64, why: String) -> Opened {
    Opened { pause_seconds, ..Opened::without_plan(Opening::Waiting, Some(target.name), why) }
}

/// Says what would happen, and where an accepted release goes.
fn opened(survey: &Survey, target: Target<'_>, wanted: &Wanted) -> Opened {
    let environment = target.environment;
    let because = preview::summary(&survey.moves, target, wanted);
    let next = match environment.approval {
        Approval::Required => Opening::AskApproval,
        Approval::None => Opening::TakeLeases,
    };
    let plan = preview::shown(survey, environment);
    let approval_minutes = environment.approval_minutes;
    Opened { approval_minutes, plan, ..Opened::without_plan(next, Some(target.name), because) }
}

/// Counts in words.
pub(crate) fn plural(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
