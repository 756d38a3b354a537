//! Shows what a release would do: its moves, its waves, and how long they take.  Pure.

use pack::{Pack, Phase};
use pipeline::environment::{Environment, OnFailure};
use pipeline::rows::{Finding, MoveRow};

use super::spec::{PlanContext, ReleaseSpec};
use super::words::plural;
use super::{PlanDraft, eta, packs, waves};
use crate::answer::{Change, Plan, Planned, SHOWN, Wave};

/// Says in a sentence what would happen.
pub fn summary(moves: &[MoveRow], context: PlanContext<'_>, spec: &ReleaseSpec) -> String {
    let environment = context.environment;
    let runs = match moves {
        [one] => one.restore.as_ref().map(|restore| format!(", which runs {}", restore.digest.short())),
        _ => None,
    };
    format!(
        "{} in {}{}: {}; on failure, {}",
        plural(moves.len(), "service"),
        environment.cluster,
        runs.unwrap_or_default(),
        spec.to.action(),
        on_failure(environment)
    )
}

/// Shows the moves of a draft, wave by wave, and so many of its findings.
pub fn shown(draft: &PlanDraft, environment: &Environment, findings: usize) -> Plan {
    let waves = waves::waves(draft.moves.clone(), environment);
    let seconds = |one: &MoveRow| {
        draft.known.get(&one.service).and_then(|row| row.seconds).unwrap_or(eta::ASSUMED_SECONDS)
    };
    let rollouts: Vec<Vec<u32>> = waves.iter().map(|wave| wave.iter().map(seconds).collect()).collect();
    let lengths = eta::waves(&rollouts, environment.concurrency, environment.bake_seconds);
    let counted = waves.iter().zip(&lengths);
    let counted = counted.map(|(wave, seconds)| Wave { services: wave.len(), seconds: *seconds }).collect();
    let numbered = waves.iter().enumerate();
    let moves = numbered.flat_map(|(wave, moves)| moves.iter().map(move |one| (wave, one)));
    Plan {
        plan: moves.take(SHOWN).map(|(wave, one)| planned(wave, one, draft)).collect(),
        more: draft.moves.len().saturating_sub(SHOWN),
        waves: counted,
        eta_seconds: (!lengths.is_empty()).then(|| lengths.iter().sum()),
        untouched: draft.untouched.iter().take(SHOWN).cloned().collect(),
        findings: Finding::gravest(&draft.findings, findings),
    }
}

fn planned(wave: usize, one: &MoveRow, draft: &PlanDraft) -> Planned {
    let service = draft.services.iter().find(|service| service.name == one.service);
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
        tests: tests(one, draft),
    }
}

/// Says how many live tests a move has to pass.
fn tests(one: &MoveRow, draft: &PlanDraft) -> String {
    let text = one.pack.as_ref().and_then(|hash| draft.packs.get(hash));
    let Some(pack) = text.and_then(|text| Pack::read("its live tests", text).ok()) else {
        return match packs::asked(one) {
            Some(_) => "those that its image has passed".to_owned(),
            None => "none".to_owned(),
        };
    };
    let counts =
        Phase::ALL.iter().map(|phase| (pack.of(*phase).count(), phase)).filter(|(count, _)| *count > 0);
    let counts: Vec<String> = counts.map(|(count, phase)| format!("{count} {phase}")).collect();
    if counts.is_empty() { "none".to_owned() } else { counts.join(", ") }
}

/// Says in words what happens if a move is unhealthy.
fn on_failure(environment: &Environment) -> &'static str {
    match environment.on_failure {
        OnFailure::UndoAll => "roll back every updated service",
        OnFailure::UndoFailed => "roll back the unhealthy services",
        OnFailure::Freeze => "roll back nothing and freeze the environment",
    }
}
