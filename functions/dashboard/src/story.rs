//! One release: all that the ledger has of it, as far as it is shown.

use futures_util::try_join;
use pipeline::Fault;
use pipeline::ids::ReleaseId;
use pipeline::payload::MoveKey;
use pipeline::rows::{FoundKind, HeadRow, ListedRun, MoveOutcome, MoveRow, PlanRow, RepositoryRow, Verdict};

use crate::port::{Reads, Tested, Told, Waiting};

/// How many moves are shown at once.
pub const MOVES: usize = 20;

/// A release.
#[derive(Debug)]
pub struct Story {
    /// Its name.
    pub id: ReleaseId,
    /// Its head; none if it was never let in.
    pub head: Option<HeadRow>,
    /// How it is listed.
    pub listed: Option<ListedRun>,
    /// Its moves, those first that need somebody to look.
    pub moves: Vec<Move>,
    /// The first move that is shown in full.
    pub from: usize,
    /// What a person is asked to agree to.
    pub plan: Vec<PlanRow>,
    /// Whether a sweep has found that its execution is no more.
    pub has_died: bool,
    /// The repositories whose tags it moves.
    pub repositories: Vec<RepositoryRow>,
    /// What live tests have shown of the moves that are shown in full.
    pub tests: Vec<Tested>,
    /// What channels were told.
    pub told: Vec<Told>,
    /// That it waits for a person, if it does.
    pub waiting: Option<Waiting>,
}

/// A move.
#[derive(Debug)]
pub struct Move {
    /// Its key.
    pub key: MoveKey,
    /// Its row.
    pub row: MoveRow,
    /// What became of it so far.
    pub fate: MoveOutcome,
}

impl Story {
    /// Returns the moves that are shown in full.
    pub fn shown(&self) -> &[Move] {
        let to = self.from.saturating_add(MOVES).min(self.moves.len());
        self.moves.get(self.from..to).unwrap_or_default()
    }
}

/// Reads a release.
pub async fn read(port: &impl Reads, release: &ReleaseId, from: usize) -> Result<Story, Fault> {
    let (whole, told) = try_join!(port.whole(release), port.told(release))?;
    let scope = whole.head.as_ref().and_then(|head| head.rollback);
    let closed = whole.head.as_ref().is_none_or(|head| head.outcome.is_some());
    let mut moves: Vec<Move> = whole
        .moves
        .into_iter()
        .map(|(key, row)| Move { fate: MoveOutcome::of(&row, scope), key, row })
        .collect();
    if closed {
        // Of those that went back, the one for which all did.
        let is_cause = |one: &Move| one.row.verdict == Some(Verdict::Unhealthy);
        moves.sort_by_key(|one| (gravity(one.fate), !is_cause(one), one.key.order()));
    }
    let shown: Vec<&MoveKey> = moves.iter().skip(from).take(MOVES).map(|one| &one.key).collect();
    let open = whole.head.as_ref().filter(|head| head.outcome.is_none());
    let (tests, listed, waiting, has_died) = try_join!(
        port.tests(&shown),
        listed(port, release, whole.head.as_ref()),
        waiting(port, release, open),
        has_died(port, release, open)
    )?;
    let plan = match (&waiting, open) {
        (Some(_), Some(head)) => asked(port, release, head).await?,
        _ => Vec::new(),
    };
    let (head, repositories) = (whole.head, whole.repositories);
    let id = release.clone();
    Ok(Story { id, head, listed, moves, from, plan, has_died, repositories, tests, told, waiting })
}

/// Says how much a move wants to be looked at: the most comes first.
fn gravity(fate: MoveOutcome) -> u8 {
    match fate {
        MoveOutcome::NeedsHuman => 0,
        MoveOutcome::Failed => 1,
        MoveOutcome::Undone => 2,
        MoveOutcome::Superseded => 3,
        MoveOutcome::Untouched => 4,
        MoveOutcome::Deployed => 5,
    }
}

/// Finds a release in the list of runs, where its end stands.
async fn listed(
    port: &impl Reads,
    release: &ReleaseId,
    head: Option<&HeadRow>,
) -> Result<Option<ListedRun>, Fault> {
    match head {
        Some(head) => port.listed(&head.environment, head.opened, release).await,
        None => Ok(None),
    }
}

/// Returns what a person is asked to agree to: of the services that the head still names.
async fn asked(port: &impl Reads, release: &ReleaseId, head: &HeadRow) -> Result<Vec<PlanRow>, Fault> {
    let plan = port.plan(release).await?.into_iter();
    Ok(plan.filter(|row| head.services.contains(&row.service)).collect())
}

/// Tells whether a sweep has found that the execution of an open release is no more.
async fn has_died(port: &impl Reads, release: &ReleaseId, open: Option<&HeadRow>) -> Result<bool, Fault> {
    let Some(head) = open else { return Ok(false) };
    let found = port.standing(&head.environment).await?.found;
    Ok(found.iter().any(|(what, row)| row.kind == FoundKind::Died && what == release.as_str()))
}

/// Tells whether a release waits for a person.
async fn waiting(
    port: &impl Reads,
    release: &ReleaseId,
    open: Option<&HeadRow>,
) -> Result<Option<Waiting>, Fault> {
    match open {
        Some(head) => {
            let waiting = port.waiting(&head.environment).await?;
            Ok(waiting.into_iter().find(|one| one.release == *release))
        }
        None => Ok(None),
    }
}
