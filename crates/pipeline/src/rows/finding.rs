//! What a person should know of a release.

use serde::{Deserialize, Serialize};

/// One thing that was found when a release was planned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What follows from it.
    pub kind: FindingKind,
    /// What it is, in a sentence.
    pub text: String,
}

/// What follows from a finding; the gravest comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FindingKind {
    /// The release is refused.
    Refuses,
    /// It goes on, and may not do all that is wanted of it.
    Warns,
    /// It goes on.
    Tells,
}

impl Finding {
    /// Makes a finding for which a release is refused.
    pub fn refuses(text: String) -> Self {
        Finding { kind: FindingKind::Refuses, text }
    }

    /// Makes a finding that somebody should look at, and that stops nothing.
    pub fn warns(text: String) -> Self {
        Finding { kind: FindingKind::Warns, text }
    }

    /// Makes a finding that is good to know.
    pub fn tells(text: String) -> Self {
        Finding { kind: FindingKind::Tells, text }
    }

    /// Returns the gravest findings, and how many more there are.
    pub fn gravest(findings: &[Finding], most: usize) -> Vec<Finding> {
        let mut all = findings.to_vec();
        all.sort_by_key(|finding| finding.kind);
        let more = all.len().saturating_sub(most);
        all.truncate(most);
        all.extend((more > 0).then(|| Finding::tells(format!("and {more} more: a plan shows them"))));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gravest_come_first_and_the_others_are_counted() {
        let [told, warned, refused] =
            [Finding::tells, Finding::warns, Finding::refuses].map(|kind| kind("x".to_owned()));
        let all = [told.clone(), warned.clone(), refused.clone(), told.clone()];
        assert_eq!(Finding::gravest(&all, 4), [refused.clone(), warned.clone(), told.clone(), told]);
        assert_eq!(
            Finding::gravest(&all, 2),
            [refused, warned, Finding::tells("and 2 more: a plan shows them".to_owned())]
        );
    }
}
