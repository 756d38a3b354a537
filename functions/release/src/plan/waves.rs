//! In which order services move, and what a person agrees to.

use std::collections::BTreeMap;

use pipeline::environment::Environment;
use pipeline::ids::{Digest, Repository};
use pipeline::rows::{MoveRow, PlanRow};
use sha2::{Digest as _, Sha256};

/// A move and its place: its wave, and its ordinal in the wave.
pub type Numbered = (u32, u32, MoveRow);

/// Orders moves into waves: the first wave that matches a service takes it, and the rest goes last.
pub fn waves(moves: Vec<MoveRow>, environment: &Environment) -> Vec<Vec<MoveRow>> {
    let mut waves: BTreeMap<usize, Vec<MoveRow>> = BTreeMap::new();
    for one in moves {
        waves.entry(environment.wave_of(&one.service)).or_default().push(one);
    }
    waves.into_values().collect()
}

/// Numbers moves without gaps, and their repositories in the order of their first moves.
///
/// Returns them with how many moves each wave has, and how many repositories there are.
pub fn numbered(waves: Vec<Vec<MoveRow>>) -> (Vec<Numbered>, Vec<u32>, u32) {
    let (mut numbered, mut counts, mut repositories): (_, _, Vec<Repository>) = Default::default();
    for (wave, moves) in (0..).zip(waves) {
        let mut count = 0;
        for mut one in moves {
            let known = repositories.iter().position(|repository| *repository == one.repository);
            let ordinal = known.unwrap_or_else(|| {
                repositories.push(one.repository.clone());
                repositories.len() - 1
            });
            one.repository_row = u32::try_from(ordinal).unwrap_or(u32::MAX);
            Vec::push(&mut numbered, (wave, count, one));
            count += 1;
        }
        Vec::push(&mut counts, count);
    }
    (numbered, counts, u32::try_from(repositories.len()).unwrap_or(u32::MAX))
}

/// Returns what a person is asked to agree to about one service.
pub fn proposal(one: &MoveRow) -> PlanRow {
    PlanRow {
        service: one.service.clone(),
        repository: one.repository.clone(),
        from: one.restore.as_ref().map(|restore| restore.digest.clone()),
        to: one.digest.clone(),
        commit: one.commit.clone(),
    }
}

/// Returns what a person agrees to: the hash over service, old and new digest of every move.
pub fn hash<'a>(proposals: impl IntoIterator<Item = &'a PlanRow>) -> String {
    let line = |one: &PlanRow| {
        format!("{} {} {}\n", one.service, one.from.as_ref().map_or("-", Digest::as_str), one.to)
    };
    let mut lines: Vec<String> = proposals.into_iter().map(line).collect();
    lines.sort();
    Sha256::digest(lines.concat().as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::{digest, environment, row};

    #[test]
    fn the_first_wave_that_matches_takes_a_service_and_the_rest_goes_last() {
        let mut moves = ["users", "orders", "payments", "carts"].map(row).to_vec();
        for other in &mut moves[..2] {
            other.repository = Repository::parse("shop/other").unwrap();
        }
        let (numbered, counts, repositories) = numbered(waves(moves, &environment()));
        let places =
            numbered.iter().map(|(wave, n, one)| (*wave, *n, one.service.as_str(), one.repository_row));
        assert_eq!(
            places.collect::<Vec<_>>(),
            [(0, 0, "payments", 0), (1, 0, "users", 1), (2, 0, "orders", 1), (2, 1, "carts", 0)]
        );
        assert_eq!((counts, repositories), (vec![1, 1, 2], 2));
    }

    #[test]
    fn what_a_person_agrees_to_is_which_service_moves_from_what_to_what() {
        let (one, other) = (row("users"), row("orders"));
        let (one, other) = (proposal(&one), proposal(&other));
        assert_eq!(hash([&one, &other]), hash([&other, &one]));
        assert_ne!(hash([&one]), hash([&PlanRow { to: digest('f'), ..one.clone() }]));
    }
}
