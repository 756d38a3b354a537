//! The rows of a release that lie side by side: one query reads its head, its moves and what else is told of it.

use super::item::row_of;
use super::{Key, Ledger};
use crate::Fault;
use crate::ids::ReleaseId;
use crate::payload::MoveKey;
use crate::rows::{HeadRow, MoveRow, PlanRow, RepositoryRow};

/// What the rows of a release say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WholeRelease {
    /// Its head; none if it was never let in.
    pub head: Option<HeadRow>,
    /// Its moves, in the order of their waves.
    pub moves: Vec<(MoveKey, MoveRow)>,
    /// The repositories whose tags it moves.
    pub repositories: Vec<RepositoryRow>,
}

impl Ledger {
    /// Reads the moves of a release, in the order of their waves.
    pub async fn moves(&self, release: &ReleaseId) -> Result<Vec<(MoveKey, MoveRow)>, Fault> {
        Ok(self.rows_of(release, ("move#", "move#~")).await?.moves)
    }

    /// Reads the head of a release and its moves.
    pub async fn head_and_moves(
        &self,
        release: &ReleaseId,
    ) -> Result<(Option<HeadRow>, Vec<(MoveKey, MoveRow)>), Fault> {
        let WholeRelease { head, moves, .. } = self.rows_of(release, ("head", "move#~")).await?;
        Ok((head, moves))
    }

    /// Reads all that is told of a release; what a person is asked to agree to is read by who asks.
    pub async fn whole(&self, release: &ReleaseId) -> Result<WholeRelease, Fault> {
        self.rows_of(release, ("head", "repo#~")).await
    }

    /// Reads what a person is asked to agree to.
    pub async fn plan(&self, release: &ReleaseId) -> Result<Vec<PlanRow>, Fault> {
        let rows = self.list(&Key::of_release(release), "plan#").await?;
        Ok(rows.into_iter().map(|(_, row)| row).collect())
    }

    async fn rows_of(&self, release: &ReleaseId, (from, to): (&str, &str)) -> Result<WholeRelease, Fault> {
        let pk = Key::of_release(release);
        let range = [(":sk", from), (":to", to)];
        let rows = self.query_items(&pk, "pk = :pk AND sk BETWEEN :sk AND :to", &range).await?;
        let mut whole = WholeRelease::default();
        for (sk, item) in rows {
            let key = Key::new(pk.clone(), sk.clone());
            match sk.split('#').next() {
                Some("head") => whole.head = Some(row_of(&key, item)?),
                Some("move") => whole.moves.push((key_of(release, &sk)?, row_of(&key, item)?)),
                Some("repo") => whole.repositories.push(row_of(&key, item)?),
                _ => {}
            }
        }
        whole.moves.sort_by_key(|(key, _)| key.order());
        Ok(whole)
    }
}

fn key_of(release: &ReleaseId, sk: &str) -> Result<MoveKey, Fault> {
    let mut numbers = sk.split('#').skip(1).map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(wave)), Some(Ok(n))) => Ok(MoveKey::new(release.clone(), wave, n)),
        _ => Err(Fault::Defect(format!("{sk} is not the key of a move"))),
    }
}
