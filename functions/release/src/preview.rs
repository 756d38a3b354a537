//! Shows what a release would do: moves, waves, how long it takes, and what a person should know before.

use pipeline::Fault;
use pipeline::environment::Environment;
use pipeline::rows::MoveRow;

use crate::answer::{Change, Opened, Opening, Plan, Planned, SHOWN, Wave};
use crate::book::Book;
use crate::open::plural;
use crate::plan::{self, Wanted};
use crate::survey::{Survey, Target, Way};
use crate::world::{Source, World};
use crate::{Release, at_once, eta, findings, lifecycle};

impl<W: World, B: Book> Release<W, B> {
    /// Answers what would happen.  A plan is never refused: what would refuse the release is the first to be told.
    pub(crate) async fn preview(
        &self,
        mut survey: Survey,
        target: Target<'_>,
        wanted: &Wanted,
    ) -> Result<Opened, Fault> {
        self.check_alarms(&mut survey).await?;
        let mut found = survey.refused.clone();
        found.extend(findings::of(&survey, target.environment, self.world.roles()));
        found.extend(self.endangered(wanted, &survey.moves).await?);
        let because = match survey.way(target, wanted) {
            Way::Go => summary(&survey.moves, target, wanted),
            Way::Refused(_) => {
                format!("it would be refused, for {}", plural(survey.refused.len(), "reason"))
            }
            Way::Nothing(why) | Way::There(why) | Way::Superseded(why) | Way::Early(_, why) => why,
        };
        let mut plan = shown(&survey, target.environment);
        plan.findings = found.into_iter().take(SHOWN).collect();
        Ok(Opened { plan, ..Opened::without_plan(Opening::Planned, Some(target.name), because) })
    }

    /// Names the repositories whose lifecycle policy would take what runs, or the way back.
    async fn endangered(&self, wanted: &Wanted, moves: &[MoveRow]) -> Result<Vec<String>, Fault> {
        let mut repositories: Vec<&MoveRow> = Vec::new();
        for row in moves {
            if !repositories.iter().any(|known| known.repository == row.repository) {
                repositories.push(row);
            }
        }
        let looked = at_once(&repositories, async |row| {
            let (registry, repository) = (wanted.registry.clone(), row.repository.clone());
            let Some(policy) = self.world.lifecycle(&Source { registry, repository }).await? else {
                return Ok(None);
            };
            let keep = |kind: &str| format!("tidegate.{}.{}.{kind}", row.environment, row.service);
            let (live, previous) = (keep("live"), keep("previous"));
            let live = lifecycle::endangers(&policy, &[&live, &row.tag])?;
            let taken = live.or(lifecycle::endangers(&policy, &[&previous])?);
            Ok(taken.map(|rule| {
                let repository = &row.repository;
                format!(
                    "the lifecycle rule {rule} of {repository} would take what runs, or the way back: expected a \
                     rule before it that spares tidegate.*"
                )
            }))
        });
        Ok(looked.await?.into_iter().flatten().collect())
    }
}

/// Says in a sentence what would happen.
pub(crate) fn summary(moves: &[MoveRow], target: Target<'_>, wanted: &Wanted) -> String {
    let environment = target.environment;
    let from = moves.first().and_then(|one| one.restore.as_ref());
    format!(
        "{} in {}: {} to {}; on failure: {}",
        plural(moves.len(), "service"),
        environment.cluster,
        match moves.len() {
            1 => from.map_or("nothing", |restore| restore.digest.short()),
            _ => "what runs",
        },
        wanted.to.words(),
        plan::on_failure(environment)
    )
}

/// Shows the moves of a survey, wave by wave.
pub(crate) fn shown(survey: &Survey, environment: &Environment) -> Plan {
    let waves = plan::waves(survey.moves.clone(), environment);
    let seconds = |one: &MoveRow| survey.seconds.get(&one.service).copied().unwrap_or(eta::ASSUMED_SECONDS);
    let rollouts: Vec<Vec<u32>> = waves.iter().map(|wave| wave.iter().map(seconds).collect()).collect();
    let lengths = eta::waves(&rollouts, environment.concurrency, environment.bake_seconds);
    let counted = waves.iter().zip(&lengths);
    let counted = counted.map(|(wave, seconds)| Wave { services: wave.len(), seconds: *seconds }).collect();
    let numbered = waves.iter().enumerate();
    let moves = numbered.flat_map(|(wave, moves)| moves.iter().map(move |one| (wave, one)));
    Plan {
        plan: moves.take(SHOWN).map(|(wave, one)| planned(wave, one, survey)).collect(),
        more: survey.moves.len().saturating_sub(SHOWN),
        waves: counted,
        eta_seconds: (!lengths.is_empty()).then(|| lengths.iter().sum()),
        untouched: survey.untouched.iter().take(SHOWN).cloned().collect(),
        findings: Vec::new(),
    }
}

fn planned(wave: usize, one: &MoveRow, survey: &Survey) -> Planned {
    let service = survey.services.iter().find(|service| service.name == one.service);
    let images = service.into_iter().flat_map(|service| &service.revision.images);
    let changes = images.filter(|(container, _)| one.containers.contains(container));
    Planned {
        wave,
        service: one.service.clone(),
        repository: one.repository.clone(),
        from: one.restore.as_ref().map(|restore| restore.digest.clone()),
        to: one.digest.clone(),
        commit: one.commit.clone(),
        changes: changes
            .map(|(container, image)| Change {
                container: container.clone(),
                from: image.written(),
                to: image.pinned(&one.digest),
            })
            .collect(),
    }
}
