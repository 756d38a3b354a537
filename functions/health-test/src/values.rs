//! What the variables of a pack stand for in one move.

use pack::Values;
use pipeline::ids::ReleaseId;
use pipeline::rows::MoveRow;

use crate::Phase;

/// Returns what hosts may be made of: it is the same in every poll of the move.
pub fn of_place(row: &MoveRow) -> Values {
    Values::default().with("environment", row.environment.as_str()).with("service", row.service.as_str())
}

/// What is known while the live tests of one way are asked.
#[derive(Clone, Default)]
pub struct Known {
    /// The values.
    pub values: Values,
    /// What the name of each attempt begins with.
    pub attempt: String,
}

/// Returns what is known while the live tests of one way are asked.
pub fn of(phase: Phase, release: &ReleaseId, row: &MoveRow) -> Known {
    let (digest, commit, way) = match (phase, &row.restore) {
        (Phase::Rollback, Some(restore)) => (&restore.digest, &restore.commit, "back"),
        _ => (&row.digest, &row.commit, "forward"),
    };
    let values = of_place(row).with("image.digest", digest.as_str()).with("release.id", release.as_str());
    // An image without the label has none: what asks for it cannot be measured.
    let values = match commit {
        Some(commit) => values.with("image.commit", commit.as_str()),
        None => values,
    };
    let way = if phase == Phase::Before { "before" } else { way };
    Known { values, attempt: format!("{release}.{}.{way}", row.service) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollout::samples::row;
    use pack::Pack;

    #[test]
    fn each_way_names_its_own_image() {
        let (row, release) = (row(), ReleaseId::parse("r1").unwrap());
        let text = r#"{"checks":[{"name":"a","http":{"url":"http://${service}.${environment}.test/","contains":"${image.digest} ${release.id}"}}]}"#;
        let pack = Pack::read("pack", text).unwrap();
        let [http] = pack.checks[0].kind.requests() else { panic!("{text}") };
        for (phase, digest) in
            [(Phase::After, &row.digest), (Phase::Rollback, &row.restore.as_ref().unwrap().digest)]
        {
            let Known { values, attempt } = of(phase, &release, &row);
            assert!(attempt.starts_with("r1.users."), "{attempt}");
            let url = format!("http://{}.{}.test/", row.service, row.environment);
            assert_eq!(http.request(&values).unwrap().url, url);
            assert_eq!(http.expected(&values).unwrap().contains, Some(format!("{digest} r1")));
        }
    }
}
